/* What the parts of the table share: series, and the values that are kept one by one. Private to receivers/statsd. */
#ifndef WEIR_STATSD_SERIES_H
#define WEIR_STATSD_SERIES_H

#include "receivers/statsd/exponential.h"
#include "receivers/statsd/table.h"

/* Before each key in the table: what it is of, and the sizes of the parts behind it. Sorts series by peer, type and name. */
struct statsd_key {
    uint64_t peer;
    uint8_t type;     /* enum statsd_type */
    uint8_t is_alias; /* the parts as they were written; else the name and its encoded attributes */
    uint16_t name_size, tags_size, container_size;
};

struct statsd_sample {
    double value;
    union {
        double weight;    /* of a summary's */
        uint64_t time_ns; /* of a gauge's */
    };
    uint32_t next; /* index plus 1; 0: none */
};

struct statsd_explicit {
    const struct statsd_buckets *buckets;
    uint64_t count;
    double sum, min, max;
    uint64_t counts[]; /* one more than bounds */
};

struct statsd_series {
    uint32_t key_offset, key_size;
    enum statsd_type type;
    enum statsd_method method;
    bool is_set;      /* a gauge that has had a value */
    uint64_t time_ns; /* said by the line; 0: none */
    union {
        double value;
        int64_t integer; /* of counters that are integers */
        uint64_t members;
        struct {
            uint32_t first, last, count; /* samples, index plus 1 */
        };
        struct exponential *exponential;
    };
    struct statsd_explicit *explicit; /* histograms with fixed buckets */
};

struct statsd_entry {
    uint64_t hash;
    uint32_t offset, size;
    uint32_t series; /* index plus 1; 0: free */
};

struct statsd_table {
    const struct statsd_rules *rules;
    struct ottl_matcher *matcher;
    struct buffer keys;
    struct statsd_entry *entries; /* a power of two of them, at most half in use */
    size_t entry_capacity, entry_count;
    struct statsd_series *series;
    size_t series_capacity, series_count;
    struct statsd_sample *samples;
    size_t sample_capacity, sample_count;
    uint64_t *members; /* hashes of sets' members, open addressing; 0: free */
    size_t member_capacity, member_count;
    struct buffer attributes; /* scratch */
};

/* The attributes field of the point that a series becomes. */
uint32_t statsd_attributes_field(enum statsd_type type, const struct statsd_observer *observer, bool is_explicit);

void statsd_series_fini(struct statsd_series *series);

/* Adds one value to its series. NULL, or why not. */
struct statsd_value {
    double value;
    bool is_relative;
    double rate;
    uint64_t now_ns;
};
const char *statsd_series_add(struct statsd_table *table, struct statsd_series *series, const struct statsd_value *value);
const char *statsd_series_add_member(struct statsd_table *table, struct statsd_series *series, struct slice member);

/* The attributes of a line, encoded and in the order of their keys, into table->attributes. NULL, or why not. */
const char *statsd_attributes(struct statsd_table *table, const struct statsd_line *line, const struct statsd_name *name, uint32_t field);

#endif
