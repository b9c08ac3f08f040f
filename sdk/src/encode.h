/*
 * Attribute values to OTLP bytes: measured first, then written without bounds checks. Shared by spans, logs, metrics,
 * resources and scopes. Field numbers: opentelemetry-proto 1.9, common/v1.
 */
#ifndef WEIR_SDK_ENCODE_H
#define WEIR_SDK_ENCODE_H

#include "sdk/src/text.h"

enum {
    ENCODE_MAX_DEPTH = 8,
    VALUE_STRING = 1,
    VALUE_BOOL,
    VALUE_INT,
    VALUE_DOUBLE,
    VALUE_ARRAY,
    VALUE_MAP,
    VALUE_BYTES,
};

struct encoding {
    uint32_t value_length; /* limit in characters (bytes for WEIR_BYTES) */
    uint32_t repaired;     /* counted while measuring: strings that were not UTF-8 */
};

/* Bytes of the content of an AnyValue; 0 for a value that has none (WEIR_NONE, unknown types, too deep). */
size_t encode_value_size(struct encoding *encoding, const weir_attr *attr, int depth);
uint8_t *encode_value(uint8_t *out, const struct encoding *encoding, const weir_attr *attr, int depth);

/* Bytes of the content of a KeyValue; 0 when the attribute is to be dropped: no key or no value. */
size_t encode_attribute_size(struct encoding *encoding, const weir_attr *attr);
uint8_t *encode_attribute(uint8_t *out, const struct encoding *encoding, const weir_attr *attr);

/* The bit of a key in a filter of 64. */
static inline uint64_t encode_key_bit(weir_str key)
{
    uint64_t a = 0, b = 0;

    if (key.n >= 8) {
        memcpy(&a, key.p, 8);
        memcpy(&b, key.p + key.n - 8, 8);
    } else if (key.n > 0) {
        a = (uint64_t)(uint8_t)key.p[0] | (uint64_t)(uint8_t)key.p[key.n / 2] << 8 | (uint64_t)(uint8_t)key.p[key.n - 1] << 16;
    }
    uint64_t hash = (a ^ (b << 29 | b >> 35) ^ key.n) * UINT64_C(0x9e3779b97f4a7c15);
    return UINT64_C(1) << (hash >> 58);
}

#endif
