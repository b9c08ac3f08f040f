/*
 * The receiver's thread. A round: what receipts told, which files there are (when names came or went, or by the clock), what was written, one turn
 * of each file, the places. Between rounds it sleeps for poll_interval at the most; names that come and go wake it at once, writes do not.
 */
#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/eventfd.h>
#include <sys/resource.h>
#include <unistd.h>

#include "collector/base/clock.h"
#include "collector/base/log.h"
#include "receivers/file_log/file_log.h"

static const int64_t scan_interval_ns = 10 * NANOS_PER_SECOND, look_interval_ns = 5 * NANOS_PER_SECOND,
                     save_interval_ns = 100 * NANOS_PER_MILLI, stop_wait_ns = 5 * NANOS_PER_SECOND;
enum { OPEN_FILES = 1 << 20 };

/* ---- made and unmade ---- */

/* Every file stays open: as many as this process may have. */
static void allow_files(void)
{
    struct rlimit limit;

    if (getrlimit(RLIMIT_NOFILE, &limit) != 0 || limit.rlim_cur == RLIM_INFINITY || limit.rlim_cur >= OPEN_FILES)
        return;
    limit.rlim_cur = limit.rlim_max == RLIM_INFINITY || limit.rlim_max > OPEN_FILES ? OPEN_FILES : limit.rlim_max;
    setrlimit(RLIMIT_NOFILE, &limit);
}

static void make_resource(struct file_reader *reader)
{
    const struct option_pairs *pairs = &reader->settings->resource;

    for (size_t i = 0; i < pairs->count; i++)
        stanza_map_set(&reader->process_memory, &reader->resource, slice_of_string(pairs->items[i].key),
            stanza_string(slice_of_string(pairs->items[i].value)));
    stanza_put_attributes(&reader->resource_wire, 1, &reader->resource);
}

struct file_reader *file_reader_create(struct file_log *settings, struct error *err)
{
    struct file_reader *reader = calloc(1, sizeof(*reader));
    struct lines_settings lines = settings->lines;

    if (reader == NULL)
        abort();
    reader->settings = settings;
    reader->path = settings->base.path;
    reader->wake_fd = -1;
    reader->first_scan = true;
    reader->inbox = file_inbox_create();
    lines.max_size = (size_t)settings->max_log_size;
    lines.truncate = settings->behavior == 1;
    make_resource(reader);
    if (!lines_init(&reader->lines, &lines, err))
        goto failed;
    reader->pipeline = stanza_pipeline_create(settings->operators, err);
    if (reader->pipeline == NULL) {
        fail_within(err, "operators");
        goto failed;
    }
    file_reader_set_sink(reader);
    if (settings->ordering_present && (reader->order = file_order_create(settings, err)) == NULL)
        goto failed;
    if (settings->header_present && (reader->header = file_header_create(settings, err)) == NULL)
        goto failed;
    return reader;
failed:
    file_reader_destroy(reader);
    return NULL;
}

void file_reader_destroy(struct file_reader *reader)
{
    uint64_t one = 1;

    if (reader == NULL)
        return;
    if (reader->thread_started) {
        atomic_store(&reader->stopping, true);
        if (write(reader->wake_fd, &one, sizeof(one)) < 0)
            log_warn(reader->path, "could not wake the reader: %s", strerror(errno));
        pthread_join(reader->thread, NULL);
    }
    file_chunks_abandon(reader->first_chunk, reader->inbox);
    file_inbox_unref(reader->inbox);
    for (size_t i = 0; i < reader->count; i++)
        followed_destroy(reader->files[i]);
    free(reader->files);
    free(reader->places);
    free(reader->store);
    watch_destroy(reader->watch);
    file_order_destroy(reader->order);
    file_header_destroy(reader->header);
    stanza_pipeline_destroy(reader->pipeline);
    lines_fini(&reader->lines);
    stanza_writer_fini(&reader->writer);
    stanza_memory_fini(&reader->memory);
    stanza_memory_fini(&reader->process_memory);
    buffer_fini(&reader->resource_wire);
    buffer_fini(&reader->block);
    if (reader->wake_fd >= 0)
        close(reader->wake_fd);
    free(reader);
}

/* ---- rounds ---- */

static void written(void *context, const char *folder, const char *name)
{
    struct file_reader *reader = context;
    size_t size = strlen(folder), slash = size > 0 && folder[size - 1] == '/' ? 0 : 1;
    bool here = strcmp(folder, ".") == 0;

    for (size_t i = 0; i < reader->count; i++) {
        struct followed *file = reader->files[i];
        if ((here && strcmp(file->path, name) == 0) ||
            (strncmp(file->path, folder, size) == 0 && strcmp(file->path + size + slash, name) == 0))
            file->ready = true;
    }
}

static void look(struct file_reader *reader, int64_t now_ns)
{
    bool all = now_ns >= reader->next_look_ns || reader->watch == NULL;

    if (reader->watch != NULL && !watch_written(reader->watch, written, reader))
        all = true;
    for (size_t i = 0; i < reader->count; i++) {
        struct followed *file = reader->files[i];
        file->ready = file->ready || all || file->polled || file->gone || file->copy_of != NULL;
    }
    if (all)
        reader->next_look_ns = now_ns + look_interval_ns;
}

static void scan(struct file_reader *reader, int64_t now_ns)
{
    bool whole = reader->watch != NULL && watch_is_whole(reader->watch);

    if (reader->watch != NULL && watch_names(reader->watch))
        reader->scan_wanted = true;
    if (!reader->scan_wanted && now_ns < reader->next_scan_ns)
        return;
    file_reader_scan(reader);
    reader->scan_wanted = false;
    whole = reader->watch != NULL && watch_is_whole(reader->watch);
    reader->next_scan_ns = now_ns + (whole ? scan_interval_ns : reader->settings->poll_interval_ns);
}

static void round_of(struct file_reader *reader)
{
    int64_t now_ns = clock_monotonic_nanos();

    file_reader_collect(reader);
    file_reader_try_again(reader);
    scan(reader, now_ns);
    look(reader, now_ns);
    if (stanza_pipeline_holds(reader->pipeline)) {
        reader->now_ns = clock_wall_nanos();
        stanza_pipeline_flush(reader->pipeline, now_ns, false);
    }
    file_reader_read(reader);
    file_reader_send(reader);
    file_reader_collect(reader);
    file_reader_let_go(reader);
    if (now_ns >= reader->next_save_ns) {
        file_places_save(reader);
        reader->next_save_ns = now_ns + save_interval_ns;
    }
}

/* Is there something to read that was not waited for? What a file holds at its end without a line's end is no work yet. */
static bool has_work(const struct file_reader *reader)
{
    for (size_t i = 0; i < reader->count; i++) {
        if (reader->files[i]->ready && !reader->files[i]->at_end && reader->files[i]->copy_of == NULL)
            return true;
    }
    return false;
}

static int pause_millis(const struct file_reader *reader)
{
    if (has_work(reader) && !file_reader_is_pressed(reader))
        return 0;
    return (int)(reader->settings->poll_interval_ns / NANOS_PER_MILLI);
}

static void wait_for_more(struct file_reader *reader, int millis)
{
    struct pollfd fds[] = { { .fd = reader->wake_fd, .events = POLLIN }, { .fd = file_inbox_fd(reader->inbox), .events = POLLIN },
        { .fd = reader->watch != NULL ? watch_names_fd(reader->watch) : -1, .events = POLLIN } };
    int64_t until_ns = clock_monotonic_nanos() + millis * NANOS_PER_MILLI;
    bool pressed = file_reader_is_pressed(reader);

    for (;;) {
        int64_t left_ns = until_ns - clock_monotonic_nanos();
        if (poll(fds, 3, left_ns > 0 ? (int)(left_ns / NANOS_PER_MILLI) + 1 : 0) <= 0 || fds[0].revents != 0 || fds[2].revents != 0)
            return;
        file_reader_collect(reader); /* receipts alone don't make a round, unless one was waited for */
        if (pressed || left_ns <= 0)
            return;
    }
}

/* All that is read goes on, and what can be settled soon is waited for. */
static void finish(struct file_reader *reader)
{
    int64_t until_ns = clock_monotonic_nanos() + stop_wait_ns;
    struct pollfd told = { .fd = file_inbox_fd(reader->inbox), .events = POLLIN };

    if (reader->settings->storage == NULL) {
        stanza_pipeline_flush(reader->pipeline, clock_monotonic_nanos(), true); /* else what is held is read again */
        file_reader_send(reader);
    }
    while (reader->first_chunk != NULL && !reader->failing && clock_monotonic_nanos() < until_ns) {
        poll(&told, 1, 100);
        file_reader_collect(reader);
    }
    file_places_save(reader);
}

static void *run(void *context)
{
    struct file_reader *reader = context;

    pthread_setname_np(pthread_self(), "weir-file-in");
    while (!atomic_load(&reader->stopping)) {
        round_of(reader);
        if (!atomic_load(&reader->stopping))
            wait_for_more(reader, pause_millis(reader));
    }
    finish(reader);
    return NULL;
}

bool file_reader_start(struct file_reader *reader, struct error *err)
{
    sigset_t all, before;
    int result;

    if (!file_places_locate(reader, err) || !file_places_load(reader, err))
        return false;
    allow_files();
    reader->watch = watch_create();
    if (reader->watch == NULL)
        log_warn(reader->path, "inotify is not available (%s): files are looked at every poll_interval", strerror(errno));
    reader->wake_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    if (reader->wake_fd < 0)
        return fail(err, "could not make an event descriptor: %s", strerror(errno));
    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &before);
    result = pthread_create(&reader->thread, NULL, run, reader);
    pthread_sigmask(SIG_SETMASK, &before, NULL);
    reader->thread_started = result == 0;
    return result == 0 || fail(err, "could not start a thread: %s", strerror(result));
}
