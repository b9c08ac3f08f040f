/* service.telemetry: its keys, and what they mean to weir. */
#include "collector/configuration_checks.h"

#include "collector/base/log.h"

struct prometheus_options {
    const char *host;
    int64_t port;
    bool without_scope_info, without_units, without_type_suffix;
};

struct reader_options {
    struct prometheus_options prometheus;
    bool pull_present, exporter_present, prometheus_present;
};

struct telemetry_written {
    int log_level, log_encoding, metrics_level;
    bool sampling_enabled;
    int64_t sampling_tick_ns, sampling_initial, sampling_thereafter;
    struct option_strings output_paths;
    struct option_list readers;
    bool readers_present;
    const struct config_node *resource;
};

#define WRITTEN(field) offsetof(struct telemetry_written, field)
#define READER(field) offsetof(struct reader_options, field)

static const struct option sampling_options[] = {
    { "enabled", OPTION_BOOL, WRITTEN(sampling_enabled), "true", NULL, "thin out lines that repeat" },
    { "tick", OPTION_DURATION, WRITTEN(sampling_tick_ns), "10s", "1ms..", "repetition is counted within it" },
    { "initial", OPTION_INT, WRITTEN(sampling_initial), "10", "0..1000000", "lines of one text that are written in each tick" },
    { "thereafter", OPTION_INT, WRITTEN(sampling_thereafter), "100", "0..1000000", "after them every n-th" },
    { 0 },
};

static const struct option logs_options[] = {
    { "level", OPTION_ENUM, WRITTEN(log_level), "info", "debug|info|warn|error|dpanic|panic|fatal", "least level that is written" },
    { "encoding", OPTION_ENUM, WRITTEN(log_encoding), "console", "console|json", "form of the lines" },
    { "sampling", OPTION_BLOCK, 0, NULL, NULL, "thin out lines that repeat", sampling_options },
    { "output_paths", OPTION_STRINGS, WRITTEN(output_paths), "stderr", NULL, "where lines go: stderr, stdout or a file" },
    { "error_output_paths", OPTION_IGNORED, 0, NULL, NULL, "weir's log has no errors of its own to write" },
    { "development", OPTION_IGNORED, 0, NULL, NULL, "Go's logger only" },
    { "disable_caller", OPTION_IGNORED, 0, NULL, NULL, "lines name the component, not a place in the source" },
    { "disable_stacktrace", OPTION_IGNORED, 0, NULL, NULL, "there are none" },
    { "disable_zap_resource", OPTION_IGNORED, 0, NULL, NULL, "lines carry no resource" },
    { "initial_fields", OPTION_UNSUPPORTED, 0, NULL, NULL, "fields added to every line" },
    { "processors", OPTION_UNSUPPORTED, 0, NULL, NULL, "send the log by OTLP" },
    { 0 },
};

static const struct option constant_labels_options[] = {
    { "included", OPTION_UNSUPPORTED, 0, NULL, NULL, "resource attributes that become labels" },
    { "excluded", OPTION_UNSUPPORTED, 0, NULL, NULL, "resource attributes that become no labels" },
    { 0 },
};

static const struct option prometheus_options[] = {
    { "host", OPTION_STRING, READER(prometheus.host), "localhost", "nonempty", "address to listen on" },
    { "port", OPTION_INT, READER(prometheus.port), "8888", "0..65535", "0: the system chooses" },
    { "without_scope_info", OPTION_BOOL, READER(prometheus.without_scope_info), "false", NULL, "no otel_scope labels" },
    { "without_units", OPTION_BOOL, READER(prometheus.without_units), "false", NULL, "no units in metric names" },
    { "without_type_suffix", OPTION_BOOL, READER(prometheus.without_type_suffix), "false", NULL, "no _total" },
    { "with_resource_constant_labels", OPTION_BLOCK, 0, NULL, NULL, "resource attributes as labels", constant_labels_options },
    { 0 },
};

static const struct option pull_exporter_options[] = {
    { "prometheus", OPTION_BLOCK, 0, NULL, NULL, "a Prometheus endpoint", prometheus_options, .present = READER(prometheus_present) },
    { 0 },
};

static const struct option pull_options[] = {
    { "exporter", OPTION_BLOCK, 0, NULL, NULL, "what is served", pull_exporter_options, .present = READER(exporter_present) },
    { 0 },
};

static const struct option reader_options[] = {
    { "pull", OPTION_BLOCK, 0, NULL, NULL, "metrics that others fetch", pull_options, .present = READER(pull_present) },
    { "periodic", OPTION_UNSUPPORTED, 0, NULL, NULL, "metrics that weir sends by OTLP" },
    { 0 },
};

static const struct option metrics_options[] = {
    { "level", OPTION_ENUM, WRITTEN(metrics_level), "normal", "none|basic|normal|detailed", "how much is measured" },
    { "readers", OPTION_LIST, WRITTEN(readers), NULL, NULL, "where the metrics are; none written: Prometheus on localhost:8888",
        reader_options, sizeof(struct reader_options), .present = WRITTEN(readers_present) },
    { "views", OPTION_UNSUPPORTED, 0, NULL, NULL, "renamed or dropped metrics" },
    { "address", OPTION_IGNORED, 0, NULL, NULL, "the OpenTelemetry Collector ignores it too; use readers" },
    { 0 },
};

static const struct option traces_options[] = {
    { "level", OPTION_IGNORED, 0, NULL, NULL, "weir makes no traces of itself" },
    { "propagators", OPTION_IGNORED, 0, NULL, NULL, "weir makes no traces of itself" },
    { "processors", OPTION_UNSUPPORTED, 0, NULL, NULL, "send traces of the collector itself" },
    { 0 },
};

const struct option telemetry_options[] = {
    { "logs", OPTION_BLOCK, 0, NULL, NULL, "weir's own log", logs_options },
    { "metrics", OPTION_BLOCK, 0, NULL, NULL, "weir's own metrics", metrics_options },
    { "traces", OPTION_BLOCK, 0, NULL, NULL, "weir makes none of itself", traces_options },
    { "resource", OPTION_ANY, WRITTEN(resource), NULL, NULL, "attributes of weir's own metrics: a map, or {attributes: [{name, value}]}" },
    { 0 },
};

/* ---- resource ---- */

static const char *const resource_keys[] = { "attributes", "schema_url", "detection/development", NULL };

/* Any scalar is fine as a value; null takes the attribute away. */
static bool set_attribute(struct checking *self, const struct config_node *value, struct option_pair *pair)
{
    if (value != NULL && value->kind != CONFIG_SCALAR && value->kind != CONFIG_NULL) {
        config_error_add(self->errors, value, "service.telemetry.resource", "\"%.100s\": expected a string", pair->key);
        return false;
    }
    pair->value = value != NULL ? (value->original != NULL ? value->original : value->text) : NULL;
    return true;
}

static bool read_attribute(struct checking *self, const struct config_node *item, struct option_pair *pair)
{
    const struct config_node *name = config_get(item, "name");

    if (name == NULL || name->kind != CONFIG_SCALAR) {
        config_error_add(self->errors, item, "service.telemetry.resource.attributes", "expected {name: ..., value: ...}");
        return false;
    }
    pair->key = name->text;
    return set_attribute(self, config_get(item, "value"), pair);
}

static void check_resource(struct checking *self, const struct config_node *node)
{
    const struct config_node *attributes = config_get(node, "attributes"), *source = node;
    struct option_pair *pairs;
    size_t count = 0, i = 0;

    if (node == NULL || node->kind == CONFIG_NULL)
        return;
    if (node->kind != CONFIG_MAP) {
        config_error_add(self->errors, node, "service.telemetry.resource", "expected a map of attributes");
        return;
    }
    if (attributes != NULL && attributes->kind == CONFIG_LIST) {
        configuration_check_keys(self, node, "service.telemetry.resource", resource_keys);
        source = attributes;
    }
    for (const struct config_node *child = source->children; child != NULL; child = child->next)
        count++;
    pairs = arena_alloc(&self->configuration->arena, count * sizeof(*pairs));
    for (const struct config_node *child = source->children; child != NULL; child = child->next) {
        pairs[i].key = child->key;
        if (source == node ? set_attribute(self, child, &pairs[i]) : read_attribute(self, child, &pairs[i]))
            i++;
    }
    self->configuration->telemetry.resource = (struct option_pairs){ pairs, i };
}

/* ---- the rest ---- */

static void set_readers(struct checking *self, const struct telemetry_written *written, const struct config_node *node)
{
    static const struct telemetry_reader default_reader = { "localhost", 8888, true, true, true };
    struct telemetry_settings *settings = &self->configuration->telemetry;
    const struct reader_options *options = written->readers.items;
    struct telemetry_reader *readers;

    settings->metrics.readers = &default_reader;
    settings->metrics.reader_count = settings->metrics.level == TELEMETRY_METRICS_NONE ? 0 : 1;
    if (!written->readers_present || settings->metrics.level == TELEMETRY_METRICS_NONE)
        return;
    readers = arena_alloc(&self->configuration->arena, written->readers.count * sizeof(*readers));
    for (size_t i = 0; i < written->readers.count; i++) {
        const struct prometheus_options *prometheus = &options[i].prometheus;

        if (!options[i].prometheus_present)
            config_error_add_at_key(
                self->errors, node, "service.telemetry.metrics.readers", "expected {pull: {exporter: {prometheus: {...}}}}");
        readers[i] = (struct telemetry_reader){ prometheus->host, prometheus->port, prometheus->without_scope_info,
            prometheus->without_units, prometheus->without_type_suffix };
    }
    settings->metrics.readers = readers;
    settings->metrics.reader_count = written->readers.count;
}

void configuration_check_telemetry(struct checking *self, const struct config_node *node)
{
    struct telemetry_settings *settings = &self->configuration->telemetry;
    struct telemetry_written written = { 0 };
    struct option_target target = { &written, &self->configuration->arena, self->errors };

    if (!option_fill(telemetry_options, node, "service.telemetry", &target))
        return;
    settings->logs.level = written.log_level < LOG_ERROR ? written.log_level : LOG_ERROR;
    settings->logs.json = written.log_encoding == 1;
    settings->logs.sampling = written.sampling_enabled;
    settings->logs.sampling_tick_ns = written.sampling_tick_ns;
    settings->logs.sampling_initial = written.sampling_initial;
    settings->logs.sampling_thereafter = written.sampling_thereafter;
    settings->logs.output_paths = written.output_paths;
    settings->metrics.level = written.metrics_level;
    set_readers(self, &written, config_get(config_get(node, "metrics"), "readers"));
    check_resource(self, written.resource);
}
