/* Graphite's lines, rules and pickles. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>

#include "collector/wire/otlp.h"
#include "receivers/carbon/line.h"
#include "receivers/carbon/pickle.h"

#include <cmocka.h>

static const char *line_fault(const char *text, struct carbon_point *point)
{
    return carbon_line(slice_of_string(text), 5, point);
}

static void assert_refused(const char *text, const char *fault)
{
    struct carbon_point point;
    const char *got = line_fault(text, &point);

    assert_string_equal(got != NULL ? got : "taken", fault);
}

static void test_lines(void **state)
{
    struct carbon_point point;

    (void)state;
    assert_null(line_fault("a.b 128 1582230020", &point));
    assert_true(point.is_int && point.integer == 128 && point.time_ns == 1582230020000000000U);
    assert_null(line_fault("a.b -1.5 1582230020.5", &point));
    assert_true(!point.is_int && point.number == -1.5 && point.time_ns == 1582230020500000000U);
    assert_null(line_fault("a.b\t1   -1", &point));
    assert_int_equal(point.time_ns, 5);
    assert_null(line_fault("a 3.14 1582230020.", &point));
    assert_refused("", "not_three_fields");
    assert_refused("a 1", "not_three_fields");
    assert_refused("a 1 2 3", "not_three_fields");
    assert_refused("a x 1", "bad_value");
    assert_refused("a nan 1", "bad_value");
    assert_refused("a 1 x", "bad_timestamp");
    assert_refused("a 1 -5", "bad_timestamp");
    assert_refused("a 1 1e300", "bad_timestamp");
}

static void test_every_beginning_of_a_line(void **state)
{
    static const char line[] = "name;key=value;k2=v2 12.5 1582230020.25";
    struct carbon_point point;

    (void)state;
    for (size_t size = 0; size < sizeof(line) - 1; size++) {
        uint8_t *copy = malloc(size + 1);

        assert_non_null(copy);
        memcpy(copy, line, size);
        carbon_line(slice_of(copy, size), 1, &point);
        free(copy);
    }
}

/* ---- paths ---- */

struct written {
    struct buffer wire;
    struct otlp_walk walk;
    struct otlp_metric metric;
    struct otlp_point point;
    const char *fault;
};

static struct written write_path(struct carbon_rules *rules, const char *path)
{
    struct carbon_point point = { .path = slice_of_string(path), .is_int = true, .integer = 7, .time_ns = 9 };
    struct written written = { .fault = NULL };
    struct metric_writer writer = metric_writer_of(&written.wire);
    struct otlp_points points;

    metric_write_group(&writer);
    metric_write_scope(&writer, SLICE("s"), SLICE(""));
    written.fault = carbon_write(rules, &point, &writer);
    metric_write_end_group(&writer);
    assert_int_equal(otlp_check(SIGNAL_METRICS, buffer_slice(&written.wire)).fault, OTLP_OK);
    assert_int_equal(otlp_check(SIGNAL_METRICS, buffer_slice(&written.wire)).records, written.fault == NULL);
    written.walk = otlp_walk(buffer_slice(&written.wire));
    if (otlp_walk_next(&written.walk)) {
        otlp_metric_view(written.walk.record.body, &written.metric);
        points = otlp_points(&written.metric);
        otlp_next_point(&points, &written.point);
    }
    return written;
}

static void assert_path(struct carbon_rules *rules, const char *path, const char *name, const char *key, const char *text)
{
    struct written written = write_path(rules, path);
    struct otlp_value value;

    assert_null(written.fault);
    assert_true(slice_equal_string(written.metric.name, name));
    assert_int_equal(written.point.int_value, 7);
    if (key != NULL) {
        assert_true(otlp_find_attribute(written.point.body, OTLP_ATTRIBUTES_OF_NUMBER_POINT, slice_of_string(key), &value));
        assert_true(slice_equal_string(value.bytes, text));
    }
    buffer_fini(&written.wire);
}

static void test_tags(void **state)
{
    static const char *const bad[] = { ";k=v", "a;k", "a;=v", "a;;k=v", "", "a\xff" };
    struct carbon_rules rules = { .count = 0 };

    (void)state;
    assert_path(&rules, "a.b", "a.b", NULL, NULL);
    assert_path(&rules, "a;", "a", NULL, NULL);
    assert_path(&rules, "a;k=v;j=", "a", "j", "");
    assert_path(&rules, "a;k=v=w", "a", "k", "v=w");
    assert_path(&rules, "a;k=1;k=2", "a", "k", "2");
    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
        struct written written = write_path(&rules, bad[i]);

        assert_non_null(written.fault);
        buffer_fini(&written.wire);
    }
}

static void test_rules(void **state)
{
    static const struct option_pair labels[] = { { "k", "v" } };
    static const struct carbon_rule_settings settings[] = {
        { "(?P<key_svc>[^.]+)\\.(?P<key_host>[^.]+)\\.cpu\\.seconds", "cpu_seconds", { labels, 1 }, 0 },
        { "^(?P<key_svc>[^.]+)\\.total\\.(?P<name_1>[^.]+)\\.(?P<name_0>[^.]+)$", "x", { NULL, 0 }, 1 },
    };
    static const struct carbon_rule_settings bad = { "(?P<other>a)", NULL, { NULL, 0 }, 0 };
    struct carbon_rules rules;
    struct written written;
    struct error err;

    (void)state;
    assert_true(carbon_rules_init(&rules, &(struct option_list){ settings, 2 }, "_", &err));
    assert_path(&rules, "shop.h1.cpu.seconds", "cpu_seconds", "host", "h1");
    assert_path(&rules, "shop.h1.cpu.seconds", "cpu_seconds", "k", "v");
    assert_path(&rules, "none.of;them=1", "none.of", "them", "1");
    written = write_path(&rules, "shop.total.b.a");
    assert_true(slice_equal_string(written.metric.name, "x_a_b"));
    assert_int_equal(written.metric.kind, OTLP_SUM);
    assert_true(written.metric.monotonic && written.metric.temporality == 2);
    buffer_fini(&written.wire);
    carbon_rules_fini(&rules);
    assert_false(carbon_rules_init(&rules, &(struct option_list){ &bad, 1 }, "_", &err));
    carbon_rules_fini(&rules);
}

/* ---- pickles ---- */

/* [("a.b", (1582230020, 1.5)), ("c;k=v", (1582230021, 7))] in the protocols 2, 0 and 4. */
static const char protocol_2[] = "\x80\x02]q\0(X\x03\0\0\0a.bq\1J\x04\xea\x4e\x5eG?\xf8\0\0\0\0\0\0\x86q\2\x86q\3X\x05\0\0\0c;k="
                                 "vq\4J\x05\xea\x4e\x5eK\7\x86q\5\x86q\6e.";
static const char protocol_0[] = "(lp0\n(Va.b\np1\n(I1582230020\nF1.5\ntp2\ntp3\na(S'c;k=v'\np4\n(L1582230021L\nI7\ntp5\ntp6\na.";
static const char protocol_4[] = "\x80\x04\x95\x2e\0\0\0\0\0\0\0]\x94(\x8c\x03"
                                 "a.b\x94J\x04\xea\x4e\x5eG?\xf8\0\0\0\0\0\0\x86\x94\x86\x94\x8c\x05"
                                 "c;k=v\x94J\x05\xea\x4e\x5eK\7\x86\x94\x86\x94"
                                 "e.";

struct seen {
    size_t points, bad;
    struct carbon_point last;
};

static void see(void *context, const struct carbon_point *point)
{
    struct seen *seen = context;

    seen->points++;
    seen->last = *point;
}

static void see_bad(void *context, const char *reason)
{
    assert_non_null(reason);
    ((struct seen *)context)->bad++;
}

static const char *read_pickle(const void *bytes, size_t size, struct seen *seen)
{
    struct pickle_visit visit = { seen, see, see_bad };

    *seen = (struct seen){ .points = 0 };
    return pickle_read(slice_of(bytes, size), 1, &visit);
}

static void test_pickles(void **state)
{
    static const struct {
        const char *bytes;
        size_t size;
    } rows[] = { { protocol_2, sizeof(protocol_2) - 1 }, { protocol_0, sizeof(protocol_0) - 1 }, { protocol_4, sizeof(protocol_4) - 1 } };
    struct seen seen;

    (void)state;
    for (size_t i = 0; i < 3; i++) {
        assert_null(read_pickle(rows[i].bytes, rows[i].size, &seen));
        assert_int_equal(seen.points, 2);
        assert_true(slice_equal_string(seen.last.path, "c;k=v"));
        assert_true(seen.last.is_int && seen.last.integer == 7);
        assert_int_equal(seen.last.time_ns, 1582230021000000000);
        for (size_t size = 0; size < rows[i].size; size++) {
            uint8_t *copy = malloc(size + 1);

            assert_non_null(copy);
            memcpy(copy, rows[i].bytes, size);
            assert_non_null(read_pickle(copy, size, &seen));
            assert_int_equal(seen.points, 0);
            free(copy);
        }
    }
}

static void test_pickles_that_are_programs(void **state)
{
    static const char *const programs[] = { "cos\nsystem\n(S'id'\ntR.", "(S'id'\nios\nsystem\n.",
        "\x80\x04\x8c\x02os\x8c\x06system\x93\x8c\x02id\x85R.", "(dS'a'\nI1\ns.", "Q.", "]b." };
    struct seen seen;

    (void)state;
    for (size_t i = 0; i < sizeof(programs) / sizeof(programs[0]); i++) {
        const char *fault = read_pickle(programs[i], strlen(programs[i]), &seen);

        assert_string_equal(fault != NULL ? fault : "taken", "program");
        assert_int_equal(seen.points, 0);
    }
}

static void test_pickles_of_something_else(void **state)
{
    static const char *const refused[] = { "I1\n.", ".", "a.", "e.", "(.", "h\1.", "g9999999999\n.", "(l(l.", "t." };
    static const char *const empty[] = { "(lI1\na(ta(S'a'\nI1\nta.", "((S'a'\n(I1\nNttl." };
    struct seen seen;

    (void)state;
    for (size_t i = 0; i < sizeof(refused) / sizeof(refused[0]); i++)
        assert_non_null(read_pickle(refused[i], strlen(refused[i]), &seen));
    for (size_t i = 0; i < sizeof(empty) / sizeof(empty[0]); i++) {
        assert_null(read_pickle(empty[i], strlen(empty[i]), &seen));
        assert_int_equal(seen.points, 0);
        assert_true(seen.bad > 0);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_lines),
        cmocka_unit_test(test_every_beginning_of_a_line),
        cmocka_unit_test(test_tags),
        cmocka_unit_test(test_rules),
        cmocka_unit_test(test_pickles),
        cmocka_unit_test(test_pickles_that_are_programs),
        cmocka_unit_test(test_pickles_of_something_else),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
