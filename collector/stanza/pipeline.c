/*
 * The chain: made, wired, run. An operator calls the next one; the depth of the calls is the length of the chain, which is bounded, and loops
 * are refused when it is made. Cost: nothing is allocated for a record but what its values need.
 */
#include "collector/stanza/pipeline.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include "collector/base/clock.h"
#include "collector/config/scalar.h"
#include "collector/stanza/operator.h"

enum { OPERATORS_MAX = 200, OUTPUTS_MAX = 64 };

struct stanza_pipeline {
    struct arena arena;
    struct stanza_operator *operators[OPERATORS_MAX]; /* in the arena */
    size_t count;
    struct stanza_sink sink;
    struct ottl_matcher *matcher;
    int64_t now_ns;
    bool holds;
};

static const struct option no_options[] = { { 0 } };

/* ---- making ---- */

static const struct stanza_operator_type *type_of(const struct config_node *node, struct error *err)
{
    const struct config_node *type = config_get(node, "type");
    struct buffer names = { 0 };

    if (node->kind != CONFIG_MAP || type == NULL || type->kind != CONFIG_SCALAR) {
        fail(err, "line %d: expected an operator, with its type", node->line);
        return NULL;
    }
    for (size_t i = 0; stanza_operator_types[i] != NULL; i++) {
        if (strcmp(stanza_operator_types[i]->name, type->text) == 0)
            return stanza_operator_types[i];
    }
    for (size_t i = 0; stanza_operator_types[i] != NULL; i++)
        buffer_printf(&names, "%s%s", i > 0 ? ", " : "", stanza_operator_types[i]->name);
    fail(err, "line %d: there is no operator \"%s\"; expected one of %s", type->line, type->text, buffer_string(&names));
    buffer_fini(&names);
    return NULL;
}

static bool fill(struct stanza_operator *self, struct error *err)
{
    struct config_errors errors = { .arena = self->arena };
    struct option_target target = { self, self->arena, &errors };

    if (option_fill(self->type->options != NULL ? self->type->options : no_options, self->node, self->type->name, &target))
        return true;
    for (const struct config_error *each = errors.first; each != NULL; each = each->next) {
        if (!each->warning)
            return fail(err, "%s", each->text);
    }
    return fail(err, "line %d: \"%s\" has errors", self->node->line, self->type->name);
}

static struct stanza_operator *operator_create(struct stanza_pipeline *pipeline, const struct config_node *node, struct error *err)
{
    const struct stanza_operator_type *type = type_of(node, err);
    struct stanza_operator *self;

    if (type == NULL)
        return NULL;
    self = arena_alloc(&pipeline->arena, type->size);
    *self = (struct stanza_operator){ .type = type, .pipeline = pipeline, .arena = &pipeline->arena, .node = node };
    pipeline->operators[pipeline->count++] = self;
    if (!fill(self, err))
        return NULL;
    if (self->condition_text != NULL) {
        self->condition = stanza_expression_create(&pipeline->arena, self->condition_text, err);
        if (self->condition == NULL) {
            fail_within(err, "line %d: if", node->line);
            return NULL;
        }
    }
    pipeline->holds |= type->flush != NULL;
    return self;
}

static bool is_taken(const struct stanza_pipeline *pipeline, const char *id)
{
    for (size_t i = 0; i < pipeline->count; i++) {
        if (pipeline->operators[i]->id != NULL && strcmp(pipeline->operators[i]->id, id) == 0)
            return true;
    }
    return false;
}

/* Those without an id are called as their type, with a number from the second on. */
static bool name_operators(struct stanza_pipeline *pipeline, struct error *err)
{
    for (size_t i = 0; i < pipeline->count; i++) {
        const char *id = pipeline->operators[i]->id;
        for (size_t j = 0; id != NULL && j < i; j++) {
            if (pipeline->operators[j]->id != NULL && strcmp(pipeline->operators[j]->id, id) == 0)
                return fail(err, "line %d: two operators have the id \"%s\"", pipeline->operators[i]->node->line, id);
        }
    }
    for (size_t i = 0; i < pipeline->count; i++) {
        struct stanza_operator *self = pipeline->operators[i];
        const char *id = self->type->name;
        if (self->id != NULL)
            continue;
        for (size_t number = 1; is_taken(pipeline, id); number++)
            id = arena_printf(&pipeline->arena, "%s%zu", self->type->name, number);
        self->id = id;
    }
    return true;
}

struct stanza_operator *stanza_find(const struct stanza_operator *self, const char *id, struct error *err)
{
    const struct stanza_pipeline *pipeline = self->pipeline;

    for (size_t i = 0; i < pipeline->count; i++) {
        if (strcmp(pipeline->operators[i]->id, id) == 0)
            return pipeline->operators[i];
    }
    fail(err, "line %d: there is no operator with the id \"%s\"", self->node->line, id);
    return NULL;
}

static bool wire(struct stanza_pipeline *pipeline, size_t index, struct error *err)
{
    struct stanza_operator *self = pipeline->operators[index];

    self->output_count = self->output.count > 0 ? self->output.count : 1;
    if (self->output_count > OUTPUTS_MAX)
        return fail(err, "line %d: more than %d outputs", self->node->line, OUTPUTS_MAX);
    self->outputs = arena_alloc(&pipeline->arena, self->output_count * sizeof(struct stanza_operator *));
    if (self->output.count == 0)
        self->outputs[0] = index + 1 < pipeline->count ? pipeline->operators[index + 1] : NULL;
    for (size_t i = 0; i < self->output.count; i++) {
        self->outputs[i] = stanza_find(self, self->output.items[i], err);
        if (self->outputs[i] == NULL)
            return false;
    }
    return true;
}

/* Loops, found by a walk that marks what it is in (1) and done with (2). */
static bool walk(struct stanza_pipeline *pipeline, struct stanza_operator *self, uint8_t *marks, struct error *err)
{
    struct stanza_operator **more = NULL;
    size_t index = 0, routes = self->type == &stanza_router ? stanza_router_targets(self, &more) : 0;

    while (pipeline->operators[index] != self)
        index++;
    if (marks[index] == 1)
        return fail(err, "line %d: operator \"%s\" comes after itself", self->node->line, self->id);
    if (marks[index] == 2)
        return true;
    marks[index] = 1;
    for (size_t i = 0; i < self->output_count + routes; i++) {
        struct stanza_operator *next = i < self->output_count ? self->outputs[i] : more[i - self->output_count];
        if (next != NULL && !walk(pipeline, next, marks, err))
            return false;
    }
    marks[index] = 2;
    return true;
}

static bool finish(struct stanza_pipeline *pipeline, struct error *err)
{
    uint8_t marks[OPERATORS_MAX] = { 0 };

    if (!name_operators(pipeline, err))
        return false;
    for (size_t i = 0; i < pipeline->count; i++) {
        struct stanza_operator *self = pipeline->operators[i];
        if (!wire(pipeline, i, err))
            return false;
        if (self->type->init != NULL && !self->type->init(self, err))
            return fail_within(err, "line %d: %s", self->node->line, self->type->name);
    }
    for (size_t i = 0; i < pipeline->count; i++) {
        if (!walk(pipeline, pipeline->operators[i], marks, err))
            return false;
    }
    return true;
}

static bool read_list(struct stanza_pipeline *pipeline, const struct config_node *list, struct error *err)
{
    if (list == NULL || list->kind == CONFIG_NULL)
        return true;
    if (list->kind != CONFIG_LIST)
        return fail(err, "line %d: expected a list of operators", list->line);
    for (const struct config_node *node = list->children; node != NULL; node = node->next) {
        if (pipeline->count == OPERATORS_MAX)
            return fail(err, "line %d: more than %d operators", node->line, OPERATORS_MAX);
        if (operator_create(pipeline, node, err) == NULL)
            return false;
    }
    return finish(pipeline, err);
}

struct stanza_pipeline *stanza_pipeline_create(const struct config_node *operators, struct error *err)
{
    struct stanza_pipeline *pipeline = calloc(1, sizeof(*pipeline));

    if (pipeline == NULL)
        abort();
    pipeline->matcher = ottl_matcher_create();
    if (pipeline->matcher == NULL)
        abort();
    if (read_list(pipeline, operators, err))
        return pipeline;
    stanza_pipeline_destroy(pipeline);
    return NULL;
}

void stanza_pipeline_destroy(struct stanza_pipeline *pipeline)
{
    if (pipeline == NULL)
        return;
    for (size_t i = 0; i < pipeline->count; i++) {
        struct stanza_operator *self = pipeline->operators[i];
        if (self->type->fini != NULL)
            self->type->fini(self);
        stanza_expression_destroy(self->condition);
    }
    ottl_matcher_destroy(pipeline->matcher);
    arena_fini(&pipeline->arena);
    free(pipeline);
}

void stanza_pipeline_set_sink(struct stanza_pipeline *pipeline, const struct stanza_sink *sink)
{
    pipeline->sink = *sink;
}

bool stanza_pipeline_is_empty(const struct stanza_pipeline *pipeline)
{
    return pipeline->count == 0;
}

bool stanza_pipeline_holds(const struct stanza_pipeline *pipeline)
{
    return pipeline->holds;
}

/* ---- running ---- */

struct ottl_matcher *stanza_matcher(const struct stanza_operator *self)
{
    return self->pipeline->matcher;
}

int64_t stanza_now(const struct stanza_operator *self)
{
    if (self->pipeline->now_ns == 0)
        self->pipeline->now_ns = clock_monotonic_nanos();
    return self->pipeline->now_ns;
}

enum stanza_step stanza_fail(struct stanza_operator *self, const char *format, ...)
{
    va_list arguments;

    va_start(arguments, format);
    vsnprintf(self->problem, sizeof(self->problem), format, arguments);
    va_end(arguments);
    return STANZA_FAILED;
}

static void tell(const struct stanza_operator *self, enum stanza_event event)
{
    const struct stanza_sink *sink = &self->pipeline->sink;

    if (sink->event != NULL)
        sink->event(sink->context, event, self->id, self->problem);
}

void stanza_on_error(struct stanza_operator *self, struct stanza_record *record)
{
    bool quiet = self->on_error == STANZA_SEND_QUIET || self->on_error == STANZA_DROP_QUIET;

    tell(self, quiet ? STANZA_EVENT_ERROR_QUIET : STANZA_EVENT_ERROR);
    if (self->on_error == STANZA_SEND || self->on_error == STANZA_SEND_QUIET)
        stanza_send(self, record);
    else
        tell(self, STANZA_EVENT_DROPPED);
}

/* 1: it is meant, 0: it is not, -1: the condition fails. */
static int is_meant(struct stanza_operator *self, struct stanza_record *record)
{
    struct stanza_evaluation evaluation = { record, self->pipeline->matcher, NULL };
    bool meant = true;

    if (self->condition == NULL)
        return 1;
    if (stanza_test(self->condition, &evaluation, &meant))
        return meant;
    stanza_fail(self, "if: %s", evaluation.problem);
    return -1;
}

static void run(struct stanza_operator *self, struct stanza_record *record)
{
    int meant = is_meant(self, record);
    enum stanza_step step = meant < 0 ? STANZA_FAILED : STANZA_NEXT;

    if (meant > 0)
        step = self->type->process(self, record);
    if (step == STANZA_NEXT)
        stanza_send(self, record);
    else if (step == STANZA_FAILED)
        stanza_on_error(self, record);
}

static void deliver(struct stanza_pipeline *pipeline, struct stanza_operator *to, struct stanza_record *record)
{
    if (to != NULL)
        run(to, record);
    else
        pipeline->sink.record(pipeline->sink.context, record);
}

void stanza_send_to(struct stanza_operator *from, struct stanza_operator *to, struct stanza_record *record)
{
    deliver(from->pipeline, to, record);
}

void stanza_send(struct stanza_operator *self, struct stanza_record *record)
{
    if (self->output_count == 0)
        return;
    for (size_t i = 0; i + 1 < self->output_count; i++) {
        struct stanza_record copy;
        if (stanza_record_copy(record->memory, record, false, &copy))
            deliver(self->pipeline, self->outputs[i], &copy);
        else
            tell(self, STANZA_EVENT_DROPPED);
    }
    deliver(self->pipeline, self->outputs[self->output_count - 1], record);
}

void stanza_pipeline_process(struct stanza_pipeline *pipeline, struct stanza_record *record)
{
    deliver(pipeline, pipeline->count > 0 ? pipeline->operators[0] : NULL, record);
}

void stanza_pipeline_flush(struct stanza_pipeline *pipeline, int64_t now_ns, bool all)
{
    pipeline->now_ns = now_ns;
    for (size_t i = 0; pipeline->holds && i < pipeline->count; i++) {
        if (pipeline->operators[i]->type->flush != NULL)
            pipeline->operators[i]->type->flush(pipeline->operators[i], now_ns, all);
    }
}

uint64_t stanza_pipeline_held(const struct stanza_pipeline *pipeline, const void *source)
{
    uint64_t lowest = UINT64_MAX;

    for (size_t i = 0; pipeline->holds && i < pipeline->count; i++) {
        const struct stanza_operator *self = pipeline->operators[i];
        uint64_t origin = self->type->held != NULL ? self->type->held(self, source) : UINT64_MAX;
        lowest = origin < lowest ? origin : lowest;
    }
    return lowest;
}

/* ---- values of configurations ---- */

static struct slice arena_slice(struct arena *arena, const char *text)
{
    return slice_of(arena_string(arena, slice_of_string(text)), strlen(text));
}

static struct stanza_value scalar_of(struct arena *arena, const struct config_node *node)
{
    enum scalar_type type = node->quoted ? SCALAR_STRING : scalar_type_of(node->text);
    struct stanza_value value = { .kind = STANZA_NIL };
    bool flag;

    if (type == SCALAR_NULL)
        return value;
    if (type == SCALAR_BOOL && scalar_parse_bool(node->text, &flag))
        return stanza_bool(flag);
    if (type == SCALAR_INT && scalar_parse_int(node->text, &value.integer))
        value.kind = STANZA_INT;
    else if (type == SCALAR_FLOAT && scalar_parse_float(node->text, &value.number))
        value.kind = STANZA_DOUBLE;
    else
        value = stanza_string(arena_slice(arena, node->text));
    return value;
}

struct stanza_value stanza_value_of_node(struct arena *arena, const struct config_node *node)
{
    struct stanza_value value = { .kind = STANZA_NIL };
    size_t count = 0;

    if (node->kind == CONFIG_SCALAR)
        return scalar_of(arena, node);
    for (const struct config_node *child = node->children; child != NULL; child = child->next)
        count++;
    if (node->kind == CONFIG_MAP) {
        value = (struct stanza_value){ .kind = STANZA_MAP, .map = arena_alloc(arena, sizeof(*value.map)) };
        value.map->members = arena_alloc(arena, (count + 1) * sizeof(*value.map->members));
        for (const struct config_node *child = node->children; child != NULL; child = child->next)
            value.map->members[value.map->count++] =
                (struct stanza_member){ arena_slice(arena, child->key), stanza_value_of_node(arena, child) };
        value.map->capacity = count;
    } else if (node->kind == CONFIG_LIST) {
        value = (struct stanza_value){ .kind = STANZA_LIST, .list = arena_alloc(arena, sizeof(*value.list)) };
        value.list->items = arena_alloc(arena, (count + 1) * sizeof(*value.list->items));
        for (const struct config_node *child = node->children; child != NULL; child = child->next)
            value.list->items[value.list->count++] = stanza_value_of_node(arena, child);
        value.list->capacity = count;
    }
    return value;
}
