/*
 * The real file system: one folder, held by one process at a time (flock on the file "lock", which says which process that is).
 * Threads: the handles are file descriptors; different ones may be used at once.
 */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include "collector/storage/filesystem.h"

struct folder {
    struct filesystem filesystem;
    int fd;
    int lock_fd;
    bool looking; /* nothing is changed */
};

static int result_of(int64_t result)
{
    return result < 0 ? -errno : (int)result;
}

static int folder_open_file(void *context, const char *name, bool create)
{
    const struct folder *folder = context;

    if (folder->looking)
        return result_of(openat(folder->fd, name, O_RDONLY | O_CLOEXEC));
    return result_of(openat(folder->fd, name, O_RDWR | O_CLOEXEC | (create ? O_CREAT : 0), 0640));
}

static void folder_close_file(void *context, int handle)
{
    (void)context;
    close(handle);
}

static int folder_write(void *context, int handle, uint64_t offset, struct iovec *parts, int count)
{
    (void)context;
    while (count > 0) {
        ssize_t written = pwritev(handle, parts, count < IOV_MAX ? count : IOV_MAX, (off_t)offset);

        if (written < 0 && errno == EINTR)
            continue;
        if (written <= 0)
            return written < 0 ? -errno : -EIO;
        offset += (uint64_t)written;
        while (count > 0 && (size_t)written >= parts->iov_len) {
            written -= (ssize_t)parts->iov_len;
            parts++;
            count--;
        }
        if (count > 0) {
            parts->iov_base = (char *)parts->iov_base + written;
            parts->iov_len -= (size_t)written;
        }
    }
    return 0;
}

static int64_t folder_read(void *context, int handle, uint64_t offset, void *out, size_t size)
{
    size_t done = 0;

    (void)context;
    while (done < size) {
        ssize_t got = pread(handle, (char *)out + done, size - done, (off_t)(offset + done));

        if (got < 0 && errno == EINTR)
            continue;
        if (got < 0)
            return -errno;
        if (got == 0)
            break;
        done += (size_t)got;
    }
    return (int64_t)done;
}

static int64_t folder_size(void *context, int handle)
{
    struct stat status;

    (void)context;
    return fstat(handle, &status) == 0 ? (int64_t)status.st_size : -errno;
}

static int folder_truncate(void *context, int handle, uint64_t size)
{
    (void)context;
    return result_of(ftruncate(handle, (off_t)size));
}

static int folder_sync(void *context, int handle)
{
    (void)context;
    return result_of(fdatasync(handle));
}

static int folder_sync_names(void *context)
{
    return result_of(fsync(((const struct folder *)context)->fd));
}

static int folder_remove(void *context, const char *name)
{
    const struct folder *folder = context;

    return folder->looking ? -EROFS : result_of(unlinkat(folder->fd, name, 0));
}

/* Nobody else changes names here, but for people: looking first is enough. */
static int folder_rename(void *context, const char *name, const char *new_name)
{
    const struct folder *folder = context;

    if (folder->looking)
        return -EROFS;
    if (faccessat(folder->fd, new_name, F_OK, AT_SYMLINK_NOFOLLOW) == 0)
        return -EEXIST;
    return result_of(renameat(folder->fd, name, folder->fd, new_name));
}

static int folder_list(void *context, void (*each)(void *argument, const char *name), void *argument)
{
    int fd = openat(((const struct folder *)context)->fd, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    DIR *directory = fd >= 0 ? fdopendir(fd) : NULL;
    struct dirent *entry;

    if (directory == NULL) {
        int err = errno;

        if (fd >= 0)
            close(fd);
        return -err;
    }
    while ((entry = readdir(directory)) != NULL)
        each(argument, entry->d_name);
    closedir(directory);
    return 0;
}

static const struct filesystem operations = {
    .open = folder_open_file,
    .close = folder_close_file,
    .write = folder_write,
    .read = folder_read,
    .size = folder_size,
    .truncate = folder_truncate,
    .sync = folder_sync,
    .sync_names = folder_sync_names,
    .remove = folder_remove,
    .rename = folder_rename,
    .list = folder_list,
};

static void write_holder(int fd)
{
    char text[24];
    int size = snprintf(text, sizeof(text), "%jd\n", (intmax_t)getpid());

    if (ftruncate(fd, 0) == 0 && pwrite(fd, text, (size_t)size, 0) < 0)
        return; /* only for people: a full disk is no reason not to run */
}

static bool lock(struct folder *folder, const char *path, struct error *err)
{
    char holder[24];
    ssize_t got;

    folder->lock_fd = openat(folder->fd, "lock", O_RDWR | O_CREAT | O_CLOEXEC, 0640);
    if (folder->lock_fd < 0)
        return fail(err, "could not make the lock file in \"%s\": %s", path, strerror(errno));
    if (flock(folder->lock_fd, LOCK_EX | LOCK_NB) == 0) {
        write_holder(folder->lock_fd);
        return true;
    }
    got = pread(folder->lock_fd, holder, sizeof(holder) - 1, 0);
    holder[got > 0 ? got : 0] = '\0';
    return fail(err, "another process%s%.*s uses \"%s\"; give each weir a folder of its own, or end the other one", *holder != '\0' ? " with the number " : "",
        (int)strspn(holder, "0123456789"), holder, path);
}

static struct folder *open_folder(const char *path, struct error *err)
{
    struct folder *folder = calloc(1, sizeof(*folder));

    if (folder == NULL)
        abort();
    folder->filesystem = operations;
    folder->filesystem.context = folder;
    folder->lock_fd = -1;
    folder->fd = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (folder->fd >= 0)
        return folder;
    fail(err, "could not open the folder \"%s\": %s", path, strerror(errno));
    folder_close(folder);
    return NULL;
}

struct folder *folder_open(const char *path, struct error *err)
{
    struct folder *folder = open_folder(path, err);

    if (folder == NULL || lock(folder, path, err))
        return folder;
    folder_close(folder);
    return NULL;
}

struct folder *folder_open_looking(const char *path, struct error *err)
{
    struct folder *folder = open_folder(path, err);

    if (folder != NULL)
        folder->looking = true;
    return folder;
}

void folder_close(struct folder *folder)
{
    if (folder == NULL)
        return;
    if (folder->lock_fd >= 0)
        close(folder->lock_fd);
    if (folder->fd >= 0)
        close(folder->fd);
    free(folder);
}

const struct filesystem *folder_filesystem(struct folder *folder)
{
    return &folder->filesystem;
}
