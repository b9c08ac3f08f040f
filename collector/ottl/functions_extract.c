/*
 * Converters that take a text apart by known rules: grok patterns and user agents. Threads: the machine's.
 */
#include "collector/ottl/grok.h"
#include "collector/ottl/program.h"
#include "collector/ottl/user_agent.h"

/* ---- ExtractGrokPatterns(target, pattern, [namedCapturesOnly], [patternDefinitions]) ---- */

static bool run_grok(const struct ottl_call *call, struct ottl_machine *machine, struct ottl_value *value)
{
    struct slice text = { NULL, 0 };

    return ottl_argument_string(call, 0, machine, &text) && grok_match(call->data, machine, text, value);
}

/* "NAME=pattern" */
static bool read_definition(struct slice text, struct grok_pattern *pattern, struct error *err)
{
    const uint8_t *equals = text.size > 0 ? memchr(text.data, '=', text.size) : NULL;

    if (equals == NULL || equals == text.data)
        return fail(err, "patternDefinitions: expected \"NAME=pattern\", got \"%.*s\"", SLICE_PRINT(text));
    pattern->name = slice_of(text.data, (size_t)(equals - text.data));
    pattern->text = slice_of(equals + 1, text.size - pattern->name.size - 1);
    return memchr(pattern->name.data, ':', pattern->name.size) == NULL ||
           fail(err, "patternDefinitions: the name \"%.*s\" has a colon in it", SLICE_PRINT(pattern->name));
}

static bool read_definitions(const struct ottl_value *list, struct arena *arena, struct grok_options *options, struct error *err)
{
    struct ottl_cursor cursor = ottl_items(list);
    struct grok_pattern *own = arena_alloc(arena, (ottl_count(list) + 1) * sizeof(*own));
    struct ottl_value item;

    options->own = own;
    while (ottl_next_item(&cursor, &item)) {
        if (!read_definition(item.bytes, &own[options->own_count++], err))
            return false;
    }
    return true;
}

static bool prepare_grok(struct ottl_call *call, struct arena *arena, struct error *err)
{
    const struct ottl_expression *named_only = call->arguments[2], *definitions = call->arguments[3];
    struct grok_options options = { .pattern = call->arguments[1]->value.bytes };

    options.named_only = named_only != NULL && named_only->value.integer != 0;
    if (definitions != NULL && !read_definitions(&definitions->value, arena, &options, err))
        return false;
    call->data = grok_create(&options, arena, &call->owned_regex, err);
    return call->data != NULL;
}

/* ---- UserAgent(text) ---- */

static bool prepare_user_agent(struct ottl_call *call, struct arena *arena, struct error *err)
{
    (void)call;
    (void)arena;
    return ottl_user_agent_load(err);
}

static void put(struct buffer *out, const char *key, struct slice text)
{
    struct ottl_value value = ottl_string(text);

    ottl_put_entry(out, slice_of_string(key), &value);
}

static bool run_user_agent(const struct ottl_call *call, struct ottl_machine *machine, struct ottl_value *value)
{
    struct buffer name = { .data = NULL }, version = { .data = NULL };
    struct slice text = { NULL, 0 };
    bool ok;

    if (!ottl_argument_string(call, 0, machine, &text))
        return false;
    ok = ottl_user_agent_of(machine, text, &name, &version);
    struct buffer *work = ottl_work(machine);
    put(work, "user_agent.original", text);
    put(work, "user_agent.name", buffer_slice(&name));
    put(work, "user_agent.version", buffer_slice(&version));
    work->failed |= name.failed || version.failed;
    buffer_fini(&name);
    buffer_fini(&version);
    return ok && ottl_give_map(machine, value);
}

const struct ottl_function ottl_extract_functions[] = {
    { "ExtractGrokPatterns", "target:value,pattern:literal,?namedCapturesOnly:literal,?patternDefinitions:literal", run_grok, prepare_grok,
        false, false, 0 },
    { "UserAgent", "userAgent:value", run_user_agent, prepare_user_agent, false, false, 0 },
    { NULL, NULL, NULL, NULL, false, false, 0 },
};
