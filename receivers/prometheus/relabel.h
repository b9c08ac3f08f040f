/*
 * Relabelling, as Prometheus does it: a list of rules run over a label set, each with an anchored regular expression of RE2's syntax.
 * Rules are immutable once compiled and shared by all threads; a matcher is one thread's.
 */
#ifndef WEIR_RECEIVERS_PROMETHEUS_RELABEL_H
#define WEIR_RECEIVERS_PROMETHEUS_RELABEL_H

#include "collector/base/error.h"
#include "collector/config/option.h"
#include "collector/ottl/regex.h"
#include "receivers/prometheus/labels.h"

enum relabel_action {
    RELABEL_REPLACE,
    RELABEL_KEEP,
    RELABEL_DROP,
    RELABEL_KEEPEQUAL,
    RELABEL_DROPEQUAL,
    RELABEL_HASHMOD,
    RELABEL_LABELMAP,
    RELABEL_LABELDROP,
    RELABEL_LABELKEEP,
    RELABEL_LOWERCASE,
    RELABEL_UPPERCASE,
};
#define RELABEL_ACTIONS "replace|keep|drop|keepequal|dropequal|hashmod|labelmap|labeldrop|labelkeep|lowercase|uppercase"

/* One rule as configured. */
struct relabel_settings {
    struct option_strings source_labels;
    const char *separator, *target_label, *regex, *replacement;
    int64_t modulus;
    int action; /* enum relabel_action */
};
extern const struct option relabel_options[]; /* offsets into struct relabel_settings */

struct relabel_rules;

/* settings: of struct relabel_settings, borrowed as long as the rules. NULL with the error when a rule makes no sense. */
struct relabel_rules *relabel_create(const struct option_list *settings, struct error *err);
void relabel_destroy(struct relabel_rules *rules);

/* Changes the labels; false: they are dropped. The order of labels is not kept. rules NULL: nothing to do. */
bool relabel_apply(const struct relabel_rules *rules, struct ottl_matcher *matcher, struct labels *labels);

#endif
