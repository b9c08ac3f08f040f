/*
 * Setting and deleting attributes by one scan of the message, without opening it as an edit: for changes that are known beforehand. I/O-free.
 */
#ifndef WEIR_PROCESSORS_ATTRIBUTE_SPLICE_H
#define WEIR_PROCESSORS_ATTRIBUTE_SPLICE_H

#include "collector/base/arena.h"
#include "collector/wire/otlp.h"

enum { SPLICE_KEYS_MAX = 16, SPLICE_STEPS_MAX = 32 };

enum splice_kind { SPLICE_INSERT, SPLICE_UPDATE, SPLICE_UPSERT, SPLICE_DELETE };

struct splice_step {
    enum splice_kind kind;
    size_t key;         /* index */
    struct slice field; /* length and content of the attribute's field, without the tag */
};

struct attribute_splice {
    struct arena *arena; /* borrowed: bytes of the fields live in it */
    struct slice keys[SPLICE_KEYS_MAX];
    size_t key_count;
    uint64_t sizes; /* bits of the keys' sizes, modulo 64 */
    struct splice_step steps[SPLICE_STEPS_MAX];
    size_t step_count;
};

/* The key's index; SPLICE_KEYS_MAX when there are too many. Start-up only, as all that adds. */
size_t attribute_splice_key(struct attribute_splice *splice, struct slice key);
/* False when there are too many steps or keys. `value` is not used by DELETE. */
bool attribute_splice_add(struct attribute_splice *splice, enum splice_kind kind, struct slice key, const struct otlp_value *value);

/* Where each key stands in a message: the first attribute's whole field; data NULL: nowhere. */
struct splice_found {
    struct slice fields[SPLICE_KEYS_MAX];
    bool twice; /* a key is there more than once */
};
void attribute_splice_find(
    const struct attribute_splice *splice, struct slice message, uint32_t attributes_field, struct splice_found *found);

struct splice_piece {
    struct slice bytes;
    bool is_new; /* of a step: the tag goes before it */
};

/* The message as it becomes: pieces of it, and new fields between. Borrows from both. */
struct splice_result {
    struct splice_piece pieces[3 * SPLICE_KEYS_MAX + 1];
    size_t count;
    size_t size; /* tags included */
    uint8_t tag;
};

/* False when no step changes anything. No key may be there twice. */
bool attribute_splice_run(
    const struct attribute_splice *splice, struct slice message, const struct splice_found *found, struct splice_result *result);
/* Appends the message as field `number`. */
void attribute_splice_write(const struct splice_result *result, uint32_t number, struct buffer *out);

#endif
