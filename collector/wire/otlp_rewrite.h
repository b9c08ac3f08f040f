/*
 * Rewriting a request on the way through it: a walk over groups, scope groups and records, and beside it what the request
 * becomes. What is left as it is is copied as it stands, in runs; as long as nothing was changed, nothing is written at all.
 *
 *   otlp_rewrite_begin(&rewrite, payload, &out);
 *   while (otlp_rewrite_next_group(&rewrite))
 *       while (otlp_rewrite_next_scope_group(&rewrite))
 *           while (otlp_rewrite_next_record(&rewrite))
 *               ...
 *   if (otlp_rewrite_end(&rewrite)) ... out holds the new request, to be checked for `failed`
 *
 * Whoever drops records walks to the end of their scope group: scope groups and groups that are left empty by it are
 * dropped too. I/O-free; one struct per thread. The payload must be well-formed.
 */
#ifndef WEIR_WIRE_OTLP_REWRITE_H
#define WEIR_WIRE_OTLP_REWRITE_H

#include "collector/wire/edit.h"
#include "collector/wire/otlp.h"

enum { OTLP_RESOURCE_FIELD = 1, OTLP_RECORDS_FIELD = 2 }; /* of a resource within its group, of a record within its scope group */

/* A level of nesting in the output. Private. */
struct otlp_rewrite_level {
    bool open;
    uint8_t head;      /* bytes kept for the length */
    uint32_t replaced; /* bits of the fields that were written anew, and are not copied */
    size_t start;      /* of the field in the output */
    const uint8_t *at; /* input up to here has been dealt with */
};

struct otlp_rewrite {
    /* where the walk is */
    struct otlp_group group;
    struct otlp_scope_group scope_group;
    struct otlp_record record;
    bool changed;
    size_t dropped; /* records, since the beginning */

    /* private */
    struct buffer *out;
    struct slice payload;
    struct otlp_groups groups;
    struct otlp_scope_groups scope_groups;
    struct otlp_records records;
    struct otlp_rewrite_level levels[3];
    bool in_group, in_scope;
    size_t scopes_kept, scopes_emptied, records_seen, records_dropped;
};

/* Both are borrowed until the end; the new request is appended to `out`. */
void otlp_rewrite_begin(struct otlp_rewrite *rewrite, struct slice payload, struct buffer *out);

bool otlp_rewrite_next_group(struct otlp_rewrite *rewrite);
bool otlp_rewrite_next_scope_group(struct otlp_rewrite *rewrite);
bool otlp_rewrite_next_record(struct otlp_rewrite *rewrite);
/* The next record of all. */
bool otlp_rewrite_next(struct otlp_rewrite *rewrite);

/* True when the request was changed. */
bool otlp_rewrite_end(struct otlp_rewrite *rewrite);

/* Straight after next_group: another Resource, another schema_url. Straight after next_scope_group: another schema_url. */
void otlp_rewrite_set_resource(struct otlp_rewrite *rewrite, const struct edit *resource);
struct buffer *otlp_rewrite_replace_resource(struct otlp_rewrite *rewrite); /* by one field OTLP_RESOURCE_FIELD that the caller appends */
void otlp_rewrite_set_group_schema(struct otlp_rewrite *rewrite, struct slice schema_url);
void otlp_rewrite_set_scope_schema(struct otlp_rewrite *rewrite, struct slice schema_url);

/* The current record is dropped. At most one of these for a record. */
void otlp_rewrite_drop_record(struct otlp_rewrite *rewrite);
/* The current record is replaced by what the caller appends to the buffer that is returned: one field OTLP_RECORDS_FIELD. */
struct buffer *otlp_rewrite_replace_record(struct otlp_rewrite *rewrite);
void otlp_rewrite_set_record(struct otlp_rewrite *rewrite, const struct edit *record);

/*
 * The data points of a metric, whatever its kind, each shown to `visit`; true when it changed one. `visit` gets the point's content and the
 * number of its attributes field; it appends the point as it becomes, as a field of number 1, and returns true, or appends nothing and returns
 * false. The metric's content with the points as they became is appended to `out`, when anything was changed.
 */
typedef bool (*otlp_point_visit)(void *context, struct slice point, uint32_t attributes_field, struct buffer *out);
bool otlp_rewrite_points(struct slice metric, otlp_point_visit visit, void *context, struct buffer *out);

#endif
