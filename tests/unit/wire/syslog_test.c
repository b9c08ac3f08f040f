/* Messages of both RFCs: what they say, cut at every byte, and what is seen in the wild. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>

#include "collector/wire/syslog.h"

#include <cmocka.h>

static const char full[] = "<165>1 2003-10-11T22:14:15.003Z host app 12 ID47 [a@1 k=\"v\\\"\\]\\\\\" l=\"\"][b] the text";
static const struct syslog_rules rfc5424 = { SYSLOG_RFC5424, false }, rfc3164 = { SYSLOG_RFC3164, false },
                                 no_pri = { SYSLOG_RFC3164, true };

static bool parse(const struct syslog_rules *rules, const char *text, struct syslog_message *message)
{
    const char *problem = NULL;
    bool parsed = syslog_parse(rules, slice_of_string(text), message, &problem);

    assert_true(parsed == (problem == NULL));
    return parsed;
}

static bool is(struct slice text, const char *wanted)
{
    return wanted == NULL ? text.data == NULL : slice_equal_string(text, wanted);
}

static void a_5424_message_is_read(void **state)
{
    struct syslog_message message;
    struct syslog_element element;
    struct slice name, value;
    struct buffer plain = { 0 };

    (void)state;
    assert_true(parse(&rfc5424, full, &message));
    assert_int_equal(message.priority, 165);
    assert_int_equal(timestamp_nanos(&message.time), UINT64_C(1065910455003000000));
    assert_true(is(message.hostname, "host") && is(message.appname, "app") && is(message.proc_id, "12") && is(message.msg_id, "ID47"));
    assert_true(is(message.message, "the text"));
    assert_true(syslog_next_element(&message.structured, &element));
    assert_true(is(element.id, "a@1"));
    assert_true(syslog_next_parameter(&element.parameters, &name, &value));
    syslog_append_value(value, &plain);
    assert_true(is(name, "k") && is(buffer_slice(&plain), "v\"]\\"));
    assert_true(syslog_next_parameter(&element.parameters, &name, &value));
    assert_true(is(name, "l") && value.size == 0);
    assert_false(syslog_next_parameter(&element.parameters, &name, &value));
    assert_true(syslog_next_element(&message.structured, &element));
    assert_true(is(element.id, "b"));
    assert_false(syslog_next_parameter(&element.parameters, &name, &value));
    assert_false(syslog_next_element(&message.structured, &element));
    buffer_fini(&plain);
}

static void cut_messages_are_refused_up_to_their_text(void **state)
{
    size_t text = sizeof(full) - 1 - strlen(" the text"), element = text - strlen("[b]");
    struct syslog_message message;
    const char *problem;

    (void)state;
    for (size_t size = 0; size < sizeof(full); size++) {
        char *copy = malloc(size > 0 ? size : 1);

        memcpy(copy, full, size);
        assert_int_equal(syslog_parse(&rfc5424, slice_of(copy, size), &message, &problem), size >= text || size == element);
        syslog_parse(&rfc3164, slice_of(copy, size), &message, &problem);
        free(copy);
    }
}

static void what_rfc_3164_describes_is_read(void **state)
{
    static const struct {
        const char *text, *hostname, *appname, *proc_id, *message;
    } cases[] = {
        { "<34>Oct 11 22:14:15 mymachine su: 'su root' failed", "mymachine", "su", NULL, "'su root' failed" },
        { "<13>Nov  1 00:00:00 root[12]: no host name", NULL, "root", "12", "no host name" },
        { "<13>Nov  1 00:00:00 logger: text", NULL, "logger", NULL, "text" },
        { "<13>Nov  1 00:00:00 host text without a tag", "host", NULL, NULL, "text without a tag" },
        { "<13>Nov  1 00:00:00 host a[1]b: text", "host", "a", "1", "b: text" },
        { "<13>Nov  1 00:00:00 fe80::1 su: text", "fe80::1", "su", NULL, "text" },
        { "<13>2026-11-01T00:00:00.5+01:00 host su: text", "host", "su", NULL, "text" },
        { "<13> Nov  1 00:00:00 host su: text", "host", "su", NULL, "text" },
        { "<13>Nov  1 00:00:00 word", NULL, NULL, NULL, "word" },
        { "<13>Nov  1 00:00:00 host su:", "host", "su", NULL, NULL },
    };

    (void)state;
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        struct syslog_message message;

        assert_true(parse(&rfc3164, cases[i].text, &message));
        assert_true(is(message.hostname, cases[i].hostname));
        assert_true(is(message.appname, cases[i].appname));
        assert_true(is(message.proc_id, cases[i].proc_id));
        assert_true(is(message.message, cases[i].message));
    }
}

static void what_is_none_is_refused(void **state)
{
    static const char *const texts[] = { "", "<", "<192>Nov  1 00:00:00 h m", "<013>Nov  1 00:00:00 h m", "<13>Nov 31 00:00:00 h m",
        "<13>Foo  1 00:00:00 h m", "<13>Nov  1 24:00:00 h m", "<13>Nov  1 00:00:00", "Nov  1 00:00:00 h m", "<13>text" };
    struct syslog_message message;

    (void)state;
    for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++)
        assert_false(parse(&rfc3164, texts[i], &message));
    assert_true(parse(&no_pri, "Nov  1 00:00:00 h m x", &message));
    assert_int_equal(message.priority, -1);
}

static int64_t seconds_of(const char *text)
{
    struct timestamp timestamp;

    assert_true(timestamp_read(slice_of_string(text), &timestamp) > 0);
    return timestamp_seconds(&timestamp);
}

static void a_time_gets_the_year_it_must_be_of(void **state)
{
    static const struct {
        const char *text, *now;
        int year;
    } cases[] = {
        { "<13>Nov 21 00:00:00 h m", "2026-11-21T12:00:00Z", 2026 },
        { "<13>Dec 31 23:59:59 h m", "2027-01-01T00:00:05Z", 2026 },
        { "<13>Jan  1 00:00:05 h m", "2026-12-31T23:59:59Z", 2027 },
        { "<13>Nov 29 00:00:00 h m", "2026-11-21T12:00:00Z", 2025 },
    };

    (void)state;
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        struct syslog_message message;

        assert_true(parse(&rfc3164, cases[i].text, &message));
        syslog_complete_time(&message, seconds_of(cases[i].now));
        assert_int_equal(message.time.year, cases[i].year);
    }
}

static void attributes_are_those_of_the_collector(void **state)
{
    struct syslog_message message;
    struct buffer out = { 0 };
    struct otlp_logs logs;
    struct otlp_log log = { 0 };
    struct otlp_value value;
    struct otlp_walk walk;
    size_t record;

    (void)state;
    assert_true(parse(&rfc5424, full, &message));
    otlp_logs_begin(&logs, &out, slice_of(NULL, 0));
    record = otlp_log_open(&logs, 1, 2);
    syslog_append_attributes(&message, &logs);
    pb_close(&out, record);
    otlp_logs_end(&logs);
    assert_int_equal(otlp_check(SIGNAL_LOGS, buffer_slice(&out)).fault, OTLP_OK);
    walk = otlp_walk(buffer_slice(&out));
    assert_true(otlp_walk_next(&walk));
    otlp_log_view(walk.record.body, &log);
    assert_int_equal(log.severity_number, 10);
    assert_true(is(log.severity_text, "notice"));
    assert_true(otlp_find_attribute(log.body, OTLP_ATTRIBUTES_OF_LOG, SLICE("facility"), &value));
    assert_int_equal(value.integer, 20);
    assert_true(otlp_find_attribute(log.body, OTLP_ATTRIBUTES_OF_LOG, SLICE("structured_data"), &value));
    assert_true(otlp_find_attribute(value.bytes, OTLP_ATTRIBUTES_OF_MAP, SLICE("a@1"), &value));
    assert_true(otlp_find_attribute(value.bytes, OTLP_ATTRIBUTES_OF_MAP, SLICE("k"), &value));
    assert_true(is(value.bytes, "v\"]\\"));
    buffer_fini(&out);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_5424_message_is_read),
        cmocka_unit_test(cut_messages_are_refused_up_to_their_text),
        cmocka_unit_test(what_rfc_3164_describes_is_read),
        cmocka_unit_test(what_is_none_is_refused),
        cmocka_unit_test(a_time_gets_the_year_it_must_be_of),
        cmocka_unit_test(attributes_are_those_of_the_collector),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
