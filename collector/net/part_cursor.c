/* Walks over parts; empty ones are skipped. */
#include "collector/net/part_cursor.h"

static struct slice part_at(const struct part_cursor *cursor, size_t index)
{
    return index == 0 ? cursor->head : cursor->parts[index - 1];
}

struct part_cursor part_cursor_of(struct slice head, const struct slice *parts, size_t count)
{
    struct part_cursor cursor = { head, parts, count, 0, 0, head.size };

    for (size_t i = 0; i < count; i++)
        cursor.left += parts[i].size;
    return cursor;
}

size_t part_cursor_look(const struct part_cursor *cursor, uint64_t limit, struct slice *out, size_t room)
{
    size_t found = 0, offset = cursor->offset;

    for (size_t index = cursor->index; index <= cursor->count && found < room && limit > 0; index++, offset = 0) {
        struct slice part = part_at(cursor, index);
        size_t size = part.size - offset;

        if (size == 0)
            continue;
        if (size > limit)
            size = (size_t)limit;
        out[found++] = slice_of(part.data + offset, size);
        limit -= size;
    }
    return found;
}

void part_cursor_pass(struct part_cursor *cursor, uint64_t bytes)
{
    cursor->left -= bytes;
    while (bytes > 0) {
        size_t size = part_at(cursor, cursor->index).size - cursor->offset;

        if (bytes < size) {
            cursor->offset += (size_t)bytes;
            return;
        }
        bytes -= size;
        cursor->index++;
        cursor->offset = 0;
    }
}
