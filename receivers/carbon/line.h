/*
 * Graphite's data points: "path value seconds" lines, paths with tags ("name;key=value") or taken apart by regular expressions, and
 * what becomes of them in OTLP. I/O-free.
 */
#ifndef WEIR_CARBON_LINE_H
#define WEIR_CARBON_LINE_H

#include "collector/base/error.h"
#include "collector/config/option.h"
#include "collector/wire/metric_write.h"

enum { CARBON_MAX_LINE = 16384, CARBON_MAX_TAGS = 128 };

struct ottl_regex;
struct ottl_matcher;

struct carbon_rule_settings {
    const char *regexp, *name_prefix;
    struct option_pairs labels;
    int type; /* index of "gauge|cumulative" */
};

struct carbon_rules {
    const struct carbon_rule_settings *items; /* borrowed */
    size_t count;
    const char *name_separator;  /* borrowed; may be NULL */
    struct ottl_regex **regexes; /* owned */
    size_t **name_groups;        /* owned; of each rule the groups called name_..., in the order of their names */
    size_t *name_group_counts;
    struct ottl_matcher *matcher;
};

/* Compiles them. Groups must be called key_... or name_... */
bool carbon_rules_init(struct carbon_rules *rules, const struct option_list *settings, const char *name_separator, struct error *err);
void carbon_rules_fini(struct carbon_rules *rules);

struct carbon_point {
    struct slice path;
    bool is_int;
    int64_t integer;
    double number;
    uint64_t time_ns;
};

/* A line without its end. NULL, or why it was refused: a short static word. */
const char *carbon_line(struct slice line, uint64_t now_ns, struct carbon_point *point);
/* A value and a timestamp as texts. */
const char *carbon_value(struct slice text, struct carbon_point *point);
const char *carbon_time(struct slice text, uint64_t now_ns, struct carbon_point *point);

/* Writes the point as a metric of its own. NULL, or why its path was refused; then nothing was written. */
const char *carbon_write(struct carbon_rules *rules, const struct carbon_point *point, struct metric_writer *writer);

#endif
