/*
 * Option tables of the blocks that many components share, over the plain structs of collector/net: the OpenTelemetry
 * Collector's confighttp, configgrpc and configtls. Each settings struct is embedded in the component's
 * instance; to_net() turns it into what collector/net takes.
 */
#ifndef WEIR_COLLECTOR_SETTINGS_H
#define WEIR_COLLECTOR_SETTINGS_H

#include "collector/config/option.h"
#include "collector/net/grpc_server.h"
#include "collector/net/http_client.h"

struct auth_settings { const char *authenticator; }; /* id of an extension; NULL: none */

/* configtls of a listening side; offsets into struct tls_settings. OPTION_BLOCK it with a `present` flag. */
extern const struct option tls_server_options[];
/* configtls of a connecting side. Always on unless insecure. */
extern const struct option tls_client_options[];

struct http_listen_settings { /* confighttp server */
    const char *endpoint, *transport;
    bool tls_present, cors_present;
    struct tls_settings tls;
    struct { struct option_strings allowed_origins, allowed_headers, exposed_headers; int64_t max_age; } cors;
    struct auth_settings auth;
    struct option_pairs response_headers;
    struct option_strings compression_algorithms;
    int64_t max_request_body_size;
    bool include_metadata, keep_alives_enabled;
    int64_t read_timeout_ns, read_header_timeout_ns, write_timeout_ns, idle_timeout_ns;
};
/* All keys but `endpoint`, whose default differs; offsets into struct http_listen_settings. OPTION_INCLUDE it. */
extern const struct option http_listen_options[];
bool http_listen_to_net(const struct http_listen_settings *settings, struct http_server_settings *out, struct error *err);

struct grpc_listen_settings { /* configgrpc server */
    const char *endpoint, *transport;
    bool tls_present;
    struct tls_settings tls;
    struct auth_settings auth;
    int64_t max_recv_msg_size_mib, max_concurrent_streams;
    int64_t read_buffer_size, write_buffer_size;
    bool include_metadata;
    int64_t max_connection_idle_ns, max_connection_age_ns, max_connection_age_grace_ns, keepalive_time_ns, keepalive_timeout_ns;
    int64_t min_time_ns;
    bool permit_without_stream;
};
extern const struct option grpc_listen_options[]; /* all keys but endpoint */
bool grpc_listen_to_net(const struct grpc_listen_settings *settings, struct grpc_server_settings *out, struct error *err);

struct http_connect_settings { /* confighttp client */
    const char *endpoint, *proxy_url;
    struct tls_settings tls;
    struct option_pairs headers;
    struct auth_settings auth;
    const char *compression;
    int64_t compression_level;
    int64_t timeout_ns, idle_conn_timeout_ns;
    int64_t max_idle_conns, max_idle_conns_per_host, max_conns_per_host;
    int64_t read_buffer_size, write_buffer_size;
    bool disable_keep_alives, force_attempt_http2;
};
extern const struct option http_connect_options[]; /* all keys but endpoint, timeout and compression, whose defaults differ */
void http_connect_to_net(const struct http_connect_settings *settings, struct http_client_settings *out);

struct grpc_connect_settings { /* configgrpc client */
    const char *endpoint;
    const char *compression;
    struct tls_settings tls;
    struct { int64_t time_ns, timeout_ns; bool permit_without_stream; } keepalive;
    bool keepalive_present;
    struct option_pairs headers;
    struct auth_settings auth;
    int64_t read_buffer_size, write_buffer_size;
    const char *balancer_name, *authority, *user_agent;
    bool wait_for_ready;
};
extern const struct option grpc_connect_options[]; /* all keys but compression, whose default differs */

#endif
