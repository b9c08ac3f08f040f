/*
 * health_check extension: says by HTTP whether the pipelines take data, for load balancers and Kubernetes probes.
 *
 * Cost: nothing between requests. Threads: requests on the control loop, so that they are answered when the data loops are busy.
 */
#include "collector/base/clock.h"
#include "collector/component.h"
#include "collector/http_listen.h"
#include "collector/pipeline.h"

struct response_body {
    const char *healthy, *unhealthy;
};

struct health_check {
    struct component base;
    struct http_listen_settings settings;
    const char *url_path;
    bool response_body_present;
    struct response_body response_body;
    struct http_listen listen;
    struct http_server *server; /* owned; NULL: not started */
    uint64_t up_since;          /* wall clock, when it started: some milliseconds before the pipelines */
    int64_t up_since_monotonic;
};

static const struct option response_body_options[] = {
    { "healthy", OPTION_STRING, offsetof(struct response_body, healthy), NULL, NULL, "body when the pipelines take data" },
    { "unhealthy", OPTION_STRING, offsetof(struct response_body, unhealthy), NULL, NULL, "body when they do not" },
    { 0 },
};

static const struct option check_collector_pipeline_options[] = {
    { "enabled", OPTION_UNSUPPORTED, 0, "false", NULL, "counting exporters' failures (deprecated by the OpenTelemetry Collector)" },
    { "interval", OPTION_UNSUPPORTED, 0, "5m", NULL, "time over which failures are counted" },
    { "exporter_failure_threshold", OPTION_UNSUPPORTED, 0, "5", NULL, "failures that make the answer unhealthy" },
    { 0 },
};

static const struct option options[] = {
    { "endpoint", OPTION_STRING, offsetof(struct health_check, settings.endpoint), "localhost:13133", "nonempty", "address to listen on" },
    { "path", OPTION_STRING, offsetof(struct health_check, url_path), "/", "nonempty",
        "path that is answered; with a slash at its end, all below it too" },
    { "response_body", OPTION_BLOCK, offsetof(struct health_check, response_body), NULL, NULL, "bodies instead of the JSON text",
        response_body_options, .present = offsetof(struct health_check, response_body_present) },
    { "check_collector_pipeline", OPTION_BLOCK, 0, NULL, NULL, "deprecated", check_collector_pipeline_options },
    { "", OPTION_INCLUDE, offsetof(struct health_check, settings), NULL, NULL, NULL, http_listen_options },
    { 0 },
};

/* ---- answers ---- */

/* "1h2m3.5s", as Go prints a duration. */
static void write_uptime(int64_t nanos, struct buffer *out)
{
    int64_t minutes = nanos / (60 * NANOS_PER_SECOND);
    double seconds = (double)(nanos - minutes * 60 * NANOS_PER_SECOND) / (double)NANOS_PER_SECOND;

    if (minutes >= 60)
        buffer_printf(out, "%lldh", (long long)(minutes / 60));
    if (minutes > 0)
        buffer_printf(out, "%lldm", (long long)(minutes % 60));
    buffer_printf(out, "%.9gs", seconds);
}

static void write_json(const struct health_check *self, bool ready, struct buffer *out)
{
    char since[CLOCK_RFC3339_SIZE];

    if (!ready) {
        buffer_append_string(out, "{\"status\":\"Server not available\",\"upSince\":\"0001-01-01T00:00:00Z\",\"uptime\":\"\"}");
        return;
    }
    clock_format_rfc3339(self->up_since, since);
    buffer_printf(out, "{\"status\":\"Server available\",\"upSince\":\"%s\",\"uptime\":\"", since);
    write_uptime(clock_monotonic_nanos() - self->up_since_monotonic, out);
    buffer_append_string(out, "\"}");
}

static void reply(const struct health_check *self, struct http_exchange *exchange, bool ready)
{
    const char *text = ready ? self->response_body.healthy : self->response_body.unhealthy;
    struct http_header type = { SLICE("content-type"), SLICE("application/json") };
    struct http_response response = { .status = ready ? 200 : 503, .headers = &type, .header_count = 1 };
    struct buffer body = { 0 };

    if (self->response_body_present) {
        type.value = SLICE("text/plain; charset=utf-8");
        response.body = slice_of_string(text);
    } else {
        write_json(self, ready, &body);
        response.body = buffer_slice(&body);
    }
    http_listen_reply(&self->listen, exchange, &response);
    buffer_fini(&body);
}

/* As Go's mux: a path that ends in a slash stands for all below it. */
static bool is_served(const struct health_check *self, struct slice path)
{
    struct slice own = slice_of_string(self->url_path);

    return slice_equal(path, own) || (own.data[own.size - 1] == '/' && slice_starts_with(path, own));
}

static bool head(void *context, struct http_exchange *exchange)
{
    struct health_check *self = context;
    struct http_header type = { SLICE("content-type"), SLICE("text/plain; charset=utf-8") };
    struct http_response response = { .headers = &type, .header_count = 1 };
    struct error err = { "" };

    if (http_listen_preflight(&self->listen, exchange))
        return false;
    if (!authenticator_check(self->listen.authenticator, exchange, &err)) {
        response.status = 401;
        response.body = slice_of_string(err.message);
    } else if (!is_served(self, http_exchange_request(exchange)->path)) {
        response.status = 404;
        response.body = SLICE("404 page not found\n");
    } else {
        return true;
    }
    http_listen_reply(&self->listen, exchange, &response);
    return false;
}

static void serve(void *context, struct http_exchange *exchange)
{
    struct health_check *self = context;

    payload_unref(http_exchange_take_body(exchange));
    reply(self, exchange, pipeline_is_ready());
}

/* ---- life ---- */

static bool health_check_validate(struct component *component, struct error *err)
{
    const struct health_check *self = (const struct health_check *)component;
    struct http_server_settings settings;

    if (self->url_path[0] != '/')
        return fail(err, "path must start with /");
    return http_listen_to_net(&self->settings, &settings, err);
}

static bool health_check_start(struct component *component, struct error *err)
{
    struct health_check *self = (struct health_check *)component;
    struct http_service service = { .context = self, .head = head, .serve = serve };
    struct http_server_settings settings;

    if (!http_listen_init(&self->listen, &self->settings, component, err) || !http_listen_to_net(&self->settings, &settings, err))
        return false;
    settings.control = true;
    self->up_since = clock_wall_nanos();
    self->up_since_monotonic = clock_monotonic_nanos();
    self->server = http_server_start(&settings, &service, err);
    return self->server != NULL;
}

static void health_check_stop(struct component *component)
{
    struct health_check *self = (struct health_check *)component;

    http_server_stop(self->server, 0);
    self->server = NULL;
    http_listen_fini(&self->listen);
}

const struct component_type health_check_extension = {
    .name = "health_check",
    .kind = COMPONENT_EXTENSION,
    .stability = STABILITY_BETA,
    .summary = "Says by HTTP whether the pipelines take data: 200 when they do, 503 while they start or stop.",
    .options = options,
    .instance_size = sizeof(struct health_check),
    .validate = health_check_validate,
    .start = health_check_start,
    .stop = health_check_stop,
};
