/* Runs statements and conditions on requests given as OTLP/JSON. */
#ifndef TESTS_UNIT_OTTL_FIXTURE_H
#define TESTS_UNIT_OTTL_FIXTURE_H

#include "collector/ottl/rewrite.h"

/* One log record whose attributes and body the tests use. */
extern const char *const ottl_log;
/* Two resources; spans with events. */
extern const char *const ottl_traces;
extern const char *const ottl_metrics;

struct outcome {
    enum ottl_outcome outcome;
    char json[8192]; /* of the result; "" when nothing changed, or nothing is left */
    char error[1024];
};

/* Statements are separated by '\n'. A compile error is in `error`, with OTTL_FAILED. */
struct outcome ottl_transform(enum signal signal, enum ottl_context context, const char *statements, const char *json);
struct outcome ottl_filter(enum signal signal, enum ottl_context context, const char *conditions, const char *json);

#endif
