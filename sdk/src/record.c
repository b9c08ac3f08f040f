/*
 * Records in slots. Hot functions take time linear in what they write; overwriting an attribute walks the record.
 * Threads: a span's record is changed under its lock; a log record by its one thread. Signal-safe within thread_enter.
 */
#include "sdk/src/record.h"

#include <sched.h>

#include "collector/wire/protobuf.h"
#include "sdk/src/encode.h"
#include "sdk/src/extra.h"
#include "sdk/src/settings.h"

struct pool record_pool = POOL_INITIALIZER((size_t)16 << 20);

enum { REFILL = 16 };

bool record_refill(struct thread *self)
{
    self->free = (struct record *)(void *)pool_take(&record_pool, POOL_512, REFILL);
    return self->free != NULL;
}

static void free_data(struct record *record)
{
    if (record->data_class == POOL_512)
        return;
    /* The slot's link overwrites the first data bytes, which nobody reads any more. */
    struct pool_slot *slot = (struct pool_slot *)(void *)record->data;
    pool_give(&record_pool, (enum pool_class)record->data_class, slot, slot);
    record->data_class = POOL_512;
}

void record_discard(struct thread *self, struct record *record)
{
    free_data(record);
    record->next = self->free;
    self->free = record;
}

void record_release_free(struct thread *self)
{
    struct record *first = self->free;

    self->free = NULL;
    record_free_chain(first);
}

void record_free_chain(struct record *first)
{
    struct record *last = NULL;

    for (struct record *record = first; record != NULL; record = record->next) {
        free_data(record);
        last = record;
    }
    if (last != NULL)
        pool_give(&record_pool, POOL_512, (struct pool_slot *)(void *)first, (struct pool_slot *)(void *)last);
}

void record_lock_slow(struct record *record)
{
    for (unsigned spins = 0; atomic_exchange_explicit(&record->lock, 1, memory_order_acquire) != 0; spins++) {
        if (spins > 100)
            sched_yield();
    }
}

bool record_grow(struct record *record, size_t extra)
{
    if (extra > RECORD_MAX - record->size)
        return false;
    enum pool_class which = pool_class_for(record->size + extra);
    if (which == POOL_512)
        which = POOL_2K; /* the smallest stands for "inline" */
    struct pool_slot *slot = pool_take(&record_pool, which, 1);
    if (slot == NULL)
        return false;
    memcpy(slot, record->data, record->size);
    free_data(record);
    record->data = (uint8_t *)slot;
    record->data_class = (uint8_t)which;
    record->capacity = (uint32_t)pool_class_size(which);
    return true;
}

static struct pb_reader fields_of(const struct record *record)
{
    return pb_reader_of(slice_of(record->data + record->fields_at, record->size - record->fields_at));
}

static void remove_raw(struct record *record, struct slice raw)
{
    uint8_t *at = record->data + (raw.data - record->data);
    size_t behind = (size_t)(record->data + record->size - (at + raw.size));

    memmove(at, at + raw.size, behind);
    record->size -= (uint32_t)raw.size;
}

void record_remove_field(struct record *record, uint32_t number)
{
    struct pb_reader reader = fields_of(record);
    struct pb_field field;

    while (pb_next(&reader, &field)) {
        if (field.number != number)
            continue;
        remove_raw(record, field.raw);
        reader.at = field.raw.data;
        reader.end -= field.raw.size;
    }
}

static void note_repairs(struct thread *self, const struct encoding *encoding)
{
    if (__builtin_expect(encoding->repaired != 0, 0))
        count(&self->counters, COUNT_TEXT_REPAIRED, encoding->repaired);
}

void record_put_text(struct thread *self, struct record *record, uint32_t field, weir_str text)
{
    struct text_plan plan = text_plan(text, TEXT_UNLIMITED);

    if (plan.written == 0)
        return;
    if (plan.read != plan.written)
        count(&self->counters, COUNT_TEXT_REPAIRED, 1);
    uint8_t *out = record_reserve(record, 1 + varint_size(plan.written) + plan.written);
    if (out == NULL)
        return;
    *out++ = (uint8_t)(field << 3 | 2);
    out = put_varint(out, plan.written);
    out = text_copy(out, text, plan);
    record->size = (uint32_t)(out - record->data);
}

/* True when the attribute field holds this key. */
static bool has_key(struct slice attribute, weir_str key)
{
    struct pb_reader reader = pb_reader_of(attribute);
    struct pb_field field;

    return pb_next(&reader, &field) && field.number == KEY_VALUE_KEY && field.bytes.size == key.n &&
           memcmp(field.bytes.data, key.p, key.n) == 0;
}

/* Removes the attribute with this key, if there is one. */
static bool remove_attribute(struct record *record, uint32_t number, weir_str key)
{
    struct pb_reader reader = fields_of(record);
    struct pb_field field;

    while (pb_next(&reader, &field)) {
        if (field.number == number && has_key(field.bytes, key)) {
            remove_raw(record, field.raw);
            return true;
        }
    }
    return false;
}

static void drop_attribute(struct thread *self, struct record *record)
{
    record->dropped_attributes++;
    count(&self->counters, COUNT_ATTRIBUTES_DROPPED, 1);
}

struct attribute_limits record_limits(uint32_t field)
{
    const struct settings *settings = settings_now();

    if (field == SPAN_ATTRIBUTES)
        return settings->limits.span;
    return field == LOG_ATTRIBUTES ? settings->limits.log : settings->limits.event;
}

/*
 * The common case in one go: a scalar or ASCII text whose every length fits one byte, and a key that is not there yet.
 * False: nothing was done.
 */
static bool put_short(struct record *record, uint32_t field, const weir_attr *attr, struct attribute_limits limits)
{
    weir_str key = attr->key;
    size_t text = attr->type == WEIR_STR && attr->v.str.p != NULL ? attr->v.str.n : 0;

    if (attr->type < WEIR_STR || attr->type > WEIR_DOUBLE || key.p == NULL || key.n - 1 >= 64 || text >= 48 || text > limits.value_length)
        return false;
    if (record->attributes >= limits.count || record->capacity - record->size < 2 + 2 + 64 + 2 + 2 + 48)
        return false;
    uint64_t bit = encode_key_bit(key);
    if ((record->keys & bit) != 0 || !text_is_ascii(key.p, key.n) || (text != 0 && !text_is_ascii(attr->v.str.p, text)))
        return false;
    uint8_t *start = record->data + record->size;
    uint8_t *out = start + 4;
    text_move(out, key.p, key.n);
    out += key.n;
    uint8_t *value = out + 2;
    switch (attr->type) {
    case WEIR_STR:
        value[0] = VALUE_STRING << 3 | 2;
        value[1] = (uint8_t)text;
        text_move(value + 2, attr->v.str.p, text);
        value += 2 + text;
        break;
    case WEIR_DOUBLE:
        value[0] = VALUE_DOUBLE << 3 | 1;
        memcpy(value + 1, &attr->v.f64, 8);
        value += 9;
        break;
    default:
        value[0] = attr->type == WEIR_INT ? VALUE_INT << 3 : VALUE_BOOL << 3;
        value = put_varint(value + 1, attr->type == WEIR_INT ? (uint64_t)attr->v.i64 : attr->v.i64 != 0);
        break;
    }
    start[0] = (uint8_t)(field << 3 | 2);
    start[1] = (uint8_t)(value - start - 2);
    start[2] = KEY_VALUE_KEY << 3 | 2;
    start[3] = (uint8_t)key.n;
    out[0] = KEY_VALUE_VALUE << 3 | 2;
    out[1] = (uint8_t)(value - out - 2);
    record->size = (uint32_t)(value - record->data);
    record->keys |= bit;
    record->attributes++;
    return true;
}

void record_put_attribute(struct thread *self, struct record *record, uint32_t field, const weir_attr *attr)
{
    struct attribute_limits limits = record_limits(field);

    if (put_short(record, field, attr, limits))
        return;
    struct encoding encoding = { limits.value_length, 0 };
    size_t content = encode_attribute_size(&encoding, attr);

    note_repairs(self, &encoding);
    if (content == 0) {
        drop_attribute(self, record);
        return;
    }
    uint64_t bit = encode_key_bit(attr->key);
    if ((record->keys & bit) != 0 && remove_attribute(record, field, attr->key))
        record->attributes--;
    uint8_t *out = record->attributes < limits.count ? record_reserve(record, 1 + varint_size(content) + content) : NULL;
    if (out == NULL) {
        drop_attribute(self, record);
        return;
    }
    record->keys |= bit;
    record->attributes++;
    *out++ = (uint8_t)(field << 3 | 2);
    out = put_varint(out, content);
    out = encode_attribute(out, &encoding, attr);
    record->size = (uint32_t)(out - record->data);
}

/* ---- events and links: messages with attributes of their own ---- */

/* A set of attributes as it will be written: how many fit the limits, and their bytes. */
struct attribute_set {
    weir_attrs attrs;
    uint32_t field;
    uint32_t limit;
    size_t size; /* bytes, headers included */
    uint32_t kept, dropped;
    bool may_repeat;
    struct encoding encoding;
};

/* True when a later attribute of the set has the same key. */
static bool overwritten(const struct attribute_set *set, size_t i)
{
    if (!set->may_repeat)
        return false;
    for (size_t j = i + 1; j < set->attrs.count; j++) {
        if (text_equal(set->attrs.data[i].key, set->attrs.data[j].key))
            return true;
    }
    return false;
}

static struct attribute_set measure_set(weir_attrs attrs, uint32_t field, struct attribute_limits limits)
{
    struct attribute_set set = { attrs, field, limits.count, 0, 0, 0, false, { limits.value_length, 0 } };
    uint64_t keys = 0;

    if (attrs.data == NULL)
        set.attrs.count = 0;
    for (size_t i = 0; i < set.attrs.count; i++) {
        uint64_t bit = encode_key_bit(attrs.data[i].key);
        set.may_repeat |= (keys & bit) != 0;
        keys |= bit;
    }
    for (size_t i = 0; i < set.attrs.count; i++) {
        if (overwritten(&set, i))
            continue;
        size_t content = set.kept < limits.count ? encode_attribute_size(&set.encoding, &attrs.data[i]) : 0;
        if (content == 0) {
            set.dropped++;
            continue;
        }
        set.kept++;
        set.size += 1 + varint_size(content) + content;
    }
    return set;
}

static uint8_t *put_set(uint8_t *out, const struct attribute_set *set)
{
    struct encoding encoding = set->encoding;
    uint32_t written = 0;

    for (size_t i = 0; i < set->attrs.count && written < set->kept; i++) {
        size_t content = overwritten(set, i) ? 0 : encode_attribute_size(&encoding, &set->attrs.data[i]);
        if (content == 0)
            continue;
        written++;
        *out++ = (uint8_t)(set->field << 3 | 2);
        out = put_varint(out, content);
        out = encode_attribute(out, &set->encoding, &set->attrs.data[i]);
    }
    return out;
}

static size_t dropped_size(uint32_t dropped)
{
    return dropped != 0 ? 1 + varint_size(dropped) : 0;
}

static uint8_t *put_dropped(uint8_t *out, uint32_t field, uint32_t dropped)
{
    if (dropped == 0)
        return out;
    *out++ = (uint8_t)(field << 3);
    return put_varint(out, dropped);
}

static void note_set(struct thread *self, const struct attribute_set *set)
{
    note_repairs(self, &set->encoding);
    if (set->dropped != 0)
        count(&self->counters, COUNT_ATTRIBUTES_DROPPED, set->dropped);
}

void record_put_event(struct thread *self, struct record *record, const struct event *event)
{
    const struct settings *settings = settings_now();
    struct attribute_set set = measure_set(event->attrs, EVENT_ATTRIBUTES, settings->limits.event);
    struct text_plan name = text_plan(event->name, TEXT_UNLIMITED);
    size_t content = 9 + 1 + varint_size(name.written) + name.written + set.size + dropped_size(set.dropped);
    uint8_t *out = record->events < settings->limits.events ? record_reserve(record, 1 + varint_size(content) + content) : NULL;

    set.encoding.repaired += name.read != name.written;
    note_set(self, &set);
    if (out == NULL) {
        record->dropped_events++;
        return;
    }
    record->events++;
    *out++ = SPAN_EVENTS << 3 | 2;
    out = put_varint(out, content);
    out = put_fixed64(out, EVENT_TIME, event->time_ns);
    *out++ = EVENT_NAME << 3 | 2;
    out = put_varint(out, name.written);
    out = text_copy(out, event->name, name);
    out = put_set(out, &set);
    out = put_dropped(out, EVENT_DROPPED, set.dropped);
    record->size = (uint32_t)(out - record->data);
}

void record_put_link(struct thread *self, struct record *record, const weir_ctx *to, weir_attrs attrs)
{
    const struct settings *settings = settings_now();
    struct attribute_set set = measure_set(attrs, LINK_ATTRIBUTES, settings->limits.link);
    weir_str state = extra_tracestate(extra_of(to));
    size_t state_size = state.n != 0 ? 1 + varint_size(state.n) + state.n : 0;
    size_t content = 18 + 10 + state_size + set.size + dropped_size(set.dropped) + 5;
    uint8_t *out = record->links < settings->limits.links ? record_reserve(record, 1 + varint_size(content) + content) : NULL;

    note_set(self, &set);
    if (out == NULL) {
        record->dropped_links++;
        return;
    }
    record->links++;
    *out++ = SPAN_LINKS << 3 | 2;
    out = put_varint(out, content);
    out = put_id16(out, LINK_TRACE_ID, to->trace_id);
    out = put_id8(out, LINK_SPAN_ID, to->span_id);
    if (state.n != 0) {
        *out++ = LINK_TRACE_STATE << 3 | 2;
        out = put_varint(out, state.n);
        memcpy(out, state.p, state.n);
        out += state.n;
    }
    out = put_set(out, &set);
    out = put_dropped(out, LINK_DROPPED, set.dropped);
    *out++ = LINK_FLAGS << 3 | 5;
    uint32_t flags = to->flags | 0x100U | (weir_ctx_remote(to) ? 0x200U : 0U);
    memcpy(out, &flags, 4);
    record->size = (uint32_t)(out + 4 - record->data);
}

void record_put_value(struct thread *self, struct record *record, uint32_t field, const weir_attr *value)
{
    struct encoding encoding = { TEXT_UNLIMITED, 0 };
    size_t content = encode_value_size(&encoding, value, 0);

    note_repairs(self, &encoding);
    if (content == 0)
        return;
    uint8_t *out = record_reserve(record, 1 + varint_size(content) + content);
    if (out == NULL && value->type == WEIR_STR) {
        /* A text too long is cut rather than lost; 16 KiB of U+FFFD would just fit. */
        encoding.value_length = (RECORD_MAX - 4096) / 4;
        content = encode_value_size(&encoding, value, 0);
        out = record_reserve(record, 1 + varint_size(content) + content);
        count(&self->counters, COUNT_ATTRIBUTES_DROPPED, 1);
    }
    if (out == NULL)
        return;
    *out++ = (uint8_t)(field << 3 | 2);
    out = put_varint(out, content);
    out = encode_value(out, &encoding, value, 0);
    record->size = (uint32_t)(out - record->data);
}
