/* UTF-8 as RFC 3629 allows it: no surrogates, nothing over-long, nothing above U+10FFFF. */
#ifndef WEIR_WIRE_UTF8_H
#define WEIR_WIRE_UTF8_H

#include "collector/base/buffer.h"
#include "collector/base/slice.h"

#ifdef __SSE2__
#include <emmintrin.h>
#endif

enum { UTF8_BLOCK = 16 };

/* One bit for each of the UTF8_BLOCK bytes at `at`, the first the lowest: set where the byte is not ASCII. */
static inline uint32_t utf8_high_bits(const uint8_t *at)
{
#ifdef __SSE2__
    __m128i block;

    memcpy(&block, at, sizeof(block));
    return (uint32_t)_mm_movemask_epi8(block);
#else
    uint32_t bits = 0;

    for (unsigned i = 0; i < UTF8_BLOCK; i++)
        bits |= (uint32_t)(at[i] >> 7) << i;
    return bits;
#endif
}

/* How many bytes from the start are valid UTF-8. */
size_t utf8_valid_prefix(struct slice text);

static inline bool utf8_is_valid(struct slice text)
{
    return utf8_valid_prefix(text) == text.size;
}

/* Appends the text, each bad byte sequence replaced by one U+FFFD. */
void utf8_append_repaired(struct buffer *out, struct slice text);

#endif
