/* Linear probing; grows at three quarters. Nothing is ever taken out: tables are made anew when much has gone (layout_compact.c). */
#include "receivers/prometheus/table.h"

#include <stdlib.h>

void table_fini(struct table *table)
{
    free(table->places);
    *table = (struct table){ .places = NULL };
}

static void place(struct table *table, struct table_place entry)
{
    size_t at = entry.hash & (table->capacity - 1);

    while (table->places[at].number != 0)
        at = (at + 1) & (table->capacity - 1);
    table->places[at] = entry;
}

static bool grow(struct table *table)
{
    struct table bigger = { .capacity = table->capacity > 0 ? table->capacity * 2 : 64, .count = table->count };

    bigger.places = calloc(bigger.capacity, sizeof(*bigger.places));
    if (bigger.places == NULL)
        return false;
    for (size_t i = 0; i < table->capacity; i++)
        if (table->places[i].number != 0)
            place(&bigger, table->places[i]);
    free(table->places);
    *table = bigger;
    return true;
}

bool table_add(struct table *table, uint32_t hash, uint32_t number)
{
    if (table->count >= table->capacity / 4 * 3 && !grow(table))
        return false;
    place(table, (struct table_place){ hash, number + 1 });
    table->count++;
    return true;
}

bool table_next(const struct table *table, uint32_t hash, size_t *cursor, uint32_t *number)
{
    size_t mask = table->capacity - 1;

    for (; *cursor < table->capacity; ++*cursor) {
        struct table_place found = table->places[(hash + *cursor) & mask];

        if (found.number == 0)
            return false;
        if (found.hash == hash) {
            *number = found.number - 1;
            ++*cursor;
            return true;
        }
    }
    return false;
}
