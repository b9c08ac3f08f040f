/*
 * From a body to a batch, and from the batch's receipt to the answer; the same for both protocols.
 * Cost: one scan; a copy only for JSON and for text that has to be repaired. Any thread.
 */
#include <stdlib.h>

#include "collector/base/log.h"
#include "collector/wire/json.h"
#include "receivers/otlp/otlp.h"

/* A JSON number in a list takes two bytes at least, and eight in protobuf; a byte that is not UTF-8 becomes three. */
enum { JSON_GROWTH_MAX = 4, REPAIR_GROWTH_MAX = 3, SMALLEST_LIMIT = 64 };

static const char *transport(const struct otlp_request *request)
{
    return request->call != NULL ? "grpc" : "http";
}

static const struct http_exchange *exchange_of(const struct otlp_request *request)
{
    return request->call != NULL ? grpc_call_exchange(request->call) : request->exchange;
}

static void answer(const struct otlp_request *request, const struct otlp_status *status)
{
    if (request->call != NULL)
        otlp_grpc_answer(request, status);
    else
        otlp_http_answer(request, status);
}

static void answer_success(const struct otlp_request *request)
{
    answer(request, &(struct otlp_status){ .code = GRPC_OK });
}

static void answer_outcome(const struct otlp_request *request, struct outcome outcome)
{
    struct buffer message = { 0 };
    struct otlp_status status = otlp_status_of(outcome, &message);

    answer(request, &status);
    buffer_fini(&message);
}

static void refuse_memory(const struct otlp_request *request)
{
    otlp_count_refused(request->self, request->signal, "memory");
    answer_outcome(request, outcome_retry("memory", 0));
}

/* Says who sent what, and where in it the fault is. */
static void refuse_malformed(const struct otlp_request *request, const char *fault, const char *where, size_t offset)
{
    const char *peer = http_exchange_request(exchange_of(request))->peer;
    struct otlp_status status = { .code = GRPC_INVALID_ARGUMENT };
    struct buffer message = { 0 };

    buffer_printf(&message, "malformed %s request from %s: %s%s%s, at byte %zu", signal_name(request->signal), peer,
        where != NULL ? where : "", where != NULL ? ": " : "", fault, offset);
    log_warn(request->self->base.path, "refused a %s", buffer_string(&message));
    otlp_count_refused(request->self, request->signal, "malformed");
    status.message = buffer_slice(&message);
    answer(request, &status);
    buffer_fini(&message);
}

/* ---- bodies that are not passed on as they came ---- */

/* Takes the body. NULL: it was answered. */
static struct payload *replace_body(const struct otlp_request *request, struct payload *body, const struct buffer *by)
{
    struct payload *payload = NULL;

    if (!by->failed && otlp_admit(request->self, by->size))
        payload = payload_create(by->size);
    payload_unref(body);
    if (payload == NULL) {
        refuse_memory(request);
        return NULL;
    }
    if (by->size > 0)
        memcpy(payload->data, by->data, by->size);
    payload->size = by->size;
    return payload;
}

static struct payload *convert_json(const struct otlp_request *request, struct payload *body)
{
    struct buffer wire = { .limit = body->size * JSON_GROWTH_MAX + SMALLEST_LIMIT };
    struct json_error fault = { 0 };
    struct payload *payload;

    if (!json_read_request(request->signal, payload_slice(body), &wire, &fault) && !wire.failed) {
        payload_unref(body);
        buffer_fini(&wire);
        refuse_malformed(request, fault.message, NULL, fault.offset);
        return NULL;
    }
    payload = replace_body(request, body, &wire);
    buffer_fini(&wire);
    return payload;
}

static struct payload *repair(const struct otlp_request *request, struct payload *body)
{
    struct buffer repaired = { .limit = body->size * REPAIR_GROWTH_MAX + SMALLEST_LIMIT };
    size_t strings = otlp_repair(request->signal, payload_slice(body), &repaired);
    struct payload *payload = replace_body(request, body, &repaired);

    buffer_fini(&repaired);
    if (payload != NULL)
        component_count_repaired(&request->self->base, request->signal, strings);
    return payload;
}

/* The body as it goes on, checked, and its records. Takes it. NULL: it was answered. */
static struct payload *check(const struct otlp_request *request, struct payload *body, size_t *records)
{
    struct otlp_check found;

    if (request->encoding == OTLP_ENCODING_JSON)
        body = convert_json(request, body);
    if (body == NULL)
        return NULL;
    found = otlp_check(request->signal, payload_slice(body));
    *records = found.records;
    if (__builtin_expect(found.fault == OTLP_OK, 1))
        return body;
    if (found.fault == OTLP_BAD_UTF8)
        return repair(request, body);
    payload_unref(body);
    refuse_malformed(request, otlp_fault_text(found.fault), found.message, found.offset);
    return NULL;
}

/* ---- waiting for a receipt ---- */

struct waiting {
    struct otlp_request request;
    struct receiver_link *link; /* one reference */
};

static struct waiting *waiting_create(const struct otlp_request *request)
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

/* The receiver has stopped: nobody hears the answer, but it has to be given. */
static void answer_nobody(const struct otlp_request *request)
{
    if (request->call != NULL)
        grpc_reply(request->call, &(struct grpc_reply){ .status = GRPC_UNAVAILABLE });
    else
        http_reply(request->exchange, &(struct http_response){ .status = 503 });
}

static void told(void *context, struct outcome outcome)
{
    struct waiting *waiting = context;
    const struct otlp_request *request = &waiting->request;

    if (receiver_link_enter(waiting->link)) {
        component_count_received(&request->self->base, request->signal, transport(request), request->records, outcome);
        answer_outcome(request, outcome);
    } else {
        answer_nobody(request);
    }
    receiver_link_leave(waiting->link);
    waiting_destroy(waiting);
}

/* ---- passing on ---- */

static bool wants_metadata(const struct otlp_request *request)
{
    return request->call != NULL ? request->self->grpc.include_metadata : request->self->http.listen.include_metadata;
}

/* False when memory is out. */
static bool attach_metadata(const struct otlp_request *request, struct batch *batch)
{
    if (!wants_metadata(request))
        return true;
    batch->metadata = http_metadata(exchange_of(request));
    return batch->metadata != NULL;
}

static void pass_on(const struct otlp_request *request, struct payload *body)
{
    struct waiting *waiting = waiting_create(request);
    struct receipt *receipt = waiting != NULL ? receipt_create(RECEIPT_ACCEPTED, told, waiting) : NULL;
    struct batch *batch;

    if (receipt == NULL) {
        if (waiting != NULL)
            waiting_destroy(waiting);
        payload_unref(body);
        refuse_memory(request);
        return;
    }
    batch = batch_create(request->signal, body, request->records, receipt);
    if (batch == NULL)
        return; /* the receipt was told */
    if (attach_metadata(request, batch))
        component_emit(&request->self->base, batch);
    else
        batch_settle(batch, outcome_retry("memory", 0));
}

void otlp_take(const struct otlp_request *request, struct payload *body)
{
    struct otlp_request counted = *request;

    if (body == NULL || body->size == 0) {
        payload_unref(body);
        if (request->encoding == OTLP_ENCODING_JSON) { /* no bytes are an empty protobuf message, but no JSON value */
            refuse_malformed(request, "expected an object, found the end of the text", NULL, 0);
            return;
        }
        answer_success(request);
        return;
    }
    body = check(request, body, &counted.records);
    if (body == NULL)
        return;
    if (counted.records == 0) {
        payload_unref(body);
        answer_success(request);
        return;
    }
    pass_on(&counted, body);
}
