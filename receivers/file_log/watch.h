/*
 * What happens in folders: names that come and go, and files that are written to. inotify; where it says no, the caller looks by itself.
 * Threads: one.
 */
#ifndef WEIR_RECEIVERS_FILE_LOG_WATCH_H
#define WEIR_RECEIVERS_FILE_LOG_WATCH_H

#include <stdbool.h>
#include <stddef.h>

struct watch;

struct watch *watch_create(void);        /* NULL: there is no inotify */
void watch_destroy(struct watch *watch); /* NULL is fine */
/* Once for each folder that is wanted, between begin and end; folders that were not named are let go. */
void watch_begin(struct watch *watch);
void watch_folder(struct watch *watch, const char *path);
void watch_end(struct watch *watch);
/* Is every folder watched that was wanted? */
bool watch_is_whole(const struct watch *watch);
bool watch_has(const struct watch *watch, const char *folder, size_t size);
/* Readable when names have come or gone. */
int watch_names_fd(const struct watch *watch);
/* Did names come or go since the last call? */
bool watch_names(struct watch *watch);
/* Calls `written` for each file that was written to; false when some may be missing: all are to be looked at. */
bool watch_written(struct watch *watch, void (*written)(void *context, const char *folder, const char *name), void *context);

#endif
