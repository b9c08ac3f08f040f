/*
 * What a target's page looked like, and the state of its series: the next scrape reads the page along it.
 *
 * Each line of a page (a *series*, found by its text: name and labels as they stand) belongs to a *group*, that is one data point of OTLP (a
 * histogram's buckets, sum and count are one group), a group to a *family* (one metric of OTLP), a family to a *home* (a resource and a
 * scope). A series remembers which one followed it, so that an unchanged page is compared and not parsed.
 *
 * A scrape is: layout_begin, then for each sample layout_find, layout_add when it is new, layout_put; then layout_write, after
 * a page that was whole, or layout_abandon and layout_write, which says that all series have ended.
 *
 * Memory: some 250 bytes and the line's text a series. Threads: one at a time.
 */
#ifndef WEIR_RECEIVERS_PROMETHEUS_LAYOUT_H
#define WEIR_RECEIVERS_PROMETHEUS_LAYOUT_H

#include "collector/base/buffer.h"
#include "collector/base/error.h"
#include "receivers/prometheus/number.h"
#include "receivers/prometheus/relabel.h"
#include "receivers/prometheus/table.h"
#include "receivers/prometheus/text.h"

#define LAYOUT_NONE UINT32_MAX /* no series, group, family ... */

/* What a target's samples are subject to; borrowed as long as the layout. */
struct layout_settings {
    const struct label *target_labels; /* those that every sample gets, job and instance too */
    size_t target_label_count;
    const struct label *external_labels;
    size_t external_label_count;
    const struct relabel_rules *metric_rules;
    const char *scheme;                                                                   /* for url.scheme */
    int64_t sample_limit, label_limit, label_name_length_limit, label_value_length_limit; /* 0: none */
    bool honor_labels, honor_timestamps, track_timestamps_staleness, legacy_names, trim_suffixes;
};

enum series_role {
    ROLE_DROPPED,   /* by relabelling */
    ROLE_MALFORMED, /* says nothing within its family: a bucket without a bound ... */
    ROLE_VALUE,
    ROLE_BUCKET, /* or quantile: `bound` says which */
    ROLE_SUM,
    ROLE_COUNT,
    ROLE_CREATED,
    ROLE_NATIVE, /* a whole exponential histogram */
    ROLE_INFO,   /* target_info: the labels are the resource's */
};

struct native_place {
    uint32_t offset, size; /* within layout->natives */
};

struct series {
    uint32_t key_offset, key_size; /* within layout->texts */
    uint32_t group;                /* LAYOUT_NONE: dropped */
    uint32_t follower;             /* the series that came behind it in the last page; LAYOUT_NONE */
    uint32_t sibling;              /* the next of the group; buckets in the order of their bounds */
    uint32_t seen;                 /* the generation in which it was put last */
    union {
        double value;
        struct native_place native;
    };
    double bound;
    uint8_t role; /* enum series_role */
};

struct group {
    uint32_t family, first, next;         /* next: of the family */
    uint32_t attributes, attributes_size; /* within layout->texts, as OTLP writes them, without job and instance */
    uint32_t seen;
    int64_t timestamp_ms;                   /* of the page, when `timed` */
    uint64_t start_ns;                      /* 0: not known */
    double previous;                        /* the value or count that was written last */
    bool timed, reported, started, created; /* created: this scrape said when it began */
};

struct family {
    uint32_t name, name_size; /* within layout->texts */
    uint32_t home, next;      /* next: of the home */
    uint32_t metadata;        /* LAYOUT_NONE: there is none */
    uint32_t first, last;     /* groups */
    uint8_t type;             /* enum metric_type */
    bool native;
};

struct home {
    struct slice job, instance; /* owned */
    struct slice scope;         /* owned; the content of the Scope message, empty: weir's own */
    struct slice schema_url;    /* owned */
    struct slice information;   /* owned; attributes that target_info gave, as the resource has them */
    uint32_t information_seen;  /* the generation in which it gave them */
    uint32_t first, last;       /* families */
};

struct layout_metadata {
    struct slice name, help, unit; /* owned */
    uint8_t type;
    bool typed;
    uint32_t follower;
};

struct layout_exemplar {
    uint32_t group, offset, size; /* within layout->exemplar_bytes */
};

struct layout {
    const struct layout_settings *settings;
    struct buffer texts;
    struct series *series;
    struct group *groups;
    struct family *families;
    struct home *homes;
    struct layout_metadata *metadata;
    size_t series_count, series_capacity, group_count, group_capacity, family_count, family_capacity, home_count, home_capacity,
        metadata_count, metadata_capacity;
    struct table series_table, group_table, family_table, metadata_table;
    uint32_t generation;
    uint32_t hint, metadata_hint; /* what stands next, if nothing has changed */
    uint32_t last, metadata_last; /* what was read last; LAYOUT_NONE at the beginning */
    uint32_t first, metadata_first;
    bool types_changed; /* series are of types that the page has changed: made anew after the scrape */

    /* of this scrape */
    int64_t now_ms;
    struct buffer natives, exemplar_bytes;
    struct layout_exemplar *exemplars;
    size_t exemplar_count, exemplar_capacity;
    size_t samples, kept, added; /* samples on the page, after relabelling, of new series */
    size_t live;                 /* series that were put */
    size_t duplicates, out_of_bounds, inconsistent, malformed;
    bool failed; /* memory is out */
};

void layout_init(struct layout *layout, const struct layout_settings *settings);
void layout_fini(struct layout *layout);

void layout_begin(struct layout *layout, int64_t now_ms);

/* The series of that text; LAYOUT_NONE: it is new. */
uint32_t layout_find(struct layout *layout, struct slice key);

/* A new series with its labels as the page has them (they are changed). LAYOUT_NONE with the error: the whole page is refused. */
uint32_t layout_add(struct layout *layout, struct slice key, struct labels *labels, struct ottl_matcher *matcher, struct error *err);
/* The same for an exponential histogram. */
uint32_t layout_add_native(struct layout *layout, struct slice key, struct labels *labels, struct ottl_matcher *matcher, struct error *err);

struct layout_sample {
    double value;
    bool has_timestamp;
    int64_t timestamp_ms;
};
/* The value of this scrape; the first one of a series counts. Whether it was taken. */
bool layout_put(struct layout *layout, uint32_t number, const struct layout_sample *sample);
/* Body: the fields of an ExponentialHistogramDataPoint but times and attributes. count: its count. */
bool layout_put_native(struct layout *layout, uint32_t number, const struct layout_sample *sample, struct slice body);

/* When the series that was put began, where the page says so beside the sample. */
void layout_put_created(struct layout *layout, uint32_t number, double seconds);

/* An exemplar of a series that was put: the content of an Exemplar message. */
void layout_put_exemplar(struct layout *layout, uint32_t number, struct slice exemplar);

/* What HELP, TYPE and UNIT say. `text` is unescaped. */
void layout_put_type(struct layout *layout, struct slice name, enum metric_type type);
void layout_put_help(struct layout *layout, struct slice name, struct slice text);
void layout_put_unit(struct layout *layout, struct slice name, struct slice text);

/* Nothing of this scrape counts: every series has ended. */
void layout_abandon(struct layout *layout);

/* What weir itself says about a scrape. */
struct layout_report {
    bool up, ended; /* ended: the target is gone, all of them end */
    double duration_seconds;
    size_t samples, kept, added;
};

/*
 * Appends an ExportMetricsServiceRequest: what was put, what has ended since, and the report. Returns the data points. Then forgets series
 * that have gone, if they are many.
 */
size_t layout_write(struct layout *layout, const struct layout_report *report, struct buffer *out);

/* The home of the target itself, made when it is not there; NULL: memory is out. */
struct home *layout_own_home(struct layout *layout);

/* For "bytes per series". */
size_t layout_bytes(const struct layout *layout);

/* ---- within the layout ---- */

static inline struct slice layout_text(const struct layout *layout, uint32_t offset, uint32_t size)
{
    return slice_of(layout->texts.data + offset, size);
}
static inline struct slice layout_key(const struct layout *layout, const struct series *series)
{
    return layout_text(layout, series->key_offset, series->key_size);
}

/* Moves what is alive into fresh memory, when much is not. */
void layout_compact(struct layout *layout);
/* Gives back the room that growing arrays left. */
void layout_fit(struct layout *layout);
/* Forgets all but the metadata. */
void layout_reset(struct layout *layout);

/* A place more in an array; NULL: memory is out. */
void *layout_grow(void **items, size_t *count, size_t *capacity, size_t size);

/* An attribute as a field of a message. */
void layout_write_attribute(struct buffer *out, uint32_t field, struct slice name, struct slice value);

/* A family of that name, in any home. */
bool layout_has_family(const struct layout *layout, struct slice name);

/* The entry of that name, or LAYOUT_NONE. */
uint32_t layout_find_metadata(const struct layout *layout, struct slice name);

#endif
