/* Runs a command of the weir program within a test and keeps what it wrote; and folders to run it in. Included by one test file each. */
#ifndef WEIR_TESTS_COMMAND_OUTPUT_H
#define WEIR_TESTS_COMMAND_OUTPUT_H

#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "collector/base/buffer.h"
#include "collector/base/error.h" /* before cmocka, which makes a macro of fail */
#include "collector/wire/json.h"

#include <cmocka.h>

static struct buffer command_out, command_err; /* of the last command, as strings */

static void read_all(int fd, struct buffer *out)
{
    ssize_t got;

    buffer_clear(out);
    lseek(fd, 0, SEEK_SET);
    do {
        buffer_reserve(out, 65536);
        got = read(fd, out->data + out->size, 65536);
        out->size += got > 0 ? (size_t)got : 0;
    } while (got > 0);
    buffer_string(out);
    close(fd);
}

static int divert(int fd, const char *path)
{
    int saved = dup(fd), file = open(path, O_RDWR | O_CREAT | O_TRUNC, 0600);

    dup2(file, fd);
    close(file);
    return saved;
}

static int take_back(int fd, int saved)
{
    int file = dup(fd);

    dup2(saved, fd);
    close(saved);
    return file;
}

/* The arguments end with NULL; the first one is the command's own name. Returns its exit status. */
static int run_command(int (*command)(int argc, char **argv), const char *const *arguments)
{
    char out_path[] = "/tmp/weir-command-out-XXXXXX", err_path[] = "/tmp/weir-command-err-XXXXXX";
    char *argv[32];
    int argc = 0, saved_out, saved_err, status;

    for (; arguments[argc] != NULL; argc++)
        argv[argc] = strdup(arguments[argc]);
    argv[argc] = NULL;
    close(mkstemp(out_path));
    close(mkstemp(err_path));
    fflush(stdout);
    fflush(stderr);
    saved_out = divert(STDOUT_FILENO, out_path);
    saved_err = divert(STDERR_FILENO, err_path);
    {
        char *moved[32]; /* a command reorders its arguments */

        memcpy(moved, argv, sizeof(moved));
        status = command(argc, moved);
    }
    fflush(stdout);
    fflush(stderr);
    read_all(take_back(STDOUT_FILENO, saved_out), &command_out);
    read_all(take_back(STDERR_FILENO, saved_err), &command_err);
    unlink(out_path);
    unlink(err_path);
    for (int i = 0; i < argc; i++)
        free(argv[i]);
    return status;
}

#define RUN(command, ...) run_command(command, (const char *const[]){ __VA_ARGS__, NULL })

static inline bool said(const char *text)
{
    return strstr(buffer_string(&command_out), text) != NULL;
}

static inline bool complained(const char *text)
{
    return strstr(buffer_string(&command_err), text) != NULL;
}

static inline void forget_output(void)
{
    buffer_fini(&command_out);
    buffer_fini(&command_err);
}

static inline void write_file(const char *path, struct slice bytes)
{
    FILE *file = fopen(path, "wb");

    assert_non_null(file);
    assert_int_equal(fwrite(bytes.data, 1, bytes.size, file), bytes.size);
    fclose(file);
}

/* The request that the JSON (with ' for ") spells, appended. */
static inline void append_request(enum signal signal, const char *json, struct buffer *out)
{
    char *text = strdup(json);
    struct json_error err = { 0 };

    for (char *at = text; *at != '\0'; at++)
        if (*at == '\'')
            *at = '"';
    if (!json_read_request(signal, slice_of_string(text), out, &err))
        fail_msg("%s in %s", err.message, text);
    free(text);
}

#endif
