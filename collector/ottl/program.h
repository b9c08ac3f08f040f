/* Compiled programs: expressions, paths, calls and functions. Internal to collector/ottl. */
#ifndef WEIR_OTTL_PROGRAM_H
#define WEIR_OTTL_PROGRAM_H

#include <stdatomic.h>

#include "collector/base/arena.h"
#include "collector/ottl/machine.h"
#include "collector/ottl/parser.h"
#include "collector/ottl/regex.h"

struct ottl_expression;
struct ottl_call;

/* ---- expressions ---- */

struct ottl_expression {
    bool (*evaluate)(const struct ottl_expression *self, struct ottl_machine *machine, struct ottl_value *value);
    bool constant; /* `value` is what it gives */
    struct ottl_value value;
    const struct ottl_path *path;
    const struct ottl_call *call;
    const struct ottl_expression **operands; /* of math, comparisons, and, or, not, lists, maps; keys of an index */
    size_t count;
    int operator;
    const struct slice *labels; /* of a map's operands */
};

static inline bool ottl_evaluate(const struct ottl_expression *expression, struct ottl_machine *machine, struct ottl_value *value)
{
    if (expression->constant) {
        *value = expression->value;
        return true;
    }
    return expression->evaluate(expression, machine, value);
}

/* ---- paths ---- */

enum ottl_field_kind {
    FIELD_STRING,
    FIELD_VARINT,
    FIELD_SINT,
    FIELD_BOOL,
    FIELD_FIXED64,
    FIELD_FIXED32,
    FIELD_DOUBLE,
    FIELD_TIME,
    FIELD_TRACE_ID,
    FIELD_TRACE_ID_TEXT,
    FIELD_SPAN_ID,
    FIELD_SPAN_ID_TEXT,
    FIELD_ANY,
    FIELD_ANY_TEXT,
    FIELD_ATTRIBUTES,
    FIELD_SCHEMA_URL,
    FIELD_CACHE,
    FIELD_TRACE_STATE,
    FIELD_KIND_TEXT,
    FIELD_KIND_OLD_TEXT,
    FIELD_METRIC_TYPE,
    FIELD_PART_INDEX,
    FIELD_FIXED64_LIST, /* packed */
    FIELD_VARINT_LIST,
    FIELD_DOUBLE_LIST,
    FIELD_MESSAGES, /* repeated messages: how many there are can be asked, no more */
};

/* One name of a context. A `within` other than 0 is the number of the message that holds the field. */
struct ottl_field {
    const char *name; /* dotted */
    enum ottl_field_kind kind;
    uint32_t within, number;
    const uint8_t *numbers; /* of data points: {within, number} by shape of the metric; 0, 0: it has none */
};

struct ottl_path {
    enum ottl_level level;
    const struct ottl_field *field;
    const struct ottl_expression **keys;
    size_t key_count;
    struct slice key; /* the first key, when it is a constant string; data NULL: it is not */
};

/* The field of a context by its dotted name; NULL: it has none. */
const struct ottl_field *ottl_find_field(enum ottl_context context, struct slice name);

bool ottl_path_get(const struct ottl_path *path, struct ottl_machine *machine, struct ottl_value *value);
bool ottl_path_set(const struct ottl_path *path, struct ottl_machine *machine, const struct ottl_value *value);

/* value[keys...], from the key `from` on */
bool ottl_index(struct ottl_machine *machine, const struct ottl_expression **keys, size_t count, struct ottl_value *value);
/* *target[keys...] = value: target becomes a changed copy */
bool ottl_index_set(struct ottl_machine *machine, const struct ottl_expression **keys, size_t count, struct ottl_value *target,
    const struct ottl_value *value);

/* A trace state is "key=value,key=value". Setting puts the member in front; *value becomes the new state. */
bool ottl_trace_state_get(struct slice state, struct slice key, struct slice *found);
bool ottl_trace_state_set(struct ottl_machine *machine, struct slice state, struct slice key, struct slice *value);

/* ---- functions ---- */

enum { OTTL_ARGUMENTS_MAX = 6 };

struct ottl_call {
    const struct ottl_function *function;
    const struct ottl_expression *arguments[OTTL_ARGUMENTS_MAX]; /* NULL: left out */
    const struct ottl_regex *regex;                              /* of the pattern argument, when it is a constant */
    const struct ottl_function *applied;                         /* of the function argument */
    const struct ottl_call *inner;                               /* for `applied`: a call whose first argument is set at run time */
    void *data;                                                  /* what prepare made */
    struct ottl_regex *owned_regex;                              /* prepare may leave one here, for the program to free */
    enum ottl_context context;
};

/*
 * `parameters`: names with their kinds, in order: "target:path,pattern:regex,?length:value". Kinds: value; path (something that can be
 * set); regex (compiled once when it is a constant string); function; literal (a constant). "?" and all behind may be left out.
 */
struct ottl_function {
    const char *name;
    const char *parameters;
    bool (*evaluate)(const struct ottl_call *call, struct ottl_machine *machine, struct ottl_value *value);
    bool (*prepare)(struct ottl_call *call, struct arena *arena, struct error *err); /* NULL: nothing to check */
    bool editor;
    bool impure;       /* gives something else each time, or depends on the record: not folded */
    unsigned contexts; /* bits of enum ottl_context; 0: all */
};

/* Tables end with a name of NULL. */
extern const struct ottl_function ottl_editors[], ottl_map_functions[], ottl_text_functions[], ottl_type_functions[], ottl_time_functions[],
    ottl_hash_functions[], ottl_parse_functions[], ottl_xml_functions[], ottl_metric_functions[], ottl_regex_functions[],
    ottl_case_functions[], ottl_extract_functions[], ottl_aggregate_functions[], ottl_derive_functions[];

const struct ottl_function *ottl_find_function(struct slice name, bool editor);
bool ottl_find_enum(enum ottl_context context, struct slice name, int64_t *value);

/* ---- arguments, for functions ---- */

bool ottl_argument(const struct ottl_call *call, size_t index, struct ottl_machine *machine, struct ottl_value *value);
/* Each fails when the value is of another kind, nil too. Arguments that were left out: `*out` stays as it was. */
bool ottl_argument_string(const struct ottl_call *call, size_t index, struct ottl_machine *machine, struct slice *out);
bool ottl_argument_int(const struct ottl_call *call, size_t index, struct ottl_machine *machine, int64_t *out);
bool ottl_argument_bool(const struct ottl_call *call, size_t index, struct ottl_machine *machine, bool *out);
bool ottl_argument_kind(
    const struct ottl_call *call, size_t index, struct ottl_machine *machine, enum ottl_kind kind, struct ottl_value *out);
/* Any value as text; *is_nil when there is none. */
bool ottl_argument_text(const struct ottl_call *call, size_t index, struct ottl_machine *machine, struct slice *out, bool *is_nil);
/* The compiled pattern of argument `index`, compiled for this one evaluation when it is no constant: *owned is then to be destroyed. */
const struct ottl_regex *ottl_argument_regex(
    const struct ottl_call *call, size_t index, struct ottl_machine *machine, struct ottl_regex **owned);
enum ottl_match ottl_match(struct ottl_machine *machine, const struct ottl_regex *regex, struct slice text, size_t from);
/* The text, in the machine's memory. */
bool ottl_text_of(struct ottl_machine *machine, const struct ottl_value *value, struct slice *text);

/* ---- programs ---- */

struct ottl_statement {
    const char *text;
    const struct ottl_expression *condition; /* NULL: always */
    const struct ottl_call *editor;          /* NULL: a condition */
    atomic_ullong failures;
    struct ottl_statement *next;
};

struct ottl_owned_regex {
    struct ottl_regex *regex;
    struct ottl_owned_regex *next;
};

struct ottl {
    struct arena arena;
    enum ottl_context context;
    bool qualified;
    struct ottl_statement *statements, *last_statement;
    struct ottl_statement *conditions, *last_condition;
    struct ottl_owned_regex *regexes;
    struct ottl_machine *folder; /* evaluates constants */
};

/* compile.c */
const struct ottl_expression *ottl_compile(struct ottl *program, const struct ottl_node *node, struct error *err);
const struct ottl_call *ottl_compile_call(struct ottl *program, const struct ottl_node *node, bool editor, struct error *err);

/* evaluate.c */
bool ottl_evaluate_path(const struct ottl_expression *self, struct ottl_machine *machine, struct ottl_value *value);
bool ottl_evaluate_call(const struct ottl_expression *self, struct ottl_machine *machine, struct ottl_value *value);
bool ottl_evaluate_list(const struct ottl_expression *self, struct ottl_machine *machine, struct ottl_value *value);
bool ottl_evaluate_map(const struct ottl_expression *self, struct ottl_machine *machine, struct ottl_value *value);
bool ottl_evaluate_math(const struct ottl_expression *self, struct ottl_machine *machine, struct ottl_value *value);
bool ottl_evaluate_comparison(const struct ottl_expression *self, struct ottl_machine *machine, struct ottl_value *value);
bool ottl_evaluate_joined(const struct ottl_expression *self, struct ottl_machine *machine, struct ottl_value *value);
bool ottl_evaluate_not(const struct ottl_expression *self, struct ottl_machine *machine, struct ottl_value *value);

/* False when a failure propagates. *any: one of the conditions holds; true when there is none. */
bool ottl_run_conditions(const struct ottl *program, struct ottl_machine *machine, enum ottl_error_mode mode, bool *any);
bool ottl_run(const struct ottl *program, struct ottl_machine *machine, enum ottl_error_mode mode);

#endif
