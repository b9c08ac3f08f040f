/* Values as users write them in a configuration, and values as text. */
#ifndef WEIR_PROCESSORS_ANY_VALUE_H
#define WEIR_PROCESSORS_ANY_VALUE_H

#include "collector/base/arena.h"
#include "collector/config/tree.h"
#include "collector/wire/otlp.h"

/* What a node says, with the type that YAML gives it; bytes live in the arena. Start-up only. */
struct otlp_value any_value_of(struct arena *arena, const struct config_node *node);

/* Appends the value as the OpenTelemetry Collector writes it as a string: lists and maps as JSON, bytes in base64, nothing for an empty one. */
void any_value_put_text(const struct otlp_value *value, struct buffer *out);

/* Numbers as texts, as Go's strconv reads them: in base 10; with "5.", ".5" and "inf", but without hexadecimal ones. */
bool any_value_parse_int(struct slice text, int64_t *value);
bool any_value_parse_double(struct slice text, double *value);

#endif
