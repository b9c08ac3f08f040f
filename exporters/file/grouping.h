/*
 * group_by: the resource groups of a batch by the value of one resource attribute, and the open files that they go to. The value takes the
 * place of the `*` in the path; it can't lead out of the folder that stands before the `*`.
 *
 * Threads: files_take and files_release from any; a table of files has one lock, never held while a file is touched.
 */
#ifndef WEIR_EXPORTERS_FILE_GROUPING_H
#define WEIR_EXPORTERS_FILE_GROUPING_H

#include "collector/batch.h"
#include "exporters/file/output.h"

/* ---- the groups of a batch ---- */

/* Resource groups that go to one file; together, in their order, one valid request. */
struct path_group {
    struct slice segment;       /* the attribute's value; borrowed from the batch */
    const struct slice *pieces; /* borrowed from the grouping */
    size_t count;
};

struct grouping {
    struct path_group *groups; /* owned */
    size_t count;
    struct slice *pieces;       /* owned; behind the groups */
    struct path_entry *entries; /* owned; scratch */
    size_t dropped_records;     /* of resources that have no such attribute, or one that is not a string */
};

/* The grouping is zeroed. false: memory is out. */
bool grouping_of(const struct batch *batch, struct slice attribute, struct grouping *grouping);
void grouping_fini(struct grouping *grouping);

/* The path of a segment; false when it would be too long. */
enum { GROUP_PATH_SIZE = 4096 };
bool group_path(const char *pattern, struct slice segment, char out[GROUP_PATH_SIZE]);

/* ---- the files ---- */

/* Files by path, at most `max_open` of them open; the one that was not used for the longest time is closed for a new one. */
struct files;

/* The settings are borrowed. Aborts when memory is out. */
struct files *files_create(size_t max_open, const struct output_settings *settings);
void files_destroy(struct files *files);

/* In use until it is released. */
struct file_output *files_take(struct files *files, const char *path);
void files_release(struct files *files, struct file_output *output);

#endif
