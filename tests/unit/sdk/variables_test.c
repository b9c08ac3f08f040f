/* Every variable by itself: it has an effect, and the same name in code has the same. settings_test.c has their values. */
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

static const struct {
    const char *name, *value;
} variables[] = {
    { "OTEL_SDK_DISABLED", "true" },
    { "OTEL_SERVICE_NAME", "named" },
    { "OTEL_RESOURCE_ATTRIBUTES", "a=b" },
    { "OTEL_LOG_LEVEL", "error" },
    { "OTEL_PROPAGATORS", "b3,b3multi" },
    { "OTEL_TRACES_SAMPLER", "always_off" },
    { "OTEL_BSP_SCHEDULE_DELAY", "7" },
    { "OTEL_BSP_EXPORT_TIMEOUT", "7" },
    { "OTEL_BSP_MAX_QUEUE_SIZE", "7" },
    { "OTEL_BSP_MAX_EXPORT_BATCH_SIZE", "7" },
    { "OTEL_BLRP_SCHEDULE_DELAY", "7" },
    { "OTEL_BLRP_EXPORT_TIMEOUT", "7" },
    { "OTEL_BLRP_MAX_QUEUE_SIZE", "7" },
    { "OTEL_BLRP_MAX_EXPORT_BATCH_SIZE", "7" },
    { "OTEL_ATTRIBUTE_COUNT_LIMIT", "7" },
    { "OTEL_ATTRIBUTE_VALUE_LENGTH_LIMIT", "7" },
    { "OTEL_SPAN_ATTRIBUTE_COUNT_LIMIT", "7" },
    { "OTEL_SPAN_ATTRIBUTE_VALUE_LENGTH_LIMIT", "7" },
    { "OTEL_SPAN_EVENT_COUNT_LIMIT", "7" },
    { "OTEL_SPAN_LINK_COUNT_LIMIT", "7" },
    { "OTEL_EVENT_ATTRIBUTE_COUNT_LIMIT", "7" },
    { "OTEL_LINK_ATTRIBUTE_COUNT_LIMIT", "7" },
    { "OTEL_LOGRECORD_ATTRIBUTE_COUNT_LIMIT", "7" },
    { "OTEL_LOGRECORD_ATTRIBUTE_VALUE_LENGTH_LIMIT", "7" },
    { "OTEL_TRACES_EXPORTER", "none" },
    { "OTEL_LOGS_EXPORTER", "console" },
    { "OTEL_METRICS_EXPORTER", "none" },
    { "OTEL_METRIC_EXPORT_INTERVAL", "7" },
    { "OTEL_METRIC_EXPORT_TIMEOUT", "7" },
    { "OTEL_METRICS_EXEMPLAR_FILTER", "always_on" },
    { "OTEL_EXPORTER_OTLP_METRICS_TEMPORALITY_PREFERENCE", "delta" },
    { "OTEL_EXPORTER_OTLP_METRICS_DEFAULT_HISTOGRAM_AGGREGATION", "base2_exponential_bucket_histogram" },
    { "WEIR_SDK_METRICS", "true" },
};

/* Those that a signal may have for itself: the general name, and one for each signal. */
static const struct {
    const char *what, *value;
} exporter_variables[] = { { "ENDPOINT", "http://elsewhere:1/x" }, { "PROTOCOL", "http/json" }, { "HEADERS", "a=b" }, { "TIMEOUT", "7" },
    { "COMPRESSION", "gzip" }, { "CERTIFICATE", "/a.pem" }, { "CLIENT_KEY", "/b.pem" }, { "CLIENT_CERTIFICATE", "/c.pem" } };

static void describe_exporter(struct buffer *out, const struct exporter_settings *exporter)
{
    char text[1000];
    const char *files[] = { exporter->certificate, exporter->client_key, exporter->client_certificate };
    snprintf(text, sizeof(text), "\n%d %d %d %s %s %lld", exporter->kind, exporter->json, exporter->gzip, exporter->url.label,
        exporter->headers, (long long)exporter->timeout_ms);
    buffer_append_string(out, text);
    for (int i = 0; i < 3; i++) {
        buffer_append_string(out, " ");
        buffer_append_string(out, files[i] != NULL ? files[i] : "-");
    }
}

/* All that variables can change, as bytes to compare; destroys the settings. */
static void describe(struct buffer *out, struct settings *s)
{
    char text[1000];
    buffer_clear(out);
    snprintf(text, sizeof(text), "%d %d %d %d %d %llu %u", s->disabled, s->self_metrics, s->level, s->sampler.kind, s->sampler.parent_based,
        (unsigned long long)s->sampler.threshold, s->propagator_count);
    buffer_append_string(out, text);
    buffer_append(out, &s->batch, sizeof(s->batch));
    buffer_append(out, &s->limits, sizeof(s->limits));
    buffer_append(out, &s->metrics, sizeof(s->metrics));
    for (uint32_t i = 0; i < s->propagator_count; i++)
        buffer_append(out, &(char){ (char)('a' + s->propagators[i]) }, 1);
    snprintf(text, sizeof(text), " %s %s", s->service_name != NULL ? s->service_name : "-",
        s->resource_attributes != NULL ? s->resource_attributes : "-");
    buffer_append_string(out, text);
    for (int i = 0; i < SETTINGS_SIGNALS; i++)
        describe_exporter(out, &s->exporters[i]);
    settings_destroy(s);
}

static struct settings *in_code(const char *name, const char *value)
{
    weir_setting setting = { name, value };
    weir_config config = weir_config_default();
    config.diag = note;
    config.settings = &setting;
    config.setting_count = 1;
    clearenv();
    return settings_create(&config);
}

static bool same(const struct buffer *a, const struct buffer *b)
{
    return a->size == b->size && memcmp(a->data, b->data, a->size) == 0;
}

static void check_variable(const char *name, const char *value)
{
    struct buffer plain = { 0 }, environment = { 0 }, code = { 0 };
    describe(&plain, with(NULL, NULL));
    describe(&environment, with(name, value));
    assert_int_equal(warnings, 0);
    describe(&code, in_code(name, value));
    if (same(&plain, &environment))
        fail_msg("%s=%s has no effect", name, value);
    if (!same(&environment, &code))
        fail_msg("%s=%s means something else in code", name, value);
    describe(&environment, with(name, ""));
    assert_true(same(&environment, &plain)); /* empty is unset */
    buffer_fini(&plain);
    buffer_fini(&environment);
    buffer_fini(&code);
}

static void every_variable_and_in_code(void **state)
{
    (void)state;
    char name[100];
    for (size_t i = 0; i < sizeof(variables) / sizeof(variables[0]); i++)
        check_variable(variables[i].name, variables[i].value);
    for (size_t i = 0; i < sizeof(exporter_variables) / sizeof(exporter_variables[0]); i++) {
        static const char *const signals[] = { "", "TRACES_", "LOGS_", "METRICS_" };
        for (int j = 0; j < 4; j++) {
            snprintf(name, sizeof(name), "OTEL_EXPORTER_OTLP_%s%s", signals[j], exporter_variables[i].what);
            check_variable(name, exporter_variables[i].value);
        }
    }
}

/* A signal's own variable beats the general one, for that signal only. */
static void a_signals_own_beats_the_general(void **state)
{
    (void)state;
    weir_setting settings[] = { { "OTEL_EXPORTER_OTLP_TIMEOUT", "5" }, { "OTEL_EXPORTER_OTLP_LOGS_TIMEOUT", "6" },
        { "OTEL_EXPORTER_OTLP_COMPRESSION", "gzip" }, { "OTEL_EXPORTER_OTLP_LOGS_COMPRESSION", "none" },
        { "OTEL_EXPORTER_OTLP_HEADERS", "a=1" }, { "OTEL_EXPORTER_OTLP_LOGS_HEADERS", "b=2" }, { "OTEL_EXPORTER_OTLP_CERTIFICATE", "/all" },
        { "OTEL_EXPORTER_OTLP_LOGS_CERTIFICATE", "/logs" } };
    weir_config config = weir_config_default();
    config.no_environment = true;
    config.settings = settings;
    config.setting_count = sizeof(settings) / sizeof(settings[0]);
    struct settings *s = settings_create(&config);
    for (int i = 0; i < SETTINGS_SIGNALS; i++) {
        bool logs = i == WEIR_SIGNAL_LOGS;
        assert_int_equal(s->exporters[i].timeout_ms, logs ? 6 : 5);
        assert_int_equal(s->exporters[i].gzip, !logs);
        assert_string_equal(s->exporters[i].headers, logs ? "b: 2\r\n" : "a: 1\r\n");
        assert_string_equal(s->exporters[i].certificate, logs ? "/logs" : "/all");
    }
    settings_destroy(s);
}

/* A file of settings is not read: that is said, and the variables stay in force. */
static void a_configuration_file_is_refused_aloud(void **state)
{
    (void)state;
    weir_setting settings[] = { { "OTEL_CONFIG_FILE", "/etc/otel.yaml" }, { "OTEL_SERVICE_NAME", "still" },
        { "OTEL_BSP_SCHEDULE_DELAY", "7" } };
    weir_config config = weir_config_default();
    config.no_environment = true;
    config.diag = note;
    config.settings = settings;
    config.setting_count = 3;
    warnings = 0;
    struct settings *s = settings_create(&config);
    assert_int_equal(warnings, 1);
    assert_non_null(strstr(last, "OTEL_CONFIG_FILE=\"/etc/otel.yaml\" is ignored"));
    assert_string_equal(s->service_name, "still");
    assert_int_equal(s->batch[RECORD_SPANS].delay_ms, 7);
    settings_destroy(s);
}

/* Of other protocols and exporters: without effect, and without complaint unless something is asked for that there is not. */
static void variables_without_effect(void **state)
{
    (void)state;
    static const char *const names[] = { "OTEL_EXPORTER_OTLP_INSECURE", "OTEL_EXPORTER_PROMETHEUS_HOST", "OTEL_EXPORTER_PROMETHEUS_PORT",
        "OTEL_EXPORTER_ZIPKIN_ENDPOINT", "OTEL_EXPORTER_ZIPKIN_TIMEOUT" };
    struct buffer plain = { 0 }, got = { 0 };
    describe(&plain, with(NULL, NULL));
    for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
        describe(&got, with(names[i], "true"));
        assert_true(same(&got, &plain));
        assert_int_equal(warnings, 0);
    }
    describe(&got, with("OTEL_METRICS_EXPORTER", "prometheus"));
    assert_true(same(&got, &plain));
    assert_int_equal(warnings, 1);
    buffer_fini(&plain);
    buffer_fini(&got);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_variable_and_in_code),
        cmocka_unit_test(a_signals_own_beats_the_general),
        cmocka_unit_test(a_configuration_file_is_refused_aloud),
        cmocka_unit_test(variables_without_effect),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
