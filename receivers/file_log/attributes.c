/* What records say of their file. Made when a file is found, and anew when its name changes. */
#include <grp.h>
#include <limits.h>
#include <pwd.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>

#include "receivers/file_log/file_log.h"

enum { FACTS_SIZE = 512 }; /* there may be thousands of files */

static const char *name_of(const char *path)
{
    const char *slash = strrchr(path, '/');

    return slash != NULL ? slash + 1 : path;
}

static bool put(struct followed *file, const char *key, const char *value)
{
    struct slice kept = stanza_keep(&file->memory, slice_of_string(value));

    return kept.data != NULL && stanza_map_set(&file->memory, &file->attributes, slice_of_string(key), stanza_string(kept));
}

static bool put_owner(const struct file_attributes *with, struct followed *file)
{
    char text[32], names[4096];
    struct passwd user, *found_user = NULL;
    struct group group, *found_group = NULL;
    struct stat status;
    bool done = true;

    if (fstat(file->fd, &status) != 0)
        return true;
    if (with->owner_name) {
        snprintf(text, sizeof(text), "%u", status.st_uid);
        getpwuid_r(status.st_uid, &user, names, sizeof(names), &found_user);
        done = put(file, "log.file.owner.name", found_user != NULL ? found_user->pw_name : text);
    }
    if (with->owner_group_name) {
        snprintf(text, sizeof(text), "%u", status.st_gid);
        getgrgid_r(status.st_gid, &group, names, sizeof(names), &found_group);
        done = done && put(file, "log.file.owner.group.name", found_group != NULL ? found_group->gr_name : text);
    }
    if (with->permissions) {
        snprintf(text, sizeof(text), "%04o", status.st_mode & 07777U);
        done = done && put(file, "log.file.permissions", text);
    }
    return done;
}

static bool put_resolved(const struct file_attributes *with, struct followed *file)
{
    char resolved[PATH_MAX];

    if ((!with->name_resolved && !with->path_resolved) || realpath(file->path, resolved) == NULL)
        return true;
    return (!with->name_resolved || put(file, "log.file.name_resolved", name_of(resolved))) &&
           (!with->path_resolved || put(file, "log.file.path_resolved", resolved));
}

static bool put_pairs(struct followed *file, const struct option_pairs *pairs)
{
    for (size_t i = 0; i < pairs->count; i++) {
        if (!put(file, pairs->items[i].key, pairs->items[i].value))
            return false;
    }
    return true;
}

bool followed_describe(const struct file_reader *reader, struct followed *file)
{
    const struct file_attributes *with = &reader->settings->with;
    bool done;

    stanza_memory_fini(&file->memory);
    file->memory.block_size = FACTS_SIZE;
    file->attributes = (struct stanza_map){ 0 };
    file->header_done = false; /* its facts are put in anew */
    done = (!with->name || put(file, "log.file.name", name_of(file->path))) && (!with->path || put(file, "log.file.path", file->path)) &&
           put_resolved(with, file) && put_owner(with, file) && put_pairs(file, &reader->settings->attributes);
    buffer_clear(&file->wire);
    stanza_put_attributes(&file->wire, 6, &file->attributes);
    if (stanza_pipeline_is_empty(reader->pipeline) && reader->header == NULL) { /* nobody else asks for them */
        stanza_memory_fini(&file->memory);
        file->attributes = (struct stanza_map){ 0 };
    }
    return done && !file->wire.failed;
}
