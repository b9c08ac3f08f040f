/*
 * The pass over a request: visits, and writing what became of it.
 *
 * The writer lags behind: it knows up to where the input has been copied, and copies on when something before the next change has to be
 * there. A group or scope is opened in the output only when something in it changed. Cost without a change: the walk. With one: each byte is
 * copied once, and moved by a few bytes when the length of what is around it is known.
 * Threads: the machine's.
 */
#include <stdio.h>

#include "collector/ottl/points.h"

enum { GROUPS = 1, HEAD = 1, SCOPE_GROUPS = 2, RECORDS = 2, SCHEMA_URL = 3, EVENTS = 11, POINTS = 1 };

enum fate { FATE_KEEP, FATE_DROP, FATE_FAIL };

/* A level of nesting in the output. */
struct level {
    bool open;
    size_t start;      /* of the field in the output */
    size_t mark;       /* for pb_close */
    size_t content;    /* where its content begins */
    const uint8_t *at; /* input up to here has been dealt with */
};

struct rewriter {
    const struct ottl_pass *pass;
    struct ottl_machine *machine;
    struct buffer *out;
    struct level payload, group, scope;
    struct otlp_group current_group;
    struct otlp_scope_group current_scope;
    enum ottl_context record_context, part_context;
    bool changed;
};

struct slice ottl_current(const struct ottl_machine *machine, enum ottl_context context)
{
    return machine->messages[ottl_level_of(context)].body;
}

const char *ottl_matched(const struct ottl_machine *machine)
{
    return machine->matched != NULL ? machine->matched : "";
}

/* ---- visiting ---- */

static enum fate run_step(struct rewriter *self, const struct ottl_step *step)
{
    bool drop = false;

    if (step->program == NULL)
        return step->drop(step->context, self->machine) ? FATE_DROP : FATE_KEEP;
    if (!self->pass->filter)
        return ottl_run(step->program, self->machine, step->mode) ? FATE_KEEP : FATE_FAIL;
    if (!ottl_run_conditions(step->program, self->machine, step->mode, &drop))
        return FATE_FAIL;
    return drop ? FATE_DROP : FATE_KEEP;
}

static enum fate visit(struct rewriter *self, enum ottl_context context)
{
    enum fate fate = FATE_KEEP;

    for (size_t i = 0; i < self->pass->counts[context] && fate == FATE_KEEP; i++) {
        ottl_machine_reset(self->machine);
        fate = run_step(self, &self->pass->steps[context][i]);
    }
    if (fate == FATE_DROP && self->pass->dropped != NULL)
        self->pass->dropped(self->pass->dropped_context, self->machine, context);
    return fate;
}

static bool wants(const struct rewriter *self, enum ottl_context context)
{
    return self->pass->counts[context] > 0;
}

static bool wants_parts(const struct rewriter *self)
{
    bool exemplars = self->pass->signal == SIGNAL_METRICS && wants(self, OTTL_EXEMPLAR);

    return exemplars || (self->part_context != OTTL_CONTEXT_COUNT && wants(self, self->part_context));
}

/* ---- writing ---- */

static const uint8_t *end_of(struct slice bytes)
{
    return bytes.data + bytes.size;
}

static void copy_up_to(struct rewriter *self, struct level *level, const uint8_t *to)
{
    if (to > level->at)
        buffer_append(self->out, level->at, (size_t)(to - level->at));
    level->at = to;
}

static void open_level(struct rewriter *self, struct level *level, uint32_t number, struct slice body)
{
    level->start = self->out->size;
    level->mark = pb_open(self->out, number);
    level->content = self->out->size;
    level->at = body.data;
    level->open = true;
}

static void open_group(struct rewriter *self)
{
    self->changed = true;
    if (self->group.open)
        return;
    copy_up_to(self, &self->payload, self->current_group.raw.data);
    open_level(self, &self->group, GROUPS, self->current_group.body);
}

static void open_scope(struct rewriter *self)
{
    if (self->scope.open)
        return;
    open_group(self);
    copy_up_to(self, &self->group, self->current_scope.raw.data);
    open_level(self, &self->scope, SCOPE_GROUPS, self->current_scope.body);
}

/* The content that was written for a level, with the resource or scope as it is now in front of the rest. */
static void rewrite_head(struct rewriter *self, const struct level *level, const struct ottl_message *message)
{
    struct buffer *spare = &self->machine->spare;
    struct pb_field field;

    buffer_clear(spare);
    buffer_append(spare, self->out->data + level->content, self->out->size - level->content);
    self->out->failed |= spare->failed;
    self->out->size = level->content;
    if (ottl_message_changed(message))
        edit_write(&message->edit, HEAD, self->out);
    struct pb_reader reader = pb_reader_of(buffer_slice(spare));
    while (pb_next(&reader, &field)) {
        bool replaced = (field.number == HEAD && ottl_message_changed(message)) || (field.number == SCHEMA_URL && message->schema_changed);
        if (!replaced)
            buffer_append_slice(self->out, field.raw);
    }
    if (message->schema_changed)
        pb_put_bytes(self->out, SCHEMA_URL, buffer_slice(&message->new_schema_url));
}

static bool head_changed(const struct ottl_message *message)
{
    return ottl_message_changed(message) || message->schema_changed;
}

static void close_scope(struct rewriter *self)
{
    const struct ottl_message *message = &self->machine->messages[LEVEL_SCOPE];
    struct buffer *metrics = &self->machine->metrics;

    if (metrics->size > 0 || head_changed(message))
        open_scope(self);
    if (!self->scope.open)
        return;
    copy_up_to(self, &self->scope, end_of(self->current_scope.body));
    buffer_append_slice(self->out, buffer_slice(metrics));
    if (head_changed(message))
        rewrite_head(self, &self->scope, message);
    pb_close(self->out, self->scope.mark);
    self->group.at = end_of(self->current_scope.raw);
    self->scope.open = false;
}

static void drop_scope(struct rewriter *self)
{
    open_group(self);
    if (self->scope.open)
        self->out->size = self->scope.start;
    else
        copy_up_to(self, &self->group, self->current_scope.raw.data);
    self->group.at = end_of(self->current_scope.raw);
    self->scope.open = false;
}

static void close_group(struct rewriter *self)
{
    const struct ottl_message *message = &self->machine->messages[LEVEL_RESOURCE];

    if (head_changed(message))
        open_group(self);
    if (!self->group.open)
        return;
    copy_up_to(self, &self->group, end_of(self->current_group.body));
    if (head_changed(message))
        rewrite_head(self, &self->group, message);
    pb_close(self->out, self->group.mark);
    self->payload.at = end_of(self->current_group.raw);
    self->group.open = false;
}

static void drop_group(struct rewriter *self)
{
    self->changed = true;
    if (self->group.open)
        self->out->size = self->group.start;
    else
        copy_up_to(self, &self->payload, self->current_group.raw.data);
    self->payload.at = end_of(self->current_group.raw);
    self->group.open = false;
}

/* ---- span events and data points ---- */

static uint32_t point_exemplars(enum otlp_metric_kind kind)
{
    return kind == OTLP_HISTOGRAM ? 8 : kind == OTLP_EXPONENTIAL_HISTOGRAM ? 11 : 5;
}

/* Runs on each exemplar of the data point, and collects them in machine->exemplars as they became. */
static enum fate visit_exemplars(struct rewriter *self, bool *changed)
{
    struct ottl_machine *machine = self->machine;
    uint32_t number = point_exemplars(machine->metric_kind);
    struct pb_reader reader = pb_reader_of(machine->messages[LEVEL_PART].body);
    const struct ottl_message *exemplar = &machine->messages[LEVEL_EXEMPLAR];
    struct pb_field field;

    *changed = false;
    buffer_clear(&machine->exemplars);
    while (machine->metric_kind != OTLP_SUMMARY && pb_next(&reader, &field)) {
        if (field.number != number || field.type != PB_BYTES)
            continue;
        ottl_message_begin(machine, LEVEL_EXEMPLAR, field.bytes, OTLP_ATTRIBUTES_OF_EXEMPLAR);
        enum fate fate = visit(self, OTTL_EXEMPLAR);
        if (fate == FATE_FAIL)
            return fate;
        *changed = *changed || fate == FATE_DROP || ottl_message_changed(exemplar);
        if (fate == FATE_KEEP && ottl_message_changed(exemplar))
            edit_write(&exemplar->edit, number, &machine->exemplars);
        else if (fate == FATE_KEEP)
            buffer_append_slice(&machine->exemplars, field.raw);
    }
    return FATE_KEEP;
}

/* The point with its exemplars as they became. */
static void write_point(struct ottl_machine *machine)
{
    struct edit *edit = ottl_edit(machine, LEVEL_PART);

    edit_remove(edit, point_exemplars(machine->metric_kind));
    size_t mark = pb_open(&machine->parts, POINTS);
    edit_write(edit, 0, &machine->parts);
    buffer_append_slice(&machine->parts, buffer_slice(&machine->exemplars));
    machine->parts.failed |= machine->exemplars.failed;
    pb_close(&machine->parts, mark);
}

/* Runs on each part of the container, and collects them in machine->parts as they became. *kept counts those that stay. */
static enum fate visit_parts(struct rewriter *self, struct slice container, size_t *kept, bool *changed)
{
    struct ottl_machine *machine = self->machine;
    bool events = self->part_context == OTTL_SPANEVENT;
    uint32_t number = events ? EVENTS : POINTS;
    uint32_t attributes = events ? OTLP_ATTRIBUTES_OF_SPAN_EVENT : points_attributes(machine->metric_kind);
    struct pb_reader reader = pb_reader_of(container);
    bool exemplars = false;
    struct pb_field field;

    buffer_clear(&machine->parts);
    machine->part_index = 0;
    *kept = 0;
    *changed = false;
    while (pb_next(&reader, &field)) {
        if (field.number != number || field.type != PB_BYTES)
            continue;
        ottl_message_begin(machine, LEVEL_PART, field.bytes, attributes);
        enum fate fate = visit(self, self->part_context);
        if (fate == FATE_KEEP && !events && wants(self, OTTL_EXEMPLAR))
            fate = visit_exemplars(self, &exemplars);
        if (fate == FATE_FAIL)
            return fate;
        machine->part_index++;
        *kept += fate == FATE_KEEP;
        *changed = *changed || fate == FATE_DROP || exemplars || ottl_message_changed(&machine->messages[LEVEL_PART]);
        if (fate == FATE_DROP)
            continue;
        if (exemplars)
            write_point(machine);
        else if (ottl_message_changed(&machine->messages[LEVEL_PART]))
            edit_write(&machine->messages[LEVEL_PART].edit, number, &machine->parts);
        else
            buffer_append_slice(&machine->parts, field.raw);
    }
    return FATE_KEEP;
}

/* The metric's data with the points as they became. */
static bool put_points_back(struct ottl_machine *machine)
{
    struct buffer *work = ottl_work(machine);
    struct pb_field data = { .number = 0 }, field;
    struct slice kept;

    ottl_read_field(machine, LEVEL_RECORD, (uint32_t)machine->metric_kind, &data);
    buffer_append_slice(work, buffer_slice(&machine->parts));
    struct pb_reader reader = pb_reader_of(data.bytes);
    while (pb_next(&reader, &field)) {
        if (field.number != POINTS)
            buffer_append_slice(work, field.raw);
    }
    ottl_machine_reset(machine);
    if (!ottl_keep_work(machine, &kept))
        return false;
    edit_set_bytes(ottl_edit(machine, LEVEL_RECORD), (uint32_t)machine->metric_kind, kept);
    return true;
}

static enum fate visit_points(struct rewriter *self)
{
    struct ottl_machine *machine = self->machine;
    struct pb_field data = { .number = 0 };
    bool changed;
    size_t kept;

    if (machine->metric_kind == OTLP_METRIC_NONE || !ottl_read_field(machine, LEVEL_RECORD, (uint32_t)machine->metric_kind, &data))
        return FATE_KEEP;
    if (visit_parts(self, data.bytes, &kept, &changed) == FATE_FAIL)
        return FATE_FAIL;
    if (self->pass->filter && kept == 0)
        return FATE_DROP;
    return !changed || put_points_back(machine) ? FATE_KEEP : FATE_FAIL;
}

/* ---- records ---- */

static uint32_t record_attributes(enum signal signal)
{
    switch (signal) {
    case SIGNAL_TRACES:
        return OTLP_ATTRIBUTES_OF_SPAN;
    case SIGNAL_LOGS:
        return OTLP_ATTRIBUTES_OF_LOG;
    default:
        return 12; /* Metric.metadata */
    }
}

static enum otlp_metric_kind metric_kind_of(struct slice metric)
{
    struct pb_reader reader = pb_reader_of(metric);
    enum otlp_metric_kind kind = OTLP_METRIC_NONE;
    struct pb_field field;

    while (pb_next(&reader, &field)) {
        bool is_data = field.number == OTLP_GAUGE || field.number == OTLP_SUM || field.number == OTLP_HISTOGRAM ||
                       field.number == OTLP_EXPONENTIAL_HISTOGRAM || field.number == OTLP_SUMMARY;
        if (is_data)
            kind = (enum otlp_metric_kind)field.number;
    }
    return kind;
}

/* *with_parts: machine->parts takes the place of the span's events. */
static enum fate visit_record(struct rewriter *self, const struct otlp_record *record, bool *with_parts)
{
    struct ottl_machine *machine = self->machine;
    enum fate fate;
    size_t kept;

    *with_parts = false;
    ottl_message_begin(machine, LEVEL_RECORD, record->body, record_attributes(self->pass->signal));
    machine->metric_kind = self->pass->signal == SIGNAL_METRICS ? metric_kind_of(record->body) : OTLP_METRIC_NONE;
    fate = visit(self, self->record_context);
    if (fate != FATE_KEEP || !wants_parts(self))
        return fate;
    return self->pass->signal == SIGNAL_METRICS ? visit_points(self) : visit_parts(self, record->body, &kept, with_parts);
}

static void write_record(struct rewriter *self, const struct otlp_record *record, bool with_parts)
{
    struct ottl_machine *machine = self->machine;

    open_scope(self);
    copy_up_to(self, &self->scope, record->raw.data);
    self->scope.at = end_of(record->raw);
    if (!with_parts) {
        edit_write(&machine->messages[LEVEL_RECORD].edit, RECORDS, self->out);
        return;
    }
    edit_remove(ottl_edit(machine, LEVEL_RECORD), EVENTS);
    size_t mark = pb_open(self->out, RECORDS);
    edit_write(&machine->messages[LEVEL_RECORD].edit, 0, self->out);
    buffer_append_slice(self->out, buffer_slice(&machine->parts));
    self->out->failed |= machine->parts.failed;
    pb_close(self->out, mark);
}

static enum fate visit_records(struct rewriter *self)
{
    struct otlp_records records = otlp_records(&self->current_scope);
    struct otlp_record record;
    size_t kept = 0;
    bool with_parts;

    while (otlp_next_record(&records, &record)) {
        enum fate fate = visit_record(self, &record, &with_parts);
        if (fate == FATE_FAIL)
            return fate;
        kept += fate == FATE_KEEP;
        if (fate == FATE_DROP) {
            open_scope(self);
            copy_up_to(self, &self->scope, record.raw.data);
            self->scope.at = end_of(record.raw);
        } else if (with_parts || ottl_message_changed(&self->machine->messages[LEVEL_RECORD])) {
            write_record(self, &record, with_parts);
        }
    }
    return self->pass->filter && kept == 0 ? FATE_DROP : FATE_KEEP;
}

/* ---- metrics that statements made: visited as those that came, and they may make more ---- */

enum { MADE_MAX = 10000 };

static enum fate visit_one_made(struct rewriter *self, struct slice metric, struct buffer *done)
{
    struct ottl_machine *machine = self->machine;
    struct otlp_record record = { .body = metric };
    bool with_parts;
    enum fate fate = visit_record(self, &record, &with_parts);

    if (fate != FATE_KEEP)
        return fate;
    if (ottl_message_changed(&machine->messages[LEVEL_RECORD]))
        edit_write(&machine->messages[LEVEL_RECORD].edit, RECORDS, done);
    else
        pb_put_bytes(done, RECORDS, metric);
    return FATE_KEEP;
}

static enum fate visit_made(struct rewriter *self)
{
    struct ottl_machine *machine = self->machine;
    struct buffer *made = &machine->metrics, one = { .data = NULL }, done = { .data = NULL };
    enum fate fate = FATE_KEEP;
    struct pb_field field;
    size_t count = 0;

    for (size_t at = 0; at < made->size && fate != FATE_FAIL; at += field.raw.size) {
        struct pb_reader reader = pb_reader_of(slice_of(made->data + at, made->size - at));
        if (!pb_next(&reader, &field))
            break;
        buffer_clear(&one); /* `made` may move while this one is visited */
        buffer_append_slice(&one, field.bytes);
        fate = visit_one_made(self, buffer_slice(&one), &done);
        if (++count == MADE_MAX && fate != FATE_FAIL) {
            ottl_fail(
                machine, "more than %d metrics were made of those of one scope; add a \"where\" that leaves out what is made", MADE_MAX);
            fate = FATE_FAIL;
        }
    }
    buffer_clear(made);
    buffer_append_slice(made, buffer_slice(&done));
    made->failed |= one.failed || done.failed;
    buffer_fini(&one);
    buffer_fini(&done);
    return fate == FATE_FAIL ? FATE_FAIL : FATE_KEEP;
}

/* ---- scopes and groups ---- */

static bool wants_records(const struct rewriter *self)
{
    return wants(self, self->record_context) || wants_parts(self);
}

static enum fate visit_scope(struct rewriter *self)
{
    struct ottl_machine *machine = self->machine;
    enum fate fate;

    ottl_message_begin(machine, LEVEL_SCOPE, self->current_scope.scope, OTLP_ATTRIBUTES_OF_SCOPE);
    machine->messages[LEVEL_SCOPE].schema_url = self->current_scope.schema_url;
    buffer_clear(&machine->metrics);
    fate = visit(self, OTTL_SCOPE);
    if (fate == FATE_KEEP && wants_records(self))
        fate = visit_records(self);
    return fate == FATE_KEEP && machine->metrics.size > 0 ? visit_made(self) : fate;
}

static enum fate visit_scopes(struct rewriter *self)
{
    struct otlp_scope_groups scopes = otlp_scope_groups(&self->current_group);
    size_t kept = 0;

    if (!wants(self, OTTL_SCOPE) && !wants_records(self))
        return FATE_KEEP;
    while (otlp_next_scope_group(&scopes, &self->current_scope)) {
        enum fate fate = visit_scope(self);
        if (fate == FATE_FAIL)
            return fate;
        kept += fate == FATE_KEEP;
        if (fate == FATE_DROP)
            drop_scope(self);
        else
            close_scope(self);
    }
    return self->pass->filter && kept == 0 ? FATE_DROP : FATE_KEEP;
}

static enum fate visit_group(struct rewriter *self)
{
    struct ottl_message *message = &self->machine->messages[LEVEL_RESOURCE];
    enum fate fate;

    ottl_message_begin(self->machine, LEVEL_RESOURCE, self->current_group.resource, OTLP_ATTRIBUTES_OF_RESOURCE);
    message->schema_url = self->current_group.schema_url;
    fate = visit(self, OTTL_RESOURCE);
    return fate == FATE_KEEP ? visit_scopes(self) : fate;
}

static void set_contexts(struct rewriter *self)
{
    self->part_context = OTTL_CONTEXT_COUNT;
    switch (self->pass->signal) {
    case SIGNAL_TRACES:
        self->record_context = OTTL_SPAN;
        self->part_context = OTTL_SPANEVENT;
        break;
    case SIGNAL_METRICS:
        self->record_context = OTTL_METRIC;
        self->part_context = OTTL_DATAPOINT;
        break;
    default:
        self->record_context = OTTL_LOG;
        break;
    }
}

enum ottl_outcome ottl_rewrite(const struct ottl_pass *pass, struct ottl_machine *machine, struct slice payload, struct buffer *out)
{
    struct rewriter self = { .pass = pass, .machine = machine, .out = out, .payload = { .at = payload.data } };
    struct otlp_groups groups = otlp_groups(payload);

    set_contexts(&self);
    for (size_t i = 0; i < LEVEL_COUNT; i++)
        ottl_message_begin(machine, (enum ottl_level)i, (struct slice){ NULL, 0 }, 0);
    while (otlp_next_group(&groups, &self.current_group)) {
        enum fate fate = visit_group(&self);
        if (fate == FATE_FAIL)
            return OTTL_FAILED;
        if (fate == FATE_DROP)
            drop_group(&self);
        else
            close_group(&self);
    }
    if (!self.changed)
        return OTTL_UNCHANGED;
    copy_up_to(&self, &self.payload, end_of(payload));
    if (out->failed)
        snprintf(machine->err.message, sizeof(machine->err.message), "out of memory");
    return out->failed ? OTTL_FAILED : OTTL_CHANGED;
}
