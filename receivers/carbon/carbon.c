/*
 * carbon receiver: Graphite's data points as lines over TCP or UDP, or as pickles over TCP, each one an OTLP metric.
 *
 * Cost: some 300 ns a point; what came in one read is one batch. Limits: a line of 16 KiB, a pickle of 192 KiB, max_connections.
 * Threads: start and stop on the control thread; everything else on one data loop.
 */
#include <stdlib.h>

#include "collector/base/clock.h"
#include "collector/base/hash.h"
#include "collector/base/log.h"
#include "collector/component.h"
#include "collector/net/datagram.h"
#include "collector/net/feed.h"
#include "collector/produce.h"
#include "receivers/carbon/line.h"
#include "receivers/carbon/pickle.h"

enum { MAX_PICKLE = 192 << 10, PICKLE_HEAD = 4, MAX_REQUEST = 1 << 20 };
enum { PROTOCOL_PLAINTEXT, PROTOCOL_PICKLE };
enum { PARSER_PLAINTEXT, PARSER_REGEX };

struct carbon {
    struct component base; /* first, so that a component is a carbon */
    const char *endpoint, *name_separator;
    int transport, protocol, parser;
    int64_t tcp_idle_timeout_ns, max_connections, socket_buffer_size;
    struct option_list rule_settings;
    struct carbon_rules rules;
    struct producer *producer;
    struct loop *loop;
    struct datagram_socket *datagrams;
    struct feed *feed;
    struct buffer request;
    struct metric_writer writer;
    uint64_t now_ns; /* of this burst; 0: none is under way */
};

#define FIELD(field) offsetof(struct carbon, field)
static const struct option rule_options[] = {
    { "regexp", OPTION_STRING, offsetof(struct carbon_rule_settings, regexp), NULL, "nonempty",
        "matched with the path; its groups key_NAME become attributes, name_... parts of the name", .flags = OPTION_REQUIRED },
    { "name_prefix", OPTION_STRING, offsetof(struct carbon_rule_settings, name_prefix), NULL, NULL, "what the name begins with" },
    { "labels", OPTION_PAIRS, offsetof(struct carbon_rule_settings, labels), NULL, NULL, "attributes that are added" },
    { "type", OPTION_ENUM, offsetof(struct carbon_rule_settings, type), "gauge", "gauge|cumulative", "cumulative: a monotonic sum" },
    { 0 },
};
static const struct option config_options[] = {
    { "rules", OPTION_LIST, FIELD(rule_settings), NULL, NULL, "tried in this order; a path that none matches is read as plaintext",
        rule_options, sizeof(struct carbon_rule_settings) },
    { "name_separator", OPTION_STRING, FIELD(name_separator), NULL, NULL, "between the parts of a name" },
    { 0 },
};
static const struct option parser_options[] = {
    { "type", OPTION_ENUM, FIELD(parser), "plaintext", "plaintext|regex", "plaintext: name;key=value;key=value" },
    { "config", OPTION_BLOCK, 0, NULL, NULL, "of the parser regex", config_options },
    { 0 },
};
static const struct option options[] = {
    { "endpoint", OPTION_STRING, FIELD(endpoint), "localhost:2003", "nonempty", "address to listen on" },
    { "transport", OPTION_ENUM, FIELD(transport), "tcp", "tcp|udp", "how lines come" },
    { "tcp_idle_timeout", OPTION_DURATION, FIELD(tcp_idle_timeout_ns), "30s", NULL,
        "a connection that is silent for so long is closed; 0: never" },
    { "parser", OPTION_BLOCK, 0, NULL, NULL, "how paths are read", parser_options },
    { "protocol", OPTION_ENUM, FIELD(protocol), "plaintext", "plaintext|pickle",
        "pickle: each a length of four bytes and a list of points, over TCP; read as data, never run", .flags = OPTION_WEIR },
    { "max_connections", OPTION_INT, FIELD(max_connections), "1024", "1..1000000", "TCP connections", .flags = OPTION_WEIR },
    { "socket_buffer_size", OPTION_INT, FIELD(socket_buffer_size), "0", "0..1073741824",
        "bytes of UDP that the kernel keeps until they are read; 0: the system's default", .flags = OPTION_WEIR },
    { 0 },
};

/* ---- points ---- */

static void refuse(void *context, const char *reason)
{
    component_count_dropped(context, SIGNAL_METRICS, reason, 1);
}

static void send_points(void *context)
{
    struct carbon *self = context;

    self->now_ns = 0;
    if (self->writer.out == NULL)
        return;
    if (self->writer.points > 0) {
        metric_write_end_group(&self->writer);
        produce(self->producer, SIGNAL_METRICS, &self->request, self->writer.points);
    }
    self->writer = (struct metric_writer){ .out = NULL };
    buffer_clear(&self->request);
}

static void take_point(void *context, const struct carbon_point *point)
{
    struct carbon *self = context;
    const char *fault;

    if (self->writer.out == NULL) {
        self->writer = metric_writer_of(&self->request);
        metric_write_group(&self->writer);
        metric_write_scope(&self->writer, SLICE("weir/carbon"), SLICE(WEIR_VERSION));
    }
    fault = carbon_write(&self->rules, point, &self->writer);
    if (fault != NULL)
        refuse(self, fault);
    if (self->request.size > MAX_REQUEST)
        send_points(self);
}

static void take_line(struct carbon *self, struct slice line)
{
    struct carbon_point point;
    const char *fault;

    line = slice_trim(line);
    if (line.size > 0 && line.data[line.size - 1] == '\r')
        line.size--;
    if (line.size == 0)
        return;
    fault = carbon_line(line, self->now_ns, &point);
    if (fault == NULL) {
        take_point(self, &point);
        return;
    }
    refuse(self, fault);
    if (log_enabled(LOG_DEBUG))
        log_debug(
            self->base.path, "refused a line: %s: \"%.*s\"", fault, (int)(line.size < 200 ? line.size : 200), (const char *)line.data);
}

/* ---- what comes ---- */

static void begin_burst(struct carbon *self)
{
    if (self->now_ns == 0)
        self->now_ns = clock_wall_nanos();
}

static ptrdiff_t take_lines(void *context, struct slice bytes, bool at_end, const struct sockaddr *peer)
{
    struct carbon *self = context;
    size_t used = 0;

    (void)peer;
    while (used < bytes.size) {
        const uint8_t *start = bytes.data + used, *end = memchr(start, '\n', bytes.size - used);

        if (end == NULL && !at_end)
            break;
        begin_burst(self);
        take_line(self, slice_of(start, end != NULL ? (size_t)(end - start) : bytes.size - used));
        used = end != NULL ? (size_t)(end + 1 - bytes.data) : bytes.size;
    }
    return (ptrdiff_t)used;
}

static void take_datagram(void *context, struct slice bytes, const struct sockaddr *peer)
{
    take_lines(context, bytes, true, peer);
}

static ptrdiff_t take_pickles(void *context, struct slice bytes, bool at_end, const struct sockaddr *peer)
{
    struct carbon *self = context;
    struct pickle_visit visit = { self, take_point, refuse };
    size_t used = 0;

    (void)peer;
    while (bytes.size - used >= PICKLE_HEAD) {
        const uint8_t *head = bytes.data + used;
        size_t size = (size_t)head[0] << 24 | (size_t)head[1] << 16 | (size_t)head[2] << 8 | head[3];
        const char *fault;

        if (size > MAX_PICKLE) {
            refuse(self, "too_long");
            return FEED_CLOSE;
        }
        if (bytes.size - used - PICKLE_HEAD < size)
            break;
        begin_burst(self);
        fault = pickle_read(slice_of(head + PICKLE_HEAD, size), self->now_ns, &visit);
        if (fault != NULL) {
            refuse(self, fault);
            return FEED_CLOSE;
        }
        used += PICKLE_HEAD + size;
    }
    if (at_end && used < bytes.size)
        refuse(self, "cut_pickle");
    return (ptrdiff_t)used;
}

static void count_truncated(void *context)
{
    refuse(context, "too_long");
}

static void count_kernel_drops(void *context, uint64_t count)
{
    struct carbon *self = context;

    component_count_dropped(&self->base, SIGNAL_METRICS, "kernel", count);
    log_warn(self->base.path,
        "the kernel dropped %llu datagrams that were not read in time; raise socket_buffer_size (and net.core.rmem_max)",
        (unsigned long long)count);
}

/* ---- life ---- */

static const struct option_list *rules_of(const struct carbon *self)
{
    static const struct option_list none;

    return self->parser == PARSER_REGEX ? &self->rule_settings : &none;
}

static bool carbon_validate(struct component *component, struct error *err)
{
    const struct carbon *self = (const struct carbon *)component;
    struct carbon_rules rules;
    bool valid;

    if (self->protocol == PROTOCOL_PICKLE && self->transport != 0)
        return fail(err, "protocol: pickles come over TCP only: set transport to tcp");
    if (self->parser == PARSER_REGEX && self->rule_settings.count == 0)
        return fail(err, "parser.config.rules: the parser regex needs at least one rule");
    valid = carbon_rules_init(&rules, rules_of(self), self->name_separator, err);
    carbon_rules_fini(&rules);
    return valid || fail_within(err, "parser.config");
}

static bool carbon_start(struct component *component, struct error *err)
{
    struct carbon *self = (struct carbon *)component;
    struct datagram_settings datagrams = { .endpoint = self->endpoint, .buffer_size = self->socket_buffer_size };
    struct datagram_handler datagram_handler = { self, take_datagram, count_truncated, count_kernel_drops, send_points };
    struct feed_settings feed = { .endpoint = self->endpoint,
        .idle_timeout_ns = self->tcp_idle_timeout_ns,
        .max_connections = (size_t)self->max_connections,
        .max_pending = self->protocol == PROTOCOL_PICKLE ? MAX_PICKLE + PICKLE_HEAD : CARBON_MAX_LINE };
    struct feed_handler feed_handler = { self, self->protocol == PROTOCOL_PICKLE ? take_pickles : take_lines, refuse, send_points };

    if (!carbon_rules_init(&self->rules, rules_of(self), self->name_separator, err))
        return false;
    self->producer = producer_create(component, self->transport == 0 ? "tcp" : "udp");
    self->loop = loop_data(hash_bytes(slice_of_string(component->id)) % loop_data_count());
    if (self->transport == 0)
        self->feed = feed_start(&feed, self->loop, &feed_handler, err);
    else
        self->datagrams = datagram_start(&datagrams, self->loop, &datagram_handler, err);
    return self->feed != NULL || self->datagrams != NULL;
}

static void carbon_stop(struct component *component)
{
    struct carbon *self = (struct carbon *)component;

    datagram_stop(self->datagrams);
    feed_stop(self->feed);
    producer_destroy(self->producer);
    carbon_rules_fini(&self->rules);
    buffer_fini(&self->request);
}

const struct component_type carbon_receiver = {
    .name = "carbon",
    .kind = COMPONENT_RECEIVER,
    .signals = SIGNALS_METRICS,
    .stability = STABILITY_BETA,
    .summary =
        "Receives Graphite's data points: lines over TCP or UDP, pickles over TCP; names with tags, or taken apart by regular expressions.",
    .options = options,
    .instance_size = sizeof(struct carbon),
    .validate = carbon_validate,
    .start = carbon_start,
    .stop = carbon_stop,
};
