/*
 * Paths: reading and setting fields of the messages that are visited, whatever is nested in them by key or index.
 *
 * Reading a field scans its message; an attribute is compared in place and only the one found is decoded. Setting below a key
 * builds the values around it anew. Threads: the machine's.
 */
#include "collector/ottl/program.h"
#include "collector/wire/encoding.h"

/* ---- where a field is ---- */

struct place {
    uint32_t within, number; /* 0: not there */
};

static size_t shape_of(enum otlp_metric_kind kind)
{
    switch (kind) {
    case OTLP_GAUGE:
        return 0;
    case OTLP_SUM:
        return 1;
    case OTLP_HISTOGRAM:
        return 2;
    case OTLP_EXPONENTIAL_HISTOGRAM:
        return 3;
    default:
        return 4;
    }
}

static struct place place_of(const struct ottl_path *path, const struct ottl_machine *machine)
{
    const struct ottl_field *field = path->field;
    struct place place = { field->within, field->number };

    if (field->numbers == NULL)
        return place;
    if (machine->metric_kind == OTLP_METRIC_NONE)
        return (struct place){ 0, 0 };
    size_t shape = shape_of(machine->metric_kind);
    place.within = field->numbers[2 * shape];
    place.number = field->numbers[2 * shape + 1];
    if (path->level == LEVEL_RECORD && place.within != 0) /* of a metric: within its data, whose number is its kind */
        place.within = (uint32_t)machine->metric_kind;
    return place;
}

static bool find_within(struct slice message, uint32_t number, struct pb_field *field)
{
    struct pb_reader reader = pb_reader_of(message);
    struct pb_field next;
    bool found = false;

    while (pb_next(&reader, &next)) {
        if (next.number == number) {
            *field = next;
            found = true;
        }
    }
    return found;
}

static bool read_place(const struct ottl_machine *machine, enum ottl_level level, struct place place, struct pb_field *field)
{
    struct pb_field outer;

    if (place.number == 0)
        return false;
    if (place.within == 0)
        return ottl_read_field(machine, level, place.number, field);
    return ottl_read_field(machine, level, place.within, &outer) && find_within(outer.bytes, place.number, field);
}

/* ---- text of ids, kinds ---- */

static bool hex_text(struct ottl_machine *machine, struct slice id, size_t size, struct ottl_value *value)
{
    char *text = ottl_alloc(machine, size * 2);

    if (text == NULL)
        return false;
    memset(text, '0', size * 2);
    if (id.size == size)
        encoding_write_hex(id, text);
    *value = ottl_string(slice_of(text, size * 2));
    return true;
}

static const char *const kind_words[] = { "Unspecified", "Internal", "Server", "Client", "Producer", "Consumer" };
static const char *const old_kind_words[] = { "SPAN_KIND_UNSPECIFIED", "SPAN_KIND_INTERNAL", "SPAN_KIND_SERVER", "SPAN_KIND_CLIENT",
    "SPAN_KIND_PRODUCER", "SPAN_KIND_CONSUMER" };

static struct ottl_value kind_text(enum ottl_field_kind form, uint64_t kind)
{
    const char *const *words = form == FIELD_KIND_TEXT ? kind_words : old_kind_words;

    return ottl_string(slice_of_string(kind < 6 ? words[kind] : ""));
}

static bool packed_list(struct ottl_machine *machine, const struct pb_field *field, enum ottl_field_kind kind, struct ottl_value *value)
{
    struct buffer *work = ottl_work(machine);
    struct pb_reader reader = pb_reader_of(field->bytes);

    while (reader.at < reader.end && !reader.failed) {
        uint64_t bits = 0;
        if (kind == FIELD_VARINT_LIST) {
            bits = pb_varint(&reader);
        } else if (reader.end - reader.at >= 8) {
            memcpy(&bits, reader.at, sizeof(bits));
            reader.at += 8;
        } else {
            break;
        }
        struct ottl_value item = kind == FIELD_DOUBLE_LIST ? ottl_double(pb_double(bits)) : ottl_int((int64_t)bits);
        ottl_put_item(work, &item);
    }
    return ottl_give_list(machine, value);
}

static bool key_of(const struct ottl_path *path, struct ottl_machine *machine, struct slice *key)
{
    struct ottl_value value;

    if (path->key.data != NULL) {
        *key = path->key;
        return true;
    }
    if (!ottl_evaluate(path->keys[0], machine, &value))
        return false;
    *key = value.bytes;
    return value.kind == OTTL_STRING ||
           ottl_fail(machine, "could not resolve key for map/slice, expecting 'string' but got %s", ottl_kind_name(value.kind));
}

/* ---- reading ---- */

static bool get_scalar(const struct ottl_path *path, struct ottl_machine *machine, const struct pb_field *field, struct ottl_value *value)
{
    switch (path->field->kind) {
    case FIELD_STRING:
    case FIELD_TRACE_STATE:
        *value = ottl_string(field->bytes);
        break;
    case FIELD_VARINT:
    case FIELD_FIXED64:
    case FIELD_FIXED32:
        *value = ottl_int((int64_t)field->scalar);
        break;
    case FIELD_SINT:
        *value = ottl_int(pb_zigzag_decode(field->scalar));
        break;
    case FIELD_BOOL:
        *value = ottl_bool(field->scalar != 0);
        break;
    case FIELD_DOUBLE:
        *value = ottl_double(pb_double(field->scalar));
        break;
    case FIELD_TIME:
        *value = (struct ottl_value){ .kind = OTTL_TIME, .integer = (int64_t)field->scalar };
        break;
    case FIELD_TRACE_ID:
    case FIELD_SPAN_ID:
        *value = (struct ottl_value){ .kind = path->field->kind == FIELD_TRACE_ID ? OTTL_TRACE_ID : OTTL_SPAN_ID, .bytes = field->bytes };
        break;
    case FIELD_TRACE_ID_TEXT:
    case FIELD_SPAN_ID_TEXT:
        return hex_text(machine, field->bytes, path->field->kind == FIELD_TRACE_ID_TEXT ? 16 : 8, value);
    case FIELD_KIND_TEXT:
    case FIELD_KIND_OLD_TEXT:
        *value = kind_text(path->field->kind, field->scalar);
        return true;
    default:
        return packed_list(machine, field, path->field->kind, value);
    }
    return ottl_settle_slice(machine, path->level, &value->bytes);
}

static bool get_attributes(const struct ottl_path *path, struct ottl_machine *machine, struct ottl_value *value)
{
    struct slice key;

    if (path->key_count == 0)
        return ottl_read_attributes(machine, path->level, value);
    if (!key_of(path, machine, &key))
        return false;
    *value = (struct ottl_value){ .kind = OTTL_NIL };
    if (!ottl_read_attribute(machine, path->level, key, value))
        return true;
    return ottl_index(machine, path->keys + 1, path->key_count - 1, value);
}

static bool get_any(const struct ottl_path *path, struct ottl_machine *machine, struct ottl_value *value)
{
    struct pb_field field;

    *value = (struct ottl_value){ .kind = OTTL_NIL };
    if (ottl_read_field(machine, path->level, path->field->number, &field)) {
        struct otlp_value any = otlp_value_of(field.bytes);
        *value = ottl_value_of(&any);
        if (!ottl_settle_slice(machine, path->level, &value->bytes))
            return false;
    }
    if (path->field->kind == FIELD_ANY)
        return ottl_index(machine, path->keys, path->key_count, value);
    struct slice text;
    if (!ottl_text_of(machine, value, &text))
        return false;
    *value = ottl_string(text);
    return true;
}

/* As many empty items as there are messages. */
static bool get_messages(const struct ottl_path *path, struct ottl_machine *machine, struct ottl_value *value)
{
    static const struct ottl_value nothing;
    const struct ottl_message *message = &machine->messages[path->level];
    struct place place = place_of(path, machine);
    struct pb_reader reader = pb_reader_of(message->body);
    struct buffer *work = ottl_work(machine);
    struct pb_field field;

    if (place.within != 0)
        reader = pb_reader_of(ottl_read_field(machine, path->level, place.within, &field) ? field.bytes : (struct slice){ NULL, 0 });
    while (pb_next(&reader, &field)) {
        if (field.number == place.number)
            ottl_put_item(work, &nothing);
    }
    return ottl_give_list(machine, value);
}

static bool get_trace_state(
    const struct ottl_path *path, struct ottl_machine *machine, const struct pb_field *field, struct ottl_value *value)
{
    struct slice key, found;

    if (path->key_count == 0)
        return get_scalar(path, machine, field, value);
    if (!key_of(path, machine, &key))
        return false;
    *value = ottl_string(ottl_trace_state_get(field->bytes, key, &found) ? found : SLICE(""));
    return ottl_settle_slice(machine, path->level, &value->bytes);
}

bool ottl_path_get(const struct ottl_path *path, struct ottl_machine *machine, struct ottl_value *value)
{
    static const uint8_t types[] = { 1, 2, 3, 4, 5 };
    struct pb_field field = { .number = 0 };
    struct place place;

    switch (path->field->kind) {
    case FIELD_ATTRIBUTES:
        return get_attributes(path, machine, value);
    case FIELD_ANY:
    case FIELD_ANY_TEXT:
        return get_any(path, machine, value);
    case FIELD_CACHE:
        *value = ottl_map(machine->cache);
        return ottl_index(machine, path->keys, path->key_count, value);
    case FIELD_SCHEMA_URL:
        *value = ottl_string(machine->messages[path->level].schema_changed ? buffer_slice(&machine->messages[path->level].new_schema_url)
                                                                           : machine->messages[path->level].schema_url);
        return true;
    case FIELD_METRIC_TYPE:
        *value = ottl_int(machine->metric_kind == OTLP_METRIC_NONE ? 0 : types[shape_of(machine->metric_kind)]);
        return true;
    case FIELD_PART_INDEX:
        *value = ottl_int(machine->part_index);
        return true;
    case FIELD_MESSAGES:
        return get_messages(path, machine, value);
    default:
        break;
    }
    place = place_of(path, machine);
    if (!read_place(machine, path->level, place, &field) && (place.number == 0 && path->field->numbers != NULL)) {
        *value = (struct ottl_value){ .kind = OTTL_NIL }; /* metrics of this type have no such field */
        return true;
    }
    return path->field->kind == FIELD_TRACE_STATE ? get_trace_state(path, machine, &field, value)
                                                  : get_scalar(path, machine, &field, value);
}

/* ---- setting ---- */

static bool set_attributes(const struct ottl_path *path, struct ottl_machine *machine, const struct ottl_value *value)
{
    struct ottl_value changed = { .kind = OTTL_NIL };
    struct otlp_value plain;
    struct slice key;

    if (path->key_count == 0)
        return value->kind == OTTL_MAP ? ottl_write_attributes(machine, path->level, value) : ottl_fail_kind(machine, "pcommon.Map", value);
    if (!key_of(path, machine, &key))
        return false;
    if (path->key_count > 1)
        ottl_read_attribute(machine, path->level, key, &changed);
    if (!ottl_index_set(machine, path->keys + 1, path->key_count - 1, &changed, value))
        return false;
    if (changed.kind == OTTL_MAP && changed.field != OTLP_ATTRIBUTES_OF_MAP) {
        struct buffer *work = ottl_work(machine);
        struct ottl_cursor cursor = ottl_entries(&changed);
        struct ottl_entry entry;
        while (ottl_next_entry(&cursor, &entry))
            ottl_copy_entry(work, &entry);
        if (!ottl_keep_work(machine, &changed.bytes))
            return false;
    }
    if (changed.kind > OTTL_BYTES)
        changed.kind = changed.kind == OTTL_TIME || changed.kind == OTTL_DURATION ? OTTL_INT : OTTL_BYTES;
    plain = (struct otlp_value){ (enum otlp_value_kind)changed.kind, changed.bytes, changed.integer, changed.number };
    edit_set_attribute(ottl_edit(machine, path->level), key, &plain);
    return true;
}

/* The field as bytes, for the message that it stands in. */
static void put_field(struct buffer *out, enum ottl_field_kind kind, uint32_t number, const struct ottl_value *value)
{
    switch (kind) {
    case FIELD_VARINT:
    case FIELD_BOOL:
        pb_put_varint(out, number, (uint64_t)value->integer);
        break;
    case FIELD_SINT:
        pb_put_varint(out, number, (uint64_t)value->integer << 1 ^ (uint64_t)(value->integer >> 63));
        break;
    case FIELD_FIXED64:
    case FIELD_TIME:
        pb_put_fixed64(out, number, (uint64_t)value->integer);
        break;
    case FIELD_FIXED32:
        pb_put_fixed32(out, number, (uint32_t)value->integer);
        break;
    case FIELD_DOUBLE:
        pb_put_double(out, number, value->number);
        break;
    default:
        pb_put_bytes(out, number, value->bytes);
        break;
    }
}

/* A nested message with one field written over. */
static bool set_within(const struct ottl_path *path, struct ottl_machine *machine, struct place place, const struct ottl_value *value)
{
    struct pb_field outer = { .number = 0 }, field;
    struct buffer *work = ottl_work(machine);
    struct slice kept;

    ottl_read_field(machine, path->level, place.within, &outer);
    struct pb_reader reader = pb_reader_of(outer.bytes);
    while (pb_next(&reader, &field)) {
        if (field.number != place.number)
            buffer_append_slice(work, field.raw);
    }
    put_field(work, path->field->kind, place.number, value);
    if (!ottl_keep_work(machine, &kept))
        return false;
    edit_set_bytes(ottl_edit(machine, path->level), place.within, kept);
    return true;
}

static bool is_zero_id(const struct ottl_value *value)
{
    if (value->kind != OTTL_TRACE_ID && value->kind != OTTL_SPAN_ID)
        return false;
    for (size_t i = 0; i < value->bytes.size; i++) {
        if (value->bytes.data[i] != 0)
            return false;
    }
    return true;
}

static bool set_place(const struct ottl_path *path, struct ottl_machine *machine, const struct ottl_value *value)
{
    struct place place = place_of(path, machine);
    struct buffer *work;
    struct pb_field field;
    struct slice kept;

    if (place.number == 0)
        return true; /* metrics of this type have no such field */
    if (place.within != 0)
        return set_within(path, machine, place, value);
    if (is_zero_id(value)) { /* no id is spelled by no field */
        edit_remove(ottl_edit(machine, path->level), place.number);
        return true;
    }
    work = ottl_work(machine);
    put_field(work, path->field->kind, place.number, value);
    if (!ottl_keep_work(machine, &kept))
        return false;
    struct pb_reader reader = pb_reader_of(kept);
    if (!pb_next(&reader, &field))
        return true;
    struct edit *edit = ottl_edit(machine, path->level);
    if (field.type == PB_BYTES)
        edit_set_bytes(edit, place.number, field.bytes);
    else if (field.type == PB_FIXED64)
        edit_set_fixed64(edit, place.number, field.scalar);
    else if (field.type == PB_FIXED32)
        edit_set_fixed32(edit, place.number, (uint32_t)field.scalar);
    else
        edit_set_varint(edit, place.number, field.scalar);
    if (path->field->numbers != NULL && path->level == LEVEL_PART &&
        (machine->metric_kind == OTLP_GAUGE || machine->metric_kind == OTLP_SUM) && (place.number == 4 || place.number == 6))
        edit_remove(edit, place.number == 4 ? 6 : 4); /* a point has one value */
    if (path->level == LEVEL_EXEMPLAR && (place.number == 3 || place.number == 6))
        edit_remove(edit, place.number == 3 ? 6 : 3); /* and so has an exemplar */
    return true;
}

static bool pack_list(const struct ottl_path *path, struct ottl_machine *machine, const struct ottl_value *list, struct ottl_value *packed)
{
    struct ottl_cursor cursor = ottl_items(list);
    struct buffer *work = ottl_work(machine);
    struct ottl_value item;

    if (list->kind != OTTL_LIST)
        return ottl_fail_kind(machine, "pcommon.Slice", list);
    while (ottl_next_item(&cursor, &item)) {
        uint64_t bits = path->field->kind == FIELD_DOUBLE_LIST ? pb_double_bits(item.number) : (uint64_t)item.integer;
        if (item.kind != (path->field->kind == FIELD_DOUBLE_LIST ? OTTL_DOUBLE : OTTL_INT))
            return ottl_fail_kind(machine, path->field->kind == FIELD_DOUBLE_LIST ? "float64" : "int64", &item);
        if (path->field->kind == FIELD_VARINT_LIST)
            pb_put_raw_varint(work, bits);
        else
            buffer_append(work, &bits, sizeof(bits));
    }
    return ottl_give_string(machine, packed);
}

static enum ottl_kind kind_wanted(enum ottl_field_kind kind)
{
    switch (kind) {
    case FIELD_VARINT:
    case FIELD_SINT:
    case FIELD_FIXED64:
    case FIELD_FIXED32:
        return OTTL_INT;
    case FIELD_BOOL:
        return OTTL_BOOL;
    case FIELD_DOUBLE:
        return OTTL_DOUBLE;
    case FIELD_TIME:
        return OTTL_TIME;
    case FIELD_TRACE_ID:
        return OTTL_TRACE_ID;
    case FIELD_SPAN_ID:
        return OTTL_SPAN_ID;
    default:
        return OTTL_STRING;
    }
}

static bool set_id_text(const struct ottl_path *path, struct ottl_machine *machine, const struct ottl_value *value)
{
    size_t size = path->field->kind == FIELD_TRACE_ID_TEXT ? 16 : 8;
    uint8_t id[16];

    if (value->kind != OTTL_STRING)
        return ottl_fail_kind(machine, "string", value);
    if (value->bytes.size != 2 * size || !encoding_read_hex(value->bytes, id))
        return ottl_fail(machine, "expected %zu hexadecimal digits but got \"%.*s\"", 2 * size, SLICE_PRINT(value->bytes));
    struct ottl_value bytes = ottl_string(slice_of(id, size));
    return set_place(path, machine, &bytes);
}

static bool set_kind_text(const struct ottl_path *path, struct ottl_machine *machine, const struct ottl_value *value)
{
    const char *const *words = path->field->kind == FIELD_KIND_TEXT ? kind_words : old_kind_words;

    for (uint64_t i = 0; value->kind == OTTL_STRING && i < 6; i++) {
        if (slice_equal_string(value->bytes, words[i])) {
            edit_set_varint(ottl_edit(machine, path->level), path->field->number, i);
            return true;
        }
    }
    return ottl_fail(machine, "unknown span kind");
}

static bool set_trace_state(const struct ottl_path *path, struct ottl_machine *machine, const struct ottl_value *value)
{
    struct pb_field field = { .number = 0 };
    struct ottl_value state = *value;
    struct slice key;

    if (value->kind != OTTL_STRING)
        return ottl_fail_kind(machine, "string", value);
    ottl_read_field(machine, path->level, path->field->number, &field);
    if (path->key_count > 0 && (!key_of(path, machine, &key) || !ottl_trace_state_set(machine, field.bytes, key, &state.bytes)))
        return false;
    return set_place(path, machine, &state);
}

static bool set_any(const struct ottl_path *path, struct ottl_machine *machine, const struct ottl_value *value)
{
    struct ottl_value changed = { .kind = OTTL_NIL };
    struct buffer *work;
    struct slice kept;

    if (path->field->kind == FIELD_ANY && path->key_count > 0) {
        struct ottl_path whole = *path;
        whole.key_count = 0;
        if (!get_any(&whole, machine, &changed))
            return false;
    }
    if (!ottl_index_set(machine, path->keys, path->key_count, &changed, value))
        return false;
    work = ottl_work(machine);
    ottl_put_any(work, path->field->number, &changed);
    if (!ottl_keep_work(machine, &kept))
        return false;
    struct pb_reader reader = pb_reader_of(kept);
    struct pb_field field;
    if (pb_next(&reader, &field))
        edit_set_bytes(ottl_edit(machine, path->level), path->field->number, field.bytes);
    return true;
}

static bool set_schema_url(struct ottl_message *message, struct ottl_machine *machine, const struct ottl_value *value)
{
    if (value->kind != OTTL_STRING)
        return ottl_fail_kind(machine, "string", value);
    buffer_clear(&message->new_schema_url);
    buffer_append_slice(&message->new_schema_url, value->bytes);
    message->schema_changed = true;
    return !message->new_schema_url.failed || ottl_fail(machine, "out of memory");
}

static bool set_cache(const struct ottl_path *path, struct ottl_machine *machine, const struct ottl_value *value)
{
    struct ottl_value map = ottl_map(machine->cache);

    if (!ottl_index_set(machine, path->keys, path->key_count, &map, value))
        return false;
    if (map.kind != OTTL_MAP)
        return ottl_fail_kind(machine, "pcommon.Map", &map);
    if (map.field != OTLP_ATTRIBUTES_OF_MAP) {
        struct ottl_cursor cursor = ottl_entries(&map);
        struct buffer *work = ottl_work(machine);
        struct ottl_entry entry;
        while (ottl_next_entry(&cursor, &entry))
            ottl_copy_entry(work, &entry);
        return ottl_keep_work(machine, &machine->cache);
    }
    machine->cache = map.bytes;
    return true;
}

bool ottl_path_set(const struct ottl_path *path, struct ottl_machine *machine, const struct ottl_value *value)
{
    struct ottl_value packed;

    switch (path->field->kind) {
    case FIELD_ATTRIBUTES:
        return set_attributes(path, machine, value);
    case FIELD_ANY:
    case FIELD_ANY_TEXT:
        return set_any(path, machine, value);
    case FIELD_CACHE:
        return set_cache(path, machine, value);
    case FIELD_SCHEMA_URL:
        return set_schema_url(&machine->messages[path->level], machine, value);
    case FIELD_TRACE_STATE:
        return set_trace_state(path, machine, value);
    case FIELD_TRACE_ID_TEXT:
    case FIELD_SPAN_ID_TEXT:
        return set_id_text(path, machine, value);
    case FIELD_KIND_TEXT:
    case FIELD_KIND_OLD_TEXT:
        return set_kind_text(path, machine, value);
    case FIELD_FIXED64_LIST:
    case FIELD_VARINT_LIST:
    case FIELD_DOUBLE_LIST:
        return pack_list(path, machine, value, &packed) && set_place(path, machine, &packed);
    case FIELD_METRIC_TYPE:
    case FIELD_PART_INDEX:
    case FIELD_MESSAGES:
        return ottl_fail(machine, "%s cannot be set", path->field->name);
    default:
        if (value->kind != kind_wanted(path->field->kind))
            return ottl_fail_kind(machine, ottl_kind_name(kind_wanted(path->field->kind)), value);
        return set_place(path, machine, value);
    }
}
