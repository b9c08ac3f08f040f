/*
 * weir test: runs the tests that stand beside a configuration's rules: an input through some of its processors, and what must come out.
 * Nothing is opened but the files that are named: no socket, no exporter.
 */
#include <stdio.h>
#include <stdlib.h>

#include "collector/commands.h"
#include "collector/commands/arguments.h"
#include "collector/commands/print.h"
#include "collector/commands/test.h"
#include "collector/net/loop.h"

static const char usage[] =
    "usage: weir test [--config FILE]... FILE...\n"
    "\n"
    "Runs the tests of each FILE: a configuration, or a part of one, with a list \"tests\" (docs/testing-rules.md).\n"
    "  --config FILE    a configuration whose processors and pipelines are tested; may be given several times\n"
    "\n"
    "Exit status: 0; 1 when a test failed or a file has errors; 2 when the command line is wrong.\n";

/* So that a file that holds nothing but processors and tests is a whole configuration. Nothing of it is started. */
static const char frame[] = "yaml:{receivers: {otlp/weir-test: {protocols: {http: {}}}}, exporters: {nop/weir-test: {}}, "
                            "service: {pipelines: {traces/weir-test: {receivers: [otlp/weir-test], exporters: [nop/weir-test]}}}}";

static const char *const test_keys[] = { "name", "pipeline", "processors", "input", "expected", "verdict", NULL };
static const char *const verdict_words[] = {
    [VERDICT_ACCEPTED] = "accepted", [VERDICT_RETRY] = "retry", [VERDICT_REJECTED] = "rejected", NULL
};

struct tally {
    size_t run, failed;
};

/* One test, read. */
struct test {
    const char *name;
    struct test_processors processors;
    struct test_request input, expected;
    enum verdict verdict;
};

/* ---- reading ---- */

static bool say_fault(const struct config_node *node, const char *text)
{
    fprintf(stderr, "weir test: %s:%d:%d: %s\n", node->file != NULL ? node->file : "?", node->line, node->column, text);
    return false;
}

static bool add_processor(struct test *test, const struct configuration_component *processor, const struct config_node *node)
{
    if (test->processors.count == TEST_PROCESSORS_MAX)
        return say_fault(node, "too many processors");
    test->processors.items[test->processors.count++] = processor;
    return true;
}

static bool read_processors(const struct configuration *configuration, const struct config_node *list, struct test *test)
{
    struct error err;

    if (list->kind != CONFIG_LIST)
        return say_fault(list, "processors: expected a list of their ids");
    for (const struct config_node *child = list->children; child != NULL; child = child->next) {
        const struct configuration_component *processor =
            child->kind == CONFIG_SCALAR ? configuration_find(configuration, COMPONENT_PROCESSOR, child->text) : NULL;
        if (processor == NULL) {
            fail(&err, "there is no processor \"%s\"", child->kind == CONFIG_SCALAR ? child->text : "");
            return say_fault(child, err.message);
        }
        if (!add_processor(test, processor, child))
            return false;
    }
    return true;
}

static bool read_pipeline(const struct configuration *configuration, const struct config_node *node, struct test *test)
{
    struct error err;

    for (size_t i = 0; node->kind == CONFIG_SCALAR && i < configuration->pipeline_count; i++) {
        const struct configuration_pipeline *pipeline = &configuration->pipelines[i];
        if (strcmp(pipeline->id, node->text) != 0)
            continue;
        for (size_t k = 0; k < pipeline->processors.count; k++)
            if (!add_processor(test, pipeline->processors.items[k], node))
                return false;
        return true;
    }
    fail(&err, "there is no pipeline \"%s\"", node->kind == CONFIG_SCALAR ? node->text : "");
    return say_fault(node, err.message);
}

static bool read_rules(const struct configuration *configuration, const struct config_node *node, struct test *test)
{
    const struct config_node *pipeline = config_get(node, "pipeline"), *processors = config_get(node, "processors");

    if ((pipeline == NULL) == (processors == NULL))
        return say_fault(node, "expected one of \"pipeline\" and \"processors\": what is to be tested");
    return pipeline != NULL ? read_pipeline(configuration, pipeline, test) : read_processors(configuration, processors, test);
}

static bool read_requests(const struct config_node *node, struct test *test)
{
    const struct config_node *input = config_get(node, "input"), *expected = config_get(node, "expected");
    struct error err;

    if (input == NULL)
        return say_fault(node, "the key \"input\" is missing: what goes in");
    if (!test_request_read(input, &test->input, &err) || (test->input.records == 0 && !fail(&err, "there is no record in it"))) {
        fail_within(&err, "input");
        return say_fault(input, err.message);
    }
    test->expected.signal = test->input.signal;
    if (!test_request_read(expected, &test->expected, &err)) {
        fail_within(&err, "expected");
        return say_fault(expected, err.message);
    }
    return test->expected.signal == test->input.signal || say_fault(expected, "expected: another signal than the input's");
}

static bool read_verdict(const struct config_node *node, struct test *test)
{
    const struct config_node *verdict = config_get(node, "verdict");

    test->verdict = VERDICT_ACCEPTED;
    if (verdict == NULL)
        return true;
    for (int i = 0; verdict->kind == CONFIG_SCALAR && verdict_words[i] != NULL; i++) {
        if (strcmp(verdict->text, verdict_words[i]) != 0)
            continue;
        test->verdict = (enum verdict)i;
        return true;
    }
    return say_fault(verdict, "verdict: expected accepted, retry or rejected");
}

static bool check_keys(const struct config_node *node)
{
    struct error err;

    if (node->kind != CONFIG_MAP)
        return say_fault(node, "expected a test: a map with name, pipeline or processors, input and expected");
    for (const struct config_node *child = node->children; child != NULL; child = child->next) {
        const char *const *key = test_keys;
        while (*key != NULL && strcmp(*key, child->key) != 0)
            key++;
        if (*key == NULL) {
            fail(&err, "unknown key \"%s\": a test has name, pipeline or processors, input, expected and verdict", child->key);
            return say_fault(child, err.message);
        }
    }
    return true;
}

static bool read_test(const struct configuration *configuration, const struct config_node *node, struct test *test)
{
    const struct config_node *name = check_keys(node) ? config_get(node, "name") : NULL;

    if (name == NULL || name->kind != CONFIG_SCALAR)
        return node->kind == CONFIG_MAP && config_get(node, "name") == NULL ? say_fault(node, "the key \"name\" is missing") : false;
    test->name = name->text;
    return read_rules(configuration, node, test) && read_requests(node, test) && read_verdict(node, test);
}

static void test_fini(struct test *test)
{
    buffer_fini(&test->input.wire);
    buffer_fini(&test->expected.wire);
}

/* ---- running ---- */

/* What is wrong, as lines; empty: nothing. */
static void judge(const struct test *test, const struct test_result *result, struct buffer *out)
{
    struct test_pair pair = { test->input.signal, buffer_slice(&test->expected.wire), buffer_slice(&result->wire) };

    if (result->verdict != test->verdict) {
        buffer_printf(out, "     - verdict: %s\n     + verdict: %s", verdict_words[test->verdict], verdict_words[result->verdict]);
        buffer_printf(out, result->reason != NULL ? " (%s)\n" : "\n", result->reason);
    }
    test_difference(&pair, "     ", out);
}

static bool run_test(const char *file, const struct test *test, struct buffer *out)
{
    struct test_result result = { .verdict = VERDICT_ACCEPTED };
    struct buffer problems = { 0 };
    struct error err = { "" };
    bool passed;

    if (test_run(&test->processors, &test->input, &result, &err))
        judge(test, &result, &problems);
    else
        buffer_printf(&problems, "     %s\n", err.message);
    passed = problems.size == 0;
    buffer_printf(out, "%s %s: ", passed ? "ok  " : "FAIL", file);
    print_text(out, slice_of_string(test->name), 0);
    buffer_append_byte(out, '\n');
    buffer_append_slice(out, buffer_slice(&problems));
    buffer_fini(&problems);
    buffer_fini(&result.wire);
    return passed;
}

static bool run_tests(const char *file, const struct configuration *configuration, struct tally *tally)
{
    const struct config_node *tests = config_get(configuration->tree, "tests");
    struct buffer out = { 0 };
    bool fine = true;

    if (tests == NULL || tests->kind != CONFIG_LIST || tests->children == NULL) {
        fprintf(stderr, "weir test: %s: there is no list \"tests\" in it\n", file);
        return false;
    }
    for (const struct config_node *node = tests->children; node != NULL; node = node->next) {
        struct test test = { .name = NULL };
        bool passed = read_test(configuration, node, &test) && run_test(file, &test, &out);
        tally->run++;
        tally->failed += !passed;
        fine &= passed;
        test_fini(&test);
        print_flush(&out);
    }
    buffer_fini(&out);
    return fine;
}

/* Warnings are not said: that no pipeline uses the processors, say. */
static void print_errors(const struct config_errors *errors)
{
    for (const struct config_error *error = errors->first; error != NULL; error = error->next)
        if (!error->warning)
            fprintf(stderr, "weir test: %s\n", error->text);
}

static bool test_file(const char *file, const struct command_values *configs, struct tally *tally)
{
    struct config_source sources[COMMAND_VALUES_MAX + 2] = { { frame, false } };
    struct arena arena = { 0 };
    struct config_errors errors = { .arena = &arena };
    struct configuration *configuration;
    size_t count = 1;
    bool fine;

    for (size_t i = 0; i < configs->count; i++)
        sources[count++] = (struct config_source){ configs->items[i], false };
    sources[count++] = (struct config_source){ file, false };
    configuration = configuration_load(sources, count, &errors);
    if (configuration == NULL)
        print_errors(&errors);
    fine = configuration != NULL && run_tests(file, configuration, tally);
    configuration_destroy(configuration);
    arena_fini(&arena);
    return fine;
}

int command_test(int argc, char **argv)
{
    struct command_values configs = { .count = 0 };
    const struct command_option options[] = { { "--config", NULL, NULL, &configs }, { 0 } };
    int files = command_arguments(argc, argv, options);
    struct tally tally = { 0, 0 };
    struct error err;
    bool fine = true;

    if (files <= 0) {
        fputs(usage, files == ARGUMENTS_HELP ? stdout : stderr);
        return files == ARGUMENTS_HELP ? 0 : 2;
    }
    if (!loops_start(1, &err)) {
        fprintf(stderr, "weir test: %s\n", err.message);
        return 1;
    }
    for (int i = 1; i <= files; i++)
        fine &= test_file(argv[i], &configs, &tally);
    loops_stop();
    printf("%zu %s, %zu failed\n", tally.run, tally.run == 1 ? "test" : "tests", tally.failed);
    return fine ? 0 : 1;
}
