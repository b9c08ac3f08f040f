/*
 * From settings to a librdkafka configuration, and from librdkafka's log to ours.
 *
 * Anything that keeps a broker away is said by librdkafka again and again, by each of its threads; here the first complaint is
 * a warning, and the next line of that kind is the one that says it is over.
 */
#include "collector/kafka/client.h"

#include <stdio.h>
#include <string.h>

#include "collector/base/buffer.h"
#include "collector/base/clock.h"
#include "collector/base/log.h"

enum { SYSLOG_WARNING = 4, RECONNECT_MILLIS = 3000 };

/* ---- properties ---- */

bool kafka_conf_set(rd_kafka_conf_t *conf, const char *name, const char *value, struct error *err)
{
    char text[512];

    if (conf == NULL)
        return false;
    return rd_kafka_conf_set(conf, name, value, text, sizeof(text)) == RD_KAFKA_CONF_OK || fail(err, "%s", text);
}

bool kafka_conf_set_number(rd_kafka_conf_t *conf, const char *name, int64_t value, struct error *err)
{
    char text[32];

    snprintf(text, sizeof(text), "%lld", (long long)value);
    return kafka_conf_set(conf, name, text, err);
}

bool kafka_conf_set_millis(rd_kafka_conf_t *conf, const char *name, struct kafka_millis value, struct error *err)
{
    int64_t millis = value.nanos / NANOS_PER_MILLI;

    if (millis < value.least)
        millis = value.least;
    if (millis > value.most)
        millis = value.most;
    return kafka_conf_set_number(conf, name, millis, err);
}

static bool set_if(rd_kafka_conf_t *conf, const char *name, const char *value, struct error *err)
{
    return value == NULL || *value == '\0' || kafka_conf_set(conf, name, value, err);
}

static bool set_tls(rd_kafka_conf_t *conf, const struct tls_settings *tls, struct error *err)
{
    if (tls->insecure_skip_verify && !(kafka_conf_set(conf, "enable.ssl.certificate.verification", "false", err) &&
                                         kafka_conf_set(conf, "ssl.endpoint.identification.algorithm", "none", err)))
        return false;
    if (!tls->insecure_skip_verify && !kafka_conf_set(conf, "ssl.endpoint.identification.algorithm", "https", err))
        return false;
    return set_if(conf, "ssl.ca.location", tls->ca_file, err) && set_if(conf, "ssl.ca.pem", tls->ca_pem, err) &&
           set_if(conf, "ssl.certificate.location", tls->cert_file, err) && set_if(conf, "ssl.certificate.pem", tls->cert_pem, err) &&
           set_if(conf, "ssl.key.location", tls->key_file, err) && set_if(conf, "ssl.key.pem", tls->key_pem, err);
}

static bool set_sasl(rd_kafka_conf_t *conf, const struct kafka_credentials *credentials, const char *mechanism, struct error *err)
{
    return kafka_conf_set(conf, "sasl.mechanisms", mechanism, err) && set_if(conf, "sasl.username", credentials->username, err) &&
           set_if(conf, "sasl.password", credentials->password, err);
}

static bool set_security(rd_kafka_conf_t *conf, const struct kafka_client_settings *settings, struct error *err)
{
    const struct tls_settings *tls = settings->tls_present ? &settings->tls : settings->auth_tls_present ? &settings->auth_tls : NULL;
    bool secret = tls != NULL && !tls->insecure, sasl = settings->sasl_present || settings->plain_text_present;
    const char *protocol = sasl ? (secret ? "sasl_ssl" : "sasl_plaintext") : (secret ? "ssl" : "plaintext");

    if (!kafka_conf_set(conf, "security.protocol", protocol, err) || (secret && !set_tls(conf, tls, err)))
        return false;
    if (settings->sasl_present)
        return set_sasl(conf, &settings->sasl, settings->sasl.mechanism, err);
    return !settings->plain_text_present || set_sasl(conf, &settings->plain_text, "PLAIN", err);
}

static bool set_brokers(rd_kafka_conf_t *conf, const struct option_strings *brokers, struct error *err)
{
    struct buffer list = { 0 };
    bool done;

    for (size_t i = 0; i < brokers->count; i++)
        buffer_printf(&list, "%s%s", i > 0 ? "," : "", brokers->items[i]);
    done = kafka_conf_set(conf, "bootstrap.servers", buffer_string(&list), err);
    buffer_fini(&list);
    return done;
}

static bool set_all(rd_kafka_conf_t *conf, const struct kafka_client_settings *settings, struct error *err)
{
    const struct kafka_millis refresh = { settings->refresh_interval_ns, 1000, 3600000 };
    const struct kafka_millis backoff = { settings->metadata_backoff_ns, 1, 60000 };
    const struct kafka_millis idle = { settings->conn_idle_timeout_ns, 0, INT32_MAX };

    return set_brokers(conf, &settings->brokers, err) && set_security(conf, settings, err) &&
           kafka_conf_set(conf, "client.id", settings->client_id, err) &&
           set_if(conf, "broker.version.fallback", settings->protocol_version, err) &&
           kafka_conf_set(conf, "topic.metadata.refresh.sparse", settings->full_metadata ? "false" : "true", err) &&
           kafka_conf_set_millis(conf, "topic.metadata.refresh.interval.ms", refresh, err) &&
           kafka_conf_set_millis(conf, "topic.metadata.refresh.fast.interval.ms", backoff, err) &&
           kafka_conf_set_millis(conf, "connections.max.idle.ms", idle, err) &&
           kafka_conf_set(conf, "log.connection.close", "false", err) && kafka_conf_set(conf, "socket.keepalive.enable", "true", err) &&
           kafka_conf_set(conf, "socket.nagle.disable", "true", err) &&
           kafka_conf_set_number(conf, "reconnect.backoff.max.ms", RECONNECT_MILLIS, err);
}

/* ---- the log ---- */

void kafka_client_complain(struct kafka_client *client, const char *text)
{
    atomic_fetch_add_explicit(&client->complaints, 1, memory_order_relaxed);
    if (atomic_exchange_explicit(&client->failing, true, memory_order_relaxed)) {
        log_debug(client->path, "%s", text);
        return;
    }
    atomic_store_explicit(&client->failing_since_ns, clock_monotonic_nanos(), memory_order_relaxed);
    log_warn(client->path, "trouble with Kafka: %s; further trouble is not logged until it works again", text);
}

void kafka_client_works(struct kafka_client *client)
{
    int64_t since_ns;
    uint64_t complaints;

    if (!atomic_load_explicit(&client->up, memory_order_relaxed))
        atomic_store_explicit(&client->up, true, memory_order_relaxed);
    if (!atomic_load_explicit(&client->failing, memory_order_relaxed) ||
        !atomic_exchange_explicit(&client->failing, false, memory_order_relaxed))
        return;
    since_ns = atomic_load_explicit(&client->failing_since_ns, memory_order_relaxed);
    complaints = atomic_exchange_explicit(&client->complaints, 0, memory_order_relaxed);
    log_info(client->path, "Kafka works again, after %llu complaints in %.1f s", (unsigned long long)complaints,
        (double)(clock_monotonic_nanos() - since_ns) / (double)NANOS_PER_SECOND);
}

/* librdkafka begins its lines with the thread that says it: "[thrd:127.0.0.1:9092/1]: ". */
static const char *without_thread(const char *text)
{
    const char *end = strncmp(text, "[thrd:", 6) == 0 ? strstr(text, "]: ") : NULL;

    return end != NULL ? end + 3 : text;
}

static void on_log(const rd_kafka_t *handle, int level, const char *facility, const char *text)
{
    struct kafka_client *client = rd_kafka_opaque(handle);

    /* a young broker's "not yet": librdkafka asks again at once */
    if (level <= SYSLOG_WARNING && strcmp(facility, "GETPID") != 0)
        kafka_client_complain(client, without_thread(text));
    else
        log_debug(client->path, "%s: %s", facility, without_thread(text));
}

/* From whoever polls the handle. */
static void on_error(rd_kafka_t *handle, int error, const char *reason, void *opaque)
{
    struct kafka_client *client = opaque;

    (void)handle;
    if (error == RD_KAFKA_RESP_ERR__ALL_BROKERS_DOWN)
        atomic_store_explicit(&client->up, false, memory_order_relaxed);
    kafka_client_complain(client, reason);
}

rd_kafka_conf_t *kafka_client_conf(const struct kafka_client_settings *settings, struct kafka_client *client, struct error *err)
{
    rd_kafka_conf_t *conf = rd_kafka_conf_new();

    rd_kafka_conf_set_opaque(conf, client);
    rd_kafka_conf_set_log_cb(conf, on_log);
    rd_kafka_conf_set_error_cb(conf, on_error);
    if (set_all(conf, settings, err))
        return conf;
    rd_kafka_conf_destroy(conf);
    return NULL;
}
