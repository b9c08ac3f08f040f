/*
 * Edits: one message (a record, a resource, a data point) opened as a list of its fields, changed, and written
 * back. Untouched fields are copied as bytes, in their order; unknown fields survive. The list lives in the
 * caller's struct and its memory is reused from record to record, so that editing does not allocate
 * once it is warm. Not thread-safe: one struct per thread.
 *
 * The message is borrowed until the edit is written or opened again. Slices that come out of an edit (keys, values) hold
 * until the next change; they may be given to that change.
 */
#ifndef WEIR_WIRE_EDIT_H
#define WEIR_WIRE_EDIT_H

#include "collector/wire/otlp.h"

struct edit_field; /* where the field's bytes are, and its number */

struct edit {
    struct edit_field *fields; /* owned */
    size_t count, capacity;
    uint32_t attributes_field; /* 0: the message has none */
    struct buffer scratch;     /* bytes of fields that were set; owned */
    bool changed;
    bool failed; /* memory ran out, or the message was not well-formed */
};

/* Frees the memory; fini of a zeroed edit is fine. */
void edit_fini(struct edit *edit);

/* Opens `message` (content, without its own tag). attributes_field as in enum otlp_attributes_field, or 0. */
void edit_open(struct edit *edit, struct slice message, uint32_t attributes_field);

/* Scalar and bytes fields by number: set replaces all occurrences by one, at the place of the first. */
void edit_set_bytes(struct edit *edit, uint32_t number, struct slice bytes);
void edit_set_varint(struct edit *edit, uint32_t number, uint64_t value);
void edit_set_fixed64(struct edit *edit, uint32_t number, uint64_t value);
void edit_set_fixed32(struct edit *edit, uint32_t number, uint32_t value);
void edit_remove(struct edit *edit, uint32_t number);
/* The last field of that number, as a reader of the message written back would see it; false when there is none. */
bool edit_get(const struct edit *edit, uint32_t number, struct pb_field *field);

/*
 * Attributes by key. get finds the first of that key. set writes over it, or appends; set, remove and rename leave no
 * second attribute of the key behind. rename keeps the attribute's place, and does nothing when there is none.
 */
bool edit_get_attribute(const struct edit *edit, struct slice key, struct otlp_value *value);
void edit_set_attribute(struct edit *edit, struct slice key, const struct otlp_value *value);
void edit_remove_attribute(struct edit *edit, struct slice key);
void edit_rename_attribute(struct edit *edit, struct slice key, struct slice new_key);
/* For whoever writes all attributes anew: none is left; one is put behind all others, whatever its key. */
void edit_clear_attributes(struct edit *edit);
void edit_append_attribute(struct edit *edit, struct slice key_value);

/* Iteration: cursor from 0; returns false behind the last attribute. Changing and removing while iterating is fine. */
bool edit_attribute_at(const struct edit *edit, size_t *cursor, struct otlp_attribute *attribute);

/*
 * Appends the message as field `number` (tag and length included), or as bare content when number is 0. A failed edit writes
 * nothing and fails `out`.
 */
void edit_write(const struct edit *edit, uint32_t number, struct buffer *out);

#endif
