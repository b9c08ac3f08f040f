/*
 * Heads of items by a table of what each first byte announces; content is borrowed.
 * Cost: some nanoseconds an item. Limits: nothing recurses here, so nesting costs nothing.
 */
#include "collector/wire/msgpack.h"

/* What a first byte from 0xc0 to 0xdf announces: bytes of a length or number, then `fixed` bytes of content. */
struct form {
    uint8_t kind;   /* enum msgpack_kind; BAD_BYTE: none */
    uint8_t number; /* size of the number or length that follows */
    uint8_t fixed;  /* fixed extensions: their content */
    bool is_signed;
};

enum { BAD_BYTE = 255 };

static const struct form forms[32] = {
    { MSGPACK_NIL, 0, 0, false },
    { BAD_BYTE, 0, 0, false },
    { MSGPACK_BOOL, 0, 0, false },
    { MSGPACK_BOOL, 0, 0, false },
    { MSGPACK_BINARY, 1, 0, false },
    { MSGPACK_BINARY, 2, 0, false },
    { MSGPACK_BINARY, 4, 0, false },
    { MSGPACK_EXTENSION, 1, 0, false },
    { MSGPACK_EXTENSION, 2, 0, false },
    { MSGPACK_EXTENSION, 4, 0, false },
    { MSGPACK_DOUBLE, 4, 0, false },
    { MSGPACK_DOUBLE, 8, 0, false },
    { MSGPACK_INT, 1, 0, false },
    { MSGPACK_INT, 2, 0, false },
    { MSGPACK_INT, 4, 0, false },
    { MSGPACK_INT, 8, 0, false },
    { MSGPACK_INT, 1, 0, true },
    { MSGPACK_INT, 2, 0, true },
    { MSGPACK_INT, 4, 0, true },
    { MSGPACK_INT, 8, 0, true },
    { MSGPACK_EXTENSION, 0, 1, false },
    { MSGPACK_EXTENSION, 0, 2, false },
    { MSGPACK_EXTENSION, 0, 4, false },
    { MSGPACK_EXTENSION, 0, 8, false },
    { MSGPACK_EXTENSION, 0, 16, false },
    { MSGPACK_STRING, 1, 0, false },
    { MSGPACK_STRING, 2, 0, false },
    { MSGPACK_STRING, 4, 0, false },
    { MSGPACK_ARRAY, 2, 0, false },
    { MSGPACK_ARRAY, 4, 0, false },
    { MSGPACK_MAP, 2, 0, false },
    { MSGPACK_MAP, 4, 0, false },
};

/* An item's head, and how many bytes of content stand behind it. */
struct head {
    struct msgpack_item item;
    uint64_t content;
};

static uint64_t big_endian(const uint8_t *at, size_t size)
{
    uint64_t value = 0;

    for (size_t i = 0; i < size; i++)
        value = value << 8 | at[i];
    return value;
}

static int64_t sign_extended(uint64_t value, size_t size)
{
    unsigned shift = 64 - 8 * (unsigned)size;

    return (int64_t)(value << shift) >> shift;
}

static double float_of(uint64_t bits, size_t size)
{
    uint32_t single_bits = (uint32_t)bits;
    float single;
    double value;

    if (size == 8) {
        memcpy(&value, &bits, sizeof(value));
        return value;
    }
    memcpy(&single, &single_bits, sizeof(single));
    return (double)single;
}

static void fill_number(struct head *head, const struct form *form, uint64_t value)
{
    switch (form->kind) {
    case MSGPACK_INT:
        head->item.integer = form->is_signed ? sign_extended(value, form->number) : (int64_t)value;
        if (!form->is_signed && value > INT64_MAX)
            head->item.kind = MSGPACK_UINT;
        break;
    case MSGPACK_DOUBLE:
        head->item.number = float_of(value, form->number);
        break;
    case MSGPACK_ARRAY:
    case MSGPACK_MAP:
        head->item.count = (uint32_t)value;
        break;
    default:
        head->content = value;
        break;
    }
}

/* false: truncated (at is where it was), or failed. */
static bool read_long_head(struct msgpack_reader *reader, struct head *head)
{
    const struct form *form = &forms[*reader->at - 0xc0];
    size_t size = 1u + form->number + (form->kind == MSGPACK_EXTENSION);

    if (form->kind == BAD_BYTE) {
        reader->failed = true;
        return false;
    }
    if ((size_t)(reader->end - reader->at) < size)
        return false;
    head->item.kind = (enum msgpack_kind)form->kind;
    head->content = form->fixed;
    if (form->kind == MSGPACK_BOOL)
        head->item.integer = *reader->at & 1;
    else if (form->number > 0)
        fill_number(head, form, big_endian(reader->at + 1, form->number));
    if (form->kind == MSGPACK_EXTENSION)
        head->item.extension = (int8_t)reader->at[size - 1];
    reader->at += size;
    return true;
}

static bool read_head(struct msgpack_reader *reader, struct head *head)
{
    uint8_t first;

    if (reader->failed || reader->at >= reader->end)
        return false;
    *head = (struct head){ 0 };
    first = *reader->at;
    if (first >= 0xc0 && first < 0xe0)
        return read_long_head(reader, head);
    reader->at++;
    if (first < 0x80 || first >= 0xe0) {
        head->item.kind = MSGPACK_INT;
        head->item.integer = first < 0x80 ? first : first - 0x100;
    } else if (first < 0x90) {
        head->item.kind = MSGPACK_MAP;
        head->item.count = first & 0x0f;
    } else if (first < 0xa0) {
        head->item.kind = MSGPACK_ARRAY;
        head->item.count = first & 0x0f;
    } else {
        head->item.kind = MSGPACK_STRING;
        head->content = first & 0x1f;
    }
    return true;
}

bool msgpack_next(struct msgpack_reader *reader, struct msgpack_item *item)
{
    struct head head;

    if (!read_head(reader, &head) || head.content > (size_t)(reader->end - reader->at)) {
        reader->failed = true;
        return false;
    }
    *item = head.item;
    item->bytes = slice_of(reader->at, (size_t)head.content);
    reader->at += head.content;
    return true;
}

static uint64_t held_by(const struct msgpack_item *item)
{
    return item->kind == MSGPACK_MAP ? 2 * (uint64_t)item->count : item->kind == MSGPACK_ARRAY ? item->count : 0;
}

bool msgpack_skip(struct msgpack_reader *reader)
{
    struct msgpack_item item;

    for (uint64_t pending = 1; pending > 0; pending--) {
        if (!msgpack_next(reader, &item))
            return false;
        pending += held_by(&item);
    }
    return true;
}

/* ---- where a message ends ---- */

enum msgpack_scanned msgpack_scan(struct msgpack_scan *scan, struct slice bytes, size_t limit)
{
    struct msgpack_reader reader;
    struct head head;

    if (!scan->begun)
        *scan = (struct msgpack_scan){ .pending = 1, .begun = true };
    while (scan->pending > 0) {
        if (scan->offset >= bytes.size)
            return MSGPACK_MORE;
        reader = msgpack_reader_of(slice_of(bytes.data + scan->offset, bytes.size - scan->offset));
        if (!read_head(&reader, &head))
            return reader.failed ? MSGPACK_BAD : MSGPACK_MORE;
        scan->offset = (size_t)(reader.at - bytes.data);
        scan->pending += held_by(&head.item);
        scan->pending--;
        /* each item that is still to come has one byte at least */
        if (head.content > limit || scan->offset + head.content > limit || scan->pending > limit - scan->offset - head.content)
            return MSGPACK_BAD;
        scan->offset += (size_t)head.content; /* may be beyond what came so far */
    }
    return scan->offset <= bytes.size ? MSGPACK_WHOLE : MSGPACK_MORE;
}
