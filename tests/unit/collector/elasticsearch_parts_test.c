/* The elasticsearch exporter's smaller parts: names of indices, bodies of requests, servers that take turns, dead letters, settings, templates. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "collector/registry.h"
#include "exporters/elasticsearch/dead_letters.h"
#include "exporters/elasticsearch/endpoints.h"
#include "exporters/elasticsearch/setup.h"

#include <cmocka.h>

extern const struct component_type elasticsearch_exporter;

/* ---- settings, from YAML ---- */

struct fixture {
    struct arena arena;
    struct config_errors errors;
    struct elastic_exporter *exporter;
    struct error err;
    bool fine;
};

static void fixture_init(struct fixture *fixture, const char *yaml)
{
    struct config_source source = { NULL, false };
    struct option_target target;
    struct config_node *node;

    *fixture = (struct fixture){ .fine = false };
    fixture->errors.arena = &fixture->arena;
    source.text = arena_printf(&fixture->arena, "yaml:%s", yaml);
    node = config_load(&fixture->arena, &source, 1, &fixture->errors);
    assert_non_null(node);
    fixture->exporter = calloc(1, elasticsearch_exporter.instance_size);
    target = (struct option_target){ fixture->exporter, &fixture->arena, &fixture->errors };
    assert_true(option_fill(elasticsearch_exporter.options, node, "e", &target));
    fixture->fine = elasticsearch_exporter.validate(&fixture->exporter->base, &fixture->err);
}

static void fixture_fini(struct fixture *fixture)
{
    free(fixture->exporter);
    arena_fini(&fixture->arena);
}

static void defaults_are_the_collectors(void **state)
{
    struct fixture fixture;
    const struct elastic_settings *settings;

    (void)state;
    fixture_init(&fixture, "{endpoint: \"http://h:9200\"}");
    settings = &fixture.exporter->settings;
    assert_true(fixture.fine);
    assert_int_equal(settings->mode, ELASTIC_OTEL);
    assert_int_equal(settings->delivery.queue.queue_size, 10);
    assert_true(settings->delivery.queue.block_on_overflow);
    assert_true(settings->delivery.queue.batch_present);
    assert_int_equal(settings->delivery.queue.num_consumers, 10);
    assert_int_equal(settings->delivery.queue.sizer, SIZER_REQUESTS);
    assert_int_equal(settings->delivery.queue.batch.sizer, SIZER_BYTES);
    assert_int_equal(settings->delivery.queue.batch.min_size, 1000000);
    assert_int_equal(settings->delivery.queue.batch.max_size, 5000000);
    assert_int_equal(settings->delivery.queue.batch.flush_timeout_ns, INT64_C(10000000000));
    assert_int_equal(settings->http.timeout_ns, INT64_C(90000000000));
    assert_string_equal(settings->http.compression, "gzip");
    assert_int_equal(settings->max_retries, 2);
    assert_int_equal(settings->retry_status_count, 0);
    fixture_fini(&fixture);
}

static void old_keys_count_where_new_ones_are_not_set(void **state)
{
    struct fixture fixture;
    const struct queue_settings *queue;

    (void)state;
    fixture_init(&fixture, "{endpoint: \"http://h\", num_workers: 3, flush: {bytes: 500000, interval: 3s}, retry: {max_requests: 6, "
                           "retry_on_status: [429, 500]}}");
    queue = &fixture.exporter->settings.delivery.queue;
    assert_true(fixture.fine);
    assert_int_equal(queue->num_consumers, 3);
    assert_int_equal(queue->batch.max_size, 500000);
    assert_int_equal(queue->batch.min_size, 500000);
    assert_int_equal(queue->batch.flush_timeout_ns, INT64_C(3000000000));
    assert_int_equal(fixture.exporter->settings.max_retries, 5);
    assert_int_equal(fixture.exporter->settings.retry_status_count, 2);
    assert_int_equal(fixture.exporter->settings.retry_statuses[1], 500);
    fixture_fini(&fixture);
    fixture_init(&fixture,
        "{endpoint: \"http://h\", num_workers: 3, flush: {bytes: 500000}, sending_queue: {num_consumers: 7, batch: {max_size: 2000000}}}");
    queue = &fixture.exporter->settings.delivery.queue;
    assert_int_equal(queue->num_consumers, 7);
    assert_int_equal(queue->batch.max_size, 2000000);
    assert_int_equal(fixture.exporter->settings.request_limit, 2000000);
    fixture_fini(&fixture);
    fixture_init(&fixture, "{endpoint: \"http://h\", batcher: {min_size: 100, max_size: 200}}");
    queue = &fixture.exporter->settings.delivery.queue;
    assert_true(fixture.fine && queue->batch_present);
    assert_int_equal(queue->batch.sizer, SIZER_ITEMS);
    assert_int_equal(queue->batch.max_size, 200);
    fixture_fini(&fixture);
    fixture_init(&fixture, "{endpoint: \"http://h\", batcher: {enabled: false}}");
    assert_false(fixture.exporter->settings.delivery.queue.batch_present);
    fixture_fini(&fixture);
}

static void what_can_be_switched_off_is_off(void **state)
{
    struct fixture fixture;

    (void)state;
    fixture_init(&fixture,
        "{endpoint: \"http://h\", retry: {enabled: false}, sending_queue: {batch: {enabled: false}}, require_data_stream: false}");
    assert_true(fixture.fine);
    assert_int_equal(fixture.exporter->settings.max_retries, 0);
    assert_false(fixture.exporter->settings.delivery.retry.enabled);
    assert_false(fixture.exporter->settings.delivery.queue.batch_present);
    assert_int_equal(fixture.exporter->settings.require_data_stream, ELASTIC_OFF);
    fixture_fini(&fixture);
}

static void names_of_modes(void **state)
{
    (void)state;
    assert_int_equal(elastic_mode_of(SLICE("OTel")), ELASTIC_OTEL);
    assert_int_equal(elastic_mode_of(SLICE("no")), ELASTIC_NONE);
    assert_int_equal(elastic_mode_of(SLICE("")), ELASTIC_NONE);
    assert_int_equal(elastic_mode_of(SLICE("jaeger")), ELASTIC_MODE_COUNT);
    for (size_t i = 0; i < ELASTIC_MODE_COUNT; i++)
        assert_int_equal(elastic_mode_of(slice_of_string(elastic_mode_name((enum elastic_mode)i))), i);
}

/* ---- names of indices ---- */

struct naming {
    struct elastic_settings settings;
    struct elastic_question question;
    struct elastic_hints hints;
    struct elastic_route route;
};

static struct naming naming_of(enum elastic_mode mode, enum signal signal)
{
    struct naming naming = { .question = { NULL, mode, signal, { NULL, 0 } } };

    naming.settings.logstash.prefix_separator = "-";
    naming.settings.logstash.date_format = "%Y.%m.%d";
    return naming;
}

static struct otlp_value text(const char *value)
{
    return (struct otlp_value){ .kind = OTLP_VALUE_STRING, .bytes = slice_of_string(value) };
}

static void check_name(struct naming *naming, const char *expected)
{
    naming->question.settings = &naming->settings;
    assert_true(elastic_route_find(&naming->route, &naming->question, &naming->hints));
    assert_string_equal(naming->route.index, expected);
    elastic_route_fini(&naming->route);
}

static void data_streams_are_named_by_attributes(void **state)
{
    struct naming naming = naming_of(ELASTIC_ECS, SIGNAL_TRACES);

    (void)state;
    check_name(&naming, "traces-generic-default");
    naming.hints.dataset = text("A-b/c");
    naming.hints.name_space = text("X-y#z");
    check_name(&naming, "traces-a_b_c-x-y_z");
    naming.question.mode = ELASTIC_OTEL;
    check_name(&naming, "traces-a_b_c.otel-x-y_z");
    naming.hints.dataset = (struct otlp_value){ .kind = OTLP_VALUE_INT, .integer = 42 };
    check_name(&naming, "traces-42.otel-x-y_z");
}

static void receivers_of_the_scope_are_datasets(void **state)
{
    struct naming naming = naming_of(ELASTIC_OTEL, SIGNAL_METRICS);

    (void)state;
    naming.question.scope_name =
        SLICE("github.com/open-telemetry/opentelemetry-collector-contrib/receiver/hostmetricsreceiver/internal/scraper");
    check_name(&naming, "metrics-hostmetricsreceiver.otel-default");
    naming.question.scope_name = SLICE("x/receiver/other/receiver/myreceiverx");
    check_name(&naming, "metrics-myreceiver.otel-default");
    naming.question.scope_name = SLICE("/receiver/");
    check_name(&naming, "metrics-generic.otel-default");
    naming.hints.dataset = text("own");
    check_name(&naming, "metrics-own.otel-default");
}

static void long_names_are_cut_between_characters(void **state)
{
    struct naming naming = naming_of(ELASTIC_OTEL, SIGNAL_LOGS);
    char long_name[400], expected[300];

    (void)state;
    memset(long_name, 'x', 94);
    memcpy(long_name + 94, "\xc3\xa9\xc3\xa9", 5);
    naming.hints.dataset = naming.hints.name_space = text(long_name);
    snprintf(expected, sizeof(expected), "logs-%.94s.otel-%.98s", long_name, long_name);
    check_name(&naming, expected);
}

static void indices_and_dates(void **state)
{
    struct naming naming = naming_of(ELASTIC_OTEL, SIGNAL_LOGS);

    (void)state;
    naming.hints.index = text("by-attribute");
    check_name(&naming, "by-attribute");
    naming.settings.logstash.enabled = true;
    naming.settings.logstash.prefix_separator = "_";
    naming.settings.logstash.date_format = "%%x";
    check_name(&naming, "by-attribute_%x");
    naming.settings.index[SIGNAL_LOGS] = "fixed";
    check_name(&naming, "fixed_%x");
}

static void only_bodymap_may_change_the_type(void **state)
{
    struct naming naming = naming_of(ELASTIC_BODYMAP, SIGNAL_LOGS);

    (void)state;
    naming.hints.type = text("metrics");
    check_name(&naming, "metrics-generic-default");
    naming.hints.type = text("other");
    assert_false(elastic_route_find(&naming.route, &naming.question, &naming.hints));
    elastic_route_fini(&naming.route);
    naming.question.mode = ELASTIC_ECS;
    check_name(&naming, "logs-generic-default");
}

/* ---- bodies of requests ---- */

static void add_document(
    struct elastic_bulk *bulk, const struct elastic_route *route, const char *document, const struct elastic_action *action)
{
    elastic_bulk_open(bulk, route, action);
    buffer_append_string(&bulk->text, document);
    elastic_bulk_close(bulk);
}

static void pending_documents_are_sent_from_where_they_lie(void **state)
{
    struct elastic_route route = { .index = "i" };
    struct elastic_bulk bulk = { .count = 0 };
    struct elastic_parts parts = { .count = 0 };

    (void)state;
    buffer_append_string(&route.action, "{\"create\":{\"_index\":\"i\"");
    for (int i = 0; i < 600; i++)
        add_document(&bulk, &route, "{}", &(struct elastic_action){ .id = i == 2 ? SLICE("x") : SLICE("") });
    elastic_bulk_open(&bulk, &route, &(struct elastic_action){ .id = { NULL, 0 } });
    elastic_bulk_drop(&bulk);
    assert_int_equal(bulk.count, 600);
    assert_true(elastic_bulk_parts(&bulk, 0, bulk.count, &parts));
    assert_int_equal(parts.count, 1);
    assert_int_equal(parts.items[0].size, bulk.text.size);
    for (size_t i = 1; i < 600; i += 2)
        bulk.items[i].pending = false;
    assert_int_equal(elastic_bulk_pending(&bulk, 0, 600), 300);
    assert_true(elastic_bulk_parts(&bulk, 1, 6, &parts));
    assert_int_equal(parts.count, 2);
    assert_true(slice_equal(parts.items[0], SLICE("{\"create\":{\"_index\":\"i\",\"_id\":\"x\"}}\n{}\n")));
    assert_true(bulk.items[2].has_id && !bulk.items[0].has_id);
    assert_true(slice_equal(elastic_bulk_document(&bulk, &bulk.items[4]), SLICE("{}")));
    free(parts.items);
    elastic_bulk_fini(&bulk);
    elastic_route_fini(&route);
}

static void dynamic_templates_can_be_forgotten(void **state)
{
    struct elastic_route route = { .index = "i" };
    struct elastic_bulk bulk = { .count = 0 };
    struct buffer expected = { 0 };

    (void)state;
    buffer_append_string(&route.action, "{\"create\":{\"_index\":\"i\"");
    add_document(&bulk, &route, "{\"a\":1}", &(struct elastic_action){ .templates = SLICE("{\"m\":\"}}\"}") });
    assert_true(slice_equal(
        elastic_bulk_action(&bulk, &bulk.items[0]), SLICE("{\"create\":{\"_index\":\"i\",\"dynamic_templates\":{\"m\":\"}}\"}}}")));
    assert_true(elastic_bulk_forget_templates(&bulk));
    assert_false(elastic_bulk_forget_templates(&bulk));
    buffer_printf(&expected, "{\"create\":{\"_index\":\"i\"%*s}}", (int)sizeof(",\"dynamic_templates\":{\"m\":\"}}\"}") - 1, "");
    assert_true(slice_equal(elastic_bulk_action(&bulk, &bulk.items[0]), buffer_slice(&expected)));
    assert_true(slice_equal(elastic_bulk_document(&bulk, &bulk.items[0]), SLICE("{\"a\":1}")));
    buffer_fini(&expected);
    elastic_bulk_fini(&bulk);
    elastic_route_fini(&route);
}

/* ---- servers ---- */

static struct elastic_endpoints *endpoints_of(const char *yaml)
{
    struct fixture fixture;
    struct elastic_endpoints *endpoints;

    fixture_init(&fixture, yaml);
    assert_true(fixture.fine);
    endpoints = elastic_endpoints_create(&fixture.exporter->settings, &fixture.err);
    assert_non_null(endpoints);
    fixture_fini(&fixture);
    return endpoints;
}

/* The URL of the server whose turn it is. */
static void check_turn(struct elastic_endpoints *endpoints, bool works, const char *expected)
{
    struct elastic_endpoint *endpoint = elastic_endpoints_take(endpoints);
    struct buffer url = { 0 };

    elastic_endpoint_url(endpoint, "/_bulk", SLICE("q=1"), &url);
    assert_string_equal(buffer_string(&url), expected);
    buffer_fini(&url);
    elastic_endpoints_put(endpoints, endpoint, works);
}

static void servers_take_turns_and_rest_when_they_fail(void **state)
{
    struct elastic_endpoints *endpoints = endpoints_of("{endpoints: [\"http://a:1/\", \"https://b:2/x?k=v\", \"http://c:3\"]}");

    (void)state;
    check_turn(endpoints, true, "http://a:1/_bulk?q=1");
    check_turn(endpoints, false, "https://b:2/x/_bulk?k=v&q=1");
    check_turn(endpoints, true, "http://c:3/_bulk?q=1");
    check_turn(endpoints, true, "http://a:1/_bulk?q=1");
    check_turn(endpoints, false, "http://c:3/_bulk?q=1"); /* b rests */
    check_turn(endpoints, false, "http://a:1/_bulk?q=1");
    check_turn(endpoints, true, "https://b:2/x/_bulk?k=v&q=1"); /* all rest; its time is up first */
    check_turn(endpoints, true, "https://b:2/x/_bulk?k=v&q=1");
    elastic_endpoints_destroy(endpoints);
}

static void discovered_servers_take_the_places_of_the_others(void **state)
{
    struct elastic_endpoints *endpoints = endpoints_of("{endpoint: \"http://u:p@a:1\"}");
    struct elastic_endpoint *old = elastic_endpoints_take(endpoints);

    (void)state;
    assert_false(elastic_endpoints_learn(endpoints, SLICE("{\"nodes\":{}}")));
    assert_true(elastic_endpoints_learn(endpoints, SLICE("{\"nodes\":{\"1\":{\"http\":{\"publish_address\":\"host/"
                                                         "10.0.0.1:9200\"}},\"2\":{\"http\":{\"publish_address\":\"[::1]:9201\"}},"
                                                         "\"3\":{\"http\":{\"publish_address\":\"no address at all\"}}}}")));
    elastic_endpoints_put(endpoints, old, false); /* it may be gone by now */
    assert_int_equal(elastic_endpoints_count(endpoints), 2);
    check_turn(endpoints, true, "http://u:p@10.0.0.1:9200/_bulk?q=1");
    check_turn(endpoints, true, "http://u:p@[::1]:9201/_bulk?q=1");
    elastic_endpoints_destroy(endpoints);
}

static void a_cloud_id_names_a_cluster(void **state)
{
    struct elastic_endpoints *endpoints = endpoints_of("{cloudid: \"foo:YmFyLmNsb3VkLmVzLmlvJGFiYzEyMyRkZWY0NTY=\"}");

    (void)state;
    check_turn(endpoints, true, "https://abc123.bar.cloud.es.io/_bulk?q=1");
    elastic_endpoints_destroy(endpoints);
}

static void the_environment_counts_when_nothing_is_set(void **state)
{
    struct elastic_endpoints *endpoints;

    (void)state;
    setenv("ELASTICSEARCH_URL", "http://a:1, http://b:2", 1);
    endpoints = endpoints_of("{}");
    unsetenv("ELASTICSEARCH_URL");
    check_turn(endpoints, true, "http://a:1/_bulk?q=1");
    check_turn(endpoints, true, "http://b:2/_bulk?q=1");
    elastic_endpoints_destroy(endpoints);
}

/* ---- dead letters ---- */

static void dead_letters_are_whole_lines(void **state)
{
    struct elastic_route route = { .index = "i" };
    struct elastic_bulk bulk = { .count = 0 };
    struct buffer lines = { 0 };
    char path[] = "/tmp/weir-dead-letters-XXXXXX", read_back[2000];
    struct elastic_dead_letters *letters;
    struct error err = { "" };
    FILE *file;
    size_t size;

    (void)state;
    close(mkstemp(path));
    letters = elastic_dead_letters_open(path, 700, &err);
    assert_non_null(letters);
    buffer_append_string(&route.action, "{\"create\":{\"_index\":\"i\\\"x\"");
    add_document(&bulk, &route, "{\"a\":1}", &(struct elastic_action){ .id = SLICE("7") });
    elastic_letter_write(
        &(struct elastic_letter){ "elasticsearch/2", &bulk, &bulk.items[0], 400, { SLICE("t"), SLICE("r"), SLICE("{\n\"type\":\"t\"}") } },
        &lines);
    elastic_letter_write(
        &(struct elastic_letter){ "elasticsearch/2", &bulk, &bulk.items[0], 413, { { NULL, 0 }, { NULL, 0 }, { NULL, 0 } } }, &lines);
    assert_int_equal(elastic_dead_letters_write(letters, buffer_slice(&lines), &err), ELASTIC_BURIED);
    assert_int_equal(elastic_dead_letters_write(letters, buffer_slice(&lines), &err), ELASTIC_NO_GRAVE);
    assert_non_null(strstr(err.message, "is full"));
    file = fopen(path, "r");
    size = fread(read_back, 1, sizeof(read_back), file);
    fclose(file);
    assert_true(slice_equal(slice_of(read_back, size), buffer_slice(&lines)));
    assert_non_null(
        strstr(buffer_string(&lines), ",\"exporter\":\"elasticsearch/2\",\"index\":\"i\\\"x\",\"status\":400,\"error\":{ \"type\":\"t\"},"
                                      "\"action\":{\"create\":{\"_index\":\"i\\\"x\",\"_id\":\"7\"}},\"document\":{\"a\":1}}\n"));
    assert_non_null(strstr(buffer_string(&lines), "\"status\":413,\"error\":null,"));
    elastic_dead_letters_close(letters);
    unlink(path);
    buffer_fini(&lines);
    elastic_bulk_fini(&bulk);
    elastic_route_fini(&route);
}

static void a_write_that_fails_leaves_nothing(void **state)
{
    struct error err = { "" };
    struct elastic_dead_letters *letters = elastic_dead_letters_open("/dev/full", 1000, &err);

    (void)state;
    assert_non_null(letters);
    assert_int_equal(elastic_dead_letters_write(letters, SLICE("line\n"), &err), ELASTIC_BURIAL_FAILED);
    elastic_dead_letters_close(letters);
    assert_null(elastic_dead_letters_open("/nowhere/at/all", 1000, &err));
    assert_non_null(strstr(err.message, "could not open \"/nowhere/at/all\""));
}

static void check_after_opening(const char *before, const char *after)
{
    char path[] = "/tmp/weir-dead-letters-XXXXXX", read_back[200];
    int file = mkstemp(path);
    struct error err = { "" };
    ssize_t size;

    assert_int_equal(write(file, before, strlen(before)), strlen(before));
    elastic_dead_letters_close(elastic_dead_letters_open(path, 1000, &err));
    size = pread(file, read_back, sizeof(read_back) - 1, 0);
    close(file);
    unlink(path);
    assert_true(size >= 0);
    read_back[size] = '\0';
    assert_string_equal(read_back, after);
}

static void a_letter_that_a_kill_cut_is_taken_out(void **state)
{
    (void)state;
    check_after_opening("", "");
    check_after_opening("{\"time\":1}\n", "{\"time\":1}\n");
    check_after_opening("{\"time\":1}\n{\"time\":2", "{\"time\":1}\n");
    check_after_opening("{\"time\":2", "");
    check_after_opening("{\"time\":1}\nsomebody else's", "{\"time\":1}\nsomebody else's\n");
}

/* ---- templates ---- */

static void every_variant_of_every_template_is_json(void **state)
{
    (void)state;
    for (const struct elastic_template *entry = elastic_templates; entry->name != NULL; entry++) {
        for (size_t variant = 0; variant < ELASTIC_TEMPLATE_VARIANTS; variant++) {
            struct buffer body = { 0 };
            struct json_text json;

            elastic_template_write(entry, variant, &body);
            json = (struct json_text){ body.data, body.data + body.size, NULL };
            assert_true(json_skip_value(&json));
            assert_ptr_equal(json.at, json.end);
            assert_null(strchr(buffer_string(&body), '$'));
            buffer_fini(&body);
        }
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(defaults_are_the_collectors),
        cmocka_unit_test(old_keys_count_where_new_ones_are_not_set),
        cmocka_unit_test(what_can_be_switched_off_is_off),
        cmocka_unit_test(names_of_modes),
        cmocka_unit_test(data_streams_are_named_by_attributes),
        cmocka_unit_test(receivers_of_the_scope_are_datasets),
        cmocka_unit_test(long_names_are_cut_between_characters),
        cmocka_unit_test(indices_and_dates),
        cmocka_unit_test(only_bodymap_may_change_the_type),
        cmocka_unit_test(pending_documents_are_sent_from_where_they_lie),
        cmocka_unit_test(dynamic_templates_can_be_forgotten),
        cmocka_unit_test(servers_take_turns_and_rest_when_they_fail),
        cmocka_unit_test(discovered_servers_take_the_places_of_the_others),
        cmocka_unit_test(a_cloud_id_names_a_cluster),
        cmocka_unit_test(the_environment_counts_when_nothing_is_set),
        cmocka_unit_test(dead_letters_are_whole_lines),
        cmocka_unit_test(a_write_that_fails_leaves_nothing),
        cmocka_unit_test(a_letter_that_a_kill_cut_is_taken_out),
        cmocka_unit_test(every_variant_of_every_template_is_json),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
