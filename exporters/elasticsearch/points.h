/*
 * Data points of a batch, gathered into groups that become one document each: those of the same resource, scope, time, attributes (and
 * in mode otel also start time and unit), whatever metric they belong to.
 *
 * Groups are told apart by 64 bits of hash, seeded anew in every process.
 */
#ifndef WEIR_EXPORTERS_ELASTICSEARCH_POINTS_H
#define WEIR_EXPORTERS_ELASTICSEARCH_POINTS_H

#include "exporters/elasticsearch/json.h"

enum elastic_point_hint { ELASTIC_HINT_AGGREGATE = 1, ELASTIC_HINT_DOC_COUNT = 2 };

struct elastic_point {
    struct otlp_metric metric;
    struct otlp_point point;
    unsigned hints; /* enum elastic_point_hint, of elasticsearch.mapping.hints */
    uint32_t next;  /* of the same group; 0: none */
};

struct elastic_point_group {
    uint64_t hash;
    struct otlp_group group;
    struct otlp_scope_group scope_group;
    uint32_t first, last; /* points, counted from 1 */
    uint32_t count;
};

struct elastic_points {
    struct elastic_point *items;        /* owned; [0] is not used */
    struct elastic_point_group *groups; /* owned */
    uint32_t *slots;                    /* owned; group numbers from 1, 0: free */
    uint32_t *order;                    /* owned; see elastic_points_by_name */
    uint32_t count, capacity, group_count, group_capacity, slot_count, order_capacity;
    bool failed; /* memory is out */
};

void elastic_points_clear(struct elastic_points *points);
void elastic_points_fini(struct elastic_points *points);

/* Of attributes in any order, those that name a data stream left out. */
uint64_t elastic_points_hash(const struct elastic_attributes *attributes);

/* `identity` says which group; where it is new, it belongs to the resource and scope given. */
struct elastic_point_place {
    uint64_t identity;
    struct otlp_group group;
    struct otlp_scope_group scope_group;
};
void elastic_points_add(struct elastic_points *points, const struct elastic_point_place *place, const struct elastic_point *point);

static inline const struct elastic_point *elastic_points_first(const struct elastic_points *points, const struct elastic_point_group *group)
{
    return &points->items[group->first];
}
/* NULL behind the last one. */
static inline const struct elastic_point *elastic_points_next(const struct elastic_points *points, const struct elastic_point *point)
{
    return point->next != 0 ? &points->items[point->next] : NULL;
}

/*
 * The numbers of a group's points by the names of their metrics, of equal names the first one first: group->count of them, valid until the next
 * call. NULL: memory is out.
 */
const uint32_t *elastic_points_by_name(struct elastic_points *points, const struct elastic_point_group *group);

/* The field of the point's message that holds its attributes. */
enum otlp_attributes_field elastic_point_attributes(enum otlp_metric_kind kind);

/* Hints that a point's attributes give. */
unsigned elastic_point_hints(const struct elastic_attributes *attributes);

/*
 * Appends the point's value: a number, {"counts":[...],"values":[...]} or {"sum":1.5,"value_count":1}. False, with nothing appended: it has none
 * that could be stored (NaN, infinite, buckets that do not fit).
 */
bool elastic_point_value(const struct elastic_point *point, struct buffer *out);
/* Name of the dynamic template that its field is to be mapped by. */
const char *elastic_point_template(const struct elastic_point *point);
/* How many measurements it stands for. */
uint64_t elastic_point_doc_count(const struct elastic_point *point);

#endif
