/*
 * The few file operations that the journal needs, behind a table, so that tests can put a simulated disk in their place: one that
 * forgets what was not synced, runs full, or fails.
 *
 * Names are file names within one folder, without '/'. Results are 0 or more, or -errno.
 */
#ifndef WEIR_STORAGE_FILESYSTEM_H
#define WEIR_STORAGE_FILESYSTEM_H

#include <stdint.h>
#include <sys/uio.h>

#include "collector/base/error.h"
#include "collector/base/slice.h"

struct filesystem {
    void *context;
    /* A handle for reading and writing; made when it is not there and `create` says so. */
    int (*open)(void *context, const char *name, bool create);
    void (*close)(void *context, int handle);
    /* At the offset, all of it; what a failure leaves behind it is undefined until truncate. `parts` may be changed. */
    int (*write)(void *context, int handle, uint64_t offset, struct iovec *parts, int count);
    /* Bytes read, fewer than asked for only at the end of the file. */
    int64_t (*read)(void *context, int handle, uint64_t offset, void *out, size_t size);
    int64_t (*size)(void *context, int handle);
    int (*truncate)(void *context, int handle, uint64_t size);
    int (*sync)(void *context, int handle);
    /* Makes file names that came and went durable. */
    int (*sync_names)(void *context);
    int (*remove)(void *context, const char *name);
    /* -EEXIST when there is a file of the new name. */
    int (*rename)(void *context, const char *name, const char *new_name);
    /* Calls `each` for every file of the folder, in any order. */
    int (*list)(void *context, void (*each)(void *argument, const char *name), void *argument);
};

/* A folder of the real file system: locked for this process until close; the file "lock" names the process. */
struct folder;
struct folder *folder_open(const char *path, struct error *err);
/* Without the lock, for looking only, also while another process writes: whatever would change something fails. */
struct folder *folder_open_looking(const char *path, struct error *err);
void folder_close(struct folder *folder); /* NULL is fine */
const struct filesystem *folder_filesystem(struct folder *folder); /* borrowed from the folder */

#endif
