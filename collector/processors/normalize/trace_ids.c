/*
 * Trace and span ids in attributes and texts.
 *
 * Ids are hexadecimal (128 or 64 bits; the latter are filled up with zeros in front, as B3 says) but for Datadog's, which are decimal; ids of
 * zeros are none. A text is searched for "race" and "oot=1-", which all ways to write them have; at most 16 KiB of it.
 * Cost: one pass of memmem each. Threads: none of its own; no state.
 */
#include "collector/processors/normalize/trace_ids.h"

#include "collector/wire/encoding.h"

enum { TEXT_MAX = 16 << 10, PARENT_SIZE = 55, ROOT_SIZE = 35, HITS_MAX = 32 };

enum form { FORM_NONE, FORM_TRACE, FORM_SPAN, FORM_TRACE_DECIMAL, FORM_SPAN_DECIMAL, FORM_PARENT, FORM_ROOT, FORM_B3 };

/* ---- values ---- */

static bool is_hex(uint8_t c)
{
    return (c >= '0' && c <= '9') || ((c | 0x20) >= 'a' && (c | 0x20) <= 'f');
}

static bool is_zero(const uint8_t *id, size_t size)
{
    for (size_t i = 0; i < size; i++) {
        if (id[i] != 0)
            return false;
    }
    return true;
}

/* The digits that `text` begins with, as an id of `size` bytes; fewer bytes are filled up in front. */
static bool read_hex(struct slice text, uint8_t *id, size_t size)
{
    size_t digits = 0;

    while (digits < text.size && is_hex(text.data[digits]))
        digits++;
    if (digits != 2 * size && (digits != 16 || size != 16))
        return false;
    memset(id, 0, size);
    return encoding_read_hex(slice_of(text.data, digits), id + size - digits / 2) && !is_zero(id, size);
}

/* Datadog's: 64 bits in decimal. */
static bool read_decimal(struct slice text, uint8_t id[8])
{
    uint64_t value = 0;
    size_t i = 0;

    for (; i < text.size && text.data[i] >= '0' && text.data[i] <= '9'; i++) {
        unsigned digit = (unsigned)text.data[i] - '0';
        if (i >= 20 || value > (UINT64_MAX - digit) / 10)
            return false;
        value = value * 10 + digit;
    }
    if (i < text.size && is_hex(text.data[i]))
        return false;
    for (int k = 8; k-- > 0; value >>= 8)
        id[k] = (uint8_t)value;
    return i > 0 && !is_zero(id, 8);
}

static void take_trace(struct trace_ids *ids, const uint8_t id[16])
{
    if (!ids->has_trace)
        memcpy(ids->trace, id, sizeof(ids->trace));
    ids->has_trace = true;
}

static void take_span(struct trace_ids *ids, const uint8_t id[8])
{
    if (!ids->has_span)
        memcpy(ids->span, id, sizeof(ids->span));
    ids->has_span = true;
}

/* "00-<trace>-<span>-<flags>" */
static bool take_parent(struct trace_ids *ids, struct slice text)
{
    uint8_t trace[16], span[8], flags;

    if (text.size < PARENT_SIZE || !is_hex(text.data[0]) || !is_hex(text.data[1]) || (text.data[0] == 'f' && text.data[1] == 'f') ||
        text.data[2] != '-' || text.data[35] != '-' || text.data[52] != '-' || (text.size > PARENT_SIZE && is_hex(text.data[PARENT_SIZE])))
        return false;
    if (!read_hex(slice_of(text.data + 3, 32), trace, 16) || !read_hex(slice_of(text.data + 36, 16), span, 8) ||
        !encoding_read_hex(slice_of(text.data + 53, 2), &flags))
        return false;
    if (ids->has_trace)
        return true;
    take_trace(ids, trace);
    take_span(ids, span);
    ids->flags = flags;
    ids->has_flags = true;
    return true;
}

/* "1-<8 digits>-<24 digits>", behind "Root=". */
static void take_root(struct trace_ids *ids, struct slice text)
{
    char digits[32];
    uint8_t trace[16];

    if (text.size < ROOT_SIZE || memcmp(text.data, "1-", 2) != 0 || text.data[10] != '-' ||
        (text.size > ROOT_SIZE && is_hex(text.data[ROOT_SIZE])))
        return;
    memcpy(digits, text.data + 2, 8);
    memcpy(digits + 8, text.data + 11, 24);
    if (read_hex(slice_of(digits, sizeof(digits)), trace, sizeof(trace)))
        take_trace(ids, trace);
}

static struct slice behind(struct slice text, size_t at)
{
    return at <= text.size ? slice_of(text.data + at, text.size - at) : slice_of(NULL, 0);
}

/* "<trace>-<span>-1" */
static void take_b3(struct trace_ids *ids, struct slice text)
{
    const uint8_t *dash = text.size > 0 ? memchr(text.data, '-', text.size) : NULL;
    uint8_t trace[16], span[8];

    if (dash == NULL || !read_hex(text, trace, sizeof(trace)) ||
        !read_hex(behind(text, (size_t)(dash - text.data) + 1), span, sizeof(span)))
        return;
    take_trace(ids, trace);
    take_span(ids, span);
}

/* A 128-bit Datadog id is hexadecimal in logs. */
static void take_decimal_trace(struct trace_ids *ids, struct slice text)
{
    uint8_t trace[16] = { 0 };

    if (read_hex(text, trace, 16) && text.size >= 32)
        take_trace(ids, trace);
    else if (memset(trace, 0, 8) != NULL && read_decimal(text, trace + 8))
        take_trace(ids, trace);
}

static void take(struct trace_ids *ids, enum form form, struct slice text)
{
    uint8_t id[16];
    const uint8_t *root;

    switch (form) {
    case FORM_TRACE:
        if (read_hex(text, id, 16))
            take_trace(ids, id);
        break;
    case FORM_SPAN:
        if (read_hex(text, id, 8))
            take_span(ids, id);
        break;
    case FORM_TRACE_DECIMAL:
        take_decimal_trace(ids, text);
        break;
    case FORM_SPAN_DECIMAL:
        if (read_decimal(text, id))
            take_span(ids, id);
        break;
    case FORM_PARENT:
        take_parent(ids, text);
        break;
    case FORM_ROOT:
        root = text.size > 0 ? memmem(text.data, text.size, "Root=", 5) : NULL;
        if (root != NULL)
            take_root(ids, behind(text, (size_t)(root - text.data) + 5));
        break;
    case FORM_B3:
        take_b3(ids, text);
        break;
    case FORM_NONE:
        break;
    }
}

/* ---- keys ---- */

struct key_form {
    const char *key; /* without its separators, in lower case */
    enum form form;
};

static const struct key_form key_forms[] = {
    { "traceid", FORM_TRACE },
    { "oteltraceid", FORM_TRACE },
    { "xb3traceid", FORM_TRACE },
    { "ddtraceid", FORM_TRACE_DECIMAL },
    { "traceparent", FORM_PARENT },
    { "xamzntraceid", FORM_ROOT },
    { "b3", FORM_B3 },
    { "spanid", FORM_SPAN },
    { "otelspanid", FORM_SPAN },
    { "xb3spanid", FORM_SPAN },
    { "ddspanid", FORM_SPAN_DECIMAL },
};

/* Case and separators do not count: X-B3-TraceId, x_b3_trace_id and http.request.header.x-b3-traceid's last part are the same. */
static enum form form_of(struct slice key)
{
    static const struct slice header = SLICE_INIT("http.request.header.");
    char plain[16];
    size_t size = 0;

    if (slice_starts_with(key, header))
        key = behind(key, header.size);
    for (size_t i = 0; i < key.size; i++) {
        uint8_t c = key.data[i];
        if (c == '_' || c == '-' || c == '.')
            continue;
        if (size == sizeof(plain))
            return FORM_NONE;
        plain[size++] = (char)(c >= 'A' && c <= 'Z' ? c | 0x20 : c);
    }
    for (size_t i = 0; i < sizeof(key_forms) / sizeof(key_forms[0]); i++) {
        if (slice_equal_string(slice_of(plain, size), key_forms[i].key))
            return key_forms[i].form;
    }
    return FORM_NONE;
}

/* Could it be one? The last characters tell apart nearly all that are not. */
static bool is_likely(struct slice key)
{
    uint8_t last = key.size >= 2 ? key.data[key.size - 1] | 0x20 : 0, before = key.size >= 2 ? key.data[key.size - 2] | 0x20 : 0;

    return (last == 'd' && before == 'i') || (last == 't' && before == 'n') || (last == '3' && before == 'b');
}

void trace_ids_of_attribute(struct trace_ids *ids, struct slice key, const struct otlp_value *value)
{
    uint8_t id[16] = { 0 };
    enum form form;

    if (!is_likely(key) || (form = form_of(key)) == FORM_NONE)
        return;
    if (value->kind == OTLP_VALUE_STRING) {
        take(ids, form, value->bytes);
    } else if (value->kind == OTLP_VALUE_BYTES && form == FORM_TRACE && value->bytes.size == 16 && !is_zero(value->bytes.data, 16)) {
        take_trace(ids, value->bytes.data);
    } else if (value->kind == OTLP_VALUE_BYTES && form == FORM_SPAN && value->bytes.size == 8 && !is_zero(value->bytes.data, 8)) {
        take_span(ids, value->bytes.data);
    } else if (value->kind == OTLP_VALUE_INT && value->integer != 0 && (form == FORM_TRACE_DECIMAL || form == FORM_SPAN_DECIMAL)) {
        for (int i = 0; i < 8; i++)
            id[15 - i] = (uint8_t)((uint64_t)value->integer >> 8 * i);
        if (form == FORM_TRACE_DECIMAL)
            take_trace(ids, id);
        else
            take_span(ids, id + 8);
    }
}

/* ---- texts ---- */

static bool is_key_character(uint8_t c)
{
    return (c >= '0' && c <= '9') || ((c | 0x20) >= 'a' && (c | 0x20) <= 'z') || c == '_' || c == '-' || c == '.';
}

/* What is between a key and its value: quotes, one of ":" and "=", spaces. */
static size_t skip_to_value(struct slice text, size_t at)
{
    size_t limit = at + 6 < text.size ? at + 6 : text.size;
    bool sign = false;

    for (; at < limit; at++) {
        uint8_t c = text.data[at];
        if (c == ':' || c == '=')
            sign = true;
        else if (c != '"' && c != '\'' && c != ' ' && c != '\\' && c != '[' && c != '(')
            break;
    }
    return sign ? at : text.size;
}

/* The key that the characters at `at` belong to, and its value. */
static void look_around(struct trace_ids *ids, struct slice text, size_t at)
{
    enum { KEY_MAX = 40 };
    size_t start = at, end = at;

    while (start > 0 && at - start < KEY_MAX && is_key_character(text.data[start - 1]))
        start--;
    while (end < text.size && end - at < KEY_MAX && is_key_character(text.data[end]))
        end++;
    take(ids, form_of(slice_of(text.data + start, end - start)), behind(text, skip_to_value(text, end)));
}

static void find_keys(struct trace_ids *ids, struct slice text, const char *needle, const bool *found)
{
    size_t at = 0;

    for (int hits = 0; hits < HITS_MAX && !*found && at < text.size; hits++) {
        const uint8_t *hit = memmem(text.data + at, text.size - at, needle, strlen(needle));
        if (hit == NULL)
            return;
        at = (size_t)(hit - text.data);
        look_around(ids, text, at);
        at += strlen(needle);
    }
}

static void find_root(struct trace_ids *ids, struct slice text)
{
    const uint8_t *hit = memmem(text.data, text.size, "Root=1-", 7);

    if (hit != NULL)
        take_root(ids, behind(text, (size_t)(hit - text.data) + 5));
}

/* "00-...": a traceparent that stands by itself. */
static void find_parent(struct trace_ids *ids, struct slice text)
{
    size_t at = 0;

    for (int hits = 0; hits < HITS_MAX && !ids->has_trace && at + PARENT_SIZE <= text.size; hits++) {
        const uint8_t *hit = memmem(text.data + at, text.size - at, "00-", 3);
        if (hit == NULL)
            return;
        at = (size_t)(hit - text.data);
        if (at == 0 || !is_hex(text.data[at - 1]))
            take_parent(ids, behind(text, at));
        at++;
    }
}

void trace_ids_of_text(struct trace_ids *ids, struct slice text)
{
    if (text.size > TEXT_MAX)
        text.size = TEXT_MAX;
    if (text.size < 16)
        return;
    find_keys(ids, text, "race", &ids->has_trace);
    if (!ids->has_trace)
        find_root(ids, text);
    if (!ids->has_trace)
        find_parent(ids, text);
    if (ids->has_trace && !ids->has_span)
        find_keys(ids, text, "pan", &ids->has_span);
}
