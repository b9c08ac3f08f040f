/*
 * What a program runs on: the messages that are visited, each opened for editing when it is first changed, and memory for values
 * that live as long as the visit. Internal to collector/ottl.
 */
#ifndef WEIR_OTTL_MACHINE_H
#define WEIR_OTTL_MACHINE_H

#include "collector/ottl/ottl.h"
#include "collector/ottl/rewrite.h"
#include "collector/ottl/value.h"
#include "collector/wire/edit.h"

enum ottl_level { LEVEL_RESOURCE, LEVEL_SCOPE, LEVEL_RECORD, LEVEL_PART, LEVEL_EXEMPLAR, LEVEL_COUNT };

struct ottl_message {
    struct slice body;
    struct edit edit; /* of `body`, while `open` */
    bool open;
    uint32_t attributes_field;
    struct slice schema_url; /* of the group around a resource or scope */
    struct buffer new_schema_url;
    bool schema_changed;
};

struct ottl_block;
struct ottl_matcher;

struct ottl_machine {
    struct ottl_message messages[LEVEL_COUNT];
    enum otlp_metric_kind metric_kind; /* of the metric that is visited */
    int64_t part_index;                /* of the span event */
    struct slice cache;                /* KeyValueList of the path `cache`; lives as long as the visit */
    struct buffer work;                /* what is being built; see ottl_keep_work */
    struct buffer parts;               /* span events or data points as they were written */
    struct buffer exemplars;           /* of a data point, as they were written */
    struct buffer metrics;             /* further metrics that a statement made, as fields of the scope group */
    struct buffer spare;
    struct ottl_block *blocks, *current;
    size_t used; /* of the current block */
    size_t kept; /* bytes handed out since the visit began */
    struct ottl_matcher *matcher;
    const char *matched; /* the condition that held last; NULL: none */
    bool quiet;          /* nobody reads the error */
    struct error err;
    ottl_told told;
    void *told_context;
};

static inline enum ottl_level ottl_level_of(enum ottl_context context)
{
    static const enum ottl_level levels[OTTL_CONTEXT_COUNT] = { LEVEL_RESOURCE, LEVEL_SCOPE, LEVEL_RECORD, LEVEL_PART, LEVEL_RECORD,
        LEVEL_PART, LEVEL_RECORD, LEVEL_EXEMPLAR };

    return levels[context];
}

/* A visit begins: values of the one before are gone. */
void ottl_machine_reset(struct ottl_machine *machine);

/* The message that is visited on a level from now on, untouched. */
void ottl_message_begin(struct ottl_machine *machine, enum ottl_level level, struct slice body, uint32_t attributes_field);
bool ottl_message_changed(const struct ottl_message *message);

/* Memory until the next reset; NULL (and an error) when there is none. */
void *ottl_alloc(struct ottl_machine *machine, size_t size);
/* A copy that lives until the next reset. */
bool ottl_keep(struct ottl_machine *machine, struct slice bytes, struct slice *kept);
/* What was built in `work`, as such a copy; `work` is empty afterwards. Whoever builds does not evaluate anything meanwhile. */
struct buffer *ottl_work(struct ottl_machine *machine);
bool ottl_keep_work(struct ottl_machine *machine, struct slice *kept);
/* The same as a value: a string, a list or a map. */
bool ottl_give_string(struct ottl_machine *machine, struct ottl_value *value);
bool ottl_give_list(struct ottl_machine *machine, struct ottl_value *value);
bool ottl_give_map(struct ottl_machine *machine, struct ottl_value *value);

/* Sets the error, and returns false. */
bool ottl_fail(struct ottl_machine *machine, const char *format, ...) __attribute__((format(printf, 2, 3)));
/* "expected string but got int64" */
bool ottl_fail_kind(struct ottl_machine *machine, const char *expected, const struct ottl_value *got);

/* ---- fields of messages, as they are now ---- */

bool ottl_read_field(const struct ottl_machine *machine, enum ottl_level level, uint32_t number, struct pb_field *field);
bool ottl_read_attribute(struct ottl_machine *machine, enum ottl_level level, struct slice key, struct ottl_value *value);
/* All attributes as a map. */
bool ottl_read_attributes(struct ottl_machine *machine, enum ottl_level level, struct ottl_value *map);
/* The edit of a message, opened when it is not yet. */
struct edit *ottl_edit(struct ottl_machine *machine, enum ottl_level level);
/* A slice that may lie within an edit's memory: moved out of it. */
bool ottl_settle_slice(struct ottl_machine *machine, enum ottl_level level, struct slice *bytes);
bool ottl_write_attributes(struct ottl_machine *machine, enum ottl_level level, const struct ottl_value *map);

#endif
