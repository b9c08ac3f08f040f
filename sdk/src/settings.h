/*
 * All that can be set, from code (weir_config) and environment, in one immutable object. A new weir_init publishes a
 * new one; old ones stay readable for threads that still hold them.
 */
#ifndef WEIR_SDK_SETTINGS_H
#define WEIR_SDK_SETTINGS_H

#include <stdatomic.h>

#include "sdk/include/weir/setup.h"
#include "collector/base/slice.h"
#include "sdk/src/record.h"
#include "sdk/src/sampler.h"
#include "sdk/src/url.h"

enum propagator { PROPAGATOR_TRACECONTEXT, PROPAGATOR_BAGGAGE, PROPAGATOR_B3, PROPAGATOR_B3_MULTI, PROPAGATORS };
enum exporter_kind { EXPORTER_OTLP, EXPORTER_CONSOLE, EXPORTER_NONE, EXPORTER_FUNCTION };
enum { SETTINGS_SIGNALS = 3 }; /* traces, logs, metrics: as enum weir_signal */

struct exporter_settings {
    enum exporter_kind kind;
    bool json; /* protocol http/json */
    bool gzip;
    struct url url;
    char *headers;                                       /* ready for a request: "name: value\r\n"...; never NULL */
    int64_t timeout_ms;                                  /* for a batch with its retries; 0: no limit */
    char *certificate, *client_key, *client_certificate; /* file names or NULL */
};

struct batch_settings {
    int64_t delay_ms, timeout_ms;
    uint32_t queue_size, batch_size;
};

struct limits {
    struct attribute_limits span, event, link, log;
    uint32_t events, links;
};

enum exemplar_filter { EXEMPLARS_TRACE_BASED, EXEMPLARS_ALWAYS_ON, EXEMPLARS_ALWAYS_OFF };
enum temporality { TEMPORALITY_CUMULATIVE, TEMPORALITY_DELTA, TEMPORALITY_LOW_MEMORY };

struct metric_settings {
    int64_t interval_ms, timeout_ms;
    enum exemplar_filter exemplars;
    enum temporality temporality;
    bool exponential; /* histograms by default */
};

/* A weir_view, copied. Never freed once published: streams borrow from it. */
struct view {
    uint32_t kind; /* 1 + enum weir_instr_kind; 0: all */
    weir_str match_name, match_unit, match_scope, name, description;
    bool filter;
    weir_str *keep;
    size_t keep_count;
    uint32_t aggregation;
    double *bounds;
    uint32_t bound_count, cardinality;
};

struct settings {
    struct settings *retired; /* the one before */
    bool disabled;
    bool no_thread;
    bool self_metrics;
    weir_level level;
    struct limits limits;
    struct sampler sampler;
    enum propagator propagators[PROPAGATORS];
    uint32_t propagator_count;
    struct batch_settings batch[RECORD_SIGNALS]; /* spans, logs */
    struct metric_settings metrics;
    struct exporter_settings exporters[SETTINGS_SIGNALS];
    char *service_name;        /* NULL: not set */
    char *resource_attributes; /* as OTEL_RESOURCE_ATTRIBUTES; NULL: not set */
    struct slice resource;     /* attributes from code: encoded KeyValue fields of a Resource message; owned */
    struct view *views;
    size_t view_count;
    void *view_memory; /* what the views point into */
    weir_export_fn export_fn;
    void *export_user;
    weir_id_fn ids;
    void *ids_user;
    uint32_t memory_limit;
};

extern _Atomic(const struct settings *) settings_current;

/* Never NULL: the defaults until the first weir_init. */
static inline const struct settings *settings_now(void)
{
    return atomic_load_explicit(&settings_current, memory_order_acquire);
}

/* Reads code and environment; complains through diag about what it ignores. NULL when out of memory. */
struct settings *settings_create(const weir_config *config);
void settings_destroy(struct settings *settings);

/* Takes the settings. */
void settings_publish(struct settings *settings);

/* Copies the views of the configuration; false when out of memory. */
bool settings_copy_views(struct settings *settings, const weir_config *config);

/* ---- for the readers of single variables ---- */

/* Where values come from: code first, then the environment. */
struct settings_source {
    const weir_setting *settings;
    size_t count;
    bool no_environment;
};

/* NULL when unset; empty counts as unset. */
const char *settings_lookup(const struct settings_source *source, const char *name);

/* Endpoint, headers, protocol ... of the three signals; false when out of memory. */
bool settings_read_exporters(struct settings *settings, const struct settings_source *source);

/* A number in lower..upper; complains and returns false when it is none. */
bool settings_number(const char *name, const char *text, int64_t *out);

struct settings_choice {
    const char *name;
    int value;
};

/* The value of the choice that `text` names in any case; complains and returns false when it names none. The table ends in NULL. */
bool settings_choose(const char *name, const char *text, const struct settings_choice *choices, int *out);

#endif
