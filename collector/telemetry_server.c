/* GET /metrics on the control loop. A page is built for each request; nothing is kept. */
#include "collector/telemetry_server.h"

#include <stdio.h>
#include <stdlib.h>

#include "collector/base/clock.h"
#include "collector/net/http_server.h"
#include "collector/telemetry.h"

struct endpoint {
    char *text; /* "localhost:8888"; owned */
    struct http_server *server;
};

struct telemetry_server {
    size_t count;
    struct endpoint endpoints[];
};

static void serve(void *context, struct http_exchange *exchange)
{
    static const struct http_header type = { SLICE_INIT("content-type"), SLICE_INIT("text/plain; version=0.0.4; charset=utf-8") };
    struct http_response response = { .status = 404, .headers = &type, .header_count = 1, .body = SLICE("only /metrics is served here\n") };
    struct buffer page = { 0 };

    (void)context;
    if (slice_equal_string(http_exchange_request(exchange)->path, "/metrics")) {
        metrics_write(&page);
        response.status = page.failed ? 503 : 200;
        response.body = buffer_slice(&page);
    }
    http_reply(exchange, &response);
    buffer_fini(&page);
}

static char *endpoint_text(const struct telemetry_reader *reader)
{
    struct buffer text = { 0 };
    char *copy;

    buffer_printf(&text, "%s:%d", reader->host, (int)reader->port);
    copy = slice_dup_string(buffer_slice(&text));
    buffer_fini(&text);
    return copy;
}

struct telemetry_server *telemetry_server_start(const struct telemetry_settings *settings, struct error *err)
{
    static const struct http_service service = { .serve = serve };
    struct telemetry_server *server = calloc(1, sizeof(*server) + settings->metrics.reader_count * sizeof(server->endpoints[0]));

    if (server == NULL)
        abort();
    for (size_t i = 0; i < settings->metrics.reader_count; i++) {
        struct endpoint *endpoint = &server->endpoints[server->count++];
        struct http_server_settings http = { .max_body = 0, .control = true, .idle_timeout_ns = 60 * NANOS_PER_SECOND };

        endpoint->text = endpoint_text(&settings->metrics.readers[i]);
        http.endpoint = endpoint->text;
        endpoint->server = http_server_start(&http, &service, err);
        if (endpoint->server == NULL) {
            fail_within(err, "service.telemetry.metrics: reader %zu", i);
            telemetry_server_stop(server);
            return NULL;
        }
    }
    return server;
}

void telemetry_server_stop(struct telemetry_server *server)
{
    if (server == NULL)
        return;
    for (size_t i = 0; i < server->count; i++) {
        http_server_stop(server->endpoints[i].server, 0);
        free(server->endpoints[i].text);
    }
    free(server);
}

bool telemetry_server_matches(const struct telemetry_server *server, const struct telemetry_settings *settings)
{
    bool same = server != NULL && server->count == settings->metrics.reader_count;

    for (size_t i = 0; same && i < server->count; i++) {
        char *text = endpoint_text(&settings->metrics.readers[i]);

        same = strcmp(text, server->endpoints[i].text) == 0;
        free(text);
    }
    return same;
}
