/* What parsers share: where they read and write, and the blocks for time, severity, trace and scope; these are operators of their own too. */
#include "collector/base/clock.h"
#include "collector/stanza/operator.h"

#include <stdlib.h>

#define OPERATOR(field) offsetof(struct stanza_operator, field)
#define PARSER(field) offsetof(struct stanza_parser, field)
#define TIME(field) offsetof(struct stanza_time_settings, field)
#define SEVERITY(field) offsetof(struct stanza_severity_settings, field)
#define TRACE(field) offsetof(struct stanza_trace_settings, field)

const struct option stanza_operator_options[] = {
    { "type", OPTION_STRING, OPERATOR(type_text), NULL, "nonempty", "which operator" },
    { "id", OPTION_STRING, OPERATOR(id), NULL, "nonempty", "what outputs call it" },
    { "output", OPTION_STRINGS, OPERATOR(output), NULL, NULL, "ids of the operators that come next; without it, the next one in the list" },
    { "on_error", OPTION_ENUM, OPERATOR(on_error), "send", "send|drop|send_quiet|drop_quiet", "what becomes of a record that it fails at" },
    { "if", OPTION_STRING, OPERATOR(condition_text), NULL, "nonempty", "expression: records that it is false for pass as they are" },
    { 0 },
};

const struct option stanza_time_options[] = {
    { "parse_from", OPTION_STRING, TIME(parse_from), NULL, NULL, "field that holds the time" },
    { "layout", OPTION_STRING, TIME(layout), NULL, NULL, "how the time is written" },
    { "layout_type", OPTION_ENUM, TIME(layout_type), "strptime", "strptime|gotime|epoch", "the layout's language" },
    { "location", OPTION_STRING, TIME(location), NULL, NULL, "time zone of times that name none; without it, this machine's" },
    { 0 },
};
const struct option stanza_severity_options[] = {
    { "parse_from", OPTION_STRING, SEVERITY(parse_from), NULL, NULL, "field that holds the severity" },
    { "preset", OPTION_STRING, SEVERITY(preset), "default", "default|otel|aliases|none", "words that are known already" },
    { "mapping", OPTION_ANY, SEVERITY(mapping), NULL, NULL, "severities, each with its words, numbers or ranges" },
    { "overwrite_text", OPTION_BOOL, SEVERITY(overwrite_text), "false", NULL, "the text is the severity's own name, not the field's word" },
    { 0 },
};
static const struct option trace_part_options[] = {
    { "parse_from", OPTION_STRING, offsetof(struct stanza_trace_part, parse_from), NULL, NULL, "field that holds it" },
    { 0 },
};
const struct option stanza_trace_options[] = {
    { "trace_id", OPTION_BLOCK, TRACE(trace_id), NULL, NULL, "32 hexadecimal digits", trace_part_options, 0, TRACE(trace_id.present) },
    { "span_id", OPTION_BLOCK, TRACE(span_id), NULL, NULL, "16 hexadecimal digits", trace_part_options, 0, TRACE(span_id.present) },
    { "trace_flags", OPTION_BLOCK, TRACE(trace_flags), NULL, NULL, "2 hexadecimal digits", trace_part_options, 0,
        TRACE(trace_flags.present) },
    { 0 },
};
const struct option stanza_parser_options[] = {
    { "", OPTION_INCLUDE, 0, NULL, NULL, NULL, stanza_operator_options },
    { "parse_from", OPTION_STRING, PARSER(parse_from), "body", "nonempty", "field that is parsed" },
    { "parse_to", OPTION_STRING, PARSER(parse_to), "attributes", "nonempty", "field that takes what was parsed" },
    { "body", OPTION_STRING, PARSER(body), NULL, NULL, "parsed field that becomes the body" },
    { "timestamp", OPTION_BLOCK, PARSER(time), NULL, NULL, "the record's time", stanza_time_options, 0, PARSER(time_present) },
    { "severity", OPTION_BLOCK, PARSER(severity), NULL, NULL, "the record's severity", stanza_severity_options, 0,
        PARSER(severity_present) },
    { "trace", OPTION_BLOCK, PARSER(trace), NULL, NULL, "the record's trace", stanza_trace_options, 0, PARSER(trace_present) },
    { "scope_name", OPTION_BLOCK, PARSER(scope), NULL, NULL, "the record's scope", trace_part_options, 0, PARSER(scope_present) },
    { 0 },
};

static bool field_of(struct stanza_operator *self, const char *key, const char *text, struct stanza_field *field, struct error *err)
{
    if (text == NULL || *text == '\0')
        return fail(err, "%s: it must be set", key);
    return stanza_field_parse(self->arena, text, field, err) || fail_within(err, "%s", key);
}

/* ---- time ---- */

bool stanza_time_init(struct stanza_operator *self, struct stanza_time_settings *settings, struct error *err)
{
    settings->read.type = (enum stanza_layout_type)settings->layout_type;
    return field_of(self, "parse_from", settings->parse_from, &settings->field, err) &&
           stanza_layout_init(&settings->read, self->arena, settings->layout, settings->location, err);
}

enum stanza_step stanza_time_apply(struct stanza_operator *self, const struct stanza_time_settings *settings, struct stanza_record *record)
{
    struct stanza_value value;
    const char *problem;

    if (!stanza_field_get(record, &settings->field, &value))
        return stanza_fail(self, "there is no \"%s\" to read the time from", settings->parse_from);
    if (stanza_layout_read(&settings->read, &value, record->observed_ns, &record->time_ns, &problem))
        return STANZA_NEXT;
    if (value.kind == STANZA_STRING)
        return stanza_fail(
            self, "time \"%.*s\": %s", (int)(value.bytes.size < 60 ? value.bytes.size : 60), (const char *)value.bytes.data, problem);
    return stanza_fail(self, "time of \"%s\" (%s): %s", settings->parse_from, stanza_kind_name(value.kind), problem);
}

/* ---- severity ---- */

bool stanza_severity_init(struct stanza_operator *self, struct stanza_severity_settings *settings, struct error *err)
{
    if (!field_of(self, "parse_from", settings->parse_from, &settings->field, err))
        return false;
    settings->table = stanza_severities_create(self->arena, settings->preset, settings->mapping, err);
    return settings->table != NULL;
}

enum stanza_step stanza_severity_apply(
    struct stanza_operator *self, const struct stanza_severity_settings *settings, struct stanza_record *record)
{
    struct buffer text = { 0 };
    struct stanza_value value;
    uint8_t severity;

    if (!stanza_field_get(record, &settings->field, &value))
        return stanza_fail(self, "there is no \"%s\" to read the severity from", settings->parse_from);
    if (value.kind == STANZA_LIST || value.kind == STANZA_MAP)
        return stanza_fail(self, "a %s is no severity", stanza_kind_name(value.kind));
    severity = stanza_severity_of(settings->table, &value);
    record->severity = severity; /* 0 for words that are not known, as the collector has it */
    if (settings->overwrite_text && severity != 0) {
        record->severity_text = slice_of_string(stanza_severity_name(severity));
    } else if (value.kind == STANZA_STRING) {
        record->severity_text = value.bytes;
    } else {
        stanza_value_text(&value, &text);
        record->severity_text = stanza_keep(record->memory, buffer_slice(&text));
        buffer_fini(&text);
    }
    return STANZA_NEXT;
}

/* ---- trace ---- */

static bool trace_part_init(struct stanza_operator *self, struct stanza_trace_part *part, const char *key, struct error *err)
{
    const char *whole = part->parse_from;
    struct buffer otherwise = { 0 };
    bool done;

    buffer_printf(&otherwise, "body.%s", key);
    if (whole == NULL)
        whole = arena_string(self->arena, buffer_slice(&otherwise));
    part->parse_from = whole;
    done = field_of(self, key, whole, &part->field, err);
    buffer_fini(&otherwise);
    return done;
}

bool stanza_trace_init(struct stanza_operator *self, struct stanza_trace_settings *settings, struct error *err)
{
    return trace_part_init(self, &settings->trace_id, "trace_id", err) && trace_part_init(self, &settings->span_id, "span_id", err) &&
           trace_part_init(self, &settings->trace_flags, "trace_flags", err);
}

static int nibble(uint8_t c)
{
    if (c >= '0' && c <= '9')
        return c - '0';
    c |= 0x20;
    return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

/* Of exactly `size` bytes. */
static bool read_hex(struct slice text, uint8_t *out, size_t size)
{
    if (text.size != 2 * size)
        return false;
    for (size_t i = 0; i < size; i++) {
        int high = nibble(text.data[2 * i]), low = nibble(text.data[2 * i + 1]);
        if (high < 0 || low < 0)
            return false;
        out[i] = (uint8_t)(high << 4 | low);
    }
    return true;
}

static bool read_id(
    struct stanza_operator *self, struct stanza_record *record, const struct stanza_trace_part *part, size_t size, struct slice *id)
{
    struct stanza_value value;
    uint8_t *bytes;

    if (!stanza_field_get(record, &part->field, &value) || (value.kind == STANZA_STRING && value.bytes.size == 0))
        return true;
    bytes = stanza_alloc(record->memory, size);
    if (bytes == NULL || value.kind != STANZA_STRING || !read_hex(value.bytes, bytes, size)) {
        stanza_fail(self, "\"%s\" is not of %zu hexadecimal digits", part->parse_from, 2 * size);
        return false;
    }
    *id = slice_of(bytes, size);
    return true;
}

enum stanza_step stanza_trace_apply(
    struct stanza_operator *self, const struct stanza_trace_settings *settings, struct stanza_record *record)
{
    struct slice flags = { NULL, 0 };

    if (!read_id(self, record, &settings->trace_id, 16, &record->trace_id) ||
        !read_id(self, record, &settings->span_id, 8, &record->span_id) || !read_id(self, record, &settings->trace_flags, 1, &flags))
        return STANZA_FAILED;
    if (flags.size == 1)
        record->trace_flags = flags.data[0];
    return STANZA_NEXT;
}

/* ---- scope ---- */

static enum stanza_step apply_scope(struct stanza_operator *self, const struct stanza_trace_part *part, struct stanza_record *record)
{
    struct stanza_value value;

    if (!stanza_field_get(record, &part->field, &value))
        return stanza_fail(self, "there is no \"%s\" to read the scope's name from", part->parse_from);
    if (value.kind != STANZA_STRING)
        return stanza_fail(self, "the scope's name is a %s, not a string", stanza_kind_name(value.kind));
    record->scope = value.bytes;
    return STANZA_NEXT;
}

/* ---- parsers ---- */

bool stanza_parser_init(struct stanza_parser *self, struct error *err)
{
    struct stanza_operator *base = &self->base;

    if (!field_of(base, "parse_from", self->parse_from, &self->from, err) || !field_of(base, "parse_to", self->parse_to, &self->to, err) ||
        (self->body != NULL && !field_of(base, "body", self->body, &self->body_field, err)))
        return false;
    if (self->time_present && !stanza_time_init(base, &self->time, err))
        return fail_within(err, "timestamp");
    if (self->severity_present && !stanza_severity_init(base, &self->severity, err))
        return fail_within(err, "severity");
    if (self->trace_present && !stanza_trace_init(base, &self->trace, err))
        return fail_within(err, "trace");
    return !self->scope_present || field_of(base, "scope_name.parse_from", self->scope.parse_from, &self->scope.field, err);
}

bool stanza_parser_text(struct stanza_parser *self, const struct stanza_record *record, struct slice *text)
{
    struct stanza_value value;

    if (!stanza_field_get(record, &self->from, &value)) {
        stanza_fail(&self->base, "there is no \"%s\" to parse", self->parse_from);
        return false;
    }
    *text = value.bytes;
    if (value.kind == STANZA_STRING || value.kind == STANZA_BYTES)
        return true;
    stanza_fail(&self->base, "\"%s\" is a %s, not a string", self->parse_from, stanza_kind_name(value.kind));
    return false;
}

enum stanza_step stanza_parser_finish(struct stanza_parser *self, struct stanza_record *record, struct stanza_value parsed)
{
    enum stanza_step step = STANZA_NEXT;
    struct stanza_value body;
    const char *problem;

    if (!stanza_field_set(record, &self->to, parsed, &problem))
        return stanza_fail(&self->base, "parse_to \"%s\": %s", self->parse_to, problem);
    if (self->body != NULL && stanza_field_get(record, &self->body_field, &body))
        record->body = body;
    if (self->time_present && stanza_time_apply(&self->base, &self->time, record) == STANZA_FAILED)
        step = STANZA_FAILED;
    if (self->severity_present && stanza_severity_apply(&self->base, &self->severity, record) == STANZA_FAILED)
        step = STANZA_FAILED;
    if (self->trace_present && stanza_trace_apply(&self->base, &self->trace, record) == STANZA_FAILED)
        step = STANZA_FAILED;
    if (self->scope_present && apply_scope(&self->base, &self->scope, record) == STANZA_FAILED)
        step = STANZA_FAILED;
    return step;
}

/* ---- the blocks as operators ---- */

struct time_operator {
    struct stanza_operator base;
    struct stanza_time_settings settings;
};
static const struct option time_options[] = {
    { "", OPTION_INCLUDE, 0, NULL, NULL, NULL, stanza_operator_options },
    { "", OPTION_INCLUDE, offsetof(struct time_operator, settings), NULL, NULL, NULL, stanza_time_options },
    { 0 },
};
static bool time_init(struct stanza_operator *self, struct error *err)
{
    return stanza_time_init(self, &((struct time_operator *)self)->settings, err);
}
static enum stanza_step time_process(struct stanza_operator *self, struct stanza_record *record)
{
    return stanza_time_apply(self, &((struct time_operator *)self)->settings, record);
}
const struct stanza_operator_type stanza_time_parser = {
    .name = "time_parser", .options = time_options, .size = sizeof(struct time_operator), .init = time_init, .process = time_process
};

struct severity_operator {
    struct stanza_operator base;
    struct stanza_severity_settings settings;
};
static const struct option severity_options[] = {
    { "", OPTION_INCLUDE, 0, NULL, NULL, NULL, stanza_operator_options },
    { "", OPTION_INCLUDE, offsetof(struct severity_operator, settings), NULL, NULL, NULL, stanza_severity_options },
    { 0 },
};
static bool severity_init(struct stanza_operator *self, struct error *err)
{
    return stanza_severity_init(self, &((struct severity_operator *)self)->settings, err);
}
static enum stanza_step severity_process(struct stanza_operator *self, struct stanza_record *record)
{
    return stanza_severity_apply(self, &((struct severity_operator *)self)->settings, record);
}
const struct stanza_operator_type stanza_severity_parser = { .name = "severity_parser",
    .options = severity_options,
    .size = sizeof(struct severity_operator),
    .init = severity_init,
    .process = severity_process };

struct trace_operator {
    struct stanza_operator base;
    struct stanza_trace_settings settings;
};
static const struct option trace_options[] = {
    { "", OPTION_INCLUDE, 0, NULL, NULL, NULL, stanza_operator_options },
    { "", OPTION_INCLUDE, offsetof(struct trace_operator, settings), NULL, NULL, NULL, stanza_trace_options },
    { 0 },
};
static bool trace_init(struct stanza_operator *self, struct error *err)
{
    return stanza_trace_init(self, &((struct trace_operator *)self)->settings, err);
}
static enum stanza_step trace_process(struct stanza_operator *self, struct stanza_record *record)
{
    return stanza_trace_apply(self, &((struct trace_operator *)self)->settings, record);
}
const struct stanza_operator_type stanza_trace_parser = {
    .name = "trace_parser", .options = trace_options, .size = sizeof(struct trace_operator), .init = trace_init, .process = trace_process
};

struct scope_operator {
    struct stanza_operator base;
    struct stanza_trace_part part;
};
static const struct option scope_options[] = {
    { "", OPTION_INCLUDE, 0, NULL, NULL, NULL, stanza_operator_options },
    { "", OPTION_INCLUDE, offsetof(struct scope_operator, part), NULL, NULL, NULL, trace_part_options },
    { 0 },
};
static bool scope_init(struct stanza_operator *self, struct error *err)
{
    struct stanza_trace_part *part = &((struct scope_operator *)self)->part;

    return field_of(self, "parse_from", part->parse_from, &part->field, err);
}
static enum stanza_step scope_process(struct stanza_operator *self, struct stanza_record *record)
{
    return apply_scope(self, &((struct scope_operator *)self)->part, record);
}
const struct stanza_operator_type stanza_scope_name_parser = { .name = "scope_name_parser",
    .options = scope_options,
    .size = sizeof(struct scope_operator),
    .init = scope_init,
    .process = scope_process };
