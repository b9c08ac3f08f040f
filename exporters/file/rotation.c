/* Rotation. Cleaning reads the folder once per rotation; time stamps are compared as text, which sorts as the times do. */
#include "exporters/file/rotation.h"

#include <dirent.h>
#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "collector/base/clock.h"

enum { STAMP_SIZE = 24, COLLISIONS_MAX = 1000 }; /* "2026-11-21T06-07-08.123" and its NUL */

/* A path in its parts: "dir/" "name" ".ext". */
struct split_path {
    int directory, stem; /* lengths */
    const char *name, *extension;
};

static struct split_path split(const char *path)
{
    const char *slash = strrchr(path, '/'), *name = slash != NULL ? slash + 1 : path, *dot = strrchr(name, '.');
    const char *extension = dot != NULL ? dot : name + strlen(name);

    return (struct split_path){ (int)(name - path), (int)(extension - name), name, extension };
}

static void format_stamp(uint64_t nanos, bool local, char out[STAMP_SIZE])
{
    time_t seconds = (time_t)(nanos / NANOS_PER_SECOND);
    struct tm time;

    if (local)
        localtime_r(&seconds, &time);
    else
        gmtime_r(&seconds, &time);
    snprintf(out, STAMP_SIZE, "%04d-%02d-%02dT%02d-%02d-%02d.%03d", time.tm_year + 1900, time.tm_mon + 1, time.tm_mday, time.tm_hour,
        time.tm_min, time.tm_sec, (int)(nanos % NANOS_PER_SECOND / NANOS_PER_MILLI));
}

static bool is_stamp(const char *text, size_t size)
{
    static const char form[] = "dddd-dd-ddTdd-dd-dd.ddd";

    if (size != sizeof(form) - 1)
        return false;
    for (size_t i = 0; i < size; i++)
        if (form[i] == 'd' ? text[i] < '0' || text[i] > '9' : text[i] != form[i])
            return false;
    return true;
}

bool rotation_rename(const char *path, const struct rotation_settings *settings, uint64_t now_nanos, struct error *err)
{
    struct split_path parts = split(path);
    char stamp[STAMP_SIZE], backup[PATH_MAX];

    for (int i = 0; i < COLLISIONS_MAX; i++, now_nanos += NANOS_PER_MILLI) {
        format_stamp(now_nanos, settings->localtime, stamp);
        if (snprintf(backup, sizeof(backup), "%.*s%.*s-%s%s", parts.directory, path, parts.stem, parts.name, stamp, parts.extension) >=
            (int)sizeof(backup))
            return fail(err, "could not rotate \"%s\": the name is too long", path);
        if (access(backup, F_OK) == 0)
            continue;
        return rename(path, backup) == 0 || fail(err, "could not rename \"%s\" to \"%s\": %s", path, backup, strerror(errno));
    }
    return fail(err, "could not rotate \"%s\": there is no free name", path);
}

struct stamps {
    char (*items)[STAMP_SIZE];
    size_t count, capacity;
};

static bool add_stamp(struct stamps *stamps, const char *stamp)
{
    if (stamps->count == stamps->capacity) {
        size_t capacity = stamps->capacity == 0 ? 64 : stamps->capacity * 2;
        void *items = realloc(stamps->items, capacity * sizeof(stamps->items[0]));

        if (items == NULL)
            return false;
        stamps->items = items;
        stamps->capacity = capacity;
    }
    memcpy(stamps->items[stamps->count], stamp, STAMP_SIZE - 1);
    stamps->items[stamps->count++][STAMP_SIZE - 1] = '\0';
    return true;
}

static void list_stamps(const char *path, const struct split_path *parts, struct stamps *stamps)
{
    char directory[PATH_MAX];
    DIR *folder;
    struct dirent *entry;

    snprintf(directory, sizeof(directory), "%.*s", parts->directory > 0 ? parts->directory : 1, parts->directory > 0 ? path : ".");
    folder = opendir(directory);
    while (folder != NULL && (entry = readdir(folder)) != NULL) {
        size_t length = strlen(entry->d_name), around = (size_t)parts->stem + 1 + strlen(parts->extension);
        const char *stamp = entry->d_name + parts->stem + 1;

        if (length <= around || strncmp(entry->d_name, parts->name, (size_t)parts->stem) != 0 || entry->d_name[parts->stem] != '-')
            continue;
        if (is_stamp(stamp, length - around) && strcmp(stamp + (length - around), parts->extension) == 0 && !add_stamp(stamps, stamp))
            break;
    }
    if (folder != NULL)
        closedir(folder);
}

static int newest_first(const void *a, const void *b)
{
    return strcmp(b, a);
}

void rotation_clean(const char *path, const struct rotation_settings *settings, uint64_t now_nanos)
{
    struct split_path parts = split(path);
    struct stamps stamps = { 0 };
    char oldest[STAMP_SIZE] = "", backup[PATH_MAX];

    if (settings->max_days > 0 && (uint64_t)settings->max_days < now_nanos / NANOS_PER_SECOND / 86400)
        format_stamp(now_nanos - (uint64_t)settings->max_days * 86400 * (uint64_t)NANOS_PER_SECOND, settings->localtime, oldest);
    list_stamps(path, &parts, &stamps);
    if (stamps.count > 1)
        qsort(stamps.items, stamps.count, sizeof(stamps.items[0]), newest_first);
    for (size_t i = 0; i < stamps.count; i++) {
        if ((settings->max_backups <= 0 || i < (size_t)settings->max_backups) && strcmp(stamps.items[i], oldest) >= 0)
            continue;
        snprintf(backup, sizeof(backup), "%.*s%.*s-%s%s", parts.directory, path, parts.stem, parts.name, stamps.items[i], parts.extension);
        unlink(backup);
    }
    free(stamps.items);
}
