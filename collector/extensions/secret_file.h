/*
 * A file that holds secrets (passwords, tokens), read again when it changes. It is looked at when it is asked for, at most once a
 * second; a file that became unreadable keeps its content from before, and that is said.
 * Threads: ref and unref are safe from any thread.
 */
#ifndef WEIR_COLLECTOR_EXTENSIONS_SECRET_FILE_H
#define WEIR_COLLECTOR_EXTENSIONS_SECRET_FILE_H

#include "collector/base/error.h"
#include "collector/base/slice.h"

struct secret_file;
struct secret; /* the file's content at one time; immutable, reference counted, wiped when it goes */

enum { SECRET_FILE_MAX = 1 << 20 };

/* Reads the file now. NULL with the error when it cannot be read, or is larger than SECRET_FILE_MAX. Both strings: borrowed. */
struct secret_file *secret_file_create(const char *path, const char *component, struct error *err);
void secret_file_destroy(struct secret_file *file);

struct secret *secret_file_ref(struct secret_file *file);
void secret_unref(struct secret *secret);
/* Valid as long as the reference. */
struct slice secret_text(const struct secret *secret);

/* Cuts the next line off `text`, spaces and the line's end left out. false at the end. */
bool secret_next_line(struct slice *text, struct slice *line);

/* Without spaces and line ends around it. */
struct slice secret_trim(struct slice text);

#endif
