/*
 * include and exclude: what they ask for, written as one condition of OTTL. Values of one list are alternatives; lists, and the
 * attributes of a list, have to match together.
 *
 * Start-up only; no threads.
 */
#include "collector/processors/filter_match.h"

#include "collector/config/scalar.h"

struct filter_attribute {
    const char *key;
    const struct config_node *value; /* NULL: the attribute has to be there */
};

struct filter_library {
    const char *name, *version;
};

static const struct option attribute_options[] = {
    { "key", OPTION_STRING, offsetof(struct filter_attribute, key), NULL, "nonempty", "of the attribute", .flags = OPTION_REQUIRED },
    { "value", OPTION_ANY, offsetof(struct filter_attribute, value), NULL, NULL, "what it has to be; without it, that it is there" },
    { 0 },
};

static const struct option library_options[] = {
    { "name", OPTION_STRING, offsetof(struct filter_library, name), NULL, "nonempty", "of the scope", .flags = OPTION_REQUIRED },
    { "version", OPTION_STRING, offsetof(struct filter_library, version), NULL, NULL, "of the scope" },
    { 0 },
};

static const struct option severity_options[] = {
    { "min", OPTION_STRING, offsetof(struct filter_match, severity.min), NULL, NULL, "lowest severity that matches: INFO, WARN2 ..." },
    { "match_undefined", OPTION_BOOL, offsetof(struct filter_match, severity.match_undefined), "false", NULL, "records without a severity match too" },
    { 0 },
};

#define MATCH(field) offsetof(struct filter_match, field)
#define MATCH_TYPE { "match_type", OPTION_STRING, MATCH(match_type), NULL, "strict|regexp", "how texts are compared", .flags = OPTION_REQUIRED }
#define ATTRIBUTES(key, field, help) { key, OPTION_LIST, MATCH(field), NULL, NULL, help, attribute_options, sizeof(struct filter_attribute) }

const struct option filter_span_match[] = {
    MATCH_TYPE,
    { "services", OPTION_STRINGS, MATCH(services), NULL, NULL, "values of the resource's service.name" },
    { "span_names", OPTION_STRINGS, MATCH(span_names), NULL, NULL, "names of spans" },
    { "span_kinds", OPTION_STRINGS, MATCH(span_kinds), NULL, NULL, "SPAN_KIND_SERVER ..." },
    ATTRIBUTES("attributes", attributes, "of the span"),
    ATTRIBUTES("resources", resource_attributes, "attributes of the resource"),
    { "libraries", OPTION_LIST, MATCH(libraries), NULL, NULL, "instrumentation scopes", library_options, sizeof(struct filter_library) },
    { "regexp", OPTION_IGNORED, 0, NULL, NULL, "weir keeps no cache of regular expressions" },
    { 0 },
};

const struct option filter_log_match[] = {
    MATCH_TYPE,
    { "bodies", OPTION_STRINGS, MATCH(bodies), NULL, NULL, "texts of the body" },
    { "severity_texts", OPTION_STRINGS, MATCH(severity_texts), NULL, NULL, "texts of the severity" },
    { "severity_number", OPTION_BLOCK, 0, NULL, NULL, "lowest severity", severity_options, .present = MATCH(severity_present) },
    ATTRIBUTES("record_attributes", attributes, "of the record"),
    ATTRIBUTES("resource_attributes", resource_attributes, "of the resource"),
    { 0 },
};

const struct option filter_metric_match[] = {
    MATCH_TYPE,
    { "metric_names", OPTION_STRINGS, MATCH(metric_names), NULL, NULL, "names of metrics" },
    { "expressions", OPTION_UNSUPPORTED, 0, NULL, NULL, "rules of another language; write them as metric_conditions" },
    ATTRIBUTES("resource_attributes", resource_attributes, "of the resource"),
    { "regexp", OPTION_IGNORED, 0, NULL, NULL, "weir keeps no cache of regular expressions" },
    { 0 },
};

/* ---- writing ---- */

static void put_quoted(struct buffer *out, const char *text)
{
    buffer_append_byte(out, '"');
    for (; *text != '\0'; text++) {
        if (*text == '"' || *text == '\\')
            buffer_append_byte(out, '\\');
        buffer_append_byte(out, (uint8_t)*text);
    }
    buffer_append_byte(out, '"');
}

static bool is_regexp(const struct filter_match *match)
{
    return match->match_type != NULL && strcmp(match->match_type, "regexp") == 0;
}

static void put_and(struct buffer *out)
{
    if (out->size > 0)
        buffer_append_string(out, " and ");
}

static void put_text(const struct filter_match *match, struct buffer *out, const char *path, const char *text)
{
    buffer_append_string(out, is_regexp(match) ? "IsMatch(" : "");
    buffer_append_string(out, path);
    buffer_append_string(out, is_regexp(match) ? ", " : " == ");
    put_quoted(out, text);
    buffer_append_string(out, is_regexp(match) ? ")" : "");
}

/* Any of the texts. */
static void put_texts(const struct filter_match *match, struct buffer *out, const char *path, const struct option_strings *texts)
{
    if (texts->count == 0)
        return;
    put_and(out);
    buffer_append_byte(out, '(');
    for (size_t i = 0; i < texts->count; i++) {
        buffer_append_string(out, i > 0 ? " or " : "");
        put_text(match, out, path, texts->items[i]);
    }
    buffer_append_byte(out, ')');
}

static bool put_attribute(const struct filter_match *match, struct buffer *out, const char *map, const struct filter_attribute *attribute)
{
    struct buffer path = { .data = NULL };
    const struct config_node *value = attribute->value;

    buffer_append_string(&path, map);
    buffer_append_byte(&path, '[');
    put_quoted(&path, attribute->key);
    buffer_append_byte(&path, ']');
    put_and(out);
    if (value == NULL || value->kind == CONFIG_NULL) {
        buffer_append_slice(out, buffer_slice(&path));
        buffer_append_string(out, " != nil");
    } else if (value->text != NULL && (value->quoted || is_regexp(match) || scalar_type_of(value->text) == SCALAR_STRING)) {
        put_text(match, out, buffer_string(&path), value->text);
    } else if (value->text != NULL) { /* a number or a bool is the same in OTTL */
        buffer_append_slice(out, buffer_slice(&path));
        buffer_append_string(out, " == ");
        buffer_append_string(out, value->text);
    }
    buffer_fini(&path);
    return value == NULL || value->kind == CONFIG_NULL || value->text != NULL;
}

/* All of the attributes. */
static bool put_attributes(const struct filter_match *match, struct buffer *out, const char *map, const struct option_list *list)
{
    const struct filter_attribute *attributes = list->items;

    for (size_t i = 0; i < list->count; i++) {
        if (!put_attribute(match, out, map, &attributes[i]))
            return false;
    }
    return true;
}

static bool refuse(struct error *err)
{
    return fail(err, "the value of an attribute must be a text, a number or a bool");
}

static void put_libraries(const struct filter_match *match, struct buffer *out)
{
    const struct filter_library *libraries = match->libraries.items;

    if (match->libraries.count == 0)
        return;
    put_and(out);
    buffer_append_byte(out, '(');
    for (size_t i = 0; i < match->libraries.count; i++) {
        buffer_append_string(out, i > 0 ? " or (" : "(");
        put_text(match, out, "instrumentation_scope.name", libraries[i].name);
        if (libraries[i].version != NULL) {
            buffer_append_string(out, " and ");
            put_text(match, out, "instrumentation_scope.version", libraries[i].version);
        }
        buffer_append_byte(out, ')');
    }
    buffer_append_byte(out, ')');
}

bool filter_match_spans(const struct filter_match *match, struct buffer *condition, struct error *err)
{
    put_texts(match, condition, "resource.attributes[\"service.name\"]", &match->services);
    put_texts(match, condition, "name", &match->span_names);
    put_texts(match, condition, "kind.deprecated_string", &match->span_kinds);
    put_libraries(match, condition);
    return (put_attributes(match, condition, "attributes", &match->attributes) &&
            put_attributes(match, condition, "resource.attributes", &match->resource_attributes)) ||
           refuse(err);
}

bool filter_match_logs(const struct filter_match *match, struct buffer *condition, struct error *err)
{
    put_texts(match, condition, "body", &match->bodies);
    put_texts(match, condition, "severity_text", &match->severity_texts);
    if (match->severity_present && match->severity.min != NULL) {
        put_and(condition);
        buffer_append_string(condition, "((severity_number == 0 and ");
        buffer_append_string(condition, match->severity.match_undefined ? "true" : "false");
        buffer_append_string(condition, ") or (severity_number != 0 and severity_number >= SEVERITY_NUMBER_");
        buffer_append_string(condition, match->severity.min);
        buffer_append_string(condition, "))");
    }
    return (put_attributes(match, condition, "attributes", &match->attributes) &&
            put_attributes(match, condition, "resource.attributes", &match->resource_attributes)) ||
           refuse(err);
}

bool filter_match_metrics(const struct filter_match *match, struct buffer *condition, struct error *err)
{
    (void)err;
    put_texts(match, condition, "name", &match->metric_names);
    return true;
}

bool filter_match_resources(const struct filter_match *match, struct buffer *condition, struct error *err)
{
    return put_attributes(match, condition, "attributes", &match->resource_attributes) || refuse(err);
}
