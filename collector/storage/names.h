/* The file names of a journal's segments. Private to collector/storage. */
#ifndef WEIR_STORAGE_NAMES_H
#define WEIR_STORAGE_NAMES_H

#include "collector/storage/filesystem.h"

struct segment_names {
    uint64_t *first; /* owned; the sequence numbers that the names stand for, ascending */
    size_t count, capacity;
    bool failed; /* memory was out */
};

/* The list is zeroed. 0, or -errno with nothing to free. */
int segment_names_read(const struct filesystem *filesystem, struct segment_names *names);

#endif
