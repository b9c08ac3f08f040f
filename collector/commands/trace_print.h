/* One trace as text: what it is, then its tree. */
#ifndef WEIR_COLLECTOR_COMMANDS_TRACE_PRINT_H
#define WEIR_COLLECTOR_COMMANDS_TRACE_PRINT_H

#include "collector/commands/trace_tree.h"

struct trace_style {
    bool colours;
    bool all_attributes; /* else those that tell most, shortened */
};

void trace_print(const struct trace_tree *tree, struct trace_style style, struct buffer *out);

/* " {k=v, k=v}": the attributes of a span, an event or a log record; nothing when there are none. */
struct trace_attributes {
    struct slice message;
    enum otlp_attributes_field field;
    struct trace_style style;
    struct slice name; /* of the span: what it says already is left out, unless all are wanted */
};
void trace_print_attributes(struct trace_attributes attributes, struct buffer *out);

#endif
