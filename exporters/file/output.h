/*
 * One file that messages are appended to, whole or not at all: what could not be written to its end, or not be synced, is cut off
 * again, so that the file stays readable. Rotates when a message would make it too large.
 *
 * Threads: any; one lock per file, held while it is written to, so that a slow disk holds up the writers of this file only. It
 * is not held while the file is synced: what is written meanwhile waits for the next sync, which serves all of it.
 */
#ifndef WEIR_EXPORTERS_FILE_OUTPUT_H
#define WEIR_EXPORTERS_FILE_OUTPUT_H

#include <stdatomic.h>
#include <sys/types.h>

#include "collector/base/error.h"
#include "collector/base/slice.h"
#include "exporters/file/rotation.h"

struct file_output;

struct output_settings {
    const char *owner; /* the exporter's path, for the log; borrowed */
    bool append;       /* to what is there; else the file begins empty */
    bool ours;         /* what is there was written by this exporter: append, and its end is whole */
    bool framed;       /* 4-byte lengths; else lines */
    bool sync;         /* a message counts as written once it is on the disk, with the names that lead to it */
    bool make_directory;
    mode_t directory_mode;
    const struct rotation_settings *rotation; /* borrowed; NULL: none */
    const atomic_bool *cancelled;             /* borrowed; set: writes to a pipe that nobody reads end */
};

/* Opens nothing yet. The settings are borrowed as long as the output. Aborts when memory is out. */
struct file_output *file_output_create(const char *path, const struct output_settings *settings);
void file_output_destroy(struct file_output *output);

/* Opens the file now if it is not open: to tell at start what is wrong. */
bool file_output_open(struct file_output *output, struct error *err);

/* Writes all parts behind each other, or nothing; in the kernel's hands when it returns, or synced. 0, or an errno with the error. */
int file_output_write(struct file_output *output, const struct slice *parts, size_t count, struct error *err);

const char *file_output_path(const struct file_output *output);

#endif
