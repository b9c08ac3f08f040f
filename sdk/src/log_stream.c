/*
 * Lines of a stdio stream as log records. stdio buffers by line and serialises writers; a line that comes in pieces is put
 * together here. Threads: stdio's lock is held.
 */
#include <errno.h>
#include <stdlib.h>

#include "sdk/include/weir/log.h"

enum { LINE_MAX_SIZE = 4095 };

struct stream {
    weir_scope *scope;
    int severity;
    FILE *copy; /* borrowed; NULL: none */
    size_t size;
    char line[LINE_MAX_SIZE];
};

static void finish_line(struct stream *stream)
{
    if (stream->size != 0)
        weir_log(stream->scope, stream->severity, weir_sn(stream->line, stream->size), WEIR_NO_ATTRS);
    stream->size = 0;
}

static ssize_t write_lines(void *cookie, const char *data, size_t size)
{
    struct stream *stream = cookie;

    for (size_t i = 0; i < size; i++) {
        if (data[i] == '\n') {
            finish_line(stream);
            continue;
        }
        if (stream->size == LINE_MAX_SIZE)
            finish_line(stream);
        stream->line[stream->size++] = data[i];
    }
    if (stream->copy != NULL && size != 0 && fwrite(data, 1, size, stream->copy) == size)
        fflush(stream->copy);
    return (ssize_t)size;
}

static int close_stream(void *cookie)
{
    finish_line(cookie);
    free(cookie);
    return 0;
}

FILE *weir_log_stream(weir_scope *scope, int severity, FILE *copy)
{
    struct stream *stream = malloc(sizeof(*stream));

    if (stream == NULL)
        return NULL;
    stream->scope = scope;
    stream->severity = severity;
    stream->copy = copy;
    stream->size = 0;
    FILE *file = fopencookie(stream, "w", (cookie_io_functions_t){ .write = write_lines, .close = close_stream });
    if (file == NULL) {
        free(stream);
        return NULL;
    }
    setvbuf(file, NULL, _IOLBF, 0);
    return file;
}
