/*
 * JSON strings, written.
 *
 * Cost: text without escapes is looked through 16 bytes at a time and copied. Threads: none of its own; no state.
 */
#include "collector/wire/json.h"
#include "collector/wire/json_text.h"
#include "collector/wire/utf8.h"

enum { ESCAPE_ROOM = 6 };

/* A quote, a backslash or a control character. */
static void write_escaped(uint8_t c, struct buffer *out)
{
    static const char hex[] = "0123456789abcdef";
    static const char letters[0x20] = { ['\b'] = 'b', ['\f'] = 'f', ['\n'] = 'n', ['\r'] = 'r', ['\t'] = 't' };

    if (!buffer_reserve(out, ESCAPE_ROOM))
        return;
    uint8_t *at = out->data + out->size;
    *at++ = '\\';
    if (c >= 0x20) {
        *at++ = c;
    } else if (letters[c] != 0) {
        *at++ = (uint8_t)letters[c];
    } else {
        memcpy(at, "u00", 3);
        at[3] = (uint8_t)hex[c >> 4];
        at[4] = (uint8_t)hex[c & 0xf];
        at += 5;
    }
    out->size = (size_t)(at - out->data);
}

/* Everything that is not ASCII without escapes; `at` stands on the first such byte, or before it. */
static void write_rest(const uint8_t *at, const uint8_t *end, struct buffer *out)
{
    while (at < end) {
        const uint8_t *start = at;
        while (end - at >= JSON_BLOCK && json_special_bits(at) == 0)
            at += JSON_BLOCK;
        while (at < end && *at != '"' && *at != '\\' && *at >= 0x20)
            at++;
        utf8_append_repaired(out, (struct slice){ start, (size_t)(at - start) });
        if (at < end)
            write_escaped(*at++, out);
    }
}

void json_write_string(struct slice text, struct buffer *out)
{
    if (text.size == 0)
        text = SLICE("");
    const uint8_t *at = text.data;
    const uint8_t *end = at + text.size;
    if (!buffer_reserve(out, text.size + 2))
        return;
    uint8_t *to = out->data + out->size;
    *to++ = '"';
    for (; end - at >= JSON_BLOCK; at += JSON_BLOCK, to += JSON_BLOCK) {
        if ((json_special_bits(at) | utf8_high_bits(at)) != 0)
            break;
        memcpy(to, at, JSON_BLOCK);
    }
    while (at < end && *at >= 0x20 && *at < 0x80 && *at != '"' && *at != '\\')
        *to++ = *at++;
    out->size = (size_t)(to - out->data);
    if (at < end)
        write_rest(at, end, out);
    buffer_append_byte(out, '"');
}
