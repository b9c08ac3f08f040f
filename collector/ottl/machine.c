/*
 * The machine: messages under edit, and memory for intermediate values.
 *
 * Values are handed out from blocks that are reused from visit to visit, so that a warm machine does not allocate. Limits: VISIT_MAX
 * bytes a visit. Threads: one machine a thread.
 */
#include "collector/ottl/machine.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include "collector/ottl/regex.h"

enum { BLOCK_SIZE = 16 << 10, VISIT_MAX = 64 << 20 };

struct ottl_block {
    struct ottl_block *next;
    size_t size;
    _Alignas(16) uint8_t bytes[];
};

struct ottl_machine *ottl_machine_create(ottl_told told, void *context)
{
    struct ottl_machine *machine = calloc(1, sizeof(*machine));

    if (machine == NULL)
        return NULL;
    machine->told = told;
    machine->told_context = context;
    machine->matcher = ottl_matcher_create();
    machine->work.limit = machine->parts.limit = machine->exemplars.limit = VISIT_MAX;
    if (machine->matcher == NULL) {
        ottl_machine_destroy(machine);
        return NULL;
    }
    return machine;
}

static void free_blocks(struct ottl_block *block)
{
    while (block != NULL) {
        struct ottl_block *next = block->next;

        free(block);
        block = next;
    }
}

void ottl_machine_destroy(struct ottl_machine *machine)
{
    if (machine == NULL)
        return;
    for (size_t i = 0; i < LEVEL_COUNT; i++) {
        edit_fini(&machine->messages[i].edit);
        buffer_fini(&machine->messages[i].new_schema_url);
    }
    buffer_fini(&machine->work);
    buffer_fini(&machine->parts);
    buffer_fini(&machine->exemplars);
    buffer_fini(&machine->metrics);
    buffer_fini(&machine->spare);
    free_blocks(machine->blocks);
    ottl_matcher_destroy(machine->matcher);
    free(machine);
}

const char *ottl_machine_error(const struct ottl_machine *machine)
{
    return machine->err.message;
}

/* ---- memory ---- */

void ottl_machine_reset(struct ottl_machine *machine)
{
    if (machine->blocks != NULL && machine->current != machine->blocks) {
        free_blocks(machine->blocks->next);
        machine->blocks->next = NULL;
    }
    machine->current = machine->blocks;
    machine->used = machine->kept = 0;
    machine->cache = (struct slice){ NULL, 0 };
}

static bool add_block(struct ottl_machine *machine, size_t size)
{
    struct ottl_block *block = malloc(sizeof(*block) + size);

    if (block == NULL)
        return false;
    block->next = NULL;
    block->size = size;
    if (machine->current != NULL)
        machine->current->next = block;
    else
        machine->blocks = block;
    machine->current = block;
    machine->used = 0;
    return true;
}

void *ottl_alloc(struct ottl_machine *machine, size_t size)
{
    size_t rounded = (size + 15) & ~(size_t)15;
    void *memory;

    machine->kept += rounded;
    if (machine->kept > VISIT_MAX) {
        ottl_fail(machine, "more than %d bytes of intermediate values", VISIT_MAX);
        return NULL;
    }
    if ((machine->current == NULL || machine->current->size - machine->used < rounded) &&
        !add_block(machine, rounded > BLOCK_SIZE ? rounded : BLOCK_SIZE)) {
        ottl_fail(machine, "out of memory");
        return NULL;
    }
    memory = machine->current->bytes + machine->used;
    machine->used += rounded;
    return memory;
}

bool ottl_keep(struct ottl_machine *machine, struct slice bytes, struct slice *kept)
{
    uint8_t *copy = ottl_alloc(machine, bytes.size);

    if (copy == NULL)
        return false;
    if (bytes.size > 0)
        memcpy(copy, bytes.data, bytes.size);
    *kept = (struct slice){ copy, bytes.size };
    return true;
}

struct buffer *ottl_work(struct ottl_machine *machine)
{
    buffer_clear(&machine->work);
    return &machine->work;
}

bool ottl_keep_work(struct ottl_machine *machine, struct slice *kept)
{
    if (machine->work.failed)
        return ottl_fail(machine, "out of memory");
    return ottl_keep(machine, buffer_slice(&machine->work), kept);
}

bool ottl_give_string(struct ottl_machine *machine, struct ottl_value *value)
{
    *value = ottl_string((struct slice){ NULL, 0 });
    return ottl_keep_work(machine, &value->bytes);
}

bool ottl_give_list(struct ottl_machine *machine, struct ottl_value *value)
{
    *value = ottl_list((struct slice){ NULL, 0 });
    return ottl_keep_work(machine, &value->bytes);
}

bool ottl_give_map(struct ottl_machine *machine, struct ottl_value *value)
{
    *value = ottl_map((struct slice){ NULL, 0 });
    return ottl_keep_work(machine, &value->bytes);
}

bool ottl_fail(struct ottl_machine *machine, const char *format, ...)
{
    va_list arguments;

    if (machine->quiet)
        return false;
    va_start(arguments, format);
    vsnprintf(machine->err.message, sizeof(machine->err.message), format, arguments);
    va_end(arguments);
    return false;
}

bool ottl_fail_kind(struct ottl_machine *machine, const char *expected, const struct ottl_value *got)
{
    return ottl_fail(machine, "expected %s but got %s", expected, ottl_kind_name(got->kind));
}

/* ---- messages ---- */

void ottl_message_begin(struct ottl_machine *machine, enum ottl_level level, struct slice body, uint32_t attributes_field)
{
    struct ottl_message *message = &machine->messages[level];

    message->body = body;
    message->attributes_field = attributes_field;
    message->open = message->schema_changed = false;
}

bool ottl_message_changed(const struct ottl_message *message)
{
    return message->open && (message->edit.changed || message->edit.failed);
}

struct edit *ottl_edit(struct ottl_machine *machine, enum ottl_level level)
{
    struct ottl_message *message = &machine->messages[level];

    if (!message->open) {
        edit_open(&message->edit, message->body, message->attributes_field);
        message->open = true;
    }
    return &message->edit;
}

bool ottl_settle_slice(struct ottl_machine *machine, enum ottl_level level, struct slice *bytes)
{
    const struct buffer *memory = &machine->messages[level].edit.scratch;
    bool within = machine->messages[level].open && (uintptr_t)bytes->data - (uintptr_t)memory->data < memory->size;

    return !within || bytes->size == 0 || ottl_keep(machine, *bytes, bytes);
}

bool ottl_read_field(const struct ottl_machine *machine, enum ottl_level level, uint32_t number, struct pb_field *field)
{
    const struct ottl_message *message = &machine->messages[level];
    bool found = false;
    struct pb_field next;

    if (message->open)
        return edit_get(&message->edit, number, field);
    struct pb_reader reader = pb_reader_of(message->body);
    while (pb_next(&reader, &next)) {
        if (next.number == number) {
            *field = next;
            found = true;
        }
    }
    return found;
}

bool ottl_read_attribute(struct ottl_machine *machine, enum ottl_level level, struct slice key, struct ottl_value *value)
{
    const struct ottl_message *message = &machine->messages[level];
    struct otlp_value found;

    if (!message->open) {
        if (!otlp_find_attribute(message->body, (enum otlp_attributes_field)message->attributes_field, key, &found))
            return false;
        *value = ottl_value_of(&found);
        return true;
    }
    if (!edit_get_attribute(&message->edit, key, &found))
        return false;
    *value = ottl_value_of(&found);
    return ottl_settle_slice(machine, level, &value->bytes);
}

bool ottl_read_attributes(struct ottl_machine *machine, enum ottl_level level, struct ottl_value *map)
{
    const struct ottl_message *message = &machine->messages[level];
    struct otlp_attribute attribute;
    size_t cursor = 0;

    *map = (struct ottl_value){ .kind = OTTL_MAP, .field = message->attributes_field, .bytes = message->body };
    if (!message->open)
        return true;
    struct buffer *work = ottl_work(machine);
    while (edit_attribute_at(&message->edit, &cursor, &attribute))
        buffer_append_slice(work, attribute.raw);
    return ottl_keep_work(machine, &map->bytes);
}

bool ottl_write_attributes(struct ottl_machine *machine, enum ottl_level level, const struct ottl_value *map)
{
    struct ottl_cursor cursor = ottl_entries(map);
    struct pb_field field, content;
    struct edit *edit;

    if (cursor.field == 0)
        return ottl_fail(machine, "there are no attributes to set");
    edit = ottl_edit(machine, level);
    edit_clear_attributes(edit);
    while (pb_next(&cursor.reader, &field)) {
        struct pb_reader reader = pb_reader_of(field.raw);
        if (field.number == map->field && field.type == PB_BYTES && pb_next(&reader, &content))
            edit_append_attribute(edit, content.bytes);
    }
    return !edit->failed || ottl_fail(machine, "out of memory");
}
