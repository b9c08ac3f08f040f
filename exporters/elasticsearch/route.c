/*
 * Naming of indices and data streams. Names are made once for each scope, and again for records that carry names of their own.
 * Threads: none of its own; the date is local time, as the collector's is.
 */
#include "exporters/elasticsearch/route.h"

#include <stdio.h>
#include <time.h>

#include "collector/wire/json.h"

#define IN_NAMESPACE "\\/*?\"<>| ,#:"
#define IN_DATASET "-" IN_NAMESPACE

void elastic_route_fini(struct elastic_route *route)
{
    buffer_fini(&route->action);
    buffer_fini(&route->stream);
}

/* ---- what attributes say ---- */

struct elastic_hints elastic_hints_of(const struct elastic_attributes *attributes)
{
    struct elastic_hints hints = { .index = { .kind = OTLP_VALUE_EMPTY } };
    const struct otlp_value *value;

    if (!attributes->reserved)
        return hints;
    if ((value = elastic_attributes_find(attributes, SLICE("elasticsearch.index"))) != NULL && value->bytes.size > 0)
        hints.index = *value;
    if ((value = elastic_attributes_find(attributes, SLICE("data_stream.type"))) != NULL)
        hints.type = *value;
    if ((value = elastic_attributes_find(attributes, SLICE("data_stream.dataset"))) != NULL)
        hints.dataset = *value;
    if ((value = elastic_attributes_find(attributes, SLICE("data_stream.namespace"))) != NULL)
        hints.name_space = *value;
    return hints;
}

static struct otlp_value first_of(const struct otlp_value *inner, const struct otlp_value *outer)
{
    return inner->kind != OTLP_VALUE_EMPTY ? *inner : *outer;
}

struct elastic_hints elastic_hints_over(const struct elastic_hints *inner, const struct elastic_hints *outer)
{
    return (struct elastic_hints){
        .index = first_of(&inner->index, &outer->index),
        .type = first_of(&inner->type, &outer->type),
        .dataset = first_of(&inner->dataset, &outer->dataset),
        .name_space = first_of(&inner->name_space, &outer->name_space),
    };
}

bool elastic_hints_any(const struct elastic_hints *hints)
{
    return hints->index.kind != OTLP_VALUE_EMPTY || hints->type.kind != OTLP_VALUE_EMPTY || hints->dataset.kind != OTLP_VALUE_EMPTY ||
           hints->name_space.kind != OTLP_VALUE_EMPTY;
}

/* ---- names ---- */

/* As much as fits, cut between characters. */
static void copy_text(struct slice text, char *out, size_t size)
{
    size_t length = text.size < size - 1 ? text.size : size - 1;

    while (length < text.size && length > 0 && (text.data[length] & 0xc0) == 0x80)
        length--;
    if (length > 0)
        memcpy(out, text.data, length);
    out[length] = '\0';
}

/* A part of a data stream's name: in lower case, what may not be in it replaced, `suffix` behind what is left of 100 bytes. */
static void sanitize(struct slice text, const char *forbidden, const char *suffix, char out[ELASTIC_STREAM_PART + 1])
{
    char *at = out;

    copy_text(text, out, ELASTIC_STREAM_PART + 1 - strlen(suffix));
    for (; *at != '\0'; at++) {
        if (*at >= 'A' && *at <= 'Z')
            *at = (char)(*at | 0x20);
        else if (strchr(forbidden, *at) != NULL)
            *at = '_';
    }
    memcpy(at, suffix, strlen(suffix) + 1);
}

static bool is_word(uint8_t c)
{
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '_';
}

/* "hostmetricsreceiver" of "github.com/.../receiver/hostmetricsreceiver/internal/scraper"; empty when there is none. */
static struct slice receiver_of(struct slice scope_name)
{
    static const char lead[] = "/receiver/", word[] = "receiver";

    for (size_t at = 0; at + sizeof(lead) - 1 <= scope_name.size; at++) {
        const uint8_t *start = scope_name.data + at + sizeof(lead) - 1, *end = start;

        if (memcmp(scope_name.data + at, lead, sizeof(lead) - 1) != 0)
            continue;
        while (end < scope_name.data + scope_name.size && is_word(*end))
            end++;
        for (; end - start >= (ptrdiff_t)sizeof(word) - 1; end--) /* the longest that ends with the word */
            if (memcmp(end - (sizeof(word) - 1), word, sizeof(word) - 1) == 0)
                return (struct slice){ start, (size_t)(end - start) };
    }
    return (struct slice){ NULL, 0 };
}

static struct slice text_of(const struct otlp_value *value, struct buffer *scratch)
{
    if (value->kind == OTLP_VALUE_STRING)
        return value->bytes;
    buffer_clear(scratch);
    elastic_text_of(value, scratch);
    return buffer_slice(scratch);
}

static const char *type_of(const struct elastic_question *question, const struct elastic_hints *hints)
{
    if (question->mode != ELASTIC_BODYMAP || hints->type.kind == OTLP_VALUE_EMPTY)
        return signal_name(question->signal);
    if (slice_equal(hints->type.bytes, SLICE("logs")))
        return "logs";
    return slice_equal(hints->type.bytes, SLICE("metrics")) ? "metrics" : NULL;
}

static bool name_stream(struct elastic_route *route, const struct elastic_question *question, const struct elastic_hints *hints)
{
    struct slice dataset = receiver_of(question->scope_name), name_space = SLICE("default");
    struct buffer scratch = { 0 };

    if (dataset.size == 0)
        dataset = SLICE("generic");
    if (hints->dataset.kind != OTLP_VALUE_EMPTY)
        dataset = text_of(&hints->dataset, &scratch);
    sanitize(dataset, IN_DATASET, question->mode == ELASTIC_OTEL ? ".otel" : "", route->dataset);
    if (hints->name_space.kind != OTLP_VALUE_EMPTY)
        name_space = text_of(&hints->name_space, &scratch);
    sanitize(name_space, IN_NAMESPACE, "", route->name_space);
    buffer_fini(&scratch);
    route->is_stream = true;
    route->type = type_of(question, hints);
    if (route->type != NULL)
        snprintf(route->index, sizeof(route->index), "%s-%s-%s", route->type, route->dataset, route->name_space);
    return route->type != NULL;
}

static void name_index(struct elastic_route *route, const struct otlp_value *value)
{
    struct buffer scratch = { 0 };

    copy_text(text_of(value, &scratch), route->index, sizeof(route->index));
    buffer_fini(&scratch);
}

static void append_date(struct elastic_route *route, const struct elastic_settings *settings)
{
    size_t length = strlen(route->index);
    time_t now = time(NULL);
    struct tm parts;

    localtime_r(&now, &parts);
    snprintf(route->index + length, sizeof(route->index) - length, "%s", settings->logstash.prefix_separator);
    length = strlen(route->index);
    strftime(route->index + length, sizeof(route->index) - length, settings->logstash.date_format, &parts);
    route->is_stream = false;
}

static void write_member(const char *key, const char *value, struct buffer *out)
{
    buffer_append_string(out, key);
    json_write_string(slice_of_string(value), out);
}

static void write_texts(struct elastic_route *route)
{
    buffer_clear(&route->action);
    write_member("{\"create\":{\"_index\":", route->index, &route->action);
    buffer_clear(&route->stream);
    if (!route->is_stream)
        return;
    write_member("\"data_stream\":{\"type\":", route->type, &route->stream);
    write_member(",\"dataset\":", route->dataset, &route->stream);
    write_member(",\"namespace\":", route->name_space, &route->stream);
    ELASTIC_PUT(&route->stream, "},");
}

bool elastic_route_find(struct elastic_route *route, const struct elastic_question *question, const struct elastic_hints *hints)
{
    const struct elastic_settings *settings = question->settings;
    const char *fixed = settings->index[question->signal];

    route->is_stream = false;
    if (fixed != NULL && *fixed != '\0')
        copy_text(slice_of_string(fixed), route->index, sizeof(route->index));
    else if (hints->index.kind != OTLP_VALUE_EMPTY)
        name_index(route, &hints->index);
    else if (!name_stream(route, question, hints))
        return false;
    if (settings->logstash.enabled)
        append_date(route, settings);
    write_texts(route);
    return true;
}
