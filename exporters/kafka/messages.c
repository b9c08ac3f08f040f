/*
 * Messages without grouping, cutting what is too large, JSON and Zipkin.
 *
 * A run of a batch is a request by itself and becomes a message as it lies there when it is large; smaller ones are put together up
 * to the limit. Few large messages suit librdkafka: its idempotent producer keeps five messages of a partition under way, not five
 * requests, and while more are waiting its thread spins.
 * Cost: nothing for each record that is passed on as it came; a copy for what has to be cut or put together.
 */
#include "exporters/kafka/messages.h"

#include <stdlib.h>

#include "collector/wire/json.h"
#include "collector/wire/otlp.h"
#include "collector/wire/zipkin.h"

/* A run is small that has room in a message for SMALL_SHARE of its kind. JSON is about JSON_GROWTH times its wire form. */
enum { SMALL_SHARE = 4, JSON_GROWTH = 3, FIRST_CAPACITY = 8 };

struct kafka_message *kafka_messages_add(struct kafka_messages *messages, const struct kafka_message *like)
{
    const struct kafka_message model =
        like != NULL ? *like : (struct kafka_message){ .topic = { NULL, 0 } }; /* `like` may be one that moves */
    struct kafka_message *message;

    if (messages->count == messages->capacity) {
        size_t capacity = messages->capacity > 0 ? messages->capacity * 2 : FIRST_CAPACITY;
        struct kafka_message *items = realloc(messages->items, capacity * sizeof(*items));

        if (items == NULL) {
            messages->failed = true;
            return NULL;
        }
        messages->items = items;
        messages->capacity = capacity;
    }
    message = &messages->items[messages->count++];
    *message = (struct kafka_message){ .fate = KAFKA_PENDING, .topic = model.topic, .key = model.key, .alone = model.alone };
    return message;
}

void kafka_messages_fini(struct kafka_messages *messages)
{
    for (size_t i = 0; i < messages->count; i++) {
        buffer_fini(&messages->items[i].own_wire);
        buffer_fini(&messages->items[i].own_value);
    }
    free(messages->items);
    buffer_fini(&messages->storage);
    *messages = (struct kafka_messages){ .items = NULL };
}

/* ---- values ---- */

static void encode_zipkin(struct kafka_message *message, enum kafka_encoding encoding)
{
    struct zipkin_writer writer = { .format = encoding == KAFKA_ZIPKIN_JSON ? ZIPKIN_JSON : ZIPKIN_PROTO };

    zipkin_writer_begin(&writer, &message->own_value);
    zipkin_writer_add(&writer, message->wire, &message->own_value);
    zipkin_writer_end(&writer, &message->own_value);
    message->without_id = writer.skipped;
    zipkin_writer_fini(&writer);
}

/* Fills the value from the wire bytes. */
static void encode(struct kafka_messages *messages, struct kafka_message *message, const struct kafka_form *form)
{
    if (form->encoding == KAFKA_OTLP_PROTO) {
        message->value = message->wire;
        return;
    }
    buffer_clear(&message->own_value);
    if (form->encoding == KAFKA_OTLP_JSON)
        json_write_request(messages->signal, message->wire, &message->own_value);
    else
        encode_zipkin(message, form->encoding);
    messages->failed |= message->own_value.failed;
    message->value = buffer_slice(&message->own_value);
}

static void set_wire(struct kafka_messages *messages, size_t index, struct buffer *bytes, size_t records)
{
    struct kafka_message *message = &messages->items[index];

    buffer_fini(&message->own_wire);
    message->own_wire = *bytes;
    message->wire = buffer_slice(bytes);
    message->records = records;
    messages->failed |= bytes->failed;
}

/* Cuts off the first records within the limits; the rest becomes another message, the last. */
static bool cut(struct kafka_messages *messages, size_t index, struct otlp_split_limits limits)
{
    struct kafka_message *rest = kafka_messages_add(messages, &messages->items[index]);
    struct buffer head = { 0 }, tail = { 0 };
    size_t all = messages->items[index].records, first;

    if (rest == NULL)
        return false;
    first = otlp_split(messages->signal, messages->items[index].wire, limits, &head, &tail);
    if (first == 0 || first >= all) {
        messages->count--;
        buffer_fini(&head);
        buffer_fini(&tail);
        return false;
    }
    set_wire(messages, index, &head, first);
    set_wire(messages, messages->count - 1, &tail, all - first);
    return !messages->failed;
}

bool kafka_messages_split(struct kafka_messages *messages, size_t index, const struct kafka_form *form)
{
    size_t records = messages->items[index].records;

    if (form->encoding == KAFKA_RAW || records <= 1 || !cut(messages, index, (struct otlp_split_limits){ records / 2, 0 }))
        return false;
    encode(messages, &messages->items[index], form);
    encode(messages, &messages->items[messages->count - 1], form);
    return !messages->failed;
}

/* ---- everything within the limit ---- */

static size_t size_of(const struct kafka_message *message)
{
    return message->key.size + message->value.size;
}

/* Wire bytes that are not known to be too large for the encoding. */
static size_t wire_limit(const struct kafka_form *form, const struct kafka_message *message)
{
    size_t most = form->max_bytes > message->key.size ? form->max_bytes - message->key.size : 1;

    return form->encoding != KAFKA_OTLP_PROTO && most > JSON_GROWTH ? most / JSON_GROWTH : most;
}

/* Messages that come out of a cut stand behind the others, and are looked at in their turn. */
static void fit(struct kafka_messages *messages, const struct kafka_form *form)
{
    for (size_t i = 0; i < messages->count && !messages->failed; i++) {
        size_t most = wire_limit(form, &messages->items[i]);

        if (messages->items[i].wire.size > most)
            cut(messages, i, (struct otlp_split_limits){ 0, most });
        if (messages->failed)
            return;
        encode(messages, &messages->items[i], form);
        while (size_of(&messages->items[i]) > form->max_bytes && kafka_messages_split(messages, i, form))
            ;
        if (size_of(&messages->items[i]) > form->max_bytes)
            messages->items[i].fate = KAFKA_TOO_LARGE;
    }
}

/* ---- runs as they are ---- */

static void add_run(struct kafka_messages *messages, const struct run *run, const struct kafka_message *like)
{
    struct kafka_message *message = kafka_messages_add(messages, like);

    if (message == NULL)
        return;
    message->wire = run->bytes;
    message->records = run->records;
}

/* Appends a small run to the small ones before it; `left`: bytes from this one on. False: they are enough, or there are none. */
static bool join_run(struct kafka_messages *messages, const struct run *run, size_t most, size_t left)
{
    struct kafka_message *last = messages->count > 0 ? &messages->items[messages->count - 1] : NULL;

    if (last == NULL || run->bytes.size > most / SMALL_SHARE || last->wire.size + run->bytes.size > most ||
        (last->own_wire.size == 0 && last->wire.size > most / SMALL_SHARE))
        return false;
    if (last->own_wire.size == 0) {
        buffer_reserve(&last->own_wire, last->wire.size + left < most ? last->wire.size + left : most);
        buffer_append_slice(&last->own_wire, last->wire);
    }
    buffer_append_slice(&last->own_wire, run->bytes);
    messages->failed |= last->own_wire.failed;
    last->wire = buffer_slice(&last->own_wire);
    last->records += run->records;
    return true;
}

static void add_runs(struct kafka_messages *messages, const struct batch *batch, const struct kafka_form *form)
{
    const struct kafka_message like = { .key = form->fixed_key };
    size_t most = wire_limit(form, &like), left = batch->bytes;

    for (size_t i = 0; i < batch->run_count && !messages->failed; i++) {
        /* two requests' dictionaries of profiles do not merge */
        if (batch->signal == SIGNAL_PROFILES || !join_run(messages, &batch->runs[i], most, left))
            add_run(messages, &batch->runs[i], &like);
        left -= batch->runs[i].bytes.size;
    }
}

/* Profiles can't be grouped: the whole run goes where its first resource says. */
static void name_topics(struct kafka_messages *messages, const struct kafka_form *form)
{
    for (size_t i = 0; form->topic_attribute != NULL && i < messages->count; i++) {
        struct otlp_groups groups = otlp_groups(messages->items[i].wire);
        struct otlp_group group;

        while (messages->items[i].topic.data == NULL && otlp_next_group(&groups, &group))
            messages->items[i].topic = kafka_topic_of(group.resource, form->topic_attribute);
    }
}

bool kafka_messages_build(struct kafka_messages *messages, const struct batch *batch, const struct kafka_form *form)
{
    messages->signal = batch->signal;
    if (form->encoding == KAFKA_RAW) {
        kafka_messages_raw(messages, batch, form);
        return !messages->failed;
    }
    if (batch->signal != SIGNAL_PROFILES && (form->key != KAFKA_KEY_NONE || form->topic_attribute != NULL)) {
        kafka_messages_group(messages, batch, form);
    } else {
        add_runs(messages, batch, form);
        name_topics(messages, form);
    }
    fit(messages, form);
    return !messages->failed;
}
