/* What decides a message's topic and key, read off a resource or a record. Cost: one scan of the fields up to the one that is asked for. */
#include "collector/wire/otlp.h"
#include "exporters/kafka/messages.h"

enum { SPAN_TRACE_ID = 1, LOG_TRACE_ID = 9, TRACE_ID_SIZE = 16 };

/* FNV-1a, 64 bits: the same in every process and version, as a key has to be. */
static uint64_t stable_hash(struct slice bytes)
{
    uint64_t hash = UINT64_C(0xcbf29ce484222325);

    for (size_t i = 0; i < bytes.size; i++)
        hash = (hash ^ bytes.data[i]) * UINT64_C(0x100000001b3);
    return hash;
}

/* The finaliser of splitmix64: spreads what FNV leaves in the low bits. */
static uint64_t mix(uint64_t x)
{
    x = (x ^ (x >> 30)) * UINT64_C(0xbf58476d1ce4e5b9);
    x = (x ^ (x >> 27)) * UINT64_C(0x94d049bb133111eb);
    return x ^ (x >> 31);
}

void kafka_resource_key(struct slice resource, uint8_t out[KAFKA_KEY_BYTES])
{
    struct otlp_attributes attributes = otlp_attributes(resource, OTLP_ATTRIBUTES_OF_RESOURCE);
    struct otlp_attribute attribute;
    uint64_t sums[2] = { 0, 0 }; /* a sum does not depend on the order */

    while (otlp_next_attribute(&attributes, &attribute)) {
        uint64_t hash = stable_hash(attribute.raw);

        sums[0] += mix(hash);
        sums[1] += mix(hash ^ UINT64_C(0x9e3779b97f4a7c15));
    }
    memcpy(out, sums, KAFKA_KEY_BYTES);
}

struct slice kafka_topic_of(struct slice resource, const char *attribute)
{
    struct otlp_value value;

    if (!otlp_find_attribute(resource, OTLP_ATTRIBUTES_OF_RESOURCE, slice_of_string(attribute), &value) ||
        value.kind != OTLP_VALUE_STRING || value.bytes.size == 0)
        return (struct slice){ NULL, 0 };
    return value.bytes;
}

struct slice kafka_trace_id(enum signal signal, struct slice record)
{
    uint32_t number = signal == SIGNAL_LOGS ? LOG_TRACE_ID : SPAN_TRACE_ID;
    struct pb_reader reader = pb_reader_of(record);
    struct pb_field field;

    while (pb_next(&reader, &field)) {
        if (field.number == number && field.type == PB_BYTES && field.bytes.size == TRACE_ID_SIZE)
            return field.bytes;
    }
    return (struct slice){ NULL, 0 };
}
