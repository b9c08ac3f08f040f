/*
 * include and exclude over views.
 *
 * Cost: a lookup for each attribute that is asked for, a scan of the record's own fields when its name, kind, severity or body is; a regular expression
 * ends after a limited number of steps, and does not match then. Threads: compiled at start, read by any number of workers.
 */
#include "collector/processors/record_match.h"

#include <ctype.h>
#include <stdlib.h>

#include "collector/processors/any_value.h"

struct match_attribute {
    const char *key;
    const struct config_node *value; /* NULL: the attribute has to be there */
};

struct match_library {
    const char *name, *version;
};

static const struct option attribute_options[] = {
    { "key", OPTION_STRING, offsetof(struct match_attribute, key), NULL, "nonempty", "of the attribute", .flags = OPTION_REQUIRED },
    { "value", OPTION_ANY, offsetof(struct match_attribute, value), NULL, NULL,
        "what it has to be, type included; with regexp a pattern; without it, that it is there" },
    { 0 },
};

static const struct option library_options[] = {
    { "name", OPTION_STRING, offsetof(struct match_library, name), NULL, "nonempty", "of the scope", .flags = OPTION_REQUIRED },
    { "version", OPTION_STRING, offsetof(struct match_library, version), NULL, NULL, "of the scope" },
    { 0 },
};

static const struct option severity_options[] = {
    { "min", OPTION_ANY, offsetof(struct record_match_settings, severity.min), NULL, NULL, "lowest severity that matches: 9, or INFO" },
    { "match_undefined", OPTION_BOOL, offsetof(struct record_match_settings, severity.match_undefined), "false", NULL,
        "records without a severity match too" },
    { 0 },
};

#define MATCH(field) offsetof(struct record_match_settings, field)

const struct option record_match_options[] = {
    { "match_type", OPTION_STRING, MATCH(match_type), NULL, "strict|regexp",
        "how texts are compared; a pattern may match anywhere in a text", .flags = OPTION_REQUIRED },
    { "services", OPTION_STRINGS, MATCH(services), NULL, NULL, "spans: values of the resource's service.name" },
    { "span_names", OPTION_STRINGS, MATCH(span_names), NULL, NULL, "spans: their names" },
    { "span_kinds", OPTION_STRINGS, MATCH(span_kinds), NULL, NULL, "spans: SPAN_KIND_SERVER ..." },
    { "log_bodies", OPTION_STRINGS, MATCH(log_bodies), NULL, NULL, "log records: texts of the body" },
    { "log_severity_texts", OPTION_STRINGS, MATCH(log_severity_texts), NULL, NULL, "log records: texts of the severity" },
    { "log_severity_number", OPTION_BLOCK, 0, NULL, NULL, "log records: lowest severity", severity_options,
        .present = MATCH(severity_present) },
    { "metric_names", OPTION_STRINGS, MATCH(metric_names), NULL, NULL, "metrics: their names" },
    { "attributes", OPTION_LIST, MATCH(attributes), NULL, NULL, "of the span or log record; all of them have to match", attribute_options,
        sizeof(struct match_attribute) },
    { "resources", OPTION_LIST, MATCH(resources), NULL, NULL, "attributes of the resource; all of them have to match", attribute_options,
        sizeof(struct match_attribute) },
    { "libraries", OPTION_LIST, MATCH(libraries), NULL, NULL, "instrumentation scopes; all of them have to match", library_options,
        sizeof(struct match_library) },
    { "regexp", OPTION_IGNORED, 0, NULL, NULL, "weir keeps no cache of regular expressions" },
    { 0 },
};

/* ---- compiled ---- */

/* Alternatives; none given: nothing is asked for. */
struct text_set {
    const char *const *texts;
    struct ottl_regex **patterns; /* NULL: the texts themselves */
    size_t count;
};

struct attribute_match {
    struct slice key;
    struct otlp_value value; /* EMPTY: it has to be there */
    struct ottl_regex *pattern;
};

struct attribute_matches {
    struct attribute_match *items;
    size_t count;
};

struct library_match {
    struct text_set name, version;
};

struct record_match {
    struct arena arena;
    bool regexp; /* texts are patterns */
    struct text_set services, span_names, span_kinds, log_bodies, severity_texts, metric_names;
    struct attribute_matches attributes, resources;
    struct library_match *libraries;
    size_t library_count;
    bool by_severity, match_undefined;
    uint32_t severity_min;
    struct ottl_regex **patterns; /* all of them; owned */
    size_t pattern_count;
};

static struct ottl_regex *compile(struct record_match *match, const char *pattern, struct error *err)
{
    struct ottl_regex *regex = ottl_regex_create(slice_of_string(pattern), err);

    if (regex == NULL) {
        fail_within(err, "pattern \"%s\"", pattern);
        return NULL;
    }
    match->patterns = realloc(match->patterns, (match->pattern_count + 1) * sizeof(regex));
    if (match->patterns == NULL)
        abort();
    match->patterns[match->pattern_count++] = regex;
    return regex;
}

static bool make_set(struct record_match *match, const struct option_strings *texts, struct text_set *set, struct error *err)
{
    *set = (struct text_set){ .texts = texts->items, .count = texts->count };
    if (!match->regexp || texts->count == 0)
        return true;
    set->patterns = arena_alloc(&match->arena, texts->count * sizeof(*set->patterns));
    for (size_t i = 0; i < texts->count; i++) {
        set->patterns[i] = compile(match, texts->items[i], err);
        if (set->patterns[i] == NULL)
            return false;
    }
    return true;
}

static bool make_attributes(struct record_match *match, const struct option_list *list, struct attribute_matches *out, struct error *err)
{
    const struct match_attribute *settings = list->items;

    out->count = list->count;
    out->items = arena_alloc(&match->arena, (list->count + 1) * sizeof(*out->items));
    for (size_t i = 0; i < list->count; i++) {
        struct attribute_match *item = &out->items[i];
        item->key = slice_of_string(settings[i].key);
        if (settings[i].value == NULL || settings[i].value->kind == CONFIG_NULL)
            continue;
        item->value = any_value_of(&match->arena, settings[i].value);
        if (!match->regexp)
            continue;
        if (item->value.kind != OTLP_VALUE_STRING)
            return fail(err, "attribute \"%s\": a pattern has to be a text; put it in quotes", settings[i].key);
        item->pattern = compile(match, settings[i].value->text, err);
        if (item->pattern == NULL)
            return false;
    }
    return true;
}

static bool make_libraries(struct record_match *match, const struct record_match_settings *settings, struct error *err)
{
    const struct match_library *libraries = settings->libraries.items;

    match->library_count = settings->libraries.count;
    match->libraries = arena_alloc(&match->arena, (match->library_count + 1) * sizeof(*match->libraries));
    for (size_t i = 0; i < match->library_count; i++) {
        struct option_strings name = { &libraries[i].name, 1 }, version = { &libraries[i].version, libraries[i].version != NULL };
        if (!make_set(match, &name, &match->libraries[i].name, err) || !make_set(match, &version, &match->libraries[i].version, err))
            return false;
    }
    return true;
}

/* "INFO" is 9, "WARN3" 15; also the number itself. */
static bool severity_of(const char *text, uint32_t *number)
{
    static const char *const names[] = { "TRACE", "DEBUG", "INFO", "WARN", "ERROR", "FATAL" };

    for (uint32_t i = 0; text != NULL && i < sizeof(names) / sizeof(names[0]); i++) {
        size_t size = strlen(names[i]);
        const char *rest = text + size;
        if (strncasecmp(text, names[i], size) != 0 || (rest[0] != '\0' && (rest[0] < '2' || rest[0] > '4' || rest[1] != '\0')))
            continue;
        *number = 1 + i * 4 + (rest[0] != '\0' ? (uint32_t)(rest[0] - '1') : 0);
        return true;
    }
    char *end = NULL;
    unsigned long value = text != NULL && isdigit((unsigned char)text[0]) ? strtoul(text, &end, 10) : 25;
    *number = (uint32_t)value;
    return value <= 24 && *end == '\0';
}

static bool check_kinds(const struct option_strings *kinds, struct error *err)
{
    static const char *const known[] = { "SPAN_KIND_INTERNAL", "SPAN_KIND_SERVER", "SPAN_KIND_CLIENT", "SPAN_KIND_PRODUCER",
        "SPAN_KIND_CONSUMER" };

    for (size_t i = 0; i < kinds->count; i++) {
        bool found = false;
        for (size_t k = 0; k < sizeof(known) / sizeof(known[0]); k++)
            found = found || strcmp(kinds->items[i], known[k]) == 0;
        if (!found)
            return fail(err, "span_kinds: unknown kind \"%s\", must be SPAN_KIND_INTERNAL, _SERVER, _CLIENT, _PRODUCER or _CONSUMER",
                kinds->items[i]);
    }
    return true;
}

unsigned record_match_signals(const struct record_match_settings *settings, struct error *err)
{
    bool spans = settings->services.count > 0 || settings->span_names.count > 0 || settings->span_kinds.count > 0;
    bool logs = settings->log_bodies.count > 0 || settings->log_severity_texts.count > 0 || settings->severity_present;
    bool metrics = settings->metric_names.count > 0;
    bool either = settings->attributes.count > 0 || settings->libraries.count > 0;
    unsigned signals = 0;

    if (!logs && !metrics && (spans || either || settings->resources.count > 0))
        signals |= SIGNALS_TRACES;
    if (!spans && !metrics && (logs || either || settings->resources.count > 0))
        signals |= SIGNALS_LOGS;
    if (!spans && !logs && !either && (metrics || settings->resources.count > 0))
        signals |= SIGNALS_METRICS;
    if (!spans && !logs && !metrics && !either && settings->resources.count == 0)
        fail(err, "nothing is set to match on");
    else if (signals == 0)
        fail(err, "asks for things that no one signal has together");
    return signals;
}

static bool make(struct record_match *match, const struct record_match_settings *settings, struct error *err)
{
    match->regexp = strcmp(settings->match_type, "regexp") == 0;
    if (!match->regexp && !check_kinds(&settings->span_kinds, err))
        return false;
    match->by_severity = settings->severity_present;
    match->match_undefined = settings->severity.match_undefined;
    if (settings->severity.min != NULL && !severity_of(settings->severity.min->text, &match->severity_min))
        return fail(err, "log_severity_number.min: must be 0 to 24, or TRACE, DEBUG, INFO, WARN, ERROR, FATAL");
    return make_set(match, &settings->services, &match->services, err) && make_set(match, &settings->span_names, &match->span_names, err) &&
           make_set(match, &settings->span_kinds, &match->span_kinds, err) &&
           make_set(match, &settings->log_bodies, &match->log_bodies, err) &&
           make_set(match, &settings->log_severity_texts, &match->severity_texts, err) &&
           make_set(match, &settings->metric_names, &match->metric_names, err) &&
           make_attributes(match, &settings->attributes, &match->attributes, err) &&
           make_attributes(match, &settings->resources, &match->resources, err) && make_libraries(match, settings, err);
}

struct record_match *record_match_create(const struct record_match_settings *settings, struct error *err)
{
    struct record_match *match = calloc(1, sizeof(*match));

    if (match == NULL)
        abort();
    if (record_match_signals(settings, err) != 0 && make(match, settings, err))
        return match;
    record_match_destroy(match);
    return NULL;
}

void record_match_destroy(struct record_match *match)
{
    if (match == NULL)
        return;
    for (size_t i = 0; i < match->pattern_count; i++)
        ottl_regex_destroy(match->patterns[i]);
    free(match->patterns);
    arena_fini(&match->arena);
    free(match);
}

/* ---- matching ---- */

static bool set_holds(const struct text_set *set, struct rewrite_worker *worker, struct slice text)
{
    for (size_t i = 0; i < set->count; i++) {
        bool holds = set->patterns != NULL ? ottl_regex_match(set->patterns[i], worker->matcher, text, 0) == OTTL_MATCH
                                           : slice_equal_string(text, set->texts[i]);
        if (holds)
            return true;
    }
    return set->count == 0;
}

static bool same_value(const struct otlp_value *a, const struct otlp_value *b)
{
    if (a->kind != b->kind)
        return false;
    switch (a->kind) {
    case OTLP_VALUE_BOOL:
    case OTLP_VALUE_INT:
        return a->integer == b->integer;
    case OTLP_VALUE_DOUBLE:
        return a->number == b->number;
    default:
        return slice_equal(a->bytes, b->bytes);
    }
}

static bool pattern_holds(const struct ottl_regex *pattern, struct rewrite_worker *worker, const struct otlp_value *value)
{
    struct slice text = value->bytes;

    if (value->kind == OTLP_VALUE_EMPTY || value->kind == OTLP_VALUE_ARRAY || value->kind == OTLP_VALUE_MAP ||
        value->kind == OTLP_VALUE_BYTES)
        return false;
    if (value->kind != OTLP_VALUE_STRING) {
        buffer_clear(&worker->value);
        any_value_put_text(value, &worker->value);
        text = buffer_slice(&worker->value);
    }
    return ottl_regex_match(pattern, worker->matcher, text, 0) == OTTL_MATCH;
}

static bool attributes_hold(
    const struct attribute_matches *matches, struct rewrite_worker *worker, struct slice message, enum otlp_attributes_field field)
{
    for (size_t i = 0; i < matches->count; i++) {
        const struct attribute_match *item = &matches->items[i];
        struct otlp_value value;
        if (!otlp_find_attribute(message, field, item->key, &value))
            return false;
        if (item->pattern != NULL ? !pattern_holds(item->pattern, worker, &value)
                                  : item->value.kind != OTLP_VALUE_EMPTY && !same_value(&item->value, &value))
            return false;
    }
    return true;
}

bool record_match_group(const struct record_match *match, struct rewrite_worker *worker)
{
    struct slice resource = worker->rewrite.group.resource, service = SLICE("<nil-service-name>");
    struct otlp_value value;

    if (match->services.count > 0 && otlp_find_attribute(resource, OTLP_ATTRIBUTES_OF_RESOURCE, SLICE("service.name"), &value)) {
        buffer_clear(&worker->spare);
        any_value_put_text(&value, &worker->spare);
        service = buffer_slice(&worker->spare);
    }
    return set_holds(&match->services, worker, service) &&
           attributes_hold(&match->resources, worker, resource, OTLP_ATTRIBUTES_OF_RESOURCE);
}

bool record_match_scope(const struct record_match *match, struct rewrite_worker *worker)
{
    struct pb_reader reader = pb_reader_of(worker->rewrite.scope_group.scope);
    struct slice name = { NULL, 0 }, version = { NULL, 0 };
    struct pb_field field;

    if (match->library_count == 0)
        return true;
    while (pb_next(&reader, &field)) {
        if (field.number == 1)
            name = field.bytes;
        else if (field.number == 2)
            version = field.bytes;
    }
    for (size_t i = 0; i < match->library_count; i++) {
        if (!set_holds(&match->libraries[i].name, worker, name) || !set_holds(&match->libraries[i].version, worker, version))
            return false;
    }
    return true;
}

static bool span_holds(const struct record_match *match, struct rewrite_worker *worker, struct slice body)
{
    static const char *const kinds[] = { "SPAN_KIND_UNSPECIFIED", "SPAN_KIND_INTERNAL", "SPAN_KIND_SERVER", "SPAN_KIND_CLIENT",
        "SPAN_KIND_PRODUCER", "SPAN_KIND_CONSUMER" };
    struct otlp_span span;

    if (match->span_names.count > 0 || match->span_kinds.count > 0) {
        otlp_span_view(body, &span);
        const char *kind = span.kind < sizeof(kinds) / sizeof(kinds[0]) ? kinds[span.kind] : "";
        if (!set_holds(&match->span_names, worker, span.name) || !set_holds(&match->span_kinds, worker, slice_of_string(kind)))
            return false;
    }
    return attributes_hold(&match->attributes, worker, body, OTLP_ATTRIBUTES_OF_SPAN);
}

static bool log_holds(const struct record_match *match, struct rewrite_worker *worker, struct slice body)
{
    struct otlp_log log;

    if (match->log_bodies.count > 0 || match->severity_texts.count > 0 || match->by_severity) {
        otlp_log_view(body, &log);
        struct otlp_value value = otlp_value_of(log.value);
        struct slice text = value.bytes;
        if (match->log_bodies.count > 0 && value.kind != OTLP_VALUE_STRING) {
            buffer_clear(&worker->spare);
            any_value_put_text(&value, &worker->spare);
            text = buffer_slice(&worker->spare);
        }
        bool severe = log.severity_number == 0 ? match->match_undefined : log.severity_number >= match->severity_min;
        if (!set_holds(&match->log_bodies, worker, text) || !set_holds(&match->severity_texts, worker, log.severity_text) ||
            (match->by_severity && !severe))
            return false;
    }
    return attributes_hold(&match->attributes, worker, body, OTLP_ATTRIBUTES_OF_LOG);
}

bool record_match_record(const struct record_match *match, struct rewrite_worker *worker)
{
    struct slice body = worker->rewrite.record.body;
    struct otlp_metric metric;

    switch (worker->signal) {
    case SIGNAL_TRACES:
        return span_holds(match, worker, body);
    case SIGNAL_LOGS:
        return log_holds(match, worker, body);
    default:
        otlp_metric_view(body, &metric);
        return set_holds(&match->metric_names, worker, metric.name);
    }
}
