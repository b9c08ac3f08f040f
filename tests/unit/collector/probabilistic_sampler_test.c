/* probabilistic_sampler: the arithmetic, the trace state, and the decisions on spans and log records. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include "collector/processors/sampling.h"
#include "tests/unit/collector/processor_harness.h"

/* ---- arithmetic ---- */

static void test_thresholds(void **state)
{
    static const struct {
        double probability;
        int precision;
        const char *text;
    } rows[] = {
        { 1, 4, "0" },
        { 0.5, 4, "8" },
        { 0.25, 4, "c" },
        { 0.01, 3, "fd71" },
        { 0.01, 14, "fd70a3d70a3d71" },
        { 1.0 / 3, 4, "aaab" },
        { 0x1p-56, 4, "ffffffffffffff" },
        { 1 - 0x456789ap-40, 4, "0004568" },
    };
    char text[SAMPLING_DIGITS];
    uint64_t threshold, again;

    (void)state;
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        assert_true(sampling_threshold_of(rows[i].probability, rows[i].precision, &threshold));
        struct slice written = slice_of(text, sampling_write_threshold(threshold, text));
        if (!slice_equal_string(written, rows[i].text))
            fail_msg("%g with %d digits gave %.*s", rows[i].probability, rows[i].precision, SLICE_PRINT(written));
        assert_true(sampling_parse_threshold(written, &again));
        assert_int_equal(again, threshold);
    }
    assert_false(sampling_threshold_of(0x1p-57, 4, &threshold));
    assert_false(sampling_threshold_of(1.5, 4, &threshold));
    assert_false(sampling_threshold_of(-1, 4, &threshold));
    assert_int_equal(sampling_write_threshold(SAMPLING_NEVER, text), 0);
}

static void test_hash(void **state)
{
    static const uint8_t id[16] = { 0x47, 0x4a, 0x03, 0xc7, 0x6d, 0x75, 0x95, 0x1a, 0x4b, 0x4c, 0x53, 0x7c, 0xed, 0x8f, 0x11, 0x22 };
    uint64_t randomness = sampling_randomness_of_bytes(slice_of(id, sizeof(id)), sampling_hash_seed(653));

    (void)state;
    assert_true(randomness >= UINT64_C(1) << 55); /* kept at 50 % */
    assert_true(randomness <= SAMPLING_RANDOM_MAX);
    assert_int_equal(sampling_hash_seed(0), 0x4b95f515u); /* FNV-1a of four zero bytes */
    assert_int_equal(sampling_randomness_of_trace(id), 0x4c537ced8f1122);
}

/* ---- trace state ---- */

static void test_trace_state(void **state)
{
    static const struct {
        const char *text, *written; /* written NULL: refused */
    } rows[] = {
        { "", "" },
        { "a=b", "a=b" },
        { " , ot=th:1, , other=value ", "ot=th:1,other=value" },
        { "a=b,ot=x:y;th:8;rv:abcdabcdabcdab,c@d=e", "ot=rv:abcdabcdabcdab;th:8;x:y,a=b,c@d=e" },
        { "ot=x:", "ot=x:" },
        { "=", NULL },
        { "a", NULL },
        { "A=b", NULL },
        { "a=", NULL },
        { "a=b=c", NULL },
        { "ot=th", NULL },
        { "ot=th:", NULL },
        { "ot=th:8;", NULL },
        { "ot=th:123456789abcdef", NULL },
        { "ot=rv:1234", NULL },
        { "ot=;", NULL },
        { "a@b@c=d", NULL },
    };

    (void)state;
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        struct sampling_state parsed;
        struct buffer out = { .data = NULL };
        bool good = sampling_state_parse(slice_of_string(rows[i].text), &parsed);
        assert_int_equal(good, rows[i].written != NULL);
        if (good) {
            sampling_state_write(&parsed, &out);
            assert_string_equal(buffer_string(&out), rows[i].written);
        }
        buffer_fini(&out);
    }
}

static void test_trace_state_cut_anywhere(void **state)
{
    static const char text[] = "a=b,ot=x:y;th:8;rv:abcdabcdabcdab,c@d=e";

    (void)state;
    for (size_t size = 0; size < sizeof(text); size++) {
        char *cut = malloc(size + 1); /* of that size, so that the sanitizer sees what is read behind it */
        struct sampling_state parsed;
        struct buffer out = { .data = NULL };
        memcpy(cut, text, size);
        sampling_state_parse(slice_of(cut, size), &parsed);
        sampling_state_write(&parsed, &out);
        buffer_fini(&out);
        free(cut);
    }
}

static void test_limits_of_trace_state(void **state)
{
    struct sampling_state parsed;
    char text[1100];

    (void)state;
    for (size_t i = 0; i < sizeof(text); i += 4)
        memcpy(text + i, "a=b,", 4);
    assert_true(sampling_state_parse(slice_of(text, 31 * 4 - 1), &parsed));
    assert_false(sampling_state_parse(slice_of(text, 32 * 4 - 1), &parsed));
    memset(text, 'x', sizeof(text));
    text[1] = '=';
    assert_true(sampling_state_parse(slice_of(text, 2 + 256), &parsed));
    assert_false(sampling_state_parse(slice_of(text, 2 + 257), &parsed));
    assert_false(sampling_state_parse(slice_of(text, 1025), &parsed));
}

/* ---- decisions ---- */

#define SPAN(id, state, attributes)                                                                                                        \
    "{\"resourceSpans\":[{\"scopeSpans\":[{\"spans\":[{\"traceId\":\"" id "\"," state "\"name\":\"a\"" attributes "}]}]}]}"
#define STATE(text) "\"traceState\":\"" text "\","
#define BEHIND(text) ",\"traceState\":\"" text "\"" /* where there was none before */
#define HIGH "fffffffffffffffffff0000000000000"
#define LOW "ffffffffffffffffff10000000000000"
#define ZERO "00000000000000000000000000000000"
#define PRIORITY(value) ",\"attributes\":[{\"key\":\"sampling.priority\",\"value\":{" value "}}]"
#define LOG(id, attributes) "{\"resourceLogs\":[{\"scopeLogs\":[{\"logRecords\":[{" id "\"attributes\":[" attributes "]}]}]}]}"
#define TEXT(key, value) "{\"key\":\"" key "\",\"value\":{\"stringValue\":\"" value "\"}}"
#define ID(id) "\"traceId\":\"" id "\","

struct row {
    const char *settings, *in, *wanted;
};

static void check_rows(enum signal signal, const struct row *rows, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        char *out = processed("probabilistic_sampler", rows[i].settings, signal, rows[i].in);
        if (strcmp(out, rows[i].wanted) != 0)
            fail_msg("%s of %s\ngave   %s\nwanted %s", rows[i].settings, rows[i].in, out, rows[i].wanted);
        free(out);
    }
}

#define CHECK(signal, rows) check_rows(signal, rows, sizeof(rows) / sizeof((rows)[0]))

static void test_spans(void **state)
{
    const struct row rows[] = {
        { "{mode: proportional, sampling_percentage: 25}", SPAN(HIGH, "", ""), SPAN(HIGH, "", BEHIND("ot=th:c")) },
        { "{mode: proportional, sampling_percentage: 25}", SPAN(LOW, "", ""), "" },
        { "{mode: proportional, sampling_percentage: 25}", SPAN(HIGH, STATE("ot=th:8"), ""), SPAN(HIGH, STATE("ot=th:e"), "") },
        { "{sampling_percentage: 25, mode: equalizing}", SPAN(HIGH, STATE("ot=th:8,a=b"), ""), SPAN(HIGH, STATE("ot=th:c,a=b"), "") },
        { "{sampling_percentage: 50, mode: equalizing}", SPAN(HIGH, STATE("ot=th:c"), ""), "same" },
        { "{mode: proportional, sampling_percentage: 25}", SPAN(LOW, STATE("ot=rv:ffffffffffffff"), ""),
            SPAN(LOW, STATE("ot=rv:ffffffffffffff;th:c"), "") },
        { "{mode: proportional, sampling_percentage: 100}", SPAN(LOW, STATE("ot=th:c"), ""), "" }, /* cannot have been sampled */
        { "{mode: proportional, sampling_percentage: 100, fail_closed: false}", SPAN(LOW, STATE("ot=th:c"), ""),
            SPAN(LOW, STATE("ot=th:0"), "") },
        { "{mode: proportional, sampling_percentage: 100}", SPAN(ZERO, "", ""), "" },
        { "{mode: proportional, sampling_percentage: 1, fail_closed: false}", SPAN(ZERO, "", ""), SPAN(ZERO, "", BEHIND("ot=th:0")) },
        { "{mode: proportional, sampling_percentage: 100}", SPAN(HIGH, STATE("=="), ""), "" },
        { "{mode: proportional, sampling_percentage: 1, fail_closed: false}", SPAN(HIGH, STATE("=="), ""), "same" },
        { "{sampling_percentage: 100, mode: hash_seed}", SPAN(HIGH, STATE("ot=th:8"), ""), "" }, /* of another mode */
        { "{mode: proportional, sampling_percentage: 0}", SPAN(HIGH, "", ""), "" },
        { "{}", SPAN(HIGH, "", PRIORITY("\"intValue\":\"1\"")), SPAN(HIGH, "", PRIORITY("\"intValue\":\"1\"") BEHIND("ot=th:0")) },
        { "{mode: proportional, sampling_percentage: 100}", SPAN(HIGH, "", PRIORITY("\"intValue\":\"0\"")), "" },
        { "{mode: proportional, sampling_percentage: 100}", SPAN(HIGH, "", PRIORITY("\"stringValue\":\"0.0\"")), "" },
        { "{mode: proportional, sampling_percentage: 100}", SPAN(HIGH, STATE("ot=th:0"), PRIORITY("\"intValue\":\"-1\"")), "same" },
    };

    (void)state;
    CHECK(SIGNAL_TRACES, rows);
}

static void test_logs(void **state)
{
    const struct row rows[] = {
        { "{mode: proportional, sampling_percentage: 25}", LOG(ID(HIGH), ""), LOG(ID(HIGH), TEXT("sampling.threshold", "c")) },
        { "{mode: proportional, sampling_percentage: 25}", LOG(ID(LOW), ""), "" },
        { "{mode: proportional, sampling_percentage: 100}", LOG("", ""), "" },
        { "{mode: proportional, sampling_percentage: 25}", LOG(ID(LOW), TEXT("sampling.randomness", "ffffffffffffff")),
            LOG(ID(LOW), TEXT("sampling.randomness", "ffffffffffffff") "," TEXT("sampling.threshold", "c")) },
        { "{mode: proportional, sampling_percentage: 25}", LOG(ID(HIGH), TEXT("sampling.threshold", "xyz")), "" },
        { "{sampling_percentage: 0, sampling_priority: p}", LOG(ID(HIGH), "{\"key\":\"p\",\"value\":{\"intValue\":\"50\"}}"),
            LOG(ID(HIGH), "{\"key\":\"p\",\"value\":{\"intValue\":\"50\"}}," TEXT("sampling.threshold", "8")) },
        { "{sampling_percentage: 100, attribute_source: record, from_attribute: k}", LOG(ID(HIGH), ""), "" },
    };
    struct processing processing;

    (void)state;
    CHECK(SIGNAL_LOGS, rows);
    assert_true(processing_start(
        &processing, "probabilistic_sampler", "{sampling_percentage: 100, attribute_source: record, from_attribute: k}", SIGNAL_LOGS));
    assert_non_null(strstr(processing_run(&processing, LOG("", TEXT("k", "v"))), "sampling.randomness"));
    processing_stop(&processing);
}

/* The share that is kept, over many trace ids, and that what has the same id has the same fate. */
static void test_share(void **state)
{
    static const char *const modes[] = { "hash_seed", "proportional", "equalizing" };
    char settings[100], span[400];

    (void)state;
    for (size_t m = 0; m < 3; m++) {
        struct processing processing;
        size_t kept = 0;
        snprintf(settings, sizeof(settings), "{sampling_percentage: 20, mode: %s}", modes[m]);
        assert_true(processing_start(&processing, "probabilistic_sampler", settings, SIGNAL_TRACES));
        for (uint64_t i = 1; i <= 2000; i++) {
            uint64_t mixed = i * UINT64_C(0x9e3779b97f4a7c15);
            mixed ^= mixed >> 29;
            snprintf(span, sizeof(span), SPAN("%016llx%016llx", "", ""), (unsigned long long)i, (unsigned long long)mixed * 31);
            processing_run(&processing, span);
            kept += processing.records;
        }
        assert_in_range(kept, 330, 470);
        processing_stop(&processing);
    }
}

static void test_settings_that_are_wrong(void **state)
{
    static const char *const rows[] = { "{sampling_percentage: -1}", "{sampling_percentage: 1.0e-30}", "{sampling_precision: 15}",
        "{sampling_precision: 0}", "{mode: other}", "{attribute_source: other}", "{hash_seed: 4294967296}" };

    (void)state;
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        char *out = processed("probabilistic_sampler", rows[i], SIGNAL_TRACES, SPAN(HIGH, "", ""));
        if (strncmp(out, "error: ", 7) != 0)
            fail_msg("%s gave %s", rows[i], out);
        free(out);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_thresholds),
        cmocka_unit_test(test_hash),
        cmocka_unit_test(test_trace_state),
        cmocka_unit_test(test_trace_state_cut_anywhere),
        cmocka_unit_test(test_limits_of_trace_state),
        cmocka_unit_test(test_spans),
        cmocka_unit_test(test_logs),
        cmocka_unit_test(test_share),
        cmocka_unit_test(test_settings_that_are_wrong),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
