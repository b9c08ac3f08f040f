/*
 * UTF-8, hexadecimal and percent encoding. UTF-8 is strict (RFC 3629: no surrogates, no over-long forms); each bad byte
 * becomes one U+FFFD, so output is at most three times the input. Threads: any; signal-safe.
 */
#include "sdk/src/text.h"

/* The length of the well-formed sequence that begins at p, 0 when there is none. */
static size_t sequence_length(const uint8_t *p, size_t left)
{
    uint8_t lead = p[0];
    uint8_t low = 0x80, high = 0xbf;
    size_t length;

    if (lead < 0x80)
        return 1;
    if (lead < 0xc2 || lead > 0xf4)
        return 0;
    length = lead < 0xe0 ? 2 : lead < 0xf0 ? 3 : 4;
    if (lead == 0xe0)
        low = 0xa0;
    else if (lead == 0xed)
        high = 0x9f;
    else if (lead == 0xf0)
        low = 0x90;
    else if (lead == 0xf4)
        high = 0x8f;
    if (left < length || p[1] < low || p[1] > high)
        return 0;
    for (size_t i = 2; i < length; i++) {
        if ((p[i] & 0xc0) != 0x80)
            return 0;
    }
    return length;
}

struct text_plan text_plan_slow(weir_str text, uint32_t limit)
{
    const uint8_t *p = (const uint8_t *)text.p;
    struct text_plan plan = { 0, 0 };

    for (uint32_t characters = 0; plan.read < text.n && characters < limit; characters++) {
        size_t length = sequence_length(p + plan.read, text.n - plan.read);
        plan.read += length != 0 ? length : 1;
        plan.written += length != 0 ? length : 3;
    }
    return plan;
}

uint8_t *text_copy_slow(uint8_t *out, weir_str text, struct text_plan plan)
{
    const uint8_t *p = (const uint8_t *)text.p;

    for (size_t i = 0; i < plan.read;) {
        size_t length = sequence_length(p + i, text.n - i);
        memcpy(out, length != 0 ? (const void *)(p + i) : (const void *)"\xef\xbf\xbd", length != 0 ? length : 3);
        out += length != 0 ? length : 3;
        i += length != 0 ? length : 1;
    }
    return out;
}

void text_hex(char *out, const uint8_t *bytes, size_t size)
{
    static const char digits[] = "0123456789abcdef";

    for (size_t i = 0; i < size; i++) {
        out[2 * i] = digits[bytes[i] >> 4];
        out[2 * i + 1] = digits[bytes[i] & 15];
    }
}

/* Digits' values; 0x20 marks the upper-case ones, 0x40 what is no digit. */
static const uint8_t digit_values[256] = {
#define NO4 0x40, 0x40, 0x40, 0x40
#define NO16 NO4, NO4, NO4, NO4
    NO16, NO16, NO16, 0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 0x40, 0x40, NO4, 0x40, 0x2a, 0x2b, 0x2c, 0x2d, 0x2e, 0x2f, 0x40, NO4, NO4, NO16, 0x40, 0x0a,
    0x0b, 0x0c, 0x0d, 0x0e, 0x0f, 0x40, NO4, NO4, NO16, NO16, NO16, NO16, NO16, NO16, NO16, NO16, NO16
#undef NO16
#undef NO4
};

bool text_unhex(uint8_t *out, const char *digits, size_t size, bool any_case)
{
    unsigned seen = 0;

    for (size_t i = 0; i < size; i++) {
        unsigned high = digit_values[(uint8_t)digits[2 * i]];
        unsigned low = digit_values[(uint8_t)digits[2 * i + 1]];
        seen |= high | low;
        out[i] = (uint8_t)(high << 4 | (low & 0x0f));
    }
    return (seen & (any_case ? 0x40 : 0x60)) == 0;
}

static char lower(char c)
{
    return c >= 'A' && c <= 'Z' ? (char)(c + 32) : c;
}

bool text_equal_ignoring_case(weir_str a, weir_str b)
{
    if (a.n != b.n)
        return false;
    for (size_t i = 0; i < a.n; i++) {
        if (lower(a.p[i]) != lower(b.p[i]))
            return false;
    }
    return true;
}

weir_str text_trim(weir_str text)
{
    while (text.n > 0 && (text.p[0] == ' ' || text.p[0] == '\t')) {
        text.p++;
        text.n--;
    }
    while (text.n > 0 && (text.p[text.n - 1] == ' ' || text.p[text.n - 1] == '\t'))
        text.n--;
    return text;
}

weir_str text_cut(weir_str text, char separator, weir_str *rest)
{
    const char *end = text.n != 0 ? memchr(text.p, separator, text.n) : NULL;

    *rest = (weir_str){ NULL, 0 };
    if (end == NULL)
        return text;
    size_t n = (size_t)(end - text.p);
    *rest = (weir_str){ end + 1, text.n - n - 1 };
    return (weir_str){ text.p, n };
}

size_t text_percent_decode(weir_str text, char *out, size_t size)
{
    size_t n = 0;

    for (size_t i = 0; i < text.n; n++) {
        uint8_t byte = (uint8_t)text.p[i];
        if (byte == '%' && text.n - i >= 3 && text_unhex(&byte, text.p + i + 1, 1, true))
            i += 3;
        else {
            byte = (uint8_t)text.p[i];
            i++;
        }
        if (n < size)
            out[n] = (char)byte;
    }
    return n;
}
