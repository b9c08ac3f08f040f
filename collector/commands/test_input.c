/* Requests of a test: a part of the tree written as JSON and read as OTLP/JSON, or a file. */
#include <stdio.h>

#include "collector/commands/telemetry_file.h"
#include "collector/commands/test.h"
#include "collector/config/scalar.h"
#include "collector/wire/json.h"

/* ---- YAML to JSON ---- */

static bool is_json_number(const char *text)
{
    size_t at = text[0] == '-';

    return text[at] >= '0' && text[at] <= '9' && strspn(text, "+-0123456789.eE") == strlen(text);
}

static void write_scalar(const struct config_node *node, struct buffer *out)
{
    enum scalar_type type = node->quoted ? SCALAR_STRING : scalar_type_of(node->text);
    bool value = false;

    if (type == SCALAR_NULL)
        buffer_append_string(out, "null");
    else if (type == SCALAR_BOOL && scalar_parse_bool(node->text, &value))
        buffer_append_string(out, value ? "true" : "false");
    else if ((type == SCALAR_INT || type == SCALAR_FLOAT) && is_json_number(node->text))
        buffer_append_string(out, node->text);
    else
        scalar_write_json(out, node->text);
}

static void write_node(const struct config_node *node, struct buffer *out)
{
    if (node->kind == CONFIG_SCALAR) {
        write_scalar(node, out);
        return;
    }
    if (node->kind == CONFIG_NULL) {
        buffer_append_string(out, "null");
        return;
    }
    buffer_append_byte(out, node->kind == CONFIG_MAP ? '{' : '[');
    for (const struct config_node *child = node->children; child != NULL; child = child->next) {
        if (node->kind == CONFIG_MAP) {
            scalar_write_json(out, child->key);
            buffer_append_byte(out, ':');
        }
        write_node(child, out);
        if (child->next != NULL)
            buffer_append_byte(out, ',');
    }
    buffer_append_byte(out, node->kind == CONFIG_MAP ? '}' : ']');
}

/* ---- requests ---- */

static bool signal_of_key(const char *key, enum signal *signal)
{
    static const char *const keys[SIGNAL_COUNT] = { "resourceSpans", "resourceMetrics", "resourceLogs", "resourceProfiles" };
    static const char *const snake_keys[SIGNAL_COUNT] = { "resource_spans", "resource_metrics", "resource_logs", "resource_profiles" };

    for (size_t i = 0; i < SIGNAL_COUNT; i++) {
        if (strcmp(key, keys[i]) != 0 && strcmp(key, snake_keys[i]) != 0)
            continue;
        *signal = (enum signal)i;
        return true;
    }
    return false;
}

/* The first request decides on the signal. */
static bool take_signal(struct test_request *request, enum signal signal, struct error *err)
{
    if (request->wire.size > 0 && request->signal != signal)
        return fail(err, "%s and %s in one test", signal_name(request->signal), signal_name(signal));
    request->signal = signal;
    return true;
}

static bool read_map(const struct config_node *node, struct test_request *request, struct error *err)
{
    enum signal signal = SIGNAL_TRACES;
    struct buffer text = { 0 };
    struct json_error fault;
    bool read;

    if (!signal_of_key(node->children->key, &signal))
        return fail(err, "expected resourceSpans, resourceMetrics, resourceLogs or resourceProfiles, not \"%s\"", node->children->key);
    if (!take_signal(request, signal, err))
        return false;
    write_node(node, &text);
    read = json_read_request(signal, buffer_slice(&text), &request->wire, &fault);
    buffer_fini(&text);
    return read || fail(err, "%s", fault.message);
}

static bool read_file(const struct config_node *node, struct test_request *request, struct error *err)
{
    const char *slash = node->file != NULL ? strrchr(node->file, '/') : NULL;
    int folder = slash != NULL && node->text[0] != '/' ? (int)(slash - node->file) + 1 : 0;
    struct telemetry_file_settings settings = { .signal_given = false };
    struct telemetry_message message;
    struct telemetry_file *file;
    enum telemetry_next next;
    char path[4096];

    snprintf(path, sizeof(path), "%.*s%s", folder, node->file != NULL ? node->file : "", node->text);
    file = telemetry_file_open(path, &settings, err);
    if (file == NULL)
        return false;
    while ((next = telemetry_file_next(file, &message, err)) == TELEMETRY_MESSAGE) {
        if (!take_signal(request, message.signal, err))
            break;
        buffer_append_slice(&request->wire, message.request);
    }
    telemetry_file_close(file);
    return next == TELEMETRY_END || fail_within(err, "%s", path);
}

static bool read_any(const struct config_node *node, struct test_request *request, struct error *err)
{
    switch (node->kind) {
    case CONFIG_NULL:
        return true;
    case CONFIG_SCALAR:
        return read_file(node, request, err);
    case CONFIG_MAP:
        return node->children == NULL || read_map(node, request, err);
    case CONFIG_LIST:
        break;
    }
    for (const struct config_node *child = node->children; child != NULL; child = child->next) {
        if (child->kind == CONFIG_LIST)
            return fail(err, "expected a request: a map, or the path of a file");
        if (!read_any(child, request, err))
            return false;
    }
    return true;
}

bool test_request_read(const struct config_node *node, struct test_request *request, struct error *err)
{
    if (node != NULL && !read_any(node, request, err))
        return false;
    if (request->wire.failed)
        return fail(err, "out of memory");
    request->records = otlp_count(request->signal, buffer_slice(&request->wire));
    return true;
}
