/*
 * Which signal a message is of: JSON says it by its first key. Protobuf does not; most often only one signal's check lets the bytes
 * pass, and where several do the first record decides by what a record of each signal cannot do without.
 *
 * Cost: protobuf one check (about 130 ns a record), JSON what reading it costs.
 */
#include "collector/commands/telemetry_message.h"

#include <inttypes.h>
#include <stdlib.h>

#include "collector/net/compress.h"
#include "collector/wire/json.h"

static const uint8_t zstd_magic[] = { 0x28, 0xb5, 0x2f, 0xfd };

enum { GROUP_TAG = 1 << 3 | PB_BYTES };

void telemetry_decoder_fini(struct telemetry_decoder *decoder)
{
    buffer_fini(&decoder->wire);
    payload_unref(decoder->inflated);
    decoder->inflated = NULL;
}

/* ---- JSON ---- */

static struct slice skip_space(struct slice text)
{
    while (text.size > 0 && (*text.data == ' ' || *text.data == '\n' || *text.data == '\r' || *text.data == '\t'))
        text = slice_of(text.data + 1, text.size - 1);
    return text;
}

/* The signal that the first key of an object names; -1: none. */
static int signal_of_json(struct slice text)
{
    static const char *const keys[][2] = {
        [SIGNAL_TRACES] = { "\"resourceSpans\"", "\"resource_spans\"" },
        [SIGNAL_METRICS] = { "\"resourceMetrics\"", "\"resource_metrics\"" },
        [SIGNAL_LOGS] = { "\"resourceLogs\"", "\"resource_logs\"" },
        [SIGNAL_PROFILES] = { "\"resourceProfiles\"", "\"resource_profiles\"" },
    };

    text = skip_space(slice_of(text.data + 1, text.size - 1));
    for (int signal = 0; signal < SIGNAL_COUNT; signal++)
        for (size_t i = 0; i < 2; i++)
            if (slice_starts_with(text, slice_of_string(keys[signal][i])))
                return signal;
    return -1;
}

static bool read_json(struct telemetry_decoder *decoder, enum signal signal, struct slice text, struct error *err)
{
    struct json_error json_err = { 0 };

    buffer_clear(&decoder->wire);
    decoder->wire.limit = decoder->limit;
    if (json_read_request(signal, text, &decoder->wire, &json_err))
        return true;
    if (decoder->wire.failed)
        return fail(err, "too large, or out of memory");
    return fail(err, "not OTLP/JSON: byte %zu: %s", json_err.offset, json_err.message);
}

/* Something else stands before the key that tells: whichever signal has records is it. */
static bool try_json(struct telemetry_decoder *decoder, struct slice text, struct error *err)
{
    for (int signal = 0; signal < SIGNAL_COUNT; signal++) {
        if (!read_json(decoder, (enum signal)signal, text, err))
            return false;
        if (decoder->wire.size > 0) {
            decoder->signal = (enum signal)signal;
            return true;
        }
    }
    return fail(err, "JSON, but not OTLP: none of resourceSpans, resourceMetrics, resourceLogs, resourceProfiles is in it");
}

static bool decode_json(struct telemetry_decoder *decoder, struct slice text, struct error *err)
{
    int signal = signal_of_json(text);

    if (signal < 0)
        return try_json(decoder, text, err);
    if (!read_json(decoder, (enum signal)signal, text, err))
        return false;
    decoder->signal = (enum signal)signal;
    return true;
}

/* ---- protobuf ---- */

static bool is_whole(const struct otlp_check *check)
{
    return check->fault == OTLP_OK || check->fault == OTLP_BAD_UTF8;
}

static bool is_span(struct slice body)
{
    struct otlp_span span;

    otlp_span_view(body, &span);
    return span.trace_id.size == 16 && span.span_id.size == 8 && span.start_time != 0;
}

static bool is_log(struct slice body)
{
    struct otlp_log log;

    otlp_log_view(body, &log);
    return log.time != 0 || log.observed_time != 0 || log.value.size > 0;
}

static bool is_metric(struct slice body)
{
    struct otlp_metric metric;

    otlp_metric_view(body, &metric);
    return metric.name.size > 0 && metric.kind != OTLP_METRIC_NONE;
}

/* Whether the first record looks like one of that signal. */
static bool is_likely(enum signal signal, struct slice request)
{
    struct otlp_walk walk = otlp_walk(request);

    if (!otlp_walk_next(&walk))
        return false;
    switch (signal) {
    case SIGNAL_TRACES:
        return is_span(walk.record.body);
    case SIGNAL_LOGS:
        return is_log(walk.record.body);
    case SIGNAL_METRICS:
        return is_metric(walk.record.body);
    default:
        return false; /* only when it can't be any other */
    }
}

static bool decode_given(enum signal signal, struct slice bytes, struct error *err)
{
    struct otlp_check check = otlp_check(signal, bytes);

    return is_whole(&check) ||
           fail(err, "not OTLP %s: byte %zu: %s: %s", signal_name(signal), check.offset, check.message, otlp_fault_text(check.fault));
}

/* The check that came furthest says best what is wrong. */
static bool fail_unknown(struct slice bytes, struct error *err)
{
    size_t furthest = 0;
    enum signal best = SIGNAL_TRACES;

    for (int signal = 0; signal < SIGNAL_COUNT; signal++) {
        struct otlp_check check = otlp_check((enum signal)signal, bytes);

        if (check.offset > furthest) {
            furthest = check.offset;
            best = (enum signal)signal;
        }
    }
    decode_given(best, bytes, err);
    return fail_within(err, "no OTLP message of any signal");
}

static bool decode_protobuf(struct telemetry_decoder *decoder, struct slice bytes, struct error *err)
{
    int found = -1;

    if (decoder->signal_given)
        return decode_given(decoder->signal, bytes, err);
    for (int i = 0; i < SIGNAL_COUNT; i++) {
        enum signal signal = (enum signal)(((int)decoder->signal + i) % SIGNAL_COUNT); /* the last one first */
        struct otlp_check check = otlp_check(signal, bytes);

        if (!is_whole(&check))
            continue;
        if (is_likely(signal, bytes)) {
            found = (int)signal;
            break;
        }
        if (found < 0)
            found = (int)signal;
    }
    if (found < 0)
        return fail_unknown(bytes, err);
    decoder->signal = (enum signal)found;
    return true;
}

/* ---- messages ---- */

static bool is_zstd(struct slice bytes)
{
    return slice_starts_with(bytes, slice_of(zstd_magic, sizeof(zstd_magic)));
}

static bool inflate(struct telemetry_decoder *decoder, struct slice *bytes, struct error *err)
{
    enum inflate_result result;

    payload_unref(decoder->inflated);
    decoder->inflated = NULL;
    result = inflate_payload(CODING_ZSTD, *bytes, decoder->limit, NULL, &decoder->inflated);
    if (result == INFLATE_CORRUPT)
        return fail(err, "the zstd data are damaged");
    if (result != INFLATE_OK)
        return fail(err, result == INFLATE_TOO_LARGE ? "inflates to more than %zu MiB" : "out of memory for %zu MiB", decoder->limit >> 20);
    *bytes = payload_slice(decoder->inflated);
    return true;
}

bool telemetry_decode(struct telemetry_decoder *decoder, struct slice bytes, struct slice *request, struct error *err)
{
    struct slice text;

    if (is_zstd(bytes) && !inflate(decoder, &bytes, err))
        return false;
    text = skip_space(bytes);
    if (text.size > 0 && *text.data == '{') { /* as protobuf that would be a group, which OTLP has none of */
        if (!decode_json(decoder, text, err))
            return false;
        *request = buffer_slice(&decoder->wire);
        return true;
    }
    if (bytes.size == 0 || *bytes.data != GROUP_TAG)
        return fail(err, "neither OTLP/JSON nor OTLP protobuf nor zstd");
    *request = bytes;
    return decode_protobuf(decoder, bytes, err);
}

bool telemetry_may_begin(struct slice bytes, size_t size)
{
    struct pb_reader reader;
    uint64_t group;

    if (bytes.size < 2)
        return false;
    if (*bytes.data == '{' || is_zstd(bytes))
        return true;
    if (*bytes.data != GROUP_TAG)
        return false;
    reader = pb_reader_of(slice_of(bytes.data + 1, bytes.size - 1));
    group = pb_varint(&reader);
    return !reader.failed && group <= size && group + (size_t)(reader.at - bytes.data) <= size;
}
