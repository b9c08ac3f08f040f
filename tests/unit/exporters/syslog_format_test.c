/* Records as syslog messages: what was parsed is written so that it parses as the same, and nothing breaks out of its field. */
#include <setjmp.h>
#include <stdarg.h>

#include "exporters/syslog/format.h"

#include <cmocka.h>

struct fixture {
    struct buffer request, scratch, out;
    struct otlp_logs logs;
    size_t record;
};

static void begin(struct fixture *fixture)
{
    *fixture = (struct fixture){ .record = 0 };
    otlp_logs_begin(&fixture->logs, &fixture->request, slice_of(NULL, 0));
    fixture->record = otlp_log_open(&fixture->logs, UINT64_C(1767225600000001000), 0);
}

static struct slice written(struct fixture *fixture, const struct syslog_format *format)
{
    struct otlp_log log = { 0 };
    struct otlp_walk walk;

    pb_close(&fixture->request, fixture->record);
    otlp_logs_end(&fixture->logs);
    walk = otlp_walk(buffer_slice(&fixture->request));
    assert_true(otlp_walk_next(&walk));
    otlp_log_view(walk.record.body, &log);
    syslog_format_record(format, &log, &fixture->scratch, &fixture->out);
    return buffer_slice(&fixture->out);
}

static void end(struct fixture *fixture)
{
    buffer_fini(&fixture->request);
    buffer_fini(&fixture->scratch);
    buffer_fini(&fixture->out);
}

static void what_was_parsed_is_written_as_it_was(void **state)
{
    static const char *const texts[] = { "<34>1 2026-01-01T00:00:00.000001Z host su 12 ID47 [a@1 k=\"v\\\"\\]\\\\\" l=\"\"][b] text",
        "<165>3 2026-01-01T00:00:00.000001Z - - - - -", "<0>1 2026-01-01T00:00:00.000001Z h - p - - two  words " };
    const struct syslog_rules rules = { SYSLOG_RFC5424, false };

    (void)state;
    for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++) {
        const struct syslog_format format = { SYSLOG_RFC5424, false, true };
        struct syslog_message message;
        struct fixture fixture;
        const char *problem;

        begin(&fixture);
        assert_true(syslog_parse(&rules, slice_of_string(texts[i]), &message, &problem));
        syslog_append_attributes(&message, &fixture.logs);
        assert_true(slice_equal_string(written(&fixture, &format), texts[i]));
        end(&fixture);
    }
}

static void nothing_breaks_out_of_its_field(void **state)
{
    static const struct {
        struct syslog_format format;
        const char *wanted;
    } cases[] = {
        { { SYSLOG_RFC5424, false, false }, "<165>1 2026-01-01T00:00:00.000001Z a_b_c x__1_: - - - one#012two\n" },
        { { SYSLOG_RFC5424, true, false }, "61 <165>1 2026-01-01T00:00:00.000001Z a_b_c x__1_: - - - one\ntwo" },
        { { SYSLOG_RFC3164, false, false }, "<165>Jan  1 00:00:00 a_b_c x__1]_: one#012two\n" },
    };

    (void)state;
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        struct fixture fixture;

        begin(&fixture);
        otlp_log_put_body(&fixture.logs, slice_of_string("one\ntwo"));
        otlp_log_put_attribute(&fixture.logs, SLICE("hostname"), SLICE("a b\nc"));
        otlp_log_put_attribute(&fixture.logs, SLICE("appname"), i < 2 ? SLICE("x \n1\x7f:") : SLICE("x [1]:"));
        assert_string_equal((written(&fixture, &cases[i].format), buffer_string(&fixture.out)), cases[i].wanted);
        end(&fixture);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_was_parsed_is_written_as_it_was),
        cmocka_unit_test(nothing_breaks_out_of_its_field),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
