/*
 * The receivers syslog, tcp_log and udp_log: one instance, three option tables (syslog.c, tcp_log.c, udp_log.c). listener.c has its life, stream.c
 * and datagram.c what comes in, record.c what becomes of one log. Private to this folder.
 */
#ifndef WEIR_RECEIVERS_SYSLOG_LISTENER_H
#define WEIR_RECEIVERS_SYSLOG_LISTENER_H

#include "collector/base/arena.h"
#include "collector/net/datagram_server.h"
#include "collector/settings.h"
#include "collector/stream_intake.h"
#include "collector/wire/syslog.h"
#include "receivers/syslog/framing.h"

enum log_encoding { LOG_UTF8, LOG_UTF8_RAW, LOG_NOP };
enum log_on_error { LOG_SEND, LOG_DROP, LOG_SEND_QUIET, LOG_DROP_QUIET };
enum log_parse { LOG_PLAIN, LOG_SYSLOG };

struct ottl_zone;
struct log_link;

/* What tcp and udp have in common comes first in both. */
struct log_input {
    const char *listen_address;
    int encoding; /* enum log_encoding */
    bool add_attributes, one_log_per_packet, preserve_leading, preserve_trailing;
};

struct log_listener {
    struct component base;
    bool tcp_present, udp_present;
    struct log_input tcp, udp;     /* options */
    const char *max_log_size_text; /* option */
    int64_t max_log_size;          /* of the text, by validate */
    bool tls_present;
    struct tls_settings tls;
    struct option_pairs attributes, resource;
    int protocol; /* enum syslog_protocol + 1: 0 is not given */
    const char *location, *trailer;
    bool octet_counting, allow_skip_pri_header;
    int64_t max_octets;
    int on_error;

    struct framing framing;
    struct syslog_rules rules;
    struct arena arena;           /* of the receiver's life */
    const struct ottl_zone *zone; /* in the arena */
    struct buffer raw_attributes; /* of each record, ready to be appended */
    struct buffer raw_resource;
    struct stream_server *streams; /* owned; NULL: none */
    struct datagram_server *datagrams;
    struct log_link *link; /* one reference */
};

extern const struct option log_tcp_options[], log_udp_options[]; /* offsets into struct log_listener */
extern const struct option log_shared_options[];
extern const struct stream_protocol log_stream_protocol;

bool log_listener_validate(struct component *component, struct error *err);
bool log_listener_start(struct component *component, struct error *err);
void log_listener_stop(struct component *component);

/* "unix:///path" is a path; NULL: it is "host:port". */
const char *log_unix_path(const char *listen_address);

/* ---- records ---- */

struct log_source {
    struct log_listener *self;
    const struct log_input *input;
    const char *transport; /* "IP.TCP" ... */
    const char *peer;
    uint64_t now;
};

/* Appends one log, or nothing when it is empty or dropped. */
void log_append(const struct log_source *source, const struct frame *frame, struct otlp_logs *logs);

/* datagram.c */
struct log_link *log_link_create(struct component *component);
void log_link_cut(struct log_link *link); /* NULL is fine */
void log_take_datagrams(void *context, const struct datagram *datagrams, size_t count);
bool log_datagrams_ready(void *context);

#endif
