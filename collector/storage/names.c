/* Lists a folder's segments in order. Cost: 8 bytes a segment, one sort. */
#include "collector/storage/names.h"

#include <errno.h>
#include <stdlib.h>

static bool parse_name(const char *name, const char *suffix, uint64_t *first)
{
    char *end;

    if (strlen(name) != 16 + 1 + strlen(suffix) || name[16] != '.' || strcmp(name + 17, suffix) != 0 ||
        strspn(name, "0123456789abcdef") != 16)
        return false;
    *first = strtoull(name, &end, 16);
    return end == name + 16;
}

static void add_name(void *argument, const char *name)
{
    struct segment_names *names = argument;
    uint64_t first, *grown;

    if (names->failed || !parse_name(name, "seg", &first))
        return;
    if (names->count == names->capacity) {
        names->capacity = names->capacity * 2 + 64;
        grown = realloc(names->first, names->capacity * sizeof(uint64_t));
        if (grown == NULL) {
            names->failed = true;
            return;
        }
        names->first = grown;
    }
    names->first[names->count++] = first;
}

static int compare(const void *a, const void *b)
{
    uint64_t left = *(const uint64_t *)a, right = *(const uint64_t *)b;

    return (left > right) - (left < right);
}

int segment_names_read(const struct filesystem *filesystem, struct segment_names *names)
{
    int result = filesystem->list(filesystem->context, add_name, names);

    if (result >= 0 && names->failed)
        result = -ENOMEM;
    if (result < 0) {
        free(names->first);
        *names = (struct segment_names){ 0 };
        return result;
    }
    if (names->count > 0)
        qsort(names->first, names->count, sizeof(uint64_t), compare);
    return 0;
}
