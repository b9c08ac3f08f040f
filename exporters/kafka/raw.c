/*
 * Encoding "raw": the body of each log record is a message, text and bytes as they are, all else as JSON. The record's attributes
 * are not sent. Cost: nothing but the message for text; what becomes JSON is written one behind the other into the common storage.
 */
#include "collector/wire/encoding.h"
#include "collector/wire/json.h"
#include "collector/wire/otlp.h"
#include "exporters/kafka/messages.h"

/* The storage moves while it grows: slices into it are offsets until the end. */
struct span_of_storage {
    size_t offset, size;
};

struct raw {
    struct kafka_messages *messages;
    const struct kafka_form *form;
    struct slice group; /* whose topic and key these are */
    struct slice topic;
    struct span_of_storage resource_key;
};

static struct span_of_storage store_hex(struct buffer *storage, struct slice bytes)
{
    struct span_of_storage span = { storage->size, bytes.size * 2 };

    if (buffer_reserve(storage, span.size)) {
        encoding_write_hex(bytes, (char *)storage->data + storage->size);
        storage->size += span.size;
    }
    return span;
}

/* data NULL and a size that is not 0 say: in the storage, at the offset kept in `records` until the end. */
static struct slice value_of(const struct otlp_log *log, struct buffer *storage)
{
    struct otlp_value value = otlp_value_of(log->value);

    if (value.kind == OTLP_VALUE_STRING || value.kind == OTLP_VALUE_BYTES)
        return value.bytes;
    if (value.kind == OTLP_VALUE_EMPTY)
        return (struct slice){ NULL, 0 };
    size_t offset = storage->size;
    json_write_value(log->value, storage);
    return (struct slice){ NULL, storage->size - offset };
}

static void enter_group(struct raw *raw, const struct otlp_group *group)
{
    uint8_t key[KAFKA_KEY_BYTES];

    if (group->raw.data == raw->group.data)
        return;
    raw->group = group->raw;
    if (raw->form->topic_attribute != NULL)
        raw->topic = kafka_topic_of(group->resource, raw->form->topic_attribute);
    if (raw->form->key != KAFKA_KEY_RESOURCE)
        return;
    kafka_resource_key(group->resource, key);
    raw->resource_key = store_hex(&raw->messages->storage, slice_of(key, sizeof(key)));
}

static struct span_of_storage key_of(struct raw *raw, struct slice record)
{
    struct slice trace_id;

    if (raw->form->key != KAFKA_KEY_TRACE_ID)
        return raw->resource_key;
    trace_id = kafka_trace_id(SIGNAL_LOGS, record);
    return trace_id.size > 0 ? store_hex(&raw->messages->storage, trace_id) : (struct span_of_storage){ 0, 0 };
}

/* Offsets of key and value stand in wire.size and records until resolve(). */
static void add_record(struct raw *raw, struct slice body)
{
    struct kafka_messages *messages = raw->messages;
    struct span_of_storage key = key_of(raw, body);
    size_t offset = messages->storage.size;
    struct kafka_message *message;
    struct otlp_log log;
    struct slice value;

    otlp_log_view(body, &log);
    value = value_of(&log, &messages->storage);
    if (value.size == 0) {
        messages->skipped++;
        return;
    }
    message = kafka_messages_add(messages, NULL);
    if (message == NULL)
        return;
    message->topic = raw->topic;
    message->key = key.size > 0 ? (struct slice){ NULL, key.size } : raw->form->fixed_key;
    message->value = value;
    message->wire.size = key.offset;
    message->records = offset;
}

static void resolve(struct kafka_messages *messages, const struct kafka_form *form)
{
    const uint8_t *storage = messages->storage.data;

    for (size_t i = 0; i < messages->count; i++) {
        struct kafka_message *message = &messages->items[i];

        if (message->key.data == NULL && message->key.size > 0)
            message->key.data = storage + message->wire.size;
        if (message->value.data == NULL)
            message->value.data = storage + message->records;
        message->wire = (struct slice){ NULL, 0 };
        message->records = 1;
        if (message->key.size + message->value.size > form->max_bytes)
            message->fate = KAFKA_TOO_LARGE;
    }
}

void kafka_messages_raw(struct kafka_messages *messages, const struct batch *batch, const struct kafka_form *form)
{
    struct raw raw = { .messages = messages, .form = form };

    for (size_t i = 0; i < batch->run_count && !messages->failed; i++) {
        struct otlp_walk walk = otlp_walk(batch->runs[i].bytes);

        while (!messages->failed && otlp_walk_next(&walk)) {
            enter_group(&raw, &walk.group);
            add_record(&raw, walk.record.body);
        }
    }
    messages->failed |= messages->storage.failed;
    if (!messages->failed)
        resolve(messages, form);
}
