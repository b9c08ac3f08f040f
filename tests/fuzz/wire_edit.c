/*
 * Edits of any message by any steps: what is written must be well-formed, hold what was set, and nothing that was removed.
 * The input is a list of steps, of a kind, a key and a value each; the rest is the message.
 */
#include <assert.h>

#include "collector/wire/edit.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

enum { ATTRIBUTES = OTLP_ATTRIBUTES_OF_SPAN, MAX_STEPS = 16 };

struct input {
    const uint8_t *at, *end;
};

static uint8_t next_byte(struct input *input)
{
    return input->at < input->end ? *input->at++ : 0;
}

static struct slice next_slice(struct input *input)
{
    size_t size = next_byte(input) % 40, left = (size_t)(input->end - input->at);
    struct slice slice = { input->at, size < left ? size : left };

    input->at += slice.size;
    return slice;
}

static void check_set(struct edit *edit, struct slice key, struct input *input)
{
    struct otlp_value value = { .kind = (enum otlp_value_kind)(next_byte(input) % (OTLP_VALUE_BYTES + 1)) };
    struct otlp_value found;

    if (value.kind == OTLP_VALUE_STRING || value.kind == OTLP_VALUE_BYTES)
        value.bytes = next_slice(input);
    else if (value.kind == OTLP_VALUE_INT)
        value.integer = (int64_t)next_byte(input) - 128;
    edit_set_attribute(edit, key, &value);
    if (edit->failed)
        return;
    assert(edit_get_attribute(edit, key, &found));
    assert(found.kind == value.kind && found.integer == value.integer && slice_equal(found.bytes, value.bytes));
}

static void take_step(struct edit *edit, struct input *input)
{
    uint8_t kind = next_byte(input);
    struct slice key = next_slice(input);
    struct otlp_value found;

    switch (kind % 6) {
    case 0:
        check_set(edit, key, input);
        break;
    case 1:
        edit_remove_attribute(edit, key);
        assert(!edit_get_attribute(edit, key, &found));
        break;
    case 2: {
        struct slice new_key = next_slice(input);
        bool present = edit_get_attribute(edit, key, &found);
        edit_rename_attribute(edit, key, new_key);
        assert(!present || edit->failed || edit_get_attribute(edit, new_key, &found));
        break;
    }
    case 3:
        edit_set_bytes(edit, 5, key);
        break;
    case 4:
        edit_set_fixed64(edit, 7, key.size);
        break;
    case 5:
        edit_remove(edit, next_byte(input) % 20);
        break;
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct input input = { data, data + size };
    size_t half = size / 2;
    struct edit edit = { 0 };
    struct buffer out = { 0 };

    edit_open(&edit, (struct slice){ data + half, size - half }, ATTRIBUTES);
    bool well_formed = !edit.failed;
    input.end = data + half;
    for (size_t steps = 0; steps < MAX_STEPS && input.at < input.end && !edit.failed; steps++)
        take_step(&edit, &input);
    edit_write(&edit, 0, &out);
    assert(out.failed == !well_formed);
    struct pb_reader reader = pb_reader_of(buffer_slice(&out));
    struct pb_field field;
    while (pb_next(&reader, &field))
        continue;
    assert(!reader.failed);
    if (well_formed && !edit.changed)
        assert(slice_equal(buffer_slice(&out), (struct slice){ data + half, size - half }));
    edit_fini(&edit);
    buffer_fini(&out);
    return 0;
}
