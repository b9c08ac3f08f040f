/*
 * Hostile headers into all propagators: whatever comes in, what goes out again is well-formed, and reading it back gives the same.
 * Input: lines "name: value"; each becomes a header.
 */
#include <assert.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "sdk/src/text.h"
#include "weir/weir.h"

enum { HEADERS = 64 };

struct carrier {
    weir_str names[HEADERS], values[HEADERS];
    size_t count;
    char text[65536]; /* what was set */
    size_t used;
};

static weir_str get(const void *context, weir_str name, size_t nth)
{
    const struct carrier *carrier = context;

    for (size_t i = 0; i < carrier->count; i++) {
        if (text_equal_ignoring_case(carrier->names[i], name) && nth-- == 0)
            return carrier->values[i];
    }
    return weir_sn(NULL, 0);
}

static int set(void *context, weir_str name, weir_str value)
{
    struct carrier *carrier = context;

    assert(carrier->count < HEADERS && value.n < sizeof(carrier->text) - carrier->used);
    for (size_t i = 0; i < value.n; i++)
        assert((uint8_t)value.p[i] >= ' ' && (uint8_t)value.p[i] < 0x7f || value.p[i] == '\t');
    memcpy(carrier->text + carrier->used, value.p, value.n);
    carrier->names[carrier->count] = name;
    carrier->values[carrier->count++] = weir_sn(carrier->text + carrier->used, value.n);
    carrier->used += value.n;
    return 0;
}

static int ignore(weir_signal signal, const void *otlp, size_t size, void *user)
{
    (void)signal, (void)otlp, (void)size, (void)user;
    return 0;
}

static void start(void)
{
    static bool started;
    weir_setting settings[] = { { "OTEL_PROPAGATORS", "b3,tracecontext,baggage,b3multi" }, { "OTEL_TRACES_SAMPLER", "traceidratio" },
        { "OTEL_TRACES_SAMPLER_ARG", "0.5" }, { "OTEL_LOG_LEVEL", "none" } };
    weir_config config = weir_config_default();

    if (started)
        return;
    started = true;
    config.no_environment = config.no_thread = true;
    config.settings = settings;
    config.setting_count = 4;
    config.export_fn = ignore;
    if (weir_init(&config) != 0)
        abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static struct carrier in, out, again;
    weir_str rest = weir_sn((const char *)data, size);
    weir_ctx ctx, back;
    char value[100];

    start();
    in.count = out.count = out.used = again.count = again.used = 0;
    while (rest.p != NULL && in.count < HEADERS) {
        weir_str header;
        weir_str name = text_cut(text_cut(rest, '\n', &rest), ':', &header);
        in.names[in.count] = name;
        in.values[in.count++] = header;
    }
    weir_extract(&ctx, get, &in);
    weir_baggage_get(&ctx, WEIR_S("k"), value, sizeof(value));
    weir_inject(&ctx, set, &out);
    weir_ctx_ref(&ctx);
    weir_extract(&back, get, &out);
    weir_inject(&back, set, &again);
    assert(out.count == again.count);
    for (size_t i = 0; i < out.count; i++)
        assert(text_equal(out.values[i], again.values[i]));
    weir_span span;
    weir_span_opts opts = { .size = sizeof(opts), .parent = &ctx };
    weir_span_begin(&span, NULL, WEIR_S("x"), &opts);
    weir_span_end(&span);
    weir_ctx_unref(&ctx);
    weir_flush(1000);
    return 0;
}
