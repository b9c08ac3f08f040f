/* Kafka messages in every encoding, headers as resource attributes, and messages that are cut short. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>

#include "collector/wire/json.h"
#include "collector/wire/otlp.h"
#include "receivers/kafka/decode.h"
#include "tests/unit/wire/otlp_random.h"

#include <cmocka.h>

enum { NOW = 1700000000 };

static struct kafka_decode decoded(struct kafka_decoder *decoder, const struct kafka_format *format, struct slice message)
{
    struct kafka_decode decode = { .format = format, .message = message, .now_ns = NOW };

    if (kafka_decode(decoder, &decode) != KAFKA_DECODED)
        fail_msg("not decoded: %s", decode.fault);
    return decode;
}

static struct kafka_format format_of(enum signal signal, const char *encoding)
{
    struct kafka_format format;
    struct error err = { "" };

    if (!kafka_format_init(&format, signal, encoding, &err))
        fail_msg("%s", err.message);
    return format;
}

static void assert_json(enum signal signal, const struct payload *payload, const char *wanted)
{
    struct buffer text = { 0 };

    assert_int_equal(otlp_check(signal, payload_slice(payload)).fault, OTLP_OK);
    json_write_request(signal, payload_slice(payload), &text);
    assert_string_equal(buffer_string(&text), wanted);
    buffer_fini(&text);
}

#define LOG_OF(body) "{\"resourceLogs\":[{\"scopeLogs\":[{\"logRecords\":[{\"observedTimeUnixNano\":\"1700000000\",\"body\":" body "}]}]}]}"

static void check_log(const char *encoding, struct slice message, const char *wanted)
{
    struct kafka_format format = format_of(SIGNAL_LOGS, encoding);
    struct kafka_decoder decoder = { .text = { 0 } };
    struct kafka_decode decode = decoded(&decoder, &format, message);

    assert_int_equal(decode.records, 1);
    assert_json(SIGNAL_LOGS, decode.payload, wanted);
    payload_unref(decode.payload);
    kafka_decoder_fini(&decoder);
    kafka_format_fini(&format);
}

static void log_encodings(void **state)
{
    (void)state;
    check_log("raw", SLICE("a\xff"), LOG_OF("{\"bytesValue\":\"Yf8=\"}"));
    check_log("text",
        SLICE("gr\xc3\xb6\xc3\x9f"
              "er"),
        LOG_OF("{\"stringValue\":\"gr\xc3\xb6\xc3\x9f"
               "er\"}"));
    check_log("text_utf-8", SLICE("a\xff"), LOG_OF("{\"stringValue\":\"a\xef\xbf\xbd\"}"));
    check_log("text_iso-8859-1",
        SLICE("gr\xf6\xdf"
              "er"),
        LOG_OF("{\"stringValue\":\"gr\xc3\xb6\xc3\x9f"
               "er\"}"));
    check_log("text_shift_jis", SLICE("\x93\xfa"), LOG_OF("{\"stringValue\":\"\xe6\x97\xa5\"}"));
    check_log("json", SLICE("{\"a\":[1,-2.5,\"x\",null,true]}"),
        LOG_OF("{\"kvlistValue\":{\"values\":[{\"key\":\"a\",\"value\":{\"arrayValue\":{\"values\":[{\"intValue\":\"1\"},{\"doubleValue\":-"
               "2.5},"
               "{\"stringValue\":\"x\"},{},{\"boolValue\":true}]}}}]}}"));
    check_log("otlp_json", SLICE("{\"resourceLogs\":[{\"scopeLogs\":[{\"logRecords\":[{\"body\":{\"stringValue\":\"b\"}}]}]}]}"),
        "{\"resourceLogs\":[{\"scopeLogs\":[{\"logRecords\":[{\"body\":{\"stringValue\":\"b\"}}]}]}]}");
}

static void unknown_encodings_are_errors(void **state)
{
    static const struct {
        enum signal signal;
        const char *encoding;
    } wrong[] = { { SIGNAL_TRACES, "raw" }, { SIGNAL_METRICS, "text" }, { SIGNAL_TRACES, "jaeger_proto" }, { SIGNAL_LOGS, "avro" },
        { SIGNAL_LOGS, "text_nosuchset" }, { SIGNAL_LOGS, "" } };
    struct kafka_format format;
    struct error err;

    (void)state;
    for (size_t i = 0; i < sizeof(wrong) / sizeof(wrong[0]); i++) {
        assert_false(kafka_format_init(&format, wrong[i].signal, wrong[i].encoding, &err));
        kafka_format_fini(&format);
    }
}

static void malformed_messages_say_where(void **state)
{
    static const struct {
        const char *encoding, *message, *fault;
    } wrong[] = {
        { "otlp_proto", "\x0a\x7f", "byte" },
        { "otlp_json", "{\"resourceLogs\":3}", "resourceLogs" },
        { "json", "{\"a\":}", "byte" },
        { "json", "{} {}", "byte 3" },
        { "text_utf-16", "\x01", "byte" },
    };
    struct kafka_decoder decoder = { .text = { 0 } };

    (void)state;
    for (size_t i = 0; i < sizeof(wrong) / sizeof(wrong[0]); i++) {
        struct kafka_format format = format_of(SIGNAL_LOGS, wrong[i].encoding);
        struct kafka_decode decode = { .format = &format, .message = slice_of_string(wrong[i].message) };

        assert_int_equal(kafka_decode(&decoder, &decode), KAFKA_MALFORMED);
        assert_non_null(strstr(decode.fault, wrong[i].fault));
        assert_null(decode.payload);
        kafka_format_fini(&format);
    }
    kafka_decoder_fini(&decoder);
}

static void zipkin_becomes_spans(void **state)
{
    static const char text[] = "[{\"traceId\":\"0102030405060708090a0b0c0d0e0f10\",\"id\":\"0102030405060708\",\"name\":\"get\"}]";
    struct kafka_format format = format_of(SIGNAL_TRACES, "zipkin_json");
    struct kafka_decoder decoder = { .text = { 0 } };
    struct kafka_decode decode = decoded(&decoder, &format, slice_of_string(text)),
                        wrong = { .format = &format, .message = SLICE("[{\"traceId\":1}]") };

    (void)state;
    assert_int_equal(decode.records, 1);
    payload_unref(decode.payload);
    assert_int_equal(kafka_decode(&decoder, &wrong), KAFKA_MALFORMED);
    assert_non_null(strstr(wrong.fault, "traceId"));
    kafka_decoder_fini(&decoder);
}

static void what_is_not_utf8_is_repaired_and_counted(void **state)
{
    struct kafka_format format = format_of(SIGNAL_TRACES, "otlp_proto");
    struct kafka_decoder decoder = { .text = { 0 } };
    struct kafka_decode decode = decoded(&decoder, &format, SLICE("\x0a\x07\x12\x05\x12\x03\x2a\x01\xff"));

    (void)state;
    assert_int_equal(decode.repaired, 1);
    assert_json(SIGNAL_TRACES, decode.payload, "{\"resourceSpans\":[{\"scopeSpans\":[{\"spans\":[{\"name\":\"\xef\xbf\xbd\"}]}]}]}");
    payload_unref(decode.payload);
    kafka_decoder_fini(&decoder);
}

static void requests_without_records_are_fine(void **state)
{
    struct kafka_format proto = format_of(SIGNAL_TRACES, "otlp_proto"), json = format_of(SIGNAL_TRACES, "otlp_json");
    struct kafka_decoder decoder = { .text = { 0 } };

    (void)state;
    assert_null(decoded(&decoder, &proto, SLICE("\x0a\x00")).payload);
    assert_null(decoded(&decoder, &json, SLICE("{}")).payload);
    kafka_decoder_fini(&decoder);
}

static void headers_become_attributes_of_every_resource(void **state)
{
    const struct kafka_extra extras[] = { { "kafka.header.tenant", SLICE_INIT("blue") }, { "kafka.header.bad", SLICE_INIT("\xff") } };
    struct kafka_format format = format_of(SIGNAL_LOGS, "otlp_json");
    struct kafka_decoder decoder = { .text = { 0 } };
    struct kafka_decode decode = {
        .format = &format,
        .message = SLICE("{\"resourceLogs\":[{\"schemaUrl\":\"s\",\"resource\":{\"attributes\":[{\"key\":\"kafka.header.tenant\",\"value\":"
                         "{\"stringValue\":\"red\"}},"
                         "{\"key\":\"a\",\"value\":{\"intValue\":\"1\"}}]},\"scopeLogs\":[{\"logRecords\":[{\"severityNumber\":9}]}]},"
                         "{\"scopeLogs\":[{\"logRecords\":[{\"severityNumber\":10}]}]}]}"),
        .extras = extras,
        .extra_count = 2,
    };

    (void)state;
    assert_int_equal(kafka_decode(&decoder, &decode), KAFKA_DECODED);
    assert_int_equal(decode.records, 2);
    assert_json(SIGNAL_LOGS, decode.payload,
        "{\"resourceLogs\":[{\"resource\":{\"attributes\":[{\"key\":\"kafka.header.tenant\",\"value\":{\"stringValue\":\"blue\"}},"
        "{\"key\":\"a\",\"value\":{\"intValue\":\"1\"}},{\"key\":\"kafka.header.bad\",\"value\":{\"stringValue\":\"\xef\xbf\xbd\"}}]},"
        "\"schemaUrl\":\"s\",\"scopeLogs\":[{\"logRecords\":[{\"severityNumber\":9}]}]},"
        "{\"resource\":{\"attributes\":[{\"key\":\"kafka.header.tenant\",\"value\":{\"stringValue\":\"blue\"}},"
        "{\"key\":\"kafka.header.bad\",\"value\":{\"stringValue\":\"\xef\xbf\xbd\"}}]},"
        "\"scopeLogs\":[{\"logRecords\":[{\"severityNumber\":10}]}]}]}");
    payload_unref(decode.payload);
    kafka_decoder_fini(&decoder);
}

/* Cut at every byte: decoded or malformed, and never anything else; with sanitizers watching. */
static void check_cuts(enum signal signal, const char *encoding, struct slice message)
{
    const struct kafka_extra extra = { "kafka.header.h", SLICE_INIT("v") };
    struct kafka_format format = format_of(signal, encoding);
    struct kafka_decoder decoder = { .text = { 0 } };

    for (size_t size = 1; size <= message.size; size++) {
        uint8_t *copy = malloc(size);
        struct kafka_decode decode = { .format = &format, .extras = &extra, .extra_count = size % 2 };

        memcpy(copy, message.data, size);
        decode.message = slice_of(copy, size);
        enum kafka_decoding result = kafka_decode(&decoder, &decode);
        assert_true(result == KAFKA_DECODED || result == KAFKA_MALFORMED);
        if (decode.payload != NULL)
            assert_int_equal(otlp_check(signal, payload_slice(decode.payload)).fault, OTLP_OK);
        payload_unref(decode.payload);
        free(copy);
    }
    kafka_decoder_fini(&decoder);
    kafka_format_fini(&format);
}

static void messages_that_are_cut_short(void **state)
{
    struct random_otlp random = { .state = 11, .max_children = 3 };
    struct buffer packed = { 0 }, text = { 0 };
    struct slice payload = random_payload(&random, SIGNAL_LOGS, &packed);

    (void)state;
    json_write_request(SIGNAL_LOGS, payload, &text);
    check_cuts(SIGNAL_LOGS, "otlp_proto", payload);
    check_cuts(SIGNAL_LOGS, "otlp_json", buffer_slice(&text));
    check_cuts(SIGNAL_LOGS, "json", SLICE("{\"a\":[1,-2.5e3,\"x\\u00e9\\ud83d\\ude00\",null,true,false,{\"b\":{}}], \"c\" : \"d\"}"));
    check_cuts(SIGNAL_LOGS, "text", SLICE("\xe6\x97\xa5\xe6\x9c\xac"));
    check_cuts(SIGNAL_LOGS, "text_utf-16",
        SLICE("\xff\xfe"
              "a\0b\0"));
    buffer_fini(&packed);
    buffer_fini(&text);
    arena_fini(&random.arena);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(log_encodings),
        cmocka_unit_test(unknown_encodings_are_errors),
        cmocka_unit_test(malformed_messages_say_where),
        cmocka_unit_test(zipkin_becomes_spans),
        cmocka_unit_test(what_is_not_utf8_is_repaired_and_counted),
        cmocka_unit_test(requests_without_records_are_fine),
        cmocka_unit_test(headers_become_attributes_of_every_resource),
        cmocka_unit_test(messages_that_are_cut_short),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
