/*
 * Trying the lock to see whether it is free could keep a weir that starts in that moment from getting it; the kernel's list of
 * locks tells without. A line of it: "1: FLOCK  ADVISORY  WRITE 1234 08:01:131 0 EOF".
 */
#include "collector/storage/holder.h"

#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>

/* What a running weir has written into its lock file: the same process, as it sees itself. */
static long written_process(const char *lock_path)
{
    FILE *file = fopen(lock_path, "re");
    long process = 0;

    if (file == NULL)
        return 0;
    if (fscanf(file, "%20ld", &process) != 1)
        process = 0;
    fclose(file);
    return process;
}

static bool is_lock_of(const char *line, const struct stat *status, long written, long *process)
{
    unsigned device_major, device_minor;
    uintmax_t inode;

    if (sscanf(line, "%*[^:]: FLOCK ADVISORY WRITE %20ld %8x:%8x:%20ju", process, &device_major, &device_minor, &inode) != 4 ||
        inode != status->st_ino)
        return false;
    /* some file systems show another device to stat than the kernel lists: then the process must be the one that wrote its number */
    return *process == written || (device_major == major(status->st_dev) && device_minor == minor(status->st_dev));
}

static void find_name(struct folder_holder *holder)
{
    char path[64];
    FILE *file;

    snprintf(path, sizeof(path), "/proc/%ld/comm", holder->process);
    file = fopen(path, "re");
    if (file == NULL)
        return;
    if (fgets(holder->name, sizeof(holder->name), file) == NULL)
        holder->name[0] = '\0';
    holder->name[strcspn(holder->name, "\n")] = '\0';
    fclose(file);
}

bool folder_find_holder(const char *path, struct folder_holder *holder)
{
    char text[4096];
    struct stat status;
    bool found = false;
    long written;
    FILE *locks;

    *holder = (struct folder_holder){ 0 };
    if (snprintf(text, sizeof(text), "%s/lock", path) >= (int)sizeof(text) || stat(text, &status) != 0)
        return false;
    written = written_process(text);
    locks = fopen("/proc/locks", "re");
    if (locks == NULL)
        return false;
    while (!found && fgets(text, sizeof(text), locks) != NULL)
        found = is_lock_of(text, &status, written, &holder->process);
    fclose(locks);
    if (!found || holder->process <= 0)
        holder->process = 0;
    else
        find_name(holder);
    return found;
}
