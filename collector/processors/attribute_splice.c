/*
 * Attributes by one scan.
 *
 * Cost: some two nanoseconds a field passed over, a comparison for each attribute whose key is as long as one that is looked for; then one copy of
 * the message. Threads: none of its own; what was added at start is read by any number.
 */
#include "collector/processors/attribute_splice.h"

enum { KEY = 1, VALUE = 2 };

/* ---- at start ---- */

size_t attribute_splice_key(struct attribute_splice *splice, struct slice key)
{
    size_t i = 0;

    while (i < splice->key_count && !slice_equal(splice->keys[i], key))
        i++;
    if (i == SPLICE_KEYS_MAX)
        return i;
    if (i == splice->key_count)
        splice->keys[splice->key_count++] = key;
    splice->sizes |= UINT64_C(1) << (key.size & 63);
    return i;
}

static void put_value(struct buffer *out, const struct otlp_value *value)
{
    if (value->kind == OTLP_VALUE_BOOL || value->kind == OTLP_VALUE_INT)
        pb_put_varint(out, value->kind, (uint64_t)value->integer);
    else if (value->kind == OTLP_VALUE_DOUBLE)
        pb_put_double(out, OTLP_VALUE_DOUBLE, value->number);
    else if (value->kind != OTLP_VALUE_EMPTY)
        pb_put_bytes(out, value->kind, value->bytes);
}

static struct slice make_field(struct arena *arena, struct slice key, const struct otlp_value *value)
{
    struct buffer any = { .data = NULL }, content = { .data = NULL }, field = { .data = NULL };
    struct slice kept;

    put_value(&any, value);
    pb_put_bytes(&content, KEY, key);
    pb_put_bytes(&content, VALUE, buffer_slice(&any));
    pb_put_raw_varint(&field, content.size);
    buffer_append_slice(&field, buffer_slice(&content));
    kept = slice_of(memcpy(arena_alloc(arena, field.size), field.data, field.size), field.size);
    buffer_fini(&any);
    buffer_fini(&content);
    buffer_fini(&field);
    return kept;
}

bool attribute_splice_add(struct attribute_splice *splice, enum splice_kind kind, struct slice key, const struct otlp_value *value)
{
    struct splice_step step = { .kind = kind, .key = attribute_splice_key(splice, key) };

    if (step.key == SPLICE_KEYS_MAX || splice->step_count == SPLICE_STEPS_MAX)
        return false;
    if (kind != SPLICE_DELETE)
        step.field = make_field(splice->arena, key, value);
    splice->steps[splice->step_count++] = step;
    return true;
}

/* ---- finding ---- */

static void note(const struct attribute_splice *splice, struct slice key, struct slice field, struct splice_found *found)
{
    for (size_t i = 0; i < splice->key_count; i++) {
        if (!slice_equal(splice->keys[i], key))
            continue;
        found->twice = found->twice || found->fields[i].data != NULL;
        if (found->fields[i].data == NULL)
            found->fields[i] = field;
        return;
    }
}

void attribute_splice_find(
    const struct attribute_splice *splice, struct slice message, uint32_t attributes_field, struct splice_found *found)
{
    const uint8_t tag = (uint8_t)(attributes_field << 3 | PB_BYTES);
    struct pb_reader reader = pb_reader_of(message);
    struct pb_field field;

    for (size_t i = 0; i < splice->key_count; i++)
        found->fields[i] = (struct slice){ NULL, 0 };
    found->twice = false;
    while (reader.at < reader.end) {
        const uint8_t *at = reader.at;
        size_t size = pb_short_size(at, (size_t)(reader.end - at));
        if (size > 0 && (at[0] != tag || otlp_is_plain_key_value(at + 2, size - 2))) {
            if (at[0] == tag && (splice->sizes >> (at[3] & 63) & 1) != 0)
                note(splice, slice_of(at + 4, at[3]), slice_of(at, size), found);
            reader.at += size;
        } else if (!pb_next(&reader, &field)) {
            return;
        } else if (field.number == attributes_field && field.type == PB_BYTES) {
            note(splice, otlp_key_of(field.bytes), field.raw, found);
        }
    }
}

/* ---- changing ---- */

enum { AS_IT_IS = -1, GONE = -2 };

static void run_steps(const struct attribute_splice *splice, const struct splice_found *found, int states[SPLICE_KEYS_MAX])
{
    for (size_t i = 0; i < splice->key_count; i++)
        states[i] = found->fields[i].data != NULL ? AS_IT_IS : GONE;
    for (size_t i = 0; i < splice->step_count; i++) {
        const struct splice_step *step = &splice->steps[i];
        int *state = &states[step->key];
        if (step->kind == SPLICE_DELETE)
            *state = GONE;
        else if (step->kind == SPLICE_UPSERT || (step->kind == SPLICE_INSERT) == (*state == GONE))
            *state = (int)i;
    }
}

static void add_piece(struct splice_result *result, struct slice bytes, bool is_new)
{
    if (bytes.size == 0)
        return;
    result->pieces[result->count++] = (struct splice_piece){ bytes, is_new };
    result->size += bytes.size + is_new;
}

/* Keys that are there and change, in the order in which they stand. Tags of attributes are one byte in all messages. */
static size_t changed_in_order(
    const struct attribute_splice *splice, const struct splice_found *found, const int *states, size_t order[SPLICE_KEYS_MAX])
{
    size_t count = 0;

    for (size_t i = 0; i < splice->key_count; i++) {
        struct slice old = found->fields[i];
        if (old.data == NULL || states[i] == AS_IT_IS)
            continue;
        if (states[i] >= 0 && slice_equal(slice_of(old.data + 1, old.size - 1), splice->steps[states[i]].field))
            continue;
        size_t k = count++;
        for (; k > 0 && found->fields[order[k - 1]].data > old.data; k--)
            order[k] = order[k - 1];
        order[k] = i;
    }
    return count;
}

bool attribute_splice_run(
    const struct attribute_splice *splice, struct slice message, const struct splice_found *found, struct splice_result *result)
{
    int states[SPLICE_KEYS_MAX];
    size_t order[SPLICE_KEYS_MAX], count;
    const uint8_t *at = message.data;
    bool appended = false;

    run_steps(splice, found, states);
    count = changed_in_order(splice, found, states, order);
    result->count = result->size = 0;
    for (size_t i = 0; i < count; i++) {
        struct slice old = found->fields[order[i]];
        add_piece(result, slice_of(at, (size_t)(old.data - at)), false);
        if (states[order[i]] >= 0)
            add_piece(result, splice->steps[states[order[i]]].field, true);
        at = old.data + old.size;
    }
    if (message.size > 0)
        add_piece(result, slice_of(at, (size_t)(message.data + message.size - at)), false);
    for (size_t i = 0; i < splice->key_count; i++) {
        if (found->fields[i].data != NULL || states[i] < 0)
            continue;
        add_piece(result, splice->steps[states[i]].field, true);
        appended = true;
    }
    return count > 0 || appended;
}

void attribute_splice_write(const struct splice_result *result, uint32_t number, struct buffer *out)
{
    uint8_t *at;

    if (!buffer_reserve(out, result->size + 2 * 10))
        return;
    pb_put_tag(out, number, PB_BYTES);
    pb_put_raw_varint(out, result->size);
    at = out->data + out->size;
    for (size_t i = 0; i < result->count; i++) {
        const struct splice_piece *piece = &result->pieces[i];
        if (piece->is_new)
            *at++ = result->tag;
        memcpy(at, piece->bytes.data, piece->bytes.size);
        at += piece->bytes.size;
    }
    out->size += result->size;
}
