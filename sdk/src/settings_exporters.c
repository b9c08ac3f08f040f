/* The OTEL_EXPORTER_OTLP_* variables: for each signal its own, else the general one. Start-up only. */
#include <stdio.h>
#include <stdlib.h>

#include "collector/base/buffer.h"
#include "sdk/src/diag.h"
#include "sdk/src/settings.h"

static const char *const signal_words[SETTINGS_SIGNALS] = { "TRACES", "LOGS", "METRICS" };
static const char *const signal_paths[SETTINGS_SIGNALS] = { "v1/traces", "v1/logs", "v1/metrics" };

/* Looks for OTEL_EXPORTER_OTLP_TRACES_X, then OTEL_EXPORTER_OTLP_X; `name` says which one it was. */
static const char *lookup(const struct settings_source *source, int signal, const char *what, char name[64])
{
    snprintf(name, 64, "OTEL_EXPORTER_OTLP_%s_%s", signal_words[signal], what);
    const char *text = settings_lookup(source, name);
    if (text != NULL)
        return text;
    snprintf(name, 64, "OTEL_EXPORTER_OTLP_%s", what);
    return settings_lookup(source, name);
}

static void read_kind(struct exporter_settings *exporter, const struct settings_source *source, int signal)
{
    static const struct settings_choice kinds[] = { { "otlp", EXPORTER_OTLP }, { "console", EXPORTER_CONSOLE },
        { "logging", EXPORTER_CONSOLE }, { "otlp/stdout", EXPORTER_CONSOLE }, { "none", EXPORTER_NONE }, { NULL, 0 } };
    char name[64];
    int kind = EXPORTER_OTLP;

    snprintf(name, sizeof(name), "OTEL_%s_EXPORTER", signal_words[signal]);
    const char *text = settings_lookup(source, name);
    if (text != NULL)
        settings_choose(name, text, kinds, &kind);
    exporter->kind = (enum exporter_kind)kind;
}

static void read_protocol(struct exporter_settings *exporter, const struct settings_source *source, int signal)
{
    static const struct settings_choice protocols[] = { { "http/protobuf", 0 }, { "http/json", 1 }, { NULL, 0 } };
    static const struct settings_choice compressions[] = { { "gzip", 1 }, { "none", 0 }, { NULL, 0 } };
    char name[64];
    int value = 0;
    const char *text = lookup(source, signal, "PROTOCOL", name);

    if (text != NULL && settings_choose(name, text, protocols, &value))
        exporter->json = value != 0;
    value = 0;
    text = lookup(source, signal, "COMPRESSION", name);
    if (text != NULL && settings_choose(name, text, compressions, &value))
        exporter->gzip = value != 0;
#ifndef WEIR_SDK_ZLIB
    if (exporter->gzip)
        diag(WEIR_LEVEL_WARN, "%s=gzip is ignored: this library was built without zlib", name);
    exporter->gzip = false;
#endif
    exporter->timeout_ms = 10000;
    int64_t timeout;
    text = lookup(source, signal, "TIMEOUT", name);
    if (text != NULL && settings_number(name, text, &timeout))
        exporter->timeout_ms = timeout;
}

static bool read_endpoint(struct exporter_settings *exporter, const struct settings_source *source, int signal)
{
    char name[64];
    const char *reason = "";

    snprintf(name, sizeof(name), "OTEL_EXPORTER_OTLP_%s_ENDPOINT", signal_words[signal]);
    const char *text = settings_lookup(source, name);
    if (text != NULL && url_parse(&exporter->url, weir_z(text), NULL, &reason))
        return true;
    if (text != NULL)
        diag(WEIR_LEVEL_WARN, "%s=\"%s\" is ignored: %s", name, text, reason);
    text = settings_lookup(source, "OTEL_EXPORTER_OTLP_ENDPOINT");
    if (text != NULL && url_parse(&exporter->url, weir_z(text), signal_paths[signal], &reason))
        return true;
    if (text != NULL && signal == 0)
        diag(WEIR_LEVEL_WARN, "OTEL_EXPORTER_OTLP_ENDPOINT=\"%s\" is ignored: %s", text, reason);
    return url_parse(&exporter->url, WEIR_S("http://localhost:4318"), signal_paths[signal], &reason);
}

static bool is_token(weir_str text)
{
    for (size_t i = 0; i < text.n; i++) {
        char c = text.p[i];
        bool word = (c >= '0' && c <= '9') || ((c | 32) >= 'a' && (c | 32) <= 'z');
        if (!word && (c == '\0' || strchr("!#$%&'*+-.^_`|~", c) == NULL))
            return false;
    }
    return text.n > 0;
}

/* Headers the client itself writes, and text that would break a request apart, are refused. */
static bool header_is_fit(weir_str name, const char *value, size_t size)
{
    static const char *const own[] = { "host", "content-length", "content-type", "content-encoding", "transfer-encoding", "connection" };

    for (size_t i = 0; i < sizeof(own) / sizeof(own[0]); i++) {
        if (text_equal_ignoring_case(name, weir_z(own[i])))
            return false;
    }
    for (size_t i = 0; i < size; i++) {
        if ((uint8_t)value[i] < ' ' && value[i] != '\t')
            return false;
    }
    return is_token(name);
}

static void add_header(struct buffer *out, weir_str pair, const char *variable)
{
    char value[4096];
    weir_str raw;
    weir_str name = text_trim(text_cut(pair, '=', &raw));

    if (name.n == 0 && raw.p == NULL)
        return;
    size_t size = raw.p != NULL ? text_percent_decode(text_trim(raw), value, sizeof(value)) : sizeof(value) + 1;
    if (size > sizeof(value) || !header_is_fit(name, value, size)) {
        diag(WEIR_LEVEL_WARN, "%s: \"%.*s\" is ignored: it is not name=value with a header name that may be set", variable, (int)name.n,
            name.p != NULL ? name.p : "");
        return;
    }
    buffer_append(out, name.p, name.n);
    buffer_append_string(out, ": ");
    buffer_append(out, value, size);
    buffer_append_string(out, "\r\n");
}

static bool read_headers(struct exporter_settings *exporter, const struct settings_source *source, int signal)
{
    struct buffer out = { 0 };
    char name[64];
    const char *text = lookup(source, signal, "HEADERS", name);
    weir_str rest = weir_z(text);

    while (rest.p != NULL)
        add_header(&out, text_cut(rest, ',', &rest), name);
    exporter->headers = strdup(buffer_string(&out));
    buffer_fini(&out);
    return exporter->headers != NULL;
}

static bool read_files(struct exporter_settings *exporter, const struct settings_source *source, int signal)
{
    static const char *const what[] = { "CERTIFICATE", "CLIENT_KEY", "CLIENT_CERTIFICATE" };
    char **places[] = { &exporter->certificate, &exporter->client_key, &exporter->client_certificate };
    char name[64];

    for (int i = 0; i < 3; i++) {
        const char *text = lookup(source, signal, what[i], name);
        *places[i] = text != NULL ? strdup(text) : NULL;
        if (text != NULL && *places[i] == NULL)
            return false;
    }
    return true;
}

bool settings_read_exporters(struct settings *settings, const struct settings_source *source)
{
    for (int signal = 0; signal < SETTINGS_SIGNALS; signal++) {
        struct exporter_settings *exporter = &settings->exporters[signal];
        read_kind(exporter, source, signal);
        read_protocol(exporter, source, signal);
        if (!read_endpoint(exporter, source, signal) || !read_headers(exporter, source, signal) || !read_files(exporter, source, signal))
            return false;
    }
    return true;
}
