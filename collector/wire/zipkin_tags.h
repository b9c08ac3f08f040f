/*
 * The tags of one span: a map from key to value that keeps the order of insertion and is emptied from span to span, so that it does not
 * allocate once it is warm. Bounded by ZIPKIN_MAX_TAGS. Keys and values are borrowed until it is cleared. Internal to collector/wire.
 */
#ifndef WEIR_WIRE_ZIPKIN_TAGS_H
#define WEIR_WIRE_ZIPKIN_TAGS_H

#include "collector/wire/otlp.h"

struct zipkin_tag {
    struct slice key;
    struct otlp_value value;
    uint32_t slot;
    bool taken; /* it went elsewhere: zipkin_tags_find() does not find it any more */
};

struct zipkin_tags {
    struct zipkin_tag *items;
    size_t count, capacity;
    uint32_t *slots; /* index + 1 into items; 0: free. A power of two, at least twice as many as items */
    size_t slot_count;
    uint64_t initials; /* one bit for each first byte of a key, modulo 64: most keys that are looked for are not there */
};

/* NULL when memory is out. */
struct zipkin_tags *zipkin_tags_create(void);
/* destroy(NULL) is fine. */
void zipkin_tags_destroy(struct zipkin_tags *tags);
void zipkin_tags_clear(struct zipkin_tags *tags);

/* Overwrites the value of a key that is there, taken or not. False: there are too many, or memory is out. */
bool zipkin_tags_set(struct zipkin_tags *tags, struct slice key, const struct otlp_value *value);
bool zipkin_tags_set_text(struct zipkin_tags *tags, struct slice key, struct slice text);

/* NULL: there is none. */
struct zipkin_tag *zipkin_tags_find(struct zipkin_tags *tags, struct slice key);
/* The same, and it is taken. */
struct zipkin_tag *zipkin_tags_take(struct zipkin_tags *tags, struct slice key);

#endif
