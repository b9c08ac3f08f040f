/* Runs statements and conditions on requests given as OTLP/JSON. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include "collector/wire/json.h"
#include "tests/unit/ottl/fixture.h"

#include <cmocka.h>

const char *const ottl_log =
    "{\"resourceLogs\":[{\"resource\":{\"attributes\":[{\"key\":\"host\",\"value\":{\"stringValue\":\"a\"}}]},\"scopeLogs\":[{\"scope\":{"
    "\"name\":\"s\"},"
    "\"logRecords\":[{\"timeUnixNano\":\"1581452772000000321\",\"severityNumber\":9,\"body\":{\"stringValue\":\"hello "
    "world\"},\"attributes\":["
    "{\"key\":\"method\",\"value\":{\"stringValue\":\"get\"}},{\"key\":\"count\",\"value\":{\"intValue\":\"7\"}},"
    "{\"key\":\"map\",\"value\":{\"kvlistValue\":{\"values\":[{\"key\":\"a\",\"value\":{\"kvlistValue\":{\"values\":["
    "{\"key\":\"b\",\"value\":{\"stringValue\":\"deep\"}}]}}}]}}},"
    "{\"key\":\"list\",\"value\":{\"arrayValue\":{\"values\":[{\"intValue\":\"3\"},{\"intValue\":\"1\"}]}}}],"
    "\"traceId\":\"0102030405060708090a0b0c0d0e0f10\",\"spanId\":\"0102030405060708\"}]}]}]}";

const char *const ottl_traces = "{\"resourceSpans\":[{\"resource\":{\"attributes\":[{\"key\":\"service.name\",\"value\":{\"stringValue\":"
                                "\"one\"}}]},\"scopeSpans\":[{\"spans\":["
                                "{\"name\":\"keep\",\"kind\":2,\"events\":[{\"name\":\"e1\"},{\"name\":\"e2\"}]},{\"name\":\"drop\","
                                "\"parentSpanId\":\"0102030405060708\"}]}]},"
                                "{\"resource\":{\"attributes\":[{\"key\":\"service.name\",\"value\":{\"stringValue\":\"two\"}}]},"
                                "\"scopeSpans\":[{\"spans\":[{\"name\":\"drop\"}]}]}]}";

const char *const ottl_metrics = "{\"resourceMetrics\":[{\"scopeMetrics\":[{\"metrics\":["
                                 "{\"name\":\"requests\",\"sum\":{\"dataPoints\":[{\"attributes\":[{\"key\":\"a\",\"value\":{"
                                 "\"stringValue\":\"1\"}}],\"asDouble\":1.5},{\"asInt\":\"4\"}],"
                                 "\"aggregationTemporality\":2,\"isMonotonic\":true}},"
                                 "{\"name\":\"latency\",\"histogram\":{\"dataPoints\":[{\"count\":\"2\",\"sum\":5,\"bucketCounts\":[\"1\","
                                 "\"1\"],\"explicitBounds\":[1]}],"
                                 "\"aggregationTemporality\":1}}]}]}]}";

static void tell(void *context, const char *statement, const char *message)
{
    struct outcome *outcome = context;

    (void)statement;
    snprintf(outcome->error, sizeof(outcome->error), "%s", message);
}

static bool add_all(struct ottl *program, const char *texts, bool conditions, struct error *err)
{
    char *copy = strdup(texts), *rest = NULL;
    bool ok = true;

    for (char *text = strtok_r(copy, "\n", &rest); ok && text != NULL; text = strtok_r(NULL, "\n", &rest))
        ok = conditions ? ottl_add_condition(program, text, err) : ottl_add_statement(program, text, err);
    free(copy);
    return ok;
}

static void run(struct outcome *result, const struct ottl_pass *pass, const char *json)
{
    struct ottl_machine *machine = ottl_machine_create(tell, result);
    struct buffer in = { .data = NULL }, out = { .data = NULL }, text = { .data = NULL };

    assert_non_null(machine);
    assert_true(json_read_request(pass->signal, slice_of_string(json), &in, NULL));
    result->outcome = ottl_rewrite(pass, machine, buffer_slice(&in), &out);
    if (result->outcome == OTTL_FAILED)
        snprintf(result->error, sizeof(result->error), "%s", ottl_machine_error(machine));
    if (result->outcome == OTTL_CHANGED && out.size > 0) {
        assert_int_equal(otlp_check(pass->signal, buffer_slice(&out)).fault, OTLP_OK);
        json_write_request(pass->signal, buffer_slice(&out), &text);
        snprintf(result->json, sizeof(result->json), "%s", buffer_string(&text));
    }
    buffer_fini(&in);
    buffer_fini(&out);
    buffer_fini(&text);
    ottl_machine_destroy(machine);
}

static struct outcome evaluate(struct ottl_pass *pass, enum ottl_context context, const char *texts, const char *json)
{
    struct outcome result = { .outcome = OTTL_FAILED, .json = "" };
    struct ottl *program = ottl_create(context, false);
    struct ottl_step step = { .program = program, .mode = OTTL_IGNORE };
    struct error err = { "" };

    pass->steps[context] = &step;
    pass->counts[context] = 1;
    if (add_all(program, texts, pass->filter, &err))
        run(&result, pass, json);
    else
        snprintf(result.error, sizeof(result.error), "%s", err.message);
    ottl_destroy(program);
    return result;
}

struct outcome ottl_transform(enum signal signal, enum ottl_context context, const char *statements, const char *json)
{
    struct ottl_pass pass = { .signal = signal };

    return evaluate(&pass, context, statements, json);
}

struct outcome ottl_filter(enum signal signal, enum ottl_context context, const char *conditions, const char *json)
{
    struct ottl_pass pass = { .signal = signal, .filter = true };

    return evaluate(&pass, context, conditions, json);
}
