/*
 * tap extension: lets `weir tap` look at what passes. GET /tap/PIPELINE[/PROCESSOR]?client=N&rate=N&verbosity=WORD answers with the text of what
 * was seen since the last question of the same client. What is shown are the records themselves: it listens on loopback unless told otherwise.
 *
 * Cost: nothing while nobody asks. Threads: requests on the control loop.
 */
#include "collector/tap.h"

#include "collector/commands/display.h"
#include "collector/http_listen.h"

enum { DEFAULT_RATE = 10 };

struct tap_extension {
    struct component base;
    struct http_listen_settings settings; /* options */
    struct http_listen listen;
    struct http_server *server; /* owned; NULL: not started */
};

static const struct option options[] = {
    { "endpoint", OPTION_STRING, offsetof(struct tap_extension, settings.endpoint), "localhost:1778", "nonempty",
        "address to listen on; with transport: unix, the path of a socket" },
    { "", OPTION_INCLUDE, offsetof(struct tap_extension, settings), NULL, NULL, NULL, http_listen_options },
    { 0 },
};

/* ---- what is asked for ---- */

/* The number behind "name=" in a query; `otherwise` when there is none. */
static uint64_t query_number(struct slice query, const char *name, uint64_t otherwise)
{
    size_t length = strlen(name);

    for (size_t at = 0; at + length < query.size; at++) {
        uint64_t value = 0;
        if ((at > 0 && query.data[at - 1] != '&') || memcmp(query.data + at, name, length) != 0 || query.data[at + length] != '=')
            continue;
        for (at += length + 1; at < query.size && query.data[at] >= '0' && query.data[at] <= '9' && value < UINT64_MAX / 100; at++)
            value = value * 10 + (uint64_t)(query.data[at] - '0');
        return value;
    }
    return otherwise;
}

/* ---- answers ---- */

static void show(int form, enum signal signal, struct slice request, struct buffer *out)
{
    display_request((enum display)form, signal, request, out);
}

static int answer(const struct http_request *request, struct buffer *out)
{
    struct slice prefix = SLICE("/tap/"), path = request->path;
    struct tap_question question = { .client = query_number(request->query, "client", 1),
        .rate = query_number(request->query, "rate", DEFAULT_RATE),
        .form = (int)query_number(request->query, "display", DISPLAY_NORMAL),
        .show = show };

    if (!slice_starts_with(path, prefix) || !tap_places_find(slice_of(path.data + prefix.size, path.size - prefix.size), &question.place)) {
        buffer_append_string(out, "no such pipeline or processor; there are:\n");
        tap_places_list(out);
        return 404;
    }
    if (question.rate == 0 || question.rate > TAP_RATE_MAX || question.form < 0 || question.form > DISPLAY_JSON) {
        buffer_printf(out, "rate: expected 1 to %d; display: expected 0 to %d\n", TAP_RATE_MAX, DISPLAY_JSON);
        return 400;
    }
    if (tap_ask(&question, out))
        return 200;
    buffer_append_string(out, "somebody else is looking\n");
    return 409;
}

static bool head(void *context, struct http_exchange *exchange)
{
    struct tap_extension *self = context;
    struct http_header type = { SLICE("content-type"), SLICE("text/plain; charset=utf-8") };
    struct http_response response = { .status = 401, .headers = &type, .header_count = 1 };
    struct error err = { "" };

    if (http_listen_preflight(&self->listen, exchange))
        return false;
    if (authenticator_check(self->listen.authenticator, exchange, &err))
        return true;
    response.body = slice_of_string(err.message);
    http_listen_reply(&self->listen, exchange, &response);
    return false;
}

static void serve(void *context, struct http_exchange *exchange)
{
    struct tap_extension *self = context;
    struct http_header type = { SLICE("content-type"), SLICE("text/plain; charset=utf-8") };
    struct http_response response = { .headers = &type, .header_count = 1 };
    struct buffer out = { 0 };

    payload_unref(http_exchange_take_body(exchange));
    response.status = answer(http_exchange_request(exchange), &out);
    response.body = buffer_slice(&out);
    http_listen_reply(&self->listen, exchange, &response);
    buffer_fini(&out);
}

/* ---- life ---- */

static bool tap_validate(struct component *component, struct error *err)
{
    struct http_server_settings settings;

    return http_listen_to_net(&((const struct tap_extension *)component)->settings, &settings, err);
}

static bool tap_start(struct component *component, struct error *err)
{
    struct tap_extension *self = (struct tap_extension *)component;
    struct http_service service = { .context = self, .head = head, .serve = serve };
    struct http_server_settings settings;

    if (!http_listen_init(&self->listen, &self->settings, component, err) || !http_listen_to_net(&self->settings, &settings, err))
        return false;
    settings.control = true;
    self->server = http_server_start(&settings, &service, err);
    return self->server != NULL;
}

static void tap_stop(struct component *component)
{
    struct tap_extension *self = (struct tap_extension *)component;

    http_server_stop(self->server, 0);
    self->server = NULL;
    http_listen_fini(&self->listen);
    tap_off();
}

const struct component_type tap_extension = {
    .name = "tap",
    .kind = COMPONENT_EXTENSION,
    .stability = STABILITY_ALPHA,
    .summary = "Lets weir tap look at what passes a pipeline, and at what is dropped there and by which rule.",
    .options = options,
    .instance_size = sizeof(struct tap_extension),
    .validate = tap_validate,
    .start = tap_start,
    .stop = tap_stop,
};
