/*
 * Which records a processor is for: the OpenTelemetry Collector's include and exclude. Values of one list are alternatives;
 * all lists that are given have to match, and all attributes of a list.
 */
#ifndef WEIR_PROCESSORS_RECORD_MATCH_H
#define WEIR_PROCESSORS_RECORD_MATCH_H

#include "collector/config/option.h"
#include "collector/processors/batch_rewrite.h"

struct record_match_settings {
    const char *match_type;
    struct option_strings services, span_names, span_kinds;
    struct option_strings log_bodies, log_severity_texts;
    struct option_strings metric_names;
    struct option_list attributes, resources, libraries;
    struct {
        const struct config_node *min;
        bool match_undefined;
    } severity;
    bool severity_present;
    bool present;
};

extern const struct option record_match_options[];

/* The signals that records of can be matched at all; 0 with the error when there is none. */
unsigned record_match_signals(const struct record_match_settings *settings, struct error *err);

struct record_match; /* compiled; immutable */

/* NULL with the error. Start-up only. */
struct record_match *record_match_create(const struct record_match_settings *settings, struct error *err);
void record_match_destroy(struct record_match *match);

/* Does the resource match? Then the scope, then the record: each part is asked for once as the walk comes to it. */
bool record_match_group(const struct record_match *match, struct rewrite_worker *worker);
bool record_match_scope(const struct record_match *match, struct rewrite_worker *worker);
bool record_match_record(const struct record_match *match, struct rewrite_worker *worker);

#endif
