/*
 * Datagrams: all that came with one call become one batch. A sender cannot be held up: while destinations take data more slowly than it comes,
 * datagrams wait in the kernel as far as it keeps them; what the pipelines refuse is counted and gone.
 */
#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>

#include "collector/base/clock.h"
#include "receivers/syslog/listener.h"

enum { BATCH_LIMIT = 1 << 28 };

/*
 * The way back from receipts to the receiver, which they may outlive: stop cuts it, and waits for those that are being told.
 */
struct log_link {
    atomic_uint references;
    pthread_rwlock_t lock;
    struct component *component; /* NULL: the receiver has stopped */
};

struct waiting {
    struct log_link *link; /* one reference */
    size_t records;
};

struct log_link *log_link_create(struct component *component)
{
    struct log_link *link = calloc(1, sizeof(*link));

    if (link == NULL)
        abort();
    atomic_init(&link->references, 1);
    pthread_rwlock_init(&link->lock, NULL);
    link->component = component;
    return link;
}

static void link_unref(struct log_link *link)
{
    if (atomic_fetch_sub(&link->references, 1) > 1)
        return;
    pthread_rwlock_destroy(&link->lock);
    free(link);
}

void log_link_cut(struct log_link *link)
{
    if (link == NULL)
        return;
    pthread_rwlock_wrlock(&link->lock);
    link->component = NULL;
    pthread_rwlock_unlock(&link->lock);
    link_unref(link);
}

static void told(void *context, struct outcome outcome)
{
    struct waiting *waiting = context;

    pthread_rwlock_rdlock(&waiting->link->lock);
    if (waiting->link->component != NULL)
        component_count_received(waiting->link->component, SIGNAL_LOGS, "udp", waiting->records, outcome);
    pthread_rwlock_unlock(&waiting->link->lock);
    link_unref(waiting->link);
    free(waiting);
}

static struct receipt *receipt_for(struct log_listener *self, size_t records)
{
    struct waiting *waiting = malloc(sizeof(*waiting));
    struct receipt *receipt = waiting != NULL ? receipt_create(RECEIPT_ACCEPTED, told, waiting) : NULL;

    if (receipt == NULL) {
        free(waiting);
        return NULL;
    }
    *waiting = (struct waiting){ self->link, records };
    atomic_fetch_add(&self->link->references, 1);
    return receipt;
}

bool log_datagrams_ready(void *context)
{
    return !component_crowded(context);
}

/* Each line of it, or all of it. */
static void append_datagram(const struct log_source *source, struct slice bytes, struct otlp_logs *logs)
{
    struct framing lines = { FRAMING_LINES, bytes.size, 0 };
    struct frame frame;
    size_t scanned = 0;

    while (!source->input->one_log_per_packet && frame_read(&lines, bytes, &scanned, &frame) == FRAME_WHOLE) {
        log_append(source, &frame, logs);
        bytes = slice_of(bytes.data + frame.size, bytes.size - frame.size);
    }
    frame = (struct frame){ bytes, bytes, bytes.size };
    log_append(source, &frame, logs);
}

static void pass_on(struct log_listener *self, const struct otlp_logs *logs)
{
    const struct buffer *out = logs->out;
    struct payload *payload = !out->failed && component_admit(&self->base, out->size) ? payload_create(out->size) : NULL;
    struct receipt *receipt = payload != NULL ? receipt_for(self, logs->records) : NULL;

    if (receipt == NULL) {
        payload_unref(payload);
        component_count_received(&self->base, SIGNAL_LOGS, "udp", logs->records, outcome_retry("memory", 0));
        return;
    }
    memcpy(payload->data, out->data, out->size);
    payload->size = out->size;
    if (logs->repaired > 0)
        component_count_repaired(&self->base, SIGNAL_LOGS, logs->repaired);
    component_emit(&self->base, batch_create(SIGNAL_LOGS, payload, logs->records, receipt)); /* without memory the receipt tells so */
}

void log_take_datagrams(void *context, const struct datagram *datagrams, size_t count)
{
    struct log_listener *self = context;
    struct log_source source = { self, &self->udp, "IP.UDP", "", clock_wall_nanos() };
    struct buffer out = { .limit = BATCH_LIMIT };
    struct otlp_logs logs;

    otlp_logs_begin(&logs, &out, buffer_slice(&self->raw_resource));
    for (size_t i = 0; i < count; i++) {
        source.peer = datagrams[i].peer;
        append_datagram(&source, datagrams[i].bytes, &logs);
    }
    otlp_logs_end(&logs);
    if (logs.records > 0)
        pass_on(self, &logs);
    buffer_fini(&out);
}
