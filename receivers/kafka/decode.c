/*
 * Decoding. otlp_proto is checked and copied once, into its payload; all else is first written as wire bytes.
 * Limits: as wire bytes Zipkin may grow to ZIPKIN_MAX_GROWTH times its size, JSON to four times, repaired text to three times; no value can
 * be written that grows more.
 */
#include "receivers/kafka/decode.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>

#include "collector/wire/json.h"
#include "collector/wire/json_value.h"
#include "collector/wire/otlp.h"
#include "collector/wire/utf8.h"

enum { JSON_GROWTH = 4, REPAIR_GROWTH = 3, SMALLEST_LIMIT = 256 };
enum { REQUEST_GROUPS = 1, GROUP_RESOURCE = 1, NESTED = 2, LOG_BODY = 5, LOG_OBSERVED_TIME = 11 };

/* ---- formats ---- */

static bool is_utf8(const char *charset)
{
    return strcasecmp(charset, "utf-8") == 0 || strcasecmp(charset, "utf8") == 0;
}

static bool text_init(struct kafka_format *format, const char *charset, struct error *err)
{
    format->encoding = KAFKA_TEXT;
    if (*charset == '\0' || is_utf8(charset))
        return true;
    format->charset = iconv_open("UTF-8", charset);
    format->converts = format->charset != (iconv_t)-1; /* NOLINT: that is how iconv says so */
    return format->converts || fail(err, "character set \"%s\" is not known", charset);
}

static bool logs_init(struct kafka_format *format, const char *encoding, struct error *err)
{
    if (strcmp(encoding, "raw") == 0)
        format->encoding = KAFKA_RAW;
    else if (strcmp(encoding, "json") == 0)
        format->encoding = KAFKA_JSON;
    else if (strcmp(encoding, "text") == 0)
        return text_init(format, "", err);
    else if (strncmp(encoding, "text_", 5) == 0)
        return text_init(format, encoding + 5, err);
    else
        return fail(err, "\"%s\" is not supported: use otlp_proto, otlp_json, raw, text, text_CHARSET or json", encoding);
    return true;
}

static bool traces_init(struct kafka_format *format, const char *encoding, struct error *err)
{
    format->encoding = KAFKA_ZIPKIN;
    if (strcmp(encoding, "zipkin_json") == 0)
        format->zipkin = ZIPKIN_JSON;
    else if (strcmp(encoding, "zipkin_proto") == 0)
        format->zipkin = ZIPKIN_PROTO;
    else if (strcmp(encoding, "zipkin_thrift") == 0)
        format->zipkin = ZIPKIN_THRIFT;
    else
        return fail(err, "\"%s\" is not supported: use otlp_proto, otlp_json, zipkin_json, zipkin_proto or zipkin_thrift", encoding);
    return true;
}

bool kafka_format_init(struct kafka_format *format, enum signal signal, const char *encoding, struct error *err)
{
    *format = (struct kafka_format){ .signal = signal };
    if (strcmp(encoding, "otlp_proto") == 0)
        return true;
    format->encoding = KAFKA_OTLP_JSON;
    if (strcmp(encoding, "otlp_json") == 0)
        return true;
    if (signal == SIGNAL_LOGS)
        return logs_init(format, encoding, err);
    if (signal == SIGNAL_TRACES)
        return traces_init(format, encoding, err);
    return fail(err, "\"%s\" is not supported: use otlp_proto or otlp_json", encoding);
}

void kafka_format_fini(struct kafka_format *format)
{
    if (format->converts)
        iconv_close(format->charset);
    *format = (struct kafka_format){ .converts = false };
}

void kafka_decoder_fini(struct kafka_decoder *decoder)
{
    buffer_fini(&decoder->wire);
    buffer_fini(&decoder->repaired);
    buffer_fini(&decoder->extended);
    buffer_fini(&decoder->text);
    edit_fini(&decoder->edit);
}

/* ---- logs that are not OTLP ---- */

static bool malformed(struct kafka_decode *decode, const char *what, const char *where, size_t offset)
{
    snprintf(
        decode->fault, sizeof(decode->fault), "%s%s%s, at byte %zu", where != NULL ? where : "", where != NULL ? ": " : "", what, offset);
    return false;
}

/* All of the message, as UTF-8 in `text`. */
static bool convert_text(struct kafka_decoder *decoder, struct kafka_decode *decode)
{
    char *in = (char *)(uintptr_t)decode->message.data;
    size_t left = decode->message.size;
    struct buffer *text = &decoder->text;

    iconv(decode->format->charset, NULL, NULL, NULL, NULL);
    while (left > 0 && buffer_reserve(text, left + SMALLEST_LIMIT)) {
        char *out = (char *)text->data + text->size;
        size_t room = text->capacity - text->size;
        size_t result = iconv(decode->format->charset, &in, &left, &out, &room);

        text->size = (size_t)(out - (char *)text->data);
        if (result == (size_t)-1 && errno != E2BIG)
            return malformed(decode, "the text is not of its character set", NULL, decode->message.size - left);
    }
    return true;
}

static bool put_text(struct kafka_decoder *decoder, struct kafka_decode *decode)
{
    struct slice text = decode->message;

    if (decode->format->converts) {
        if (!convert_text(decoder, decode))
            return false;
        text = buffer_slice(&decoder->text);
    } else if (!utf8_is_valid(text)) {
        utf8_append_repaired(&decoder->text, text);
        text = buffer_slice(&decoder->text);
        decode->repaired = 1;
    }
    decoder->wire.failed |= decoder->text.failed;
    pb_put_bytes(&decoder->wire, OTLP_VALUE_STRING, text);
    return true;
}

static bool put_json(struct kafka_decoder *decoder, struct kafka_decode *decode)
{
    struct json_error fault = { 0 };

    return json_read_value(decode->message, &decoder->wire, &fault) || malformed(decode, fault.message, NULL, fault.offset);
}

/* The content of the body's AnyValue. */
static bool put_body(struct kafka_decoder *decoder, struct kafka_decode *decode)
{
    if (decode->format->encoding == KAFKA_TEXT)
        return put_text(decoder, decode);
    if (decode->format->encoding == KAFKA_JSON)
        return put_json(decoder, decode);
    pb_put_bytes(&decoder->wire, OTLP_VALUE_BYTES, decode->message);
    return true;
}

/* One resource group, one scope group, one record. */
static bool write_log(struct kafka_decoder *decoder, struct kafka_decode *decode)
{
    struct buffer *out = &decoder->wire;
    size_t group = pb_open(out, REQUEST_GROUPS), scope_group = pb_open(out, NESTED), record = pb_open(out, NESTED), body;

    pb_put_fixed64(out, LOG_OBSERVED_TIME, decode->now_ns);
    body = pb_open(out, LOG_BODY);
    if (!put_body(decoder, decode))
        return false;
    pb_close(out, body);
    pb_close(out, record);
    pb_close(out, scope_group);
    pb_close(out, group);
    return true;
}

/* ---- any encoding as wire bytes ---- */

static bool read_json(struct kafka_decoder *decoder, struct kafka_decode *decode)
{
    struct json_error fault = { 0 };

    return json_read_request(decode->format->signal, decode->message, &decoder->wire, &fault) ||
           malformed(decode, fault.message, NULL, fault.offset);
}

static bool read_zipkin(struct kafka_decoder *decoder, struct kafka_decode *decode)
{
    struct zipkin_reading reading = { .format = decode->format->zipkin, .now_ns = decode->now_ns };

    if (!zipkin_read(&reading, decode->message, &decoder->wire))
        return malformed(decode, reading.message, NULL, reading.offset);
    decode->repaired = reading.repaired;
    return true;
}

static void set_limit(struct buffer *buffer, size_t size, size_t growth)
{
    buffer_clear(buffer);
    buffer->limit = size * growth + SMALLEST_LIMIT;
}

/* data NULL: decode->fault says why, or memory is out. */
static struct slice to_wire(struct kafka_decoder *decoder, struct kafka_decode *decode)
{
    const struct slice none = { NULL, 0 };
    bool read;

    if (decode->format->encoding == KAFKA_OTLP_PROTO)
        return decode->message;
    set_limit(&decoder->wire, decode->message.size, JSON_GROWTH);
    if (decode->format->encoding == KAFKA_TEXT)
        decoder->wire.limit = 0; /* what a character set makes of a byte is its own affair */
    buffer_clear(&decoder->text);
    if (decode->format->encoding == KAFKA_ZIPKIN) {
        decoder->wire.limit = decode->message.size * ZIPKIN_MAX_GROWTH + ZIPKIN_EXTRA;
        read = read_zipkin(decoder, decode);
    } else {
        read = decode->format->encoding == KAFKA_OTLP_JSON ? read_json(decoder, decode) : write_log(decoder, decode);
    }
    if (decoder->wire.failed)
        decode->fault[0] = '\0'; /* not the message's */
    if (read && decoder->wire.data == NULL)
        buffer_reserve(&decoder->wire, 1); /* an empty request is one too */
    return read && !decoder->wire.failed ? buffer_slice(&decoder->wire) : none;
}

/* ---- resource attributes from headers ---- */

static void extend_resource(struct kafka_decoder *decoder, struct kafka_decode *decode, struct slice resource)
{
    struct edit *edit = &decoder->edit;

    edit_open(edit, resource, OTLP_ATTRIBUTES_OF_RESOURCE);
    for (size_t i = 0; i < decode->extra_count; i++) {
        const struct kafka_extra *extra = &decode->extras[i];
        struct otlp_value value = { .kind = OTLP_VALUE_STRING, .bytes = extra->value };

        buffer_clear(&decoder->text);
        if (!utf8_is_valid(extra->value)) {
            utf8_append_repaired(&decoder->text, extra->value);
            value.bytes = buffer_slice(&decoder->text);
        }
        edit_set_attribute(edit, slice_of_string(extra->key), &value);
    }
    edit_write(edit, GROUP_RESOURCE, &decoder->extended);
}

static void extend_group(struct kafka_decoder *decoder, struct kafka_decode *decode, struct slice body)
{
    struct pb_reader reader = pb_reader_of(body);
    struct slice resource = { NULL, 0 };
    struct pb_field field;

    while (pb_next(&reader, &field)) {
        if (field.number == GROUP_RESOURCE && field.type == PB_BYTES)
            resource = field.bytes;
    }
    extend_resource(decoder, decode, resource);
    reader = pb_reader_of(body);
    while (pb_next(&reader, &field)) {
        if (field.number != GROUP_RESOURCE || field.type != PB_BYTES)
            buffer_append_slice(&decoder->extended, field.raw);
    }
}

static struct slice extend(struct kafka_decoder *decoder, struct kafka_decode *decode, struct slice wire)
{
    struct pb_reader reader = pb_reader_of(wire);
    struct pb_field field;

    if (decode->extra_count == 0)
        return wire;
    buffer_clear(&decoder->extended);
    while (pb_next(&reader, &field)) {
        if (field.number != REQUEST_GROUPS || field.type != PB_BYTES) {
            buffer_append_slice(&decoder->extended, field.raw);
            continue;
        }
        size_t mark = pb_open(&decoder->extended, REQUEST_GROUPS);
        extend_group(decoder, decode, field.bytes);
        pb_close(&decoder->extended, mark);
    }
    return decoder->extended.failed || decoder->edit.failed ? (struct slice){ NULL, 0 } : buffer_slice(&decoder->extended);
}

/* ---- all together ---- */

/* Checks and repairs; false: malformed, or memory is out (then there is no fault). */
static bool check(struct kafka_decoder *decoder, struct kafka_decode *decode, struct slice *wire)
{
    struct otlp_check found = otlp_check(decode->format->signal, *wire);

    decode->records = found.records;
    if (found.fault == OTLP_OK)
        return true;
    if (found.fault != OTLP_BAD_UTF8)
        return malformed(decode, otlp_fault_text(found.fault), found.message, found.offset);
    set_limit(&decoder->repaired, wire->size, REPAIR_GROWTH);
    decode->repaired = otlp_repair(decode->format->signal, *wire, &decoder->repaired);
    *wire = buffer_slice(&decoder->repaired);
    return !decoder->repaired.failed;
}

static bool make_payload(struct kafka_decode *decode, struct slice wire)
{
    decode->payload = payload_create(wire.size);
    if (decode->payload == NULL)
        return false;
    memcpy(decode->payload->data, wire.data, wire.size);
    decode->payload->size = wire.size;
    return true;
}

enum kafka_decoding kafka_decode(struct kafka_decoder *decoder, struct kafka_decode *decode)
{
    struct slice wire;

    decode->payload = NULL;
    decode->records = decode->repaired = 0;
    decode->fault[0] = '\0';
    wire = to_wire(decoder, decode);
    if (wire.data == NULL || !check(decoder, decode, &wire))
        return decode->fault[0] != '\0' ? KAFKA_MALFORMED : KAFKA_NO_MEMORY;
    if (decode->records == 0)
        return KAFKA_DECODED;
    wire = extend(decoder, decode, wire);
    return wire.data != NULL && make_payload(decode, wire) ? KAFKA_DECODED : KAFKA_NO_MEMORY;
}
