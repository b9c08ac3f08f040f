/*
 * A program built against the header of 0.1.0 runs with the library of today: the shared library is loaded, and called with structs as they
 * were laid out then, shorter ones (an older header still) and longer ones (a newer one). The layout below is frozen: when a check
 * here fails, the header has broken a promise; append to a struct instead.
 */
#include "tests/unit/sdk/capture.h"

#include <dlfcn.h>
#include <errno.h>

#define SIZE(type_, size_) _Static_assert(sizeof(type_) == (size_), "the size of " #type_ " is part of the ABI")
#define AT_LEAST(type_, size_) _Static_assert(sizeof(type_) >= (size_), #type_ " never shrinks")
#define PLACE(type_, member_, at_) _Static_assert(offsetof(type_, member_) == (at_), #type_ "." #member_ " never moves")

#if defined(__x86_64__) || defined(__aarch64__)
SIZE(weir_str, 16);
SIZE(weir_attr, 40);
SIZE(weir_attrs, 16);
SIZE(weir_ctx, 40);
SIZE(weir_span, 112);
SIZE(weir_link, 56);
SIZE(weir_setting, 16);
SIZE(weir_env, 40);
AT_LEAST(weir_scope, 80);
AT_LEAST(weir_instr, 88);
AT_LEAST(weir_span_opts, 64);
AT_LEAST(weir_log_opts, 120);
AT_LEAST(weir_view, 136);
AT_LEAST(weir_sample_args, 72);
AT_LEAST(weir_sample_result, 48);
AT_LEAST(weir_config, 144);
AT_LEAST(weir_stats_values, 160);
PLACE(weir_span, record_, 80);
PLACE(weir_span, state_, 88);
PLACE(weir_scope, bound_, 72);
PLACE(weir_instr, bound_, 80);
PLACE(weir_span_opts, parent, 8);
PLACE(weir_span_opts, start_ns, 24);
PLACE(weir_span_opts, link_count, 56);
PLACE(weir_log_opts, body, 24);
PLACE(weir_log_opts, ctx, 112);
PLACE(weir_view, keep, 96);
PLACE(weir_view, cardinality, 128);
PLACE(weir_config, no_thread, 56);
PLACE(weir_config, memory_limit, 60);
PLACE(weir_config, export_fn, 80);
PLACE(weir_config, view_count, 136);
PLACE(weir_stats_values, spans_exported, 40);
PLACE(weir_stats_values, memory_used, 152);
#endif

/* ---- the header of 0.1.0, as far as it is used here; the values, contexts and spans above have fixed sizes ---- */

struct frozen_scope {
    uint32_t size, pad;
    weir_str name, version, schema_url;
    weir_attrs attrs;
    void *bound;
};

struct frozen_span_opts {
    uint32_t size, kind;
    const weir_ctx *parent;
    bool root, no_activate;
    uint64_t start_ns;
    weir_attrs attrs;
    const weir_link *links;
    size_t link_count;
};

struct frozen_log_opts {
    uint32_t size;
    int32_t severity;
    weir_str severity_text;
    weir_attr body;
    weir_attrs attrs;
    weir_str event_name;
    uint64_t time_ns, observed_ns;
    const weir_ctx *ctx;
};

struct frozen_instr {
    uint32_t size, kind;
    struct frozen_scope *scope;
    weir_str name, unit, description;
    bool floating, exponential;
    uint32_t bound_count;
    const double *bounds;
    void *bound;
};

struct frozen_view {
    uint32_t size, any_kind;
    weir_str match_name, match_unit, match_scope, name, description;
    bool filter;
    const weir_str *keep;
    size_t keep_count;
    uint32_t aggregation, bound_count;
    const double *bounds;
    uint32_t cardinality;
};

struct frozen_config {
    uint32_t size, abi;
    const char *service_name, *endpoint;
    const weir_setting *settings;
    size_t setting_count;
    weir_attrs resource;
    bool no_thread, no_environment;
    uint32_t memory_limit;
    void (*diag)(int level, const char *message, void *user);
    void *diag_user;
    int (*export_fn)(weir_signal signal, const void *otlp, size_t size, void *user);
    void *export_user;
    void *sampler, *sampler_user, *ids, *ids_user;
    const struct frozen_view *views;
    size_t view_count;
};

struct frozen_stats {
    uint32_t size, pad;
    uint64_t started, unsampled, live, dropped, exported;
};

static struct {
    int (*init)(const struct frozen_config *config);
    int (*flush)(int timeout_ms);
    int (*shutdown)(int timeout_ms);
    void (*span_start)(weir_span *span, struct frozen_scope *scope, weir_str name, const struct frozen_span_opts *opts);
    void (*span_end)(weir_span *span, uint64_t end_ns);
    void (*log_emit)(struct frozen_scope *scope, const struct frozen_log_opts *opts);
    void (*add_attrs)(struct frozen_instr *instr, int64_t value, weir_attrs attrs);
    void (*stats)(struct frozen_stats *stats);
} library;

/* A size as an older or a newer header would state it, and what stands behind the part that counts is garbage. */
static void shorten(void *into, const void *from, size_t whole, size_t known)
{
    memset(into, 0xa5, whole);
    memcpy(into, from, known);
    memcpy(into, &(uint32_t){ (uint32_t)known }, sizeof(uint32_t));
}

#define LONGER 64

static struct frozen_config plain_config(void)
{
    struct frozen_config config = { .size = sizeof(config), .abi = 1, .no_environment = true, .export_fn = capture_export };

    capture_clear();
    return config;
}

static struct frozen_scope scope = { .size = sizeof(scope), .name = { "frozen", 6 }, .version = { "0.1.0", 5 } };

static void record_span(const struct frozen_span_opts *opts)
{
    weir_span span;

    library.span_start(&span, &scope, weir_z("span"), opts);
    library.span_end(&span, 0);
    assert_int_equal(library.flush(5000), 0);
}

static void a_program_of_0_1_0(void **state)
{
    (void)state;
    const weir_str keep[] = { { "kept", 4 } };
    const struct frozen_view views[] = { { .size = sizeof(views[0]), .match_name = { "first", 5 }, .name = { "renamed", 7 } },
        { .size = sizeof(views[0]), .match_name = { "second", 6 }, .filter = true, .keep = keep, .keep_count = 1 } };
    const weir_setting settings[] = { { "OTEL_SERVICE_NAME", "frozen service" } };
    struct frozen_config config = plain_config();
    config.settings = settings;
    config.setting_count = 1;
    config.views = views;
    config.view_count = 2;
    assert_int_equal(library.init(&config), 0);

    weir_ctx parent = weir_ctx_make((const uint8_t *)"0123456789abcdef", (const uint8_t *)"01234567", WEIR_FLAG_SAMPLED, true);
    weir_attr attr = weir_kv_int(WEIR_S("kept"), 7);
    weir_link link = { .ctx = parent, .attrs = { &attr, 1 } };
    struct frozen_span_opts opts = { .size = sizeof(opts),
        .kind = WEIR_SERVER,
        .parent = &parent,
        .start_ns = 1000,
        .attrs = { &attr, 1 },
        .links = &link,
        .link_count = 1 };
    record_span(&opts);
    Span *span = capture_span(0);
    assert_memory_equal(span->parent_span_id.data, "01234567", 8);
    assert_int_equal(span->start_time_unix_nano, 1000);
    assert_int(span_value(span, "kept"), 7);
    assert_int_equal(span->n_links, 1);

    struct frozen_log_opts log = {
        .size = sizeof(log), .severity = WEIR_WARN, .body = weir_kv_z(WEIR_S(""), "text"), .time_ns = 5, .ctx = &parent
    };
    library.log_emit(&scope, &log);
    struct frozen_instr first = { .size = sizeof(first), .kind = WEIR_COUNTER, .scope = &scope, .name = { "first", 5 } };
    struct frozen_instr second = { .size = sizeof(second), .kind = WEIR_COUNTER, .scope = &scope, .name = { "second", 6 } };
    weir_attr both[] = { attr, weir_kv_int(WEIR_S("lost"), 1) };
    library.add_attrs(&first, 2, weir_attrs_of(both, 2));
    library.add_attrs(&second, 3, weir_attrs_of(both, 2));
    assert_int_equal(library.flush(5000), 0);
    assert_text(capture_log(0)->body, "text");
    assert_int_equal(capture_log(0)->time_unix_nano, 5);
    Metric **metrics = capture.metrics[capture.metric_count - 1]->resource_metrics[0]->scope_metrics[0]->metrics;
    assert_string_equal(metrics[0]->name, "renamed");
    assert_string_equal(metrics[1]->name, "second");
    assert_int_equal(metrics[1]->sum->data_points[0]->n_attributes, 1);
    assert_int_equal(library.shutdown(5000), 0);
}

/* Cut at every member: what is not there has its default, garbage behind it is not looked at. */
static void shorter_structs(void **state)
{
    (void)state;
    weir_ctx parent = weir_ctx_make((const uint8_t *)"0123456789abcdef", (const uint8_t *)"01234567", WEIR_FLAG_SAMPLED, true);
    struct frozen_config config = plain_config();
    assert_int_equal(library.init(&config), 0);
    static const size_t cuts[] = { 4, 8, 16, 17, 24, 32, 48, 56 };
    for (size_t i = 0; i < sizeof(cuts) / sizeof(cuts[0]); i++) {
        struct frozen_span_opts whole = { .kind = WEIR_CLIENT, .parent = &parent, .start_ns = 1000 }, opts;
        shorten(&opts, &whole, sizeof(opts), cuts[i]);
        capture_clear();
        record_span(&opts);
        Span *span = capture_span(0);
        assert_int_equal(span->kind - 1, cuts[i] >= 8 ? WEIR_CLIENT : WEIR_INTERNAL);
        assert_int_equal(span->parent_span_id.len, cuts[i] >= 16 ? 8 : 0);
        assert_int_equal(span->start_time_unix_nano == 1000, cuts[i] >= 32);
        assert_int_equal(span->n_attributes + span->n_links, 0);
    }
    static const size_t log_cuts[] = { 8, 24, 64, 80, 96, 104, 112 };
    for (size_t i = 0; i < sizeof(log_cuts) / sizeof(log_cuts[0]); i++) {
        struct frozen_log_opts whole = { .severity = WEIR_INFO, .body = weir_kv_z(WEIR_S(""), "body") }, opts;
        shorten(&opts, &whole, sizeof(opts), log_cuts[i]);
        capture_clear();
        library.log_emit(&scope, &opts);
        assert_int_equal(library.flush(5000), 0);
        assert_int_equal(capture_log(0)->severity_number, WEIR_INFO);
        AnyValue *body = capture_log(0)->body;
        assert_int_equal(
            body != NULL && body->value_case == OPENTELEMETRY__PROTO__COMMON__V1__ANY_VALUE__VALUE_STRING_VALUE, log_cuts[i] >= 64);
    }
    assert_int_equal(library.shutdown(5000), 0);
}

static void shorter_configurations(void **state)
{
    (void)state;
    struct frozen_config whole = plain_config(), config;
    whole.service_name = "x";
    static const weir_setting quiet[] = { { "OTEL_TRACES_EXPORTER", "none" }, { "OTEL_LOGS_EXPORTER", "none" },
        { "OTEL_METRICS_EXPORTER", "none" } };
    whole.settings = quiet;
    whole.setting_count = 3;
    static const size_t cuts[] = { 56, 64, 80, 96, 112, 128 };
    for (size_t i = 0; i < sizeof(cuts) / sizeof(cuts[0]); i++) {
        shorten(&config, &whole, sizeof(config), cuts[i]);
        assert_int_equal(library.init(&config), 0);
        assert_int_equal(library.shutdown(1000), 0);
    }
    shorten(&config, &whole, sizeof(config), 48); /* shorter than any header ever had */
    assert_int_equal(library.init(&config), -EINVAL);
    config = whole;
    config.abi = 2;
    assert_int_equal(library.init(&config), -EINVAL);
}

/* A newer header's structs are longer: the library takes what it knows. */
static void longer_structs(void **state)
{
    (void)state;
    struct {
        struct frozen_config config;
        uint8_t tail[LONGER];
    } config;
    struct {
        struct frozen_view view;
        uint8_t tail[LONGER];
    } views[2];
    struct {
        struct frozen_span_opts opts;
        uint8_t tail[LONGER];
    } opts;
    memset(&config, 0xa5, sizeof(config));
    memset(views, 0xa5, sizeof(views));
    memset(&opts, 0xa5, sizeof(opts));
    views[0].view = (struct frozen_view){ .size = sizeof(views[0]), .match_name = { "no such", 7 } };
    views[1].view = (struct frozen_view){ .size = sizeof(views[1]), .match_name = { "longer", 6 }, .name = { "found", 5 } };
    config.config = plain_config();
    config.config.size = sizeof(config);
    config.config.views = &views[0].view;
    config.config.view_count = 2;
    assert_int_equal(library.init(&config.config), 0);
    opts.opts = (struct frozen_span_opts){ .size = sizeof(opts), .kind = WEIR_CONSUMER };
    record_span(&opts.opts);
    assert_int_equal(capture_span(0)->kind - 1, WEIR_CONSUMER);
    struct frozen_instr instr = { .size = sizeof(instr), .kind = WEIR_COUNTER, .scope = &scope, .name = { "longer", 6 } };
    library.add_attrs(&instr, 1, WEIR_NO_ATTRS);
    assert_int_equal(library.flush(5000), 0);
    bool found = false;
    for (size_t i = 0; i < capture.metrics[capture.metric_count - 1]->resource_metrics[0]->scope_metrics[0]->n_metrics; i++)
        found |= strcmp(capture.metrics[capture.metric_count - 1]->resource_metrics[0]->scope_metrics[0]->metrics[i]->name, "found") == 0;
    assert_true(found);
    assert_int_equal(library.shutdown(5000), 0);
}

/* Nothing is written behind the size that the caller states. */
static void shorter_answers(void **state)
{
    (void)state;
    struct frozen_stats stats;
    for (uint32_t size = 8; size <= sizeof(stats); size += 8) {
        memset(&stats, 0xa5, sizeof(stats));
        stats.size = size;
        library.stats(&stats);
        assert_int_equal(stats.size, size);
        for (size_t i = size; i < sizeof(stats); i++)
            assert_int_equal(((const uint8_t *)&stats)[i], 0xa5);
        if (size == sizeof(stats))
            assert_true(stats.exported > 0 && stats.exported <= stats.started);
    }
}

static void look_up(void *handle, const char *name, void *function)
{
    void *address = dlsym(handle, name);
    assert_non_null(address);
    memcpy(function, &address, sizeof(address));
}

static int load(void **state)
{
    (void)state;
    void *handle = dlopen(WEIR_SHARED_LIBRARY, RTLD_NOW | RTLD_LOCAL);
    if (handle == NULL)
        fail_msg("%s", dlerror());
    look_up(handle, "weir_init", &library.init);
    look_up(handle, "weir_flush", &library.flush);
    look_up(handle, "weir_shutdown", &library.shutdown);
    look_up(handle, "weir_span_start_", &library.span_start);
    look_up(handle, "weir_span_end_", &library.span_end);
    look_up(handle, "weir_log_emit", &library.log_emit);
    look_up(handle, "weir_add_attrs", &library.add_attrs);
    look_up(handle, "weir_stats", &library.stats);
    return 0;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_program_of_0_1_0),
        cmocka_unit_test(shorter_structs),
        cmocka_unit_test(shorter_configurations),
        cmocka_unit_test(longer_structs),
        cmocka_unit_test(shorter_answers),
    };
    return cmocka_run_group_tests(tests, load, NULL);
}
