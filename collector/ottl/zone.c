/*
 * TZif files (RFC 8536), the 64-bit part. Past the last transition of the file its offset stays: no rule of the footer is read, and files
 * reach to 2037. Cost of a lookup: a binary search. Threads: any, once loaded.
 */
#include "collector/ottl/zone.h"

#include <stdio.h>
#include <stdlib.h>

enum { HEADER_SIZE = 44, FILE_MAX = 256 << 10, TYPE_SIZE = 6 };

static const char *const folder = "/usr/share/zoneinfo";

struct ottl_zone {
    size_t count;
    const int64_t *times;   /* of the transitions, rising */
    const int32_t *offsets; /* count + 1: before the first transition, and from each on */
};

static int64_t big_endian(const uint8_t *bytes, size_t size)
{
    uint64_t value = bytes[0] >= 0x80 ? UINT64_MAX : 0;

    for (size_t i = 0; i < size; i++)
        value = value << 8 | bytes[i];
    return (int64_t)value;
}

/* What the header counts, in its order. */
struct counts {
    int64_t utc_flags, wall_flags, leaps, times, types, characters;
};

static bool read_counts(struct slice file, struct counts *counts)
{
    const uint8_t *at = file.data + 20;

    if (file.size < HEADER_SIZE || memcmp(file.data, "TZif", 4) != 0)
        return false;
    *counts = (struct counts){ big_endian(at, 4), big_endian(at + 4, 4), big_endian(at + 8, 4), big_endian(at + 12, 4),
        big_endian(at + 16, 4), big_endian(at + 20, 4) };
    return counts->utc_flags >= 0 && counts->wall_flags >= 0 && counts->leaps >= 0 && counts->times >= 0 && counts->types > 0 &&
           counts->characters >= 0;
}

static size_t block_size(const struct counts *counts, int64_t time_size)
{
    return (size_t)(counts->times * (time_size + 1) + counts->types * TYPE_SIZE + counts->characters + counts->leaps * (time_size + 4) +
                    counts->wall_flags + counts->utc_flags);
}

/* The header's counts have been checked against the size of the file. */
static const struct ottl_zone *build(const uint8_t *block, const struct counts *counts, struct arena *arena)
{
    size_t count = (size_t)counts->times;
    const uint8_t *indices = block + 8 * count, *types = indices + count;
    struct ottl_zone *zone = arena_alloc(arena, sizeof(*zone));
    int64_t *times = arena_alloc(arena, (count + 1) * sizeof(*times));
    int32_t *offsets = arena_alloc(arena, (count + 1) * sizeof(*offsets));

    offsets[0] = (int32_t)big_endian(types, 4);
    for (size_t i = 0; i < count; i++) {
        times[i] = big_endian(block + 8 * i, 8);
        offsets[i + 1] = indices[i] < counts->types ? (int32_t)big_endian(types + (size_t)indices[i] * TYPE_SIZE, 4) : 0;
    }
    *zone = (struct ottl_zone){ count, times, offsets };
    return zone;
}

/* The first part, with times of 32 bits, is passed over. */
static const struct ottl_zone *parse(struct slice file, struct arena *arena)
{
    struct counts counts;
    size_t first;

    if (!read_counts(file, &counts) || file.data[4] < '2')
        return NULL;
    first = HEADER_SIZE + block_size(&counts, 4);
    if (first > file.size || !read_counts(slice_of(file.data + first, file.size - first), &counts) ||
        HEADER_SIZE + block_size(&counts, 8) > file.size - first)
        return NULL;
    return build(file.data + first + HEADER_SIZE, &counts, arena);
}

static bool is_name(struct slice name)
{
    if (name.size == 0 || name.size > 64 || name.data[0] == '/')
        return false;
    for (size_t i = 0; i < name.size; i++) {
        uint8_t c = name.data[i];
        bool letter = (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9');
        if (!letter && c != '/' && c != '_' && c != '+' && c != '-')
            return false;
    }
    return true;
}

const struct ottl_zone *ottl_zone_load(struct slice name, struct arena *arena, struct error *err)
{
    const struct ottl_zone *zone = NULL;
    char path[128];
    uint8_t *bytes;
    FILE *file;

    snprintf(path, sizeof(path), "%s/%.*s", folder, SLICE_PRINT(name));
    file = is_name(name) ? fopen(path, "re") : NULL;
    bytes = file != NULL ? malloc(FILE_MAX) : NULL;
    if (bytes != NULL)
        zone = parse(slice_of(bytes, fread(bytes, 1, FILE_MAX, file)), arena);
    free(bytes);
    if (file != NULL)
        fclose(file);
    if (zone == NULL)
        fail(err, "unknown time zone \"%.*s\"; expected a name of %s, as \"Europe/Vienna\"", SLICE_PRINT(name), folder);
    return zone;
}

/* Index into offsets at a time. */
static size_t find(const struct ottl_zone *zone, int64_t seconds)
{
    size_t low = 0, high = zone->count;

    while (low < high) {
        size_t middle = (low + high) / 2;
        if (zone->times[middle] <= seconds)
            low = middle + 1;
        else
            high = middle;
    }
    return low;
}

int32_t ottl_zone_offset(const struct ottl_zone *zone, int64_t local_seconds)
{
    size_t guess = find(zone, local_seconds);

    return zone->offsets[find(zone, local_seconds - zone->offsets[guess])];
}
