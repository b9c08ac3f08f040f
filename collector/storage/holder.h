/* Who holds a folder's lock, asked without touching it. Linux: /proc/locks. */
#ifndef WEIR_STORAGE_HOLDER_H
#define WEIR_STORAGE_HOLDER_H

#include <stdbool.h>

struct folder_holder {
    long process;  /* as this process sees it; 0: not visible from here (another pid namespace) */
    char name[32]; /* of its program; "" when unknown */
};

/* Whether another process holds it now. A wrong answer is possible where /proc is not there: none. */
bool folder_find_holder(const char *path, struct folder_holder *holder);

#endif
