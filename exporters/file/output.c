/*
 * Output files. Each message is one writev (more for many parts), after an fstat that says how long the file is now: whatever
 * another program did to it (truncated, removed) is noticed before the next message.
 *
 * With sync a writer waits in a list after its message is written. Whoever finds no sync under way takes the list and syncs
 * for all of it. After a failed sync nobody knows what the kernel still holds: the file is cut back to what was synced before, and all
 * who wait are told so, also those who wrote during the sync.
 */
#include "exporters/file/output.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <poll.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <sys/uio.h>
#include <unistd.h>

#include "collector/base/clock.h"
#include "collector/base/log.h"

enum { FILE_MODE = 0600, PARTS_AT_ONCE = 256, PIPE_PATIENCE_MS = 5000, PIPE_STEP_MS = 100, MEGABYTE = 1024 * 1024 };

/* A message that is written and not synced; on its writer's stack. */
struct waiter {
    bool done;
    int error; /* 0 or an errno, when done */
    struct waiter *next;
};

struct file_output {
    const struct output_settings *settings; /* borrowed */
    pthread_mutex_t lock;                   /* for all below */
    pthread_cond_t synced;                  /* a sync has ended */
    int fd;                                 /* -1: not open; stays what it is while `syncing` */
    struct waiter *waiting;                 /* for the next sync */
    bool syncing;
    off_t durable;      /* length that was synced */
    bool opened_before; /* what it holds now is ours: append */
    bool regular;       /* can be cut; else a pipe, a terminal */
    bool torn;          /* the last message is there in part and could not be cut off */
    off_t whole;        /* length without that part */
    char path[];
};

struct file_output *file_output_create(const char *path, const struct output_settings *settings)
{
    struct file_output *output = calloc(1, sizeof(*output) + strlen(path) + 1);

    if (output == NULL)
        abort();
    output->settings = settings;
    output->fd = -1;
    output->opened_before = settings->ours;
    pthread_mutex_init(&output->lock, NULL);
    pthread_cond_init(&output->synced, NULL);
    strcpy(output->path, path);
    return output;
}

void file_output_destroy(struct file_output *output)
{
    if (output == NULL)
        return;
    if (output->fd >= 0)
        close(output->fd);
    pthread_cond_destroy(&output->synced);
    pthread_mutex_destroy(&output->lock);
    free(output);
}

const char *file_output_path(const struct file_output *output)
{
    return output->path;
}

/* ---- opening ---- */

/* Makes names in the folder that holds `path` durable. File systems that know no such thing are fine as they are. */
static bool sync_folder_of(const char *path, struct error *err)
{
    const char *slash = strrchr(path, '/');
    char folder[PATH_MAX];
    bool synced;
    int fd;

    snprintf(folder, sizeof(folder), "%.*s", slash == NULL ? 1 : slash == path ? 1 : (int)(slash - path), slash == NULL ? "." : path);
    fd = open(folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    synced = fd >= 0 && (fsync(fd) == 0 || errno == EINVAL || errno == ENOTSUP);
    if (!synced)
        fail(err, "could not sync the folder \"%s\": %s", folder, strerror(errno));
    if (fd >= 0)
        close(fd);
    return synced;
}

/* Every folder of the path that is missing. */
static bool make_directories(const char *path, const struct output_settings *settings, struct error *err)
{
    char partial[PATH_MAX];
    size_t length = strlen(path);

    if (length >= sizeof(partial))
        return fail(err, "could not create the folder of \"%.80s...\": the path is too long", path);
    memcpy(partial, path, length + 1);
    for (char *slash = strchr(partial + 1, '/'); slash != NULL; slash = strchr(slash + 1, '/')) {
        *slash = '\0';
        if (mkdir(partial, settings->directory_mode) == 0) {
            if (settings->sync && !sync_folder_of(partial, err))
                return false;
        } else if (errno != EEXIST) {
            return fail(err, "could not create the folder \"%s\": %s", partial, strerror(errno));
        }
        *slash = '/';
    }
    return true;
}

static bool read_at(int fd, off_t offset, uint8_t *into, size_t size)
{
    return pread(fd, into, size, offset) == (ssize_t)size;
}

/* Where the last whole frame ends. */
static off_t end_of_frames(int fd, off_t size)
{
    off_t at = 0;
    uint8_t head[4];

    while (at + 4 <= size && read_at(fd, at, head, sizeof(head))) {
        off_t next = at + 4 + (off_t)((uint32_t)head[0] << 24 | (uint32_t)head[1] << 16 | (uint32_t)head[2] << 8 | (uint32_t)head[3]);

        if (next > size)
            break;
        at = next;
    }
    return at;
}

/* A message that a crash left in part: a frame is cut off, a line is ended, so that what follows can be read. */
static void mend_tail_locked(struct file_output *output, off_t size)
{
    off_t whole = size;
    uint8_t last = '\n';

    if (output->settings->framed)
        whole = end_of_frames(output->fd, size);
    else if (size > 0 && read_at(output->fd, size - 1, &last, 1) && last != '\n' && pwrite(output->fd, "\n", 1, size) != 1)
        log_warn(
            output->settings->owner, "the last line of \"%s\" is not whole, and could not be ended: %s", output->path, strerror(errno));
    if (whole < size && ftruncate(output->fd, whole) == 0)
        log_warn(output->settings->owner, "the last %lld bytes of \"%s\" were a message that is not whole; they are cut off",
            (long long)(size - whole), output->path);
}

static void close_locked(struct file_output *output)
{
    if (output->fd >= 0)
        close(output->fd);
    output->fd = -1;
}

static bool open_locked(struct file_output *output, struct error *err)
{
    bool append = output->settings->append || output->opened_before;
    struct stat status;

    if (output->settings->make_directory && !make_directories(output->path, output->settings, err))
        return false;
    /* not blocking, for pipes; read too, so that a pipe that nobody reads can be opened and a torn tail be found */
    output->fd = open(output->path, O_RDWR | O_CREAT | O_APPEND | O_CLOEXEC | O_NONBLOCK | O_NOCTTY | (append ? 0 : O_TRUNC), FILE_MODE);
    if (output->fd < 0)
        output->fd =
            open(output->path, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC | O_NONBLOCK | O_NOCTTY | (append ? 0 : O_TRUNC), FILE_MODE);
    if (output->fd < 0)
        return fail(err, "could not open \"%s\": %s", output->path, strerror(errno));
    output->regular = fstat(output->fd, &status) == 0 && S_ISREG(status.st_mode);
    output->torn = false;
    if (output->regular && status.st_size > 0 && !output->opened_before)
        mend_tail_locked(output, status.st_size);
    if (output->regular && output->settings->sync && !sync_folder_of(output->path, err)) {
        close_locked(output);
        return false;
    }
    output->durable = fstat(output->fd, &status) == 0 ? status.st_size : 0;
    output->opened_before = true;
    return true;
}

bool file_output_open(struct file_output *output, struct error *err)
{
    bool opened;

    pthread_mutex_lock(&output->lock);
    opened = output->fd >= 0 || open_locked(output, err);
    pthread_mutex_unlock(&output->lock);
    return opened;
}

/* ---- writing ---- */

/* Room in a pipe or terminal. 0 or an errno. */
static int wait_for_room(const struct file_output *output)
{
    struct pollfd watched = { .fd = output->fd, .events = POLLOUT };

    for (int waited = 0; waited < PIPE_PATIENCE_MS; waited += PIPE_STEP_MS) {
        if (poll(&watched, 1, PIPE_STEP_MS) > 0)
            return 0;
        if (atomic_load(output->settings->cancelled))
            return ECANCELED;
    }
    return ETIMEDOUT;
}

/* Writes as much as goes, from byte `skip` of the parts on. 0 or an errno. */
static int write_some(const struct file_output *output, const struct slice *parts, size_t count, size_t *skip)
{
    struct iovec vector[PARTS_AT_ONCE];
    size_t passed = 0;
    int used = 0;
    ssize_t written;

    for (size_t i = 0; i < count && used < PARTS_AT_ONCE; i++) {
        size_t offset = *skip > passed ? *skip - passed : 0;

        if (offset < parts[i].size)
            vector[used++] = (struct iovec){ (void *)(uintptr_t)(parts[i].data + offset), parts[i].size - offset };
        passed += parts[i].size;
    }
    written = writev(output->fd, vector, used);
    if (written >= 0) {
        *skip += (size_t)written;
        return 0;
    }
    if (errno == EINTR)
        return 0;
    return errno == EAGAIN || errno == EWOULDBLOCK ? wait_for_room(output) : errno;
}

static int write_all(const struct file_output *output, const struct slice *parts, size_t count)
{
    size_t size = 0, done = 0;
    int error = 0;

    for (size_t i = 0; i < count; i++)
        size += parts[i].size;
    while (done < size && error == 0)
        error = write_some(output, parts, count, &done);
    return error;
}

/* Takes away what there is of a message that could not be written to its end. */
static void cut_locked(struct file_output *output, off_t whole)
{
    output->torn = !output->regular || ftruncate(output->fd, whole) != 0;
    output->whole = whole;
}

/* Before the next message: once more what did not succeed then. What can't be cut is ended as a line of its own. 0 or an errno. */
static int mend_locked(struct file_output *output)
{
    const struct slice line_end = SLICE("\n");
    int error = 0;

    if (!output->torn)
        return 0;
    if (output->regular)
        error = ftruncate(output->fd, output->whole) == 0 ? 0 : errno;
    else if (!output->settings->framed)
        error = write_all(output, &line_end, 1);
    output->torn = error != 0;
    return error;
}

/* ---- syncing ---- */

static void tell(struct waiter *list, int error)
{
    while (list != NULL) {
        struct waiter *next = list->next; /* once it is done its writer may be gone */

        list->error = error;
        list->done = true;
        list = next;
    }
}

/* Syncs for all who wait now; without the lock while it takes. */
static void sync_waiting_locked(struct file_output *output)
{
    struct waiter *list = output->waiting;
    struct stat status = { 0 };
    off_t length;
    int error;

    length = fstat(output->fd, &status) == 0 && !output->torn ? status.st_size : output->whole;
    output->waiting = NULL;
    output->syncing = true;
    pthread_mutex_unlock(&output->lock);
    error = fdatasync(output->fd) == 0 ? 0 : errno;
    pthread_mutex_lock(&output->lock);
    output->syncing = false;
    if (error == 0) {
        output->durable = length;
    } else {
        cut_locked(output, output->durable);
        tell(output->waiting, error);
        output->waiting = NULL;
    }
    tell(list, error);
    pthread_cond_broadcast(&output->synced);
}

/* One step towards a file that nobody waits for. */
static void calm_locked(struct file_output *output)
{
    if (output->syncing)
        pthread_cond_wait(&output->synced, &output->lock);
    else
        sync_waiting_locked(output);
}

/* What was just written. 0 or an errno. */
static int wait_synced_locked(struct file_output *output)
{
    struct waiter self = { .next = output->waiting };

    output->waiting = &self;
    while (!self.done)
        calm_locked(output);
    return self.error;
}

/* ---- one message ---- */

static bool needs_rotation(const struct file_output *output, off_t length, size_t size)
{
    const struct rotation_settings *rotation = output->settings->rotation;

    return rotation != NULL && output->regular && length > 0 && length + (off_t)size > rotation->max_megabytes * MEGABYTE;
}

/* A file that can't be renamed is written on, and that is said; one that can't be opened again is an error. */
static bool rotate_locked(struct file_output *output, struct error *err)
{
    const struct rotation_settings *rotation = output->settings->rotation;
    uint64_t now = clock_wall_nanos();

    if (!rotation_rename(output->path, rotation, now, err)) {
        log_warn(output->settings->owner, "rotation: %s", err->message);
        return true;
    }
    close_locked(output);
    rotation_clean(output->path, rotation, now);
    return open_locked(output, err);
}

/* Removed: what went there now would be lost. */
static bool is_removed(const struct file_output *output)
{
    struct stat status;

    return output->fd >= 0 && fstat(output->fd, &status) == 0 && S_ISREG(status.st_mode) && status.st_nlink == 0;
}

/* Before another file takes this one's place all that was written to it is synced. */
static void calm_before_change_locked(struct file_output *output, size_t size)
{
    struct stat status;

    while ((output->syncing || output->waiting != NULL) &&
           (is_removed(output) || (fstat(output->fd, &status) == 0 && needs_rotation(output, status.st_size, size))))
        calm_locked(output);
}

/* An open file that is still the one that the path means, and is as long as *length says. */
static bool prepare_locked(struct file_output *output, size_t size, off_t *length, struct error *err)
{
    struct stat status = { 0 };

    calm_before_change_locked(output, size);
    if (is_removed(output))
        close_locked(output);
    if (output->fd < 0 && !open_locked(output, err))
        return false;
    if (mend_locked(output) != 0 || fstat(output->fd, &status) != 0)
        return fail(err, "could not mend \"%s\": %s", output->path, strerror(errno));
    if (needs_rotation(output, status.st_size, size) && (!rotate_locked(output, err) || fstat(output->fd, &status) != 0))
        return false;
    *length = status.st_size;
    return true;
}

int file_output_write(struct file_output *output, const struct slice *parts, size_t count, struct error *err)
{
    size_t size = 0;
    off_t length = 0;
    int error;

    for (size_t i = 0; i < count; i++)
        size += parts[i].size;
    pthread_mutex_lock(&output->lock);
    errno = 0;
    if (!prepare_locked(output, size, &length, err)) {
        error = errno != 0 ? errno : EIO;
    } else {
        error = write_all(output, parts, count);
        if (error != 0)
            cut_locked(output, length);
        else if (output->settings->sync && output->regular)
            error = wait_synced_locked(output);
        if (error != 0)
            fail(err, "could not write to \"%s\": %s", output->path, strerror(error));
    }
    pthread_mutex_unlock(&output->lock);
    return error;
}
