/* Slices: the few operations that are not one line. */
#include "collector/base/slice.h"

#include <stdlib.h>

static uint8_t lower(uint8_t byte)
{
    return byte >= 'A' && byte <= 'Z' ? (uint8_t)(byte | 0x20) : byte;
}

bool slice_equal_ignoring_case(struct slice a, struct slice b)
{
    if (a.size != b.size)
        return false;
    for (size_t i = 0; i < a.size; i++) {
        if (lower(a.data[i]) != lower(b.data[i]))
            return false;
    }
    return true;
}

bool slice_starts_with(struct slice s, struct slice prefix)
{
    return s.size >= prefix.size && slice_equal(slice_of(s.data, prefix.size), prefix);
}

struct slice slice_trim(struct slice s)
{
    while (s.size > 0 && (s.data[0] == ' ' || s.data[0] == '\t')) {
        s.data++;
        s.size--;
    }
    while (s.size > 0 && (s.data[s.size - 1] == ' ' || s.data[s.size - 1] == '\t'))
        s.size--;
    return s;
}

char *slice_dup_string(struct slice s)
{
    char *copy = malloc(s.size + 1);

    if (copy == NULL)
        abort();
    if (s.size > 0)
        memcpy(copy, s.data, s.size);
    copy[s.size] = '\0';
    return copy;
}
