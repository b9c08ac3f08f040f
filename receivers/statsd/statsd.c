/*
 * statsd receiver: lines of StatsD and DogStatsD over UDP, TCP or a unix datagram socket, added up and sent on as OTLP metrics every
 * aggregation_interval; DogStatsD's events and service checks become log records, which are sent on at once.
 *
 * Cost: some 100 ns a line. Limits: max_series and max_samples in an interval; a line of 16 KiB; what the kernel drops is counted.
 * Threads: start and stop on the control thread; everything else on one data loop, so that the table needs no lock.
 */
#include <netinet/in.h>
#include <stdlib.h>

#include "collector/base/clock.h"
#include "collector/base/hash.h"
#include "collector/base/log.h"
#include "collector/component.h"
#include "collector/net/datagram.h"
#include "collector/net/feed.h"
#include "collector/produce.h"
#include "receivers/statsd/event.h"
#include "receivers/statsd/settings.h"

static const char default_unix_path[] = "/var/run/statsd-receiver.sock";
static const size_t max_events = 1 << 20; /* bytes of log records that are held until the burst ends */

struct statsd {
    struct component base; /* first, so that a component is a statsd */
    struct statsd_settings settings;
    struct statsd_rules rules;
    struct statsd_table *table;
    struct producer *producer;
    struct loop *loop;
    struct datagram_socket *datagrams;
    struct feed *feed;
    struct loop_timer *timer;
    uint64_t interval_start_ns, now_ns; /* now: when this burst was begun to be read; 0: none is */
    struct buffer metrics, events, request;
    size_t event_count;
};

static const struct option options[] = {
    { "", OPTION_INCLUDE, offsetof(struct statsd, settings), NULL, NULL, NULL, statsd_options },
    { 0 },
};

static bool is_stream(const struct statsd *self)
{
    return self->settings.transport >= STATSD_TCP && self->settings.transport <= STATSD_TCP6;
}

static const char *transport_name(const struct statsd *self)
{
    return is_stream(self) ? "tcp" : self->settings.transport == STATSD_UNIXGRAM ? "unixgram" : "udp";
}

/* ---- lines ---- */

/* A sender as a number: by address and port, by address, or everybody is one. */
static uint64_t peer_number(const struct statsd *self, const struct sockaddr *peer)
{
    struct {
        uint8_t address[16];
        uint16_t port;
    } who = { .port = 0 };

    if (self->settings.ignore_host || (peer->sa_family != AF_INET && peer->sa_family != AF_INET6))
        return 0;
    if (peer->sa_family == AF_INET) {
        memcpy(who.address, &((const struct sockaddr_in *)peer)->sin_addr, 4);
        who.port = ((const struct sockaddr_in *)peer)->sin_port;
    } else {
        memcpy(who.address, &((const struct sockaddr_in6 *)peer)->sin6_addr, 16);
        who.port = ((const struct sockaddr_in6 *)peer)->sin6_port;
    }
    if (self->settings.enable_ip_only_aggregation)
        who.port = 0;
    return hash_bytes(slice_of(&who, sizeof(who))) | 1;
}

static void refuse(struct statsd *self, enum signal signal, const char *reason, struct slice line)
{
    component_count_dropped(&self->base, signal, reason, 1);
    if (log_enabled(LOG_DEBUG))
        log_debug(
            self->base.path, "refused a line: %s: \"%.*s\"", reason, (int)(line.size < 200 ? line.size : 200), (const char *)line.data);
}

static void take_event(struct statsd *self, struct slice line)
{
    const char *fault = "no_logs_pipeline";

    if (component_takes(&self->base, SIGNAL_LOGS))
        fault = self->events.size < max_events ? statsd_event(line, self->now_ns, &self->events) : "too_many_events";
    if (fault == NULL)
        self->event_count++;
    else
        refuse(self, SIGNAL_LOGS, fault, line);
}

static void take_line(struct statsd *self, struct slice line, const struct statsd_origin *origin)
{
    const char *fault;

    while (line.size > 0 && (line.data[line.size - 1] == '\r' || line.data[line.size - 1] == ' '))
        line.size--;
    if (line.size == 0)
        return;
    if (line.data[0] == '_' && statsd_is_event(line)) {
        take_event(self, line);
        return;
    }
    fault = component_takes(&self->base, SIGNAL_METRICS) ? statsd_table_add(self->table, line, origin) : "no_metrics_pipeline";
    if (fault != NULL)
        refuse(self, SIGNAL_METRICS, fault, line);
}

/* All lines; without `at_end` a last one that is not ended is left. Returns the bytes that were used. */
static size_t take_lines(struct statsd *self, struct slice bytes, bool at_end, const struct sockaddr *peer)
{
    struct statsd_origin origin;
    size_t used = 0;

    if (self->now_ns == 0)
        self->now_ns = clock_wall_nanos();
    origin = (struct statsd_origin){ peer_number(self, peer), self->now_ns };
    while (used < bytes.size) {
        const uint8_t *start = bytes.data + used, *end = memchr(start, '\n', bytes.size - used);

        if (end == NULL && !at_end)
            break;
        take_line(self, slice_of(start, end != NULL ? (size_t)(end - start) : bytes.size - used), &origin);
        used = end != NULL ? (size_t)(end + 1 - bytes.data) : bytes.size;
    }
    return used;
}

static void take_datagram(void *context, struct slice bytes, const struct sockaddr *peer)
{
    take_lines(context, bytes, true, peer);
}

static ptrdiff_t take_stream(void *context, struct slice bytes, bool at_end, const struct sockaddr *peer)
{
    return (ptrdiff_t)take_lines(context, bytes, at_end, peer);
}

static void count_truncated(void *context)
{
    component_count_dropped(context, SIGNAL_METRICS, "too_long", 1);
}

static void count_kernel_drops(void *context, uint64_t count)
{
    struct statsd *self = context;

    component_count_dropped(&self->base, SIGNAL_METRICS, "kernel", count);
    log_warn(self->base.path,
        "the kernel dropped %llu datagrams that were not read in time; raise socket_buffer_size (and net.core.rmem_max)",
        (unsigned long long)count);
}

static void count_fault(void *context, const char *reason)
{
    component_count_dropped(context, SIGNAL_METRICS, reason, 1);
}

/* ---- sending on ---- */

static void send_events(void *context)
{
    struct statsd *self = context;

    self->now_ns = 0;
    if (self->event_count == 0)
        return;
    buffer_clear(&self->request);
    statsd_events_request(buffer_slice(&self->events), &self->request);
    produce(self->producer, SIGNAL_LOGS, &self->request, self->event_count);
    buffer_clear(&self->events);
    self->event_count = 0;
}

static void flush(void *context)
{
    struct statsd *self = context;
    uint64_t now = clock_wall_nanos();
    size_t points = statsd_table_flush(self->table, self->interval_start_ns, now, &self->metrics);

    self->interval_start_ns = now;
    if (points > 0)
        produce(self->producer, SIGNAL_METRICS, &self->metrics, points);
    buffer_fini(&self->metrics); /* a minute is a long time to hold it */
}

/* ---- life ---- */

static bool statsd_validate(struct component *component, struct error *err)
{
    const struct statsd *self = (const struct statsd *)component;
    struct statsd_rules rules;
    bool valid = statsd_rules_init(&rules, &self->settings, err);

    statsd_rules_fini(&rules);
    return valid;
}

static int family_of(int transport)
{
    static const int families[] = { [STATSD_UDP] = AF_UNSPEC,
        [STATSD_UDP4] = AF_INET,
        [STATSD_UDP6] = AF_INET6,
        [STATSD_TCP] = AF_UNSPEC,
        [STATSD_TCP4] = AF_INET,
        [STATSD_TCP6] = AF_INET6,
        [STATSD_UNIXGRAM] = AF_UNIX };

    return families[transport];
}

static bool listen_stream(struct statsd *self, struct error *err)
{
    struct feed_settings settings = { .endpoint = self->settings.endpoint,
        .family = family_of(self->settings.transport),
        .idle_timeout_ns = self->settings.tcp_idle_timeout_ns,
        .max_connections = (size_t)self->settings.max_connections,
        .max_pending = STATSD_MAX_LINE };
    struct feed_handler handler = { self, take_stream, count_fault, send_events };

    self->feed = feed_start(&settings, self->loop, &handler, err);
    return self->feed != NULL;
}

static bool listen_datagrams(struct statsd *self, struct error *err)
{
    struct datagram_settings settings = { self->settings.endpoint, family_of(self->settings.transport), 0,
        self->settings.socket_buffer_size };
    struct datagram_handler handler = { self, take_datagram, count_truncated, count_kernel_drops, send_events };

    if (settings.family == AF_UNIX && strcmp(settings.endpoint, "localhost:8125") == 0)
        settings.endpoint = default_unix_path;
    self->datagrams = datagram_start(&settings, self->loop, &handler, err);
    return self->datagrams != NULL;
}

static bool statsd_start(struct component *component, struct error *err)
{
    struct statsd *self = (struct statsd *)component;

    if (!statsd_rules_init(&self->rules, &self->settings, err))
        return false;
    self->table = statsd_table_create(&self->rules);
    if (self->table == NULL)
        return fail(err, "not enough memory");
    self->producer = producer_create(component, transport_name(self));
    self->loop = loop_data(hash_bytes(slice_of_string(component->id)) % loop_data_count());
    self->interval_start_ns = clock_wall_nanos();
    if (!(is_stream(self) ? listen_stream(self, err) : listen_datagrams(self, err)))
        return false;
    self->timer = loop_timer_start(self->loop, self->settings.aggregation_interval_ns, self->settings.aggregation_interval_ns, flush, self);
    return self->timer != NULL || fail(err, "could not start the timer of aggregation_interval");
}

/* What was added up so far is sent on. */
static void statsd_stop(struct component *component)
{
    struct statsd *self = (struct statsd *)component;

    datagram_stop(self->datagrams);
    feed_stop(self->feed);
    loop_timer_stop(self->timer);
    if (self->producer != NULL && self->table != NULL) {
        send_events(self);
        flush(self);
    }
    producer_destroy(self->producer);
    statsd_table_destroy(self->table);
    statsd_rules_fini(&self->rules);
    buffer_fini(&self->events);
    buffer_fini(&self->request);
}

const struct component_type statsd_receiver = {
    .name = "statsd",
    .kind = COMPONENT_RECEIVER,
    .signals = SIGNALS_METRICS | SIGNALS_LOGS,
    .stability = STABILITY_BETA,
    .summary = "Receives StatsD and DogStatsD lines over UDP, TCP or a unix socket and adds them up; DogStatsD's events and service checks "
               "become log records.",
    .options = options,
    .instance_size = sizeof(struct statsd),
    .validate = statsd_validate,
    .start = statsd_start,
    .stop = statsd_stop,
};
