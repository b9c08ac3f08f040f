/* Telemetry as text for people, in the layouts of the OpenTelemetry Collector's debug exporter. I/O-free; reads well-formed requests. */
#ifndef WEIR_EXPORTERS_DEBUG_TEXT_H
#define WEIR_EXPORTERS_DEBUG_TEXT_H

#include "collector/base/buffer.h"
#include "collector/wire/otlp.h"

/* ---- whole requests ---- */

/* {"resource spans": 1, "spans": 2} */
struct text_counts {
    size_t groups, metrics, records;
};
void text_count(enum signal signal, struct slice request, struct text_counts *counts);
/* "Traces", "Metrics", "Logs", "Profiles" */
const char *text_title(enum signal signal);
void text_summary(enum signal signal, const struct text_counts *counts, struct buffer *out);

/* About one line per record. */
void text_normal(enum signal signal, struct slice request, struct buffer *out);
/* Everything. */
void text_detailed(enum signal signal, struct slice request, struct buffer *out);

/* ---- parts, private to the layouts ---- */

/* "12", "Infinity", a map as JSON with its keys in order; nothing for an empty value. */
void text_value(const struct otlp_value *value, struct buffer *out);
/* "Str(x)", "Int(12)" */
void text_typed_value(const struct otlp_value *value, struct buffer *out);
/* "2020-02-11 20:26:12.000000321 +0000 UTC" */
void text_time(uint64_t nanos, struct buffer *out);
void text_hex(struct slice bytes, struct buffer *out);
void text_double(double value, struct buffer *out); /* shortest */
void text_fixed(double value, struct buffer *out);  /* six decimals */

/* "k=v k2=v2"; returns whether there was one. */
struct text_attributes {
    struct slice message; /* that has them */
    enum otlp_attributes_field field;
};
bool text_pairs(struct text_attributes attributes, const char *separator, struct buffer *out);

/* "header:" and a line "     -> k: Str(v)" for each, all behind `indent` spaces; nothing when there are none. */
struct text_block {
    const char *header;
    int header_indent, indent;
};
void text_attribute_lines(struct text_attributes attributes, struct text_block block, struct buffer *out);

void text_detailed_metric(struct slice body, struct buffer *out);

/* Names of enum values as the Collector spells them. */
const char *text_name(const char *const *names, size_t count, uint32_t value, const char *other);

#endif
