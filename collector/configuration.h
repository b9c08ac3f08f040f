/*
 * A whole configuration, read and checked: which components there are, how they are connected, and how weir talks about itself.
 *
 * Loading checks everything that can be checked without opening a file, a socket or a thread: keys, types, ids, pipelines, the
 * options of every component (also of those that no pipeline uses) and its validate(). What was loaded is immutable.
 */
#ifndef WEIR_COLLECTOR_CONFIGURATION_H
#define WEIR_COLLECTOR_CONFIGURATION_H

#include "collector/component.h"

/* One entry of receivers, processors, connectors, exporters or extensions. */
struct configuration_component {
    const struct component_type *type; /* its kind is the section */
    const char *id;                    /* as written: "otlp/2" */
    const char *path;                  /* "exporters.otlp/2" */
    const struct config_node *node;    /* the settings, for option_fill: a map or null */
    bool used;                         /* by a pipeline, or listed in service.extensions; others are not started */
};

struct configuration_references {
    const struct configuration_component *const *items; /* a connector stands among receivers and exporters; its type->kind tells */
    size_t count;
};

struct configuration_pipeline {
    enum signal signal;
    const char *id;                                                   /* "traces", "traces/2" */
    struct configuration_references receivers, processors, exporters; /* in the order written; nothing twice */
};

enum telemetry_metrics_level { TELEMETRY_METRICS_NONE, TELEMETRY_METRICS_BASIC, TELEMETRY_METRICS_NORMAL, TELEMETRY_METRICS_DETAILED };

/* One Prometheus endpoint for weir's own metrics. */
struct telemetry_reader {
    const char *host; /* "localhost" */
    int64_t port;     /* 8888; 0: the system chooses */
    bool without_scope_info, without_units, without_type_suffix;
};

struct telemetry_settings {
    struct {
        int level; /* enum log_level */
        bool json;
        bool sampling;
        int64_t sampling_tick_ns, sampling_initial, sampling_thereafter;
        struct option_strings output_paths; /* "stderr", "stdout" or files */
    } logs;
    struct {
        int level; /* enum telemetry_metrics_level; with NONE there are no readers */
        const struct telemetry_reader *readers;
        size_t reader_count;
    } metrics;
    struct option_pairs resource; /* attributes for weir's own metrics; with a value NULL: leave this one of weir's own out */
};

struct configuration {
    struct arena arena;             /* configuration; ends with it */
    const struct config_node *tree; /* merged and expanded */
    const struct configuration_component
        *components; /* in the order receivers, processors, connectors, exporters, extensions; within as written */
    size_t component_count;
    const struct configuration_pipeline *pipelines;
    size_t pipeline_count;
    struct configuration_references extensions; /* service.extensions: the order they are started in */
    struct telemetry_settings telemetry;
};

/*
 * Reads, merges and checks. NULL when there is an error; all errors and warnings are in `errors`, whose texts live in
 * errors->arena (the caller's, not this configuration's).
 */
struct configuration *configuration_load(const struct config_source *sources, size_t count, struct config_errors *errors);

/* destroy(NULL) is fine. */
void configuration_destroy(struct configuration *configuration);

/* The component with that kind and id; NULL: none. */
const struct configuration_component *configuration_find(
    const struct configuration *configuration, enum component_kind kind, const char *id);

/*
 * A fresh instance of the component: zeroed, options filled and validated, type, id and path set, not started. NULL with the error when that
 * fails, which after a load it does only when memory is out. Strings live in `arena`. The caller frees it with free().
 */
struct component *configuration_instance(const struct configuration_component *component, struct arena *arena, struct error *err);

/* Keys of service.telemetry. For printing and documenting; configuration_load reads them. */
extern const struct option telemetry_options[];

/* Do both say the same (keys, values, order of lists; not positions)? For reloading: what did not change is kept. */
bool configuration_component_equal(const struct configuration_component *a, const struct configuration_component *b);

#endif
