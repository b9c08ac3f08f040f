/*
 * The shared blocks' keys, once: configtls, confighttp and configgrpc of the OpenTelemetry Collector, and how they become
 * what collector/net takes. Keys that tune Go's runtime only (buffer sizes, connection pools) are read and checked.
 */
#include "collector/settings.h"

#define TLS(field) offsetof(struct tls_settings, field)
#define HTTP_LISTEN(field) offsetof(struct http_listen_settings, field)
#define GRPC_LISTEN(field) offsetof(struct grpc_listen_settings, field)
#define HTTP_CONNECT(field) offsetof(struct http_connect_settings, field)
#define GRPC_CONNECT(field) offsetof(struct grpc_connect_settings, field)

/* collector/net knows no option tables: its pairs of pointer and count are filled as struct option_strings. */
_Static_assert(TLS(cipher_suite_count) - TLS(cipher_suites) == offsetof(struct option_strings, count), "laid out as option_strings");
_Static_assert(
    TLS(curve_preference_count) - TLS(curve_preferences) == offsetof(struct option_strings, count), "laid out as option_strings");

enum { BODY_DEFAULT = 20 << 20, GRPC_MESSAGE_DEFAULT_MIB = 4 };

/* ---- tls ---- */

static const struct option tpm_options[] = {
    { "enabled", OPTION_UNSUPPORTED, 0, "false", NULL, "keys in a trusted platform module" },
    { "path", OPTION_UNSUPPORTED, 0, NULL, NULL, "the module's device" },
    { "owner_auth", OPTION_UNSUPPORTED, 0, NULL, NULL, NULL },
    { "auth", OPTION_UNSUPPORTED, 0, NULL, NULL, NULL },
    { 0 },
};

static const struct option tls_options[] = {
    { "ca_file", OPTION_STRING, TLS(ca_file), NULL, NULL,
        "PEM file of the certificates that the other side's must be signed by; none: the system's" },
    { "ca_pem", OPTION_SECRET, TLS(ca_pem), NULL, NULL, "the same, as text" },
    { "cert_file", OPTION_STRING, TLS(cert_file), NULL, NULL, "PEM file of the own certificate and its chain" },
    { "cert_pem", OPTION_SECRET, TLS(cert_pem), NULL, NULL, "the same, as text" },
    { "key_file", OPTION_STRING, TLS(key_file), NULL, NULL, "PEM file of the certificate's key" },
    { "key_pem", OPTION_SECRET, TLS(key_pem), NULL, NULL, "the same, as text" },
    { "include_system_ca_certs_pool", OPTION_BOOL, TLS(include_system_ca_certs_pool), "false", NULL,
        "trust the system's certificates beside ca_file" },
    { "min_version", OPTION_STRING, TLS(min_version), "1.2", "|1.0|1.1|1.2|1.3", "oldest TLS version spoken" },
    { "max_version", OPTION_STRING, TLS(max_version), NULL, "|1.0|1.1|1.2|1.3", "newest TLS version spoken; none: 1.3" },
    { "cipher_suites", OPTION_STRINGS, TLS(cipher_suites), NULL, NULL,
        "TLS 1.2 suites allowed, by their standard names; none: a safe choice" },
    { "include_insecure_cipher_suites", OPTION_BOOL, TLS(include_insecure_cipher_suites), "false", NULL,
        "let cipher_suites name insecure ones" },
    { "curve_preferences", OPTION_STRINGS, TLS(curve_preferences), NULL, NULL, "X25519, P256, P384, P521; none: a safe choice" },
    { "reload_interval", OPTION_DURATION, TLS(reload_interval_ns), "0s", NULL, "how often the files are looked at for changes; 0: never" },
    { "tpm", OPTION_BLOCK, 0, NULL, NULL, "keys in a trusted platform module", tpm_options },
    { 0 },
};

const struct option tls_server_options[] = {
    { "", OPTION_INCLUDE, 0, NULL, NULL, NULL, tls_options },
    { "client_ca_file", OPTION_STRING, TLS(client_ca_file), NULL, NULL,
        "clients must show a certificate that one of this PEM file signed" },
    { "client_ca_file_reload", OPTION_BOOL, TLS(client_ca_file_reload), "false", NULL, "read client_ca_file again when it changes" },
    { 0 },
};

const struct option tls_client_options[] = {
    { "insecure", OPTION_BOOL, TLS(insecure), "false", NULL, "no TLS at all" },
    { "insecure_skip_verify", OPTION_BOOL, TLS(insecure_skip_verify), "false", NULL, "TLS without checking whom one talks to" },
    { "server_name_override", OPTION_STRING, TLS(server_name_override), NULL, NULL, "the name that the server's certificate must have" },
    { "", OPTION_INCLUDE, 0, NULL, NULL, NULL, tls_options },
    { 0 },
};

/* ---- parts of several ---- */

static const struct option auth_server_options[] = {
    { "authenticator", OPTION_ID, offsetof(struct auth_settings, authenticator), NULL, NULL, "extension that checks requests",
        .flags = OPTION_REQUIRED },
    { "request_params", OPTION_UNSUPPORTED, 0, NULL, NULL, "query parameters that are handed to the authenticator" },
    { 0 },
};

static const struct option auth_client_options[] = {
    { "authenticator", OPTION_ID, offsetof(struct auth_settings, authenticator), NULL, NULL, "extension that signs requests",
        .flags = OPTION_REQUIRED },
    { 0 },
};

static const struct option dialer_options[] = {
    { "timeout", OPTION_IGNORED, 0, NULL, NULL, "a listening side dials nobody" },
    { 0 },
};

/* ---- confighttp, listening ---- */

static const struct option cors_options[] = {
    { "allowed_origins", OPTION_STRINGS, HTTP_LISTEN(cors.allowed_origins), NULL, NULL,
        "origins that browsers may send from; `*` stands for any text" },
    { "allowed_headers", OPTION_STRINGS, HTTP_LISTEN(cors.allowed_headers), NULL, NULL, "headers allowed beside the safe ones" },
    { "exposed_headers", OPTION_STRINGS, HTTP_LISTEN(cors.exposed_headers), NULL, NULL, "response headers that scripts may read" },
    { "max_age", OPTION_INT, HTTP_LISTEN(cors.max_age), "0", "0..", "seconds that browsers may keep the answer; 0: their own default" },
    { 0 },
};

const struct option http_listen_options[] = {
    { "transport", OPTION_STRING, HTTP_LISTEN(transport), "tcp", "tcp|unix", "with unix the endpoint is a path" },
    { "tls", OPTION_BLOCK, HTTP_LISTEN(tls), NULL, NULL, "speak TLS", tls_server_options, .present = HTTP_LISTEN(tls_present) },
    { "cors", OPTION_BLOCK, 0, NULL, NULL, "requests from browsers", cors_options, .present = HTTP_LISTEN(cors_present) },
    { "auth", OPTION_BLOCK, HTTP_LISTEN(auth), NULL, NULL, "who may send", auth_server_options },
    { "max_request_body_size", OPTION_INT, HTTP_LISTEN(max_request_body_size), "20971520", "0..",
        "bytes, before and after decompression; 0: the default" },
    { "include_metadata", OPTION_BOOL, HTTP_LISTEN(include_metadata), "false", NULL,
        "keep request headers for processors and exporters that ask for them" },
    { "response_headers", OPTION_PAIRS, HTTP_LISTEN(response_headers), NULL, NULL, "headers added to every response",
        .flags = OPTION_HIDDEN },
    { "compression_algorithms", OPTION_STRINGS, HTTP_LISTEN(compression_algorithms), ",gzip,zstd,zlib,snappy,deflate,lz4,x-snappy-framed",
        "|gzip|zstd|zlib|snappy|deflate|lz4|x-snappy-framed", "what request bodies may be compressed with; an empty list: nothing" },
    { "read_timeout", OPTION_DURATION, HTTP_LISTEN(read_timeout_ns), "0s", NULL, "for a whole request; 0: none" },
    { "read_header_timeout", OPTION_DURATION, HTTP_LISTEN(read_header_timeout_ns), "1m", NULL, "for a request's headers" },
    { "write_timeout", OPTION_DURATION, HTTP_LISTEN(write_timeout_ns), "30s", NULL, "for a response; 0: none" },
    { "idle_timeout", OPTION_DURATION, HTTP_LISTEN(idle_timeout_ns), "1m", NULL, "until an idle connection is closed; 0: never" },
    { "keep_alives_enabled", OPTION_BOOL, HTTP_LISTEN(keep_alives_enabled), "true", NULL, "more than one request on a connection" },
    { "dialer", OPTION_BLOCK, 0, NULL, NULL, NULL, dialer_options },
    { "middlewares", OPTION_UNSUPPORTED, 0, NULL, NULL, "extensions around each request" },
    { 0 },
};

bool http_listen_to_net(const struct http_listen_settings *settings, struct http_server_settings *out, struct error *err)
{
    *out = (struct http_server_settings){
        .endpoint = settings->endpoint,
        .transport = settings->transport,
        .tls = settings->tls_present ? &settings->tls : NULL,
        .max_body = settings->max_request_body_size > 0 ? (size_t)settings->max_request_body_size : BODY_DEFAULT,
        .codings = 1U << CODING_IDENTITY,
        .read_timeout_ns = settings->read_timeout_ns,
        .read_header_timeout_ns = settings->read_header_timeout_ns,
        .write_timeout_ns = settings->write_timeout_ns,
        .idle_timeout_ns = settings->idle_timeout_ns,
        .no_keep_alive = !settings->keep_alives_enabled,
    };
    for (size_t i = 0; i < settings->compression_algorithms.count; i++) {
        const char *name = settings->compression_algorithms.items[i];
        enum coding coding = coding_of_name(slice_of_string(name));

        if (coding == CODING_UNKNOWN)
            return fail(err, "compression_algorithms: \"%s\" is not known", name);
        out->codings |= 1U << coding;
    }
    if (settings->endpoint == NULL || settings->endpoint[0] == '\0')
        return fail(err, "endpoint must not be empty");
    return out->tls == NULL || tls_settings_check(out->tls, true, err) || fail_within(err, "tls");
}

/* ---- configgrpc, listening ---- */

static const struct option server_parameters_options[] = {
    { "max_connection_idle", OPTION_DURATION, GRPC_LISTEN(max_connection_idle_ns), "0s", NULL,
        "until an idle connection is closed; 0: never" },
    { "max_connection_age", OPTION_DURATION, GRPC_LISTEN(max_connection_age_ns), "0s", NULL,
        "until a connection is told to end; 0: never" },
    { "max_connection_age_grace", OPTION_DURATION, GRPC_LISTEN(max_connection_age_grace_ns), "0s", NULL,
        "how long calls may go on then; 0: no limit" },
    { "time", OPTION_DURATION, GRPC_LISTEN(keepalive_time_ns), "0s", NULL, "a quiet connection is pinged after it; 0: never" },
    { "timeout", OPTION_DURATION, GRPC_LISTEN(keepalive_timeout_ns), "0s", NULL, "wait for a ping's answer" },
    { 0 },
};

static const struct option enforcement_policy_options[] = {
    { "min_time", OPTION_DURATION, GRPC_LISTEN(min_time_ns), "0s", NULL, "shortest time between a client's pings" },
    { "permit_without_stream", OPTION_BOOL, GRPC_LISTEN(permit_without_stream), "false", NULL,
        "let clients ping without a call under way" },
    { 0 },
};

static const struct option grpc_keepalive_server_options[] = {
    { "server_parameters", OPTION_BLOCK, 0, NULL, NULL, "how long connections live", server_parameters_options },
    { "enforcement_policy", OPTION_BLOCK, 0, NULL, NULL, "how often clients may ping", enforcement_policy_options },
    { 0 },
};

const struct option grpc_listen_options[] = {
    { "transport", OPTION_STRING, GRPC_LISTEN(transport), "tcp", "tcp|unix", "with unix the endpoint is a path" },
    { "tls", OPTION_BLOCK, GRPC_LISTEN(tls), NULL, NULL, "speak TLS", tls_server_options, .present = GRPC_LISTEN(tls_present) },
    { "auth", OPTION_BLOCK, GRPC_LISTEN(auth), NULL, NULL, "who may send", auth_server_options },
    { "max_recv_msg_size_mib", OPTION_INT, GRPC_LISTEN(max_recv_msg_size_mib), "0", "0..2047",
        "MiB of one message, before and after decompression; 0: 4" },
    { "max_concurrent_streams", OPTION_INT, GRPC_LISTEN(max_concurrent_streams), "0", "0..4294967295",
        "calls at the same time on a connection; 0: 100" },
    { "read_buffer_size", OPTION_INT, GRPC_LISTEN(read_buffer_size), "0", "0..", "accepted; weir sizes its buffers itself" },
    { "write_buffer_size", OPTION_INT, GRPC_LISTEN(write_buffer_size), "0", "0..", "accepted; weir sizes its buffers itself" },
    { "keepalive", OPTION_BLOCK, 0, NULL, NULL, "how long connections live", grpc_keepalive_server_options },
    { "include_metadata", OPTION_BOOL, GRPC_LISTEN(include_metadata), "false", NULL,
        "keep request metadata for processors and exporters that ask for it" },
    { "dialer", OPTION_BLOCK, 0, NULL, NULL, NULL, dialer_options },
    { "middlewares", OPTION_UNSUPPORTED, 0, NULL, NULL, "extensions around each request" },
    { 0 },
};

bool grpc_listen_to_net(const struct grpc_listen_settings *settings, struct grpc_server_settings *out, struct error *err)
{
    int64_t mib = settings->max_recv_msg_size_mib > 0 ? settings->max_recv_msg_size_mib : GRPC_MESSAGE_DEFAULT_MIB;

    *out = (struct grpc_server_settings){ .max_message = (size_t)mib << 20 };
    out->http.endpoint = settings->endpoint;
    out->http.transport = settings->transport;
    out->http.tls = settings->tls_present ? &settings->tls : NULL;
    out->http.max_concurrent_streams = (uint32_t)settings->max_concurrent_streams;
    out->http.idle_timeout_ns = settings->max_connection_idle_ns;
    out->http.max_connection_age_ns = settings->max_connection_age_ns;
    out->http.max_connection_age_grace_ns = settings->max_connection_age_grace_ns;
    out->http.keepalive_time_ns = settings->keepalive_time_ns;
    out->http.keepalive_timeout_ns = settings->keepalive_timeout_ns;
    if (settings->endpoint == NULL || settings->endpoint[0] == '\0')
        return fail(err, "endpoint must not be empty");
    return out->http.tls == NULL || tls_settings_check(out->http.tls, true, err) || fail_within(err, "tls");
}

/* ---- confighttp, connecting ---- */

static const struct option compression_params_options[] = {
    { "level", OPTION_INT, HTTP_CONNECT(compression_level), "0", NULL, "0: the compression's default" },
    { 0 },
};

static const struct option cookies_options[] = {
    { "enabled", OPTION_UNSUPPORTED, 0, "false", NULL, "send back the cookies that a server sets" },
    { 0 },
};

const struct option http_connect_options[] = {
    { "proxy_url", OPTION_STRING, HTTP_CONNECT(proxy_url), NULL, NULL,
        "proxy to go through; none: what HTTPS_PROXY, HTTP_PROXY and NO_PROXY say" },
    { "tls", OPTION_BLOCK, HTTP_CONNECT(tls), NULL, NULL, "used when the endpoint is https://", tls_client_options },
    { "headers", OPTION_PAIRS, HTTP_CONNECT(headers), NULL, NULL, "headers added to every request", .flags = OPTION_HIDDEN },
    { "auth", OPTION_BLOCK, HTTP_CONNECT(auth), NULL, NULL, "how requests are signed", auth_client_options },
    { "compression_params", OPTION_BLOCK, 0, NULL, NULL, "how hard is compressed", compression_params_options },
    { "max_idle_conns", OPTION_INT, HTTP_CONNECT(max_idle_conns), "100", "0..", "idle connections kept; 0: no limit" },
    { "max_idle_conns_per_host", OPTION_INT, HTTP_CONNECT(max_idle_conns_per_host), "0", "0..", "accepted; there is one host" },
    { "max_conns_per_host", OPTION_INT, HTTP_CONNECT(max_conns_per_host), "0", "0..",
        "accepted; there are never more connections than consumers" },
    { "idle_conn_timeout", OPTION_DURATION, HTTP_CONNECT(idle_conn_timeout_ns), "90s", NULL,
        "an idle connection is not used again after it; 0: always" },
    { "disable_keep_alives", OPTION_BOOL, HTTP_CONNECT(disable_keep_alives), "false", NULL, "a connection for each request" },
    { "read_buffer_size", OPTION_INT, HTTP_CONNECT(read_buffer_size), "0", "0..", "accepted; weir sizes its buffers itself" },
    { "write_buffer_size", OPTION_INT, HTTP_CONNECT(write_buffer_size), "0", "0..", "accepted; weir sizes its buffers itself" },
    { "force_attempt_http2", OPTION_BOOL, HTTP_CONNECT(force_attempt_http2), "true", NULL, "accepted; requests are HTTP/1.1" },
    { "http2_read_idle_timeout", OPTION_IGNORED, 0, NULL, NULL, "requests are HTTP/1.1" },
    { "http2_ping_timeout", OPTION_IGNORED, 0, NULL, NULL, "requests are HTTP/1.1" },
    { "cookies", OPTION_BLOCK, 0, NULL, NULL, "send back the cookies that a server sets", cookies_options },
    { "middlewares", OPTION_UNSUPPORTED, 0, NULL, NULL, "extensions around each request" },
    { 0 },
};

void http_connect_to_net(const struct http_connect_settings *settings, struct http_client_settings *out)
{
    *out = (struct http_client_settings){
        .tls = &settings->tls,
        .proxy_url = settings->proxy_url,
        .timeout_ns = settings->timeout_ns,
        .disable_keep_alives = settings->disable_keep_alives,
        .idle_conn_timeout_ns = settings->idle_conn_timeout_ns,
        .max_idle_conns = settings->max_idle_conns,
    };
}

/* ---- configgrpc, connecting ---- */

static const struct option grpc_keepalive_client_options[] = {
    { "time", OPTION_DURATION, GRPC_CONNECT(keepalive.time_ns), "10s", NULL, "a quiet connection is pinged after it" },
    { "timeout", OPTION_DURATION, GRPC_CONNECT(keepalive.timeout_ns), "10s", NULL, "wait for a ping's answer" },
    { "permit_without_stream", OPTION_BOOL, GRPC_CONNECT(keepalive.permit_without_stream), "false", NULL, "ping without a call under way" },
    { 0 },
};

const struct option grpc_connect_options[] = {
    { "endpoint", OPTION_STRING, GRPC_CONNECT(endpoint), NULL, "nonempty", "host:port; http://, https:// and dns:// may stand before it",
        .flags = OPTION_REQUIRED },
    { "tls", OPTION_BLOCK, GRPC_CONNECT(tls), NULL, NULL, "TLS is spoken unless `insecure` is true", tls_client_options },
    { "keepalive", OPTION_BLOCK, 0, NULL, NULL, "ping quiet connections", grpc_keepalive_client_options,
        .present = GRPC_CONNECT(keepalive_present) },
    { "headers", OPTION_PAIRS, GRPC_CONNECT(headers), NULL, NULL, "metadata added to every request", .flags = OPTION_HIDDEN },
    { "auth", OPTION_BLOCK, GRPC_CONNECT(auth), NULL, NULL, "how requests are signed", auth_client_options },
    { "balancer_name", OPTION_STRING, GRPC_CONNECT(balancer_name), "round_robin", "round_robin|pick_first",
        "which of a name's addresses is used" },
    { "authority", OPTION_STRING, GRPC_CONNECT(authority), NULL, NULL, "what :authority says instead of the endpoint's host" },
    { "user_agent", OPTION_STRING, GRPC_CONNECT(user_agent), NULL, NULL, "what user-agent says" },
    { "wait_for_ready", OPTION_BOOL, GRPC_CONNECT(wait_for_ready), "false", NULL, "accepted; the retry waits" },
    { "read_buffer_size", OPTION_INT, GRPC_CONNECT(read_buffer_size), "0", "0..", "accepted; weir sizes its buffers itself" },
    { "write_buffer_size", OPTION_INT, GRPC_CONNECT(write_buffer_size), "0", "0..", "accepted; weir sizes its buffers itself" },
    { "middlewares", OPTION_UNSUPPORTED, 0, NULL, NULL, "extensions around each request" },
    { 0 },
};
