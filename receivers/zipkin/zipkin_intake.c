/*
 * From a body to a batch, and from the batch's receipt to the answer.
 * Cost: one translation, and one copy into a payload of the right size. Any thread.
 */
#include <stdlib.h>

#include "collector/base/clock.h"
#include "collector/base/log.h"
#include "receivers/zipkin/zipkin.h"

static const char *transport(enum zipkin_format format)
{
    static const char *const names[] = { [ZIPKIN_JSON] = "http_v2_json",
        [ZIPKIN_PROTO] = "http_v2_proto",
        [ZIPKIN_JSON_V1] = "http_v1_json",
        [ZIPKIN_THRIFT] = "http_v1_thrift" };

    return names[format];
}

static void refuse_memory(const struct zipkin_request *request)
{
    component_count_dropped(&request->self->base, SIGNAL_TRACES, "memory", 1);
    zipkin_answer(request, outcome_retry("memory", 0));
}

/* Says who sent what, and where in it the fault is. */
static void refuse_malformed(const struct zipkin_request *request, const struct zipkin_reading *reading)
{
    struct buffer message = { 0 };

    buffer_printf(&message, "malformed spans (%s) from %s: %s, at byte %zu", transport(request->format),
        http_exchange_request(request->exchange)->peer, reading->message, reading->offset);
    log_warn(request->self->base.path, "refused %s", buffer_string(&message));
    component_count_dropped(&request->self->base, SIGNAL_TRACES, "malformed", 1);
    buffer_append_byte(&message, '\n');
    zipkin_refuse(request, 400, buffer_string(&message));
    buffer_fini(&message);
}

/* ---- translation ---- */

static struct payload *payload_of(const struct zipkin_request *request, const struct buffer *wire)
{
    struct payload *payload = component_admit(&request->self->base, wire->size) ? payload_create(wire->size) : NULL;

    if (payload == NULL) {
        refuse_memory(request);
        return NULL;
    }
    if (wire->size > 0)
        memcpy(payload->data, wire->data, wire->size);
    payload->size = wire->size;
    return payload;
}

/* The spans as OTLP. Takes the body. NULL: it was answered. */
static struct payload *translate(struct zipkin_request *request, struct payload *body)
{
    struct zipkin_reading reading = {
        .format = request->format, .parse_string_tags = request->self->parse_string_tags, .now_ns = clock_wall_nanos()
    };
    struct slice bytes = body != NULL ? payload_slice(body) : slice_of(NULL, 0);
    struct buffer wire = { .limit = bytes.size * ZIPKIN_MAX_GROWTH + ZIPKIN_EXTRA };
    bool read = zipkin_read(&reading, bytes, &wire);
    struct payload *payload = NULL;

    payload_unref(body);
    if (read)
        payload = payload_of(request, &wire);
    else if (wire.failed)
        refuse_memory(request);
    else
        refuse_malformed(request, &reading);
    buffer_fini(&wire);
    if (payload != NULL && reading.repaired > 0)
        component_count_repaired(&request->self->base, SIGNAL_TRACES, reading.repaired);
    request->spans = reading.spans;
    return payload;
}

/* ---- waiting for a receipt ---- */

struct waiting {
    struct zipkin_request request;
    struct receiver_link *link; /* one reference */
};

static struct waiting *waiting_create(const struct zipkin_request *request)
{
    struct waiting *waiting = malloc(sizeof(*waiting));

    if (waiting == NULL)
        return NULL;
    *waiting = (struct waiting){ *request, receiver_link_ref(request->self->link) };
    return waiting;
}

static void waiting_destroy(struct waiting *waiting)
{
    receiver_link_unref(waiting->link);
    free(waiting);
}

static void told(void *context, struct outcome outcome)
{
    struct waiting *waiting = context;
    const struct zipkin_request *request = &waiting->request;

    if (receiver_link_enter(waiting->link)) {
        component_count_received(&request->self->base, SIGNAL_TRACES, transport(request->format), request->spans, outcome);
        zipkin_answer(request, outcome);
    } else {
        http_reply(request->exchange, &(struct http_response){ .status = 503 }); /* nobody hears it, but it has to be given */
    }
    receiver_link_leave(waiting->link);
    waiting_destroy(waiting);
}

/* ---- passing on ---- */

/* False when memory is out. */
static bool attach_metadata(const struct zipkin_request *request, struct batch *batch)
{
    if (!request->self->http.include_metadata)
        return true;
    batch->metadata = http_metadata(request->exchange);
    return batch->metadata != NULL;
}

static void pass_on(const struct zipkin_request *request, struct payload *spans)
{
    struct waiting *waiting = waiting_create(request);
    struct receipt *receipt = waiting != NULL ? receipt_create(RECEIPT_ACCEPTED, told, waiting) : NULL;
    struct batch *batch;

    if (receipt == NULL) {
        if (waiting != NULL)
            waiting_destroy(waiting);
        payload_unref(spans);
        refuse_memory(request);
        return;
    }
    batch = batch_create(SIGNAL_TRACES, spans, request->spans, receipt);
    if (batch == NULL)
        return; /* the receipt was told */
    if (attach_metadata(request, batch))
        component_emit(&request->self->base, batch);
    else
        batch_settle(batch, outcome_retry("memory", 0));
}

void zipkin_take(const struct zipkin_request *request, struct payload *body)
{
    struct zipkin_request counted = *request;
    struct payload *spans = translate(&counted, body);

    if (spans == NULL)
        return;
    if (counted.spans > 0) {
        pass_on(&counted, spans);
        return;
    }
    payload_unref(spans);
    zipkin_answer(request, OUTCOME_ACCEPTED);
}
