/*
 * What the kafka receiver and exporter share: the OpenTelemetry Collector's client block (brokers, tls, auth, metadata), turned
 * into a librdkafka configuration, and librdkafka's complaints, told once a stretch.
 *
 * Threads: settings are used on the control thread; a client's words come from librdkafka's threads, at any time.
 */
#ifndef WEIR_COLLECTOR_KAFKA_CLIENT_H
#define WEIR_COLLECTOR_KAFKA_CLIENT_H

#include <librdkafka/rdkafka.h>
#include <stdatomic.h>

#include "collector/base/error.h"
#include "collector/config/option.h"
#include "collector/net/tls.h"

struct kafka_credentials {
    const char *username, *password;
    const char *mechanism; /* of auth.sasl only */
};

struct kafka_client_settings {
    struct option_strings brokers;
    const char *protocol_version, *client_id;
    int64_t conn_idle_timeout_ns;
    bool tls_present, auth_tls_present, sasl_present, plain_text_present;
    struct tls_settings tls, auth_tls; /* auth_tls: the deprecated place */
    struct kafka_credentials sasl, plain_text;
    bool full_metadata;
    int64_t refresh_interval_ns, metadata_backoff_ns;
};

/* All keys of the block; offsets into struct kafka_client_settings. OPTION_INCLUDE it. */
extern const struct option kafka_client_options[];

/* Checks across the options, opens nothing. */
bool kafka_client_check(const struct kafka_client_settings *settings, struct error *err);

/*
 * One client (producer or consumer) as its log lines see it. It is the opaque of the librdkafka handle, so whoever has callbacks
 * of his own embeds it first. Zeroed but for `path`.
 */
struct kafka_client {
    const char *path;    /* of the component: "exporters.kafka"; borrowed */
    atomic_bool up;      /* something came through since all brokers were last said to be down */
    atomic_bool failing; /* a stretch of trouble has been told of */
    atomic_int_fast64_t failing_since_ns;
    atomic_uint_fast64_t complaints;
};

/* A configuration with the block's settings, for rd_kafka_new. NULL with the error. The client must outlive the handle. */
rd_kafka_conf_t *kafka_client_conf(const struct kafka_client_settings *settings, struct kafka_client *client, struct error *err);

/* Sets one property; librdkafka's own words when it refuses. conf NULL (an earlier failure) is false. */
bool kafka_conf_set(rd_kafka_conf_t *conf, const char *name, const char *value, struct error *err);
bool kafka_conf_set_number(rd_kafka_conf_t *conf, const char *name, int64_t value, struct error *err);
/* Nanoseconds into a property in milliseconds, kept between `least` and `most`. */
struct kafka_millis {
    int64_t nanos, least, most;
};
bool kafka_conf_set_millis(rd_kafka_conf_t *conf, const char *name, struct kafka_millis value, struct error *err);

/* Something is wrong (or right again) with the brokers: the first of a stretch is a warning, the next are debug lines, the end is told. */
void kafka_client_complain(struct kafka_client *client, const char *text);
void kafka_client_works(struct kafka_client *client);

#endif
