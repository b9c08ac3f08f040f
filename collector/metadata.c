/* Metadata: one allocation that holds the entries and their text; compared without regard to case, as headers are. */
#include <stdlib.h>

#include "collector/batch.h"

struct stored {
    struct slice key, value;
};

struct metadata {
    atomic_uint references;
    size_t count;
    struct stored entries[];
};

static struct slice store(uint8_t **at, struct slice text)
{
    struct slice stored = { *at, text.size };

    if (text.size > 0)
        memcpy(*at, text.data, text.size);
    *at += text.size;
    return stored;
}

struct metadata *metadata_create(const struct metadata_entry *entries, size_t count)
{
    size_t size = sizeof(struct metadata) + count * sizeof(struct stored);
    struct metadata *metadata;
    uint8_t *text;

    for (size_t i = 0; i < count; i++)
        size += strlen(entries[i].key) + entries[i].value.size;
    metadata = malloc(size);
    if (metadata == NULL)
        return NULL;
    atomic_init(&metadata->references, 1);
    metadata->count = count;
    text = (uint8_t *)&metadata->entries[count];
    for (size_t i = 0; i < count; i++) {
        metadata->entries[i].key = store(&text, slice_of_string(entries[i].key));
        metadata->entries[i].value = store(&text, entries[i].value);
    }
    return metadata;
}

struct metadata *metadata_ref(struct metadata *metadata)
{
    if (metadata != NULL)
        atomic_fetch_add_explicit(&metadata->references, 1, memory_order_relaxed);
    return metadata;
}

void metadata_unref(struct metadata *metadata)
{
    if (metadata != NULL && atomic_fetch_sub_explicit(&metadata->references, 1, memory_order_acq_rel) == 1)
        free(metadata);
}

struct slice metadata_get(const struct metadata *metadata, const char *key, size_t nth)
{
    for (size_t i = 0; metadata != NULL && i < metadata->count; i++) {
        if (slice_equal_ignoring_case(metadata->entries[i].key, slice_of_string(key)) && nth-- == 0)
            return metadata->entries[i].value;
    }
    return (struct slice){ NULL, 0 };
}
