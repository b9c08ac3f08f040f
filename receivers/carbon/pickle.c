/*
 * A stack machine over values that know no code. Cost: some 50 ns a value. Limits: PICKLE_MAX_VALUES values, and as many memo entries;
 * nothing recurses.
 */
#include "receivers/carbon/pickle.h"

#include <stdio.h>
#include <stdlib.h>

enum value_kind { VALUE_NONE, VALUE_MARK, VALUE_INT, VALUE_DOUBLE, VALUE_TEXT, VALUE_TUPLE, VALUE_LIST };

struct value {
    enum value_kind kind;
    uint32_t next, first, last, count; /* indexes plus 1: of the next one in a sequence, and of a sequence's own */
    union {
        int64_t integer;
        double number;
        struct slice text;
    };
};

struct machine {
    const uint8_t *at, *end;
    struct value *values; /* owned */
    size_t value_count, value_capacity;
    uint32_t *stack; /* owned; indexes plus 1 */
    size_t depth, stack_capacity;
    uint32_t *memo; /* owned; 0: nothing */
    size_t memo_capacity, memo_next;
    const char *fault;
};

static bool refuse(struct machine *machine, const char *fault)
{
    machine->fault = fault;
    return false;
}

/* ---- memory ---- */

static bool grow(void **items, size_t *capacity, size_t size, size_t wanted)
{
    size_t larger = *capacity > 0 ? *capacity : 64;
    void *memory;

    if (wanted <= *capacity)
        return true;
    while (larger < wanted)
        larger *= 2;
    memory = realloc(*items, larger * size);
    if (memory == NULL)
        return false;
    memset((char *)memory + *capacity * size, 0, (larger - *capacity) * size);
    *items = memory;
    *capacity = larger;
    return true;
}

static bool push(struct machine *machine, struct value value)
{
    if (machine->value_count >= PICKLE_MAX_VALUES)
        return refuse(machine, "too_many_values");
    if (!grow((void **)&machine->values, &machine->value_capacity, sizeof(*machine->values), machine->value_count + 1) ||
        !grow((void **)&machine->stack, &machine->stack_capacity, sizeof(*machine->stack), machine->depth + 1))
        return refuse(machine, "memory");
    value.next = 0;
    machine->values[machine->value_count++] = value;
    machine->stack[machine->depth++] = (uint32_t)machine->value_count;
    return true;
}

static struct value *value_at(const struct machine *machine, uint32_t index)
{
    return &machine->values[index - 1];
}

/* ---- reading operands ---- */

static bool take(struct machine *machine, size_t size, const uint8_t **bytes)
{
    if ((size_t)(machine->end - machine->at) < size)
        return refuse(machine, "cut_pickle");
    *bytes = machine->at;
    machine->at += size;
    return true;
}

static bool take_number(struct machine *machine, size_t size, uint64_t *value)
{
    const uint8_t *bytes;

    *value = 0;
    if (!take(machine, size, &bytes))
        return false;
    memcpy(value, bytes, size);
    return true;
}

static bool take_line(struct machine *machine, struct slice *line)
{
    const uint8_t *end = machine->at < machine->end ? memchr(machine->at, '\n', (size_t)(machine->end - machine->at)) : NULL;

    if (end == NULL)
        return refuse(machine, "cut_pickle");
    *line = slice_of(machine->at, (size_t)(end - machine->at));
    machine->at = end + 1;
    return true;
}

static bool push_int(struct machine *machine, int64_t value)
{
    return push(machine, (struct value){ .kind = VALUE_INT, .integer = value });
}

static bool push_text(struct machine *machine, size_t size_of_size)
{
    uint64_t size;
    const uint8_t *bytes;

    if (!take_number(machine, size_of_size, &size) || !take(machine, size, &bytes))
        return false;
    return push(machine, (struct value){ .kind = VALUE_TEXT, .text = slice_of(bytes, size) });
}

/* Protocol 0's: 'text' in quotes, or bare up to the line's end; escapes are not undone, names need none. */
static bool push_text_line(struct machine *machine, bool is_quoted)
{
    struct slice line;

    if (!take_line(machine, &line))
        return false;
    if (is_quoted) {
        if (line.size < 2 || (line.data[0] != '\'' && line.data[0] != '"') || line.data[line.size - 1] != line.data[0])
            return refuse(machine, "bad_pickle");
        line = slice_of(line.data + 1, line.size - 2);
    }
    return push(machine, (struct value){ .kind = VALUE_TEXT, .text = line });
}

/* "12", "12L", "1.5", and 00 and 01 for booleans: the point's own reader decides what the text says. */
static bool push_number_line(struct machine *machine)
{
    struct slice line;

    if (!take_line(machine, &line))
        return false;
    if (line.size > 0 && line.data[line.size - 1] == 'L')
        line.size--;
    return push(machine, (struct value){ .kind = VALUE_TEXT, .text = line });
}

static bool push_long(struct machine *machine)
{
    uint64_t size, value;

    if (!take_number(machine, 1, &size))
        return false;
    if (size > 8)
        return refuse(machine, "bad_pickle");
    if (!take_number(machine, size, &value))
        return false;
    if (size > 0 && size < 8 && (value >> (size * 8 - 1) & 1) != 0)
        value |= UINT64_MAX << size * 8;
    return push_int(machine, (int64_t)value);
}

static bool push_float(struct machine *machine)
{
    uint64_t bits;

    if (!take_number(machine, 8, &bits))
        return false;
    return push(machine, (struct value){ .kind = VALUE_DOUBLE, .number = pb_double(__builtin_bswap64(bits)) });
}

/* ---- sequences ---- */

static void append(struct machine *machine, struct value *sequence, uint32_t item)
{
    if (sequence->last != 0)
        value_at(machine, sequence->last)->next = item;
    else
        sequence->first = item;
    sequence->last = item;
    sequence->count++;
}

/* The top `count` values become one, in their place. */
static bool make_sequence(struct machine *machine, enum value_kind kind, size_t count)
{
    struct value sequence = { .kind = kind };

    if (machine->depth < count)
        return refuse(machine, "bad_pickle");
    for (size_t i = machine->depth - count; i < machine->depth; i++) {
        if (value_at(machine, machine->stack[i])->kind == VALUE_MARK)
            return refuse(machine, "bad_pickle");
        append(machine, &sequence, machine->stack[i]);
    }
    machine->depth -= count;
    return push(machine, sequence);
}

/* Values above the topmost mark; false: there is none. */
static bool above_mark(struct machine *machine, size_t *count)
{
    for (size_t i = machine->depth; i > 0; i--) {
        if (value_at(machine, machine->stack[i - 1])->kind != VALUE_MARK)
            continue;
        *count = machine->depth - i;
        return true;
    }
    return refuse(machine, "bad_pickle");
}

static bool make_marked(struct machine *machine, enum value_kind kind)
{
    size_t count;
    uint32_t sequence;

    if (!above_mark(machine, &count) || !make_sequence(machine, kind, count))
        return false;
    sequence = machine->stack[machine->depth - 1];
    machine->depth--;
    machine->stack[machine->depth - 1] = sequence; /* where the mark was */
    return true;
}

/* The top `count` values go to the end of the list below them, and below the mark if there is one. */
static bool append_to_list(struct machine *machine, size_t count, size_t marks)
{
    struct value *list;

    if (machine->depth < count + marks + 1)
        return refuse(machine, "bad_pickle");
    list = value_at(machine, machine->stack[machine->depth - count - marks - 1]);
    if (list->kind != VALUE_LIST)
        return refuse(machine, "bad_pickle");
    for (size_t i = machine->depth - count; i < machine->depth; i++)
        append(machine, list, machine->stack[i]);
    machine->depth -= count + marks;
    return true;
}

static bool append_marked(struct machine *machine)
{
    size_t count;

    return above_mark(machine, &count) && append_to_list(machine, count, 1);
}

/* ---- memo ---- */

static bool memo_put(struct machine *machine, uint64_t place)
{
    if (machine->depth == 0)
        return refuse(machine, "bad_pickle");
    if (place >= PICKLE_MAX_VALUES)
        return refuse(machine, "too_many_values");
    if (!grow((void **)&machine->memo, &machine->memo_capacity, sizeof(*machine->memo), place + 1))
        return refuse(machine, "memory");
    machine->memo[place] = machine->stack[machine->depth - 1];
    return true;
}

/* A copy: the same value may stand in several sequences. */
static bool memo_get(struct machine *machine, uint64_t place)
{
    if (place >= machine->memo_capacity || machine->memo[place] == 0)
        return refuse(machine, "bad_pickle");
    return push(machine, *value_at(machine, machine->memo[place]));
}

static bool memo_line(struct machine *machine, bool is_put)
{
    struct slice line;
    uint64_t place = 0;

    if (!take_line(machine, &line))
        return false;
    if (line.size == 0 || line.size > 9)
        return refuse(machine, "bad_pickle");
    for (size_t i = 0; i < line.size; i++) {
        if (line.data[i] < '0' || line.data[i] > '9')
            return refuse(machine, "bad_pickle");
        place = place * 10 + (uint64_t)(line.data[i] - '0');
    }
    return is_put ? memo_put(machine, place) : memo_get(machine, place);
}

static bool memo_number(struct machine *machine, size_t size, bool is_put)
{
    uint64_t place;

    return take_number(machine, size, &place) && (is_put ? memo_put(machine, place) : memo_get(machine, place));
}

/* ---- operations ---- */

static bool push_fixed(struct machine *machine, size_t size)
{
    uint64_t value;

    return take_number(machine, size, &value) && push_int(machine, size == 4 ? (int32_t)(uint32_t)value : (int64_t)value);
}

static bool skip(struct machine *machine, size_t size)
{
    const uint8_t *bytes;

    return take(machine, size, &bytes);
}

static bool operate_on_texts(struct machine *machine, uint8_t operation)
{
    switch (operation) {
    case 'X':
    case 'T':
    case 'B':
        return push_text(machine, 4);
    case 0x8c:
    case 'U':
    case 'C':
        return push_text(machine, 1);
    case 0x8d:
    case 0x8e:
        return push_text(machine, 8);
    case 'S':
        return push_text_line(machine, true);
    case 'V':
        return push_text_line(machine, false);
    default:
        return refuse(machine, "program");
    }
}

static bool operate_on_memo(struct machine *machine, uint8_t operation)
{
    switch (operation) {
    case 'q':
        return memo_number(machine, 1, true);
    case 'r':
        return memo_number(machine, 4, true);
    case 'p':
        return memo_line(machine, true);
    case 'h':
        return memo_number(machine, 1, false);
    case 'j':
        return memo_number(machine, 4, false);
    case 'g':
        return memo_line(machine, false);
    case 0x94:
        return memo_put(machine, machine->memo_next++);
    default:
        return operate_on_texts(machine, operation);
    }
}

static bool operate_on_sequences(struct machine *machine, uint8_t operation)
{
    switch (operation) {
    case '(':
        return push(machine, (struct value){ .kind = VALUE_MARK });
    case ']':
        return push(machine, (struct value){ .kind = VALUE_LIST });
    case ')':
        return push(machine, (struct value){ .kind = VALUE_TUPLE });
    case 'l':
        return make_marked(machine, VALUE_LIST);
    case 't':
        return make_marked(machine, VALUE_TUPLE);
    case 0x85:
    case 0x86:
    case 0x87:
        return make_sequence(machine, VALUE_TUPLE, (size_t)operation - 0x84);
    case 'a':
        return append_to_list(machine, 1, 0);
    case 'e':
        return append_marked(machine);
    default:
        return operate_on_memo(machine, operation);
    }
}

static bool operate(struct machine *machine, uint8_t operation)
{
    switch (operation) {
    case 0x80: /* protocol */
        return skip(machine, 1);
    case 0x95: /* frame */
        return skip(machine, 8);
    case 'N':
        return push(machine, (struct value){ .kind = VALUE_NONE });
    case 'J':
        return push_fixed(machine, 4);
    case 'M':
        return push_fixed(machine, 2);
    case 'K':
        return push_fixed(machine, 1);
    case 0x8a:
        return push_long(machine);
    case 'G':
        return push_float(machine);
    case 'I':
    case 'L':
    case 'F':
        return push_number_line(machine);
    default:
        return operate_on_sequences(machine, operation);
    }
}

/* ---- points ---- */

/* The values of a pair. */
static bool pair(const struct machine *machine, const struct value *value, const struct value **first, const struct value **second)
{
    if ((value->kind != VALUE_TUPLE && value->kind != VALUE_LIST) || value->count != 2)
        return false;
    *first = value_at(machine, value->first);
    *second = value_at(machine, (*first)->next);
    return true;
}

static struct slice text_of(const struct value *value, char out[40])
{
    if (value->kind == VALUE_TEXT)
        return value->text;
    if (value->kind == VALUE_INT)
        return slice_of(out, (size_t)snprintf(out, 40, "%lld", (long long)value->integer));
    if (value->kind == VALUE_DOUBLE)
        return slice_of(out, (size_t)snprintf(out, 40, "%.17g", value->number));
    return slice_of(NULL, 0);
}

static void visit_one(const struct machine *machine, const struct value *item, uint64_t now_ns, const struct pickle_visit *visit)
{
    const struct value *path, *data, *time, *value;
    struct carbon_point point = { .is_int = false };
    char time_text[40], value_text[40];
    const char *fault = "bad_pickle";

    if (pair(machine, item, &path, &data) && path->kind == VALUE_TEXT && pair(machine, data, &time, &value)) {
        point.path = path->text;
        fault = path->text.size > CARBON_MAX_LINE ? "too_long" : carbon_value(text_of(value, value_text), &point);
        if (fault == NULL)
            fault = carbon_time(text_of(time, time_text), now_ns, &point);
    }
    if (fault == NULL)
        visit->point(visit->context, &point);
    else
        visit->bad_point(visit->context, fault);
}

static const char *visit_all(const struct machine *machine, uint64_t now_ns, const struct pickle_visit *visit)
{
    const struct value *list = machine->depth == 1 ? value_at(machine, machine->stack[0]) : NULL;
    uint32_t item;

    if (list == NULL || (list->kind != VALUE_LIST && list->kind != VALUE_TUPLE))
        return "bad_pickle";
    item = list->first;
    for (uint32_t i = 0; i < list->count && item != 0; i++, item = value_at(machine, item)->next)
        visit_one(machine, value_at(machine, item), now_ns, visit);
    return NULL;
}

const char *pickle_read(struct slice pickle, uint64_t now_ns, const struct pickle_visit *visit)
{
    struct machine machine = { .at = pickle.data, .end = pickle.data + pickle.size };
    const char *fault = "cut_pickle";

    while (machine.at < machine.end) {
        uint8_t operation = *machine.at++;

        if (operation == '.') {
            fault = visit_all(&machine, now_ns, visit);
            break;
        }
        if (!operate(&machine, operation)) {
            fault = machine.fault;
            break;
        }
    }
    free(machine.values);
    free(machine.stack);
    free(machine.memo);
    return fault;
}
