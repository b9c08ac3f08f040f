/* Text on the hot path: UTF-8 checked while it is measured, hexadecimal ids. No allocation, no locale. */
#ifndef WEIR_SDK_TEXT_H
#define WEIR_SDK_TEXT_H

#include "sdk/include/weir/value.h"

/* What a string becomes when it is recorded. */
struct text_plan {
    size_t read;    /* bytes of the source that are used */
    size_t written; /* bytes that come out: more than `read` when bad ones became U+FFFD */
};

#define TEXT_UNLIMITED UINT32_MAX

/* The slow path of text_plan: not ASCII, or to be cut. */
struct text_plan text_plan_slow(weir_str text, uint32_t limit);

/* True when all bytes are below 0x80. */
static inline bool text_is_ascii(const char *p, size_t n)
{
    uint64_t seen = 0, word;
    uint32_t a, b;

    if (__builtin_expect(n >= 8, 1)) {
        for (size_t i = 0; i < n - 8; i += 8) {
            memcpy(&word, p + i, 8);
            seen |= word;
        }
        memcpy(&word, p + n - 8, 8);
        seen |= word;
    } else if (n >= 4) {
        memcpy(&a, p, 4);
        memcpy(&b, p + n - 4, 4);
        seen = a | b;
    } else if (n > 0) {
        seen = (uint8_t)p[0] | (uint8_t)p[n / 2] | (uint8_t)p[n - 1];
    }
    return (seen & UINT64_C(0x8080808080808080)) == 0;
}

/* Cuts at `limit` characters, never inside one. */
static inline struct text_plan text_plan(weir_str text, uint32_t limit)
{
    if (text.p == NULL)
        return (struct text_plan){ 0, 0 };
    if (__builtin_expect(text.n <= limit && text_is_ascii(text.p, text.n), 1))
        return (struct text_plan){ text.n, text.n };
    return text_plan_slow(text, limit);
}

/* memcpy for texts, most of which are short: without a call up to 32 bytes. Reads and writes nothing beyond n. */
static inline void text_move(uint8_t *out, const char *p, size_t n)
{
    uint64_t a, b;

    if (__builtin_expect(n > 32, 0)) {
        memcpy(out, p, n);
    } else if (n >= 16) {
        __builtin_memcpy(out, p, 16);
        __builtin_memcpy(out + n - 16, p + n - 16, 16);
    } else if (n >= 8) {
        memcpy(&a, p, 8);
        memcpy(&b, p + n - 8, 8);
        memcpy(out, &a, 8);
        memcpy(out + n - 8, &b, 8);
    } else if (n >= 4) {
        uint32_t c, d;
        memcpy(&c, p, 4);
        memcpy(&d, p + n - 4, 4);
        memcpy(out, &c, 4);
        memcpy(out + n - 4, &d, 4);
    } else if (n > 0) {
        out[0] = (uint8_t)p[0];
        out[n / 2] = (uint8_t)p[n / 2];
        out[n - 1] = (uint8_t)p[n - 1];
    }
}

/* Writes plan.written bytes at out, returns the byte behind them. */
uint8_t *text_copy_slow(uint8_t *out, weir_str text, struct text_plan plan);

static inline uint8_t *text_copy(uint8_t *out, weir_str text, struct text_plan plan)
{
    if (__builtin_expect(plan.read != plan.written, 0))
        return text_copy_slow(out, text, plan);
    text_move(out, text.p, plan.read);
    return out + plan.read;
}

/* Lower-case digits, no NUL. */
void text_hex(char *out, const uint8_t *bytes, size_t size);

/* Reads size * 2 digits; false when one is not a digit. Upper-case digits only where `any_case`. */
bool text_unhex(uint8_t *out, const char *digits, size_t size, bool any_case);

static inline bool text_equal(weir_str a, weir_str b)
{
    return a.n == b.n && (a.n == 0 || memcmp(a.p, b.p, a.n) == 0);
}

/* ASCII letters in any case. */
bool text_equal_ignoring_case(weir_str a, weir_str b);

/* Without spaces and tabs at both ends. */
weir_str text_trim(weir_str text);

/* The part before `separator` (all of it when there is none); *rest becomes the part behind, {NULL, 0} at the end. */
weir_str text_cut(weir_str text, char separator, weir_str *rest);

/* Percent-decodes at most `size` bytes to out and returns the full decoded length. A bad escape stands for itself. */
size_t text_percent_decode(weir_str text, char *out, size_t size);

#endif
