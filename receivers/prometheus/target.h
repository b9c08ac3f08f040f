/*
 * From the labels that a discovery gives to something that can be scraped, as Prometheus does it: labels of the configuration, relabelling,
 * a URL, and the labels that samples get.
 */
#ifndef WEIR_RECEIVERS_PROMETHEUS_TARGET_H
#define WEIR_RECEIVERS_PROMETHEUS_TARGET_H

#include "receivers/prometheus/settings.h"

struct target {
    char *url;            /* owned */
    struct label *labels; /* owned; sorted: those that samples get, job and instance among them */
    size_t label_count;
    char *texts;        /* owned; what the labels point into */
    const char *scheme; /* static */
    int64_t interval_ns, timeout_ns;
    uint64_t identity; /* of URL and labels: the same target in two discoveries, or in two looks of one */
};

struct target_maker {
    const struct scrape_settings *scrape;
    const struct relabel_rules *rules;
    struct ottl_matcher *matcher;
};

enum target_result { TARGET_MADE, TARGET_DROPPED, TARGET_BAD };

/* Labels: as discovered (they are changed). DROPPED: by relabelling. BAD with the error. */
enum target_result target_make(const struct target_maker *maker, struct labels *labels, struct target *target, struct error *err);
void target_fini(struct target *target);

/* Appends text with what has a meaning in a query percent-encoded. */
void target_encode_query(struct buffer *out, struct slice text);

#endif
