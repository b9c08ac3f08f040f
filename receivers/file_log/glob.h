/* Patterns of paths: *, ?, [...], {a,b}, and ** for any folders. */
#ifndef WEIR_RECEIVERS_FILE_LOG_GLOB_H
#define WEIR_RECEIVERS_FILE_LOG_GLOB_H

#include <stdbool.h>

struct glob_walk {
    void (*file)(void *context, const char *path);   /* everything that fits and is no folder; a path may come twice */
    void (*folder)(void *context, const char *path); /* every folder that was looked into */
    void *context;
    unsigned long left; /* how many names are still looked at */
};
void glob_walk(struct glob_walk *walk, const char *pattern);

bool glob_fits(const char *pattern, const char *path);

#endif
