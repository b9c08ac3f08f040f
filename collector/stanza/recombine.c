/*
 * Held records. Each source's has a memory of its own, used again by the next source when it is sent on. Cost: a copy of the first record, and one
 * of each text. Limits: max_sources, and TEXT_MAX bytes each.
 */
#include "collector/stanza/recombine.h"

#include <stdlib.h>

#include "collector/base/hash.h"
#include "collector/stanza/size.h"

enum { TEXT_MAX = 16 << 20, KEPT_TEXT_MAX = 64 << 10, SOURCES_MAX = 100000 };

struct stanza_held {
    uint64_t hash;
    struct buffer source, text;
    struct stanza_memory memory;
    struct stanza_record record; /* in `memory` */
    int64_t records, since_ns;
    uint64_t origin; /* the lowest */
    bool matched;
};

static void held_destroy(struct stanza_held *held)
{
    buffer_fini(&held->source);
    buffer_fini(&held->text);
    stanza_memory_fini(&held->memory);
    free(held);
}

void stanza_holder_fini(struct stanza_holder *holder)
{
    for (size_t i = 0; i < holder->made; i++)
        held_destroy(holder->items[i]);
    free(holder->items);
    holder->items = NULL;
    holder->count = holder->made = 0;
}

static size_t find(const struct stanza_holder *holder, struct slice source)
{
    uint64_t hash = hash_bytes(source);
    size_t i = 0;

    while (i < holder->count && (holder->items[i]->hash != hash || !slice_equal(buffer_slice(&holder->items[i]->source), source)))
        i++;
    return i;
}

bool stanza_holder_has(struct stanza_holder *holder, struct slice source)
{
    return holder->count > 0 && find(holder, source) < holder->count;
}

/* Out of the list, into those that are kept. */
static void retire(struct stanza_holder *holder, size_t index)
{
    struct stanza_held *held = holder->items[index];

    holder->items[index] = holder->items[--holder->count];
    holder->items[holder->count] = held;
    stanza_memory_reset(&held->memory);
    buffer_clear(&held->source);
    if (held->text.capacity > KEPT_TEXT_MAX)
        buffer_fini(&held->text);
    buffer_clear(&held->text);
}

static void send_at(struct stanza_holder *holder, size_t index)
{
    struct stanza_held *held = holder->items[index];
    const char *problem;

    held->record.origin = held->origin;
    if (held->text.failed || !stanza_field_set(&held->record, &holder->field, stanza_string(buffer_slice(&held->text)), &problem)) {
        stanza_fail(holder->operator, "what was joined is too large");
        stanza_on_error(holder->operator, & held->record);
    } else {
        stanza_send(holder->operator, & held->record);
    }
    retire(holder, index);
}

void stanza_holder_send(struct stanza_holder *holder, struct slice source)
{
    size_t index = find(holder, source);

    if (index < holder->count)
        send_at(holder, index);
}

void stanza_holder_flush(struct stanza_holder *holder, int64_t now_ns, bool all)
{
    for (size_t i = 0; i < holder->count;) {
        if (all || (holder->flush_after_ns > 0 && now_ns - holder->items[i]->since_ns >= holder->flush_after_ns))
            send_at(holder, i);
        else
            i++;
    }
}

uint64_t stanza_holder_lowest(const struct stanza_holder *holder, const void *source)
{
    uint64_t lowest = UINT64_MAX;

    for (size_t i = 0; i < holder->count; i++) {
        const struct stanza_held *held = holder->items[i];
        if (held->record.source == source && held->origin < lowest)
            lowest = held->origin;
    }
    return lowest;
}

/* Room for one more in the list; NULL when memory is out. */
static struct stanza_held *held_create(struct stanza_holder *holder)
{
    struct stanza_held **items, *held;

    if (holder->count < holder->made)
        return holder->items[holder->count++];
    items = realloc(holder->items, (holder->made + 1) * sizeof(struct stanza_held *));
    if (items == NULL)
        return NULL;
    holder->items = items;
    held = calloc(1, sizeof(*held));
    if (held == NULL)
        return NULL;
    items[holder->made++] = held;
    holder->count++;
    return held;
}

static struct stanza_held *begin(struct stanza_holder *holder, struct slice source, const struct stanza_record *record)
{
    size_t most = holder->max_sources > 0 && holder->max_sources < SOURCES_MAX ? (size_t)holder->max_sources : SOURCES_MAX;
    struct stanza_held *held;

    if (holder->count >= most)
        stanza_holder_flush(holder, 0, true);
    held = held_create(holder);
    if (held == NULL)
        return NULL;
    held->hash = hash_bytes(source);
    buffer_append_slice(&held->source, source);
    held->records = 0;
    held->matched = false;
    held->since_ns = stanza_now(holder->operator);
    held->origin = record->origin;
    held->text.limit = TEXT_MAX;
    return held;
}

static bool keep_record(struct stanza_held *held, const struct stanza_record *record)
{
    stanza_memory_reset(&held->memory);
    return stanza_record_copy(&held->memory, record, true, &held->record);
}

static bool is_full(const struct stanza_holder *holder, const struct stanza_held *held)
{
    return (holder->max_bytes > 0 && held->text.size > (size_t)holder->max_bytes) || held->text.size > TEXT_MAX / 2 ||
           (holder->max_batch > 0 && held->records >= holder->max_batch) ||
           (!held->matched && holder->max_unmatched > 0 && held->records >= holder->max_unmatched);
}

void stanza_holder_add(struct stanza_holder *holder, struct slice source, struct stanza_record *record, bool matched)
{
    size_t index = find(holder, source);
    bool fresh = index == holder->count;
    struct stanza_held *held = fresh ? begin(holder, source, record) : holder->items[index];
    struct stanza_value text;

    if (held == NULL) {
        stanza_send(holder->operator, record);
        return;
    }
    index = fresh ? holder->count - 1 : index;
    if ((fresh || holder->newest) && !keep_record(held, record)) {
        retire(holder, index);
        stanza_fail(holder->operator, "the record is too large");
        stanza_on_error(holder->operator, record);
        return;
    }
    held->records++;
    held->matched |= matched;
    if (record->origin < held->origin)
        held->origin = record->origin;
    if (!stanza_field_get(record, &holder->field, &text) || text.kind != STANZA_STRING)
        return;
    if (held->records > 1)
        buffer_append_slice(&held->text, holder->with);
    buffer_append_slice(&held->text, text.bytes);
    if (is_full(holder, held))
        send_at(holder, index);
}

/* ---- the operator ---- */

struct recombine {
    struct stanza_operator base;
    const char *first_text, *last_text, *combine_field, *combine_with, *source_identifier;
    const struct config_node *max_log_node;
    int64_t max_batch, max_unmatched, max_sources, max_log_size, flush_ns;
    int overwrite_with;
    struct stanza_expression *expression; /* owned */
    struct stanza_field source;
    struct stanza_holder holder;
};

#define RECOMBINE(field) offsetof(struct recombine, field)
static const struct option options[] = {
    { "", OPTION_INCLUDE, 0, NULL, NULL, NULL, stanza_operator_options },
    { "is_first_entry", OPTION_STRING, RECOMBINE(first_text), NULL, NULL, "expression: true for the first record of one" },
    { "is_last_entry", OPTION_STRING, RECOMBINE(last_text), NULL, NULL, "expression: true for the last record of one" },
    { "combine_field", OPTION_STRING, RECOMBINE(combine_field), NULL, "nonempty", "field whose texts are joined",
        .flags = OPTION_REQUIRED },
    { "combine_with", OPTION_STRING, RECOMBINE(combine_with), "\n", NULL, "what stands between them" },
    { "max_batch_size", OPTION_INT, RECOMBINE(max_batch), "1000", "0..", "most records that become one; 0: no limit" },
    { "max_unmatched_batch_size", OPTION_INT, RECOMBINE(max_unmatched), "100", "0..", "the same, while none of them matched; 0: no limit" },
    { "max_sources", OPTION_INT, RECOMBINE(max_sources), "1000", "1..", "most sources at a time; one more, and all are sent on" },
    { "max_log_size", OPTION_ANY, RECOMBINE(max_log_node), NULL, NULL, "bytes beyond which a text is sent on; else, and for 0, 8 MiB" },
    { "source_identifier", OPTION_STRING, RECOMBINE(source_identifier), "attributes[\"log.file.path\"]", "nonempty",
        "field that tells sources apart" },
    { "overwrite_with", OPTION_ENUM, RECOMBINE(overwrite_with), "oldest", "oldest|newest", "which record's other fields are kept" },
    { "force_flush_period", OPTION_DURATION, RECOMBINE(flush_ns), "5s", "1ms..1h", "how long records are held" },
    { 0 },
};

static bool recombine_init(struct stanza_operator *operator, struct error * err)
{
    struct recombine *self = (struct recombine *)operator;
    bool first = self->first_text != NULL && *self->first_text != '\0', last = self->last_text != NULL && *self->last_text != '\0';

    if (first == last)
        return fail(err, "set either is_first_entry or is_last_entry");
    self->expression = stanza_expression_create(operator->arena, first ? self->first_text : self->last_text, err);
    if (self->expression == NULL)
        return fail_within(err, first ? "is_first_entry" : "is_last_entry");
    if (!stanza_read_size("max_log_size", self->max_log_node, 0, &self->max_log_size, err))
        return false;
    if (!first)
        self->first_text = NULL;
    self->holder = (struct stanza_holder){ .operator= operator,
        .with = slice_of_string(self->combine_with),
        .max_batch = self->max_batch,
        .max_unmatched = self->max_unmatched,
        .max_sources = self->max_sources,
        .max_bytes = self->max_log_size,
        .flush_after_ns = self->flush_ns,
        .newest = self->overwrite_with == 1 };
    return (stanza_field_parse(operator->arena, self->combine_field, &self->holder.field, err) || fail_within(err, "combine_field")) &&
           (stanza_field_parse(operator->arena, self->source_identifier, &self->source, err) || fail_within(err, "source_identifier"));
}

static void recombine_fini(struct stanza_operator *operator)
{
    struct recombine *self = (struct recombine *)operator;

    stanza_expression_destroy(self->expression);
    stanza_holder_fini(&self->holder);
}

static enum stanza_step recombine_process(struct stanza_operator *operator, struct stanza_record * record)
{
    struct recombine *self = (struct recombine *)operator;
    struct stanza_evaluation evaluation = { record, stanza_matcher(operator), NULL };
    struct stanza_value value;
    struct slice source = SLICE("");
    bool matched;

    if (!stanza_test(self->expression, &evaluation, &matched))
        return stanza_fail(operator, "%s", evaluation.problem);
    if (stanza_field_get(record, &self->source, &value) && value.kind == STANZA_STRING)
        source = value.bytes;
    if (matched && self->first_text != NULL)
        stanza_holder_send(&self->holder, source);
    else if (matched && !stanza_holder_has(&self->holder, source))
        return STANZA_NEXT; /* it is all there is */
    stanza_holder_add(&self->holder, source, record, matched);
    if (matched && self->first_text == NULL)
        stanza_holder_send(&self->holder, source);
    return STANZA_TAKEN;
}

static void recombine_flush(struct stanza_operator *operator, int64_t now_ns, bool all)
{
    stanza_holder_flush(&((struct recombine *)operator)->holder, now_ns, all);
}

static uint64_t recombine_held(const struct stanza_operator *operator, const void * source)
{
    return stanza_holder_lowest(&((const struct recombine *)operator)->holder, source);
}

const struct stanza_operator_type stanza_recombine = {
    .name = "recombine",
    .options = options,
    .size = sizeof(struct recombine),
    .init = recombine_init,
    .fini = recombine_fini,
    .process = recombine_process,
    .flush = recombine_flush,
    .held = recombine_held,
};
