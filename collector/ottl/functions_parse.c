/*
 * Texts to values: JSON, key=value pairs, CSV, URLs; and pairs back to text. Threads: the machine's.
 */
#include <stdlib.h>

#include "collector/ottl/program.h"
#include "collector/wire/decimal.h"
#include "collector/wire/json_text.h"

enum { KEY = 1, VALUE = 2, ITEMS = 1 };

/* ---- JSON ---- */

struct json {
    struct json_text text;
    struct buffer *out;
    unsigned depth;
};

static bool put_json_value(struct json *json);

static bool put_json_string(struct json *json, uint32_t number)
{
    struct json_string string;

    if (!json_scan_string(&json->text, &string))
        return false;
    size_t mark = pb_open(json->out, number);
    if (string.is_plain)
        buffer_append_slice(json->out, string.raw);
    else
        json_unescape(string.raw, json->out);
    pb_close(json->out, mark);
    return true;
}

static bool put_json_number(struct json *json)
{
    struct decimal decimal;
    double number;

    if (!decimal_scan(slice_of(json->text.at, (size_t)(json->text.end - json->text.at)), &decimal) || !decimal_to_double(&decimal, &number))
        return json_fault(&json->text, "expected a value");
    json->text.at += decimal.text.size;
    pb_put_double(json->out, OTTL_DOUBLE, number);
    return true;
}

/* One entry of an object, or item of an array. */
static bool put_json_member(struct json *json, bool object)
{
    bool ok = true;

    if (!object) {
        size_t item = pb_open(json->out, ITEMS);
        ok = put_json_value(json);
        pb_close(json->out, item);
        return ok;
    }
    size_t entry = pb_open(json->out, ITEMS);
    ok = json_peek(&json->text) == '"' ? put_json_string(json, KEY) : json_fault(&json->text, "expected a key in quotes");
    ok = ok && (json_take(&json->text, ':') || json_fault(&json->text, "expected \":\""));
    size_t value = pb_open(json->out, VALUE);
    ok = ok && put_json_value(json);
    pb_close(json->out, value);
    pb_close(json->out, entry);
    return ok;
}

static bool put_json_members(struct json *json, bool object)
{
    char end = object ? '}' : ']';
    bool first = true;

    if (++json->depth >= OTLP_MAX_DEPTH)
        return json_fault(&json->text, "nested too deep");
    json->text.at++;
    size_t mark = pb_open(json->out, object ? OTTL_MAP : OTTL_LIST);
    while (!json_take(&json->text, end)) {
        if (!first && !json_take(&json->text, ','))
            return json_fault(&json->text, "expected \",\" or the end of the list or object");
        if (!put_json_member(json, object))
            return false;
        first = false;
    }
    pb_close(json->out, mark);
    json->depth--;
    return true;
}

/* The content of an AnyValue. */
static bool put_json_value(struct json *json)
{
    switch (json_peek(&json->text)) {
    case '{':
        return put_json_members(json, true);
    case '[':
        return put_json_members(json, false);
    case '"':
        return put_json_string(json, OTTL_STRING);
    case 't':
        pb_put_varint(json->out, OTTL_BOOL, 1);
        return json_literal(&json->text, "true");
    case 'f':
        pb_put_varint(json->out, OTTL_BOOL, 0);
        return json_literal(&json->text, "false");
    case 'n':
        return json_literal(&json->text, "null");
    default:
        return put_json_number(json);
    }
}

static bool run_parse_json(const struct ottl_call *call, struct ottl_machine *machine, struct ottl_value *value)
{
    struct slice text, kept;

    if (!ottl_argument_string(call, 0, machine, &text))
        return false;
    struct json json = { .text = { text.data, text.data + text.size, NULL }, .out = ottl_work(machine) };
    if (!put_json_value(&json) || json_peek(&json.text) != 0 || json.text.at != json.text.end)
        return ottl_fail(machine, "could not parse JSON at %zu: %s", (size_t)(json.text.at - text.data) + 1,
            json.text.problem != NULL ? json.text.problem : "expected the end");
    if (!ottl_keep_work(machine, &kept))
        return false;
    struct otlp_value any = otlp_value_of(kept);
    *value = ottl_value_of(&any);
    return true;
}

/* ---- key=value pairs ---- */

/* The part up to the delimiter, with text in quotes whole; advances `text`. */
static bool next_part(struct slice *text, struct slice delimiter, struct slice *part)
{
    uint8_t quote = 0;

    if (text->data == NULL)
        return false;
    for (size_t i = 0; i < text->size; i++) {
        uint8_t c = text->data[i];
        if (quote == 0 && text->size - i >= delimiter.size && memcmp(text->data + i, delimiter.data, delimiter.size) == 0) {
            *part = slice_of(text->data, i);
            *text = slice_of(text->data + i + delimiter.size, text->size - i - delimiter.size);
            return true;
        }
        if (c == '\\' && quote != 0)
            i++;
        else if (c == quote)
            quote = 0;
        else if (quote == 0 && (c == '"' || c == '\''))
            quote = c;
    }
    *part = *text;
    *text = (struct slice){ NULL, 0 };
    return true;
}

static bool quotes_are_closed(struct slice text)
{
    uint8_t quote = 0;

    for (size_t i = 0; i < text.size; i++) {
        if (text.data[i] == '\\' && quote != 0)
            i++;
        else if (text.data[i] == quote)
            quote = 0;
        else if (quote == 0 && (text.data[i] == '"' || text.data[i] == '\''))
            quote = text.data[i];
    }
    return quote == 0;
}

static struct slice trimmed(struct slice text)
{
    while (text.size > 0 && strchr(" \t\r\n", text.data[0]) != NULL && text.data[0] != 0)
        text = slice_of(text.data + 1, text.size - 1);
    while (text.size > 0 && strchr(" \t\r\n", text.data[text.size - 1]) != NULL && text.data[text.size - 1] != 0)
        text.size--;
    return text;
}

static struct slice unquoted(struct slice text)
{
    bool quoted = text.size >= 2 && (text.data[0] == '"' || text.data[0] == '\'') && text.data[text.size - 1] == text.data[0];

    return quoted ? slice_of(text.data + 1, text.size - 2) : text;
}

static bool run_parse_key_value(const struct ottl_call *call, struct ottl_machine *machine, struct ottl_value *value)
{
    struct slice text, delimiter = SLICE("="), pair_delimiter = SLICE(" "), pair, key;

    if (!ottl_argument_string(call, 0, machine, &text) || !ottl_argument_string(call, 1, machine, &delimiter) ||
        !ottl_argument_string(call, 2, machine, &pair_delimiter))
        return false;
    if (text.size == 0)
        return ottl_fail(machine, "cannot parse from empty target");
    if (delimiter.size == 0 || pair_delimiter.size == 0 || slice_equal(delimiter, pair_delimiter))
        return ottl_fail(machine, "delimiter and pair delimiter must differ, and not be empty");
    if (!quotes_are_closed(text))
        return ottl_fail(machine, "could not split: never reached the end of a quoted value");
    struct buffer *work = ottl_work(machine);
    while (next_part(&text, pair_delimiter, &pair)) {
        pair = trimmed(unquoted(trimmed(pair)));
        if (pair.size == 0)
            continue;
        const uint8_t *at = memmem(pair.data, pair.size, delimiter.data, delimiter.size);
        if (at == NULL)
            return ottl_fail(machine, "cannot split \"%.*s\" into 2 items, got 1 item(s)", SLICE_PRINT(pair));
        key = slice_of(pair.data, (size_t)(at - pair.data));
        struct slice rest = slice_of(at + delimiter.size, pair.size - key.size - delimiter.size);
        struct ottl_value content = ottl_string(unquoted(trimmed(rest)));
        ottl_put_entry(work, unquoted(trimmed(key)), &content);
    }
    return ottl_give_map(machine, value);
}

static bool prepare_parse_key_value(struct ottl_call *call, struct arena *arena, struct error *err)
{
    struct slice delimiter = SLICE("="), pair = SLICE(" ");

    (void)arena;
    if ((call->arguments[1] != NULL && !call->arguments[1]->constant) || (call->arguments[2] != NULL && !call->arguments[2]->constant))
        return true;
    if (call->arguments[1] != NULL)
        delimiter = call->arguments[1]->value.bytes;
    if (call->arguments[2] != NULL)
        pair = call->arguments[2]->value.bytes;
    if (delimiter.size == 0 || pair.size == 0)
        return fail(err, "delimiter and pair delimiter must not be empty");
    return !slice_equal(delimiter, pair) || fail(err, "pair delimiter \"%.*s\" cannot be equal to delimiter", SLICE_PRINT(pair));
}

struct pair {
    struct slice key;
    struct ottl_value value;
};

static int order_of_pairs(const void *one, const void *other)
{
    const struct pair *a = one, *b = other;
    struct ottl_value left = ottl_string(a->key), right = ottl_string(b->key);

    return ottl_compare(&left, &right, OTTL_LESS) ? -1 : ottl_compare(&left, &right, OTTL_GREATER);
}

/* In quotes when it holds a delimiter or a quote. */
static void put_escaped(struct buffer *out, struct slice text, struct slice delimiter, struct slice pair_delimiter)
{
    bool has_quote = text.size > 0 && memchr(text.data, '"', text.size) != NULL;
    bool has_delimiter = text.size > 0 && (memmem(text.data, text.size, delimiter.data, delimiter.size) != NULL ||
                                              memmem(text.data, text.size, pair_delimiter.data, pair_delimiter.size) != NULL);

    if (has_quote || has_delimiter)
        buffer_append_byte(out, '"');
    for (size_t i = 0; i < text.size; i++) {
        if (text.data[i] == '"')
            buffer_append_byte(out, '\\');
        buffer_append_byte(out, text.data[i]);
    }
    if (has_quote || has_delimiter)
        buffer_append_byte(out, '"');
}

static bool run_to_key_value_string(const struct ottl_call *call, struct ottl_machine *machine, struct ottl_value *value)
{
    struct slice delimiter = SLICE("="), pair_delimiter = SLICE(" ");
    bool sorted = false;
    struct ottl_value map;
    struct ottl_entry entry;
    size_t count = 0;

    if (!ottl_argument_kind(call, 0, machine, OTTL_MAP, &map) || !ottl_argument_string(call, 1, machine, &delimiter) ||
        !ottl_argument_string(call, 2, machine, &pair_delimiter) || !ottl_argument_bool(call, 3, machine, &sorted))
        return false;
    struct pair *pairs = ottl_alloc(machine, (ottl_count(&map) + 1) * sizeof(*pairs));
    struct ottl_cursor cursor = ottl_entries(&map);
    if (pairs == NULL)
        return false;
    while (ottl_next_entry(&cursor, &entry)) {
        struct slice text;
        if (!ottl_text_of(machine, &entry.value, &text))
            return false;
        pairs[count++] = (struct pair){ entry.key, ottl_string(text) };
    }
    if (sorted)
        qsort(pairs, count, sizeof(*pairs), order_of_pairs);
    struct buffer *work = ottl_work(machine);
    for (size_t i = 0; i < count; i++) {
        if (i > 0)
            buffer_append_slice(work, pair_delimiter);
        put_escaped(work, pairs[i].key, delimiter, pair_delimiter);
        buffer_append_slice(work, delimiter);
        put_escaped(work, pairs[i].value.bytes, delimiter, pair_delimiter);
    }
    return ottl_give_string(machine, value);
}

/* ---- CSV ---- */

enum csv_mode { CSV_STRICT, CSV_LAZY_QUOTES, CSV_IGNORE_QUOTES };

/* The next cell, appended to `out` without its quotes; false when the row is malformed. */
static bool next_cell(struct slice *row, uint8_t delimiter, enum csv_mode mode, struct buffer *out)
{
    bool quoted = mode != CSV_IGNORE_QUOTES && row->size > 0 && row->data[0] == '"', open = quoted;
    size_t i = quoted;

    for (; i < row->size; i++) {
        uint8_t c = row->data[i];
        bool at_end = i + 1 == row->size || row->data[i + 1] == delimiter;
        if (open && c == '"' && i + 1 < row->size && row->data[i + 1] == '"') {
            buffer_append_byte(out, '"');
            i++;
        } else if (open && c == '"' && (mode == CSV_STRICT || at_end)) {
            open = false;
            if (!at_end)
                return false;
        } else if (!open && c == delimiter) {
            break;
        } else if (c == '"' && mode == CSV_STRICT && !quoted) {
            return false;
        } else {
            buffer_append_byte(out, c);
        }
    }
    if (open && mode == CSV_STRICT)
        return false;
    *row = i < row->size ? slice_of(row->data + i + 1, row->size - i - 1) : (struct slice){ NULL, 0 };
    return true;
}

static bool run_parse_csv(const struct ottl_call *call, struct ottl_machine *machine, struct ottl_value *value)
{
    struct slice row, header, delimiter = SLICE(","), header_delimiter, mode_name = SLICE("strict");

    if (!ottl_argument_string(call, 0, machine, &row) || !ottl_argument_string(call, 1, machine, &header) ||
        !ottl_argument_string(call, 2, machine, &delimiter))
        return false;
    header_delimiter = delimiter;
    if (!ottl_argument_string(call, 3, machine, &header_delimiter) || !ottl_argument_string(call, 4, machine, &mode_name))
        return false;
    enum csv_mode mode = slice_equal_string(mode_name, "strict")       ? CSV_STRICT
                         : slice_equal_string(mode_name, "lazyQuotes") ? CSV_LAZY_QUOTES
                                                                       : CSV_IGNORE_QUOTES;
    if (row.size == 0 || header.size == 0 || delimiter.size != 1 || header_delimiter.size != 1)
        return ottl_fail(machine, row.size == 0 ? "could not parse row: empty" : "header and delimiters of one byte are needed");
    struct buffer *work = ottl_work(machine), cell = { .data = NULL }, name = { .data = NULL };
    bool ok = true;
    while (ok && header.data != NULL && row.data != NULL) {
        buffer_clear(&cell);
        buffer_clear(&name);
        ok = next_cell(&header, header_delimiter.data[0], CSV_LAZY_QUOTES, &name) && next_cell(&row, delimiter.data[0], mode, &cell);
        struct ottl_value content = ottl_string(buffer_slice(&cell));
        ottl_put_entry(work, buffer_slice(&name), &content);
    }
    ok = ok && !cell.failed && !name.failed;
    buffer_fini(&cell);
    buffer_fini(&name);
    if (!ok)
        return ottl_fail(machine, "could not parse row: wrong quotes");
    if (header.data != NULL || row.data != NULL)
        return ottl_fail(machine, "wrong number of fields in the row");
    return ottl_give_map(machine, value);
}

static bool prepare_parse_csv(struct ottl_call *call, struct arena *arena, struct error *err)
{
    static const char *const names[] = { NULL, NULL, "delimiter", "header delimiter" };
    const struct ottl_expression *mode = call->arguments[4];

    (void)arena;
    for (size_t i = 2; i < 4; i++) {
        if (call->arguments[i] != NULL && call->arguments[i]->constant && call->arguments[i]->value.bytes.size != 1)
            return fail(err, "invalid arguments: %s must be a single character", names[i]);
    }
    return mode == NULL || !mode->constant || slice_equal_string(mode->value.bytes, "strict") ||
           slice_equal_string(mode->value.bytes, "lazyQuotes") || slice_equal_string(mode->value.bytes, "ignoreQuotes") ||
           fail(err, "unknown mode: %.*s", SLICE_PRINT(mode->value.bytes));
}

/* ---- URL ---- */

static void put_part(struct buffer *out, const char *name, struct slice part)
{
    struct ottl_value value = ottl_string(part);

    ottl_put_entry(out, slice_of_string(name), &value);
}

/* Cuts `text` at the first of `mark`; what is behind it is in *rest. */
static bool cut(struct slice *text, char mark, struct slice *rest)
{
    const uint8_t *at = text->size > 0 ? memchr(text->data, mark, text->size) : NULL;

    if (at == NULL)
        return false;
    *rest = slice_of(at + 1, (size_t)(text->data + text->size - at) - 1);
    text->size = (size_t)(at - text->data);
    return true;
}

static bool put_authority(struct buffer *out, struct slice authority)
{
    struct slice host = authority, password, port, user = authority, bracket;

    for (size_t i = authority.size; i-- > 0;) {
        if (authority.data[i] != '@')
            continue;
        user.size = i;
        host = slice_of(authority.data + i + 1, authority.size - i - 1);
        put_part(out, "url.user_info", user);
        struct slice name = user;
        bool has_password = cut(&name, ':', &password);
        put_part(out, "url.username", name);
        if (has_password)
            put_part(out, "url.password", password);
        break;
    }
    struct slice tail = host;
    if (host.size > 0 && host.data[0] == '[') {
        if (!cut(&tail, ']', &bracket))
            return false;
        host = slice_of(host.data + 1, tail.size - 1);
        tail = bracket;
        if (tail.size > 0 && tail.data[0] != ':')
            return false;
    }
    int64_t number = 0;
    if (cut(&tail, ':', &port)) {
        if (host.data == tail.data)
            host = tail;
        for (size_t i = 0; i < port.size; i++) {
            if (port.data[i] < '0' || port.data[i] > '9' || number > 65535)
                return false;
            number = number * 10 + port.data[i] - '0';
        }
    }
    put_part(out, "url.domain", host);
    if (number > 0) {
        struct ottl_value value = ottl_int(number);
        ottl_put_entry(out, SLICE("url.port"), &value);
    }
    return true;
}

static void put_path(struct buffer *out, struct slice path)
{
    put_part(out, "url.path", path);
    for (size_t i = path.size; i-- > 0 && path.data[i] != '/';) {
        if (path.data[i] == '.' && i + 1 < path.size) {
            put_part(out, "url.extension", slice_of(path.data + i + 1, path.size - i - 1));
            break;
        }
    }
}

static bool scheme_is_valid(struct slice scheme)
{
    for (size_t i = 0; i < scheme.size; i++) {
        uint8_t c = scheme.data[i];
        bool letter = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
        if (!letter && (i == 0 || !((c >= '0' && c <= '9') || c == '+' || c == '-' || c == '.')))
            return false;
    }
    return scheme.size > 0;
}

static bool run_url(const struct ottl_call *call, struct ottl_machine *machine, struct ottl_value *value)
{
    struct slice text, rest, fragment = { NULL, 0 }, query = { NULL, 0 }, scheme;

    if (!ottl_argument_string(call, 0, machine, &text))
        return false;
    if (text.size == 0)
        return ottl_fail(machine, "url cannot be empty");
    for (size_t i = 0; i < text.size; i++) {
        if (text.data[i] < 0x20 || text.data[i] == 0x7f)
            return ottl_fail(machine, "invalid control character in URL");
    }
    struct buffer *work = ottl_work(machine);
    put_part(work, "url.original", text);
    rest = text;
    cut(&rest, '#', &fragment);
    cut(&rest, '?', &query);
    scheme = rest;
    struct slice behind;
    if (cut(&scheme, ':', &behind) && memchr(scheme.data, '/', scheme.size) == NULL) {
        if (!scheme_is_valid(scheme))
            return ottl_fail(machine, "could not parse URL \"%.*s\"", SLICE_PRINT(text));
        put_part(work, "url.scheme", scheme);
        rest = behind;
    }
    if (slice_starts_with(rest, SLICE("//"))) {
        struct slice authority = slice_of(rest.data + 2, rest.size - 2), path = authority;
        bool has_path = cut(&authority, '/', &path);
        rest = has_path ? slice_of(path.data - 1, path.size + 1) : (struct slice){ NULL, 0 };
        if (!put_authority(work, authority))
            return ottl_fail(machine, "could not parse URL \"%.*s\"", SLICE_PRINT(text));
    }
    put_path(work, rest);
    if (query.size > 0)
        put_part(work, "url.query", query);
    if (fragment.size > 0)
        put_part(work, "url.fragment", fragment);
    return ottl_give_map(machine, value);
}

const struct ottl_function ottl_parse_functions[] = {
    { "ParseJSON", "target:value", run_parse_json, NULL, false, false, 0 },
    { "ParseKeyValue", "target:value,?delimiter:value,?pair_delimiter:value", run_parse_key_value, prepare_parse_key_value, false, false,
        0 },
    { "ToKeyValueString", "target:value,?delimiter:value,?pair_delimiter:value,?sort_output:value", run_to_key_value_string,
        prepare_parse_key_value, false, false, 0 },
    { "ParseCSV", "target:value,header:value,?delimiter:value,?headerDelimiter:value,?mode:value", run_parse_csv, prepare_parse_csv, false,
        false, 0 },
    { "URL", "url_string:value", run_url, NULL, false, false, 0 },
    { NULL, NULL, NULL, NULL, false, false, 0 },
};
