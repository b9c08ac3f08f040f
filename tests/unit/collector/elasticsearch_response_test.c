/* Reading what Elasticsearch answers, whole and cut at every byte. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include "exporters/elasticsearch/response.h"

#include <cmocka.h>

static const char answer[] =
    "{\"took\":30,\"errors\":true,\"ingest_took\":{\"a\":[1,2,{\"items\":[]}]},\"items\":["
    "{\"create\":{\"_index\":\"i\",\"status\":201,\"_shards\":{\"total\":2}}},"
    "{\"create\":{\"status\":400,\"error\":{\"type\":\"document_parsing_exception\",\"reason\":\"failed \\\"here\\\"\","
    "\"caused_by\":{\"type\":\"number_format\",\"reason\":\"inner\"}}}} ,\n"
    "{\"index\":{\"error\":\"a mere sentence\",\"status\":429}},"
    "{\"create\":{\"status\":\"no number\"}}],\"more\":1}";

/* A copy without a byte behind it, so that a sanitizer sees every byte too many. */
static struct slice tight(struct slice text)
{
    uint8_t *copy = malloc(text.size > 0 ? text.size : 1);

    memcpy(copy, text.data, text.size);
    return slice_of(copy, text.size);
}

static bool is(struct slice text, const char *expected)
{
    return slice_equal_string(text, expected);
}

static void every_result_has_its_status_and_error(void **state)
{
    struct elastic_results results;
    struct elastic_result result;

    (void)state;
    assert_true(elastic_results_begin(&results, slice_of_string(answer)));
    assert_true(elastic_results_next(&results, &result));
    assert_int_equal(result.status, 201);
    assert_int_equal(result.error.json.size, 0);
    assert_true(elastic_results_next(&results, &result));
    assert_int_equal(result.status, 400);
    assert_true(is(result.error.type, "document_parsing_exception"));
    assert_true(is(result.error.reason, "failed \\\"here\\\""));
    assert_int_equal(result.error.json.data[0], '{');
    assert_int_equal(result.error.json.data[result.error.json.size - 1], '}');
    assert_true(elastic_results_next(&results, &result));
    assert_int_equal(result.status, 429);
    assert_true(is(result.error.reason, "a mere sentence"));
    assert_int_equal(result.error.type.size, 0);
    assert_true(elastic_results_next(&results, &result));
    assert_int_equal(result.status, 0);
    assert_false(elastic_results_next(&results, &result));
    assert_false(results.faulty);
    assert_false(elastic_results_next(&results, &result));
}

static size_t count_results(struct slice text, bool *whole)
{
    struct elastic_results results;
    struct elastic_result result;
    size_t count = 0;

    *whole = false;
    if (!elastic_results_begin(&results, text))
        return 0;
    while (elastic_results_next(&results, &result))
        count++;
    *whole = !results.faulty;
    return count;
}

static void an_answer_cut_anywhere_gives_only_whole_results(void **state)
{
    const char *list_end = strstr(answer, "],\"more\"");
    size_t before = 0;

    (void)state;
    for (size_t size = 0; size < sizeof(answer); size++) {
        struct slice text = tight(slice_of(answer, size));
        bool whole;
        size_t count = count_results(text, &whole);

        assert_true(count >= before && count <= 4);
        assert_int_equal(whole, size > (size_t)(list_end - answer));
        before = count;
        free((void *)(uintptr_t)text.data);
    }
    assert_int_equal(before, 4);
}

static void what_is_no_answer_has_no_results(void **state)
{
    static const char *const texts[] = { "", "null", "[]", "{}", "{\"items\":{}}", "{\"items\":1}", "<html>", "{\"items\"", "{\"x\":[" };
    struct elastic_results results;

    (void)state;
    for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++)
        assert_false(elastic_results_begin(&results, slice_of_string(texts[i])));
}

static void faults_within_the_list_end_it(void **state)
{
    static const struct {
        const char *text;
        size_t results;
    } cases[] = {
        { "{\"items\":[1]}", 0 },
        { "{\"items\":[{\"create\":1}]}", 0 },
        { "{\"items\":[{\"create\":{\"status\":200}}{\"create\":{\"status\":200}}]}", 1 },
        { "{\"items\":[{\"create\":{\"status\":200}},]}", 1 },
        { "{\"items\":[{\"create\":{\"status\":200,}}]}", 0 },
        { "{\"items\":[{\"create\":{\"status\" 200}}]}", 0 },
        { "{\"items\":[{\"create\":{\"error\":{\"type\":\"a\"\"reason\":1}}}]}", 0 },
    };

    (void)state;
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        bool whole;

        assert_int_equal(count_results(slice_of_string(cases[i].text), &whole), cases[i].results);
        assert_false(whole);
    }
}

static void statuses_that_are_none_are_zero(void **state)
{
    static const char *const statuses[] = { "99999999999999999999", "-1", "2e2", "20.5", "null", "{\"a\":1}", "[]", "\"200\"" };
    struct elastic_results results;
    struct elastic_result result;
    char text[100];

    (void)state;
    for (size_t i = 0; i < sizeof(statuses) / sizeof(statuses[0]); i++) {
        snprintf(text, sizeof(text), "{\"items\":[{\"create\":{\"status\":%s}}]}", statuses[i]);
        assert_true(elastic_results_begin(&results, slice_of_string(text)));
        assert_true(elastic_results_next(&results, &result));
        assert_int_equal(result.status, 0);
    }
}

static void the_error_of_a_whole_answer(void **state)
{
    struct elastic_error error =
        elastic_error_of(SLICE("{\"status\":429,\"error\":{\"root_cause\":[{}],\"type\":\"t\",\"reason\":\"r\"}}"));

    (void)state;
    assert_true(is(error.type, "t") && is(error.reason, "r"));
    error = elastic_error_of(SLICE("{\"error\":\"no handler found\",\"status\":400}"));
    assert_true(is(error.reason, "no handler found"));
    assert_int_equal(elastic_error_of(SLICE("{\"error\":{\"type\":")).json.size, 0);
    assert_int_equal(elastic_error_of(SLICE("<html>")).json.size, 0);
    assert_int_equal(elastic_error_of(SLICE("")).json.size, 0);
}

static void strings_are_found_by_their_key(void **state)
{
    static const char nodes[] =
        "{\"nodes\":{\"publish_address\":{\"http\":{\"publish_address\" : \"a:1\",\"x\":\"publish_address\"}},\"n\":[\"publish_address\"],"
        "\"o\":{\"publish_address\":\"b:2\"}}}";
    struct json_text text = { (const uint8_t *)nodes, (const uint8_t *)nodes + sizeof(nodes) - 1, NULL };
    struct slice value;

    (void)state;
    assert_true(elastic_next_string(&text, "publish_address", &value) && is(value, "a:1"));
    assert_true(elastic_next_string(&text, "publish_address", &value) && is(value, "b:2"));
    assert_false(elastic_next_string(&text, "publish_address", &value));
    for (size_t size = 0; size < sizeof(nodes); size++) {
        struct slice cut = tight(slice_of(nodes, size));

        text = (struct json_text){ cut.data, cut.data + cut.size, NULL };
        while (elastic_next_string(&text, "publish_address", &value))
            assert_true(value.size == 3);
        free((void *)(uintptr_t)cut.data);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_result_has_its_status_and_error),
        cmocka_unit_test(an_answer_cut_anywhere_gives_only_whole_results),
        cmocka_unit_test(what_is_no_answer_has_no_results),
        cmocka_unit_test(faults_within_the_list_end_it),
        cmocka_unit_test(statuses_that_are_none_are_zero),
        cmocka_unit_test(the_error_of_a_whole_answer),
        cmocka_unit_test(strings_are_found_by_their_key),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
