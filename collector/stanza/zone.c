/*
 * Locations: the system's time zone files (RFC 8536), read when a configuration is. Times behind the last change that a file lists get that
 * change's offset. Not I/O-free, but nothing is read once records flow.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

#include "collector/stanza/timestamp.h"

enum { FILE_MAX = 256 << 10, HEADER = 44 };

struct change {
    int64_t at; /* Unix seconds */
    int32_t offset;
};

struct stanza_zone {
    int32_t first; /* before all changes */
    size_t count;
    struct change changes[];
};

static int64_t big_endian(const uint8_t *at, size_t size)
{
    uint64_t value = at[0] & 0x80 ? ~UINT64_C(0) : 0;

    for (size_t i = 0; i < size; i++)
        value = value << 8 | at[i];
    return (int64_t)value;
}

struct counts {
    size_t utc, standard, leap, times, types, letters;
};

static struct counts counts_of(const uint8_t *header)
{
    struct counts counts;
    size_t *const each[] = { &counts.utc, &counts.standard, &counts.leap, &counts.times, &counts.types, &counts.letters };

    for (size_t i = 0; i < 6; i++)
        *each[i] = (size_t)big_endian(header + 20 + 4 * i, 4) & 0xffffff;
    return counts;
}

static size_t body_size(const struct counts *counts, size_t time_size)
{
    return counts->times * (time_size + 1) + counts->types * 6 + counts->letters + counts->leap * (time_size + 4) + counts->standard +
           counts->utc;
}

/* The second, 64-bit part of a file. */
static struct stanza_zone *read_zone(struct arena *arena, struct slice file)
{
    struct counts counts;
    struct stanza_zone *zone;
    size_t skip;

    if (file.size < HEADER || memcmp(file.data, "TZif", 4) != 0 || file.data[4] < '2')
        return NULL;
    counts = counts_of(file.data);
    skip = HEADER + body_size(&counts, 4);
    if (file.size < skip + HEADER)
        return NULL;
    counts = counts_of(file.data + skip);
    skip += HEADER;
    if (file.size < skip + body_size(&counts, 8) || counts.types == 0)
        return NULL;
    const uint8_t *times = file.data + skip, *indices = times + 8 * counts.times, *types = indices + counts.times;
    zone = arena_alloc(arena, sizeof(*zone) + counts.times * sizeof(zone->changes[0]));
    zone->first = (int32_t)big_endian(types, 4);
    for (size_t i = 0; i < counts.times; i++) {
        if (indices[i] >= counts.types)
            return NULL;
        zone->changes[zone->count++] = (struct change){ big_endian(times + 8 * i, 8), (int32_t)big_endian(types + 6 * indices[i], 4) };
    }
    return zone;
}

static bool read_file(const char *path, struct buffer *out)
{
    FILE *file = fopen(path, "re");
    size_t got = 0;

    if (file == NULL)
        return false;
    if (buffer_reserve(out, FILE_MAX))
        got = fread(out->data, 1, FILE_MAX, file);
    out->size = got;
    fclose(file);
    return got > 0;
}

static bool is_name(const char *location)
{
    return location[0] != '/' && strstr(location, "..") == NULL && strlen(location) < 100;
}

const struct stanza_zone *stanza_zone_load(struct arena *arena, const char *location, struct error *err)
{
    struct buffer path = { 0 }, file = { 0 };
    struct stanza_zone *zone = NULL;
    bool local = location == NULL || *location == '\0' || strcmp(location, "Local") == 0;
    const char *name = local ? getenv("TZ") : location;

    if (name != NULL && name[0] == ':')
        name++;
    if (name != NULL && (strcmp(name, "UTC") == 0 || strcmp(name, "GMT") == 0))
        return NULL;
    if (name != NULL && *name != '\0' && is_name(name))
        buffer_printf(&path, "/usr/share/zoneinfo/%s", name);
    else
        buffer_append_string(&path, "/etc/localtime");
    if (read_file(buffer_string(&path), &file))
        zone = read_zone(arena, buffer_slice(&file));
    buffer_fini(&path);
    buffer_fini(&file);
    if (zone == NULL && !local)
        fail(err, "location \"%s\" is not known here; name one of the time zones in /usr/share/zoneinfo (package tzdata)", location);
    return zone;
}

int32_t stanza_zone_offset(const struct stanza_zone *zone, int64_t local_seconds)
{
    int32_t offset = zone->first;

    for (size_t i = 0; i < zone->count && zone->changes[i].at + zone->changes[i].offset <= local_seconds; i++)
        offset = zone->changes[i].offset;
    return offset;
}
