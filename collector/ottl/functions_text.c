/*
 * Converters of text: joining, cutting, splitting, formatting. Sizes and positions count bytes. Threads: the machine's.
 */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>

#include "collector/ottl/program.h"

static bool run_concat(const struct ottl_call *call, struct ottl_machine *machine, struct ottl_value *value)
{
    struct slice delimiter;
    struct ottl_value list, item;
    bool first = true;

    if (!ottl_argument_kind(call, 0, machine, OTTL_LIST, &list) || !ottl_argument_string(call, 1, machine, &delimiter))
        return false;
    struct ottl_cursor cursor = ottl_items(&list);
    struct buffer *work = ottl_work(machine);
    while (ottl_next_item(&cursor, &item)) {
        if (!first)
            buffer_append_slice(work, delimiter);
        first = false;
        if (item.kind == OTTL_NIL)
            buffer_append_string(work, "<nil>");
        ottl_put_text(work, &item);
    }
    return ottl_give_string(machine, value);
}

static const uint8_t *find(struct slice text, struct slice part)
{
    return part.size <= text.size ? memmem(text.data, text.size, part.data, part.size) : NULL;
}

static size_t character_size(struct slice text)
{
    size_t size = 1;

    while (size < text.size && (text.data[size] & 0xc0) == 0x80)
        size++;
    return size;
}

static bool run_split(const struct ottl_call *call, struct ottl_machine *machine, struct ottl_value *value)
{
    struct slice text, delimiter;

    if (!ottl_argument_string(call, 0, machine, &text) || !ottl_argument_string(call, 1, machine, &delimiter))
        return false;
    struct buffer *work = ottl_work(machine);
    for (;;) {
        const uint8_t *end = delimiter.size > 0 ? find(text, delimiter) : text.size > 0 ? text.data + character_size(text) : NULL;
        size_t size = end != NULL ? (size_t)(end - text.data) : text.size;
        struct ottl_value part = ottl_string(slice_of(text.data, size));
        if (delimiter.size > 0 || text.size > 0)
            ottl_put_item(work, &part);
        if (end == NULL)
            break;
        text = slice_of(end + delimiter.size, text.size - size - delimiter.size);
    }
    return ottl_give_list(machine, value);
}

static bool run_substring(const struct ottl_call *call, struct ottl_machine *machine, struct ottl_value *value)
{
    struct slice text;
    int64_t start, length;

    if (!ottl_argument_int(call, 1, machine, &start) || !ottl_argument_int(call, 2, machine, &length))
        return false;
    if (start < 0)
        return ottl_fail(machine, "invalid start for substring function, %lld cannot be negative", (long long)start);
    if (length <= 0)
        return ottl_fail(machine, "invalid length for substring function, %lld cannot be negative or zero", (long long)length);
    if (!ottl_argument_string(call, 0, machine, &text))
        return false;
    if ((uint64_t)start + (uint64_t)length > text.size)
        return ottl_fail(machine, "invalid range for substring function, %llu cannot be greater than the length of target string(%zu)",
            (unsigned long long)start + (unsigned long long)length, text.size);
    *value = ottl_string(slice_of(text.data + start, (size_t)length));
    return true;
}

static bool run_trim(const struct ottl_call *call, struct ottl_machine *machine, struct ottl_value *value)
{
    struct slice text, set = SLICE(" ");

    if (!ottl_argument_string(call, 0, machine, &text) || !ottl_argument_string(call, 1, machine, &set))
        return false;
    while (text.size > 0 && set.size > 0 && memchr(set.data, text.data[0], set.size) != NULL)
        text = slice_of(text.data + 1, text.size - 1);
    while (text.size > 0 && set.size > 0 && memchr(set.data, text.data[text.size - 1], set.size) != NULL)
        text.size--;
    *value = ottl_string(text);
    return true;
}

static bool run_has_prefix(const struct ottl_call *call, struct ottl_machine *machine, struct ottl_value *value)
{
    struct slice text, part;

    if (!ottl_argument_string(call, 0, machine, &text) || !ottl_argument_string(call, 1, machine, &part))
        return false;
    *value = ottl_bool(slice_starts_with(text, part));
    return true;
}

static bool run_has_suffix(const struct ottl_call *call, struct ottl_machine *machine, struct ottl_value *value)
{
    struct slice text, part;

    if (!ottl_argument_string(call, 0, machine, &text) || !ottl_argument_string(call, 1, machine, &part))
        return false;
    *value = ottl_bool(text.size >= part.size && slice_equal(slice_of(text.data + text.size - part.size, part.size), part));
    return true;
}

/* The position of a part in a text, or of an item in a list; -1: it is not there. */
static bool run_index(const struct ottl_call *call, struct ottl_machine *machine, struct ottl_value *value)
{
    struct ottl_value target, part, item;
    int64_t i = 0;

    if (!ottl_argument(call, 0, machine, &target) || !ottl_argument(call, 1, machine, &part))
        return false;
    if (target.kind == OTTL_STRING && part.kind == OTTL_STRING) {
        const uint8_t *found = part.bytes.size == 0 ? target.bytes.data : find(target.bytes, part.bytes);
        *value = ottl_int(part.bytes.size == 0 ? 0 : found != NULL ? found - target.bytes.data : -1);
        return true;
    }
    if (target.kind != OTTL_LIST)
        return ottl_fail_kind(
            machine, target.kind == OTTL_STRING ? "string" : "string or pcommon.Slice", target.kind == OTTL_STRING ? &part : &target);
    struct ottl_cursor cursor = ottl_items(&target);
    *value = ottl_int(-1);
    for (; ottl_next_item(&cursor, &item); i++) {
        if (ottl_compare(&item, &part, OTTL_EQUAL)) {
            *value = ottl_int(i);
            break;
        }
    }
    return true;
}

/* ---- Format: the verbs of Go's fmt that make sense here ---- */

enum { WIDTH_MAX = 1000 };

struct verb {
    char flags[8];
    int width, precision; /* -1: none */
    char letter;
};

/* Reads what stands behind "%"; returns the bytes read, 0 when it is not a verb. */
static size_t read_verb(struct slice text, struct verb *verb)
{
    size_t i = 0, flags = 0;

    *verb = (struct verb){ .width = -1, .precision = -1 };
    while (i < text.size && text.data[i] != 0 && strchr("+-# 0", text.data[i]) != NULL && flags < 5)
        verb->flags[flags++] = (char)text.data[i++];
    for (; i < text.size && text.data[i] >= '0' && text.data[i] <= '9'; i++)
        verb->width = verb->width > WIDTH_MAX ? verb->width : (verb->width < 0 ? 0 : verb->width) * 10 + text.data[i] - '0';
    if (i < text.size && text.data[i] == '.') {
        verb->precision = 0;
        for (i++; i < text.size && text.data[i] >= '0' && text.data[i] <= '9'; i++)
            verb->precision = verb->precision > WIDTH_MAX ? verb->precision : verb->precision * 10 + text.data[i] - '0';
    }
    if (i == text.size || verb->width > WIDTH_MAX || verb->precision > WIDTH_MAX)
        return 0;
    verb->letter = (char)text.data[i];
    return i + 1;
}

static void pad(struct buffer *out, size_t start, const struct verb *verb)
{
    size_t size = out->size - start;
    size_t missing = verb->width > 0 && (size_t)verb->width > size ? (size_t)verb->width - size : 0;

    if (missing == 0 || !buffer_reserve(out, missing))
        return;
    if (strchr(verb->flags, '-') == NULL) {
        memmove(out->data + start + missing, out->data + start, size);
        memset(out->data + start, ' ', missing);
    } else {
        memset(out->data + start + size, ' ', missing);
    }
    out->size += missing;
}

static void put_number(struct buffer *out, const struct verb *verb, const struct ottl_value *item, bool integer)
{
    char format[32], text[2048];
    int size, used = snprintf(format, sizeof(format), "%%%s", verb->flags);

    if (verb->width >= 0)
        used += snprintf(format + used, sizeof(format) - (size_t)used, "%d", verb->width);
    if (verb->precision >= 0)
        used += snprintf(format + used, sizeof(format) - (size_t)used, ".%d", verb->precision);
    snprintf(format + used, sizeof(format) - (size_t)used, "%s%c", integer ? "ll" : "", verb->letter);
#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wformat-nonliteral"
    size = integer ? snprintf(text, sizeof(text), format, (long long)item->integer) : snprintf(text, sizeof(text), format, item->number);
#pragma GCC diagnostic pop
    buffer_append(out, text, size < (int)sizeof(text) ? (size_t)size : sizeof(text) - 1);
}

static void put_verb(struct buffer *out, const struct verb *verb, const struct ottl_value *item)
{
    size_t start = out->size;
    bool is_int = item->kind == OTTL_INT && strchr("dxXoc", verb->letter) != NULL;
    bool is_double = item->kind == OTTL_DOUBLE && strchr("feEgG", verb->letter) != NULL;

    if (is_int || is_double) {
        put_number(out, verb, item, is_int);
        return;
    }
    if (verb->letter == 'q')
        buffer_append_byte(out, '"');
    if (item->kind == OTTL_NIL) {
        buffer_append_string(out, "<nil>");
    } else if ((verb->letter == 'x' || verb->letter == 'X') && item->kind == OTTL_STRING) {
        for (size_t i = 0; i < item->bytes.size; i++)
            buffer_printf(out, verb->letter == 'x' ? "%02x" : "%02X", item->bytes.data[i]);
    } else {
        ottl_put_text(out, item);
    }
    if (verb->letter == 'q')
        buffer_append_byte(out, '"');
    if (verb->precision >= 0 && item->kind == OTTL_STRING && verb->letter == 's' && out->size - start > (size_t)verb->precision)
        out->size = start + (size_t)verb->precision;
    pad(out, start, verb);
}

static bool run_format(const struct ottl_call *call, struct ottl_machine *machine, struct ottl_value *value)
{
    struct slice format;
    struct ottl_value list, item;
    struct verb verb;

    if (!ottl_argument_string(call, 0, machine, &format) || !ottl_argument_kind(call, 1, machine, OTTL_LIST, &list))
        return false;
    struct ottl_cursor cursor = ottl_items(&list);
    struct buffer *work = ottl_work(machine);
    for (size_t i = 0; i < format.size; i++) {
        if (format.data[i] != '%') {
            buffer_append_byte(work, format.data[i]);
            continue;
        }
        size_t read = read_verb(slice_of(format.data + i + 1, format.size - i - 1), &verb);
        i += read;
        if (read == 0)
            buffer_append_string(work, "%!(NOVERB)");
        else if (verb.letter == '%')
            buffer_append_byte(work, '%');
        else if (ottl_next_item(&cursor, &item))
            put_verb(work, &verb, &item);
        else
            buffer_printf(work, "%%!%c(MISSING)", verb.letter);
    }
    return ottl_give_string(machine, value);
}

const struct ottl_function ottl_text_functions[] = {
    { "Concat", "vals:value,delimiter:value", run_concat, NULL, false, false, 0 },
    { "Split", "target:value,delimiter:value", run_split, NULL, false, false, 0 },
    { "Substring", "target:value,start:value,length:value", run_substring, NULL, false, false, 0 },
    { "Trim", "target:value,?replacement:value", run_trim, NULL, false, false, 0 },
    { "HasPrefix", "target:value,prefix:value", run_has_prefix, NULL, false, false, 0 },
    { "HasSuffix", "target:value,suffix:value", run_has_suffix, NULL, false, false, 0 },
    { "Index", "target:value,value:value", run_index, NULL, false, false, 0 },
    { "Format", "format:value,vals:value", run_format, NULL, false, false, 0 },
    { NULL, NULL, NULL, NULL, false, false, 0 },
};
