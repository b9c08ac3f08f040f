/*
 * debug exporter: tells on the terminal, or in files, what comes in: a line of counts per batch (basic), a line per record (normal), or
 * every field (detailed).
 *
 * Sampling counts batches of each signal in each second: the first `sampling_initial` are told, then every
 * `sampling_thereafter`-th. Whatever is told or not, every batch is accepted.
 * Threads: consume runs on a thread of the exporter's per signal (its queue, which is off unless it is written, then passes batches on at
 * once); one lock keeps the texts apart.
 */
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <pthread.h>
#include <stdlib.h>
#include <unistd.h>

#include "collector/base/clock.h"
#include "collector/base/log.h"
#include "collector/delivery.h"
#include "exporters/debug/text.h"
#include "exporters/stretch.h"

enum verbosity { VERBOSITY_BASIC, VERBOSITY_NORMAL, VERBOSITY_DETAILED };

enum { OUTPUTS_MAX = 16, PATIENCE_MS = 1000 };

struct sampler {
    int64_t second;
    int64_t count;
};

struct debug_exporter {
    struct component base;
    int verbosity;                      /* option; enum verbosity */
    int64_t sampling_initial;           /* option */
    int64_t sampling_thereafter;        /* option */
    bool use_internal_logger;           /* option */
    struct option_strings output_paths; /* option */
    bool queue_present;
    struct delivery_settings delivery; /* the queue: options */

    pthread_mutex_t lock; /* for all below */
    bool lock_made;
    struct sampler samplers[SIGNAL_COUNT];
    int outputs[OUTPUTS_MAX];
    size_t output_count;
    struct stretch failures;
};

#define FIELD(field) offsetof(struct debug_exporter, field)

static const struct option options[] = {
    { "verbosity", OPTION_ENUM, FIELD(verbosity), "basic", "basic|normal|detailed", "a line per batch, a line per record, or every field" },
    { "sampling_initial", OPTION_INT, FIELD(sampling_initial), "2", "0..", "batches of a signal that are told in each second" },
    { "sampling_thereafter", OPTION_INT, FIELD(sampling_thereafter), "1", "0..", "of those behind them, every n-th is told; 0: none" },
    { "use_internal_logger", OPTION_BOOL, FIELD(use_internal_logger), "true", NULL, "tell in weir's own log" },
    { "output_paths", OPTION_STRINGS, FIELD(output_paths), NULL, NULL,
        "stdout, stderr or files; without the internal logger. None: stdout" },
    { "sending_queue", OPTION_BLOCK, FIELD(delivery.queue), NULL, NULL, "the queue in front of the exporter; off unless it is written",
        sending_queue_options, .present = FIELD(queue_present) },
    { 0 },
};

/* ---- start and stop ---- */

static bool debug_validate(struct component *component, struct error *err)
{
    struct debug_exporter *self = (struct debug_exporter *)component;

    if (self->use_internal_logger && self->output_paths.count > 0)
        return fail(err, "output_paths is for use_internal_logger: false");
    if (self->output_paths.count > OUTPUTS_MAX)
        return fail(err, "output_paths: %zu are too many, the limit is %d", self->output_paths.count, OUTPUTS_MAX);
    if (!self->queue_present) {
        self->delivery.queue.enabled = false;
        self->delivery.queue.num_consumers = 1;
    }
    return true;
}

static bool open_output(struct debug_exporter *self, const char *path, struct error *err)
{
    int fd;

    if (strcmp(path, "stdout") == 0)
        fd = fcntl(STDOUT_FILENO, F_DUPFD_CLOEXEC, 3);
    else if (strcmp(path, "stderr") == 0)
        fd = fcntl(STDERR_FILENO, F_DUPFD_CLOEXEC, 3);
    else
        fd = open(path, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC | O_NOCTTY, 0644);
    if (fd < 0)
        return fail(err, "could not open \"%s\": %s", path, strerror(errno));
    self->outputs[self->output_count++] = fd;
    return true;
}

static bool debug_start(struct component *component, struct error *err)
{
    struct debug_exporter *self = (struct debug_exporter *)component;

    pthread_mutex_init(&self->lock, NULL);
    self->lock_made = true;
    if (self->use_internal_logger)
        return true;
    if (self->output_paths.count == 0)
        return open_output(self, "stdout", err);
    for (size_t i = 0; i < self->output_paths.count; i++)
        if (!open_output(self, self->output_paths.items[i], err))
            return false;
    return true;
}

static void debug_stop(struct component *component)
{
    struct debug_exporter *self = (struct debug_exporter *)component;

    for (size_t i = 0; i < self->output_count; i++)
        close(self->outputs[i]);
    self->output_count = 0;
    if (self->lock_made)
        pthread_mutex_destroy(&self->lock);
    self->lock_made = false;
}

/* ---- telling ---- */

static bool is_sampled_locked(struct debug_exporter *self, enum signal signal)
{
    struct sampler *sampler = &self->samplers[signal];
    int64_t second = clock_monotonic_nanos() / NANOS_PER_SECOND;

    if (sampler->second != second)
        *sampler = (struct sampler){ second, 0 };
    sampler->count++;
    if (sampler->count <= self->sampling_initial)
        return true;
    return self->sampling_thereafter > 0 && (sampler->count - self->sampling_initial) % self->sampling_thereafter == 0;
}

static bool is_sampled(struct debug_exporter *self, enum signal signal)
{
    bool sampled;

    pthread_mutex_lock(&self->lock);
    sampled = is_sampled_locked(self, signal);
    pthread_mutex_unlock(&self->lock);
    return sampled;
}

/* 0 or an errno. A terminal or pipe that takes nothing for a while costs the rest of the text. */
static int write_all(int fd, struct slice text)
{
    while (text.size > 0) {
        ssize_t written = write(fd, text.data, text.size);

        if (written > 0)
            text = slice_of(text.data + written, text.size - (size_t)written);
        else if (written < 0 && errno == EAGAIN && poll(&(struct pollfd){ .fd = fd, .events = POLLOUT }, 1, PATIENCE_MS) == 0)
            return ETIMEDOUT;
        else if (written < 0 && errno != EINTR && errno != EAGAIN)
            return errno;
    }
    return 0;
}

static void write_outputs(struct debug_exporter *self, struct slice text)
{
    int error = 0;

    pthread_mutex_lock(&self->lock);
    for (size_t i = 0; i < self->output_count; i++) {
        int result = write_all(self->outputs[i], text);

        error = result != 0 ? result : error;
    }
    pthread_mutex_unlock(&self->lock);
    if (error != 0 && stretch_failed(&self->failures, "output"))
        log_warn(self->base.path, "could not write all of the text: %s", strerror(error));
}

static void write_body(struct debug_exporter *self, const struct batch *batch, struct slice request, struct buffer *text)
{
    if (self->verbosity == VERBOSITY_NORMAL)
        text_normal(batch->signal, request, text);
    else if (self->verbosity == VERBOSITY_DETAILED)
        text_detailed(batch->signal, request, text);
}

/* Telemetry must not steer the terminal it is shown on. */
static void clean(struct buffer *text)
{
    for (size_t i = 0; i < text->size; i++)
        if ((text->data[i] < 0x20 && text->data[i] != '\n' && text->data[i] != '\t') || text->data[i] == 0x7f)
            text->data[i] = '?';
}

static void tell(struct debug_exporter *self, const struct batch *batch, struct slice request)
{
    struct text_counts counts = { 0 };
    struct buffer summary = { 0 }, text = { 0 };

    text_count(batch->signal, request, &counts);
    text_summary(batch->signal, &counts, &summary);
    if (self->use_internal_logger) {
        log_info(self->base.path, "%s %s", text_title(batch->signal), buffer_string(&summary));
        write_body(self, batch, request, &text);
        clean(&text);
        log_text(LOG_INFO, self->base.path, buffer_slice(&text));
    } else {
        buffer_printf(&text, "%s\t%s\n", text_title(batch->signal), buffer_string(&summary));
        write_body(self, batch, request, &text);
        clean(&text);
        write_outputs(self, buffer_slice(&text));
    }
    if (text.failed)
        log_warn(self->base.path, "out of memory for the text of %zu records", batch->records);
    buffer_fini(&summary);
    buffer_fini(&text);
}

static void debug_consume(struct component *component, struct batch *batch)
{
    struct debug_exporter *self = (struct debug_exporter *)component;
    struct buffer scratch = { 0 };
    struct slice request;

    if (is_sampled(self, batch->signal)) {
        request = batch_flatten(batch, &scratch);
        if (request.data != NULL)
            tell(self, batch, request);
    }
    buffer_fini(&scratch);
    batch_settle(batch, OUTCOME_ACCEPTED);
}

const struct component_type debug_exporter = {
    .name = "debug",
    .kind = COMPONENT_EXPORTER,
    .signals = SIGNALS_ALL,
    .stability = STABILITY_STABLE,
    .summary = "Tells on the terminal what comes in.",
    .options = options,
    .instance_size = sizeof(struct debug_exporter),
    .validate = debug_validate,
    .start = debug_start,
    .stop = debug_stop,
    .consume = debug_consume,
    .delivery_offset = offsetof(struct debug_exporter, delivery),
};
