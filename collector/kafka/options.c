/* The client block's option table, and what of it goes together. The collector's deprecated places (auth.plain_text, auth.tls) still work. */
#include <string.h>

#include "collector/kafka/client.h"
#include "collector/settings.h"

#define CLIENT(field) offsetof(struct kafka_client_settings, field)
#define CREDENTIALS(field) offsetof(struct kafka_credentials, field)

static const struct option aws_options[] = {
    { "region", OPTION_UNSUPPORTED, 0, NULL, NULL, "region of Amazon's broker" },
    { "broker_addr", OPTION_UNSUPPORTED, 0, NULL, NULL, "address of Amazon's broker" },
    { 0 },
};

static const struct option sasl_options[] = {
    { "username", OPTION_STRING, CREDENTIALS(username), NULL, NULL, "who one is", .flags = OPTION_REQUIRED },
    { "password", OPTION_SECRET, CREDENTIALS(password), NULL, NULL, "the password" },
    { "mechanism", OPTION_STRING, CREDENTIALS(mechanism), NULL, "PLAIN|SCRAM-SHA-256|SCRAM-SHA-512",
        "SCRAM with brokers 4.x needs librdkafka 2.6.1; Debian 12's 2.0.2 speaks it with 3.x", .flags = OPTION_REQUIRED },
    { "version", OPTION_IGNORED, 0, NULL, NULL, "the SASL handshake's version is negotiated" },
    { "aws_msk", OPTION_BLOCK, 0, NULL, NULL, "Amazon's own mechanism", aws_options },
    { 0 },
};

static const struct option plain_text_options[] = {
    { "username", OPTION_STRING, CREDENTIALS(username), NULL, NULL, "who one is", .flags = OPTION_REQUIRED },
    { "password", OPTION_SECRET, CREDENTIALS(password), NULL, NULL, "the password" },
    { 0 },
};

static const struct option auth_options[] = {
    { "sasl", OPTION_BLOCK, CLIENT(sasl), NULL, NULL, "user and password", sasl_options, .present = CLIENT(sasl_present) },
    { "plain_text", OPTION_BLOCK, CLIENT(plain_text), NULL, NULL, "use auth.sasl with mechanism PLAIN", plain_text_options,
        .present = CLIENT(plain_text_present), .flags = OPTION_DEPRECATED },
    { "tls", OPTION_BLOCK, CLIENT(auth_tls), NULL, NULL, "use tls, beside auth", tls_client_options, .present = CLIENT(auth_tls_present),
        .flags = OPTION_DEPRECATED },
    { "kerberos", OPTION_UNSUPPORTED, 0, NULL, NULL, "GSSAPI" },
    { 0 },
};

static const struct option metadata_retry_options[] = {
    { "max", OPTION_IGNORED, 0, "3", NULL, "metadata is asked for until it comes" },
    { "backoff", OPTION_DURATION, CLIENT(metadata_backoff_ns), "250ms", "1ms..1m", "between two attempts to learn who leads a partition" },
    { 0 },
};

static const struct option metadata_options[] = {
    { "full", OPTION_BOOL, CLIENT(full_metadata), "true", NULL, "refresh what is known of all topics, not only of those in use" },
    { "refresh_interval", OPTION_DURATION, CLIENT(refresh_interval_ns), "10m", "1s..1h", "how often the cluster's metadata is asked for" },
    { "retry", OPTION_BLOCK, 0, NULL, NULL, "when it could not be had", metadata_retry_options },
    { 0 },
};

const struct option kafka_client_options[] = {
    { "brokers", OPTION_STRINGS, CLIENT(brokers), "localhost:9092", NULL,
        "host:port of brokers to begin with; the rest of the cluster is found" },
    { "protocol_version", OPTION_STRING, CLIENT(protocol_version), "2.1.0", NULL,
        "negotiated with each broker; only for one older than 0.10 is this believed" },
    { "client_id", OPTION_STRING, CLIENT(client_id), "otel-collector", "nonempty", "name in the brokers' logs and quotas" },
    { "conn_idle_timeout", OPTION_DURATION, CLIENT(conn_idle_timeout_ns), "9m", NULL, "until an idle connection is closed; 0: never" },
    { "tls", OPTION_BLOCK, CLIENT(tls), NULL, NULL, "speak TLS", tls_client_options, .present = CLIENT(tls_present) },
    { "auth", OPTION_BLOCK, 0, NULL, NULL, "who one is", auth_options },
    { "metadata", OPTION_BLOCK, 0, NULL, NULL, "what is asked about the cluster", metadata_options },
    { "resolve_canonical_bootstrap_servers_only", OPTION_IGNORED, 0, "false", NULL, "names are used as they are written" },
    { 0 },
};

static bool is_set(const char *text)
{
    return text != NULL && *text != '\0';
}

/* What librdkafka has no word for is an error: half of a TLS setting is worse than none. */
static bool check_tls(const struct tls_settings *tls, struct error *err)
{
    const char *key = NULL;

    if (is_set(tls->server_name_override))
        key = "server_name_override";
    else if (is_set(tls->min_version) && strcmp(tls->min_version, "1.2") != 0)
        key = "min_version";
    else if (is_set(tls->max_version) && strcmp(tls->max_version, "1.3") != 0)
        key = "max_version";
    else if (tls->cipher_suite_count > 0)
        key = "cipher_suites";
    else if (tls->curve_preference_count > 0)
        key = "curve_preferences";
    else if (tls->reload_interval_ns != 0)
        key = "reload_interval";
    else if (tls->include_system_ca_certs_pool && (is_set(tls->ca_file) || is_set(tls->ca_pem)))
        key = "include_system_ca_certs_pool";
    if (key != NULL)
        return fail(err, "tls.%s: the Kafka client can't do this; leave the key out", key);
    return tls_settings_check(tls, false, err) || fail_within(err, "tls");
}

bool kafka_client_check(const struct kafka_client_settings *settings, struct error *err)
{
    if (settings->brokers.count == 0)
        return fail(err, "brokers is empty: name one, as host:port");
    for (size_t i = 0; i < settings->brokers.count; i++) {
        const char *broker = settings->brokers.items[i];

        if (*broker == '\0' || strpbrk(broker, ", \t") != NULL)
            return fail(err, "brokers: \"%s\" is not a host:port", broker);
    }
    if (settings->sasl_present && settings->plain_text_present)
        return fail(err, "auth.plain_text and auth.sasl don't go together; leave out auth.plain_text");
    if (settings->tls_present && settings->auth_tls_present)
        return fail(err, "tls and auth.tls don't go together; leave out auth.tls");
    if (settings->tls_present)
        return check_tls(&settings->tls, err);
    return !settings->auth_tls_present || check_tls(&settings->auth_tls, err) || fail_within(err, "auth");
}
