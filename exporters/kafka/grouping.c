/*
 * Grouping: the records of a batch sorted into buckets, one for each topic and key, and each bucket written as one request, its
 * resource and scope headers repeated. By trace id single records move, by resource or topic whole resource groups.
 *
 * Cost: one walk, a hash look-up for each record (none while neighbours go together), and one copy of the bytes.
 * Buckets come in the order of their first record, records keep theirs. Threads: all state is in one struct on the caller's stack.
 */
#include <stdlib.h>

#include "collector/base/hash.h"
#include "collector/wire/encoding.h"
#include "collector/wire/otlp.h"
#include "exporters/kafka/messages.h"

enum { FIELD_GROUP = 1, FIELD_NESTED = 2, FIRST_SLOTS = 64, KEY_TEXT = 2 * KAFKA_KEY_BYTES };
static const uint32_t no_index = UINT32_MAX;

/* Bytes that go out as they are: a record's field, or a whole resource group's. */
struct piece {
    struct slice raw;
    uint32_t scope; /* no_index: raw is a whole resource group */
    uint32_t next;  /* of the same bucket; no_index: the last */
};

/* The fields of a resource group or scope group that are not its children: in `headers`. */
struct header {
    size_t offset, size;
    uint32_t group; /* of a scope group: the header of the resource group around it */
};

struct bucket {
    struct slice topic; /* data NULL: the signal's */
    uint8_t key[KAFKA_KEY_BYTES];
    bool has_key;
    uint32_t first, last; /* pieces */
};

/* A growing list of items of one size. */
struct list {
    uint8_t *items;
    size_t count, capacity;
};

struct grouping {
    struct kafka_messages *messages;
    const struct kafka_form *form;
    struct list pieces, groups, scopes, buckets;
    struct buffer headers;
    struct buffer others; /* fields of the requests that are no resource groups: they stand in every message */
    uint32_t *slots;      /* hash table of bucket + 1 */
    size_t slot_count;
    uint32_t recent; /* the bucket of the record before */
    bool failed;
};

static void *list_add(struct grouping *self, struct list *list, size_t size)
{
    if (list->count == list->capacity) {
        size_t capacity = list->capacity > 0 ? list->capacity * 2 : 64;
        uint8_t *items = capacity < no_index ? realloc(list->items, capacity * size) : NULL;

        if (items == NULL) {
            self->failed = true;
            return NULL;
        }
        list->items = items;
        list->capacity = capacity;
    }
    return memset(list->items + list->count++ * size, 0, size);
}

static struct piece *piece_at(const struct grouping *self, uint32_t index)
{
    return (struct piece *)(void *)self->pieces.items + index;
}

static struct header *group_at(const struct grouping *self, uint32_t index)
{
    return (struct header *)(void *)self->groups.items + index;
}

static struct header *scope_at(const struct grouping *self, uint32_t index)
{
    return (struct header *)(void *)self->scopes.items + index;
}

static struct bucket *bucket_at(const struct grouping *self, size_t index)
{
    return (struct bucket *)(void *)self->buckets.items + index;
}

/* ---- buckets ---- */

static bool same_bucket(const struct bucket *a, const struct bucket *b)
{
    return a->has_key == b->has_key && (!a->has_key || memcmp(a->key, b->key, sizeof(a->key)) == 0) && slice_equal(a->topic, b->topic);
}

static uint64_t bucket_hash(const struct bucket *bucket)
{
    return hash_combine(hash_bytes(slice_of(bucket->key, sizeof(bucket->key))), bucket->topic.size > 0 ? hash_bytes(bucket->topic) : 0);
}

static bool grow_slots(struct grouping *self)
{
    size_t count = self->slot_count > 0 ? self->slot_count * 2 : FIRST_SLOTS;
    uint32_t *slots = calloc(count, sizeof(*slots));

    if (slots == NULL) {
        self->failed = true;
        return false;
    }
    for (size_t i = 0; i < self->buckets.count; i++) {
        size_t at = bucket_hash(bucket_at(self, i)) & (count - 1);

        while (slots[at] != 0)
            at = (at + 1) & (count - 1);
        slots[at] = (uint32_t)i + 1;
    }
    free(self->slots);
    self->slots = slots;
    self->slot_count = count;
    return true;
}

/* The index of the bucket that is like `wanted`; no_index: memory is out. */
static uint32_t find_bucket(struct grouping *self, const struct bucket *wanted)
{
    struct bucket *bucket;
    size_t at;

    if (self->recent != no_index && same_bucket(bucket_at(self, self->recent), wanted))
        return self->recent;
    if (self->buckets.count * 2 >= self->slot_count && !grow_slots(self))
        return no_index;
    at = bucket_hash(wanted) & (self->slot_count - 1);
    for (; self->slots[at] != 0; at = (at + 1) & (self->slot_count - 1)) {
        if (same_bucket(bucket_at(self, self->slots[at] - 1), wanted))
            return self->recent = self->slots[at] - 1;
    }
    bucket = list_add(self, &self->buckets, sizeof(*bucket));
    if (bucket == NULL)
        return no_index;
    *bucket = *wanted;
    bucket->first = bucket->last = no_index;
    self->slots[at] = (uint32_t)self->buckets.count;
    return self->recent = (uint32_t)self->buckets.count - 1;
}

static void add_piece(struct grouping *self, const struct bucket *wanted, struct slice raw, uint32_t scope)
{
    uint32_t index = find_bucket(self, wanted), added = (uint32_t)self->pieces.count;
    struct piece *piece = index != no_index ? list_add(self, &self->pieces, sizeof(*piece)) : NULL;
    struct bucket *bucket;

    if (piece == NULL)
        return;
    *piece = (struct piece){ raw, scope, no_index };
    bucket = bucket_at(self, index);
    if (bucket->last != no_index)
        piece_at(self, bucket->last)->next = added;
    else
        bucket->first = added;
    bucket->last = added;
}

/* ---- walking the batch ---- */

/* Appends the fields that are not children of the given number. */
static uint32_t add_header(struct grouping *self, struct list *list, struct slice body, uint32_t group)
{
    struct pb_reader reader = pb_reader_of(body);
    struct pb_field field;
    struct header *header = list_add(self, list, sizeof(*header));

    if (header == NULL)
        return no_index;
    header->offset = self->headers.size;
    header->group = group;
    while (pb_next(&reader, &field)) {
        if (field.number != FIELD_NESTED || field.type != PB_BYTES)
            buffer_append_slice(&self->headers, field.raw);
    }
    header->size = self->headers.size - header->offset;
    return (uint32_t)list->count - 1;
}

static void add_records(struct grouping *self, struct bucket *wanted, const struct otlp_group *group)
{
    struct otlp_scope_groups scope_groups = otlp_scope_groups(group);
    uint32_t group_header = add_header(self, &self->groups, group->body, no_index);
    struct otlp_scope_group scope_group;

    while (!self->failed && otlp_next_scope_group(&scope_groups, &scope_group)) {
        struct otlp_records records = otlp_records(&scope_group);
        uint32_t scope = add_header(self, &self->scopes, scope_group.body, group_header);
        struct otlp_record record;

        while (!self->failed && otlp_next_record(&records, &record)) {
            struct slice trace_id = kafka_trace_id(self->messages->signal, record.body);

            wanted->has_key = trace_id.size == KAFKA_KEY_BYTES;
            if (wanted->has_key)
                memcpy(wanted->key, trace_id.data, KAFKA_KEY_BYTES);
            else
                memset(wanted->key, 0, KAFKA_KEY_BYTES);
            add_piece(self, wanted, record.raw, scope);
        }
    }
}

static void add_group(struct grouping *self, const struct otlp_group *group)
{
    struct bucket wanted = { .topic = { NULL, 0 } };

    if (self->form->topic_attribute != NULL)
        wanted.topic = kafka_topic_of(group->resource, self->form->topic_attribute);
    if (self->form->key == KAFKA_KEY_TRACE_ID) {
        add_records(self, &wanted, group);
        return;
    }
    if (self->form->key == KAFKA_KEY_RESOURCE) {
        wanted.has_key = true;
        kafka_resource_key(group->resource, wanted.key);
    }
    add_piece(self, &wanted, group->raw, no_index);
}

static void add_run(struct grouping *self, struct slice request)
{
    struct otlp_groups groups = otlp_groups(request);
    struct pb_reader reader = pb_reader_of(request);
    struct otlp_group group;
    struct pb_field field;

    while (!self->failed && otlp_next_group(&groups, &group))
        add_group(self, &group);
    while (pb_next(&reader, &field)) {
        if (field.number != FIELD_GROUP || field.type != PB_BYTES)
            buffer_append_slice(&self->others, field.raw);
    }
}

/* ---- writing ---- */

static size_t field_size(size_t size)
{
    return 1 + pb_varint_size(size) + size; /* the field numbers here are below 16 */
}

/* Pieces from `at` on that stand in one scope group; the next behind them is left in `at`. */
static size_t scope_size(const struct grouping *self, uint32_t *at)
{
    uint32_t scope = piece_at(self, *at)->scope;
    size_t size = scope_at(self, scope)->size;

    for (; *at != no_index && piece_at(self, *at)->scope == scope; *at = piece_at(self, *at)->next)
        size += piece_at(self, *at)->raw.size;
    return size;
}

static uint32_t group_of(const struct grouping *self, uint32_t at)
{
    return at != no_index ? scope_at(self, piece_at(self, at)->scope)->group : no_index;
}

static void put_header(const struct grouping *self, struct buffer *out, const struct header *header)
{
    buffer_append(out, self->headers.data + header->offset, header->size);
}

static void put_scope(const struct grouping *self, struct buffer *out, uint32_t *at)
{
    uint32_t end = *at;
    size_t size = scope_size(self, &end);

    pb_put_tag(out, FIELD_NESTED, PB_BYTES);
    pb_put_raw_varint(out, size);
    put_header(self, out, scope_at(self, piece_at(self, *at)->scope));
    for (; *at != end; *at = piece_at(self, *at)->next)
        buffer_append_slice(out, piece_at(self, *at)->raw);
}

/* One resource group with the pieces that stand in it, one behind the other. */
static void put_group(const struct grouping *self, struct buffer *out, uint32_t *at)
{
    uint32_t group = group_of(self, *at), end = *at;
    size_t size = group_at(self, group)->size;

    while (group_of(self, end) == group)
        size += field_size(scope_size(self, &end));
    pb_put_tag(out, FIELD_GROUP, PB_BYTES);
    pb_put_raw_varint(out, size);
    put_header(self, out, group_at(self, group));
    while (*at != end)
        put_scope(self, out, at);
}

static void put_bucket(const struct grouping *self, struct buffer *out, const struct bucket *bucket)
{
    buffer_append_slice(out, buffer_slice(&self->others));
    for (uint32_t at = bucket->first; at != no_index;) {
        const struct piece *piece = piece_at(self, at);

        if (piece->scope != no_index) {
            put_group(self, out, &at);
            continue;
        }
        buffer_append_slice(out, piece->raw);
        at = piece->next;
    }
}

/* Offsets into the storage stand in the slices' data until all is written, since the storage moves while it grows. */
static void write_bucket(struct grouping *self, const struct bucket *bucket)
{
    struct buffer *storage = &self->messages->storage;
    struct kafka_message *message = kafka_messages_add(self->messages, NULL);
    size_t key_offset = storage->size;

    if (message == NULL)
        return;
    message->topic = bucket->topic;
    message->key = self->form->fixed_key;
    if (bucket->has_key && buffer_reserve(storage, KEY_TEXT)) {
        encoding_write_hex(slice_of(bucket->key, sizeof(bucket->key)), (char *)storage->data + key_offset);
        storage->size += KEY_TEXT;
        message->key = (struct slice){ NULL, KEY_TEXT };
    }
    put_bucket(self, storage, bucket);
    message->wire.size = storage->size - key_offset - (bucket->has_key ? KEY_TEXT : 0);
}

static void resolve(struct kafka_messages *messages)
{
    const uint8_t *at = messages->storage.data;

    for (size_t i = 0; i < messages->count; i++) {
        struct kafka_message *message = &messages->items[i];

        if (message->key.data == NULL && message->key.size > 0) {
            message->key.data = at;
            at += KEY_TEXT;
        }
        message->wire.data = at;
        at += message->wire.size;
        message->records = otlp_count(messages->signal, message->wire);
    }
}

void kafka_messages_group(struct kafka_messages *messages, const struct batch *batch, const struct kafka_form *form)
{
    struct grouping self = { .messages = messages, .form = form, .recent = no_index };

    for (size_t i = 0; i < batch->run_count && !self.failed; i++)
        add_run(&self, batch->runs[i].bytes);
    self.failed |= self.headers.failed || self.others.failed;
    if (!self.failed)
        buffer_reserve(&messages->storage, batch->bytes + self.buckets.count * (KEY_TEXT + 256));
    for (size_t i = 0; i < self.buckets.count && !self.failed; i++)
        write_bucket(&self, bucket_at(&self, i));
    messages->failed |= self.failed || messages->storage.failed;
    if (!messages->failed)
        resolve(messages);
    free(self.pieces.items);
    free(self.groups.items);
    free(self.scopes.items);
    free(self.buckets.items);
    free(self.slots);
    buffer_fini(&self.headers);
    buffer_fini(&self.others);
}
