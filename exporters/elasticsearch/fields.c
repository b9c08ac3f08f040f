/*
 * Documents made of fields: a list that is sorted once and written once.
 *
 * Cost: a sort of the keys for each document, some microseconds for 30 fields. Threads: none of its own.
 */
#include "exporters/elasticsearch/fields.h"

#include <stdlib.h>

enum { FIRST_CAPACITY = 64, RENAMES_MAX = 8 };

void elastic_fields_clear(struct elastic_fields *fields)
{
    fields->count = 0;
    buffer_clear(&fields->keys);
    buffer_clear(&fields->texts);
    fields->failed = false;
}

void elastic_fields_fini(struct elastic_fields *fields)
{
    free(fields->items);
    buffer_fini(&fields->keys);
    buffer_fini(&fields->texts);
    memset(fields, 0, sizeof(*fields));
}

bool elastic_id_is_set(struct slice id)
{
    for (size_t i = 0; i < id.size; i++)
        if (id.data[i] != 0)
            return true;
    return false;
}

/* ---- adding ---- */

/* A field's name in two parts. */
struct name {
    struct slice prefix, key;
};

static struct elastic_field *add(struct elastic_fields *fields, struct name name, enum elastic_field_kind kind)
{
    size_t capacity = fields->capacity == 0 ? FIRST_CAPACITY : 2 * fields->capacity, start = fields->keys.size;

    if (fields->count == fields->capacity) {
        struct elastic_field *items = realloc(fields->items, capacity * sizeof(*items));

        fields->failed |= items == NULL;
        if (items == NULL)
            return NULL;
        fields->items = items;
        fields->capacity = capacity;
    }
    buffer_append_slice(&fields->keys, name.prefix);
    buffer_append_slice(&fields->keys, name.key);
    fields->failed |= fields->keys.failed;
    if (fields->failed)
        return NULL;
    fields->items[fields->count] = (struct elastic_field){
        .key = start, .key_size = (uint32_t)(fields->keys.size - start), .order = (uint32_t)fields->count, .kind = kind
    };
    return &fields->items[fields->count++];
}

static void add_value(struct elastic_fields *fields, struct name name, const struct otlp_value *value, unsigned depth);

/* The map's own fields, each behind the map's name. */
static void add_map(struct elastic_fields *fields, struct name name, struct slice map, unsigned depth)
{
    struct otlp_attributes attributes = otlp_attributes(map, OTLP_ATTRIBUTES_OF_MAP);
    struct otlp_attribute attribute;
    struct buffer path = { 0 };

    buffer_append_slice(&path, name.prefix);
    buffer_append_slice(&path, name.key);
    if (path.size > 0)
        buffer_append_byte(&path, '.');
    fields->failed |= path.failed;
    while (!fields->failed && otlp_next_attribute(&attributes, &attribute))
        add_value(fields, (struct name){ buffer_slice(&path), attribute.key }, &attribute.value, depth + 1);
    buffer_fini(&path);
}

static void add_value(struct elastic_fields *fields, struct name name, const struct otlp_value *value, unsigned depth)
{
    struct elastic_field *field;

    if (value->kind == OTLP_VALUE_EMPTY || depth > OTLP_MAX_DEPTH)
        return;
    if (value->kind == OTLP_VALUE_MAP) {
        add_map(fields, name, value->bytes, depth);
        return;
    }
    field = add(fields, name, ELASTIC_FIELD_VALUE);
    if (field != NULL)
        field->value = *value;
}

void elastic_fields_add(struct elastic_fields *fields, struct slice prefix, struct slice key, const struct otlp_value *value)
{
    add_value(fields, (struct name){ prefix, key }, value, 0);
}

void elastic_fields_add_all(struct elastic_fields *fields, struct slice prefix, const struct elastic_attributes *attributes)
{
    for (size_t i = 0; i < attributes->count; i++)
        elastic_fields_add(fields, prefix, attributes->items[i].key, &attributes->items[i].value);
}

void elastic_fields_text(struct elastic_fields *fields, struct slice key, struct slice text)
{
    if (text.size > 0)
        elastic_fields_add(fields, SLICE(""), key, &(struct otlp_value){ .kind = OTLP_VALUE_STRING, .bytes = text });
}

void elastic_fields_id(struct elastic_fields *fields, struct slice key, struct slice id)
{
    struct elastic_field *field = elastic_id_is_set(id) ? add(fields, (struct name){ SLICE(""), key }, ELASTIC_FIELD_HEX) : NULL;

    if (field != NULL)
        field->value.bytes = id;
}

void elastic_fields_integer(struct elastic_fields *fields, struct slice key, int64_t value)
{
    elastic_fields_add(fields, SLICE(""), key, &(struct otlp_value){ .kind = OTLP_VALUE_INT, .integer = value });
}

void elastic_fields_time(struct elastic_fields *fields, struct slice key, uint64_t nanos)
{
    struct elastic_field *field = add(fields, (struct name){ SLICE(""), key }, ELASTIC_FIELD_TIME);

    if (field != NULL)
        field->value.integer = (int64_t)nanos;
}

void elastic_fields_json(struct elastic_fields *fields, struct slice key, size_t start)
{
    struct elastic_field *field = add(fields, (struct name){ SLICE(""), key }, ELASTIC_FIELD_JSON);

    fields->failed |= fields->texts.failed;
    if (field == NULL)
        return;
    field->json = start;
    field->json_size = fields->texts.size - start;
}

/* ---- order ---- */

static struct slice key_of(const struct elastic_fields *fields, const struct elastic_field *field)
{
    return (struct slice){ fields->keys.data + field->key, field->key_size };
}

static int compare(const void *a, const void *b, void *context)
{
    const struct elastic_field *left = a, *right = b;
    int order = slice_compare(key_of(context, left), key_of(context, right));

    return order != 0 ? order : (left->order > right->order) - (left->order < right->order);
}

static void sort(struct elastic_fields *fields, size_t first)
{
    if (fields->count - first > 1)
        qsort_r(fields->items + first, fields->count - first, sizeof(*fields->items), compare, fields);
}

/* Whether a later field lies below this one, as "a.b" does below "a". Names that begin alike stand together. */
static bool has_inner(const struct elastic_fields *fields, size_t index)
{
    struct slice key = key_of(fields, &fields->items[index]);

    for (size_t i = index + 1; i < fields->count; i++) {
        struct slice later = key_of(fields, &fields->items[i]);

        if (!slice_starts_with(later, key) || (later.size > key.size && later.data[key.size] > '.'))
            return false;
        if (later.size > key.size && later.data[key.size] == '.')
            return true;
    }
    return false;
}

static void rename_to_value(struct elastic_fields *fields, size_t index)
{
    struct elastic_field *field = &fields->items[index];
    size_t start = fields->keys.size;

    if (!buffer_reserve(&fields->keys, field->key_size + sizeof(".value"))) {
        fields->failed = true;
        return;
    }
    buffer_append(&fields->keys, fields->keys.data + field->key, field->key_size);
    buffer_append_string(&fields->keys, ".value");
    field->key = start;
    field->key_size = (uint32_t)(fields->keys.size - start);
}

static void arrange(struct elastic_fields *fields, size_t first)
{
    bool renamed = true;

    for (int round = 0; renamed && round < RENAMES_MAX && !fields->failed; round++) {
        sort(fields, first);
        renamed = false;
        for (size_t i = first; i + 1 < fields->count && !fields->failed; i++) {
            if (!has_inner(fields, i))
                continue;
            rename_to_value(fields, i);
            renamed = true;
        }
    }
    for (size_t i = first; i + 1 < fields->count; i++)
        if (slice_equal(key_of(fields, &fields->items[i]), key_of(fields, &fields->items[i + 1])))
            fields->items[i].kind = ELASTIC_FIELD_DROPPED;
}

/* ---- writing ---- */

static void write_object(struct elastic_fields *fields, size_t first, bool nested, struct buffer *out);

/* A map inside of an array: fields of its own behind those that are there, which go again. */
static void write_inner_map(struct elastic_fields *fields, struct slice map, struct buffer *out)
{
    size_t first = fields->count, keys = fields->keys.size;

    add_map(fields, (struct name){ SLICE(""), SLICE("") }, map, 0);
    if (fields->count == first)
        ELASTIC_PUT(out, "null");
    else
        write_object(fields, first, true, out);
    fields->count = first;
    fields->keys.size = keys;
}

static void write_value(struct elastic_fields *fields, const struct otlp_value *value, unsigned depth, struct buffer *out)
{
    struct pb_reader reader = pb_reader_of(value->bytes);
    struct pb_field field;

    if (value->kind == OTLP_VALUE_MAP && depth < OTLP_MAX_DEPTH) {
        write_inner_map(fields, value->bytes, out);
        return;
    }
    if (value->kind != OTLP_VALUE_ARRAY || depth >= OTLP_MAX_DEPTH) {
        elastic_json_value(value, out);
        return;
    }
    buffer_append_byte(out, '[');
    while (pb_next(&reader, &field)) {
        if (field.number != 1 || field.type != PB_BYTES)
            continue;
        struct otlp_value item = otlp_value_of(field.bytes);
        write_value(fields, &item, depth + 1, out);
        buffer_append_byte(out, ',');
    }
    elastic_json_close(out, ']');
}

static void write_field(struct elastic_fields *fields, const struct elastic_field *field, struct buffer *out)
{
    struct otlp_value value = field->value;

    switch (field->kind) {
    case ELASTIC_FIELD_TIME:
        elastic_json_time((uint64_t)value.integer, out);
        break;
    case ELASTIC_FIELD_HEX:
        elastic_json_hex(value.bytes, out);
        break;
    case ELASTIC_FIELD_JSON:
        buffer_append(out, fields->texts.data + field->json, field->json_size);
        break;
    default:
        write_value(fields, &value, 0, out);
        break;
    }
}

static bool is_nothing(const struct elastic_field *field)
{
    return field->kind == ELASTIC_FIELD_DROPPED ||
           (field->kind == ELASTIC_FIELD_VALUE && field->value.kind == OTLP_VALUE_ARRAY && field->value.bytes.size == 0);
}

/* Up to and with the last dot. */
static size_t path_size(struct slice key)
{
    size_t size = key.size;

    while (size > 0 && key.data[size - 1] != '.')
        size--;
    return size;
}

static size_t count_dots(struct slice text)
{
    size_t dots = 0;

    for (size_t i = 0; i < text.size; i++)
        dots += text.data[i] == '.';
    return dots;
}

/* Closes the objects that `key` is not in any more, opens those that it is in. Returns what is left of the key. */
static struct slice enter(struct slice *open, struct slice key, struct buffer *out)
{
    size_t common = 0, path = path_size(key);

    for (size_t i = 0; i < open->size && i < path && open->data[i] == key.data[i]; i++)
        if (key.data[i] == '.')
            common = i + 1;
    for (size_t left = count_dots(slice_of(open->data + common, open->size - common)); left > 0; left--) {
        elastic_json_close(out, '}');
        buffer_append_byte(out, ',');
    }
    while (common < path) {
        size_t end = common;

        while (key.data[end] != '.')
            end++;
        elastic_json_key(slice_of(key.data + common, end - common), out);
        buffer_append_byte(out, '{');
        common = end + 1;
    }
    *open = slice_of(key.data, path);
    return slice_of(key.data + path, key.size - path);
}

static void write_object(struct elastic_fields *fields, size_t first, bool nested, struct buffer *out)
{
    size_t end = fields->count, open_key = 0, open_size = 0;

    arrange(fields, first);
    buffer_append_byte(out, '{');
    for (size_t i = first; i < end && !fields->failed; i++) {
        const struct elastic_field field = fields->items[i]; /* a copy: writing may add fields */
        struct slice key = key_of(fields, &field), open = slice_of(fields->keys.data + open_key, open_size);

        if (is_nothing(&field))
            continue;
        if (nested)
            key = enter(&open, key, out);
        elastic_json_key(key, out);
        open_key = field.key;
        open_size = nested ? open.size : 0;
        write_field(fields, &field, out);
        buffer_append_byte(out, ',');
    }
    if (nested)
        enter(&(struct slice){ fields->keys.data + open_key, open_size }, SLICE(""), out);
    elastic_json_close(out, '}');
}

void elastic_fields_write(struct elastic_fields *fields, bool nested, struct buffer *out)
{
    write_object(fields, 0, nested, out);
    out->failed |= fields->failed;
}
