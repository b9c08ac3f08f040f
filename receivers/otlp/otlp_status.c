/* OTLP answers. Cost: nothing for a success, whose body is constant; a refusal writes a few dozen bytes. */
#include "receivers/otlp/otlp_status.h"

#include "collector/base/clock.h"
#include "collector/wire/json.h"
#include "collector/wire/protobuf.h"

enum otlp_encoding otlp_encoding_of(struct slice content_type)
{
    const uint8_t *semicolon = content_type.size > 0 ? memchr(content_type.data, ';', content_type.size) : NULL;

    if (semicolon != NULL)
        content_type.size = (size_t)(semicolon - content_type.data);
    content_type = slice_trim(content_type);
    if (slice_equal_ignoring_case(content_type, SLICE("application/x-protobuf")))
        return OTLP_ENCODING_PROTOBUF;
    if (slice_equal_ignoring_case(content_type, SLICE("application/json")))
        return OTLP_ENCODING_JSON;
    return OTLP_ENCODING_UNKNOWN;
}

struct slice otlp_content_type(enum otlp_encoding encoding)
{
    switch (encoding) {
    case OTLP_ENCODING_PROTOBUF:
        return SLICE("application/x-protobuf");
    case OTLP_ENCODING_JSON:
        return SLICE("application/json");
    case OTLP_ENCODING_UNKNOWN:
        break;
    }
    return SLICE("text/plain; charset=utf-8");
}

struct otlp_status otlp_status_of(struct outcome outcome, struct buffer *message)
{
    const char *reason = outcome.reason != NULL ? outcome.reason : "unknown";
    struct otlp_status status = { .code = GRPC_OK };

    switch (outcome.verdict) {
    case VERDICT_ACCEPTED:
        return status;
    case VERDICT_RETRY:
        status.code = GRPC_UNAVAILABLE;
        status.retry_delay_ns = outcome.retry_after_ns > NANOS_PER_SECOND ? outcome.retry_after_ns : NANOS_PER_SECOND;
        buffer_printf(message, "not taken now, send it again later: %s", reason);
        break;
    case VERDICT_REJECTED:
        status.code = strcmp(reason, "no_pipeline") == 0 ? GRPC_UNIMPLEMENTED : GRPC_INVALID_ARGUMENT;
        buffer_printf(message, "rejected, do not send it again: %s", reason);
        break;
    }
    status.message = buffer_slice(message);
    return status;
}

int otlp_status_http(enum grpc_status code)
{
    switch (code) {
    case GRPC_OK:
        return 200;
    case GRPC_INVALID_ARGUMENT:
        return 400;
    case GRPC_UNAUTHENTICATED:
        return 401;
    case GRPC_PERMISSION_DENIED:
        return 403;
    case GRPC_UNIMPLEMENTED:
        return 404;
    case GRPC_RESOURCE_EXHAUSTED:
        return 429;
    case GRPC_CANCELLED:
    case GRPC_DEADLINE_EXCEEDED:
    case GRPC_ABORTED:
    case GRPC_OUT_OF_RANGE:
    case GRPC_UNAVAILABLE:
    case GRPC_DATA_LOSS:
        return 503;
    default:
        return 500;
    }
}

void otlp_status_write(const struct otlp_status *status, enum otlp_encoding encoding, struct buffer *out)
{
    switch (encoding) {
    case OTLP_ENCODING_PROTOBUF:
        if (status->code != GRPC_OK)
            pb_put_varint(out, 1, (uint64_t)status->code);
        if (status->message.size > 0)
            pb_put_bytes(out, 2, status->message);
        break;
    case OTLP_ENCODING_JSON:
        buffer_printf(out, "{\"code\":%d,\"message\":", (int)status->code);
        json_write_string(status->message, out);
        buffer_append_byte(out, '}');
        break;
    case OTLP_ENCODING_UNKNOWN:
        buffer_append_slice(out, status->message);
        buffer_append_byte(out, '\n');
        break;
    }
}

struct slice otlp_success(enum otlp_encoding encoding)
{
    return encoding == OTLP_ENCODING_JSON ? SLICE("{}") : SLICE("");
}
