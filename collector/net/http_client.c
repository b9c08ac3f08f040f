/*
 * HTTP/1.1 client over stream.h. Written here and not left to libcurl, which design.md named, by measurement: libcurl4 and the 26
 * libraries that Debian links it with add 4 MB of resident memory and 3 ms to every start, more than half of weir's
 * whole budget; and it copies every body once more than the kernel has to.
 *
 * Cost: one sendmsg per socket buffer's worth of body, one poll for each time that it is full and one for the answer.
 * Threads: calls share the list of idle connections and nothing else; a connection belongs to one call at a time.
 */
#include "collector/net/http_client.h"

#include <errno.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <strings.h>

#include "collector/base/clock.h"
#include "collector/net/http_response.h"
#include "collector/net/part_cursor.h"
#include "collector/net/proxy.h"
#include "collector/net/stream.h"
#include "collector/net/tls_client.h"
#include "collector/net/url.h"

enum { RESPONSE_LIMIT = 64 * 1024, WRITE_PARTS = 64, READ_SIZE = 16 * 1024 };

struct connection {
    struct stream stream;
    struct connection *next; /* idle */
    int64_t idle_since_ns;
    bool reused;
    bool proxied; /* plain HTTP through a proxy: the request names the whole URL */
    bool https;
    char authority[272]; /* whom it leads to */
};

struct http_client {
    struct http_client_settings settings;
    struct tls_client *tls;
    struct stream_cancel cancel;
    pthread_mutex_t lock;
    struct connection *idle; /* the last used first; under the lock */
    int64_t idle_count;      /* under the lock */
};

/* One call, over one connection or two. */
struct exchange {
    struct http_client *client;
    const struct http_call *call;
    struct url url;
    const char *proxy; /* borrowed; NULL: none */
    struct stream_limits limits;
    struct http_response_reader reader;
    struct connection *connection;
    struct buffer head;
};

struct http_client *http_client_create(const struct http_client_settings *settings, struct error *err)
{
    struct http_client *client = calloc(1, sizeof(*client));

    if (client == NULL)
        abort();
    client->settings = *settings;
    client->cancel.fd = -1;
    pthread_mutex_init(&client->lock, NULL);
    client->tls = tls_client_create(settings->tls, err);
    if (client->tls != NULL && stream_cancel_init(&client->cancel, err))
        return client;
    http_client_destroy(client);
    return NULL;
}

static void connection_close(struct connection *connection)
{
    if (connection == NULL)
        return;
    stream_close(&connection->stream);
    free(connection);
}

void http_client_destroy(struct http_client *client)
{
    if (client == NULL)
        return;
    while (client->idle != NULL) {
        struct connection *connection = client->idle;

        client->idle = connection->next;
        connection_close(connection);
    }
    tls_client_destroy(client->tls);
    stream_cancel_fini(&client->cancel);
    pthread_mutex_destroy(&client->lock);
    free(client);
}

void http_client_cancel(struct http_client *client)
{
    if (client != NULL)
        stream_cancel_set(&client->cancel);
}

/* ---- connections ---- */

/* An idle connection to there, taken off the list; one that waited too long, or that the peer spoke on or closed, is closed. */
static struct connection *take_idle(struct exchange *exchange)
{
    struct http_client *client = exchange->client;
    int64_t oldest = client->settings.idle_conn_timeout_ns > 0 ? clock_monotonic_nanos() - client->settings.idle_conn_timeout_ns : 0;

    for (;;) {
        struct connection *connection, **link;

        pthread_mutex_lock(&client->lock);
        for (link = &client->idle; *link != NULL; link = &(*link)->next)
            if ((*link)->https == exchange->url.https && strcmp((*link)->authority, exchange->url.authority) == 0)
                break;
        connection = *link;
        if (connection != NULL) {
            *link = connection->next;
            client->idle_count--;
        }
        pthread_mutex_unlock(&client->lock);
        if (connection == NULL)
            return NULL;
        connection->reused = true;
        if (connection->idle_since_ns >= oldest && stream_is_quiet(&connection->stream))
            return connection;
        connection_close(connection);
    }
}

static void give_back(struct http_client *client, struct connection *connection)
{
    bool kept = false;

    connection->idle_since_ns = clock_monotonic_nanos();
    pthread_mutex_lock(&client->lock);
    if (client->settings.max_idle_conns <= 0 || client->idle_count < client->settings.max_idle_conns) {
        connection->next = client->idle;
        client->idle = connection;
        client->idle_count++;
        kept = true;
    }
    pthread_mutex_unlock(&client->lock);
    if (!kept)
        connection_close(connection);
}

static bool open_stream(struct exchange *exchange, struct connection *connection, struct error *err)
{
    struct http_client *client = exchange->client;
    struct stream *stream = &connection->stream;
    struct stream_target target = { .host = exchange->url.host, .port = exchange->url.port, .unix_path = client->settings.unix_path };
    struct stream_tls tls = { client->tls, exchange->url.host, SLICE("\x08http/1.1"), false };

    connection->proxied = exchange->proxy != NULL && !exchange->url.https;
    if (exchange->proxy == NULL) {
        if (!stream_connect(stream, &target, &exchange->limits, err))
            return false;
    } else if (!proxy_connect(stream, exchange->proxy, &exchange->limits, err)) {
        return false;
    }
    if (!exchange->url.https)
        return true;
    if (exchange->proxy != NULL && !proxy_tunnel(stream, exchange->proxy, &exchange->url, &exchange->limits, err))
        return false;
    return stream_start_tls(stream, &tls, &exchange->limits, err);
}

static struct connection *open_connection(struct exchange *exchange, struct error *err)
{
    struct connection *connection = calloc(1, sizeof(*connection));

    if (connection == NULL) {
        fail(err, "out of memory");
        return NULL;
    }
    connection->stream.fd = -1;
    connection->https = exchange->url.https;
    memcpy(connection->authority, exchange->url.authority, sizeof(connection->authority));
    if (open_stream(exchange, connection, err))
        return connection;
    connection_close(connection);
    return NULL;
}

/* ---- one request and its answer ---- */

static bool has_header(const struct http_call *call, const char *name)
{
    size_t length = strlen(name);

    for (const char *const *header = call->headers; header != NULL && *header != NULL; header++)
        if (strncasecmp(*header, name, length) == 0 && (*header)[length] == ':')
            return true;
    return false;
}

static void write_head(struct exchange *exchange, uint64_t body_size)
{
    const struct http_call *call = exchange->call;
    struct buffer *head = &exchange->head;
    const char *method = call->method != NULL ? call->method : "POST";

    buffer_clear(head);
    buffer_printf(head, "%s ", method);
    if (exchange->connection->proxied)
        buffer_printf(head, "http://%s", exchange->url.authority);
    buffer_append_slice(head, exchange->url.target);
    buffer_append_string(head, " HTTP/1.1\r\n");
    if (!has_header(call, "host"))
        buffer_printf(head, "Host: %s\r\n", exchange->url.authority);
    for (const char *const *header = call->headers; header != NULL && *header != NULL; header++)
        buffer_printf(head, "%s\r\n", *header);
    if (exchange->url.user.size > 0 && !has_header(call, "authorization")) {
        buffer_append_string(head, "Authorization: ");
        url_basic_credentials(exchange->url.user, head);
        buffer_append_string(head, "\r\n");
    }
    if (exchange->connection->proxied)
        proxy_credentials(exchange->proxy, head);
    if (body_size > 0 || (strcmp(method, "GET") != 0 && strcmp(method, "HEAD") != 0))
        buffer_printf(head, "Content-Length: %llu\r\n", (unsigned long long)body_size);
    buffer_append_string(head, exchange->client->settings.disable_keep_alives ? "Connection: close\r\n\r\n" : "\r\n");
}

/* Writes until the socket is full. false: it can't be written to any more; an answer may have come all the same. */
static bool send_some(struct exchange *exchange, struct part_cursor *cursor)
{
    struct slice pieces[WRITE_PARTS];

    while (cursor->left > 0) {
        size_t count = part_cursor_look(cursor, UINT64_MAX, pieces, WRITE_PARTS);
        ssize_t written = stream_write(&exchange->connection->stream, pieces, count);

        if (written == STREAM_AGAIN)
            return true;
        if (written == STREAM_FAILED)
            return false;
        part_cursor_pass(cursor, (uint64_t)written);
    }
    return true;
}

/* Takes what has come. */
static bool receive_some(struct exchange *exchange, struct error *err)
{
    uint8_t bytes[READ_SIZE];
    ssize_t got = stream_read(&exchange->connection->stream, bytes, sizeof(bytes));
    char why[200];

    if (got > 0)
        http_response_feed(&exchange->reader, slice_of(bytes, (size_t)got));
    else if (got == 0)
        http_response_end(&exchange->reader);
    else if (got == STREAM_FAILED)
        return fail(err, "the connection broke: %s", stream_failure(&exchange->connection->stream, why, sizeof(why)));
    if (exchange->reader.state == HTTP_RESPONSE_BAD)
        return fail(err, "%s", exchange->reader.fault);
    return true;
}

static bool fail_waiting(const struct exchange *exchange, unsigned ready, uint64_t unsent, struct error *err)
{
    if (ready & STREAM_CANCELLED)
        return fail(err, "stopping");
    return fail(err, "timed out after %.3g s %s", (double)exchange->client->settings.timeout_ns / (double)NANOS_PER_SECOND,
        unsent > 0 ? "while the request was being sent" : "while waiting for the answer");
}

static bool run_request(struct exchange *exchange, struct error *err)
{
    struct part_cursor cursor = part_cursor_of(SLICE(""), exchange->call->parts, exchange->call->part_count);

    write_head(exchange, cursor.left);
    if (exchange->head.failed)
        return fail(err, "out of memory for the request's head");
    cursor = part_cursor_of(buffer_slice(&exchange->head), exchange->call->parts, exchange->call->part_count);
    while (exchange->reader.state != HTTP_RESPONSE_DONE) {
        unsigned ready;

        if (!send_some(exchange, &cursor)) {
            cursor.left = 0; /* whatever the peer said before it closed is in the socket's buffer */
            exchange->reader.keep_alive = false;
        }
        ready = stream_wait(&exchange->connection->stream, cursor.left > 0, &exchange->limits);
        if (ready & (STREAM_TIMED_OUT | STREAM_CANCELLED))
            return fail_waiting(exchange, ready, cursor.left, err);
        if (ready & STREAM_READABLE && !receive_some(exchange, err))
            return false;
    }
    if (cursor.left > 0) /* answered before all was read: the rest of the body must not be taken for a request */
        exchange->reader.keep_alive = false;
    return true;
}

/* Over one connection. *stale: it was a reused one, and it died before a byte came back. */
static bool attempt(struct exchange *exchange, struct http_answer *answer, bool *stale, struct error *err)
{
    size_t limit = exchange->call->response_limit > 0 ? exchange->call->response_limit : RESPONSE_LIMIT;
    bool reused, answered;

    *stale = false;
    exchange->connection = take_idle(exchange);
    if (exchange->connection == NULL)
        exchange->connection = open_connection(exchange, err);
    if (exchange->connection == NULL)
        return false;
    reused = exchange->connection->reused;
    http_response_reader_init(&exchange->reader, answer, limit);
    exchange->reader.head_only = exchange->call->method != NULL && strcmp(exchange->call->method, "HEAD") == 0;
    answered = run_request(exchange, err);
    if (answered && exchange->reader.keep_alive && !exchange->client->settings.disable_keep_alives)
        give_back(exchange->client, exchange->connection);
    else
        connection_close(exchange->connection);
    exchange->connection = NULL;
    *stale = !answered && reused && !exchange->reader.started &&
             (exchange->limits.deadline_ns == 0 || clock_monotonic_nanos() < exchange->limits.deadline_ns) &&
             !atomic_load(&exchange->client->cancel.set);
    if (!answered)
        answer->status = 0;
    http_response_reader_fini(&exchange->reader);
    return answered;
}

bool http_client_call(struct http_client *client, const struct http_call *call, struct http_answer *answer, struct error *err)
{
    struct exchange exchange = { .client = client, .call = call, .limits = { 0, &client->cancel } };
    bool answered, stale;

    if (atomic_load(&client->cancel.set))
        return fail(err, "stopping");
    if (!url_parse(call->url, &exchange.url, err))
        return false;
    if (client->settings.unix_path == NULL && (client->settings.proxy_url != NULL || !client->settings.ignore_environment_proxy))
        exchange.proxy = url_proxy(&exchange.url, client->settings.proxy_url);
    if (client->settings.timeout_ns > 0)
        exchange.limits.deadline_ns = clock_monotonic_nanos() + client->settings.timeout_ns;
    do
        answered = attempt(&exchange, answer, &stale, err);
    while (stale);
    buffer_fini(&exchange.head);
    return answered;
}
