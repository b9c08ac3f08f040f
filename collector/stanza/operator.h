/*
 * Operators: each one const descriptor at the bottom of its part of a file, listed in operators.c, with an option table like a component's.
 * An operator changes a record and lets it go on, or takes it and sends on what it likes. Internal to collector/stanza.
 */
#ifndef WEIR_STANZA_OPERATOR_H
#define WEIR_STANZA_OPERATOR_H

#include "collector/config/option.h"
#include "collector/ottl/regex.h"
#include "collector/stanza/expression.h"
#include "collector/stanza/field.h"
#include "collector/stanza/pipeline.h"
#include "collector/stanza/severity.h"
#include "collector/stanza/timestamp.h"

enum stanza_step {
    STANZA_NEXT,   /* the record goes on */
    STANZA_FAILED, /* `problem` is set; on_error decides */
    STANZA_TAKEN,  /* nothing goes on now, or was sent on already */
};

struct stanza_operator;

struct stanza_operator_type {
    const char *name;
    const struct option *options;
    size_t size;
    bool (*init)(struct stanza_operator *self, struct error *err); /* after the options are filled; NULL: nothing to do */
    void (*fini)(struct stanza_operator *self);                    /* of one that init left half done too; NULL: nothing to do */
    enum stanza_step (*process)(struct stanza_operator *self, struct stanza_record *record);
    /* Sends on what it has held for too long, or with `all` whatever it holds. NULL: holds nothing. */
    void (*flush)(struct stanza_operator *self, int64_t now_ns, bool all);
    /* Where the first record of `source` that it holds begins there; UINT64_MAX: it holds none. */
    uint64_t (*held)(const struct stanza_operator *self, const void *source);
};

enum stanza_on_error { STANZA_SEND, STANZA_DROP, STANZA_SEND_QUIET, STANZA_DROP_QUIET };

struct stanza_operator {
    const struct stanza_operator_type *type;
    struct stanza_pipeline *pipeline;
    struct arena *arena; /* of the pipeline */
    const struct config_node *node;
    const char *id, *condition_text;     /* options */
    struct option_strings output;        /* option */
    int on_error;                        /* option: enum stanza_on_error */
    struct stanza_expression *condition; /* NULL: always */
    struct stanza_operator **outputs;    /* NULL, with output_count 1: the pipeline's end */
    size_t output_count;
    char problem[256];
    const char *type_text; /* option, not used */
};

/* All that every operator has; OPTION_INCLUDE it. */
extern const struct option stanza_operator_options[];

/* To the operator's outputs, or to one other; the record may be changed by them. */
void stanza_send(struct stanza_operator *self, struct stanza_record *record);
void stanza_send_to(struct stanza_operator *from, struct stanza_operator *to, struct stanza_record *record);
/* Sets the problem; returns STANZA_FAILED. */
enum stanza_step stanza_fail(struct stanza_operator *self, const char *format, ...) __attribute__((format(printf, 2, 3)));
/* As on_error says, also logged. */
void stanza_on_error(struct stanza_operator *self, struct stanza_record *record);
struct ottl_matcher *stanza_matcher(const struct stanza_operator *self);
int64_t stanza_now(const struct stanza_operator *self);
/* By id, when all are there; NULL with an error. */
struct stanza_operator *stanza_find(const struct stanza_operator *self, const char *id, struct error *err);
/* A value as the configuration has it, in the arena; EXPR(...) is left as a string. */
struct stanza_value stanza_value_of_node(struct arena *arena, const struct config_node *node);

/* ---- parsers ---- */

struct stanza_time_settings {
    const char *parse_from, *layout, *location;
    int layout_type;
    struct stanza_field field;
    struct stanza_layout read;
};
struct stanza_severity_settings {
    const char *parse_from, *preset;
    const struct config_node *mapping;
    bool overwrite_text;
    struct stanza_field field;
    struct stanza_severities *table;
};
struct stanza_trace_part {
    const char *parse_from;
    bool present;
    struct stanza_field field;
};
struct stanza_trace_settings {
    struct stanza_trace_part trace_id, span_id, trace_flags;
};

extern const struct option stanza_time_options[], stanza_severity_options[], stanza_trace_options[];
bool stanza_time_init(struct stanza_operator *self, struct stanza_time_settings *settings, struct error *err);
bool stanza_severity_init(struct stanza_operator *self, struct stanza_severity_settings *settings, struct error *err);
bool stanza_trace_init(struct stanza_operator *self, struct stanza_trace_settings *settings, struct error *err);
enum stanza_step stanza_time_apply(struct stanza_operator *self, const struct stanza_time_settings *settings, struct stanza_record *record);
enum stanza_step stanza_severity_apply(
    struct stanza_operator *self, const struct stanza_severity_settings *settings, struct stanza_record *record);
enum stanza_step stanza_trace_apply(
    struct stanza_operator *self, const struct stanza_trace_settings *settings, struct stanza_record *record);

struct stanza_parser {
    struct stanza_operator base; /* first */
    const char *parse_from, *parse_to, *body;
    bool time_present, severity_present, trace_present, scope_present;
    struct stanza_time_settings time;
    struct stanza_severity_settings severity;
    struct stanza_trace_settings trace;
    struct stanza_trace_part scope;
    struct stanza_field from, to, body_field;
};
extern const struct option stanza_parser_options[];
bool stanza_parser_init(struct stanza_parser *self, struct error *err);
/* The text to parse; false with the problem set. */
bool stanza_parser_text(struct stanza_parser *self, const struct stanza_record *record, struct slice *text);
/* Puts what was parsed where it belongs, then the blocks. */
enum stanza_step stanza_parser_finish(struct stanza_parser *self, struct stanza_record *record, struct stanza_value parsed);

/* ---- the types ---- */

extern const struct stanza_operator_type stanza_regex_parser, stanza_json_parser, stanza_json_array_parser, stanza_csv_parser,
    stanza_key_value_parser, stanza_uri_parser, stanza_time_parser, stanza_severity_parser, stanza_trace_parser, stanza_scope_name_parser,
    stanza_syslog_parser, stanza_container, stanza_router, stanza_filter, stanza_recombine, stanza_move, stanza_copy, stanza_add,
    stanza_remove, stanza_retain, stanza_flatten, stanza_assign_keys, stanza_unquote, stanza_regex_replace, stanza_noop,
    stanza_sanitize_utf8;
/* A router's other outputs, which loops are looked for in too. */
size_t stanza_router_targets(const struct stanza_operator *self, struct stanza_operator ***targets);
/* NULL-terminated. */
extern const struct stanza_operator_type *const stanza_operator_types[];

#endif
