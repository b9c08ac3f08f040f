/*
 * Rules of OTTL: from settings to programs, and over batches.
 *
 * A batch that no rule changes passes as it is. Cost otherwise: what was changed is written to a buffer of the worker, then once
 * more to a payload of its size. Threads: workers, with their machines and buffers, are taken from a list under a lock, once a batch.
 */
#include "collector/processors/ottl_rules.h"

#include <stdlib.h>

#include "collector/base/log.h"
#include "collector/tap.h"
#include "collector/telemetry.h"

struct ottl_worker {
    struct ottl_machine *machine;
    struct buffer out, other;
    struct ottl_worker *next;
};

enum { KEPT_BUFFER_MAX = 4 << 20 };

bool ottl_mode_of(const char *word, enum ottl_error_mode otherwise, enum ottl_error_mode *mode)
{
    static const char *const words[] = { "propagate", "ignore", "silent" };

    *mode = otherwise;
    if (word == NULL || word[0] == '\0')
        return true;
    for (int i = 0; i < 3; i++) {
        if (strcmp(word, words[i]) == 0) {
            *mode = (enum ottl_error_mode)i;
            return true;
        }
    }
    return false;
}

/* ---- reading ---- */

static struct ottl_rule *add_rule(struct ottl_rules *rules, const struct ottl_source *source, enum ottl_context context, bool qualified)
{
    struct ottl_rule *items = realloc(rules->items, (rules->count + 1) * sizeof(*items));

    if (items == NULL)
        abort();
    rules->items = items;
    items[rules->count] = (struct ottl_rule){ source->signal, context, source->mode, ottl_create(context, qualified) };
    return &items[rules->count++];
}

/* Adds the text, with the line that it stands on to an error. */
static bool add_text(struct ottl_rule *rule, const struct config_node *node, bool condition, struct error *err)
{
    if (node->kind != CONFIG_SCALAR)
        return fail(err, "line %d: expected a %s", node->line, condition ? "condition" : "statement");
    if (condition ? ottl_add_condition(rule->program, node->text, err) : ottl_add_statement(rule->program, node->text, err))
        return true;
    return fail_within(err, "line %d: \"%s\"", node->line, node->text);
}

static bool add_texts(struct ottl_rule *rule, const struct config_node *list, bool condition, struct error *err)
{
    if (list == NULL || list->kind == CONFIG_NULL)
        return true;
    if (list->kind != CONFIG_LIST)
        return fail(err, "line %d: expected a list", list->line);
    for (const struct config_node *item = list->children; item != NULL; item = item->next) {
        if (!add_text(rule, item, condition, err))
            return false;
    }
    return true;
}

static size_t collect(const struct config_node *list, const char **texts, size_t count)
{
    for (const struct config_node *item = list != NULL ? list->children : NULL; item != NULL; item = item->next) {
        if (texts != NULL)
            texts[count] = item->text != NULL ? item->text : "";
        count++;
    }
    return count;
}

/* The context that the group names, or that its texts mean. */
static bool context_of(const struct config_node *group, enum signal signal, enum ottl_context *context, bool *qualified, struct error *err)
{
    const struct config_node *named = config_get(group, "context"),
                             *lists[] = { config_get(group, "conditions"), config_get(group, "statements") };
    const char **texts;
    size_t count;
    bool found;

    *qualified = named == NULL || named->text == NULL || named->text[0] == '\0';
    if (!*qualified) {
        if (!ottl_context_of(slice_of_string(named->text), context) || !ottl_context_fits(*context, signal))
            return fail(err, "line %d: unknown context \"%s\" for %s", named->line, named->text, signal_name(signal));
        return true;
    }
    count = collect(lists[1], NULL, collect(lists[0], NULL, 0));
    texts = calloc(count + 1, sizeof(*texts));
    if (texts == NULL)
        abort();
    collect(lists[1], texts, collect(lists[0], texts, 0));
    found = ottl_infer_context(signal, texts, count, context, err);
    free(texts);
    return found || fail_within(err, "line %d", group->line);
}

static bool check_keys(const struct config_node *group, bool filter, struct error *err)
{
    for (const struct config_node *child = group->children; child != NULL; child = child->next) {
        bool known = strcmp(child->key, "context") == 0 || strcmp(child->key, "error_mode") == 0 || strcmp(child->key, "conditions") == 0 ||
                     (!filter && (strcmp(child->key, "statements") == 0 || strcmp(child->key, "shared_cache") == 0));
        if (!known)
            return fail(err, "line %d: unknown key \"%s\", known are context, error_mode, conditions%s", child->key_line, child->key,
                filter ? "" : " and statements");
    }
    return true;
}

static bool read_group(struct ottl_rules *rules, const struct ottl_source *source, const struct config_node *group, struct error *err)
{
    const struct config_node *mode = config_get(group, "error_mode");
    struct ottl_source own = *source;
    enum ottl_context context;
    bool qualified;

    if (!check_keys(group, rules->filter, err))
        return false;
    if (!ottl_mode_of(mode != NULL ? mode->text : NULL, source->mode, &own.mode))
        return fail(err, "line %d: unknown error_mode \"%s\", must be propagate, ignore or silent", mode->line, mode->text);
    if (collect(config_get(group, "conditions"), NULL, 0) + collect(config_get(group, "statements"), NULL, 0) == 0)
        return true;
    if (!context_of(group, source->signal, &context, &qualified, err))
        return false;
    struct ottl_rule *rule = add_rule(rules, &own, context, qualified);
    return add_texts(rule, config_get(group, "conditions"), true, err) && add_texts(rule, config_get(group, "statements"), false, err);
}

/* A text alone joins the rule before it when that is of the same context, so that they share a pass and a cache. */
static bool read_text(
    struct ottl_rules *rules, const struct ottl_source *source, const struct config_node *node, bool may_join, struct error *err)
{
    const char *text = node->text;
    enum ottl_context context;

    if (!ottl_infer_context(source->signal, &text, 1, &context, err))
        return fail_within(err, "line %d: \"%s\"", node->line, text);
    struct ottl_rule *last = rules->count > 0 ? &rules->items[rules->count - 1] : NULL;
    if (!may_join || last == NULL || last->context != context)
        last = add_rule(rules, source, context, true);
    return add_text(last, node, rules->filter, err);
}

bool ottl_rules_read(struct ottl_rules *rules, const struct ottl_source *source, struct error *err)
{
    const struct config_node *list = source->node;
    bool was_text = false;

    if (list == NULL || list->kind == CONFIG_NULL)
        return true;
    if (list->kind != CONFIG_LIST)
        return fail(err, "%s: line %d: expected a list", source->key, list->line);
    for (const struct config_node *item = list->children; item != NULL; item = item->next) {
        bool is_text = item->kind == CONFIG_SCALAR;
        bool ok = is_text ? read_text(rules, source, item, was_text, err)
                  : item->kind == CONFIG_MAP
                      ? read_group(rules, source, item, err)
                      : fail(err, "line %d: expected a text, or a map with context, conditions and statements", item->line);
        if (!ok)
            return fail_within(err, "%s", source->key);
        was_text = is_text;
    }
    return true;
}

bool ottl_rules_read_conditions(struct ottl_rules *rules, const struct ottl_source *source, enum ottl_context context, struct error *err)
{
    if (source->node == NULL || source->node->kind == CONFIG_NULL || source->node->children == NULL)
        return true;
    return add_texts(add_rule(rules, source, context, false), source->node, true, err) || fail_within(err, "%s", source->key);
}

bool ottl_rules_add_condition(
    struct ottl_rules *rules, const struct ottl_source *source, enum ottl_context context, const char *text, struct error *err)
{
    return ottl_add_condition(add_rule(rules, source, context, false)->program, text, err) || fail_within(err, "%s", source->key);
}

/* For whoever looks: what goes, and which condition held for it. */
static void told_of_drop(void *context, const struct ottl_machine *machine, enum ottl_context level)
{
    const struct ottl_rules *rules = context;
    struct tap_drop drop = { .records = 1, .rule = ottl_matched(machine), .what = ottl_context_name(level) };

    if (!tap_is_on())
        return;
    if (level == OTTL_SPAN || level == OTTL_METRIC || level == OTTL_LOG) {
        drop.signal = level == OTTL_SPAN ? SIGNAL_TRACES : level == OTTL_METRIC ? SIGNAL_METRICS : SIGNAL_LOGS;
        drop.resource = ottl_current(machine, OTTL_RESOURCE);
        drop.record = ottl_current(machine, level);
    }
    tap_dropped(rules->owner, &drop);
}

/* ---- failures, counted by statement ---- */

enum { LABEL_MAX = 200 };

static const struct metric_spec failures_spec = { "weir_ottl_statement_failures",
    "Executions of an OTTL statement or condition that failed", METRIC_COUNTER };

static double read_failures(void *statement)
{
    return (double)ottl_statement_failures(statement);
}

/* As much as fits, without cutting a letter. */
static void copy_beginning(const char *from, char out[LABEL_MAX])
{
    size_t size = strnlen(from, LABEL_MAX - 1);

    while (from[size] != '\0' && size > 0 && (from[size] & 0xc0) == 0x80)
        size--;
    memcpy(out, from, size);
    out[size] = '\0';
}

static void observe_failures(void *context, struct ottl_statement *statement)
{
    struct ottl_rules *rules = context;
    char text[LABEL_MAX];
    const struct metric_label labels[] = { { "processor", rules->owner->id }, { "statement", text }, { NULL, NULL } };
    struct metric **grown = reallocarray(rules->failures, rules->failure_count + 1, sizeof(struct metric *));

    if (grown == NULL)
        abort();
    copy_beginning(ottl_statement_text(statement), text);
    rules->failures = grown;
    rules->failures[rules->failure_count++] = metric_observe(&failures_spec, labels, read_failures, statement);
}

/* ---- life ---- */

void ottl_rules_prepare(struct ottl_rules *rules)
{
    size_t used = 0;

    pthread_mutex_init(&rules->lock, NULL);
    rules->prepared = true;
    for (size_t i = 0; i < rules->count; i++)
        ottl_for_each(rules->items[i].program, observe_failures, rules);
    rules->steps = calloc(rules->count + 1, sizeof(*rules->steps));
    if (rules->steps == NULL)
        abort();
    for (size_t signal = 0; signal < SIGNAL_COUNT; signal++) {
        struct ottl_pass *pass = &rules->passes[signal];
        *pass = (struct ottl_pass){
            .signal = (enum signal)signal, .filter = rules->filter, .dropped = told_of_drop, .dropped_context = rules
        };
        for (size_t context = 0; context < OTTL_CONTEXT_COUNT; context++) {
            pass->steps[context] = &rules->steps[used];
            for (size_t i = 0; i < rules->count; i++) {
                const struct ottl_rule *rule = &rules->items[i];
                if (rule->signal != signal || rule->context != context)
                    continue;
                rules->steps[used++] = (struct ottl_step){ .program = rule->program, .mode = rule->mode };
                pass->counts[context]++;
            }
        }
    }
}

static void worker_destroy(struct ottl_worker *worker)
{
    ottl_machine_destroy(worker->machine);
    buffer_fini(&worker->out);
    buffer_fini(&worker->other);
    free(worker);
}

void ottl_rules_fini(struct ottl_rules *rules)
{
    for (size_t i = 0; i < rules->failure_count; i++)
        metric_destroy(rules->failures[i]);
    free(rules->failures);
    for (size_t i = 0; i < rules->count; i++)
        ottl_destroy(rules->items[i].program);
    free(rules->items);
    free(rules->steps);
    while (rules->idle != NULL) {
        struct ottl_worker *worker = rules->idle;
        rules->idle = worker->next;
        worker_destroy(worker);
    }
    if (rules->prepared)
        pthread_mutex_destroy(&rules->lock);
    *rules = (struct ottl_rules){ .owner = NULL };
}

static void told(void *context, const char *statement, const char *message)
{
    const struct component *owner = context;

    log_warn(owner->path, "failed to execute statement \"%s\": %s", statement, message);
}

static struct ottl_worker *take_worker(struct ottl_rules *rules)
{
    struct ottl_worker *worker;

    pthread_mutex_lock(&rules->lock);
    worker = rules->idle;
    if (worker != NULL)
        rules->idle = worker->next;
    pthread_mutex_unlock(&rules->lock);
    if (worker != NULL)
        return worker;
    worker = calloc(1, sizeof(*worker));
    if (worker == NULL)
        return NULL;
    worker->machine = ottl_machine_create(told, rules->owner);
    if (worker->machine != NULL)
        return worker;
    free(worker);
    return NULL;
}

static void give_back(struct ottl_rules *rules, struct ottl_worker *worker)
{
    if (worker->out.capacity > KEPT_BUFFER_MAX)
        buffer_fini(&worker->out);
    if (worker->other.capacity > KEPT_BUFFER_MAX)
        buffer_fini(&worker->other);
    pthread_mutex_lock(&rules->lock);
    worker->next = rules->idle;
    rules->idle = worker;
    pthread_mutex_unlock(&rules->lock);
}

/* ---- batches ---- */

/* One pass over all runs, into worker->out when something changed. */
static enum ottl_outcome pass_over(const struct ottl_pass *pass, struct ottl_worker *worker, const struct batch *batch)
{
    bool changed = false;

    buffer_clear(&worker->out);
    for (size_t i = 0; i < batch->run_count; i++) {
        enum ottl_outcome outcome = ottl_rewrite(pass, worker->machine, batch->runs[i].bytes, &worker->out);
        if (outcome == OTTL_FAILED)
            return outcome;
        if (outcome == OTTL_CHANGED && !changed) { /* the runs before it, as they are */
            struct buffer *rest = &worker->other;
            buffer_clear(rest);
            buffer_append_slice(rest, buffer_slice(&worker->out));
            buffer_clear(&worker->out);
            for (size_t k = 0; k < i; k++)
                buffer_append_slice(&worker->out, batch->runs[k].bytes);
            buffer_append_slice(&worker->out, buffer_slice(rest));
            worker->out.failed |= rest->failed;
            changed = true;
        } else if (outcome == OTTL_UNCHANGED && changed) {
            buffer_append_slice(&worker->out, batch->runs[i].bytes);
        }
    }
    return changed ? OTTL_CHANGED : OTTL_UNCHANGED;
}

/* One pass over what an earlier one wrote. */
static enum ottl_outcome pass_again(const struct ottl_pass *pass, struct ottl_worker *worker)
{
    enum ottl_outcome outcome;
    struct buffer swapped;

    buffer_clear(&worker->other);
    outcome = ottl_rewrite(pass, worker->machine, buffer_slice(&worker->out), &worker->other);
    if (outcome == OTTL_CHANGED) {
        swapped = worker->out;
        worker->out = worker->other;
        worker->other = swapped;
    }
    return outcome;
}

/* Groups of statements run one after the other, each over all of the batch. */
static enum ottl_outcome run_statements(const struct ottl_rules *rules, struct ottl_worker *worker, const struct batch *batch)
{
    bool changed = false;

    for (size_t i = 0; i < rules->count; i++) {
        const struct ottl_rule *rule = &rules->items[i];
        struct ottl_step step = { .program = rule->program, .mode = rule->mode };
        struct ottl_pass pass = { .signal = batch->signal };
        if (rule->signal != batch->signal)
            continue;
        pass.steps[rule->context] = &step;
        pass.counts[rule->context] = 1;
        enum ottl_outcome outcome = changed ? pass_again(&pass, worker) : pass_over(&pass, worker, batch);
        if (outcome == OTTL_FAILED)
            return outcome;
        changed = changed || outcome == OTTL_CHANGED;
    }
    return changed ? OTTL_CHANGED : OTTL_UNCHANGED;
}

static bool has_work(const struct ottl_rules *rules, enum signal signal)
{
    for (size_t i = 0; i < rules->count; i++) {
        if (rules->items[i].signal == signal)
            return true;
    }
    return false;
}

/* The batch with worker->out in the place of its bytes; settles it when nothing is left. Takes the batch. */
static void send_changed(struct ottl_rules *rules, struct batch *batch, const struct buffer *out)
{
    size_t before = batch->records, records = before;
    struct payload *payload;

    if (rules->filter || batch->signal == SIGNAL_METRICS)
        records = otlp_count(batch->signal, buffer_slice(out));
    if (rules->filter && records < before)
        component_count_dropped(rules->owner, batch->signal, "filtered", before - records);
    if (out->size == 0) {
        batch_settle(batch, OUTCOME_ACCEPTED);
        return;
    }
    payload = payload_create(out->size);
    if (payload == NULL) {
        batch_settle(batch, outcome_retry("memory", 0));
        return;
    }
    memcpy(payload->data, out->data, out->size);
    payload->size = out->size;
    component_emit(rules->owner, batch_replace(batch, payload, records));
}

void ottl_rules_run(struct ottl_rules *rules, struct batch *batch)
{
    struct ottl_worker *worker;
    enum ottl_outcome outcome;

    if (!has_work(rules, batch->signal)) {
        component_emit(rules->owner, batch);
        return;
    }
    worker = take_worker(rules);
    if (worker == NULL) {
        batch_settle(batch, outcome_retry("memory", 0));
        return;
    }
    outcome = rules->filter ? pass_over(&rules->passes[batch->signal], worker, batch) : run_statements(rules, worker, batch);
    if (outcome == OTTL_FAILED || (outcome == OTTL_CHANGED && worker->out.failed)) {
        log_warn(rules->owner->path, "failed to process %s: %s", signal_name(batch->signal), ottl_machine_error(worker->machine));
        component_count_dropped(rules->owner, batch->signal, "ottl_error", batch->records);
        batch_settle(batch, outcome_rejected("ottl_error"));
    } else if (outcome == OTTL_CHANGED) {
        send_changed(rules, batch, &worker->out);
    } else {
        component_emit(rules->owner, batch);
    }
    give_back(rules, worker);
}
