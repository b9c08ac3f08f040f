/*
 * Edits of one message as a list of its fields.
 *
 * A field is a slice, of the message that was opened or of the scratch buffer, where changed ones are written. Neighbours that
 * still stand side by side are copied together. Keys are looked at only when an attribute is asked for.
 * Cost: a few nanoseconds a field to open, a comparison an attribute to find one. Threads: one struct per thread.
 */
#include "collector/wire/edit.h"

#include <stdlib.h>

enum { KEY = 1, VALUE = 2 }; /* of KeyValue */
enum { FIRST_CAPACITY = 32 };

struct edit_field {
    const uint8_t *data; /* whole field, tag included; NULL: it is in the scratch buffer */
    size_t offset;       /* there */
    size_t size;         /* 0: removed */
    uint32_t number;     /* 0: removed */
    uint16_t head;       /* bytes before the content of a length-delimited field */
    uint16_t type;       /* enum pb_wire_type */
};

void edit_fini(struct edit *edit)
{
    free(edit->fields);
    buffer_fini(&edit->scratch);
    *edit = (struct edit){ .fields = NULL };
}

/* ---- the list ---- */

static bool grow(struct edit *edit)
{
    size_t capacity = edit->capacity > 0 ? edit->capacity * 2 : FIRST_CAPACITY;
    struct edit_field *fields = realloc(edit->fields, capacity * sizeof(*fields));

    if (fields == NULL) {
        edit->failed = true;
        return false;
    }
    edit->fields = fields;
    edit->capacity = capacity;
    return true;
}

static inline struct edit_field field_of(const struct pb_field *field, const uint8_t *data, size_t offset)
{
    return (struct edit_field){
        .data = data,
        .offset = offset,
        .size = field->raw.size,
        .number = field->number,
        .head = (uint16_t)(field->raw.size - field->bytes.size),
        .type = (uint16_t)field->type,
    };
}

void edit_open(struct edit *edit, struct slice message, uint32_t attributes_field)
{
    struct pb_reader reader = pb_reader_of(message);
    struct pb_field field;

    edit->count = 0;
    edit->attributes_field = attributes_field;
    edit->changed = edit->failed = false;
    buffer_clear(&edit->scratch);
    while (pb_next(&reader, &field)) {
        if (edit->count == edit->capacity && !grow(edit))
            return;
        edit->fields[edit->count++] = field_of(&field, field.raw.data, 0);
    }
    edit->failed = reader.failed;
}

static const uint8_t *field_data(const struct edit *edit, const struct edit_field *field)
{
    return field->data != NULL ? field->data : edit->scratch.data + field->offset;
}

static struct slice field_content(const struct edit *edit, const struct edit_field *field)
{
    return (struct slice){ field_data(edit, field) + field->head, field->size - field->head };
}

/* The field, or a new one at the end; NULL when memory is out. */
static struct edit_field *find_or_append(struct edit *edit, size_t index)
{
    if (index < edit->count)
        return &edit->fields[index];
    if (edit->count == edit->capacity && !grow(edit))
        return NULL;
    return &edit->fields[edit->count++];
}

/* Puts the last bytes of the scratch buffer, from `start`, in the place of a field. */
static void replace(struct edit *edit, size_t index, size_t start)
{
    struct edit_field *field;

    edit->changed = true;
    edit->failed |= edit->scratch.failed;
    if (edit->failed || (field = find_or_append(edit, index)) == NULL)
        return;
    struct pb_reader reader = pb_reader_of((struct slice){ edit->scratch.data + start, edit->scratch.size - start });
    struct pb_field written;
    if (pb_next(&reader, &written))
        *field = field_of(&written, NULL, start);
}

static void remove_at(struct edit *edit, size_t index)
{
    edit->fields[index] = (struct edit_field){ .number = 0 };
    edit->changed = true;
}

/* ---- fields by number ---- */

/* The place of the first of that number, the others removed; edit->count when there is none. */
static size_t claim(struct edit *edit, uint32_t number)
{
    size_t first = edit->count;

    for (size_t i = 0; i < edit->count; i++) {
        if (edit->fields[i].number != number)
            continue;
        if (first == edit->count)
            first = i;
        else
            remove_at(edit, i);
    }
    return first;
}

/* Room for `size` more bytes of scratch; those of the two slices that lie in the scratch buffer move with it. */
static void reserve_scratch(struct edit *edit, size_t size, struct slice *one, struct slice *other)
{
    const uint8_t *old = edit->scratch.data;
    size_t one_offset = (uintptr_t)one->data - (uintptr_t)old, other_offset = (uintptr_t)other->data - (uintptr_t)old;

    if (!buffer_reserve(&edit->scratch, size) || edit->scratch.data == old)
        return;
    if (one_offset < edit->scratch.size)
        one->data = edit->scratch.data + one_offset;
    if (other_offset < edit->scratch.size)
        other->data = edit->scratch.data + other_offset;
}

void edit_set_bytes(struct edit *edit, uint32_t number, struct slice bytes)
{
    struct slice none = { NULL, 0 };

    reserve_scratch(edit, bytes.size + 2 * 10, &bytes, &none);
    size_t start = edit->scratch.size;
    pb_put_bytes(&edit->scratch, number, bytes);
    replace(edit, claim(edit, number), start);
}

void edit_set_varint(struct edit *edit, uint32_t number, uint64_t value)
{
    size_t start = edit->scratch.size;

    pb_put_varint(&edit->scratch, number, value);
    replace(edit, claim(edit, number), start);
}

void edit_set_fixed64(struct edit *edit, uint32_t number, uint64_t value)
{
    size_t start = edit->scratch.size;

    pb_put_fixed64(&edit->scratch, number, value);
    replace(edit, claim(edit, number), start);
}

void edit_set_fixed32(struct edit *edit, uint32_t number, uint32_t value)
{
    size_t start = edit->scratch.size;

    pb_put_fixed32(&edit->scratch, number, value);
    replace(edit, claim(edit, number), start);
}

void edit_remove(struct edit *edit, uint32_t number)
{
    size_t first = claim(edit, number);

    if (first < edit->count)
        remove_at(edit, first);
}

bool edit_get(const struct edit *edit, uint32_t number, struct pb_field *field)
{
    for (size_t i = edit->count; i-- > 0;) {
        if (edit->fields[i].number != number || number == 0)
            continue;
        struct pb_reader reader = pb_reader_of((struct slice){ field_data(edit, &edit->fields[i]), edit->fields[i].size });
        return pb_next(&reader, field);
    }
    return false;
}

/* ---- attributes ---- */

static inline bool is_attribute(const struct edit *edit, const struct edit_field *field)
{
    return field->number == edit->attributes_field && field->number != 0 && field->type == PB_BYTES;
}

static struct otlp_attribute read_attribute(const struct edit *edit, const struct edit_field *field)
{
    struct otlp_attribute attribute = { .raw = { field_data(edit, field), field->size } };

    otlp_attribute_of(field_content(edit, field), &attribute);
    return attribute;
}

static inline bool is_other_key(struct slice content, struct slice key)
{
    return otlp_is_plain_key_value(content.data, content.size) && content.data[1] != key.size;
}

/* The next field, from `from` on, that is an attribute of that key; edit->count when there is none. */
static size_t find_attribute(const struct edit *edit, size_t from, struct slice key)
{
    size_t i = from;

    for (; i < edit->count; i++) {
        const struct edit_field *field = &edit->fields[i];
        if (!is_attribute(edit, field))
            continue;
        struct slice content = field_content(edit, field);
        if (!is_other_key(content, key) && slice_equal(otlp_key_of(content), key))
            break;
    }
    return i;
}

static void remove_attributes(struct edit *edit, size_t from, struct slice key)
{
    for (size_t i = find_attribute(edit, from, key); i < edit->count; i = find_attribute(edit, i + 1, key))
        remove_at(edit, i);
}

bool edit_get_attribute(const struct edit *edit, struct slice key, struct otlp_value *value)
{
    size_t index = find_attribute(edit, 0, key);
    struct otlp_attribute attribute;

    if (index == edit->count)
        return false;
    otlp_attribute_of(field_content(edit, &edit->fields[index]), &attribute);
    *value = attribute.value;
    return true;
}

static size_t any_value_size(const struct otlp_value *value)
{
    switch (value->kind) {
    case OTLP_VALUE_EMPTY:
        return 0;
    case OTLP_VALUE_BOOL:
        return 2;
    case OTLP_VALUE_INT:
        return 1 + pb_varint_size((uint64_t)value->integer);
    case OTLP_VALUE_DOUBLE:
        return 1 + sizeof(uint64_t);
    default:
        return 1 + pb_varint_size(value->bytes.size) + value->bytes.size;
    }
}

static void put_any_value(struct buffer *out, const struct otlp_value *value)
{
    switch (value->kind) {
    case OTLP_VALUE_EMPTY:
        break;
    case OTLP_VALUE_BOOL:
        pb_put_varint(out, OTLP_VALUE_BOOL, value->integer != 0);
        break;
    case OTLP_VALUE_INT:
        pb_put_varint(out, OTLP_VALUE_INT, (uint64_t)value->integer);
        break;
    case OTLP_VALUE_DOUBLE:
        pb_put_double(out, OTLP_VALUE_DOUBLE, value->number);
        break;
    default:
        pb_put_bytes(out, value->kind, value->bytes);
    }
}

void edit_set_attribute(struct edit *edit, struct slice key, const struct otlp_value *value)
{
    struct otlp_value copy = *value;
    size_t value_size = any_value_size(value);
    size_t size = 1 + pb_varint_size(key.size) + key.size + 1 + pb_varint_size(value_size) + value_size;
    size_t index = find_attribute(edit, 0, key);

    remove_attributes(edit, index + 1, key);
    reserve_scratch(edit, size + 2 * 10, &key, &copy.bytes);
    size_t start = edit->scratch.size;
    pb_put_tag(&edit->scratch, edit->attributes_field, PB_BYTES);
    pb_put_raw_varint(&edit->scratch, size);
    pb_put_bytes(&edit->scratch, KEY, key);
    pb_put_tag(&edit->scratch, VALUE, PB_BYTES);
    pb_put_raw_varint(&edit->scratch, value_size);
    put_any_value(&edit->scratch, &copy);
    replace(edit, index, start);
}

void edit_remove_attribute(struct edit *edit, struct slice key)
{
    remove_attributes(edit, 0, key);
}

/* Copies the KeyValue's other fields as they are. */
static void put_renamed(struct edit *edit, const struct edit_field *attribute, struct slice new_key)
{
    struct pb_reader reader = pb_reader_of(field_content(edit, attribute));
    struct pb_field field;
    size_t mark = pb_open(&edit->scratch, attribute->number);

    pb_put_bytes(&edit->scratch, KEY, new_key);
    while (pb_next(&reader, &field)) {
        if (field.number != KEY)
            buffer_append_slice(&edit->scratch, field.raw);
    }
    pb_close(&edit->scratch, mark);
}

void edit_rename_attribute(struct edit *edit, struct slice key, struct slice new_key)
{
    size_t index = find_attribute(edit, 0, key);

    if (index == edit->count || slice_equal(key, new_key))
        return;
    remove_attributes(edit, index + 1, key);
    remove_attributes(edit, 0, new_key);
    reserve_scratch(edit, edit->fields[index].size + new_key.size + 4 * 10, &key, &new_key);
    size_t start = edit->scratch.size;
    put_renamed(edit, &edit->fields[index], new_key);
    replace(edit, index, start);
}

void edit_clear_attributes(struct edit *edit)
{
    for (size_t i = 0; i < edit->count; i++) {
        if (is_attribute(edit, &edit->fields[i]))
            remove_at(edit, i);
    }
}

void edit_append_attribute(struct edit *edit, struct slice key_value)
{
    struct slice none = { NULL, 0 };

    reserve_scratch(edit, key_value.size + 2 * 10, &key_value, &none);
    size_t start = edit->scratch.size;
    pb_put_bytes(&edit->scratch, edit->attributes_field, key_value);
    replace(edit, edit->count, start);
}

bool edit_attribute_at(const struct edit *edit, size_t *cursor, struct otlp_attribute *attribute)
{
    while (*cursor < edit->count) {
        const struct edit_field *field = &edit->fields[(*cursor)++];
        if (!is_attribute(edit, field))
            continue;
        *attribute = read_attribute(edit, field);
        return true;
    }
    return false;
}

/* ---- writing ---- */

void edit_write(const struct edit *edit, uint32_t number, struct buffer *out)
{
    size_t size = 0;

    if (edit->failed) {
        out->failed = true;
        return;
    }
    for (size_t i = 0; i < edit->count; i++)
        size += edit->fields[i].size;
    if (!buffer_reserve(out, size + 2 * 10))
        return;
    if (number != 0) {
        pb_put_tag(out, number, PB_BYTES);
        pb_put_raw_varint(out, size);
    }
    struct slice run = { NULL, 0 };
    for (size_t i = 0; i < edit->count; i++) {
        const struct edit_field *field = &edit->fields[i];
        if (field->size == 0) /* removed */
            continue;
        const uint8_t *data = field_data(edit, field);
        if (run.size == 0 || data != run.data + run.size) {
            buffer_append_slice(out, run);
            run = (struct slice){ data, 0 };
        }
        run.size += field->size;
    }
    buffer_append_slice(out, run);
}
