/* Any text as a statement and as a condition, compiled and run on a record; and any bytes as a record under statements that use much of OTTL. */
#include <stdlib.h>

#include "collector/base/arena.h"
#include "collector/ottl/rewrite.h"
#include "collector/wire/json.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static const char record[] = "{\"resourceLogs\":[{\"resource\":{\"attributes\":[{\"key\":\"a\",\"value\":{\"stringValue\":\"b\"}}]},"
                             "\"scopeLogs\":[{\"logRecords\":[{\"body\":{\"kvlistValue\":"
                             "{\"values\":[{\"key\":\"k\",\"value\":{\"arrayValue\":{\"values\":[{\"intValue\":\"1\"},{\"stringValue\":\"x="
                             "1 y=2\"}]}}}]}},\"attributes\":[{\"key\":\"a\",\"value\":"
                             "{\"stringValue\":\"{\\\"j\\\":[1]}\"}}]}]}]}]}";

static void check(enum ottl_outcome outcome, const struct buffer *out)
{
    enum otlp_fault fault = outcome == OTTL_CHANGED ? otlp_check(SIGNAL_LOGS, buffer_slice(out)).fault : OTLP_OK;

    if (fault != OTLP_OK && fault != OTLP_BAD_UTF8 && fault != OTLP_TOO_DEEP) /* texts may be cut, maps put into one another */
        abort();
}

static void run(const struct ottl *program, bool filter, struct slice payload)
{
    struct ottl_machine *machine = ottl_machine_create(NULL, NULL);
    struct ottl_step step = { .program = program, .mode = OTTL_IGNORE };
    struct ottl_pass pass = { .signal = SIGNAL_LOGS, .filter = filter };
    struct buffer out = { .limit = 1 << 20 };

    pass.steps[OTTL_LOG] = &step;
    pass.counts[OTTL_LOG] = 1;
    check(ottl_rewrite(&pass, machine, payload, &out), &out);
    buffer_fini(&out);
    ottl_machine_destroy(machine);
}

static void run_text(const char *text, bool condition, struct slice payload)
{
    struct ottl *program = ottl_create(OTTL_LOG, false);
    struct error err = { "" };

    if (condition ? ottl_add_condition(program, text, &err) : ottl_add_statement(program, text, &err))
        run(program, condition, payload);
    else if (err.message[0] == '\0')
        abort();
    ottl_destroy(program);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static const char *const statements[] = {
        "flatten(attributes)",
        "set(body[\"a\"][0], attributes)",
        "merge_maps(attributes, body, \"upsert\")",
        "replace_all_patterns(attributes, \"key\", \"(.)x*\", \"$1$1\")",
        "set(attributes[\"p\"], ParseJSON(body))",
        "set(attributes[\"k\"], ParseKeyValue(body))",
        "append(attributes[\"l\"], String(body))",
        "truncate_all(attributes, 3)",
        "limit(attributes, 2, [])",
    };
    struct arena arena = { NULL, 0 };
    struct buffer payload = { .data = NULL };
    const char *text;

    if (size < 2 || size > 4096)
        return 0;
    text = arena_string(&arena, slice_of(data + 1, size - 1));
    if (json_read_request(SIGNAL_LOGS, slice_of_string(record), &payload, NULL) && data[0] % 2 == 0) {
        run_text(text, false, buffer_slice(&payload));
        run_text(text, true, buffer_slice(&payload));
    } else if (otlp_check(SIGNAL_LOGS, slice_of(data + 1, size - 1)).fault == OTLP_OK) {
        run_text(statements[data[0] / 2 % (sizeof(statements) / sizeof(statements[0]))], false, slice_of(data + 1, size - 1));
    }
    buffer_fini(&payload);
    arena_fini(&arena);
    return 0;
}
