/*
 * JSON text, piece by piece: white space, literals, strings, whole values that nobody wants. Strict RFC 8259, but that
 * bytes of a string that are not UTF-8 are repaired, not refused. Internal to collector/wire.
 *
 * Whoever returns false has set `problem` and left `at` where the fault is.
 */
#ifndef WEIR_WIRE_JSON_TEXT_H
#define WEIR_WIRE_JSON_TEXT_H

#include "collector/base/buffer.h"
#include "collector/base/slice.h"

#ifdef __SSE2__
#include <emmintrin.h>
#endif

struct json_text {
    const uint8_t *at;
    const uint8_t *end;
    const char *problem; /* static: "expected \":\"" */
};

enum { JSON_MAX_SKIPPED_DEPTH = 1000, JSON_BLOCK = 16 };

/* The bytes between the quotes as they stand there; is_plain: no escapes, and ASCII only. */
struct json_string {
    struct slice raw;
    bool is_plain;
};

static inline bool json_fault(struct json_text *text, const char *problem)
{
    text->problem = problem;
    return false;
}

static inline bool json_is_space(uint8_t c)
{
    return c == ' ' || c == '\n' || c == '\r' || c == '\t';
}

static inline void json_skip_space(struct json_text *text)
{
    while (text->at < text->end && json_is_space(*text->at))
        text->at++;
}

/* The byte that comes next, white space aside; 0 at the end. */
static inline uint8_t json_peek(struct json_text *text)
{
    json_skip_space(text);
    return text->at < text->end ? *text->at : 0;
}

/* Passes over `c`, if that is what comes next. */
static inline bool json_take(struct json_text *text, char c)
{
    if (json_peek(text) != (uint8_t)c)
        return false;
    text->at++;
    return true;
}

/* One bit for each of the JSON_BLOCK bytes at `at`: quote, backslash or control character. */
static inline uint32_t json_special_bits(const uint8_t *at)
{
#ifdef __SSE2__
    __m128i block, found;

    memcpy(&block, at, sizeof(block));
    found = _mm_or_si128(_mm_cmpeq_epi8(block, _mm_set1_epi8('"')), _mm_cmpeq_epi8(block, _mm_set1_epi8('\\')));
    found = _mm_or_si128(found, _mm_cmpeq_epi8(_mm_min_epu8(block, _mm_set1_epi8(0x1f)), block));
    return (uint32_t)_mm_movemask_epi8(found);
#else
    uint32_t bits = 0;

    for (unsigned i = 0; i < JSON_BLOCK; i++)
        bits |= (uint32_t)(at[i] == '"' || at[i] == '\\' || at[i] < 0x20) << i;
    return bits;
#endif
}

/* Passes over the word, "true" say. */
bool json_literal(struct json_text *text, const char *word);

/* `at` is on the opening quote; afterwards behind the closing one. */
bool json_scan_string(struct json_text *text, struct json_string *string);

/* Appends what the raw text of a scanned string means, as UTF-8 whatever it held. */
void json_unescape(struct slice raw, struct buffer *out);

/* Passes over one value of any kind. Takes no stack; nesting beyond JSON_MAX_SKIPPED_DEPTH is a fault. */
bool json_skip_value(struct json_text *text);

#endif
