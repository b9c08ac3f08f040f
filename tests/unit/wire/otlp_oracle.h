/* What protobuf-c makes of a request, in forms that are easy to compare. Works on descriptors, so for all signals alike. */
#ifndef WEIR_TESTS_OTLP_ORACLE_H
#define WEIR_TESTS_OTLP_ORACLE_H

#include "tests/unit/wire/otlp_random.h"

struct message_list {
    ProtobufCMessage **items;
    size_t count;
};

/* The repeated messages of field `number`. */
static inline struct message_list oracle_list(const ProtobufCMessage *message, unsigned number)
{
    const ProtobufCFieldDescriptor *field = protobuf_c_message_descriptor_get_field(message->descriptor, number);
    struct message_list list;

    memcpy(&list.count, (const char *)message + field->quantifier_offset, sizeof(list.count));
    memcpy(&list.items, (const char *)message + field->offset, sizeof(list.items));
    return list;
}

/* Appends the packed message as it would be without its list `number`. */
static inline void oracle_pack_without(ProtobufCMessage *message, unsigned number, struct buffer *out)
{
    const ProtobufCFieldDescriptor *field = protobuf_c_message_descriptor_get_field(message->descriptor, number);
    size_t count = oracle_list(message, number).count;

    memset((char *)message + field->quantifier_offset, 0, sizeof(count));
    pack_message(message, out);
    memcpy((char *)message + field->quantifier_offset, &count, sizeof(count));
}

/* The message in a metric that holds its points; NULL when there is none. */
static inline ProtobufCMessage *oracle_metric_data(const Opentelemetry__Proto__Metrics__V1__Metric *metric)
{
    switch ((int)metric->data_case) {
    case 5:
        return &metric->gauge->base;
    case 7:
        return &metric->sum->base;
    case 9:
        return &metric->histogram->base;
    case 10:
        return &metric->exponential_histogram->base;
    case 11:
        return &metric->summary->base;
    default:
        return NULL;
    }
}

/* The list of records that one record of the skeleton stands for: itself, or a metric's points. */
static inline struct message_list oracle_points(ProtobufCMessage **record)
{
    if ((*record)->descriptor != &opentelemetry__proto__metrics__v1__metric__descriptor)
        return (struct message_list){ record, 1 };
    ProtobufCMessage *data = oracle_metric_data((const void *)*record);
    return data != NULL ? oracle_list(data, 1) : (struct message_list){ NULL, 0 };
}

static inline void oracle_pack_metric(ProtobufCMessage *record, struct buffer *out)
{
    if (record->descriptor != &opentelemetry__proto__metrics__v1__metric__descriptor)
        return;
    ProtobufCMessage *data = oracle_metric_data((const void *)record);
    const ProtobufCFieldDescriptor *field = protobuf_c_message_descriptor_get_field(data->descriptor, 1);
    size_t count = oracle_list(data, 1).count;
    memset((char *)data + field->quantifier_offset, 0, sizeof(count));
    pack_message(record, out);
    memcpy((char *)data + field->quantifier_offset, &count, sizeof(count));
}

typedef void (*oracle_visit)(void *context, ProtobufCMessage *path[4], ProtobufCMessage *point);

/* Every record, with the request, group, scope group and skeleton record that hold it. */
static inline void oracle_walk(ProtobufCMessage *request, oracle_visit visit, void *context)
{
    struct message_list groups = oracle_list(request, 1);

    for (size_t i = 0; i < groups.count; i++) {
        struct message_list scope_groups = oracle_list(groups.items[i], 2);
        for (size_t j = 0; j < scope_groups.count; j++) {
            struct message_list records = oracle_list(scope_groups.items[j], 2);
            for (size_t k = 0; k < records.count; k++) {
                struct message_list points = oracle_points(&records.items[k]);
                ProtobufCMessage *path[4] = { request, groups.items[i], scope_groups.items[j], records.items[k] };
                for (size_t l = 0; l < points.count; l++)
                    visit(context, path, points.items[l]);
            }
        }
    }
}

static inline void oracle_count_one(void *context, ProtobufCMessage *path[4], ProtobufCMessage *point)
{
    (void)path;
    (void)point;
    ++*(size_t *)context;
}

static inline size_t oracle_count(ProtobufCMessage *request)
{
    size_t count = 0;

    oracle_walk(request, oracle_count_one, &count);
    return count;
}

static inline void oracle_put_record(void *context, ProtobufCMessage *path[4], ProtobufCMessage *point)
{
    struct buffer *out = context;

    oracle_pack_without(path[0], 1, out);
    oracle_pack_without(path[1], 2, out);
    oracle_pack_without(path[2], 2, out);
    oracle_pack_metric(path[3], out);
    pack_message(point, out);
}

/* Appends all records, each with everything that it inherits: two requests are the same telemetry when these are equal. */
static inline void oracle_signature(ProtobufCMessage *request, struct buffer *out)
{
    oracle_walk(request, oracle_put_record, out);
}

#endif
