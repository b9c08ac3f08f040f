/*
 * Secret files. Cost: a lock and a reference for each use; one stat a second. One thread at a time looks at the
 * file, outside the lock.
 */
#include "collector/extensions/secret_file.h"

#include <errno.h>
#include <fcntl.h>
#include <openssl/crypto.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "collector/base/clock.h"
#include "collector/base/log.h"

struct secret {
    atomic_uint references;
    size_t size;
    uint8_t bytes[];
};

struct secret_file {
    const char *path, *component; /* borrowed */
    pthread_mutex_t lock;         /* guards secret */
    struct secret *secret;        /* one reference */
    struct stat status;           /* of what was read; whoever looks */
    atomic_bool looking;
    atomic_int_least64_t next_look_ns;
};

static struct secret *read_whole(int fd, size_t size, struct error *err)
{
    struct secret *secret = malloc(sizeof(*secret) + size);
    ssize_t got = 1;

    if (secret == NULL) {
        fail(err, "out of memory");
        return NULL;
    }
    atomic_init(&secret->references, 1);
    secret->size = 0;
    while (secret->size < size && got > 0) {
        got = read(fd, secret->bytes + secret->size, size - secret->size);
        if (got > 0)
            secret->size += (size_t)got;
    }
    if (got >= 0)
        return secret;
    fail(err, "%s", strerror(errno));
    secret_unref(secret);
    return NULL;
}

static struct secret *read_secret(const char *path, struct stat *status, struct error *err)
{
    int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
    struct secret *secret = NULL;

    if (fd < 0 || fstat(fd, status) != 0)
        fail(err, "%s", strerror(errno));
    else if (!S_ISREG(status->st_mode))
        fail(err, "not a file");
    else if (status->st_size > SECRET_FILE_MAX)
        fail(err, "larger than %d bytes", SECRET_FILE_MAX);
    else
        secret = read_whole(fd, (size_t)status->st_size, err);
    if (fd >= 0)
        close(fd);
    if (secret == NULL)
        fail_within(err, "could not read \"%s\"", path);
    return secret;
}

struct secret_file *secret_file_create(const char *path, const char *component, struct error *err)
{
    struct secret_file *file = calloc(1, sizeof(*file));

    if (file == NULL)
        abort();
    file->path = path;
    file->component = component;
    pthread_mutex_init(&file->lock, NULL);
    atomic_store(&file->next_look_ns, clock_monotonic_nanos() + NANOS_PER_SECOND);
    file->secret = read_secret(path, &file->status, err);
    if (file->secret != NULL)
        return file;
    secret_file_destroy(file);
    return NULL;
}

void secret_file_destroy(struct secret_file *file)
{
    if (file == NULL)
        return;
    secret_unref(file->secret);
    pthread_mutex_destroy(&file->lock);
    free(file);
}

static bool is_same(const struct stat *a, const struct stat *b)
{
    return a->st_dev == b->st_dev && a->st_ino == b->st_ino && a->st_size == b->st_size && a->st_mtim.tv_sec == b->st_mtim.tv_sec &&
           a->st_mtim.tv_nsec == b->st_mtim.tv_nsec;
}

static void replace_when_changed(struct secret_file *file)
{
    struct error err = { "" };
    struct stat status = { 0 };
    struct secret *fresh, *before;

    if (stat(file->path, &status) == 0 && is_same(&status, &file->status))
        return;
    fresh = read_secret(file->path, &status, &err);
    if (fresh == NULL) {
        log_warn(file->component, "the file's content from before stays in use: %s", err.message);
        return;
    }
    file->status = status;
    pthread_mutex_lock(&file->lock);
    before = file->secret;
    file->secret = fresh;
    pthread_mutex_unlock(&file->lock);
    secret_unref(before);
}

static void look(struct secret_file *file)
{
    int64_t now = clock_monotonic_nanos();

    if (now < atomic_load(&file->next_look_ns) || atomic_exchange(&file->looking, true))
        return;
    atomic_store(&file->next_look_ns, now + NANOS_PER_SECOND);
    replace_when_changed(file);
    atomic_store(&file->looking, false);
}

struct secret *secret_file_ref(struct secret_file *file)
{
    struct secret *secret;

    look(file);
    pthread_mutex_lock(&file->lock);
    secret = file->secret;
    atomic_fetch_add(&secret->references, 1);
    pthread_mutex_unlock(&file->lock);
    return secret;
}

void secret_unref(struct secret *secret)
{
    if (secret == NULL || atomic_fetch_sub(&secret->references, 1) > 1)
        return;
    OPENSSL_cleanse(secret->bytes, secret->size);
    free(secret);
}

struct slice secret_text(const struct secret *secret)
{
    return slice_of(secret->bytes, secret->size);
}

static bool is_space(uint8_t byte)
{
    return byte == ' ' || byte == '\t' || byte == '\r' || byte == '\n';
}

struct slice secret_trim(struct slice text)
{
    while (text.size > 0 && is_space(text.data[text.size - 1]))
        text.size--;
    while (text.size > 0 && is_space(text.data[0])) {
        text.data++;
        text.size--;
    }
    return text;
}

bool secret_next_line(struct slice *text, struct slice *line)
{
    const uint8_t *end;
    size_t size;

    if (text->size == 0)
        return false;
    end = memchr(text->data, '\n', text->size);
    size = end != NULL ? (size_t)(end - text->data) : text->size;
    *line = secret_trim(slice_of(text->data, size));
    size += end != NULL;
    text->data += size;
    text->size -= size;
    return true;
}
