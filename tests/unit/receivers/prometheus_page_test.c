/* Prometheus pages: what they become, along the layout of the page before and without it, and pages that are cut anywhere. */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>

#include "collector/wire/protobuf.h"
#include "tests/unit/receivers/prometheus_page.h"

#include <cmocka.h>

static const char node_page[] =
    "# HELP up_seconds How long.\n# TYPE up_seconds counter\nup_seconds{cpu=\"0\",mode=\"idle\"} 12.5\nup_seconds{cpu=\"1\",mode=\"idle\"} "
    "7\n"
    "# TYPE load gauge\nload 0.25\n"
    "# TYPE rpc histogram\nrpc_bucket{le=\"0.1\"} 2\nrpc_bucket{le=\"1\"} 5\nrpc_bucket{le=\"+Inf\"} 6\nrpc_sum 3.5\nrpc_count 6\n"
    "# TYPE lag summary\nlag{quantile=\"0.5\"} 1\nlag{quantile=\"0.9\"} 4\nlag_sum 40\nlag_count 20\n"
    "bare{path=\"a\\\\b\\\"c\\nd\"} -Inf\n";

static void assert_has(const struct scraped *scraped, const char *text)
{
    if (memmem(scraped->json.data, scraped->json.size, text, strlen(text)) == NULL)
        fail_msg("no %s in %.*s", text, (int)scraped->json.size, (const char *)scraped->json.data);
}

static void assert_lacks(const struct scraped *scraped, const char *text)
{
    if (memmem(scraped->json.data, scraped->json.size, text, strlen(text)) != NULL)
        fail_msg("%s in %.*s", text, (int)scraped->json.size, (const char *)scraped->json.data);
}

static void assert_sound(const struct scraped *scraped)
{
    struct otlp_check found = otlp_check(SIGNAL_METRICS, buffer_slice(&scraped->wire));

    assert_int_equal(found.fault, OTLP_OK);
    assert_int_equal(found.records, scraped->points);
}

static void numbers(void **state)
{
    static const struct {
        const char *text;
        double value;
    } good[] = { { "0", 0 }, { "-0", -0.0 }, { "+1", 1 }, { ".5", 0.5 }, { "5.", 5 }, { "1e3", 1000 }, { "1E-3", 0.001 }, { "007", 7 },
        { "12345678901234567890", 12345678901234567890.0 }, { "1.7976931348623157e308", 1.7976931348623157e308 }, { "5e-324", 5e-324 },
        { "0.1", 0.1 }, { "1e-400", 0 }, { "+Inf", (double)INFINITY }, { "-infinity", -(double)INFINITY },
        { "9007199254740993", 9007199254740992.0 } };
    static const char *const bad[] = { "", "-", ".", "e5", "1e", "1e+", "0x1", "1_0", "1 ", "nanx", "+nan", "--1", "1e309", "true",
        "1.2.3" };
    double value;

    (void)state;
    for (size_t i = 0; i < sizeof(good) / sizeof(good[0]); i++) {
        assert_true(number_parse(slice_of_string(good[i].text), &value));
        assert_memory_equal(&value, &good[i].value, sizeof(value));
    }
    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
        if (number_parse(slice_of_string(bad[i]), &value))
            fail_msg("\"%s\" is a number", bad[i]);
    assert_true(number_parse(SLICE("NaN"), &value));
    assert_true(isnan(value) && !number_is_stale(value));
}

static void kinds_of_metrics(void **state)
{
    struct scraped scraped;

    (void)state;
    scraped_init(&scraped);
    assert_true(scrape_text(&scraped, node_page));
    assert_sound(&scraped);
    assert_int_equal(scraped.points, 2 + 1 + 1 + 1 + 1 + 5);
    assert_has(&scraped, "\"service.name\",\"value\":{\"stringValue\":\"node\"}");
    assert_has(&scraped, "\"service.instance.id\",\"value\":{\"stringValue\":\"host:9100\"}");
    assert_has(&scraped, "\"server.port\",\"value\":{\"stringValue\":\"9100\"}");
    assert_has(&scraped, "\"description\":\"How long.\"");
    assert_has(&scraped, "\"isMonotonic\":true");
    assert_has(&scraped, "\"asDouble\":12.5");
    assert_has(&scraped, "\"bucketCounts\":[\"2\",\"3\",\"1\"]");
    assert_has(&scraped, "\"explicitBounds\":[0.1,1]");
    assert_has(&scraped, "{\"quantile\":0.9,\"value\":4}");
    assert_has(&scraped, "a\\\\b\\\"c\\nd");
    assert_has(&scraped, "\"-Infinity\"");
    assert_has(&scraped, "\"scrape_samples_scraped\"");
    assert_int_equal(scraped.layout.samples, 13);
    scraped_fini(&scraped);
}

static void start_times(void **state)
{
    struct scraped scraped;

    (void)state;
    scraped_init(&scraped);
    assert_true(scrape_text(&scraped, "# TYPE a counter\na 5\n"));
    assert_has(&scraped, "\"startTimeUnixNano\":\"1700000000000000\",\"timeUnixNano\":\"1700000000000000\"");
    assert_true(scrape_text(&scraped, "# TYPE a counter\na 6\n"));
    assert_has(&scraped, "\"startTimeUnixNano\":\"1700000000000000\",\"timeUnixNano\":\"1700001000000000\"");
    assert_true(scrape_text(&scraped, "# TYPE a counter\na 2\n"));
    assert_has(&scraped, "\"startTimeUnixNano\":\"1700002000000000\",\"timeUnixNano\":\"1700002000000000\"");
    assert_true(scrape(&scraped, PAGE_OPENMETRICS, SLICE("# TYPE b counter\nb_total 2\nb_created 1600000000.5\n# EOF\n")));
    assert_has(&scraped, "\"startTimeUnixNano\":\"1600000000500000000\"");
    assert_has(&scraped, "\"b_total\"");
    assert_lacks(&scraped, "b_created");
    scraped_fini(&scraped);
}

static void vanished_series_end(void **state)
{
    struct scraped scraped;

    (void)state;
    scraped_init(&scraped);
    assert_true(scrape_text(&scraped, node_page));
    assert_true(scrape_text(&scraped, "# TYPE load gauge\nload 1\n"));
    assert_sound(&scraped);
    assert_int_equal(scraped.points, 2 + 1 + 1 + 1 + 1 + 5);
    assert_has(&scraped, "\"flags\":1");
    assert_has(&scraped, "\"bucketCounts\":[\"0\",\"0\",\"0\"]");
    assert_true(scrape_text(&scraped, "# TYPE load gauge\nload 1\n"));
    assert_lacks(&scraped, "\"flags\":1");
    assert_int_equal(scraped.points, 1 + 5);
    scraped_fini(&scraped);
}

static void a_malformed_page_is_refused_whole(void **state)
{
    struct scraped scraped;

    (void)state;
    scraped_init(&scraped);
    assert_true(scrape_text(&scraped, "a 1\nb 2\n"));
    assert_false(scrape_text(&scraped, "a 3\nb 4\nc nonsense\n"));
    assert_string_equal(scraped.err.message, "line 3: expected a value after the metric");
    assert_sound(&scraped);
    assert_lacks(&scraped, "\"asDouble\":3");
    assert_has(&scraped, "\"flags\":1");
    assert_int_equal(scraped.points, 2 + 5);
    assert_false(scrape_text(&scraped, "a 3\nb 4\nc nonsense\n"));
    assert_int_equal(scraped.points, 5);
    assert_true(scrape_text(&scraped, "a 3\nb 4\n"));
    assert_int_equal(scraped.points, 7);
    assert_int_equal(scraped.layout.added, 2);
    scraped_fini(&scraped);
}

/* Whatever stands where, the values are the page's: along the hint, across moved, new and gone lines. */
static void any_order_gives_the_same(void **state)
{
    struct scraped along, fresh;
    struct buffer page = { 0 };

    (void)state;
    scraped_init(&along);
    srand(7);
    for (int round = 0; round < 60; round++) {
        buffer_clear(&page);
        buffer_append_string(&page, "# TYPE m gauge\n");
        for (int i = 0; i < 40; i++)
            if (rand() % 4 != 0)
                buffer_printf(&page, "m{i=\"%d\"} %d\n", round % 3 == 0 ? 39 - i : i + round / 20, rand() % 100);
        assert_true(scrape(&along, PAGE_TEXT, buffer_slice(&page)));
        assert_sound(&along);
        scraped_init(&fresh);
        fresh.now_ms = along.now_ms - 1000;
        assert_true(scrape(&fresh, PAGE_TEXT, buffer_slice(&page)));
        assert_int_equal(fresh.layout.live, along.layout.live);
        for (size_t i = 0; i < fresh.layout.series_count; i++) {
            uint32_t number = layout_find(&along.layout, layout_key(&fresh.layout, &fresh.layout.series[i]));
            assert_int_not_equal(number, LAYOUT_NONE);
            assert_true(along.layout.series[number].value == fresh.layout.series[i].value);
        }
        scraped_fini(&fresh);
    }
    buffer_fini(&page);
    scraped_fini(&along);
}

static void what_is_gone_is_forgotten(void **state)
{
    struct scraped scraped;
    struct buffer page = { 0 };

    (void)state;
    scraped_init(&scraped);
    for (int round = 0; round < 50; round++) {
        buffer_clear(&page);
        buffer_append_string(&page, "# TYPE keep counter\nkeep 9\n# TYPE h histogram\n");
        for (int i = 0; i < 100; i++)
            buffer_printf(&page,
                "churn{id=\"%d\"} 1\nh_bucket{id=\"%d\",le=\"1\"} 1\nh_bucket{id=\"%d\",le=\"+Inf\"} 2\nh_count{id=\"%d\"} 2\n",
                round * 100 + i, round * 100 + i, round * 100 + i, round * 100 + i);
        assert_true(scrape(&scraped, PAGE_TEXT, buffer_slice(&page)));
        assert_sound(&scraped);
        assert_int_equal(scraped.points, 1 + 200 + (round > 0 ? 200 : 0) + 5);
    }
    assert_true(scraped.layout.series_count < 2000);
    assert_has(&scraped, "\"startTimeUnixNano\":\"1700000000000000\"");
    buffer_fini(&page);
    scraped_fini(&scraped);
}

static void types_that_come_late_count(void **state)
{
    struct scraped scraped;

    (void)state;
    scraped_init(&scraped);
    assert_true(scrape_text(&scraped, "a_total 1\n# TYPE a_total counter\n"));
    assert_lacks(&scraped, "isMonotonic");
    assert_true(scrape_text(&scraped, "a_total 1\n# TYPE a_total counter\n"));
    assert_has(&scraped, "isMonotonic");
    assert_true(scrape_text(&scraped, "a_total 1\n# TYPE a_total counter\n"));
    assert_has(&scraped, "\"startTimeUnixNano\":\"1700001000000000\"");
    scraped_fini(&scraped);
}

/* What a small page left is given back, and a larger one takes it again. */
static void pages_shrink_and_grow(void **state)
{
    struct scraped scraped;
    struct buffer page = { 0 };

    (void)state;
    scraped_init(&scraped);
    for (int series = 1; series < 40; series += 3) {
        buffer_clear(&page);
        buffer_append_string(&page, "late_total 1\n# TYPE late_total counter\n");
        for (int i = 0; i < series; i++)
            buffer_printf(&page, "m%d{i=\"%d\"} 1\n", series, i);
        assert_true(scrape(&scraped, PAGE_TEXT, buffer_slice(&page)));
        assert_true(scrape(&scraped, PAGE_TEXT, buffer_slice(&page)));
        assert_sound(&scraped);
        assert_int_equal(scraped.points, series + 1 + 5);
        assert_true(scrape(&scraped, PAGE_TEXT, SLICE("late_total 1\n# TYPE late_total gauge\n")));
    }
    buffer_fini(&page);
    scraped_fini(&scraped);
}

static void strange_samples_are_counted(void **state)
{
    struct scraped scraped;

    (void)state;
    scraped_init(&scraped);
    assert_true(scrape_text(&scraped, "a 1\na 2\nb 1 9999999999999\nc 3 1700000000\n# TYPE h histogram\nh_bucket 2\nh_sum 3\n"
                                      "# TYPE g histogram\ng_bucket{le=\"1\"} 5\ng_bucket{le=\"2\"} 3\ng_count 5\n"));
    assert_sound(&scraped);
    assert_int_equal(scraped.layout.duplicates, 1);
    assert_int_equal(scraped.layout.out_of_bounds, 1);
    assert_int_equal(scraped.layout.malformed, 1 + 2);
    assert_has(&scraped, "\"asDouble\":1");
    assert_lacks(&scraped, "\"asDouble\":2");
    assert_has(&scraped, "\"timeUnixNano\":\"1700000000000000\",\"asDouble\":3");
    assert_true(scrape_text(&scraped, "a 1\n")); /* c had a time of its own: nobody knows when it ends */
    assert_int_equal(scraped.points, 1 + 5);
    scraped_fini(&scraped);
}

static void limits(void **state)
{
    struct scraped scraped;

    (void)state;
    scraped_init(&scraped);
    scraped.settings.sample_limit = 2;
    assert_true(scrape_text(&scraped, "a 1\nb 1\n"));
    assert_false(scrape_text(&scraped, "a 1\nb 1\nc 1\n"));
    assert_non_null(strstr(scraped.err.message, "sample_limit exceeded: 3 samples"));
    scraped.settings.sample_limit = 0;
    scraped.settings.label_limit = 4;
    assert_true(scrape_text(&scraped, "d{x=\"1\"} 1\n"));
    assert_false(scrape_text(&scraped, "e{x=\"1\",y=\"2\"} 1\n"));
    scraped.settings.label_limit = 0;
    scraped.settings.label_value_length_limit = 10;
    assert_false(scrape_text(&scraped, "f{x=\"12345678901\"} 1\n"));
    assert_false(scrape_text(&scraped, "f{x=\"1\",x=\"2\"} 1\n"));
    assert_non_null(strstr(scraped.err.message, "line 1: the label \"x\" of \"f\" is there twice"));
    scraped_fini(&scraped);
}

static void labels_of_the_target(void **state)
{
    struct scraped scraped;

    (void)state;
    scraped_init(&scraped);
    assert_true(scrape_text(&scraped, "a{job=\"mine\"} 1\n"));
    assert_has(&scraped, "exported_job");
    layout_fini(&scraped.layout);
    scraped.settings.honor_labels = true;
    layout_init(&scraped.layout, &scraped.settings);
    assert_true(scrape_text(&scraped, "a{job=\"mine\"} 1\ntarget_info{version=\"7\"} 1\n"));
    assert_lacks(&scraped, "exported_job");
    assert_has(&scraped, "\"service.name\",\"value\":{\"stringValue\":\"mine\"}");
    assert_has(&scraped, "\"version\",\"value\":{\"stringValue\":\"7\"}");
    assert_lacks(&scraped, "target_info");
    scraped_fini(&scraped);
}

static void exemplars(void **state)
{
    static const char page[] =
        "# TYPE a counter\na_total 1 # {trace_id=\"0102030405060708090a0b0c0d0e0f10\",k=\"v\"} 0.5 1.5\n"
        "# TYPE h histogram\nh_bucket{le=\"1\"} 1 # {} 0.7\nh_bucket{le=\"+Inf\"} 1 # {x=\"y\"} 2\nh_count 1\nh_sum 1\n# EOF\n";
    struct scraped scraped;

    (void)state;
    scraped_init(&scraped);
    for (int i = 0; i < 2; i++) {
        assert_true(scrape(&scraped, PAGE_OPENMETRICS, slice_of_string(page)));
        assert_sound(&scraped);
        assert_has(&scraped, "\"traceId\":\"0102030405060708090a0b0c0d0e0f10\"");
        assert_has(&scraped, "\"timeUnixNano\":\"1500000000\"");
        assert_has(&scraped, "\"asDouble\":0.7");
        assert_has(&scraped, "{\"key\":\"x\",\"value\":{\"stringValue\":\"y\"}}");
        assert_int_equal(scraped.points, 2 + 5);
    }
    scraped_fini(&scraped);
}

/* ---- protobuf ---- */

static void put_label(struct buffer *out, const char *name, const char *value)
{
    size_t mark = pb_open(out, 1);

    pb_put_bytes(out, 1, slice_of_string(name));
    pb_put_bytes(out, 2, slice_of_string(value));
    pb_close(out, mark);
}

static void put_span(struct buffer *out, uint32_t field, int64_t offset, uint64_t length)
{
    size_t mark = pb_open(out, field);

    pb_put_varint(out, 1, (uint64_t)offset << 1 ^ (uint64_t)(offset >> 63));
    pb_put_varint(out, 2, length);
    pb_close(out, mark);
}

static void put_delta(struct buffer *out, int64_t delta)
{
    pb_put_raw_varint(out, (uint64_t)delta << 1 ^ (uint64_t)(delta >> 63));
}

static void append_family(struct buffer *page, const struct buffer *family)
{
    pb_put_raw_varint(page, family->size);
    buffer_append_slice(page, buffer_slice(family));
}

/* A counter, and a histogram with both kinds of buckets. */
static void write_protobuf(struct buffer *page)
{
    struct buffer family = { 0 };
    size_t metric, inner, deltas;

    pb_put_bytes(&family, 1, SLICE("c_total"));
    pb_put_bytes(&family, 2, SLICE("A counter."));
    pb_put_varint(&family, 3, 0);
    metric = pb_open(&family, 4);
    put_label(&family, "k", "v");
    inner = pb_open(&family, 3);
    pb_put_double(&family, 1, 42);
    pb_close(&family, inner);
    pb_close(&family, metric);
    append_family(page, &family);
    buffer_clear(&family);
    pb_put_bytes(&family, 1, SLICE("rpc"));
    pb_put_varint(&family, 3, 4);
    metric = pb_open(&family, 4);
    inner = pb_open(&family, 7);
    pb_put_varint(&family, 1, 10);
    pb_put_double(&family, 2, 2.5);
    deltas = pb_open(&family, 3);
    pb_put_varint(&family, 1, 4);
    pb_put_double(&family, 2, 0.5);
    pb_close(&family, deltas);
    pb_put_varint(&family, 5, 2 << 1);
    pb_put_double(&family, 6, 0.001);
    pb_put_varint(&family, 7, 1);
    put_span(&family, 12, -1, 2);
    put_span(&family, 12, 2, 1);
    deltas = pb_open(&family, 13);
    put_delta(&family, 3);
    put_delta(&family, -1);
    put_delta(&family, 2);
    pb_close(&family, deltas);
    pb_close(&family, inner);
    pb_close(&family, metric);
    append_family(page, &family);
    buffer_fini(&family);
}

static void protobuf_pages(void **state)
{
    struct scraped scraped;
    struct buffer page = { 0 };

    (void)state;
    write_protobuf(&page);
    scraped_init(&scraped);
    for (int i = 0; i < 2; i++) {
        assert_true(scrape(&scraped, PAGE_PROTOBUF, buffer_slice(&page)));
        assert_sound(&scraped);
        assert_int_equal(scraped.points, 2 + 5);
        assert_has(&scraped, "\"exponentialHistogram\"");
        assert_has(&scraped, "\"scale\":2");
        assert_has(&scraped, "\"offset\":-2,\"bucketCounts\":[\"3\",\"2\",\"0\",\"0\",\"4\"]");
        assert_has(&scraped, "\"zeroCount\":\"1\"");
        assert_has(&scraped, "\"asDouble\":42");
    }
    scraped.reader.native_histograms = false;
    assert_true(scrape(&scraped, PAGE_PROTOBUF, buffer_slice(&page)));
    assert_sound(&scraped);
    assert_has(&scraped, "\"bucketCounts\":[\"4\",\"6\"]");
    assert_has(&scraped, "\"flags\":1"); /* the other one has ended */
    buffer_fini(&page);
    scraped_fini(&scraped);
}

/* ---- cut anywhere ---- */

static void cut(enum page_format format, struct slice page)
{
    struct scraped scraped;

    scraped_init(&scraped);
    assert_true(scrape(&scraped, format, page));
    for (size_t size = 0; size < page.size; size++) {
        uint8_t *copy = malloc(size + 1); /* its own block, so that a read beyond the end is seen */

        memcpy(copy, page.data, size);
        scrape(&scraped, format, slice_of(copy, size));
        assert_sound(&scraped);
        if (format == PAGE_OPENMETRICS && size + 1 < page.size)
            assert_false(scraped.fine);
        free(copy);
        if (size % 3 == 0)
            assert_true(scrape(&scraped, format, page));
    }
    scraped_fini(&scraped);
}

static void cut_at_every_byte(void **state)
{
    struct buffer page = { 0 };

    (void)state;
    cut(PAGE_TEXT, slice_of_string(node_page));
    cut(PAGE_OPENMETRICS, SLICE("# HELP a b\\nc\n# TYPE a counter\n# UNIT a_s s\na_total{x=\"y\"} 1 2.5 # {t=\"u\"} 3 4\n{\"quoted "
                                "name\",k=\"v\"} 1\n# EOF\n"));
    write_protobuf(&page);
    cut(PAGE_PROTOBUF, buffer_slice(&page));
    buffer_fini(&page);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(numbers),
        cmocka_unit_test(kinds_of_metrics),
        cmocka_unit_test(start_times),
        cmocka_unit_test(vanished_series_end),
        cmocka_unit_test(a_malformed_page_is_refused_whole),
        cmocka_unit_test(any_order_gives_the_same),
        cmocka_unit_test(what_is_gone_is_forgotten),
        cmocka_unit_test(types_that_come_late_count),
        cmocka_unit_test(pages_shrink_and_grow),
        cmocka_unit_test(strange_samples_are_counted),
        cmocka_unit_test(limits),
        cmocka_unit_test(labels_of_the_target),
        cmocka_unit_test(exemplars),
        cmocka_unit_test(protobuf_pages),
        cmocka_unit_test(cut_at_every_byte),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
