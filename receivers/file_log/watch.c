/*
 * inotify, twice: names are told at once, since a file may be gone soon; writes are only read when there is time for them, so that a busy
 * writer wakes nobody. Cost: a watch descriptor and a path for each folder.
 */
#include "receivers/file_log/watch.h"

#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/inotify.h>
#include <unistd.h>

enum { FOLDERS_MAX = 20000, EVENTS_SIZE = 32 << 10 };

struct folder {
    char *path;
    int names, writes; /* watch descriptors */
    bool wanted;
};

struct watch {
    int names, writes;
    struct folder *folders;
    size_t count, capacity;
    bool whole;
    _Alignas(8) char events[EVENTS_SIZE];
};

struct watch *watch_create(void)
{
    struct watch *watch = calloc(1, sizeof(*watch));

    if (watch == NULL)
        return NULL;
    watch->names = inotify_init1(IN_NONBLOCK | IN_CLOEXEC);
    watch->writes = inotify_init1(IN_NONBLOCK | IN_CLOEXEC);
    if (watch->names >= 0 && watch->writes >= 0)
        return watch;
    watch_destroy(watch);
    return NULL;
}

void watch_destroy(struct watch *watch)
{
    if (watch == NULL)
        return;
    for (size_t i = 0; i < watch->count; i++)
        free(watch->folders[i].path);
    free(watch->folders);
    if (watch->names >= 0)
        close(watch->names);
    if (watch->writes >= 0)
        close(watch->writes);
    free(watch);
}

void watch_begin(struct watch *watch)
{
    watch->whole = true;
    for (size_t i = 0; i < watch->count; i++)
        watch->folders[i].wanted = false;
}

static struct folder *find(const struct watch *watch, const char *path, size_t size)
{
    for (size_t i = 0; i < watch->count; i++) {
        if (strncmp(watch->folders[i].path, path, size) == 0 && watch->folders[i].path[size] == '\0')
            return &watch->folders[i];
    }
    return NULL;
}

static struct folder *add(struct watch *watch, const char *path)
{
    struct folder *larger;

    if (watch->count == FOLDERS_MAX)
        return NULL;
    if (watch->count == watch->capacity) {
        larger = realloc(watch->folders, (watch->capacity + 64) * sizeof(*larger));
        if (larger == NULL)
            return NULL;
        watch->folders = larger;
        watch->capacity += 64;
    }
    larger = &watch->folders[watch->count];
    *larger = (struct folder){ .path = strdup(path), .names = -1, .writes = -1 };
    watch->count += larger->path != NULL;
    return larger->path != NULL ? larger : NULL;
}

void watch_folder(struct watch *watch, const char *path)
{
    struct folder *folder = find(watch, path, strlen(path));

    if (folder == NULL)
        folder = add(watch, path);
    if (folder == NULL) {
        watch->whole = false;
        return;
    }
    folder->wanted = true;
    /* adding again what is watched gives the same descriptor; what was made anew under the same name, another */
    folder->names =
        inotify_add_watch(watch->names, path, IN_CREATE | IN_MOVED_FROM | IN_MOVED_TO | IN_DELETE | IN_DELETE_SELF | IN_ONLYDIR);
    folder->writes = inotify_add_watch(watch->writes, path, IN_MODIFY | IN_ONLYDIR);
    if (folder->names < 0 || folder->writes < 0)
        watch->whole = false;
}

void watch_end(struct watch *watch)
{
    for (size_t i = 0; i < watch->count;) {
        struct folder *folder = &watch->folders[i];
        if (folder->wanted) {
            i++;
            continue;
        }
        inotify_rm_watch(watch->names, folder->names);
        inotify_rm_watch(watch->writes, folder->writes);
        free(folder->path);
        *folder = watch->folders[--watch->count];
    }
}

bool watch_is_whole(const struct watch *watch)
{
    return watch->whole;
}

bool watch_has(const struct watch *watch, const char *path, size_t size)
{
    const struct folder *folder = find(watch, path, size);

    return folder != NULL && folder->writes >= 0;
}

int watch_names_fd(const struct watch *watch)
{
    return watch->names;
}

bool watch_names(struct watch *watch)
{
    bool any = false;

    while (read(watch->names, watch->events, sizeof(watch->events)) > 0)
        any = true;
    return any;
}

static const char *path_of(const struct watch *watch, int descriptor)
{
    for (size_t i = 0; i < watch->count; i++) {
        if (watch->folders[i].writes == descriptor)
            return watch->folders[i].path;
    }
    return NULL;
}

bool watch_written(struct watch *watch, void (*written)(void *context, const char *folder, const char *name), void *context)
{
    bool whole = true;
    ssize_t got;

    while ((got = read(watch->writes, watch->events, sizeof(watch->events))) > 0) {
        for (ssize_t at = 0; at < got;) {
            const struct inotify_event *event = (const struct inotify_event *)(const void *)(watch->events + at);
            const char *folder = path_of(watch, event->wd);
            whole = whole && (event->mask & IN_Q_OVERFLOW) == 0;
            if (folder != NULL && event->len > 0)
                written(context, folder, event->name);
            at += (ssize_t)(sizeof(*event) + event->len);
        }
    }
    return whole;
}
