/* Frames of both versions, whole, cut at every byte and lying; events as records. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>

#include "collector/wire/lumberjack.h"
#include "collector/wire/timestamp.h"

#include <cmocka.h>

static const char window[] = "2W\x00\x00\x00\x02";
static const char json[] = "2J\x00\x00\x00\x01\x00\x00\x00\x40{\"@timestamp\":\"2024-03-12T20:00:41.123Z\",\"message\":\"hi\",\"n\":[1]}";
static const char pairs[] = "1D\x00\x00\x00\x07\x00\x00\x00\x02\x00\x00\x00\x04line\x00\x00\x00\x02hi\x00\x00\x00\x01k\x00\x00\x00\x01v";
static const char compressed[] = "2C\x00\x00\x00\x03xyz";

static const struct {
    const char *bytes;
    size_t size;
    enum lumberjack_kind kind;
} frames[] = {
    { window, sizeof(window) - 1, LUMBERJACK_WINDOW },
    { json, sizeof(json) - 1, LUMBERJACK_JSON },
    { pairs, sizeof(pairs) - 1, LUMBERJACK_PAIRS },
    { compressed, sizeof(compressed) - 1, LUMBERJACK_COMPRESSED },
};

static void frames_are_read_and_waited_for(void **state)
{
    struct lumberjack_frame frame;
    size_t length;

    (void)state;
    for (size_t i = 0; i < sizeof(frames) / sizeof(frames[0]); i++) {
        for (size_t size = 0; size < frames[i].size; size++) {
            uint8_t *copy = malloc(size > 0 ? size : 1);

            memcpy(copy, frames[i].bytes, size);
            assert_int_equal(lumberjack_read_frame(slice_of(copy, size), 1000, &frame, &length), LUMBERJACK_MORE);
            free(copy);
        }
        assert_int_equal(lumberjack_read_frame(slice_of(frames[i].bytes, frames[i].size), 1000, &frame, &length), LUMBERJACK_WHOLE);
        assert_int_equal(length, frames[i].size);
        assert_int_equal(frame.kind, frames[i].kind);
    }
}

static void what_lies_is_refused_at_once(void **state)
{
    static const struct {
        const char *bytes;
        size_t size;
    } cases[] = {
        { "3W\0\0\0\1", 6 },
        { "2X\0\0\0\1", 6 },
        { "2A\0\0\0\1", 6 },
        { "2J\0\0\0\1\xff\xff\xff\xff", 10 },
        { "2C\x00\x00\x10\x00", 6 },
        { "1D\0\0\0\1\xff\xff\xff\xff", 10 },
    };
    struct lumberjack_frame frame;
    size_t length;

    (void)state;
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++)
        assert_int_equal(lumberjack_read_frame(slice_of(cases[i].bytes, cases[i].size), 1000, &frame, &length), LUMBERJACK_BAD);
}

/* The one record that the frame's event becomes; `out` holds it. */
static struct otlp_log record_of(struct slice bytes, struct buffer *out)
{
    struct buffer scratch = { 0 };
    struct lumberjack_frame frame;
    struct otlp_logs logs;
    struct otlp_log log = { 0 };
    struct otlp_walk walk;
    size_t length;

    assert_int_equal(lumberjack_read_frame(bytes, 1000, &frame, &length), LUMBERJACK_WHOLE);
    otlp_logs_begin(&logs, out, slice_of(NULL, 0));
    assert_true(lumberjack_append_event(&frame, 9, &scratch, &logs));
    otlp_logs_end(&logs);
    buffer_fini(&scratch);
    assert_int_equal(otlp_check(SIGNAL_LOGS, buffer_slice(out)).fault, OTLP_OK);
    walk = otlp_walk(buffer_slice(out));
    assert_true(otlp_walk_next(&walk));
    otlp_log_view(walk.record.body, &log);
    return log;
}

static void an_event_becomes_a_record(void **state)
{
    struct buffer out = { 0 };
    struct otlp_log log = record_of(slice_of(json, sizeof(json) - 1), &out);
    struct otlp_value value;

    (void)state;
    assert_int_equal(log.time, UINT64_C(1710273641123000000));
    assert_true(slice_equal_string(otlp_value_of(log.value).bytes, "hi"));
    assert_true(otlp_find_attribute(log.body, OTLP_ATTRIBUTES_OF_LOG, SLICE("n"), &value));
    assert_int_equal(value.kind, OTLP_VALUE_ARRAY);
    assert_false(otlp_find_attribute(log.body, OTLP_ATTRIBUTES_OF_LOG, SLICE("@timestamp"), &value));
    buffer_clear(&out);
    log = record_of(slice_of(pairs, sizeof(pairs) - 1), &out);
    assert_true(slice_equal_string(otlp_value_of(log.value).bytes, "hi"));
    assert_true(otlp_find_attribute(log.body, OTLP_ATTRIBUTES_OF_LOG, SLICE("k"), &value));
    buffer_clear(&out);
    log = record_of(SLICE("2J\0\0\0\1\0\0\0\3{\"\xff"), &out); /* kept, though it is no JSON */
    assert_true(slice_equal_string(otlp_value_of(log.value).bytes, "{\"\xef\xbf\xbd"));
    buffer_fini(&out);
}

static void timestamps_are_read(void **state)
{
    static const struct {
        const char *text;
        uint64_t nanos;
    } cases[] = {
        { "1970-01-01T00:00:00Z", 0 },
        { "2024-02-29T23:59:60.5+00:30", UINT64_C(1709249400500000000) },
        { "2015-08-05T21:58:59.693000001-01:00", UINT64_C(1438815539693000001) },
    };
    struct timestamp timestamp;

    (void)state;
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        size_t size = strlen(cases[i].text);

        assert_int_equal(timestamp_read(slice_of_string(cases[i].text), &timestamp), size);
        assert_int_equal(timestamp_nanos(&timestamp), cases[i].nanos);
        for (size_t j = 0; j < size; j++) {
            char *copy = malloc(j > 0 ? j : 1);

            memcpy(copy, cases[i].text, j);
            assert_int_equal(timestamp_read(slice_of(copy, j), &timestamp), 0);
            free(copy);
        }
    }
    assert_int_equal(timestamp_read(slice_of_string("2023-02-29T00:00:00Z"), &timestamp), 0);
    assert_int_equal(timestamp_read(slice_of_string("2023-02-28T24:00:00Z"), &timestamp), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(frames_are_read_and_waited_for),
        cmocka_unit_test(what_lies_is_refused_at_once),
        cmocka_unit_test(an_event_becomes_a_record),
        cmocka_unit_test(timestamps_are_read),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
