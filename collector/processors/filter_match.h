/* The filter processor's older rules, `include` and `exclude`, as conditions of OTTL. */
#ifndef WEIR_PROCESSORS_FILTER_MATCH_H
#define WEIR_PROCESSORS_FILTER_MATCH_H

#include "collector/base/buffer.h"
#include "collector/base/error.h"
#include "collector/config/option.h"

/* What a record has to be to match; lists that are empty ask for nothing. */
struct filter_match {
    const char *match_type;
    struct option_strings services, span_names, span_kinds;
    struct option_strings severity_texts, bodies;
    struct option_strings metric_names;
    struct option_list attributes, resource_attributes; /* struct filter_attribute */
    struct option_list libraries;                       /* struct filter_library */
    struct {
        const char *min;
        bool match_undefined;
    } severity;
    bool severity_present;
    bool present;
};

extern const struct option filter_span_match[], filter_log_match[], filter_metric_match[];

/* Appends the condition that holds for what matches; nothing when nothing is asked for. */
bool filter_match_spans(const struct filter_match *match, struct buffer *condition, struct error *err);
bool filter_match_logs(const struct filter_match *match, struct buffer *condition, struct error *err);
bool filter_match_metrics(const struct filter_match *match, struct buffer *condition, struct error *err);
/* Of metrics, resources are matched by themselves. */
bool filter_match_resources(const struct filter_match *match, struct buffer *condition, struct error *err);

#endif
