/* Requests to a cluster. The HTTP client keeps the connections; here is what Elasticsearch adds to them. */
#include "exporters/elasticsearch/connection.h"

#include <errno.h>
#include <stdio.h>

#include "collector/base/clock.h"
#include "collector/net/url.h"
#include "collector/wire/encoding.h"
#include "exporters/otlp_message.h"

/* An endpoint that needed longer than this to fail has used up the patience for this request. */
static const int64_t quick_ns = 2 * NANOS_PER_SECOND;

static bool is_set(const char *text)
{
    return text != NULL && *text != '\0';
}

/* ---- headers ---- */

static void write_credentials(const struct elastic_settings *settings, struct buffer *out)
{
    struct buffer pair = { 0 };

    if (otlp_headers_have(&settings->http.headers, "authorization"))
        return;
    if (is_set(settings->api_key)) {
        buffer_printf(out, "Authorization: ApiKey %s\n", settings->api_key);
        return;
    }
    if (!is_set(settings->user))
        return;
    buffer_printf(&pair, "%s:%s", settings->user, settings->password != NULL ? settings->password : "");
    buffer_append_string(out, "Authorization: Basic ");
    encoding_write_base64(buffer_slice(&pair), out);
    buffer_append_byte(out, '\n');
    out->failed |= pair.failed;
    buffer_fini(&pair);
}

static void write_headers(const struct elastic_settings *settings, struct buffer *out)
{
    const struct option_pairs *configured = &settings->http.headers;

    buffer_append_string(out, "Accept: application/json\n");
    if (!otlp_headers_have(configured, "user-agent"))
        buffer_append_string(out, "User-Agent: weir/" WEIR_VERSION "\n");
    write_credentials(settings, out);
    for (size_t i = 0; i < configured->count; i++)
        buffer_printf(out, "%s: %s\n", configured->items[i].key, configured->items[i].value != NULL ? configured->items[i].value : "");
}

/* ---- life ---- */

static void init_cancelling(struct elastic_connection *connection)
{
    pthread_condattr_t monotonic;

    pthread_mutex_init(&connection->lock, NULL);
    pthread_condattr_init(&monotonic);
    pthread_condattr_setclock(&monotonic, CLOCK_MONOTONIC);
    pthread_cond_init(&connection->cancelled, &monotonic);
    pthread_condattr_destroy(&monotonic);
    connection->is_cancelled = false;
    connection->open = true;
}

bool elastic_connection_open(
    struct elastic_connection *connection, const struct elastic_settings *settings, struct component *authenticator, struct error *err)
{
    struct http_client_settings http;

    connection->settings = settings;
    connection->authenticator = authenticator;
    init_cancelling(connection);
    write_headers(settings, &connection->headers);
    connection->endpoints = elastic_endpoints_create(settings, err);
    if (connection->endpoints == NULL)
        return false;
    http_connect_to_net(&settings->http, &http);
    connection->client = http_client_create(&http, err);
    return connection->client != NULL;
}

void elastic_connection_close(struct elastic_connection *connection)
{
    if (!connection->open)
        return;
    http_client_destroy(connection->client);
    elastic_endpoints_destroy(connection->endpoints);
    buffer_fini(&connection->headers);
    pthread_cond_destroy(&connection->cancelled);
    pthread_mutex_destroy(&connection->lock);
    memset(connection, 0, sizeof(*connection));
}

void elastic_connection_cancel(struct elastic_connection *connection)
{
    if (!connection->open)
        return;
    pthread_mutex_lock(&connection->lock);
    connection->is_cancelled = true;
    pthread_cond_broadcast(&connection->cancelled);
    pthread_mutex_unlock(&connection->lock);
    http_client_cancel(connection->client);
}

bool elastic_connection_wait(struct elastic_connection *connection, int64_t nanos)
{
    int64_t until_ns = clock_monotonic_nanos() + nanos;
    struct timespec until = { (time_t)(until_ns / NANOS_PER_SECOND), (long)(until_ns % NANOS_PER_SECOND) };
    int result = 0;
    bool cancelled;

    pthread_mutex_lock(&connection->lock);
    while (!connection->is_cancelled && result != ETIMEDOUT)
        result = pthread_cond_timedwait(&connection->cancelled, &connection->lock, &until);
    cancelled = connection->is_cancelled;
    pthread_mutex_unlock(&connection->lock);
    return !cancelled;
}

/* ---- calls ---- */

/* One request, over one endpoint or several. */
struct request {
    struct elastic_connection *connection;
    const struct elastic_call *call;
    const struct otlp_headers *headers;
    struct http_answer *answer;
};

static bool call_endpoint(const struct request *request, const struct elastic_endpoint *endpoint, struct error *err)
{
    const struct elastic_call *call = request->call;
    struct buffer url = { 0 };
    bool answered;

    elastic_endpoint_url(endpoint, call->path, call->query, &url);
    struct http_call http = {
        .method = call->method,
        .url = buffer_string(&url),
        .headers = request->headers->lines,
        .parts = call->parts,
        .part_count = call->part_count,
        .response_limit = call->response_limit,
    };

    answered =
        url.failed ? fail(err, "out of memory for the URL") : http_client_call(request->connection->client, &http, request->answer, err);
    buffer_fini(&url);
    return answered;
}

static bool is_away(const struct http_answer *answer)
{
    return answer->status >= 502 && answer->status <= 504;
}

static bool call_in_turn(const struct request *request, struct error *err)
{
    struct elastic_endpoints *endpoints = request->connection->endpoints;
    int64_t started_ns = clock_monotonic_nanos();

    for (size_t left = elastic_endpoints_count(endpoints); left > 0; left--) {
        struct elastic_endpoint *endpoint = elastic_endpoints_take(endpoints);
        bool answered = call_endpoint(request, endpoint, err), works = answered && !is_away(request->answer);

        elastic_endpoints_put(endpoints, endpoint, works);
        if (works || left == 1 || clock_monotonic_nanos() - started_ns > quick_ns || !elastic_connection_wait(request->connection, 0))
            return answered;
        http_answer_fini(request->answer);
    }
    return false;
}

bool elastic_connection_call(
    struct elastic_connection *connection, const struct elastic_call *call, struct http_answer *answer, struct error *err)
{
    struct buffer fixed = { 0 };
    struct otlp_headers headers = { 0 };
    bool answered;

    buffer_append_slice(&fixed, buffer_slice(&connection->headers));
    if (call->content_type != NULL)
        buffer_printf(&fixed, "Content-Type: %s\n", call->content_type);
    if (call->gzip)
        buffer_append_string(&fixed, "Content-Encoding: gzip\n");
    struct otlp_headers_source source = { buffer_slice(&fixed), connection->authenticator, false };
    answered = fixed.failed ? fail(err, "out of memory for the headers") : otlp_headers_make(&headers, &source, err);
    if (answered)
        answered = call_in_turn(&(struct request){ connection, call, &headers, answer }, err);
    otlp_headers_fini(&headers);
    buffer_fini(&fixed);
    return answered;
}
