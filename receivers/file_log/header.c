/* header: lines at the beginning of a file that say something of all records in it. Limits: HEADER_MAX bytes. */
#include <stdlib.h>

#include "collector/ottl/regex.h"
#include "receivers/file_log/file_log.h"

enum { HEADER_MAX = 64 << 10 };

struct file_header {
    struct ottl_regex *pattern;
    struct ottl_matcher *matcher;
    struct stanza_pipeline *pipeline;
    struct stanza_memory memory;
    struct followed *file; /* whose header is read */
    bool failed;
};

/* What operators made attributes of is the file's from now on. */
static void take_record(void *context, struct stanza_record *record)
{
    struct file_header *header = context;
    struct stanza_map map = record->attributes;

    header->failed = !stanza_map_copy(&header->file->memory, &map, true) || header->failed;
    for (size_t i = 0; i < map.count && !header->failed; i++)
        header->failed = !stanza_map_set(&header->file->memory, &header->file->attributes, map.members[i].key, map.members[i].value);
}

struct file_header *file_header_create(const struct file_log *settings, struct error *err)
{
    struct file_header *header = calloc(1, sizeof(*header));
    struct stanza_sink sink = { take_record, NULL, header };

    if (header == NULL)
        abort();
    header->matcher = ottl_matcher_create();
    header->pattern = ottl_regex_create(slice_of_string(settings->header_pattern), err);
    if (header->pattern != NULL)
        header->pipeline = stanza_pipeline_create(settings->header_operators, err);
    if (header->pipeline != NULL && header->matcher != NULL) {
        stanza_pipeline_set_sink(header->pipeline, &sink);
        return header;
    }
    file_header_destroy(header);
    fail_within(err, "header");
    return NULL;
}

void file_header_destroy(struct file_header *header)
{
    if (header == NULL)
        return;
    ottl_regex_destroy(header->pattern);
    ottl_matcher_destroy(header->matcher);
    stanza_pipeline_destroy(header->pipeline);
    stanza_memory_fini(&header->memory);
    free(header);
}

static void process(struct file_header *header, struct slice line)
{
    struct stanza_record record = { .memory = &header->memory, .body = stanza_string(line) };

    stanza_memory_reset(&header->memory);
    stanza_pipeline_process(header->pipeline, &record);
}

void file_header_read(struct file_reader *reader, struct followed *file)
{
    struct file_header *header = reader->header;
    uint8_t *text = malloc(HEADER_MAX);
    ssize_t got = text != NULL ? followed_read(file, 0, text, HEADER_MAX) : -1;
    size_t at = 0;
    const uint8_t *end = NULL;

    header->file = file;
    header->failed = false;
    while (got > 0 && (end = memchr(text + at, '\n', (size_t)got - at)) != NULL) {
        struct slice line = slice_of(text + at, (size_t)(end - text) - at);
        line.size -= line.size > 0 && line.data[line.size - 1] == '\r';
        if (ottl_regex_match(header->pattern, header->matcher, line, 0) != OTTL_MATCH)
            break;
        process(header, line);
        at = (size_t)(end - text) + 1;
        if (at == (size_t)got)
            end = NULL;
    }
    file->header_done = !header->failed && (end != NULL || got == HEADER_MAX || file->offset > at);
    if (file->header_done && file->offset < at)
        file->offset = at;
    buffer_clear(&file->wire);
    stanza_put_attributes(&file->wire, 6, &file->attributes);
    free(text);
}
