/*
 * The receiver's settings: a Prometheus configuration's global and scrape_configs, as they stand.
 *
 * The option tables fill the structs; scrape_settings_check then puts in what a scrape configuration takes from `global`, and turns Prometheus'
 * notations (durations, sizes, protocols) into numbers.
 */
#ifndef WEIR_RECEIVERS_PROMETHEUS_SETTINGS_H
#define WEIR_RECEIVERS_PROMETHEUS_SETTINGS_H

#include "collector/component.h"
#include "receivers/prometheus/page.h"
#include "receivers/prometheus/relabel.h"

/* ---- how one talks HTTP: of a scrape configuration, of http_sd, of OAuth2's token endpoint ---- */

struct scrape_tls_settings {
    const char *ca, *cert, *key, *ca_file, *cert_file, *key_file, *server_name, *min_version, *max_version;
    bool insecure_skip_verify;
};

struct oauth2_settings {
    const char *client_id, *client_secret, *client_secret_file, *token_url, *proxy_url, *no_proxy;
    struct option_strings scopes;
    struct option_pairs endpoint_params;
    struct scrape_tls_settings tls;
    bool proxy_from_environment;
};

struct scrape_http_settings {
    const char *username, *username_file, *password, *password_file; /* basic_auth */
    const char *authorization_type, *credentials, *credentials_file; /* authorization */
    const char *bearer_token, *bearer_token_file;                    /* the old way */
    struct oauth2_settings oauth2;
    struct scrape_tls_settings tls;
    const char *proxy_url, *no_proxy;
    const struct config_node *http_headers; /* NAME: {values, secrets, files} */
    bool basic_auth_present, authorization_present, oauth2_present, proxy_from_environment, follow_redirects;
};
extern const struct option scrape_http_options[];

/* Errors name the key. */
bool scrape_http_check(const struct scrape_http_settings *settings, struct error *err);

/* ---- where targets come from ---- */

struct static_settings {
    struct option_strings targets;
    struct option_pairs labels;
};

struct file_sd_settings {
    struct option_strings files;
    const char *refresh_interval;
    int64_t refresh_ns;
};

struct http_sd_settings {
    const char *url, *refresh_interval;
    int64_t refresh_ns;
    struct scrape_http_settings http;
};

struct dns_sd_settings {
    struct option_strings names;
    const char *type, *refresh_interval; /* type: "SRV" ... */
    int64_t port, refresh_ns;
};

/* ---- a scrape configuration ---- */

struct scrape_limits {
    int64_t sample_limit, target_limit, label_limit, label_name_length_limit, label_value_length_limit;
    const char *body_size_limit;
};

enum { SCRAPE_PROTOCOLS = 5 };
enum scrape_protocol { PROTOCOL_PROTOBUF, PROTOCOL_OPENMETRICS_1, PROTOCOL_OPENMETRICS_0, PROTOCOL_TEXT_1, PROTOCOL_TEXT_0 };

struct scrape_settings {
    const char *job_name, *scrape_interval, *scrape_timeout, *metrics_path, *scheme, *fallback_scrape_protocol, *validation_scheme;
    const struct config_node *params;
    struct option_strings scrape_protocols;
    struct scrape_limits limits;
    bool honor_labels, honor_timestamps, track_timestamps_staleness, enable_compression;
    bool scrape_native_histograms, always_scrape_classic_histograms;
    struct scrape_http_settings http;
    struct option_list relabel_configs, metric_relabel_configs; /* struct relabel_settings */
    struct option_list static_configs, file_sd_configs, http_sd_configs, dns_sd_configs;

    /* by scrape_settings_check */
    int64_t interval_ns, timeout_ns, body_limit;
    enum scrape_protocol protocols[SCRAPE_PROTOCOLS];
    size_t protocol_count;
    enum page_format fallback;
    bool has_fallback;
};

struct global_settings {
    const char *scrape_interval, *scrape_timeout, *validation_scheme;
    struct option_strings scrape_protocols;
    struct option_pairs external_labels;
    struct scrape_limits limits;
    bool scrape_native_histograms, always_scrape_classic_histograms;
};

struct prometheus_receiver;

struct prometheus_settings {
    struct global_settings global;
    struct option_list scrape_configs; /* struct scrape_settings */
    struct option_strings scrape_config_files;
    bool trim_metric_suffixes;
    int64_t initial_scrape_offset_ns;
};
extern const struct option prometheus_options[]; /* offsets into struct prometheus_settings */
extern const struct option scrape_options[];     /* of one scrape configuration */

/* Checks all scrape configurations, fills in what is theirs by default; errors name the key. Again is fine. */
bool prometheus_settings_check(struct prometheus_settings *settings, struct error *err);

/* "1m30s", "1d", "500ms", as Prometheus writes durations. */
bool scrape_parse_duration(const char *text, int64_t *nanoseconds);

/* The nth value of a header, or of a parameter: data NULL: no more. */
struct slice scrape_list_item(const struct config_node *list, size_t n);

#endif
