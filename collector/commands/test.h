/* The parts of weir test: test.c (the command and its report), test_run.c (processors), test_input.c (requests), test_lines.c (comparing). */
#ifndef WEIR_COLLECTOR_COMMANDS_TEST_H
#define WEIR_COLLECTOR_COMMANDS_TEST_H

#include "collector/batch.h"
#include "collector/configuration.h"

enum { TEST_PROCESSORS_MAX = 64 };

/* One request, or several of one signal, one behind the other. */
struct test_request {
    enum signal signal;
    struct buffer wire;
    size_t records;
};

/*
 * Reads a request that stands in the tree as OTLP/JSON written in YAML; a list of such; or a text: the path, relative to the tree's file, of a
 * file of OTLP/JSON lines (or whatever weir cat reads). A map without keys, an empty list, null and node NULL are no request. False with the
 * error.
 */
bool test_request_read(const struct config_node *node, struct test_request *request, struct error *err);

/* What to run, in order. Borrowed. */
struct test_processors {
    const struct configuration_component *items[TEST_PROCESSORS_MAX];
    size_t count;
};

/* What came of it. */
struct test_result {
    struct buffer wire; /* what came out of the last processor */
    size_t records;
    enum verdict verdict; /* the worst that the input was told */
    const char *reason;
};

/* Runs the input through fresh instances and lets them pass on what they hold. False with the error: they could not be started. */
bool test_run(const struct test_processors *processors, const struct test_request *input, struct test_result *result, struct error *err);

/* Appends the difference as lines, "- " for what was expected and "+ " for what came, each behind `indent`. False: there is none. */
struct test_pair {
    enum signal signal;
    struct slice expected, came; /* requests */
};
bool test_difference(const struct test_pair *pair, const char *indent, struct buffer *out);

#endif
