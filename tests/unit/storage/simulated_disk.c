#include "tests/unit/storage/simulated_disk.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

uint64_t disk_random(struct disk *disk, uint64_t below)
{
    disk->random ^= disk->random << 13;
    disk->random ^= disk->random >> 7;
    disk->random ^= disk->random << 17;
    return disk->random % below;
}

static bool fails(struct disk *disk)
{
    return disk->failure_percent > 0 && disk_random(disk, 100) < disk->failure_percent;
}

static void reserve(struct disk_file *file, size_t size)
{
    size_t capacity = file->capacity == 0 ? 4096 : file->capacity;

    if (size <= file->capacity)
        return;
    while (capacity < size)
        capacity *= 2;
    file->now = realloc(file->now, capacity);
    file->durable = realloc(file->durable, capacity);
    file->dirty = realloc(file->dirty, capacity / DISK_BLOCK + 1);
    memset(file->now + file->capacity, 0, capacity - file->capacity);
    memset(file->durable + file->capacity, 0, capacity - file->capacity);
    memset(file->dirty + file->capacity / DISK_BLOCK, 0, capacity / DISK_BLOCK + 1 - file->capacity / DISK_BLOCK);
    file->capacity = capacity;
}

static void forget(struct disk_file *file)
{
    free(file->now);
    free(file->durable);
    free(file->dirty);
    memset(file, 0, sizeof(*file));
}

static struct disk_file *find(struct disk *disk, const char *name)
{
    for (size_t i = 0; i < DISK_FILES; i++) {
        if (disk->files[i].used && disk->files[i].named && strcmp(disk->files[i].name, name) == 0)
            return &disk->files[i];
    }
    return NULL;
}

static int disk_open(void *context, const char *name, bool create)
{
    struct disk *disk = context;
    struct disk_file *file = find(disk, name);

    if (file != NULL)
        return (int)(file - disk->files);
    if (!create)
        return -ENOENT;
    for (size_t i = 0; i < DISK_FILES; i++) {
        if (disk->files[i].used)
            continue;
        disk->files[i] = (struct disk_file){ .used = true, .named = true };
        snprintf(disk->files[i].name, sizeof(disk->files[i].name), "%s", name);
        reserve(&disk->files[i], 1);
        return (int)i;
    }
    return -EMFILE;
}

static void disk_close(void *context, int handle)
{
    (void)context;
    (void)handle;
}

static void put(struct disk_file *file, uint64_t offset, const void *bytes, size_t size)
{
    reserve(file, offset + size);
    memcpy(file->now + offset, bytes, size);
    for (size_t block = offset / DISK_BLOCK; size > 0 && block <= (offset + size - 1) / DISK_BLOCK; block++)
        file->dirty[block] = 1;
    if (offset + size > file->size)
        file->size = offset + size;
}

static int disk_write(void *context, int handle, uint64_t offset, struct iovec *parts, int count)
{
    struct disk *disk = context;
    struct disk_file *file = &disk->files[handle];

    for (int i = 0; i < count; i++) {
        size_t size = parts[i].iov_len;
        bool short_write = fails(disk);

        if (short_write)
            size = disk_random(disk, size + 1);
        if (size > disk->room)
            size = disk->room;
        put(file, offset, parts[i].iov_base, size);
        offset += size;
        if (disk->room != SIZE_MAX)
            disk->room -= size;
        if (size < parts[i].iov_len)
            return short_write ? -EIO : -ENOSPC;
    }
    return 0;
}

static int64_t disk_read(void *context, int handle, uint64_t offset, void *out, size_t size)
{
    const struct disk_file *file = &((struct disk *)context)->files[handle];

    if (offset >= file->size)
        return 0;
    if (size > file->size - offset)
        size = file->size - offset;
    memcpy(out, file->now + offset, size);
    return (int64_t)size;
}

static int64_t disk_size(void *context, int handle)
{
    return (int64_t)((struct disk *)context)->files[handle].size;
}

static int disk_truncate(void *context, int handle, uint64_t size)
{
    struct disk *disk = context;
    struct disk_file *file = &disk->files[handle];

    if (fails(disk))
        return -EIO;
    reserve(file, size);
    if (size < file->size)
        memset(file->now + size, 0, file->size - size);
    file->size = size;
    if (file->durable_size > size)
        file->durable_size = size;
    return 0;
}

static int disk_sync(void *context, int handle)
{
    struct disk *disk = context;
    struct disk_file *file = &disk->files[handle];

    if (fails(disk))
        return -EIO;
    memcpy(file->durable, file->now, file->size);
    file->durable_size = file->size;
    memset(file->dirty, 0, file->capacity / DISK_BLOCK + 1);
    return 0;
}

static int disk_sync_names(void *context)
{
    struct disk *disk = context;

    for (size_t i = 0; i < DISK_FILES; i++) {
        struct disk_file *file = &disk->files[i];

        if (file->used && !file->named)
            forget(file);
        else if (file->used)
            file->durable_name = true;
    }
    return 0;
}

static int disk_remove(void *context, const char *name)
{
    struct disk *disk = context;
    struct disk_file *file = find(disk, name);

    if (file == NULL)
        return -ENOENT;
    if (disk->room != SIZE_MAX)
        disk->room += file->size;
    file->named = false;
    if (!file->durable_name)
        forget(file);
    return 0;
}

/* As durable as the file's name was. */
static int disk_rename(void *context, const char *name, const char *new_name)
{
    struct disk_file *file = find(context, name);

    if (find(context, new_name) != NULL)
        return -EEXIST;
    if (file == NULL)
        return -ENOENT;
    snprintf(file->name, sizeof(file->name), "%s", new_name);
    return 0;
}

static int disk_list(void *context, void (*each)(void *argument, const char *name), void *argument)
{
    struct disk *disk = context;

    for (size_t i = 0; i < DISK_FILES; i++) {
        if (disk->files[i].used && disk->files[i].named)
            each(argument, disk->files[i].name);
    }
    return 0;
}

/* Each unsynced block reached the disk or not. */
static void crash_content(struct disk *disk, struct disk_file *file)
{
    size_t size = file->durable_size;

    for (size_t block = 0; block * DISK_BLOCK < file->size; block++) {
        size_t at = block * DISK_BLOCK, length = file->size - at < DISK_BLOCK ? file->size - at : DISK_BLOCK;

        if (!file->dirty[block] || disk_random(disk, 2) == 0)
            continue;
        memcpy(file->durable + at, file->now + at, length);
        if (at + length > size)
            size = at + length;
    }
    for (size_t i = file->durable_size; i < size; i++) {
        if (!file->dirty[i / DISK_BLOCK])
            file->durable[i] = 0;
    }
    memset(file->now, 0, file->capacity);
    memcpy(file->now, file->durable, size);
    memset(file->durable + size, 0, file->capacity - size);
    file->size = file->durable_size = size;
    memset(file->dirty, 0, file->capacity / DISK_BLOCK + 1);
}

void disk_crash(struct disk *disk)
{
    for (size_t i = 0; i < DISK_FILES; i++) {
        struct disk_file *file = &disk->files[i];

        if (!file->used)
            continue;
        if (file->named != file->durable_name && disk_random(disk, 2) == 0)
            file->named = file->durable_name;
        /* two files of one name cannot be: the one that came later hides the one whose removal was undone */
        for (size_t k = 0; file->named && k < DISK_FILES; k++) {
            if (k != i && disk->files[k].used && disk->files[k].named && strcmp(disk->files[k].name, file->name) == 0)
                file->named = false;
        }
        if (!file->named) {
            forget(file);
            continue;
        }
        file->durable_name = true;
        crash_content(disk, file);
    }
}

bool disk_flip(struct disk *disk, const char *suffix)
{
    size_t start = disk_random(disk, DISK_FILES);

    for (size_t i = 0; i < DISK_FILES; i++) {
        struct disk_file *file = &disk->files[(start + i) % DISK_FILES];
        size_t at;

        if (!file->used || !file->named || file->size == 0 || strstr(file->name, suffix) == NULL)
            continue;
        at = disk_random(disk, file->size);
        file->now[at] ^= (uint8_t)(1 << disk_random(disk, 8));
        file->durable[at] = file->now[at];
        return true;
    }
    return false;
}

void disk_init(struct disk *disk, uint64_t seed)
{
    memset(disk, 0, sizeof(*disk));
    disk->random = seed * 0x9e3779b97f4a7c15U + 1;
    disk->room = SIZE_MAX;
    disk->filesystem = (struct filesystem){
        .context = disk,
        .open = disk_open,
        .close = disk_close,
        .write = disk_write,
        .read = disk_read,
        .size = disk_size,
        .truncate = disk_truncate,
        .sync = disk_sync,
        .sync_names = disk_sync_names,
        .remove = disk_remove,
        .rename = disk_rename,
        .list = disk_list,
    };
}

void disk_fini(struct disk *disk)
{
    for (size_t i = 0; i < DISK_FILES; i++) {
        if (disk->files[i].used)
            forget(&disk->files[i]);
    }
}
