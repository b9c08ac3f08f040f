/*
 * JSON text, piece by piece.
 *
 * Cost: strings are scanned 16 bytes at a time, and a second time when they hold escapes or anything but ASCII. Skipping a value takes
 * no stack and no memory but one bit a level. Threads: none of its own; no state.
 */
#include "collector/wire/json_text.h"

#include "collector/wire/decimal.h"
#include "collector/wire/encoding.h"
#include "collector/wire/utf8.h"

bool json_literal(struct json_text *text, const char *word)
{
    size_t size = strlen(word);

    if ((size_t)(text->end - text->at) < size || memcmp(text->at, word, size) != 0)
        return json_fault(text, "expected a value");
    text->at += size;
    return true;
}

/* ---- strings ---- */

/* The first quote, backslash or control character; `end` when there is none. Says in *high whether non-ASCII came before it. */
static const uint8_t *find_special(const uint8_t *at, const uint8_t *end, bool *high)
{
    for (; end - at >= JSON_BLOCK; at += JSON_BLOCK) {
        uint32_t special = json_special_bits(at);
        uint32_t non_ascii = utf8_high_bits(at);
        if (special != 0) {
            unsigned first = (unsigned)__builtin_ctz(special);
            *high |= (non_ascii & ((1U << first) - 1)) != 0;
            return at + first;
        }
        *high |= non_ascii != 0;
    }
    for (; at < end && *at != '"' && *at != '\\' && *at >= 0x20; at++)
        *high |= *at >= 0x80;
    return at;
}

/* The four digits at `at`; false when they are not there, or not digits. */
static bool read_code_unit(const uint8_t *at, const uint8_t *end, uint32_t *unit)
{
    uint8_t bytes[2];

    if (end - at < 4 || !encoding_read_hex((struct slice){ at, 4 }, bytes))
        return false;
    *unit = (uint32_t)bytes[0] << 8 | bytes[1];
    return true;
}

/* What a letter behind a backslash stands for; 0 when it is none of those. */
static uint8_t escape_meaning(uint8_t letter)
{
    static const uint8_t meanings[128] = {
        ['"'] = '"',
        ['\\'] = '\\',
        ['/'] = '/',
        ['b'] = '\b',
        ['f'] = '\f',
        ['n'] = '\n',
        ['r'] = '\r',
        ['t'] = '\t',
    };

    return letter < sizeof(meanings) ? meanings[letter] : 0;
}

/* Bytes of the escape that begins with the backslash at `at`; 0 when it is none. */
static size_t escape_size(const uint8_t *at, const uint8_t *end)
{
    uint32_t unit;

    if (end - at < 2)
        return 0;
    if (at[1] == 'u')
        return read_code_unit(at + 2, end, &unit) ? 6 : 0;
    return escape_meaning(at[1]) != 0 ? 2 : 0;
}

static bool string_fault(struct json_text *text, const uint8_t *at)
{
    text->at = at;
    if (at == text->end)
        return json_fault(text, "string without an end");
    return json_fault(text, *at == '\\' ? "unknown escape in a string" : "control character in a string");
}

bool json_scan_string(struct json_text *text, struct json_string *string)
{
    const uint8_t *start = text->at + 1;
    bool high = false, escaped = false;
    const uint8_t *at = find_special(start, text->end, &high);

    while (at < text->end && *at == '\\') {
        size_t size = escape_size(at, text->end);
        if (size == 0)
            return string_fault(text, at);
        escaped = true;
        at = find_special(at + size, text->end, &high);
    }
    if (at == text->end || *at != '"')
        return string_fault(text, at);
    string->raw = (struct slice){ start, (size_t)(at - start) };
    string->is_plain = !high && !escaped;
    text->at = at + 1;
    return true;
}

static size_t encode_utf8(uint32_t code, uint8_t out[4])
{
    if (code < 0x80) {
        out[0] = (uint8_t)code;
        return 1;
    }
    if (code < 0x800) {
        out[0] = (uint8_t)(0xc0 | code >> 6);
        out[1] = (uint8_t)(0x80 | (code & 0x3f));
        return 2;
    }
    if (code < 0x10000) {
        out[0] = (uint8_t)(0xe0 | code >> 12);
        out[1] = (uint8_t)(0x80 | (code >> 6 & 0x3f));
        out[2] = (uint8_t)(0x80 | (code & 0x3f));
        return 3;
    }
    out[0] = (uint8_t)(0xf0 | code >> 18);
    out[1] = (uint8_t)(0x80 | (code >> 12 & 0x3f));
    out[2] = (uint8_t)(0x80 | (code >> 6 & 0x3f));
    out[3] = (uint8_t)(0x80 | (code & 0x3f));
    return 4;
}

/* `at` is on the backslash of a "\u"; returns the byte behind one code point. A surrogate without its other half is U+FFFD. */
static const uint8_t *unescape_unicode(const uint8_t *at, const uint8_t *end, struct buffer *out)
{
    uint32_t code = 0, low = 0;
    uint8_t encoded[4];

    read_code_unit(at + 2, end, &code);
    at += 6;
    if (code >= 0xd800 && code < 0xe000) {
        bool is_pair = code < 0xdc00 && end - at >= 6 && at[0] == '\\' && at[1] == 'u' && read_code_unit(at + 2, end, &low) &&
                       low >= 0xdc00 && low < 0xe000;
        code = is_pair ? 0x10000 + ((code & 0x3ff) << 10 | (low & 0x3ff)) : 0xfffd;
        at += is_pair ? 6 : 0;
    }
    buffer_append(out, encoded, encode_utf8(code, encoded));
    return at;
}

void json_unescape(struct slice raw, struct buffer *out)
{
    const uint8_t *at = raw.data;
    const uint8_t *end = raw.data + raw.size;

    while (at < end) {
        bool high = false;
        const uint8_t *special = find_special(at, end, &high);
        struct slice run = { at, (size_t)(special - at) };
        if (high)
            utf8_append_repaired(out, run);
        else
            buffer_append_slice(out, run);
        if (special == end)
            return;
        if (special[1] == 'u') {
            at = unescape_unicode(special, end, out);
        } else {
            buffer_append_byte(out, escape_meaning(special[1]));
            at = special + 2;
        }
    }
}

/* ---- values that nobody wants ---- */

static bool skip_string(struct json_text *text)
{
    struct json_string string;

    return json_scan_string(text, &string);
}

static bool skip_number(struct json_text *text)
{
    struct decimal decimal;

    if (!decimal_scan((struct slice){ text->at, (size_t)(text->end - text->at) }, &decimal))
        return json_fault(text, "expected a value");
    text->at += decimal.text.size;
    return true;
}

static bool skip_scalar(struct json_text *text)
{
    switch (json_peek(text)) {
    case '"':
        return skip_string(text);
    case 't':
        return json_literal(text, "true");
    case 'f':
        return json_literal(text, "false");
    case 'n':
        return json_literal(text, "null");
    default:
        return skip_number(text);
    }
}

static bool skip_key(struct json_text *text)
{
    if (json_peek(text) != '"')
        return json_fault(text, "expected a field name");
    if (!skip_string(text))
        return false;
    return json_take(text, ':') || json_fault(text, "expected \":\"");
}

/* Which of the brackets that are open are braces: one bit a level. */
struct brackets {
    uint64_t braces[(JSON_MAX_SKIPPED_DEPTH + 63) / 64];
    size_t depth;
};

static bool inside_object(const struct brackets *open)
{
    size_t level = open->depth - 1;

    return (open->braces[level / 64] >> level % 64 & 1) != 0;
}

static bool open_bracket(struct json_text *text, struct brackets *open)
{
    size_t level = open->depth;
    uint64_t bit = UINT64_C(1) << level % 64;

    if (level == JSON_MAX_SKIPPED_DEPTH)
        return json_fault(text, "nested too deeply");
    if (*text->at++ == '{')
        open->braces[level / 64] |= bit;
    else
        open->braces[level / 64] &= ~bit;
    open->depth++;
    return true;
}

/* Behind a value: closes what closes; true with `at` on the next value, or with nothing left open. */
static bool close_brackets(struct json_text *text, struct brackets *open)
{
    while (open->depth > 0) {
        bool in_object = inside_object(open);
        if (json_take(text, ','))
            return !in_object || skip_key(text);
        if (!json_take(text, in_object ? '}' : ']'))
            return json_fault(text, in_object ? "expected \",\" or \"}\"" : "expected \",\" or \"]\"");
        open->depth--;
    }
    return true;
}

bool json_skip_value(struct json_text *text)
{
    struct brackets open = { .depth = 0 };

    do {
        uint8_t next = json_peek(text);
        if (next == '{' || next == '[') {
            if (!open_bracket(text, &open))
                return false;
            if (json_peek(text) != (next == '{' ? '}' : ']')) {
                if (next == '{' && !skip_key(text))
                    return false;
                continue;
            }
        } else if (!skip_scalar(text)) {
            return false;
        }
        if (!close_brackets(text, &open))
            return false;
    } while (open.depth > 0);
    return true;
}
