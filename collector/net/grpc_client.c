/*
 * gRPC client: the endpoint, the idle connections, and what a call's end means. HTTP/2 itself is in grpc_connection.c.
 * Not over libcurl: see http_client.c for the weight, grpc_connection.c for the frames.
 * Threads: calls share the list of idle connections and nothing else.
 */
#include "collector/net/grpc_client.h"

#include <nghttp2/nghttp2.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>

#include "collector/base/clock.h"
#include "collector/net/grpc_connection.h"
#include "collector/net/proxy.h"
#include "collector/net/tls_client.h"
#include "collector/net/url.h"

struct grpc_client {
    struct grpc_client_settings settings;
    struct url url;         /* host, port and authority of the endpoint */
    char unix_path[128];    /* empty: TCP */
    struct tls_client *tls; /* NULL: plain */
    struct stream_cancel cancel;
    atomic_uint connects;
    pthread_mutex_t lock;
    struct grpc_connection *idle; /* the last used first; under the lock */
};

/* ---- the endpoint ---- */

static bool skip_prefix(const char **text, const char *prefix)
{
    size_t length = strlen(prefix);

    if (strncmp(*text, prefix, length) != 0)
        return false;
    *text += length;
    return true;
}

static bool parse_unix(struct grpc_client *client, const char *path, bool abstract, struct error *err)
{
    if (!abstract)
        skip_prefix(&path, "//"); /* unix:///path */
    if (*path == '\0')
        return fail(err, "endpoint \"%s\" names no socket", client->settings.endpoint);
    if (snprintf(client->unix_path, sizeof(client->unix_path), "%s%s", abstract ? "@" : "", path) >= (int)sizeof(client->unix_path))
        return fail(err, "endpoint \"%s\": the socket's path is too long", client->settings.endpoint);
    snprintf(client->url.host, sizeof(client->url.host), "localhost");
    snprintf(client->url.authority, sizeof(client->url.authority), "localhost");
    return true;
}

/* *https: the scheme asks for TLS whatever the settings say. */
static bool parse_endpoint(struct grpc_client *client, bool *https, struct error *err)
{
    const char *text = client->settings.endpoint;
    struct buffer spelled = { 0 };
    bool parsed;

    *https = false;
    if (text == NULL || *text == '\0')
        return fail(err, "endpoint is empty, expected host:port");
    if (skip_prefix(&text, "unix-abstract:"))
        return parse_unix(client, text, true, err);
    if (skip_prefix(&text, "unix:"))
        return parse_unix(client, text, false, err);
    *https = skip_prefix(&text, "https://");
    if (!*https && !skip_prefix(&text, "http://") && skip_prefix(&text, "dns:")) {
        if (skip_prefix(&text, "//") && !skip_prefix(&text, "/"))
            return fail(
                err, "endpoint \"%s\" names a DNS server, which is not supported; write dns:///host:port", client->settings.endpoint);
    } else if (!*https) {
        skip_prefix(&text, "passthrough:///");
    }
    buffer_printf(&spelled, "https://%s", text);
    parsed = url_parse(buffer_string(&spelled), &client->url, err);
    if (parsed && (client->url.target.size > 1 || client->url.user.size > 0))
        parsed = fail(err, "endpoint \"%s\" has more than a host and a port; gRPC takes no path", client->settings.endpoint);
    else if (!parsed)
        fail(err, "endpoint \"%s\" is not host:port", client->settings.endpoint);
    client->url.target = client->url.user = SLICE(""); /* they were borrowed from `spelled` */
    buffer_fini(&spelled);
    return parsed;
}

bool grpc_endpoint_check(const char *endpoint, struct error *err)
{
    struct grpc_client probe = { .settings.endpoint = endpoint };
    bool https;

    return parse_endpoint(&probe, &https, err);
}

static bool is_set(const char *text)
{
    return text != NULL && *text != '\0';
}

static bool wants_tls(const struct tls_settings *settings, bool https)
{
    return https || settings == NULL || !settings->insecure || is_set(settings->ca_file) || is_set(settings->ca_pem);
}

static bool prepare(struct grpc_client *client, struct error *err)
{
    bool https;

    if (!parse_endpoint(client, &https, err) || !stream_cancel_init(&client->cancel, err))
        return false;
    if (wants_tls(client->settings.tls, https)) {
        client->tls = tls_client_create(client->settings.tls, err);
        if (client->tls == NULL)
            return false;
    }
    if (is_set(client->settings.authority))
        snprintf(client->url.authority, sizeof(client->url.authority), "%s", client->settings.authority);
    else if (client->tls != NULL && client->settings.tls != NULL && is_set(client->settings.tls->server_name_override))
        snprintf(client->url.authority, sizeof(client->url.authority), "%s", client->settings.tls->server_name_override);
    return true;
}

struct grpc_client *grpc_client_create(const struct grpc_client_settings *settings, struct error *err)
{
    struct grpc_client *client = calloc(1, sizeof(*client));

    if (client == NULL)
        abort();
    client->settings = *settings;
    client->cancel.fd = -1;
    pthread_mutex_init(&client->lock, NULL);
    if (prepare(client, err))
        return client;
    grpc_client_destroy(client);
    return NULL;
}

void grpc_client_destroy(struct grpc_client *client)
{
    if (client == NULL)
        return;
    while (client->idle != NULL) {
        struct grpc_connection *connection = client->idle;

        client->idle = connection->next;
        grpc_connection_close(connection);
    }
    tls_client_destroy(client->tls);
    stream_cancel_fini(&client->cancel);
    pthread_mutex_destroy(&client->lock);
    free(client);
}

void grpc_client_cancel(struct grpc_client *client)
{
    if (client != NULL)
        stream_cancel_set(&client->cancel);
}

/* ---- connections ---- */

static struct grpc_connection *pop_idle(struct grpc_client *client)
{
    struct grpc_connection *connection;

    pthread_mutex_lock(&client->lock);
    connection = client->idle;
    if (connection != NULL)
        client->idle = connection->next;
    pthread_mutex_unlock(&client->lock);
    return connection;
}

static struct grpc_connection *take_idle(struct grpc_client *client)
{
    struct grpc_connection *connection;

    while ((connection = pop_idle(client)) != NULL) {
        connection->reused = true;
        if (grpc_connection_revive(connection))
            return connection;
        grpc_connection_close(connection);
    }
    return NULL;
}

static void give_back(struct grpc_client *client, struct grpc_connection *connection)
{
    pthread_mutex_lock(&client->lock);
    connection->next = client->idle;
    client->idle = connection;
    pthread_mutex_unlock(&client->lock);
}

static bool open_stream(struct grpc_client *client, struct stream *stream, const struct stream_limits *limits, struct error *err)
{
    struct stream_target target = { .host = client->url.host, .port = client->url.port };
    struct stream_tls tls = { client->tls, client->url.host, SLICE("\x02h2"), true };
    const char *proxy = NULL;

    if (client->unix_path[0] != '\0')
        target.unix_path = client->unix_path;
    else
        proxy = url_proxy(&client->url, NULL);
    if (client->settings.round_robin)
        target.rotation = atomic_fetch_add_explicit(&client->connects, 1, memory_order_relaxed);
    if (proxy != NULL) {
        if (!proxy_connect(stream, proxy, limits, err) || !proxy_tunnel(stream, proxy, &client->url, limits, err))
            return false;
    } else if (!stream_connect(stream, &target, limits, err)) {
        return false;
    }
    return client->tls == NULL || stream_start_tls(stream, &tls, limits, err);
}

static struct grpc_connection *open_connection(struct grpc_client *client, const struct stream_limits *limits, struct error *err)
{
    struct grpc_connection *connection = calloc(1, sizeof(*connection));

    if (connection == NULL) {
        fail(err, "out of memory");
        return NULL;
    }
    connection->stream.fd = -1;
    if (open_stream(client, &connection->stream, limits, err) && grpc_connection_start(connection, err))
        return connection;
    grpc_connection_close(connection);
    return NULL;
}

/* ---- what came of it ---- */

void grpc_answer_fini(struct grpc_answer *answer)
{
    buffer_fini(&answer->message);
    buffer_fini(&answer->details);
    buffer_fini(&answer->body);
    memset(answer, 0, sizeof(*answer));
}

static void say(struct grpc_answer *answer, enum grpc_status status, const char *message)
{
    answer->status = status;
    answer->from_server = false;
    buffer_clear(&answer->message);
    buffer_append_string(&answer->message, message);
}

/* https://github.com/grpc/grpc/blob/master/doc/http-grpc-status-mapping.md */
static enum grpc_status status_of_http(int status)
{
    switch (status) {
    case 400:
        return GRPC_INTERNAL;
    case 401:
        return GRPC_UNAUTHENTICATED;
    case 403:
        return GRPC_PERMISSION_DENIED;
    case 404:
        return GRPC_UNIMPLEMENTED;
    case 429:
    case 502:
    case 503:
    case 504:
        return GRPC_UNAVAILABLE;
    default:
        return GRPC_UNKNOWN;
    }
}

static enum grpc_status status_of_reset(uint32_t code)
{
    switch (code) {
    case NGHTTP2_REFUSED_STREAM:
    case NGHTTP2_ENHANCE_YOUR_CALM: /* without RetryInfo, RESOURCE_EXHAUSTED would mean never */
        return GRPC_UNAVAILABLE;
    case NGHTTP2_CANCEL:
        return GRPC_CANCELLED;
    case NGHTTP2_INADEQUATE_SECURITY:
        return GRPC_PERMISSION_DENIED;
    default:
        return GRPC_INTERNAL;
    }
}

static void conclude(const struct grpc_exchange *exchange)
{
    struct grpc_answer *answer = exchange->answer;
    char text[128];

    if (exchange->grpc_status >= 0) {
        answer->status = (enum grpc_status)exchange->grpc_status;
        answer->from_server = true;
        if (exchange->response_compressed)
            buffer_clear(&answer->body); /* we did not say that we understand any */
    } else if (exchange->reset_code != 0) {
        snprintf(text, sizeof(text), "the server reset the stream: %s", nghttp2_http2_strerror(exchange->reset_code));
        say(answer, status_of_reset(exchange->reset_code), text);
    } else if (exchange->http_status != 200) {
        snprintf(text, sizeof(text), "HTTP status %d instead of a gRPC answer", exchange->http_status);
        say(answer, status_of_http(exchange->http_status), text);
    } else {
        say(answer, GRPC_INTERNAL, "the server ended the call without a status");
    }
}

/* One connection, one try. false: it was a reused connection and nothing of the call was taken, so another try is right. */
static bool attempt(struct grpc_client *client, struct grpc_exchange *exchange)
{
    struct grpc_connection *connection = take_idle(client);
    struct error err = { "" };
    enum grpc_run result;
    bool reused, untouched;

    if (connection == NULL)
        connection = open_connection(client, &exchange->limits, &err);
    if (connection == NULL) {
        say(exchange->answer, GRPC_UNAVAILABLE, err.message);
        return true;
    }
    reused = connection->reused;
    result = grpc_connection_run(connection, exchange, &err);
    untouched =
        !exchange->started && (result == GRPC_RUN_BROKEN || (result == GRPC_RUN_DONE && exchange->reset_code == NGHTTP2_REFUSED_STREAM));
    if (result == GRPC_RUN_DONE && !connection->going_away)
        give_back(client, connection);
    else
        grpc_connection_close(connection);
    if (reused && untouched)
        return false;
    if (result == GRPC_RUN_DONE)
        conclude(exchange);
    else if (result == GRPC_RUN_TIMED_OUT)
        say(exchange->answer, GRPC_DEADLINE_EXCEEDED, "no answer came in time");
    else
        say(exchange->answer, GRPC_UNAVAILABLE, result == GRPC_RUN_CANCELLED ? "stopping" : err.message);
    return true;
}

void grpc_client_call(struct grpc_client *client, const struct grpc_request *request, struct grpc_answer *answer)
{
    struct grpc_exchange blank = {
        .request = request,
        .answer = answer,
        .scheme = client->tls != NULL ? "https" : "http",
        .authority = client->url.authority,
        .limits = { 0, &client->cancel },
        .timeout_ns = client->settings.timeout_ns,
        .keepalive_time_ns = client->settings.keepalive_time_ns,
        .keepalive_timeout_ns = client->settings.keepalive_timeout_ns,
    };
    struct grpc_exchange exchange;

    if (atomic_load(&client->cancel.set)) {
        say(answer, GRPC_UNAVAILABLE, "stopping");
        return;
    }
    if (client->settings.timeout_ns > 0)
        blank.limits.deadline_ns = clock_monotonic_nanos() + client->settings.timeout_ns;
    do {
        buffer_clear(&answer->message);
        buffer_clear(&answer->details);
        buffer_clear(&answer->body);
        exchange = blank;
    } while (!attempt(client, &exchange));
}

const char *grpc_status_name(int status)
{
    static const char *const names[] = { "OK", "CANCELLED", "UNKNOWN", "INVALID_ARGUMENT", "DEADLINE_EXCEEDED", "NOT_FOUND",
        "ALREADY_EXISTS", "PERMISSION_DENIED", "RESOURCE_EXHAUSTED", "FAILED_PRECONDITION", "ABORTED", "OUT_OF_RANGE", "UNIMPLEMENTED",
        "INTERNAL", "UNAVAILABLE", "DATA_LOSS", "UNAUTHENTICATED" };

    return status >= 0 && (size_t)status < sizeof(names) / sizeof(names[0]) ? names[status] : "UNKNOWN";
}
