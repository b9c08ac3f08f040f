/* filter and router: where records go. */
#include "collector/base/hash.h"
#include "collector/stanza/operator.h"

#define OPERATOR_OPTIONS                                                                                                                   \
    {                                                                                                                                      \
        "", OPTION_INCLUDE, 0, NULL, NULL, NULL, stanza_operator_options                                                                   \
    }

/* ---- filter ---- */

struct filter {
    struct stanza_operator base;
    const char *text;
    double drop_ratio;
    struct stanza_expression *expression; /* owned */
};

static const struct option filter_options[] = {
    OPERATOR_OPTIONS,
    { "expr", OPTION_STRING, offsetof(struct filter, text), NULL, "nonempty", "expression: records that it is true for are dropped",
        .flags = OPTION_REQUIRED },
    { "drop_ratio", OPTION_DOUBLE, offsetof(struct filter, drop_ratio), "1", "0..1", "how many of them, by chance" },
    { 0 },
};

static bool filter_init(struct stanza_operator *operator, struct error * err)
{
    struct filter *self = (struct filter *)operator;

    self->expression = stanza_expression_create(operator->arena, self->text, err);
    return self->expression != NULL || fail_within(err, "expr");
}

static void filter_fini(struct stanza_operator *operator)
{
    stanza_expression_destroy(((struct filter *)operator)->expression);
}

static enum stanza_step filter_process(struct stanza_operator *operator, struct stanza_record * record)
{
    struct filter *self = (struct filter *)operator;
    struct stanza_evaluation evaluation = { record, stanza_matcher(operator), NULL };
    bool drop;

    if (!stanza_test(self->expression, &evaluation, &drop))
        return stanza_fail(operator, "expr: %s", evaluation.problem);
    if (!drop || (self->drop_ratio < 1 && random_unit() >= self->drop_ratio))
        return STANZA_NEXT;
    return STANZA_TAKEN;
}

const struct stanza_operator_type stanza_filter = { .name = "filter",
    .options = filter_options,
    .size = sizeof(struct filter),
    .init = filter_init,
    .fini = filter_fini,
    .process = filter_process };

/* ---- router ---- */

struct route {
    const char *text;
    struct option_strings output;
    struct option_pairs attributes;
};

struct ready_route {
    struct stanza_expression *expression; /* owned */
    struct stanza_operator **outputs;
    size_t count;
    const struct route *settings;
};

struct router {
    struct stanza_operator base;
    struct option_list routes;
    struct option_strings otherwise;
    struct ready_route *ready; /* one more than routes: the default, last */
    size_t count;
    struct stanza_operator **targets; /* all outputs of all routes */
    size_t target_count;
};

static const struct option route_options[] = {
    { "expr", OPTION_STRING, offsetof(struct route, text), NULL, "nonempty", "expression: records that it is true for go this way",
        .flags = OPTION_REQUIRED },
    { "output", OPTION_STRINGS, offsetof(struct route, output), NULL, NULL, "ids of operators", .flags = OPTION_REQUIRED },
    { "attributes", OPTION_PAIRS, offsetof(struct route, attributes), NULL, NULL, "added to them" },
    { 0 },
};
static const struct option router_options[] = {
    OPERATOR_OPTIONS,
    { "routes", OPTION_LIST, offsetof(struct router, routes), NULL, NULL, "the first that fits counts", .fields = route_options,
        .size = sizeof(struct route) },
    { "default", OPTION_STRINGS, offsetof(struct router, otherwise), NULL, NULL,
        "ids of operators for all others; without it they are dropped" },
    { 0 },
};

static bool find_outputs(struct router *self, const struct option_strings *names, struct ready_route *ready, struct error *err)
{
    ready->outputs = &self->targets[self->target_count];
    for (size_t i = 0; i < names->count; i++) {
        struct stanza_operator *target = stanza_find(&self->base, names->items[i], err);
        if (target == NULL)
            return false;
        self->targets[self->target_count++] = target;
        ready->count++;
    }
    return true;
}

static bool router_init(struct stanza_operator *operator, struct error * err)
{
    struct router *self = (struct router *)operator;
    const struct route *routes = self->routes.items;
    size_t targets = self->otherwise.count;

    if (self->routes.count == 0)
        return fail(err, "routes: expected at least one");
    for (size_t i = 0; i < self->routes.count; i++)
        targets += routes[i].output.count;
    self->targets = arena_alloc(operator->arena, (targets + 1) * sizeof(struct stanza_operator *));
    self->ready = arena_alloc(operator->arena, (self->routes.count + 1) * sizeof(*self->ready));
    self->base.output_count = 0; /* what does not fit goes nowhere */
    for (size_t i = 0; i < self->routes.count; i++) {
        self->ready[i].settings = &routes[i];
        self->ready[i].expression = stanza_expression_create(operator->arena, routes[i].text, err);
        self->count = i + 1;
        if (self->ready[i].expression == NULL)
            return fail_within(err, "routes[%zu].expr", i);
        if (!find_outputs(self, &routes[i].output, &self->ready[i], err))
            return false;
    }
    return find_outputs(self, &self->otherwise, &self->ready[self->routes.count], err);
}

static void router_fini(struct stanza_operator *operator)
{
    struct router *self = (struct router *)operator;

    for (size_t i = 0; i < self->count; i++)
        stanza_expression_destroy(self->ready[i].expression);
}

size_t stanza_router_targets(const struct stanza_operator *operator, struct stanza_operator *** targets)
{
    const struct router *self = (const struct router *)operator;

    *targets = self->targets;
    return self->target_count;
}

static bool add_attributes(struct stanza_record *record, const struct route *route)
{
    for (size_t i = 0; route != NULL && i < route->attributes.count; i++) {
        if (!stanza_map_set(record->memory, &record->attributes, slice_of_string(route->attributes.items[i].key),
                stanza_string(slice_of_string(route->attributes.items[i].value))))
            return false;
    }
    return true;
}

static enum stanza_step take_route(struct stanza_operator *operator, const struct ready_route * route, struct stanza_record *record)
{
    if (!add_attributes(record, route->settings))
        return stanza_fail(operator, "the record is too large");
    for (size_t i = 0; i < route->count; i++) {
        struct stanza_record copy;
        if (i + 1 == route->count)
            stanza_send_to(operator, route->outputs[i], record);
        else if (stanza_record_copy(record->memory, record, false, &copy))
            stanza_send_to(operator, route->outputs[i], &copy);
    }
    return STANZA_TAKEN;
}

static enum stanza_step router_process(struct stanza_operator *operator, struct stanza_record * record)
{
    struct router *self = (struct router *)operator;
    struct stanza_evaluation evaluation = { record, stanza_matcher(operator), NULL };
    bool fits = false;

    for (size_t i = 0; i < self->count; i++) {
        /* an expression that cannot be told is one that does not fit */
        if (stanza_test(self->ready[i].expression, &evaluation, &fits) && fits)
            return take_route(operator, & self->ready[i], record);
    }
    return take_route(operator, & self->ready[self->count], record);
}

const struct stanza_operator_type stanza_router = { .name = "router",
    .options = router_options,
    .size = sizeof(struct router),
    .init = router_init,
    .fini = router_fini,
    .process = router_process };
