/*
 * A slice is a borrowed run of bytes: never owned, never NUL-terminated.
 * Whoever hands one out says how long it stays valid.
 */
#ifndef WEIR_BASE_SLICE_H
#define WEIR_BASE_SLICE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

struct slice {
    const uint8_t *data;
    size_t size;
};

/* A slice of a string literal; the size is known at compile time. */
#define SLICE(literal) ((struct slice){ (const uint8_t *)("" literal), sizeof(literal) - 1 })

/* The same as an initialiser of static data. */
#define SLICE_INIT(literal) { (const uint8_t *)("" literal), sizeof(literal) - 1 }

/* printf("%.*s", SLICE_PRINT(s)) */
#define SLICE_PRINT(s) (int)(s).size, (const char *)(s).data

static inline struct slice slice_of(const void *data, size_t size)
{
    return (struct slice){ (const uint8_t *)data, size };
}

/* NULL gives the empty slice. */
static inline struct slice slice_of_string(const char *text)
{
    return (struct slice){ (const uint8_t *)text, text != NULL ? strlen(text) : 0 };
}

/* Below, at or above 0, as memcmp(); what is a beginning of the other comes first. */
static inline int slice_compare(struct slice a, struct slice b)
{
    size_t shorter = a.size < b.size ? a.size : b.size;
    int order = shorter > 0 ? memcmp(a.data, b.data, shorter) : 0;

    return order != 0 ? order : (a.size > b.size) - (a.size < b.size);
}

static inline bool slice_equal(struct slice a, struct slice b)
{
    return a.size == b.size && (a.size == 0 || memcmp(a.data, b.data, a.size) == 0);
}

static inline bool slice_equal_string(struct slice a, const char *text)
{
    return slice_equal(a, slice_of_string(text));
}

/* ASCII letters only, as HTTP header names and configuration words need. */
bool slice_equal_ignoring_case(struct slice a, struct slice b);

bool slice_starts_with(struct slice s, struct slice prefix);

/* Without leading and trailing spaces and tabs. */
struct slice slice_trim(struct slice s);

/* A NUL-terminated heap copy (dup: the caller frees it). Start-up only: aborts when out of memory. */
char *slice_dup_string(struct slice s);

#endif
