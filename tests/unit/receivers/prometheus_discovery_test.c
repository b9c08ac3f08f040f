/* Targets: groups in YAML and JSON, DNS answers, labels to URLs, and Prometheus' notations. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>

#include "receivers/prometheus/discovery.h"
#include "receivers/prometheus/target.h"

#include <cmocka.h>

static struct slice label_of(const struct discovered_target *target, const char *name)
{
    for (size_t i = 0; i < target->count; i++)
        if (slice_equal_string(target->labels[i].name, name))
            return target->labels[i].value;
    return SLICE("none");
}

static bool read_groups(const char *text, struct discovered *found, struct error *err)
{
    return discovery_read_groups(
        &(struct group_list){ slice_of_string(text), "f.yml", SLICE("__meta_filepath"), SLICE("f.yml") }, found, err);
}

static void groups_of_targets(void **state)
{
    static const char *const good[] = { "- targets: [a:1, 'b:2']\n  labels: {x: 5, y: 'z'}\n",
        "[{\"targets\": [\"a:1\", \"b:2\"], \"labels\": {\"x\": \"5\", \"y\": \"z\"}}]" };
    static const char *const bad[] = { "{", "targets: [a]", "- [a]", "- labels: {}", "- targets: a", "- targets: [{}]",
        "- targets: [a]\n  labels: [b]", "- targets: [a]\n  labels: {b: [c]}" };

    (void)state;
    for (size_t i = 0; i < 2; i++) {
        struct discovered found = { .targets = NULL };

        assert_true(read_groups(good[i], &found, NULL));
        assert_int_equal(found.count, 2);
        assert_true(slice_equal_string(label_of(found.targets[1], "__address__"), "b:2"));
        assert_true(slice_equal_string(label_of(found.targets[1], "x"), "5"));
        assert_true(slice_equal_string(label_of(found.targets[1], "__meta_filepath"), "f.yml"));
        discovered_fini(&found);
    }
    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
        struct discovered found = { .targets = NULL };
        struct error err = { "" };

        if (read_groups(bad[i], &found, &err) || err.message[0] == '\0')
            fail_msg("taken: %s", bad[i]);
        discovered_fini(&found);
    }
}

/* An answer to "_x._tcp.t": two SRV records, the second with a compressed name, and an A record. */
static const uint8_t answer[] = { 0, 1, 0x81, 0x80, 0, 1, 0, 3, 0, 0, 0, 0, 2, '_', 'x', 4, '_', 't', 'c', 'p', 1, 't', 0, 0, 33, 0, 1,
    0xc0, 12, 0, 33, 0, 1, 0, 0, 0, 9, 0, 12, 0, 1, 0, 2, 0x1f, 0x90, 3, 'o', 'n', 'e', 0xc0, 20, /* 8080 one.t */
    0xc0, 12, 0, 33, 0, 1, 0, 0, 0, 9, 0, 9, 0, 1, 0, 2, 0, 80, 1, 'b', 0,                        /* 80 b */
    0xc0, 12, 0, 1, 0, 1, 0, 0, 0, 9, 0, 4, 10, 0, 0, 7 };

static void dns_answers(void **state)
{
    struct dns_sd_settings srv = { .type = "SRV" }, a = { .type = "A", .port = 99 };
    struct discovered found = { .targets = NULL };

    (void)state;
    assert_true(discovery_read_dns(slice_of(answer, sizeof(answer)), "_x._tcp.t", &srv, &found, NULL));
    assert_int_equal(found.count, 2);
    assert_true(slice_equal_string(label_of(found.targets[0], "__address__"), "one.t.:8080"));
    assert_true(slice_equal_string(label_of(found.targets[0], "__meta_dns_name"), "_x._tcp.t"));
    assert_true(slice_equal_string(label_of(found.targets[1], "__meta_dns_srv_record_target"), "b."));
    assert_true(slice_equal_string(label_of(found.targets[1], "__meta_dns_srv_record_port"), "80"));
    assert_true(discovery_read_dns(slice_of(answer, sizeof(answer)), "t", &a, &found, NULL));
    assert_true(slice_equal_string(label_of(found.targets[2], "__address__"), "10.0.0.7:99"));
    discovered_fini(&found);
    for (size_t size = 0; size < sizeof(answer); size++) {
        uint8_t *copy = malloc(size + 1);

        memcpy(copy, answer, size);
        found = (struct discovered){ .targets = NULL };
        assert_false(discovery_read_dns(slice_of(copy, size), "t", &srv, &found, NULL));
        discovered_fini(&found);
        free(copy);
    }
}

static void durations(void **state)
{
    static const struct {
        const char *text;
        int64_t ms;
    } good[] = { { "0", 0 }, { "500ms", 500 }, { "15s", 15000 }, { "1m30s", 90000 }, { "1h", 3600000 }, { "1d", 86400000 },
        { "1w", 604800000 }, { "1y", 31536000000 } };
    static const char *const bad[] = { "", "5", "1.5s", "-1s", "1x", "s", "1s ", "99999999999y" };
    int64_t nanoseconds;

    (void)state;
    for (size_t i = 0; i < sizeof(good) / sizeof(good[0]); i++) {
        assert_true(scrape_parse_duration(good[i].text, &nanoseconds));
        assert_int_equal(nanoseconds, good[i].ms * 1000000);
    }
    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
        assert_false(scrape_parse_duration(bad[i], &nanoseconds));
}

static struct scrape_settings simple_scrape(void)
{
    return (struct scrape_settings){
        .job_name = "j", .scheme = "http", .metrics_path = "/metrics", .interval_ns = INT64_C(1000000000), .timeout_ns = 500000000
    };
}

static enum target_result make(const struct scrape_settings *scrape, const char *const *pairs, struct target *target, struct error *err)
{
    struct target_maker maker = { .scrape = scrape };
    struct labels labels = { .items = NULL };
    enum target_result result;

    for (; pairs[0] != NULL; pairs += 2)
        labels_add(&labels, slice_of_string(pairs[0]), slice_of_string(pairs[1]));
    result = target_make(&maker, &labels, target, err);
    labels_fini(&labels);
    return result;
}

static void labels_to_targets(void **state)
{
    struct scrape_settings scrape = simple_scrape();
    struct error err = { "" };
    struct target target;

    (void)state;
    assert_int_equal(
        make(&scrape,
            (const char *[]){ "__address__", "h:1", "__meta_x", "y", "zone", "a", "__param_q", "a b&", "__scrape_interval__", "5s", NULL },
            &target, &err),
        TARGET_MADE);
    assert_string_equal(target.url, "http://h:1/metrics?q=a%20b%26");
    assert_int_equal(target.interval_ns, INT64_C(5000000000));
    assert_int_equal(target.label_count, 3);
    assert_true(slice_equal_string(target.labels[0].value, "h:1"));
    assert_true(slice_equal_string(target.labels[1].value, "j"));
    assert_true(slice_equal_string(target.labels[2].value, "a"));
    target_fini(&target);
    assert_int_equal(
        make(&scrape,
            (const char *[]){ "__address__", "[::1]:1", "__scheme__", "https", "__metrics_path__", "x y", "instance", "own", NULL },
            &target, &err),
        TARGET_MADE);
    assert_string_equal(target.url, "https://[::1]:1/x%20y");
    assert_true(slice_equal_string(target.labels[0].value, "own"));
    target_fini(&target);
    assert_int_equal(make(&scrape, (const char *[]){ "a", "b", NULL }, &target, &err), TARGET_BAD);
    assert_int_equal(make(&scrape, (const char *[]){ "__address__", "h:1/x", NULL }, &target, &err), TARGET_BAD);
    assert_int_equal(make(&scrape, (const char *[]){ "__address__", "h:1", "__scheme__", "ftp", NULL }, &target, &err), TARGET_BAD);
    assert_int_equal(make(&scrape, (const char *[]){ "__address__", "h:1", "__scrape_timeout__", "2s", NULL }, &target, &err), TARGET_BAD);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(groups_of_targets),
        cmocka_unit_test(dns_answers),
        cmocka_unit_test(durations),
        cmocka_unit_test(labels_to_targets),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
