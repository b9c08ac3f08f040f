/* The open files of group_by. A file that was closed for another one is appended to when it is opened again, whatever `append` says. */
#include <pthread.h>
#include <stdlib.h>

#include "collector/base/hash.h"
#include "exporters/file/grouping.h"

enum { SEEN_MAX = 1 << 16 };

struct entry {
    struct file_output *output; /* owned */
    uint64_t hash;
    unsigned users;
    struct entry *next;
};

struct files {
    struct output_settings first_time, again; /* how a path is opened that was never, or already, written by us */
    size_t max_open;
    pthread_mutex_t lock;  /* for all below */
    struct entry *entries; /* the last used first */
    size_t count;
    uint64_t *seen; /* hashes of closed paths, a table of SEEN_MAX; NULL: none yet */
    size_t seen_count;
};

struct files *files_create(size_t max_open, const struct output_settings *settings)
{
    struct files *files = calloc(1, sizeof(*files));

    if (files == NULL)
        abort();
    files->first_time = files->again = *settings;
    files->again.ours = true;
    files->max_open = max_open > 0 ? max_open : 1;
    pthread_mutex_init(&files->lock, NULL);
    return files;
}

void files_destroy(struct files *files)
{
    if (files == NULL)
        return;
    while (files->entries != NULL) {
        struct entry *entry = files->entries;

        files->entries = entry->next;
        file_output_destroy(entry->output);
        free(entry);
    }
    pthread_mutex_destroy(&files->lock);
    free(files->seen);
    free(files);
}

/* When the table is full, or two paths share a hash, a new path counts as seen: appending loses nothing. */
static bool was_seen_locked(const struct files *files, uint64_t hash)
{
    if (files->seen == NULL)
        return false;
    for (size_t i = hash % SEEN_MAX; files->seen[i] != 0; i = (i + 1) % SEEN_MAX)
        if (files->seen[i] == hash)
            return true;
    return files->seen_count >= SEEN_MAX - 1;
}

static void see_locked(struct files *files, uint64_t hash)
{
    size_t i = hash % SEEN_MAX;

    if (files->seen == NULL)
        files->seen = calloc(SEEN_MAX, sizeof(*files->seen));
    if (files->seen == NULL || files->seen_count >= SEEN_MAX - 1 || was_seen_locked(files, hash))
        return;
    while (files->seen[i] != 0)
        i = (i + 1) % SEEN_MAX;
    files->seen[i] = hash;
    files->seen_count++;
}

/* Takes the longest unused file that nobody uses off the list; NULL when there is none to spare. */
static struct entry *evict_locked(struct files *files)
{
    struct entry **oldest = NULL, *entry;

    if (files->count < files->max_open)
        return NULL;
    for (struct entry **link = &files->entries; *link != NULL; link = &(*link)->next)
        if ((*link)->users == 0)
            oldest = link;
    if (oldest == NULL)
        return NULL;
    entry = *oldest;
    *oldest = entry->next;
    files->count--;
    see_locked(files, entry->hash);
    return entry;
}

static struct entry *find_locked(struct files *files, const char *path, uint64_t hash)
{
    for (struct entry **link = &files->entries; *link != NULL; link = &(*link)->next) {
        struct entry *entry = *link;

        if (entry->hash != hash || strcmp(file_output_path(entry->output), path) != 0)
            continue;
        *link = entry->next;
        return entry;
    }
    return NULL;
}

static struct entry *make_locked(struct files *files, const char *path, uint64_t hash)
{
    struct entry *entry = calloc(1, sizeof(*entry));

    if (entry == NULL)
        abort();
    entry->hash = hash;
    entry->output = file_output_create(path, was_seen_locked(files, hash) ? &files->again : &files->first_time);
    files->count++;
    return entry;
}

struct file_output *files_take(struct files *files, const char *path)
{
    uint64_t hash = hash_bytes(slice_of_string(path)) | 1;
    struct entry *entry, *evicted = NULL;

    pthread_mutex_lock(&files->lock);
    entry = find_locked(files, path, hash);
    if (entry == NULL) {
        evicted = evict_locked(files);
        entry = make_locked(files, path, hash);
    }
    entry->next = files->entries;
    files->entries = entry;
    entry->users++;
    pthread_mutex_unlock(&files->lock);
    if (evicted != NULL)
        file_output_destroy(evicted->output);
    free(evicted);
    return entry->output;
}

void files_release(struct files *files, struct file_output *output)
{
    pthread_mutex_lock(&files->lock);
    for (struct entry *entry = files->entries; entry != NULL; entry = entry->next) {
        if (entry->output == output) {
            entry->users--;
            break;
        }
    }
    pthread_mutex_unlock(&files->lock);
}
