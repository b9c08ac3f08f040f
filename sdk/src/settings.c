/*
 * Settings from code and environment. A table says which variable goes where; what is not understood is reported and
 * ignored, as the specification demands. Start-up only; the published object is read by all threads.
 */
#include "sdk/src/settings.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

#include "sdk/src/diag.h"
#include "sdk/src/encode.h"
#include "sdk/src/extra.h"

#define DEFAULT_LIMITS                                                                                                                     \
    {                                                                                                                                      \
        { 128, TEXT_UNLIMITED }, { 128, TEXT_UNLIMITED }, { 128, TEXT_UNLIMITED }, { 128, TEXT_UNLIMITED }, 128, 128                       \
    }

/* Before the first weir_init: nothing records, but contexts propagate. */
static const struct settings defaults = {
    .disabled = true,
    .level = WEIR_LEVEL_INFO,
    .limits = DEFAULT_LIMITS,
    .sampler = { .kind = SAMPLER_ALWAYS_ON, .parent_based = true },
    .propagators = { PROPAGATOR_TRACECONTEXT, PROPAGATOR_BAGGAGE },
    .propagator_count = 2,
};

_Atomic(const struct settings *) settings_current = &defaults;

const char *settings_lookup(const struct settings_source *source, const char *name)
{
    const char *value = NULL;
    bool found = false;

    for (size_t i = 0; i < source->count; i++) {
        if (source->settings[i].name != NULL && strcmp(source->settings[i].name, name) == 0) {
            value = source->settings[i].value;
            found = true;
        }
    }
    if (!found && !source->no_environment)
        value = getenv(name);
    return value != NULL && value[0] != '\0' ? value : NULL;
}

bool settings_number(const char *name, const char *text, int64_t *out)
{
    char *end = NULL;

    errno = 0;
    long long value = strtoll(text, &end, 10);
    if (errno != 0 || end == text || *end != '\0' || value < 0) {
        diag(WEIR_LEVEL_WARN, "%s=\"%s\" is ignored: it is not a number from 0 on", name, text);
        return false;
    }
    *out = value;
    return true;
}

bool settings_choose(const char *name, const char *text, const struct settings_choice *choices, int *out)
{
    weir_str wanted = text_trim(weir_z(text));

    for (; choices->name != NULL; choices++) {
        if (text_equal_ignoring_case(wanted, weir_z(choices->name))) {
            *out = choices->value;
            return true;
        }
    }
    diag(WEIR_LEVEL_WARN, "%s=\"%s\" is ignored: no such value is known", name, text);
    return false;
}

/* ---- numbers: one row for each variable and place ---- */

struct number_row {
    const char *name;
    uint32_t offset;
    bool wide; /* int64_t, else uint32_t */
    int64_t lowest;
};

#define ROW32(name_, member_, lowest_)                                                                                                     \
    {                                                                                                                                      \
        name_, (uint32_t)offsetof(struct settings, member_), false, lowest_                                                                \
    }
#define ROW64(name_, member_, lowest_)                                                                                                     \
    {                                                                                                                                      \
        name_, (uint32_t)offsetof(struct settings, member_), true, lowest_                                                                 \
    }

/* A later row overwrites an earlier one: general limits come first. */
static const struct number_row numbers[] = {
    ROW32("OTEL_ATTRIBUTE_COUNT_LIMIT", limits.span.count, 0),
    ROW32("OTEL_ATTRIBUTE_COUNT_LIMIT", limits.event.count, 0),
    ROW32("OTEL_ATTRIBUTE_COUNT_LIMIT", limits.link.count, 0),
    ROW32("OTEL_ATTRIBUTE_COUNT_LIMIT", limits.log.count, 0),
    ROW32("OTEL_ATTRIBUTE_VALUE_LENGTH_LIMIT", limits.span.value_length, 0),
    ROW32("OTEL_ATTRIBUTE_VALUE_LENGTH_LIMIT", limits.event.value_length, 0),
    ROW32("OTEL_ATTRIBUTE_VALUE_LENGTH_LIMIT", limits.link.value_length, 0),
    ROW32("OTEL_ATTRIBUTE_VALUE_LENGTH_LIMIT", limits.log.value_length, 0),
    ROW32("OTEL_SPAN_ATTRIBUTE_COUNT_LIMIT", limits.span.count, 0),
    ROW32("OTEL_SPAN_ATTRIBUTE_VALUE_LENGTH_LIMIT", limits.span.value_length, 0),
    ROW32("OTEL_SPAN_ATTRIBUTE_VALUE_LENGTH_LIMIT", limits.event.value_length, 0),
    ROW32("OTEL_SPAN_ATTRIBUTE_VALUE_LENGTH_LIMIT", limits.link.value_length, 0),
    ROW32("OTEL_EVENT_ATTRIBUTE_COUNT_LIMIT", limits.event.count, 0),
    ROW32("OTEL_LINK_ATTRIBUTE_COUNT_LIMIT", limits.link.count, 0),
    ROW32("OTEL_LOGRECORD_ATTRIBUTE_COUNT_LIMIT", limits.log.count, 0),
    ROW32("OTEL_LOGRECORD_ATTRIBUTE_VALUE_LENGTH_LIMIT", limits.log.value_length, 0),
    ROW32("OTEL_SPAN_EVENT_COUNT_LIMIT", limits.events, 0),
    ROW32("OTEL_SPAN_LINK_COUNT_LIMIT", limits.links, 0),
    ROW64("OTEL_BSP_SCHEDULE_DELAY", batch[RECORD_SPANS].delay_ms, 0),
    ROW64("OTEL_BSP_EXPORT_TIMEOUT", batch[RECORD_SPANS].timeout_ms, 0),
    ROW32("OTEL_BSP_MAX_QUEUE_SIZE", batch[RECORD_SPANS].queue_size, 1),
    ROW32("OTEL_BSP_MAX_EXPORT_BATCH_SIZE", batch[RECORD_SPANS].batch_size, 1),
    ROW64("OTEL_BLRP_SCHEDULE_DELAY", batch[RECORD_LOGS].delay_ms, 0),
    ROW64("OTEL_BLRP_EXPORT_TIMEOUT", batch[RECORD_LOGS].timeout_ms, 0),
    ROW32("OTEL_BLRP_MAX_QUEUE_SIZE", batch[RECORD_LOGS].queue_size, 1),
    ROW32("OTEL_BLRP_MAX_EXPORT_BATCH_SIZE", batch[RECORD_LOGS].batch_size, 1),
    ROW64("OTEL_METRIC_EXPORT_INTERVAL", metrics.interval_ms, 1),
    ROW64("OTEL_METRIC_EXPORT_TIMEOUT", metrics.timeout_ms, 0),
};

static void read_numbers(struct settings *settings, const struct settings_source *source)
{
    for (size_t i = 0; i < sizeof(numbers) / sizeof(numbers[0]); i++) {
        const struct number_row *row = &numbers[i];
        const char *text = settings_lookup(source, row->name);
        int64_t value;
        if (text == NULL || !settings_number(row->name, text, &value))
            continue;
        if (value < row->lowest || (!row->wide && value > INT32_MAX)) {
            diag(WEIR_LEVEL_WARN, "%s=\"%s\" is ignored: it is out of range", row->name, text);
            continue;
        }
        if (row->wide)
            memcpy((char *)settings + row->offset, &value, sizeof(value));
        else
            memcpy((char *)settings + row->offset, &(uint32_t){ (uint32_t)value }, sizeof(uint32_t));
    }
    for (int i = 0; i < RECORD_SIGNALS; i++) {
        struct batch_settings *batch = &settings->batch[i];
        if (batch->batch_size > batch->queue_size)
            batch->batch_size = batch->queue_size;
    }
}

/* ---- the rest ---- */

static void read_level(struct settings *settings, const struct settings_source *source)
{
    static const struct settings_choice levels[] = { { "error", WEIR_LEVEL_ERROR }, { "warn", WEIR_LEVEL_WARN },
        { "warning", WEIR_LEVEL_WARN }, { "info", WEIR_LEVEL_INFO }, { "debug", WEIR_LEVEL_DEBUG }, { "trace", WEIR_LEVEL_DEBUG },
        { "none", 0 }, { NULL, 0 } };
    const char *text = settings_lookup(source, "OTEL_LOG_LEVEL");
    int level;

    if (text != NULL && settings_choose("OTEL_LOG_LEVEL", text, levels, &level))
        settings->level = (weir_level)level;
}

static void read_propagators(struct settings *settings, const struct settings_source *source)
{
    static const struct settings_choice names[] = { { "tracecontext", PROPAGATOR_TRACECONTEXT }, { "baggage", PROPAGATOR_BAGGAGE },
        { "b3", PROPAGATOR_B3 }, { "b3multi", PROPAGATOR_B3_MULTI }, { "none", -1 }, { NULL, 0 } };
    const char *text = settings_lookup(source, "OTEL_PROPAGATORS");
    weir_str rest = weir_z(text);
    bool seen[PROPAGATORS] = { false };

    if (text == NULL)
        return;
    settings->propagator_count = 0;
    while (rest.p != NULL) {
        char name[32];
        weir_str word = text_trim(text_cut(rest, ',', &rest));
        int which;
        if (word.n == 0)
            continue;
        snprintf(name, sizeof(name), "%.*s", (int)(word.n < sizeof(name) ? word.n : sizeof(name) - 1), word.p);
        if (!settings_choose("OTEL_PROPAGATORS", name, names, &which) || which < 0 || seen[which])
            continue;
        seen[which] = true;
        settings->propagators[settings->propagator_count++] = (enum propagator)which;
    }
}

static double read_ratio(const struct settings_source *source)
{
    const char *text = settings_lookup(source, "OTEL_TRACES_SAMPLER_ARG");
    char *end = NULL;

    if (text == NULL)
        return 1.0;
    double ratio = strtod(text, &end);
    if (end != text && *end == '\0' && ratio >= 0 && ratio <= 1)
        return ratio;
    diag(WEIR_LEVEL_WARN, "OTEL_TRACES_SAMPLER_ARG=\"%s\" is ignored: it is not a number from 0 to 1", text);
    return 1.0;
}

static void read_sampler(struct settings *settings, const struct settings_source *source)
{
    enum { PARENT_BASED = 16 };
    static const struct settings_choice names[] = { { "always_on", SAMPLER_ALWAYS_ON }, { "always_off", SAMPLER_ALWAYS_OFF },
        { "traceidratio", SAMPLER_RATIO }, { "parentbased_always_on", SAMPLER_ALWAYS_ON | PARENT_BASED },
        { "parentbased_always_off", SAMPLER_ALWAYS_OFF | PARENT_BASED }, { "parentbased_traceidratio", SAMPLER_RATIO | PARENT_BASED },
        { NULL, 0 } };
    const char *text = settings_lookup(source, "OTEL_TRACES_SAMPLER");
    int which;

    if (text == NULL || !settings_choose("OTEL_TRACES_SAMPLER", text, names, &which))
        return;
    settings->sampler.kind = (enum sampler_kind)(which & ~PARENT_BASED);
    settings->sampler.parent_based = (which & PARENT_BASED) != 0;
    if (settings->sampler.kind == SAMPLER_RATIO)
        sampler_set_ratio(&settings->sampler, read_ratio(source));
}

static void read_metrics(struct settings *settings, const struct settings_source *source)
{
    static const struct settings_choice filters[] = { { "trace_based", EXEMPLARS_TRACE_BASED }, { "always_on", EXEMPLARS_ALWAYS_ON },
        { "always_off", EXEMPLARS_ALWAYS_OFF }, { NULL, 0 } };
    static const struct settings_choice temporalities[] = { { "cumulative", TEMPORALITY_CUMULATIVE }, { "delta", TEMPORALITY_DELTA },
        { "lowmemory", TEMPORALITY_LOW_MEMORY }, { NULL, 0 } };
    static const struct settings_choice histograms[] = { { "explicit_bucket_histogram", 0 }, { "base2_exponential_bucket_histogram", 1 },
        { NULL, 0 } };
    const char *names[] = { "OTEL_METRICS_EXEMPLAR_FILTER", "OTEL_EXPORTER_OTLP_METRICS_TEMPORALITY_PREFERENCE",
        "OTEL_EXPORTER_OTLP_METRICS_DEFAULT_HISTOGRAM_AGGREGATION" };
    const struct settings_choice *choices[] = { filters, temporalities, histograms };
    int values[3] = { EXEMPLARS_TRACE_BASED, TEMPORALITY_CUMULATIVE, 0 };

    for (int i = 0; i < 3; i++) {
        const char *text = settings_lookup(source, names[i]);
        if (text != NULL)
            settings_choose(names[i], text, choices[i], &values[i]);
    }
    settings->metrics.exemplars = (enum exemplar_filter)values[0];
    settings->metrics.temporality = (enum temporality)values[1];
    settings->metrics.exponential = values[2] != 0;
}

static bool dup_optional(char **out, const char *text)
{
    *out = text != NULL && text[0] != '\0' ? strdup(text) : NULL;
    return text == NULL || text[0] == '\0' || *out != NULL;
}

/* Attributes given in code, as fields 1 of a Resource message. */
static bool encode_resource(struct settings *settings, weir_attrs attrs)
{
    struct encoding encoding = { TEXT_UNLIMITED, 0 };
    size_t size = 0;

    if (attrs.data == NULL || attrs.count == 0)
        return true;
    for (size_t i = 0; i < attrs.count; i++) {
        size_t content = encode_attribute_size(&encoding, &attrs.data[i]);
        size += content != 0 ? 1 + varint_size(content) + content : 0;
    }
    uint8_t *bytes = malloc(size + 1);
    if (bytes == NULL)
        return false;
    settings->resource = slice_of(bytes, size);
    for (size_t i = 0; i < attrs.count; i++) {
        size_t content = encode_attribute_size(&encoding, &attrs.data[i]);
        if (content == 0)
            continue;
        *bytes++ = 1 << 3 | 2;
        bytes = put_varint(bytes, content);
        bytes = encode_attribute(bytes, &encoding, &attrs.data[i]);
    }
    return true;
}

static void apply_code(struct settings *settings, const weir_config *config)
{
    settings->no_thread = config->no_thread;
    settings->export_fn = config->export_fn;
    settings->export_user = config->export_user;
    settings->ids = config->ids;
    settings->ids_user = config->ids_user;
    settings->memory_limit = config->memory_limit != 0 ? config->memory_limit : 16U << 20;
    if (settings->memory_limit < 1U << 20)
        settings->memory_limit = 1U << 20;
    if (config->sampler != NULL) {
        settings->sampler.kind = SAMPLER_FUNCTION;
        settings->sampler.parent_based = false;
        settings->sampler.function = config->sampler;
        settings->sampler.user = config->sampler_user;
    }
}

/* Code's service_name and endpoint stand in for the variables of the same meaning. */
static size_t gather(const weir_config *config, weir_setting *all)
{
    size_t count = 0;

    for (size_t i = 0; i < config->setting_count && config->settings != NULL; i++)
        all[count++] = config->settings[i];
    if (config->service_name != NULL && config->service_name[0] != '\0')
        all[count++] = (weir_setting){ "OTEL_SERVICE_NAME", config->service_name };
    if (config->endpoint != NULL && config->endpoint[0] != '\0')
        all[count++] = (weir_setting){ "OTEL_EXPORTER_OTLP_ENDPOINT", config->endpoint };
    return count;
}

/* Only "true", in any case, is true (specification: boolean values). */
static bool read_boolean(const struct settings_source *source, const char *name)
{
    static const struct settings_choice booleans[] = { { "true", 1 }, { "false", 0 }, { NULL, 0 } };
    const char *text = settings_lookup(source, name);
    int value = 0;

    return text != NULL && settings_choose(name, text, booleans, &value) && value == 1;
}

static bool read_all(struct settings *settings, const struct settings_source *source, const weir_config *config)
{
    read_level(settings, source);
    diag_configure(settings->level, config->diag, config->diag_user);
    settings->disabled = read_boolean(source, "OTEL_SDK_DISABLED");
    settings->self_metrics = read_boolean(source, "WEIR_SDK_METRICS");
    const char *file = settings_lookup(source, "OTEL_CONFIG_FILE");
    if (file != NULL)
        diag(WEIR_LEVEL_WARN, "OTEL_CONFIG_FILE=\"%s\" is ignored: this library reads variables only, and they are in force", file);
    read_numbers(settings, source);
    read_propagators(settings, source);
    read_sampler(settings, source);
    read_metrics(settings, source);
    return dup_optional(&settings->service_name, settings_lookup(source, "OTEL_SERVICE_NAME")) &&
           dup_optional(&settings->resource_attributes, settings_lookup(source, "OTEL_RESOURCE_ATTRIBUTES")) &&
           settings_read_exporters(settings, source) && encode_resource(settings, config->resource) &&
           settings_copy_views(settings, config);
}

struct settings *settings_create(const weir_config *config)
{
    struct settings *settings = calloc(1, sizeof(*settings));
    weir_setting *all = calloc(config->setting_count + 2, sizeof(*all));
    bool fine = settings != NULL && all != NULL;

    if (fine) {
        struct settings_source source = { all, gather(config, all), config->no_environment };
        memcpy(settings, &defaults, sizeof(*settings));
        settings->disabled = false;
        settings->batch[RECORD_SPANS] = (struct batch_settings){ 5000, 30000, 2048, 512 };
        settings->batch[RECORD_LOGS] = (struct batch_settings){ 1000, 30000, 2048, 512 };
        settings->metrics = (struct metric_settings){ .interval_ms = 60000, .timeout_ms = 30000 };
        fine = read_all(settings, &source, config);
        apply_code(settings, config);
    }
    free(all);
    if (!fine) {
        settings_destroy(settings);
        return NULL;
    }
    return settings;
}

void settings_destroy(struct settings *settings)
{
    if (settings == NULL)
        return;
    for (int i = 0; i < SETTINGS_SIGNALS; i++) {
        struct exporter_settings *exporter = &settings->exporters[i];
        url_fini(&exporter->url);
        free(exporter->headers);
        free(exporter->certificate);
        free(exporter->client_key);
        free(exporter->client_certificate);
    }
    extra_unref(&settings->sampler.root_state);
    free(settings->service_name);
    free(settings->resource_attributes);
    free((void *)(uintptr_t)settings->resource.data);
    free(settings->views);
    free(settings->view_memory);
    free(settings);
}

void settings_publish(struct settings *settings)
{
    const struct settings *old = settings_now();

    settings->retired = old != &defaults ? (struct settings *)(uintptr_t)old : NULL;
    atomic_store_explicit(&settings_current, settings, memory_order_release);
}
