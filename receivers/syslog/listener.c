/*
 * What syslog, tcp_log and udp_log share: their options, and their life. Attributes that every record gets are made into wire form once.
 * Threads: start and stop on the control thread; sessions and datagrams on the data loops.
 */
#include "receivers/syslog/listener.h"

#include <stdlib.h>

#include "collector/base/clock.h"
#include "collector/base/log.h"
#include "collector/net/socket.h"
#include "collector/ottl/zone.h"

enum { UNDELIMITED_MAX = 64 << 10, LOG_SIZE_MIN = 64 << 10, LOG_SIZE_MAX = 1 << 30 };
static const int64_t stop_grace_ns = 2 * NANOS_PER_SECOND;

#define AT(field) offsetof(struct log_listener, field)
static const char encodings[] = "utf-8|utf-8-raw|nop";
static const char encoding_help[] = "utf-8 and utf-8-raw: bad bytes become U+FFFD; nop: bodies are bytes, as they came";

const struct option log_tcp_options[] = {
    { "listen_address", OPTION_STRING, AT(tcp.listen_address), NULL, "nonempty", "\"host:port\"; weir takes \"unix:///path\" too",
        .flags = OPTION_REQUIRED },
    { "max_log_size", OPTION_STRING, AT(max_log_size_text), "1MiB", "nonempty",
        "a longer log is cut into several; bytes, or such as 64KiB" },
    { "tls", OPTION_BLOCK, AT(tls), NULL, NULL, "speak TLS", tls_server_options, .present = AT(tls_present) },
    { "add_attributes", OPTION_BOOL, AT(tcp.add_attributes), "false", NULL,
        "say where a log came from: net.transport, net.peer.ip, net.peer.port" },
    { "one_log_per_packet", OPTION_UNSUPPORTED, 0, "false", NULL, "a log for each read of the connection" },
    { "encoding", OPTION_ENUM, AT(tcp.encoding), "utf-8", encodings, encoding_help },
    { "preserve_leading_whitespaces", OPTION_BOOL, AT(tcp.preserve_leading), "false", NULL, "keep white space at a log's beginning" },
    { "preserve_trailing_whitespaces", OPTION_BOOL, AT(tcp.preserve_trailing), "false", NULL, "keep white space at a log's end" },
    { "multiline", OPTION_UNSUPPORTED, 0, NULL, NULL, "logs of several lines" },
    { 0 },
};

const struct option log_udp_options[] = {
    { "listen_address", OPTION_STRING, AT(udp.listen_address), NULL, "nonempty",
        "\"host:port\"; weir takes \"unix:///path\" too (datagrams, as of /dev/log)", .flags = OPTION_REQUIRED },
    { "add_attributes", OPTION_BOOL, AT(udp.add_attributes), "false", NULL,
        "say where a log came from: net.transport, net.peer.ip, net.peer.port" },
    { "one_log_per_packet", OPTION_BOOL, AT(udp.one_log_per_packet), "false", NULL, "a datagram is one log, whatever its lines" },
    { "encoding", OPTION_ENUM, AT(udp.encoding), "utf-8", encodings, encoding_help },
    { "preserve_leading_whitespaces", OPTION_BOOL, AT(udp.preserve_leading), "false", NULL, "keep white space at a log's beginning" },
    { "preserve_trailing_whitespaces", OPTION_BOOL, AT(udp.preserve_trailing), "false", NULL, "keep white space at a log's end" },
    { "multiline", OPTION_UNSUPPORTED, 0, NULL, NULL, "logs of several lines" },
    { "async", OPTION_IGNORED, 0, NULL, NULL, "datagrams are read many at once by one thread" },
    { 0 },
};

const struct option log_shared_options[] = {
    { "attributes", OPTION_PAIRS, AT(attributes), NULL, NULL, "attributes that every record gets" },
    { "resource", OPTION_PAIRS, AT(resource), NULL, NULL, "attributes of the resource" },
    { "operators", OPTION_UNSUPPORTED, 0, NULL, NULL, "what is done to each record; use the transform processor" },
    { "storage", OPTION_IGNORED, 0, NULL, NULL, "these receivers keep nothing on disk" },
    { "retry_on_failure", OPTION_IGNORED, 0, NULL, NULL,
        "what pipelines cannot take is always tried again while a stream's sender is held up; datagrams are dropped" },
    { 0 },
};

const char *log_unix_path(const char *listen_address)
{
    static const char prefix[] = "unix://";

    return strncmp(listen_address, prefix, sizeof(prefix) - 1) == 0 ? listen_address + sizeof(prefix) - 1 : NULL;
}

/* ---- checking ---- */

/* "1048576", "64KiB", "1MiB", "1MB". */
static bool read_size(const char *text, int64_t *out, struct error *err)
{
    static const struct {
        const char *unit;
        int64_t factor;
    } units[] = { { "", 1 }, { "b", 1 }, { "kib", 1 << 10 }, { "mib", 1 << 20 }, { "gib", 1 << 30 }, { "k", 1 << 10 }, { "m", 1 << 20 },
        { "kb", 1000 }, { "mb", 1000000 }, { "gb", 1000000000 } };
    char *unit;
    long long number = strtoll(text, &unit, 10);

    while (*unit == ' ')
        unit++;
    for (size_t i = 0; unit != text && i < sizeof(units) / sizeof(units[0]); i++) {
        if (strcasecmp(unit, units[i].unit) != 0 || number < 1 || number > LOG_SIZE_MAX / units[i].factor)
            continue;
        *out = number * units[i].factor;
        return *out >= LOG_SIZE_MIN || fail(err, "max_log_size: \"%s\" is too small: at least 64KiB", text);
    }
    return fail(err, "max_log_size: \"%s\" is no size up to 1GiB: write it as 65536, 64KiB or 1MiB", text);
}

static bool check_address(const struct log_input *input, struct error *err)
{
    struct socket_endpoint parsed;

    return input->listen_address == NULL || log_unix_path(input->listen_address) != NULL ||
           socket_parse_endpoint(input->listen_address, &parsed, err);
}

static bool check_framing(const struct log_listener *self, struct error *err)
{
    if (self->octet_counting && self->trailer != NULL && self->trailer[0] != '\0')
        return fail(err, "enable_octet_counting and non_transparent_framing_trailer exclude each other");
    return true;
}

bool log_listener_validate(struct component *component, struct error *err)
{
    struct log_listener *self = (struct log_listener *)component;
    struct arena arena = { 0 };
    bool right = (self->max_log_size_text == NULL || read_size(self->max_log_size_text, &self->max_log_size, err)) &&
                 check_address(&self->tcp, err) && check_address(&self->udp, err) && check_framing(self, err) &&
                 (!self->tls_present || tls_settings_check(&self->tls, true, err) || fail_within(err, "tls"));

    if (right && self->location != NULL)
        right = ottl_zone_load(slice_of_string(self->location), &arena, err) != NULL || fail_within(err, "location");
    arena_fini(&arena);
    return right;
}

/* ---- starting ---- */

static void append_pairs(struct buffer *out, uint32_t number, const struct option_pairs *pairs)
{
    for (size_t i = 0; i < pairs->count; i++) {
        size_t pair = pb_open(out, number), value;

        pb_put_bytes(out, 1, slice_of_string(pairs->items[i].key));
        value = pb_open(out, 2);
        pb_put_bytes(out, OTLP_VALUE_STRING, slice_of_string(pairs->items[i].value));
        pb_close(out, value);
        pb_close(out, pair);
    }
}

static bool prepare(struct log_listener *self, struct error *err)
{
    bool nul = self->trailer != NULL && strcmp(self->trailer, "NUL") == 0;

    self->framing = (struct framing){ self->octet_counting ? FRAMING_OCTETS
                                      : nul                ? FRAMING_NUL
                                                           : FRAMING_LINES,
        (size_t)self->max_log_size, (size_t)self->max_octets };
    self->rules =
        (struct syslog_rules){ self->protocol == 1 + SYSLOG_RFC5424 ? SYSLOG_RFC5424 : SYSLOG_RFC3164, self->allow_skip_pri_header };
    append_pairs(&self->raw_attributes, OTLP_LOG_ATTRIBUTES, &self->attributes);
    append_pairs(&self->raw_resource, OTLP_ATTRIBUTES_OF_RESOURCE, &self->resource);
    self->zone = ottl_zone_load(slice_of_string(self->location != NULL ? self->location : "UTC"), &self->arena, err);
    return self->zone != NULL;
}

static bool admit(void *context, size_t bytes)
{
    return component_admit(context, bytes);
}

static void fault(void *context, const char *peer, const char *reason)
{
    struct log_listener *self = context;

    log_warn(self->base.path, "connection from %s ended: %s", peer, reason);
    component_count_dropped(&self->base, SIGNAL_LOGS, reason, 1);
}

static bool start_streams(struct log_listener *self, struct error *err)
{
    const char *path = log_unix_path(self->tcp.listen_address);
    int64_t counted = self->octet_counting && self->max_octets > self->max_log_size ? self->max_octets : self->max_log_size;
    struct stream_server_settings settings = { .endpoint = path != NULL ? path : self->tcp.listen_address,
        .is_unix = path != NULL,
        .tls = self->tls_present ? &self->tls : NULL,
        .max_pending = (size_t)counted + UNDELIMITED_MAX };
    struct stream_service service = { .protocol = &log_stream_protocol, .context = self, .admission = { admit, self }, .fault = fault };

    self->streams = stream_server_start(&settings, &service, err);
    return self->streams != NULL;
}

static bool start_datagrams(struct log_listener *self, struct error *err)
{
    const char *path = log_unix_path(self->udp.listen_address);
    struct datagram_service service = { self, log_take_datagrams, log_datagrams_ready };

    self->link = log_link_create(&self->base);
    self->datagrams = datagram_server_start(path != NULL ? path : self->udp.listen_address, path != NULL, &service, err);
    return self->datagrams != NULL;
}

bool log_listener_start(struct component *component, struct error *err)
{
    struct log_listener *self = (struct log_listener *)component;

    if (!prepare(self, err))
        return false;
    if (self->tcp.listen_address != NULL && !start_streams(self, err))
        return false;
    return self->udp.listen_address == NULL || start_datagrams(self, err);
}

void log_listener_stop(struct component *component)
{
    struct log_listener *self = (struct log_listener *)component;

    datagram_server_stop(self->datagrams);
    stream_server_stop(self->streams, stop_grace_ns);
    log_link_cut(self->link);
    buffer_fini(&self->raw_attributes);
    buffer_fini(&self->raw_resource);
    arena_fini(&self->arena);
    self->datagrams = NULL;
    self->streams = NULL;
    self->link = NULL;
}
