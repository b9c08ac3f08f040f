/*
 * Policies on attributes of spans and resources. A value of another kind counts as that kind's zero, as in the OpenTelemetry
 * Collector: a text is the integer 0, and false.
 *
 * What regular expressions said of a text is remembered in a table of bounded size, behind a lock.
 */
#include <stdlib.h>

#include "collector/base/hash.h"
#include "collector/ottl/regex.h"
#include "collector/processors/tail_sampling/policy.h"

struct remembered {
    uint64_t hash;
    uint8_t *text; /* owned; NULL: nothing is here */
    size_t size;
    bool matches;
};

enum { REMEMBERED_TEXT_MAX = 256, REMEMBERED_DEFAULT = 128 };

struct attribute_policy {
    struct tail_policy base;
    const struct tail_attribute_settings *settings;
    struct slice key;
    bool (*matches)(struct attribute_policy *self, struct tail_trace *trace, const struct otlp_value *value);
    bool empty_of_span; /* does an empty text of a span match at all? */
    int64_t min, max;
    struct ottl_regex **regexes; /* owned */
    size_t regex_count;
    pthread_mutex_t lock;
    struct remembered *memory; /* owned */
    size_t memory_size;
};

static bool hits(struct attribute_policy *self, struct tail_trace *trace, struct slice message, enum otlp_attributes_field field)
{
    struct otlp_value value;

    return otlp_find_attribute(message, field, self->key, &value) && self->matches(self, trace, &value);
}

static bool hits_span(struct attribute_policy *self, struct tail_trace *trace, const struct tail_span *span)
{
    struct otlp_value value;

    if (!otlp_find_attribute(span->body, OTLP_ATTRIBUTES_OF_SPAN, self->key, &value))
        return false;
    if (!self->empty_of_span && (value.kind != OTLP_VALUE_STRING || value.bytes.size == 0))
        return false;
    return self->matches(self, trace, &value);
}

static enum tail_decision evaluate(struct tail_policy *policy, struct tail_trace *trace)
{
    struct attribute_policy *self = (struct attribute_policy *)policy;
    bool invert = self->settings->invert_match;
    const uint8_t *group = NULL;

    for (const struct tail_span *span = tail_trace_first(trace); span != NULL; span = tail_trace_next(trace, span)) {
        bool new_group = span->head.group.data != group || group == NULL;

        group = span->head.group.data;
        if ((new_group && hits(self, trace, tail_head_message(span->head.group), OTLP_ATTRIBUTES_OF_RESOURCE)) ||
            hits_span(self, trace, span))
            return invert ? TAIL_NOT_SAMPLED : TAIL_SAMPLED;
    }
    return invert ? TAIL_SAMPLED : TAIL_NOT_SAMPLED;
}

static void destroy(struct tail_policy *policy)
{
    struct attribute_policy *self = (struct attribute_policy *)policy;

    for (size_t i = 0; i < self->regex_count; i++)
        ottl_regex_destroy(self->regexes[i]);
    free(self->regexes);
    for (size_t i = 0; i < self->memory_size; i++)
        free(self->memory[i].text);
    free(self->memory);
    pthread_mutex_destroy(&self->lock);
    free(self);
}

static struct attribute_policy *make(const struct tail_attribute_settings *settings)
{
    struct attribute_policy *self = tail_policy_alloc(sizeof(*self));

    self->base = (struct tail_policy){ evaluate, destroy, false };
    self->settings = settings;
    self->key = slice_of_string(settings->key);
    self->empty_of_span = true;
    pthread_mutex_init(&self->lock, NULL);
    return self;
}

/* ---- numbers and truth ---- */

static bool matches_number(struct attribute_policy *self, struct tail_trace *trace, const struct otlp_value *value)
{
    int64_t number = value->kind == OTLP_VALUE_INT ? value->integer : 0;

    (void)trace;
    return number >= self->min && number <= self->max;
}

struct tail_policy *tail_numeric_create(const struct tail_leaf_settings *settings, struct error *err)
{
    const struct tail_attribute_settings *numeric = &settings->numeric;
    struct attribute_policy *self;

    if (numeric->min_value == 0 && numeric->max_value == 0) {
        fail(err, "min_value or max_value must be set, and not be 0, which stands for no bound");
        return NULL;
    }
    self = make(numeric);
    self->matches = matches_number;
    self->min = numeric->min_value != 0 ? numeric->min_value : INT64_MIN;
    self->max = numeric->max_value != 0 ? numeric->max_value : INT64_MAX;
    return &self->base;
}

static bool matches_truth(struct attribute_policy *self, struct tail_trace *trace, const struct otlp_value *value)
{
    bool truth = value->kind == OTLP_VALUE_BOOL && value->integer != 0;

    (void)trace;
    return truth == self->settings->value;
}

struct tail_policy *tail_boolean_create(const struct tail_leaf_settings *settings, struct error *err)
{
    struct attribute_policy *self = make(&settings->boolean);

    (void)err;
    self->matches = matches_truth;
    return &self->base;
}

/* ---- texts ---- */

static struct slice text_of(const struct otlp_value *value)
{
    return value->kind == OTLP_VALUE_STRING ? value->bytes : (struct slice){ NULL, 0 };
}

static bool matches_text(struct attribute_policy *self, struct tail_trace *trace, const struct otlp_value *value)
{
    const struct option_strings *values = &self->settings->values;
    struct slice text = text_of(value);

    (void)trace;
    for (size_t i = 0; text.size > 0 && i < values->count; i++) {
        if (slice_equal_string(text, values->items[i]))
            return true;
    }
    return false;
}

static bool ask_regexes(const struct attribute_policy *self, struct tail_trace *trace, struct slice text)
{
    for (size_t i = 0; i < self->regex_count; i++) {
        if (ottl_regex_match(self->regexes[i], trace->worker->matcher, text, 0) == OTTL_MATCH)
            return true;
    }
    return false;
}

static bool recall(struct attribute_policy *self, uint64_t hash, struct slice text, bool *matches)
{
    const struct remembered *slot = &self->memory[hash % self->memory_size];
    bool found;

    pthread_mutex_lock(&self->lock);
    found = slot->text != NULL && slot->hash == hash && slice_equal(slice_of(slot->text, slot->size), text);
    *matches = found && slot->matches;
    pthread_mutex_unlock(&self->lock);
    return found;
}

static void remember(struct attribute_policy *self, uint64_t hash, struct slice text, bool matches)
{
    struct remembered *slot = &self->memory[hash % self->memory_size];
    uint8_t *copy = malloc(text.size + 1), *before;

    if (copy == NULL)
        return;
    if (text.size > 0)
        memcpy(copy, text.data, text.size);
    pthread_mutex_lock(&self->lock);
    before = slot->text;
    *slot = (struct remembered){ hash, copy, text.size, matches };
    pthread_mutex_unlock(&self->lock);
    free(before);
}

static bool matches_regex(struct attribute_policy *self, struct tail_trace *trace, const struct otlp_value *value)
{
    struct slice text = text_of(value);
    uint64_t hash;
    bool matches;

    if (text.data == NULL)
        text.data = (const uint8_t *)"";
    if (text.size > REMEMBERED_TEXT_MAX)
        return ask_regexes(self, trace, text);
    hash = hash_bytes(text);
    if (recall(self, hash, text, &matches))
        return matches;
    matches = ask_regexes(self, trace, text);
    remember(self, hash, text, matches);
    return matches;
}

static bool compile(struct attribute_policy *self, struct error *err)
{
    const struct option_strings *values = &self->settings->values;

    self->regexes = tail_policy_alloc((values->count + 1) * sizeof(struct ottl_regex *));
    for (size_t i = 0; i < values->count; i++) {
        self->regexes[i] = ottl_regex_create(slice_of_string(values->items[i]), err);
        if (self->regexes[i] == NULL)
            return fail_within(err, "values: regular expression \"%s\"", values->items[i]);
        self->regex_count++;
    }
    self->memory_size = self->settings->cache_max_size > 0 ? (size_t)self->settings->cache_max_size : REMEMBERED_DEFAULT;
    self->memory = tail_policy_alloc(self->memory_size * sizeof(*self->memory));
    return true;
}

struct tail_policy *tail_string_create(const struct tail_leaf_settings *settings, struct error *err)
{
    struct attribute_policy *self = make(&settings->string);

    self->empty_of_span = false;
    self->matches = settings->string.regex ? matches_regex : matches_text;
    if (!settings->string.regex || compile(self, err))
        return &self->base;
    destroy(&self->base);
    return NULL;
}
