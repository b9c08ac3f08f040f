/*
 * A library to be preloaded into weir (LD_PRELOAD): file operations below one folder fail, are short, wait, or are the process's
 * last, and the wall clock jumps, as a control file says. Nothing else of the process is touched.
 *
 *   FAULTS_UNDER    the folder
 *   FAULTS_CONTROL  the control file: words KEY=NUMBER, read again at every operation; no file: no faults
 *
 *   short=P       of 100 writes: only a part is written, and that is said
 *   eio=P         of 100 writes: a part is written, then EIO
 *   enospc=P      of 100 writes: a part is written, then ENOSPC
 *   sync=P        of 100 fsync and fdatasync: EIO, nothing is synced
 *   truncate=P    of 100 ftruncate: EIO
 *   die=P         of 100 writes: a part is written, then SIGKILL
 *   die_rename=N  1: SIGKILL before a rename, 2: after it
 *   hold=1        writes go through, fsync and fdatasync wait until it is gone
 *   clock=S       the wall clock is so many seconds ahead, or behind (negative)
 *
 * Cost: three system calls more for each operation. Threads: any; the random numbers are one atomic.
 */
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <sys/types.h>
#include <sys/uio.h>
#include <time.h>
#include <unistd.h>

enum { PATH_SIZE = 4096, CONTROL_SIZE = 512 };

static atomic_uint_fast64_t state = 88172645463325252u;

static unsigned dice(unsigned below)
{
    uint64_t value = atomic_fetch_add(&state, 0x9e3779b97f4a7c15u) ^ (uint64_t)getpid() << 32;

    value = (value ^ value >> 30) * 0xbf58476d1ce4e5b9u;
    value = (value ^ value >> 27) * 0x94d049bb133111ebu;
    return (unsigned)((value ^ value >> 31) % below);
}

/* ---- what is asked for ---- */

static bool is_below(const char *path)
{
    const char *folder = getenv("FAULTS_UNDER");

    return folder != NULL && strncmp(path, folder, strlen(folder)) == 0;
}

static bool is_watched(int fd)
{
    char name[32], path[PATH_SIZE];
    ssize_t size;
    int saved = errno;

    snprintf(name, sizeof(name), "/proc/self/fd/%d", fd);
    size = syscall(SYS_readlinkat, AT_FDCWD, name, path, sizeof(path) - 1);
    errno = saved;
    path[size > 0 ? size : 0] = '\0';
    return is_below(path);
}

/* The number behind a key; 0 when it is not there. */
static int asked(const char *key)
{
    const char *control = getenv("FAULTS_CONTROL");
    char text[CONTROL_SIZE], *at;
    int saved = errno, fd = control != NULL ? (int)syscall(SYS_openat, AT_FDCWD, control, O_RDONLY | O_CLOEXEC) : -1;
    ssize_t size = 0;

    if (fd >= 0) {
        size = syscall(SYS_read, fd, text + 1, sizeof(text) - 2);
        syscall(SYS_close, fd);
    }
    errno = saved;
    text[0] = ' ';
    text[size > 0 ? size + 1 : 1] = '\0';
    for (at = strstr(text, key); at != NULL; at = strstr(at + 1, key))
        if (at[-1] == ' ' && at[strlen(key)] == '=')
            return atoi(at + strlen(key) + 1);
    return 0;
}

static bool happens(const char *key)
{
    int percent = asked(key);

    return percent > 0 && dice(100) < (unsigned)percent;
}

static void die(void)
{
    syscall(SYS_kill, getpid(), SIGKILL);
    for (;;)
        pause();
}

/* ---- writes: all are one vectored write, at an offset or (offset -1) where the file stands ---- */

static ssize_t write_really(int fd, const struct iovec *parts, int count, off_t offset)
{
    if (offset < 0)
        return syscall(SYS_writev, fd, parts, count);
    return syscall(SYS_pwritev, fd, parts, count, (long)offset, 0L);
}

/* Some bytes of it, not all. */
static ssize_t write_part(int fd, const struct iovec *parts, int count, off_t offset)
{
    size_t total = 0, wanted, done = 0;

    for (int i = 0; i < count; i++)
        total += parts[i].iov_len;
    wanted = total > 1 ? dice((unsigned)(total < UINT32_MAX ? total : UINT32_MAX)) : 0;
    for (int i = 0; i < count && done < wanted; i++) {
        size_t size = parts[i].iov_len < wanted - done ? parts[i].iov_len : wanted - done;
        struct iovec part = { parts[i].iov_base, size };
        ssize_t written = size > 0 ? write_really(fd, &part, 1, offset < 0 ? offset : offset + (off_t)done) : 0;

        if (written < 0)
            return done > 0 ? (ssize_t)done : written;
        done += (size_t)written;
        if ((size_t)written < size)
            break;
    }
    return (ssize_t)done;
}

static ssize_t failed(int error)
{
    errno = error;
    return -1;
}

static ssize_t write_faulty(int fd, const struct iovec *parts, int count, off_t offset)
{
    static const struct {
        const char *key;
        int error;
    } faults[] = { { "eio", EIO }, { "enospc", ENOSPC } };

    if (!is_watched(fd))
        return write_really(fd, parts, count, offset);
    if (happens("die")) {
        write_part(fd, parts, count, offset);
        die();
    }
    for (size_t i = 0; i < sizeof(faults) / sizeof(faults[0]); i++) {
        if (happens(faults[i].key)) {
            write_part(fd, parts, count, offset);
            return failed(faults[i].error);
        }
    }
    if (happens("short")) {
        ssize_t written = write_part(fd, parts, count, offset);

        if (written != 0)
            return written;
    }
    return write_really(fd, parts, count, offset);
}

/* ---- the names that weir's libc calls go by ---- */

ssize_t write(int fd, const void *data, size_t size)
{
    return write_faulty(fd, &(struct iovec){ (void *)(uintptr_t)data, size }, 1, -1);
}

ssize_t writev(int fd, const struct iovec *parts, int count)
{
    return write_faulty(fd, parts, count, -1);
}

ssize_t pwrite(int fd, const void *data, size_t size, off_t offset)
{
    return write_faulty(fd, &(struct iovec){ (void *)(uintptr_t)data, size }, 1, offset);
}

ssize_t pwritev(int fd, const struct iovec *parts, int count, off_t offset)
{
    return write_faulty(fd, parts, count, offset);
}

static int sync_faulty(int fd, long call)
{
    if (is_watched(fd)) {
        while (asked("hold") != 0)
            nanosleep(&(struct timespec){ 0, 2000000 }, NULL);
        if (happens("sync"))
            return (int)failed(EIO);
    }
    return (int)syscall(call, fd);
}

int fsync(int fd)
{
    return sync_faulty(fd, SYS_fsync);
}

int fdatasync(int fd)
{
    return sync_faulty(fd, SYS_fdatasync);
}

int ftruncate(int fd, off_t size)
{
    if (is_watched(fd) && happens("truncate"))
        return (int)failed(EIO);
    return (int)syscall(SYS_ftruncate, fd, (long)size);
}

int rename(const char *from, const char *to)
{
    int when = is_below(from) ? asked("die_rename") : 0;
    int result;

    if (when == 1)
        die();
    result = (int)syscall(SYS_renameat2, AT_FDCWD, from, AT_FDCWD, to, 0);
    if (when == 2)
        die();
    return result;
}

int clock_gettime(clockid_t clock, struct timespec *time)
{
    int result = (int)syscall(SYS_clock_gettime, clock, time);

    if (result == 0 && clock == CLOCK_REALTIME)
        time->tv_sec += asked("clock");
    return result;
}
