/*
 * Patterns: IsMatch, ExtractPatterns, and the editors that replace by pattern or by glob. Threads: the machine's.
 */
#include "collector/ottl/program.h"

static bool run_is_match(const struct ottl_call *call, struct ottl_machine *machine, struct ottl_value *value)
{
    struct ottl_regex *owned;
    const struct ottl_regex *regex;
    enum ottl_match match = OTTL_NO_MATCH;
    struct slice text;
    bool is_nil;

    if (!ottl_argument_text(call, 0, machine, &text, &is_nil))
        return false;
    regex = ottl_argument_regex(call, 1, machine, &owned);
    if (regex == NULL)
        return false;
    if (!is_nil)
        match = ottl_match(machine, regex, text, 0);
    ottl_regex_destroy(owned);
    *value = ottl_bool(match == OTTL_MATCH);
    return match != OTTL_MATCH_FAILED;
}

static bool has_names(const struct ottl_regex *regex)
{
    for (size_t i = 1; i <= ottl_regex_group_count(regex); i++) {
        if (ottl_regex_group_name(regex, i).size > 0)
            return true;
    }
    return false;
}

static bool run_extract_patterns(const struct ottl_call *call, struct ottl_machine *machine, struct ottl_value *value)
{
    struct ottl_regex *owned;
    const struct ottl_regex *regex;
    enum ottl_match match;
    struct slice text;

    if (!ottl_argument_string(call, 0, machine, &text))
        return false;
    regex = ottl_argument_regex(call, 1, machine, &owned);
    if (regex == NULL)
        return false;
    match = ottl_match(machine, regex, text, 0);
    struct buffer *work = ottl_work(machine);
    for (size_t i = 1; match == OTTL_MATCH && i <= ottl_regex_group_count(regex); i++) {
        size_t start = 0, end = 0;
        if (ottl_regex_group_name(regex, i).size == 0)
            continue;
        ottl_regex_group(machine->matcher, i, &start, &end);
        struct ottl_value part = ottl_string(slice_of(text.data + start, end - start));
        ottl_put_entry(work, ottl_regex_group_name(regex, i), &part);
    }
    ottl_regex_destroy(owned);
    return match != OTTL_MATCH_FAILED && ottl_give_map(machine, value);
}

static bool prepare_extract_patterns(struct ottl_call *call, struct arena *arena, struct error *err)
{
    (void)arena;
    return call->regex == NULL || has_names(call->regex) || fail(err, "at least 1 named capture group must be supplied in the given regex");
}

/* ---- replacing ---- */

struct replacing {
    const struct ottl_call *call;
    struct ottl_machine *machine;
    const struct ottl_regex *regex;
    struct slice replacement;
    size_t format; /* index of the argument that formats what the function gave */
};

/* The replacement of one match, through the function when there is one. */
static bool put_replacement(const struct replacing *replacing, struct slice text, struct buffer *out)
{
    struct ottl_machine *machine = replacing->machine;
    struct buffer expanded = { .data = NULL };
    struct ottl_value result = { .kind = OTTL_NIL };
    struct slice format = { NULL, 0 }, kept;

    if (replacing->call->applied == NULL) {
        ottl_regex_expand(replacing->regex, machine->matcher, text, replacing->replacement, out);
        return true;
    }
    ottl_regex_expand(replacing->regex, machine->matcher, text, replacing->replacement, &expanded);
    bool ok = !expanded.failed && ottl_keep(machine, buffer_slice(&expanded), &kept);
    buffer_fini(&expanded);
    if (!ok)
        return ottl_fail(machine, "out of memory");
    struct ottl_expression constant = { .constant = true, .value = ottl_string(kept) };
    struct ottl_call inner = *replacing->call->inner;
    inner.arguments[0] = &constant;
    if (!inner.function->evaluate(&inner, machine, &result) || !ottl_argument_string(replacing->call, replacing->format, machine, &format))
        return false;
    const uint8_t *verb = format.size > 0 ? memmem(format.data, format.size, "%s", 2) : NULL;
    size_t before = verb != NULL ? (size_t)(verb - format.data) : 0;
    buffer_append(out, format.data, before);
    ottl_put_text(out, &result);
    if (verb != NULL)
        buffer_append(out, verb + 2, format.size - before - 2);
    return true;
}

/* Where to look for the next match: behind this one, and on a character when it was empty. */
static size_t behind(struct slice text, size_t start, size_t end)
{
    size_t next = end > start ? end : end + 1;

    while (next < text.size && (text.data[next] & 0xc0) == 0x80)
        next++;
    return next;
}

/* Every match replaced; *changed when there was one. The result is in the machine's memory. */
static bool replace_matches(const struct replacing *replacing, struct slice *text, bool *changed)
{
    struct buffer out = { .limit = 64 << 20 };
    size_t from = 0, copied = 0, start, end, last = SIZE_MAX;
    enum ottl_match match = OTTL_NO_MATCH;
    bool ok = true;

    *changed = false;
    while (ok && from <= text->size && (match = ottl_match(replacing->machine, replacing->regex, *text, from)) == OTTL_MATCH) {
        ottl_regex_group(replacing->machine->matcher, 0, &start, &end);
        from = behind(*text, start, end);
        if (start == end && start == last) /* nothing, right behind a match */
            continue;
        buffer_append(&out, text->data + copied, start - copied);
        ok = put_replacement(replacing, *text, &out);
        *changed = true;
        copied = last = end;
    }
    ok = ok && match != OTTL_MATCH_FAILED;
    if (ok && *changed) {
        buffer_append(&out, text->data + copied, text->size - copied);
        ok = out.failed ? ottl_fail(replacing->machine, "out of memory") : ottl_keep(replacing->machine, buffer_slice(&out), text);
    }
    buffer_fini(&out);
    return ok;
}

static bool run_replace_pattern(const struct ottl_call *call, struct ottl_machine *machine, struct ottl_value *value)
{
    struct replacing replacing = { .call = call, .machine = machine, .format = 4 };
    struct ottl_regex *owned;
    bool changed = false, ok;

    if (!ottl_argument(call, 0, machine, value) || !ottl_argument_string(call, 2, machine, &replacing.replacement))
        return false;
    if (value->kind != OTTL_STRING)
        return true;
    replacing.regex = ottl_argument_regex(call, 1, machine, &owned);
    ok = replacing.regex != NULL && replace_matches(&replacing, &value->bytes, &changed);
    ottl_regex_destroy(owned);
    return ok && (!changed || ottl_path_set(call->arguments[0]->path, machine, value));
}

struct pair {
    struct slice key;
    struct ottl_value value;
};

/* All entries with their values, or their keys, replaced; NULL after a failure. */
static struct pair *replace_entries(const struct replacing *replacing, const struct ottl_value *map, bool keys, bool *any)
{
    struct pair *pairs = ottl_alloc(replacing->machine, (ottl_count(map) + 1) * sizeof(*pairs));
    struct ottl_cursor cursor = ottl_entries(map);
    struct ottl_entry entry;
    bool changed = false;

    *any = false;
    for (size_t i = 0; pairs != NULL && ottl_next_entry(&cursor, &entry); i++) {
        pairs[i] = (struct pair){ entry.key, entry.value };
        if (!keys && entry.value.kind != OTTL_STRING)
            continue;
        if (!replace_matches(replacing, keys ? &pairs[i].key : &pairs[i].value.bytes, &changed))
            return NULL;
        *any |= changed;
    }
    return pairs;
}

static bool run_replace_all_patterns(const struct ottl_call *call, struct ottl_machine *machine, struct ottl_value *value)
{
    struct replacing replacing = { .call = call, .machine = machine, .format = 5 };
    bool keys = slice_equal_string(call->arguments[1]->value.bytes, "key"), changed = false;
    struct ottl_regex *owned;
    struct pair *pairs;

    if (!ottl_argument_kind(call, 0, machine, OTTL_MAP, value) || !ottl_argument_string(call, 3, machine, &replacing.replacement))
        return false;
    replacing.regex = ottl_argument_regex(call, 2, machine, &owned);
    pairs = replacing.regex != NULL ? replace_entries(&replacing, value, keys, &changed) : NULL;
    ottl_regex_destroy(owned);
    if (pairs == NULL || !changed)
        return pairs != NULL;
    struct buffer *work = ottl_work(machine);
    for (size_t i = 0, count = ottl_count(value); i < count; i++)
        ottl_put_entry(work, pairs[i].key, &pairs[i].value);
    return ottl_give_map(machine, value) && ottl_path_set(call->arguments[0]->path, machine, value);
}

static bool prepare_replace_all_patterns(struct ottl_call *call, struct arena *arena, struct error *err)
{
    struct slice mode = call->arguments[1]->value.bytes;

    (void)arena;
    return slice_equal_string(mode, "key") || slice_equal_string(mode, "value") ||
           fail(err, "invalid mode \"%.*s\", must be either 'key' or 'value'", SLICE_PRINT(mode));
}

/* ---- globs: *, ?, [a-z], {a,b} is not known ---- */

/* Does the class "[...]" at the pattern's start hold c? *size: its bytes; 0: there is no end. */
static bool class_holds(struct slice pattern, uint8_t c, size_t *size)
{
    size_t i = 1;
    bool negated = i < pattern.size && (pattern.data[i] == '!' || pattern.data[i] == '^'), holds = false;

    i += negated;
    for (size_t first = i; i < pattern.size && (pattern.data[i] != ']' || i == first); i++) {
        if (i + 2 < pattern.size && pattern.data[i + 1] == '-' && pattern.data[i + 2] != ']') {
            holds = holds || (c >= pattern.data[i] && c <= pattern.data[i + 2]);
            i += 2;
        } else {
            holds = holds || c == pattern.data[i];
        }
    }
    *size = i < pattern.size ? i + 1 : 0;
    return holds != negated;
}

/* The bytes of the pattern that match c; 0: they do not. */
static size_t match_one(struct slice pattern, uint8_t c)
{
    size_t size;

    if (pattern.size == 0)
        return 0;
    if (pattern.data[0] == '?')
        return 1;
    if (pattern.data[0] == '[' && (class_holds(pattern, c, &size) || size == 0))
        return size > 0 ? size : (size_t)(c == '[');
    if (pattern.data[0] == '\\' && pattern.size > 1)
        return pattern.data[1] == c ? 2 : 0;
    return pattern.data[0] == c && c != '[' ? 1 : 0;
}

/* Goes back to the last "*" only, so that the time is bounded by the product of the sizes. */
static bool glob_matches(struct slice pattern, struct slice text)
{
    size_t p = 0, t = 0, star = SIZE_MAX, from = 0;

    while (t < text.size) {
        size_t read =
            p < pattern.size && pattern.data[p] != '*' ? match_one(slice_of(pattern.data + p, pattern.size - p), text.data[t]) : 0;
        if (read > 0) {
            p += read;
            t++;
        } else if (p < pattern.size && pattern.data[p] == '*') {
            star = p++;
            from = t;
        } else if (star != SIZE_MAX) {
            p = star + 1;
            t = ++from;
        } else {
            return false;
        }
    }
    while (p < pattern.size && pattern.data[p] == '*')
        p++;
    return p == pattern.size;
}

/* The replacement, through the function when there is one: it gets what is replaced. */
static bool glob_replacement(const struct ottl_call *call, struct ottl_machine *machine, struct slice old, struct slice *out)
{
    struct ottl_expression constant = { .constant = true, .value = ottl_string(old) };
    struct ottl_value result = { .kind = OTTL_NIL };
    struct slice format = { NULL, 0 };
    struct ottl_call inner;

    if (!ottl_argument_string(call, 2, machine, out) || call->applied == NULL)
        return call->applied == NULL;
    inner = *call->inner;
    constant.value = ottl_string(*out);
    inner.arguments[0] = &constant;
    if (!inner.function->evaluate(&inner, machine, &result) || !ottl_argument_string(call, 4, machine, &format))
        return false;
    struct buffer *work = ottl_work(machine);
    const uint8_t *verb = format.size > 0 ? memmem(format.data, format.size, "%s", 2) : NULL;
    buffer_append(work, format.data, verb != NULL ? (size_t)(verb - format.data) : 0);
    ottl_put_text(work, &result);
    if (verb != NULL)
        buffer_append(work, verb + 2, format.size - (size_t)(verb - format.data) - 2);
    return ottl_keep_work(machine, out);
}

static bool run_replace_match(const struct ottl_call *call, struct ottl_machine *machine, struct ottl_value *value)
{
    struct slice pattern, replacement;

    if (!ottl_argument(call, 0, machine, value) || !ottl_argument_string(call, 1, machine, &pattern))
        return false;
    if (value->kind != OTTL_STRING || !glob_matches(pattern, value->bytes))
        return true;
    if (!glob_replacement(call, machine, value->bytes, &replacement))
        return false;
    *value = ottl_string(replacement);
    return ottl_path_set(call->arguments[0]->path, machine, value);
}

static bool run_replace_all_matches(const struct ottl_call *call, struct ottl_machine *machine, struct ottl_value *value)
{
    struct slice pattern, replacement;
    struct ottl_entry entry;
    bool changed = false;

    if (!ottl_argument_kind(call, 0, machine, OTTL_MAP, value) || !ottl_argument_string(call, 1, machine, &pattern) ||
        !glob_replacement(call, machine, SLICE(""), &replacement))
        return false;
    struct ottl_value new_value = ottl_string(replacement);
    struct ottl_cursor cursor = ottl_entries(value);
    struct buffer *work = ottl_work(machine);
    while (ottl_next_entry(&cursor, &entry)) {
        bool matches = entry.value.kind == OTTL_STRING && glob_matches(pattern, entry.value.bytes);
        changed = changed || matches;
        if (matches)
            ottl_put_entry(work, entry.key, &new_value);
        else
            ottl_copy_entry(work, &entry);
    }
    return !changed || (ottl_give_map(machine, value) && ottl_path_set(call->arguments[0]->path, machine, value));
}

const struct ottl_function ottl_regex_functions[] = {
    { "IsMatch", "target:value,pattern:regex", run_is_match, NULL, false, false, 0 },
    { "ExtractPatterns", "target:value,pattern:regex", run_extract_patterns, prepare_extract_patterns, false, false, 0 },
    { "replace_pattern", "target:path,regex:regex,replacement:value,?function:function,?replacementFormat:value", run_replace_pattern, NULL,
        true, true, 0 },
    { "replace_all_patterns", "target:path,mode:literal,regex:regex,replacement:value,?function:function,?replacementFormat:value",
        run_replace_all_patterns, prepare_replace_all_patterns, true, true, 0 },
    { "replace_match", "target:path,pattern:value,replacement:value,?function:function,?replacementFormat:value", run_replace_match, NULL,
        true, true, 0 },
    { "replace_all_matches", "target:path,pattern:value,replacement:value,?function:function,?replacementFormat:value",
        run_replace_all_matches, NULL, true, true, 0 },
    { NULL, NULL, NULL, NULL, false, false, 0 },
};
