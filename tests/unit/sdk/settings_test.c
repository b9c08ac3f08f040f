/* Every environment variable: default, value, bad value; and that code beats the environment. */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "collector/base/buffer.h"
#include "sdk/src/diag.h"
#include "sdk/src/resource.h"
#include "sdk/src/settings.h"

static int warnings;
static char last[600];

static void note(weir_level level, const char *message, void *user)
{
    (void)level;
    (void)user;
    warnings++;
    snprintf(last, sizeof(last), "%s", message);
}

/* With one variable set in the environment (NULL: none). */
static struct settings *with(const char *name, const char *value)
{
    weir_config config = weir_config_default();
    config.diag = note;
    warnings = 0;
    clearenv();
    if (name != NULL)
        setenv(name, value, 1);
    struct settings *settings = settings_create(&config);
    assert_non_null(settings);
    return settings;
}

static void defaults(void **state)
{
    (void)state;
    struct settings *s = with(NULL, NULL);
    assert_int_equal(warnings, 0);
    assert_false(s->disabled);
    assert_int_equal(s->level, WEIR_LEVEL_INFO);
    assert_int_equal(s->sampler.kind, SAMPLER_ALWAYS_ON);
    assert_true(s->sampler.parent_based);
    assert_int_equal(s->propagator_count, 2);
    assert_int_equal(s->batch[RECORD_SPANS].delay_ms, 5000);
    assert_int_equal(s->batch[RECORD_SPANS].timeout_ms, 30000);
    assert_int_equal(s->batch[RECORD_SPANS].queue_size, 2048);
    assert_int_equal(s->batch[RECORD_SPANS].batch_size, 512);
    assert_int_equal(s->batch[RECORD_LOGS].delay_ms, 1000);
    assert_int_equal(s->limits.span.count, 128);
    assert_int_equal(s->limits.span.value_length, TEXT_UNLIMITED);
    assert_int_equal(s->limits.events, 128);
    assert_int_equal(s->metrics.interval_ms, 60000);
    assert_int_equal(s->metrics.timeout_ms, 30000);
    assert_int_equal(s->metrics.exemplars, EXEMPLARS_TRACE_BASED);
    assert_int_equal(s->metrics.temporality, TEMPORALITY_CUMULATIVE);
    static const char *const urls[] = { "http://localhost:4318/v1/traces", "http://localhost:4318/v1/logs",
        "http://localhost:4318/v1/metrics" };
    for (int i = 0; i < SETTINGS_SIGNALS; i++) {
        assert_int_equal(s->exporters[i].kind, EXPORTER_OTLP);
        assert_string_equal(s->exporters[i].url.label, urls[i]);
        assert_int_equal(s->exporters[i].timeout_ms, 10000);
        assert_false(s->exporters[i].gzip);
        assert_string_equal(s->exporters[i].headers, "");
    }
    settings_destroy(s);
}

struct number_case {
    const char *name;
    size_t offset;
    bool wide;
};

#define N32(name_, member_)                                                                                                                \
    {                                                                                                                                      \
        name_, offsetof(struct settings, member_), false                                                                                   \
    }
#define N64(name_, member_)                                                                                                                \
    {                                                                                                                                      \
        name_, offsetof(struct settings, member_), true                                                                                    \
    }

static const struct number_case numbers[] = {
    N64("OTEL_BSP_SCHEDULE_DELAY", batch[0].delay_ms),
    N64("OTEL_BSP_EXPORT_TIMEOUT", batch[0].timeout_ms),
    N32("OTEL_BSP_MAX_QUEUE_SIZE", batch[0].queue_size),
    N32("OTEL_BSP_MAX_EXPORT_BATCH_SIZE", batch[0].batch_size),
    N64("OTEL_BLRP_SCHEDULE_DELAY", batch[1].delay_ms),
    N64("OTEL_BLRP_EXPORT_TIMEOUT", batch[1].timeout_ms),
    N32("OTEL_BLRP_MAX_QUEUE_SIZE", batch[1].queue_size),
    N32("OTEL_BLRP_MAX_EXPORT_BATCH_SIZE", batch[1].batch_size),
    N32("OTEL_ATTRIBUTE_COUNT_LIMIT", limits.span.count),
    N32("OTEL_ATTRIBUTE_COUNT_LIMIT", limits.event.count),
    N32("OTEL_ATTRIBUTE_COUNT_LIMIT", limits.link.count),
    N32("OTEL_ATTRIBUTE_COUNT_LIMIT", limits.log.count),
    N32("OTEL_ATTRIBUTE_VALUE_LENGTH_LIMIT", limits.span.value_length),
    N32("OTEL_ATTRIBUTE_VALUE_LENGTH_LIMIT", limits.log.value_length),
    N32("OTEL_SPAN_ATTRIBUTE_COUNT_LIMIT", limits.span.count),
    N32("OTEL_SPAN_ATTRIBUTE_VALUE_LENGTH_LIMIT", limits.span.value_length),
    N32("OTEL_SPAN_EVENT_COUNT_LIMIT", limits.events),
    N32("OTEL_SPAN_LINK_COUNT_LIMIT", limits.links),
    N32("OTEL_EVENT_ATTRIBUTE_COUNT_LIMIT", limits.event.count),
    N32("OTEL_LINK_ATTRIBUTE_COUNT_LIMIT", limits.link.count),
    N32("OTEL_LOGRECORD_ATTRIBUTE_COUNT_LIMIT", limits.log.count),
    N32("OTEL_LOGRECORD_ATTRIBUTE_VALUE_LENGTH_LIMIT", limits.log.value_length),
    N64("OTEL_METRIC_EXPORT_INTERVAL", metrics.interval_ms),
    N64("OTEL_METRIC_EXPORT_TIMEOUT", metrics.timeout_ms),
    N64("OTEL_EXPORTER_OTLP_TIMEOUT", exporters[0].timeout_ms),
    N64("OTEL_EXPORTER_OTLP_TIMEOUT", exporters[2].timeout_ms),
    N64("OTEL_EXPORTER_OTLP_TRACES_TIMEOUT", exporters[0].timeout_ms),
    N64("OTEL_EXPORTER_OTLP_LOGS_TIMEOUT", exporters[1].timeout_ms),
    N64("OTEL_EXPORTER_OTLP_METRICS_TIMEOUT", exporters[2].timeout_ms),
};

static int64_t value_of(const struct settings *settings, const struct number_case *row)
{
    int64_t wide;
    uint32_t narrow;
    memcpy(&wide, (const char *)settings + row->offset, sizeof(wide));
    memcpy(&narrow, (const char *)settings + row->offset, sizeof(narrow));
    return row->wide ? wide : narrow;
}

static void every_number(void **state)
{
    (void)state;
    static const char *const bad[] = { "x", "-1", "1.5", "12ms", "99999999999999999999" };
    struct settings *plain = with(NULL, NULL);
    for (size_t i = 0; i < sizeof(numbers) / sizeof(numbers[0]); i++) {
        struct settings *s = with(numbers[i].name, "77");
        assert_int_equal(value_of(s, &numbers[i]), 77);
        assert_int_equal(warnings, 0);
        settings_destroy(s);
        s = with(numbers[i].name, "");
        assert_int_equal(value_of(s, &numbers[i]), value_of(plain, &numbers[i]));
        assert_int_equal(warnings, 0);
        settings_destroy(s);
        for (size_t j = 0; j < sizeof(bad) / sizeof(bad[0]); j++) {
            s = with(numbers[i].name, bad[j]);
            assert_int_equal(value_of(s, &numbers[i]), value_of(plain, &numbers[i]));
            assert_true(warnings > 0);
            assert_non_null(strstr(last, numbers[i].name));
            settings_destroy(s);
        }
    }
    settings_destroy(plain);
}

static void batch_is_not_above_queue(void **state)
{
    (void)state;
    struct settings *s = with("OTEL_BSP_MAX_QUEUE_SIZE", "100");
    assert_int_equal(s->batch[RECORD_SPANS].batch_size, 100);
    settings_destroy(s);
    s = with("OTEL_BSP_MAX_QUEUE_SIZE", "0");
    assert_int_equal(s->batch[RECORD_SPANS].queue_size, 2048);
    assert_int_equal(warnings, 1);
    settings_destroy(s);
}

static void switches(void **state)
{
    (void)state;
    static const struct {
        const char *value;
        bool disabled;
        int warnings;
    } cases[] = { { "true", true, 0 }, { "TRUE", true, 0 }, { "false", false, 0 }, { "1", false, 1 }, { "yes", false, 1 },
        { "", false, 0 } };
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        struct settings *s = with("OTEL_SDK_DISABLED", cases[i].value);
        assert_int_equal(s->disabled, cases[i].disabled);
        assert_int_equal(warnings, cases[i].warnings);
        settings_destroy(s);
    }
}

static void samplers(void **state)
{
    (void)state;
    static const struct {
        const char *name;
        int kind;
        bool parent_based;
    } cases[] = { { "always_on", SAMPLER_ALWAYS_ON, false }, { "ALWAYS_OFF", SAMPLER_ALWAYS_OFF, false },
        { "traceidratio", SAMPLER_RATIO, false }, { "parentbased_always_on", SAMPLER_ALWAYS_ON, true },
        { "parentbased_always_off", SAMPLER_ALWAYS_OFF, true }, { "ParentBased_TraceIdRatio", SAMPLER_RATIO, true },
        { "nonsense", SAMPLER_ALWAYS_ON, true } };
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        struct settings *s = with("OTEL_TRACES_SAMPLER", cases[i].name);
        assert_int_equal(s->sampler.kind, cases[i].kind);
        assert_int_equal(s->sampler.parent_based, cases[i].parent_based);
        assert_int_equal(s->sampler.threshold, 0);
        settings_destroy(s);
    }
    static const struct {
        const char *arg, *th;
        uint64_t threshold;
    } ratios[] = { { "0.5", "8", 1ULL << 55 }, { "0.25", "c", 3ULL << 54 }, { "1", "0", 0 }, { "0", "", 1ULL << 56 }, { "2", "0", 0 },
        { "x", "0", 0 }, { "-0.1", "0", 0 }, { "0.1", NULL, 0 } };
    for (size_t i = 0; i < sizeof(ratios) / sizeof(ratios[0]); i++) {
        weir_setting settings[] = { { "OTEL_TRACES_SAMPLER", "traceidratio" }, { "OTEL_TRACES_SAMPLER_ARG", ratios[i].arg } };
        weir_config config = weir_config_default();
        config.diag = note;
        config.settings = settings;
        config.setting_count = 2;
        struct settings *s = settings_create(&config);
        if (ratios[i].th != NULL) {
            assert_string_equal(s->sampler.th, ratios[i].th);
            assert_true(s->sampler.threshold == ratios[i].threshold);
        } else
            assert_memory_equal(s->sampler.th, "e6666666", 8);
        settings_destroy(s);
    }
}

static void exporters(void **state)
{
    (void)state;
    static const char *const names[] = { "OTEL_TRACES_EXPORTER", "OTEL_LOGS_EXPORTER", "OTEL_METRICS_EXPORTER" };
    static const struct {
        const char *value;
        int kind;
    } cases[] = { { "otlp", EXPORTER_OTLP }, { "console", EXPORTER_CONSOLE }, { "otlp/stdout", EXPORTER_CONSOLE },
        { "none", EXPORTER_NONE }, { "kitchen", EXPORTER_OTLP } };
    for (int i = 0; i < SETTINGS_SIGNALS; i++) {
        for (size_t j = 0; j < sizeof(cases) / sizeof(cases[0]); j++) {
            struct settings *s = with(names[i], cases[j].value);
            assert_int_equal(s->exporters[i].kind, cases[j].kind);
            assert_int_equal(s->exporters[(i + 1) % 3].kind, EXPORTER_OTLP);
            settings_destroy(s);
        }
    }
}

static void endpoints(void **state)
{
    (void)state;
    static const struct {
        const char *name, *value, *traces, *logs;
    } cases[] = {
        { "OTEL_EXPORTER_OTLP_ENDPOINT", "http://a:1", "http://a:1/v1/traces", "http://a:1/v1/logs" },
        { "OTEL_EXPORTER_OTLP_ENDPOINT", "http://a:1/base/", "http://a:1/base/v1/traces", "http://a:1/base/v1/logs" },
        { "OTEL_EXPORTER_OTLP_ENDPOINT", "https://a", "https://a:443/v1/traces", "https://a:443/v1/logs" },
        { "OTEL_EXPORTER_OTLP_ENDPOINT", "http://[::1]:4318", "http://[::1]:4318/v1/traces", "http://[::1]:4318/v1/logs" },
        { "OTEL_EXPORTER_OTLP_ENDPOINT", "unix:/run/x.sock", "unix:/run/x.sock", "unix:/run/x.sock" },
        { "OTEL_EXPORTER_OTLP_ENDPOINT", "file:///tmp/x", "file:/tmp/x", "file:/tmp/x" },
        { "OTEL_EXPORTER_OTLP_ENDPOINT", "http://user:secret@a:1", "http://a:1/v1/traces", "http://a:1/v1/logs" },
        { "OTEL_EXPORTER_OTLP_TRACES_ENDPOINT", "http://t:2", "http://t:2/", "http://localhost:4318/v1/logs" },
        { "OTEL_EXPORTER_OTLP_LOGS_ENDPOINT", "http://l:2/x?y=z", "http://localhost:4318/v1/traces", "http://l:2/x?y=z" },
    };
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        struct settings *s = with(cases[i].name, cases[i].value);
        assert_string_equal(s->exporters[WEIR_SIGNAL_TRACES].url.label, cases[i].traces);
        assert_string_equal(s->exporters[WEIR_SIGNAL_LOGS].url.label, cases[i].logs);
        assert_int_equal(warnings, 0);
        settings_destroy(s);
    }
    static const char *const bad[] = { "localhost:4318", "http://", "http://a:99999", "http://a:x", "ftp://a", "http://a b",
        "http://a\r\nX: y", "unix:", "http://[::1", "file://relative" };
    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
        struct settings *s = with("OTEL_EXPORTER_OTLP_ENDPOINT", bad[i]);
        assert_string_equal(s->exporters[0].url.label, "http://localhost:4318/v1/traces");
        assert_int_equal(warnings, 1);
        settings_destroy(s);
    }
}

static void protocol_and_compression(void **state)
{
    (void)state;
    struct settings *s = with("OTEL_EXPORTER_OTLP_PROTOCOL", "http/json");
    assert_true(s->exporters[0].json && s->exporters[2].json);
    settings_destroy(s);
    s = with("OTEL_EXPORTER_OTLP_LOGS_PROTOCOL", "http/json");
    assert_true(!s->exporters[0].json && s->exporters[1].json);
    settings_destroy(s);
    s = with("OTEL_EXPORTER_OTLP_PROTOCOL", "grpc");
    assert_false(s->exporters[0].json);
    assert_true(warnings > 0);
    settings_destroy(s);
    s = with("OTEL_EXPORTER_OTLP_METRICS_COMPRESSION", "gzip");
    assert_false(s->exporters[0].gzip);
    assert_true(s->exporters[2].gzip);
    settings_destroy(s);
    s = with("OTEL_EXPORTER_OTLP_COMPRESSION", "none");
    assert_false(s->exporters[0].gzip);
    assert_int_equal(warnings, 0);
    settings_destroy(s);
    static const char *const files[] = { "OTEL_EXPORTER_OTLP_CERTIFICATE", "OTEL_EXPORTER_OTLP_CLIENT_KEY",
        "OTEL_EXPORTER_OTLP_CLIENT_CERTIFICATE" };
    for (int i = 0; i < 3; i++) {
        s = with(files[i], "/x.pem");
        const char *got[] = { s->exporters[1].certificate, s->exporters[1].client_key, s->exporters[1].client_certificate };
        for (int j = 0; j < 3; j++)
            assert_int_equal(got[j] != NULL, i == j);
        settings_destroy(s);
    }
}

static void headers(void **state)
{
    (void)state;
    struct settings *s = with("OTEL_EXPORTER_OTLP_HEADERS", "api-key=a%3Db, x = y ,,");
    assert_string_equal(s->exporters[0].headers, "api-key: a=b\r\nx: y\r\n");
    assert_int_equal(warnings, 0);
    settings_destroy(s);
    s = with("OTEL_EXPORTER_OTLP_HEADERS", "a=1%0d%0aEvil: x,no value,Host=x,b=2");
    assert_string_equal(s->exporters[0].headers, "b: 2\r\n");
    assert_int_equal(warnings, 9);
    settings_destroy(s);
    s = with("OTEL_EXPORTER_OTLP_TRACES_HEADERS", "t=1");
    assert_string_equal(s->exporters[0].headers, "t: 1\r\n");
    assert_string_equal(s->exporters[1].headers, "");
    settings_destroy(s);
}

static void metric_choices(void **state)
{
    (void)state;
    struct settings *s = with("OTEL_METRICS_EXEMPLAR_FILTER", "always_off");
    assert_int_equal(s->metrics.exemplars, EXEMPLARS_ALWAYS_OFF);
    settings_destroy(s);
    s = with("OTEL_EXPORTER_OTLP_METRICS_TEMPORALITY_PREFERENCE", "LowMemory");
    assert_int_equal(s->metrics.temporality, TEMPORALITY_LOW_MEMORY);
    settings_destroy(s);
    s = with("OTEL_EXPORTER_OTLP_METRICS_DEFAULT_HISTOGRAM_AGGREGATION", "base2_exponential_bucket_histogram");
    assert_true(s->metrics.exponential);
    settings_destroy(s);
    s = with("OTEL_LOG_LEVEL", "DEBUG");
    assert_int_equal(s->level, WEIR_LEVEL_DEBUG);
    settings_destroy(s);
}

static void code_beats_the_environment(void **state)
{
    (void)state;
    weir_setting settings[] = { { "OTEL_BSP_MAX_QUEUE_SIZE", "10" }, { "OTEL_BSP_SCHEDULE_DELAY", "" }, { NULL, "x" } };
    weir_config config = weir_config_default();
    config.diag = note;
    config.service_name = "from code";
    config.endpoint = "http://code:1";
    config.settings = settings;
    config.setting_count = 3;
    clearenv();
    setenv("OTEL_SERVICE_NAME", "from environment", 1);
    setenv("OTEL_EXPORTER_OTLP_ENDPOINT", "http://environment:1", 1);
    setenv("OTEL_BSP_MAX_QUEUE_SIZE", "20", 1);
    setenv("OTEL_BSP_SCHEDULE_DELAY", "20", 1);
    setenv("OTEL_BLRP_MAX_QUEUE_SIZE", "30", 1);
    struct settings *s = settings_create(&config);
    assert_string_equal(s->service_name, "from code");
    assert_string_equal(s->exporters[0].url.host, "code");
    assert_int_equal(s->batch[RECORD_SPANS].queue_size, 10);
    assert_int_equal(s->batch[RECORD_SPANS].delay_ms, 5000); /* set to nothing: the default */
    assert_int_equal(s->batch[RECORD_LOGS].queue_size, 30);
    settings_destroy(s);
    config.no_environment = true;
    s = settings_create(&config);
    assert_int_equal(s->batch[RECORD_LOGS].queue_size, 2048);
    settings_destroy(s);
    clearenv();
}

/* ---- resource ---- */

static bool resource_has(const struct buffer *resource, const char *key, const char *value)
{
    char pattern[200];
    size_t k = strlen(key), v = strlen(value);
    /* key, then a string value, as they lie in the bytes */
    int size = snprintf(pattern, sizeof(pattern), "%s\x12%c\x0a%c%s", key, (char)(v + 2), (char)v, value);
    assert_true(size > 0 && k > 0);
    return memmem(resource->data, resource->size, pattern, (size_t)size) != NULL;
}

static void resources(void **state)
{
    (void)state;
    struct buffer out = { 0 };
    struct settings *s = with("OTEL_RESOURCE_ATTRIBUTES", "service.name=x,team=a%20b%2Cc, env = prod ,os.type=plan9");
    resource_write(s, &out);
    assert_true(resource_has(&out, "service.name", "x"));
    assert_true(resource_has(&out, "team", "a b,c"));
    assert_true(resource_has(&out, "env", "prod"));
    assert_true(resource_has(&out, "os.type", "plan9")); /* the environment beats detection */
    assert_false(resource_has(&out, "os.type", "linux"));
    assert_true(resource_has(&out, "telemetry.sdk.name", "weir"));
    setenv("OTEL_SERVICE_NAME", "named", 1);
    settings_destroy(s);
    weir_config config = weir_config_default();
    weir_attr attrs[] = { WEIR_KV("team", "code"), WEIR_KV("n", 5) };
    config.resource = weir_attrs_of(attrs, 2);
    s = settings_create(&config);
    buffer_clear(&out);
    resource_write(s, &out);
    assert_true(resource_has(&out, "service.name", "named"));
    assert_false(resource_has(&out, "service.name", "x"));
    assert_true(resource_has(&out, "team", "code"));
    settings_destroy(s);
    s = with("OTEL_RESOURCE_ATTRIBUTES", "a=1,b=%zz");
    buffer_clear(&out);
    resource_write(s, &out);
    assert_int_equal(warnings, 1); /* malformed: discarded whole */
    assert_false(resource_has(&out, "a", "1"));
    assert_true(memmem(out.data, out.size, "unknown_service:", 16) != NULL);
    settings_destroy(s);
    buffer_fini(&out);
}

static void container_ids(void **state)
{
    (void)state;
#define ID "7be92808767a667f35c8505cbf40d14e931ef6db5b0210329cf193b15ba9d605"
    static const struct {
        const char *text;
        bool found;
    } cases[] = { { "12:pids:/docker/" ID "\n", true }, { "0::/system.slice/cri-containerd-" ID ".scope", true }, { "0::/\n", false },
        { "x" ID, true }, { ID "0", false }, { "", false },
        { "1 2 0:3 /var/lib/docker/containers/" ID "/hostname /etc/hostname rw\n", true } };
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        weir_str id = resource_container_id(weir_z(cases[i].text));
        assert_int_equal(id.n, cases[i].found ? 64 : 0);
        if (cases[i].found)
            assert_memory_equal(id.p, ID, 64);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(defaults),
        cmocka_unit_test(every_number),
        cmocka_unit_test(batch_is_not_above_queue),
        cmocka_unit_test(switches),
        cmocka_unit_test(samplers),
        cmocka_unit_test(exporters),
        cmocka_unit_test(endpoints),
        cmocka_unit_test(protocol_and_compression),
        cmocka_unit_test(headers),
        cmocka_unit_test(metric_choices),
        cmocka_unit_test(code_beats_the_environment),
        cmocka_unit_test(resources),
        cmocka_unit_test(container_ids),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
