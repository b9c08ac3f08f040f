/* Strings written so that a YAML or JSON reader gives them back unchanged. */
#include "collector/config/scalar.h"

#include <ctype.h>

static bool is_safe(char c)
{
    return isalnum((unsigned char)c) || c == '_' || c == '.' || c == '/' || c == '-';
}

/* Needs no quotes: begins with a letter or a slash, and reads as a string. */
static bool is_plain_word(const char *text)
{
    if (!isalpha((unsigned char)text[0]) && text[0] != '/')
        return false;
    for (const char *p = text; *p != '\0'; p++)
        if (!is_safe(*p) && !(*p == ':' && is_safe(p[1])))
            return false;
    return scalar_type_of(text) == SCALAR_STRING;
}

/* Bytes of the UTF-8 sequence at `p` and its code point; 0 when it is none. */
static size_t decode(const unsigned char *p, unsigned *code)
{
    size_t length = *p < 0x80 ? 1 : *p >= 0xc2 && *p < 0xe0 ? 2 : (*p & 0xf0) == 0xe0 ? 3 : *p >= 0xf0 && *p < 0xf5 ? 4 : 0;

    *code = length <= 1 ? *p : *p & (0xffU >> (length + 1));
    for (size_t i = 1; i < length; i++) {
        if ((p[i] & 0xc0) != 0x80)
            return 0;
        *code = *code << 6 | (p[i] & 0x3fU);
    }
    if ((length == 3 && *code < 0x800) || (*code >= 0xd800 && *code < 0xe000) || (length == 4 && *code < 0x10000) || *code > 0x10ffff)
        return 0;
    return length;
}

/* Not allowed as it stands in YAML, or read as a line break. */
static bool is_special(unsigned code)
{
    return code < 0x20 || (code >= 0x7f && code < 0xa0) || code == 0x2028 || code == 0x2029 || code == 0xfeff || code == 0xfffe ||
           code == 0xffff;
}

/* One character of a double-quoted string; returns how many bytes it took. */
static size_t write_character(struct buffer *out, const unsigned char *p)
{
    unsigned code;
    size_t length = decode(p, &code);

    if (length == 0) {
        buffer_append_string(out, "\xef\xbf\xbd");
        return 1;
    }
    if (code == '"' || code == '\\')
        buffer_printf(out, "\\%c", (int)code);
    else if (code == '\n')
        buffer_append_string(out, "\\n");
    else if (code == '\t')
        buffer_append_string(out, "\\t");
    else if (is_special(code))
        buffer_printf(out, "\\u%04x", code);
    else
        buffer_append(out, p, length);
    return length;
}

void scalar_write_string(struct buffer *out, const char *text)
{
    const unsigned char *p = (const unsigned char *)text;

    if (is_plain_word(text)) {
        buffer_append_string(out, text);
        return;
    }
    buffer_append_byte(out, '"');
    while (*p != '\0') {
        if (*p == '$')
            buffer_append_byte(out, '$');
        p += write_character(out, p);
    }
    buffer_append_byte(out, '"');
}

void scalar_write_json(struct buffer *out, const char *text)
{
    const unsigned char *p = (const unsigned char *)text;

    buffer_append_byte(out, '"');
    while (*p != '\0')
        p += write_character(out, p);
    buffer_append_byte(out, '"');
}
