/*
 * The elasticsearch exporter's settings, shared by its files. What runs is in delivery.h, what is written in documents.h.
 */
#ifndef WEIR_EXPORTERS_ELASTICSEARCH_ELASTICSEARCH_H
#define WEIR_EXPORTERS_ELASTICSEARCH_ELASTICSEARCH_H

#include "collector/config/tree.h"
#include "collector/delivery.h"
#include "collector/settings.h"

enum elastic_mode { ELASTIC_NONE, ELASTIC_ECS, ELASTIC_OTEL, ELASTIC_RAW, ELASTIC_BODYMAP, ELASTIC_MODE_COUNT };

/* "none", "ecs" ... */
const char *elastic_mode_name(enum elastic_mode mode);
/* In any case; "" and "no" are none. ELASTIC_MODE_COUNT: there is no such mode. */
enum elastic_mode elastic_mode_of(struct slice name);

enum elastic_switch { ELASTIC_AUTO, ELASTIC_ON, ELASTIC_OFF };

enum { ELASTIC_STATUSES_MAX = 64, ELASTIC_ENDPOINTS_MAX = 256 };

struct elastic_settings {
    struct http_connect_settings http; /* options; http.endpoint is one of three ways to say where to */
    struct option_strings endpoints;   /* option */
    const char *cloud_id;              /* option */
    const char *user, *password, *api_key;
    const char *index[SIGNAL_COUNT]; /* options; NULL or "": by attributes */
    const char *pipeline;
    bool dynamic_id, dynamic_pipeline;
    struct {
        bool enabled;
        const char *prefix_separator, *date_format;
    } logstash;
    struct {
        const char *mode;
        struct option_strings allowed_modes;
    } mapping;
    int require_data_stream;     /* enum elastic_switch */
    int include_source_on_error; /* the same */
    struct {
        bool enabled;
        int64_t max_retries, max_requests, initial_interval_ns, max_interval_ns;
        const struct config_node *on_status; /* NULL: 429 */
    } retry;
    struct {
        bool on_start;
        int64_t interval_ns;
    } discover;
    struct {
        bool log_request_body, log_response_body, log_failed_docs_input;
        int64_t log_failed_docs_input_rate_limit_ns;
    } telemetry;
    const char *dead_letter_path; /* NULL or "": none */
    int64_t dead_letter_max_mib;
    bool setup_on_start;
    bool batch_enabled;
    int64_t num_workers; /* deprecated */
    struct {
        int64_t bytes, interval_ns;
    } flush; /* deprecated; 0: not set */
    struct {
        bool enabled;
        int64_t flush_timeout_ns, min_size, max_size; /* in items; 0: not set */
    } batcher;                                        /* deprecated */
    struct option_strings metadata_keys;
    struct delivery_settings delivery;

    /* made of the options by elastic_settings_check */
    enum elastic_mode mode;
    bool allowed[ELASTIC_MODE_COUNT];
    int64_t retry_statuses[ELASTIC_STATUSES_MAX];
    size_t retry_status_count;
    int64_t max_retries;  /* 0 with retry.enabled: false */
    size_t request_limit; /* bytes of documents in one request, about */
};

/* Checks across the options and makes what they come to. Opens nothing. */
bool elastic_settings_check(struct elastic_settings *settings, struct error *err);

/* What the exporter's instance begins with. */
struct elastic_exporter {
    struct component base;
    struct elastic_settings settings;
};

#endif
