/* Option tables and checks. Other discoveries than static, file, HTTP and DNS are known by name, so that they are refused by name. */
#include "receivers/prometheus/settings.h"

#include <errno.h>
#include <stdlib.h>
#include <unistd.h>

#include "collector/base/clock.h"
#include "collector/net/url.h"

#define TLS(field) offsetof(struct scrape_tls_settings, field)
#define OAUTH(field) offsetof(struct oauth2_settings, field)
#define HTTP(field) offsetof(struct scrape_http_settings, field)
#define SCRAPE(field) offsetof(struct scrape_settings, field)
#define LIMIT(field) offsetof(struct scrape_limits, field)
#define GLOBAL(field) offsetof(struct prometheus_settings, global.field)
#define ALL(field) offsetof(struct prometheus_settings, field)

#define TLS_VERSIONS "|TLS10|TLS11|TLS12|TLS13"
#define PROTOCOLS "PrometheusProto|OpenMetricsText1.0.0|OpenMetricsText0.0.1|PrometheusText1.0.0|PrometheusText0.0.4"

/* ---- HTTP ---- */

static const struct option tls_options[] = {
    { "ca", OPTION_STRING, TLS(ca), NULL, NULL, "certificates that the target's must be signed by, as PEM text" },
    { "cert", OPTION_STRING, TLS(cert), NULL, NULL, "own certificate, as PEM text" },
    { "key", OPTION_SECRET, TLS(key), NULL, NULL, "its key, as PEM text" },
    { "ca_file", OPTION_STRING, TLS(ca_file), NULL, NULL, "the same as ca, in a file" },
    { "cert_file", OPTION_STRING, TLS(cert_file), NULL, NULL, "the same as cert, in a file" },
    { "key_file", OPTION_STRING, TLS(key_file), NULL, NULL, "the same as key, in a file" },
    { "server_name", OPTION_STRING, TLS(server_name), NULL, NULL, "the name that the target's certificate must have" },
    { "insecure_skip_verify", OPTION_BOOL, TLS(insecure_skip_verify), "false", NULL, "TLS without checking whom one talks to" },
    { "min_version", OPTION_STRING, TLS(min_version), NULL, TLS_VERSIONS, "oldest TLS version spoken; none: TLS12" },
    { "max_version", OPTION_STRING, TLS(max_version), NULL, TLS_VERSIONS, "newest TLS version spoken" },
    { 0 },
};

static const struct option basic_options[] = {
    { "username", OPTION_STRING, HTTP(username), NULL, NULL, "name" },
    { "username_file", OPTION_STRING, HTTP(username_file), NULL, NULL, "file that holds it" },
    { "password", OPTION_SECRET, HTTP(password), NULL, NULL, "password" },
    { "password_file", OPTION_STRING, HTTP(password_file), NULL, NULL, "file that holds it" },
    { "username_ref", OPTION_UNSUPPORTED, 0, NULL, NULL, "a secret of a secret manager" },
    { "password_ref", OPTION_UNSUPPORTED, 0, NULL, NULL, "a secret of a secret manager" },
    { 0 },
};

static const struct option authorization_options[] = {
    { "type", OPTION_STRING, HTTP(authorization_type), "Bearer", "nonempty", "the header's first word" },
    { "credentials", OPTION_SECRET, HTTP(credentials), NULL, NULL, "what stands behind it" },
    { "credentials_file", OPTION_STRING, HTTP(credentials_file), NULL, NULL, "file that holds it" },
    { "credentials_ref", OPTION_UNSUPPORTED, 0, NULL, NULL, "a secret of a secret manager" },
    { 0 },
};

static const struct option oauth2_options[] = {
    { "client_id", OPTION_STRING, OAUTH(client_id), NULL, NULL, "the client's name" },
    { "client_secret", OPTION_SECRET, OAUTH(client_secret), NULL, NULL, "its secret" },
    { "client_secret_file", OPTION_STRING, OAUTH(client_secret_file), NULL, NULL, "file that holds it" },
    { "client_secret_ref", OPTION_UNSUPPORTED, 0, NULL, NULL, "a secret of a secret manager" },
    { "scopes", OPTION_STRINGS, OAUTH(scopes), NULL, NULL, "scopes to ask for" },
    { "token_url", OPTION_STRING, OAUTH(token_url), NULL, NULL, "where tokens come from" },
    { "endpoint_params", OPTION_PAIRS, OAUTH(endpoint_params), NULL, NULL, "more parameters of the token request", .flags = OPTION_HIDDEN },
    { "tls_config", OPTION_BLOCK, OAUTH(tls), NULL, NULL, "TLS to token_url", tls_options },
    { "proxy_url", OPTION_STRING, OAUTH(proxy_url), NULL, NULL, "proxy on the way to token_url" },
    { "no_proxy", OPTION_UNSUPPORTED, 0, NULL, NULL, "hosts that are reached without proxy_url" },
    { "proxy_from_environment", OPTION_BOOL, OAUTH(proxy_from_environment), "false", NULL, "use HTTP_PROXY, HTTPS_PROXY and NO_PROXY" },
    { "proxy_connect_header", OPTION_UNSUPPORTED, 0, NULL, NULL, "headers to the proxy" },
    { "grant_type", OPTION_UNSUPPORTED, 0, "client_credentials", NULL, "how tokens are asked for" },
    { 0 },
};

const struct option scrape_http_options[] = {
    { "basic_auth", OPTION_BLOCK, 0, NULL, NULL, "name and password", basic_options, .present = HTTP(basic_auth_present) },
    { "authorization", OPTION_BLOCK, 0, NULL, NULL, "the Authorization header", authorization_options,
        .present = HTTP(authorization_present) },
    { "oauth2", OPTION_BLOCK, HTTP(oauth2), NULL, NULL, "tokens by client credentials", oauth2_options, .present = HTTP(oauth2_present) },
    { "bearer_token", OPTION_SECRET, HTTP(bearer_token), NULL, NULL, "the former spelling of authorization.credentials" },
    { "bearer_token_file", OPTION_STRING, HTTP(bearer_token_file), NULL, NULL, "the former spelling of authorization.credentials_file" },
    { "tls_config", OPTION_BLOCK, HTTP(tls), NULL, NULL, "TLS", tls_options },
    { "proxy_url", OPTION_STRING, HTTP(proxy_url), NULL, NULL, "HTTP proxy" },
    { "no_proxy", OPTION_UNSUPPORTED, 0, NULL, NULL, "hosts that are reached without proxy_url" },
    { "proxy_from_environment", OPTION_BOOL, HTTP(proxy_from_environment), "false", NULL, "use HTTP_PROXY, HTTPS_PROXY and NO_PROXY" },
    { "proxy_connect_header", OPTION_UNSUPPORTED, 0, NULL, NULL, "headers to the proxy" },
    { "follow_redirects", OPTION_BOOL, HTTP(follow_redirects), "true", NULL, "go where the target says, ten times at most" },
    { "enable_http2", OPTION_IGNORED, 0, NULL, NULL, "targets are asked by HTTP/1.1" },
    { "http_headers", OPTION_ANY, HTTP(http_headers), NULL, NULL,
        "headers of every request: NAME: {values: [...], secrets: [...], files: [...]}" },
    { 0 },
};

/* ---- discovery ---- */

static const struct option static_options[] = {
    { "targets", OPTION_STRINGS, offsetof(struct static_settings, targets), NULL, NULL, "host:port" },
    { "labels", OPTION_PAIRS, offsetof(struct static_settings, labels), NULL, NULL, "labels of these targets" },
    { 0 },
};

static const struct option file_sd_options[] = {
    { "files", OPTION_STRINGS, offsetof(struct file_sd_settings, files), NULL, NULL, "JSON and YAML files; `*` stands for any name" },
    { "refresh_interval", OPTION_STRING, offsetof(struct file_sd_settings, refresh_interval), "5m", "nonempty",
        "read the files again at the latest after that time; a file that has changed is read within 5 s" },
    { 0 },
};

static const struct option http_sd_options[] = {
    { "url", OPTION_STRING, offsetof(struct http_sd_settings, url), NULL, "nonempty", "where the list of targets is",
        .flags = OPTION_REQUIRED },
    { "refresh_interval", OPTION_STRING, offsetof(struct http_sd_settings, refresh_interval), "1m", "nonempty", "between two looks" },
    { "", OPTION_INCLUDE, offsetof(struct http_sd_settings, http), NULL, NULL, NULL, scrape_http_options },
    { 0 },
};

static const struct option dns_sd_options[] = {
    { "names", OPTION_STRINGS, offsetof(struct dns_sd_settings, names), NULL, NULL, "names to look up" },
    { "type", OPTION_STRING, offsetof(struct dns_sd_settings, type), "SRV", "SRV|A|AAAA|MX|NS", "type of record" },
    { "port", OPTION_INT, offsetof(struct dns_sd_settings, port), "0", "0..65535", "port of the targets; SRV records have their own" },
    { "refresh_interval", OPTION_STRING, offsetof(struct dns_sd_settings, refresh_interval), "30s", "nonempty", "between two looks" },
    { 0 },
};

#define NOT_YET(name)                                                                                                                      \
    {                                                                                                                                      \
        name, OPTION_UNSUPPORTED, 0, NULL, NULL, "weir discovers by static_configs, file_sd_configs, http_sd_configs and dns_sd_configs"   \
    }

static const struct option other_sd_options[] = {
    NOT_YET("azure_sd_configs"),
    NOT_YET("aws_sd_configs"),
    NOT_YET("consul_sd_configs"),
    NOT_YET("digitalocean_sd_configs"),
    NOT_YET("docker_sd_configs"),
    NOT_YET("dockerswarm_sd_configs"),
    NOT_YET("ec2_sd_configs"),
    NOT_YET("eureka_sd_configs"),
    NOT_YET("gce_sd_configs"),
    NOT_YET("hetzner_sd_configs"),
    NOT_YET("ionos_sd_configs"),
    NOT_YET("kubernetes_sd_configs"),
    NOT_YET("kuma_sd_configs"),
    NOT_YET("lightsail_sd_configs"),
    NOT_YET("linode_sd_configs"),
    NOT_YET("marathon_sd_configs"),
    NOT_YET("nerve_sd_configs"),
    NOT_YET("nomad_sd_configs"),
    NOT_YET("openstack_sd_configs"),
    NOT_YET("ovhcloud_sd_configs"),
    NOT_YET("puppetdb_sd_configs"),
    NOT_YET("scaleway_sd_configs"),
    NOT_YET("serverset_sd_configs"),
    NOT_YET("stackit_sd_configs"),
    NOT_YET("triton_sd_configs"),
    NOT_YET("uyuni_sd_configs"),
    NOT_YET("vultr_sd_configs"),
    { 0 },
};

/* ---- scrape configurations ---- */

static const struct option limit_options[] = {
    { "body_size_limit", OPTION_STRING, LIMIT(body_size_limit), NULL, NULL, "longest page after decompression (\"10MB\"); none: 128MiB" },
    { "sample_limit", OPTION_INT, LIMIT(sample_limit), "0", "0..", "samples of a page after relabelling; 0: no limit" },
    { "target_limit", OPTION_INT, LIMIT(target_limit), "0", "0..",
        "targets of this configuration; with more, all scrapes fail; 0: no limit" },
    { "label_limit", OPTION_INT, LIMIT(label_limit), "0", "0..", "labels of a sample; 0: no limit" },
    { "label_name_length_limit", OPTION_INT, LIMIT(label_name_length_limit), "0", "0..", "bytes of a label's name; 0: no limit" },
    { "label_value_length_limit", OPTION_INT, LIMIT(label_value_length_limit), "0", "0..", "bytes of a label's value; 0: no limit" },
    { "keep_dropped_targets", OPTION_IGNORED, 0, NULL, NULL, "weir keeps no list of dropped targets" },
    { 0 },
};

const struct option scrape_options[] = {
    { "job_name", OPTION_STRING, SCRAPE(job_name), NULL, "nonempty", "label `job` of all targets", .flags = OPTION_REQUIRED },
    { "scrape_interval", OPTION_STRING, SCRAPE(scrape_interval), NULL, NULL, "between two scrapes; none: global.scrape_interval" },
    { "scrape_timeout", OPTION_STRING, SCRAPE(scrape_timeout), NULL, NULL, "for one scrape; none: global.scrape_timeout" },
    { "scrape_protocols", OPTION_STRINGS, SCRAPE(scrape_protocols), NULL, PROTOCOLS, "formats to ask for, the best first" },
    { "fallback_scrape_protocol", OPTION_STRING, SCRAPE(fallback_scrape_protocol), "PrometheusText0.0.4", "|" PROTOCOLS,
        "what a page is read as whose Content-Type is missing or unknown; \"\": refused" },
    { "scrape_native_histograms", OPTION_BOOL, SCRAPE(scrape_native_histograms), "false", NULL,
        "native histograms as exponential ones; asks for protobuf first" },
    { "always_scrape_classic_histograms", OPTION_BOOL, SCRAPE(always_scrape_classic_histograms), "false", NULL,
        "classic buckets beside native ones" },
    { "scrape_classic_histograms", OPTION_REMOVED, 0, NULL, NULL, "set always_scrape_classic_histograms" },
    { "convert_classic_histograms_to_nhcb", OPTION_UNSUPPORTED, 0, "false", NULL, "native histograms with custom buckets" },
    { "native_histogram_bucket_limit", OPTION_UNSUPPORTED, 0, "0", NULL, "buckets of a native histogram" },
    { "native_histogram_min_bucket_factor", OPTION_UNSUPPORTED, 0, "0", NULL, "coarser native histograms" },
    { "extra_scrape_metrics", OPTION_UNSUPPORTED, 0, "false", NULL, "more series about each scrape" },
    { "metrics_path", OPTION_STRING, SCRAPE(metrics_path), "/metrics", "nonempty", "path of the page" },
    { "scheme", OPTION_STRING, SCRAPE(scheme), "http", "http|https", "http or https" },
    { "params", OPTION_ANY, SCRAPE(params), NULL, NULL, "parameters of the URL: NAME: [VALUE, ...]" },
    { "honor_labels", OPTION_BOOL, SCRAPE(honor_labels), "false", NULL, "the page's labels win over the target's" },
    { "honor_timestamps", OPTION_BOOL, SCRAPE(honor_timestamps), "true", NULL, "take the page's timestamps" },
    { "track_timestamps_staleness", OPTION_BOOL, SCRAPE(track_timestamps_staleness), "false", NULL,
        "say when series with timestamps of their own have ended" },
    { "enable_compression", OPTION_BOOL, SCRAPE(enable_compression), "true", NULL, "ask for gzip" },
    { "metric_name_validation_scheme", OPTION_STRING, SCRAPE(validation_scheme), NULL, "|utf8|legacy",
        "which names are allowed; none: the global one" },
    { "metric_name_escaping_scheme", OPTION_UNSUPPORTED, 0, "allow-utf-8", NULL, "how targets write names" },
    { "", OPTION_INCLUDE, SCRAPE(limits), NULL, NULL, NULL, limit_options },
    { "", OPTION_INCLUDE, SCRAPE(http), NULL, NULL, NULL, scrape_http_options },
    { "relabel_configs", OPTION_LIST, SCRAPE(relabel_configs), NULL, NULL, "rules for targets", relabel_options,
        sizeof(struct relabel_settings) },
    { "metric_relabel_configs", OPTION_LIST, SCRAPE(metric_relabel_configs), NULL, NULL, "rules for samples", relabel_options,
        sizeof(struct relabel_settings) },
    { "static_configs", OPTION_LIST, SCRAPE(static_configs), NULL, NULL, "targets", static_options, sizeof(struct static_settings) },
    { "file_sd_configs", OPTION_LIST, SCRAPE(file_sd_configs), NULL, NULL, "targets from files", file_sd_options,
        sizeof(struct file_sd_settings) },
    { "http_sd_configs", OPTION_LIST, SCRAPE(http_sd_configs), NULL, NULL, "targets from a web service", http_sd_options,
        sizeof(struct http_sd_settings) },
    { "dns_sd_configs", OPTION_LIST, SCRAPE(dns_sd_configs), NULL, NULL, "targets from DNS", dns_sd_options,
        sizeof(struct dns_sd_settings) },
    { "", OPTION_INCLUDE, 0, NULL, NULL, NULL, other_sd_options },
    { 0 },
};

static const struct option global_options[] = {
    { "scrape_interval", OPTION_STRING, GLOBAL(scrape_interval), "1m", "nonempty", "between two scrapes" },
    { "scrape_timeout", OPTION_STRING, GLOBAL(scrape_timeout), NULL, NULL,
        "for one scrape; none: 10s, or the interval when that is shorter" },
    { "scrape_protocols", OPTION_STRINGS, GLOBAL(scrape_protocols), NULL, PROTOCOLS, "formats to ask for, the best first" },
    { "external_labels", OPTION_PAIRS, GLOBAL(external_labels), NULL, NULL, "labels of every sample" },
    { "metric_name_validation_scheme", OPTION_STRING, GLOBAL(validation_scheme), "utf8", "utf8|legacy", "which names are allowed" },
    { "metric_name_escaping_scheme", OPTION_UNSUPPORTED, 0, "allow-utf-8", NULL, "how targets write names" },
    { "scrape_native_histograms", OPTION_BOOL, GLOBAL(scrape_native_histograms), "false", NULL, "for all scrape configurations" },
    { "always_scrape_classic_histograms", OPTION_BOOL, GLOBAL(always_scrape_classic_histograms), "false", NULL,
        "for all scrape configurations" },
    { "convert_classic_histograms_to_nhcb", OPTION_UNSUPPORTED, 0, "false", NULL, "native histograms with custom buckets" },
    { "extra_scrape_metrics", OPTION_UNSUPPORTED, 0, "false", NULL, "more series about each scrape" },
    { "evaluation_interval", OPTION_IGNORED, 0, NULL, NULL, "there are no rules" },
    { "rule_query_offset", OPTION_IGNORED, 0, NULL, NULL, "there are no rules" },
    { "query_log_file", OPTION_IGNORED, 0, NULL, NULL, "there are no queries" },
    { "scrape_failure_log_file", OPTION_UNSUPPORTED, 0, NULL, NULL, "failures are in weir's log" },
    { "", OPTION_INCLUDE, GLOBAL(limits), NULL, NULL, NULL, limit_options },
    { 0 },
};

static const struct option config_options[] = {
    { "global", OPTION_BLOCK, 0, NULL, NULL, "defaults of all scrape configurations", global_options },
    { "scrape_configs", OPTION_LIST, ALL(scrape_configs), NULL, NULL, "what is scraped", scrape_options, sizeof(struct scrape_settings) },
    { "scrape_config_files", OPTION_STRINGS, ALL(scrape_config_files), NULL, NULL,
        "files with more scrape_configs; `*` stands for any name" },
    { "rule_files", OPTION_UNSUPPORTED, 0, NULL, NULL, "weir evaluates no rules" },
    { "alerting", OPTION_UNSUPPORTED, 0, NULL, NULL, "weir sends no alerts" },
    { "remote_write", OPTION_UNSUPPORTED, 0, NULL, NULL, "use an exporter" },
    { "remote_read", OPTION_UNSUPPORTED, 0, NULL, NULL, "weir stores nothing" },
    { "storage", OPTION_UNSUPPORTED, 0, NULL, NULL, "weir stores nothing" },
    { "tracing", OPTION_UNSUPPORTED, 0, NULL, NULL, "weir does not trace itself" },
    { "otlp", OPTION_UNSUPPORTED, 0, NULL, NULL, "use the otlp receiver" },
    { "runtime", OPTION_IGNORED, 0, NULL, NULL, "it is about Go's memory" },
    { 0 },
};

static const struct option api_server_options[] = {
    { "enabled", OPTION_UNSUPPORTED, 0, "false", NULL, "Prometheus' API for targets and configuration" },
    { "server_config", OPTION_IGNORED, 0, NULL, NULL, "there is no such server" },
    { 0 },
};

const struct option prometheus_options[] = {
    { "config", OPTION_BLOCK, 0, NULL, NULL, "a Prometheus configuration; a dollar sign is written $$", config_options },
    { "trim_metric_suffixes", OPTION_BOOL, ALL(trim_metric_suffixes), "false", NULL, "names without _total and units" },
    { "initial_scrape_offset", OPTION_DURATION, ALL(initial_scrape_offset_ns), "0s", "0s..1h", "wait before the first scrapes" },
    { "target_allocator", OPTION_UNSUPPORTED, 0, NULL, NULL, "targets from an OpenTelemetry operator" },
    { "api_server", OPTION_BLOCK, 0, NULL, NULL, "Prometheus' API", api_server_options },
    { "scrape_on_shutdown", OPTION_UNSUPPORTED, 0, "false", NULL, "one more scrape at the end" },
    { "discovery_reload_on_startup", OPTION_IGNORED, 0, NULL, NULL, "targets are looked for at once" },
    { "ignore_metadata", OPTION_UNSUPPORTED, 0, "false", NULL, "metrics without their types" },
    { "use_start_time_metric", OPTION_IGNORED, 0, NULL, NULL, "start times are found from the values" },
    { "start_time_metric_regex", OPTION_IGNORED, 0, NULL, NULL, "start times are found from the values" },
    { "report_extra_scrape_metrics", OPTION_UNSUPPORTED, 0, "false", NULL, "more series about each scrape" },
    { 0 },
};

/* ---- notations ---- */

bool scrape_parse_duration(const char *text, int64_t *nanoseconds)
{
    static const struct {
        const char *name;
        int64_t ns;
    } units[] = { { "ms", NANOS_PER_MILLI }, { "y", 365 * 86400 * NANOS_PER_SECOND }, { "w", 7 * 86400 * NANOS_PER_SECOND },
        { "d", 86400 * NANOS_PER_SECOND }, { "h", 3600 * NANOS_PER_SECOND }, { "m", 60 * NANOS_PER_SECOND }, { "s", NANOS_PER_SECOND } };
    const char *at = text;
    int64_t total = 0;

    if (strcmp(text, "0") == 0) {
        *nanoseconds = 0;
        return true;
    }
    while (*at != '\0') {
        char *end;
        int64_t count = *at >= '0' && *at <= '9' ? strtoll(at, &end, 10) : -1, part;
        size_t i = 0;

        if (count < 0)
            return false;
        while (i < sizeof(units) / sizeof(units[0]) && strncmp(end, units[i].name, strlen(units[i].name)) != 0)
            i++;
        if (i == sizeof(units) / sizeof(units[0]) || __builtin_mul_overflow(count, units[i].ns, &part) ||
            __builtin_add_overflow(total, part, &total))
            return false;
        at = end + strlen(units[i].name);
    }
    *nanoseconds = total;
    return at > text;
}

/* "10MB", "1GiB", "512": units of 1024, as Prometheus has them. */
static bool parse_size(const char *text, int64_t *bytes)
{
    static const char letters[] = "KMGTPE";
    const char *letter;
    char *end;
    int shift = 0;

    if (*text < '0' || *text > '9')
        return false;
    *bytes = strtoll(text, &end, 10);
    letter = *end != '\0' ? strchr(letters, *end) : NULL;
    if (letter != NULL) {
        shift = 10 * (int)(letter - letters + 1);
        end++;
        end += *end == 'i';
    }
    end += *end == 'B';
    return *end == '\0' && *bytes <= INT64_MAX >> shift && (*bytes <<= shift, true);
}

struct slice scrape_list_item(const struct config_node *list, size_t n)
{
    const struct config_node *item = list != NULL && list->kind == CONFIG_LIST ? list->children : list;

    if (list != NULL && list->kind == CONFIG_SCALAR)
        return n == 0 ? slice_of_string(list->text) : (struct slice){ NULL, 0 };
    for (; item != NULL && list->kind == CONFIG_LIST && n > 0; n--)
        item = item->next;
    if (item == NULL || item->kind != CONFIG_SCALAR)
        return (struct slice){ NULL, 0 };
    return slice_of_string(item->text);
}

/* ---- checks ---- */

static bool check_both(const char *text, const char *file, const char *name, struct error *err)
{
    return text == NULL || file == NULL || fail(err, "%s and %s_file are the same in two ways; leave one out", name, name);
}

static bool check_file(const char *path, const char *key, struct error *err)
{
    return path == NULL || access(path, R_OK) == 0 || fail(err, "%s: could not read \"%s\": %s", key, path, strerror(errno));
}

static bool check_tls(const struct scrape_tls_settings *tls, struct error *err)
{
    if ((tls->cert != NULL || tls->cert_file != NULL) != (tls->key != NULL || tls->key_file != NULL))
        return fail(err, "tls_config: a certificate needs its key, and a key its certificate");
    if (!check_both(tls->ca, tls->ca_file, "ca", err) || !check_both(tls->cert, tls->cert_file, "cert", err) ||
        !check_both(tls->key, tls->key_file, "key", err))
        return fail_within(err, "tls_config");
    return (check_file(tls->ca_file, "ca_file", err) && check_file(tls->cert_file, "cert_file", err) &&
               check_file(tls->key_file, "key_file", err)) ||
           fail_within(err, "tls_config");
}

static bool check_oauth2(const struct oauth2_settings *settings, struct error *err)
{
    struct url url;

    if (settings->client_id == NULL || settings->token_url == NULL)
        return fail(err, "oauth2: client_id and token_url are required");
    if (!url_parse(settings->token_url, &url, err))
        return fail_within(err, "oauth2.token_url");
    return check_both(settings->client_secret, settings->client_secret_file, "client_secret", err) || fail_within(err, "oauth2");
}

bool scrape_http_check(const struct scrape_http_settings *settings, struct error *err)
{
    bool bearer = settings->bearer_token != NULL || settings->bearer_token_file != NULL;

    if (settings->basic_auth_present + settings->authorization_present + settings->oauth2_present + bearer > 1)
        return fail(err, "only one of basic_auth, authorization, oauth2 and bearer_token may be there");
    if (!check_both(settings->username, settings->username_file, "username", err) ||
        !check_both(settings->password, settings->password_file, "password", err))
        return fail_within(err, "basic_auth");
    if (!check_both(settings->credentials, settings->credentials_file, "credentials", err))
        return fail_within(err, "authorization");
    if (!check_both(settings->bearer_token, settings->bearer_token_file, "bearer_token", err))
        return false;
    if (settings->authorization_present && strcasecmp(settings->authorization_type, "basic") == 0)
        return fail(err, "authorization.type: for Basic use basic_auth");
    if (settings->proxy_url != NULL && settings->proxy_from_environment)
        return fail(err, "proxy_url and proxy_from_environment exclude each other");
    if (!check_file(settings->credentials_file, "authorization.credentials_file", err) ||
        !check_file(settings->bearer_token_file, "bearer_token_file", err) ||
        !check_file(settings->password_file, "basic_auth.password_file", err))
        return false;
    if (!check_tls(&settings->tls, err))
        return false;
    return !settings->oauth2_present || (check_tls(&settings->oauth2.tls, err) && check_oauth2(&settings->oauth2, err));
}

static bool check_duration(const char *text, const char *key, int64_t *nanoseconds, struct error *err)
{
    if (!scrape_parse_duration(text, nanoseconds))
        return fail(err, "%s: \"%s\" is not a duration as Prometheus writes them, such as 30s or 1m30s", key, text);
    return true;
}

static bool check_refresh(const char *text, const char *key, int64_t *nanoseconds, struct error *err)
{
    if (!check_duration(text, "refresh_interval", nanoseconds, err))
        return fail_within(err, "%s", key);
    return *nanoseconds >= NANOS_PER_SECOND || fail(err, "%s: refresh_interval: must be 1s at least", key);
}

static bool check_discoveries(struct scrape_settings *scrape, struct error *err)
{
    struct file_sd_settings *files = (struct file_sd_settings *)(uintptr_t)scrape->file_sd_configs.items;
    struct http_sd_settings *https = (struct http_sd_settings *)(uintptr_t)scrape->http_sd_configs.items;
    struct dns_sd_settings *names = (struct dns_sd_settings *)(uintptr_t)scrape->dns_sd_configs.items;
    struct url url;

    for (size_t i = 0; i < scrape->file_sd_configs.count; i++)
        if (!check_refresh(files[i].refresh_interval, "file_sd_configs", &files[i].refresh_ns, err))
            return false;
    for (size_t i = 0; i < scrape->http_sd_configs.count; i++)
        if (!check_refresh(https[i].refresh_interval, "http_sd_configs", &https[i].refresh_ns, err) ||
            !url_parse(https[i].url, &url, err) || !scrape_http_check(&https[i].http, err))
            return fail_within(err, "http_sd_configs[%zu]", i);
    for (size_t i = 0; i < scrape->dns_sd_configs.count; i++) {
        if (!check_refresh(names[i].refresh_interval, "dns_sd_configs", &names[i].refresh_ns, err))
            return false;
        if (strcmp(names[i].type, "SRV") != 0 && names[i].port == 0)
            return fail(err, "dns_sd_configs: a port is required for %s records", names[i].type);
    }
    return true;
}

static bool check_rules(const struct scrape_settings *scrape, struct error *err)
{
    struct relabel_rules *rules = relabel_create(&scrape->relabel_configs, err);

    if (rules == NULL)
        return fail_within(err, "relabel_configs");
    relabel_destroy(rules);
    rules = relabel_create(&scrape->metric_relabel_configs, err);
    if (rules == NULL)
        return fail_within(err, "metric_relabel_configs");
    relabel_destroy(rules);
    return true;
}

static enum scrape_protocol protocol_of(const char *name)
{
    static const char *const names[SCRAPE_PROTOCOLS] = { "PrometheusProto", "OpenMetricsText1.0.0", "OpenMetricsText0.0.1",
        "PrometheusText1.0.0", "PrometheusText0.0.4" };
    int i = 0;

    while (i < SCRAPE_PROTOCOLS - 1 && strcmp(names[i], name) != 0)
        i++;
    return (enum scrape_protocol)i;
}

static enum page_format format_of(enum scrape_protocol protocol)
{
    if (protocol == PROTOCOL_PROTOBUF)
        return PAGE_PROTOBUF;
    return protocol == PROTOCOL_TEXT_0 || protocol == PROTOCOL_TEXT_1 ? PAGE_TEXT : PAGE_OPENMETRICS;
}

static bool set_protocols(struct scrape_settings *scrape, const struct global_settings *global, struct error *err)
{
    const struct option_strings *wanted = scrape->scrape_protocols.count > 0 ? &scrape->scrape_protocols : &global->scrape_protocols;

    scrape->protocol_count = 0;
    if (wanted->count == 0) {
        for (int i = scrape->scrape_native_histograms ? PROTOCOL_PROTOBUF : PROTOCOL_OPENMETRICS_1; i < SCRAPE_PROTOCOLS; i++)
            scrape->protocols[scrape->protocol_count++] = (enum scrape_protocol)i;
    }
    for (size_t i = 0; i < wanted->count; i++) {
        enum scrape_protocol protocol = protocol_of(wanted->items[i]);

        for (size_t j = 0; j < scrape->protocol_count; j++)
            if (scrape->protocols[j] == protocol)
                return fail(err, "scrape_protocols: \"%s\" is there twice", wanted->items[i]);
        scrape->protocols[scrape->protocol_count++] = protocol;
    }
    scrape->has_fallback = scrape->fallback_scrape_protocol != NULL && scrape->fallback_scrape_protocol[0] != '\0';
    if (scrape->has_fallback)
        scrape->fallback = format_of(protocol_of(scrape->fallback_scrape_protocol));
    return true;
}

static bool set_times(struct scrape_settings *scrape, const struct global_settings *global, struct error *err)
{
    const char *interval = scrape->scrape_interval != NULL ? scrape->scrape_interval : global->scrape_interval;
    const char *timeout = scrape->scrape_timeout != NULL ? scrape->scrape_timeout : global->scrape_timeout;

    if (!check_duration(interval, "scrape_interval", &scrape->interval_ns, err))
        return false;
    if (scrape->interval_ns < 10 * NANOS_PER_MILLI)
        return fail(err, "scrape_interval: \"%s\" is too short; 10ms is the least", interval);
    if (timeout == NULL) {
        scrape->timeout_ns = scrape->interval_ns < 10 * NANOS_PER_SECOND ? scrape->interval_ns : 10 * NANOS_PER_SECOND;
        return true;
    }
    if (!check_duration(timeout, "scrape_timeout", &scrape->timeout_ns, err))
        return false;
    if (scrape->timeout_ns > scrape->interval_ns && scrape->scrape_timeout == NULL)
        scrape->timeout_ns = scrape->interval_ns;
    return (scrape->timeout_ns > 0 && scrape->timeout_ns <= scrape->interval_ns) ||
           fail(err, "scrape_timeout: \"%s\" must be above 0 and not longer than the interval, %s", timeout, interval);
}

enum { BODY_LIMIT = 128 << 20 };

static bool set_limits(struct scrape_limits *own, const struct scrape_limits *global, int64_t *body_limit, struct error *err)
{
    const int64_t *from = &global->sample_limit;
    int64_t *to = &own->sample_limit;

    for (size_t i = 0; i < 5; i++)
        to[i] = to[i] > 0 ? to[i] : from[i];
    if (own->body_size_limit == NULL)
        own->body_size_limit = global->body_size_limit;
    *body_limit = 0;
    if (own->body_size_limit != NULL && !parse_size(own->body_size_limit, body_limit))
        return fail(err, "body_size_limit: \"%s\" is not a size, such as 10MB", own->body_size_limit);
    if (*body_limit == 0)
        *body_limit = BODY_LIMIT;
    return true;
}

static bool check_params(const struct config_node *params, struct error *err)
{
    if (params == NULL)
        return true;
    if (params->kind != CONFIG_MAP)
        return fail(err, "params: expected a map of lists");
    for (const struct config_node *param = params->children; param != NULL; param = param->next)
        if (param->kind != CONFIG_LIST && param->kind != CONFIG_SCALAR)
            return fail(err, "params.%s: expected a list of values", param->key);
    return true;
}

static bool check_scrape(struct scrape_settings *scrape, const struct global_settings *global, struct error *err)
{
    scrape->scrape_native_histograms = scrape->scrape_native_histograms || global->scrape_native_histograms;
    scrape->always_scrape_classic_histograms = scrape->always_scrape_classic_histograms || global->always_scrape_classic_histograms;
    if (scrape->validation_scheme == NULL || scrape->validation_scheme[0] == '\0')
        scrape->validation_scheme = global->validation_scheme;
    return set_times(scrape, global, err) && set_protocols(scrape, global, err) &&
           set_limits(&scrape->limits, &global->limits, &scrape->body_limit, err) && check_params(scrape->params, err) &&
           scrape_http_check(&scrape->http, err) && check_discoveries(scrape, err) && check_rules(scrape, err);
}

bool prometheus_settings_check(struct prometheus_settings *settings, struct error *err)
{
    struct scrape_settings *scrapes = (struct scrape_settings *)(uintptr_t)settings->scrape_configs.items;

    for (size_t i = 0; i < settings->scrape_configs.count; i++) {
        if (!check_scrape(&scrapes[i], &settings->global, err))
            return fail_within(err, "config.scrape_configs[%zu]", i);
        for (size_t j = 0; j < i; j++)
            if (strcmp(scrapes[i].job_name, scrapes[j].job_name) == 0)
                return fail(err, "config.scrape_configs[%zu]: job_name \"%s\" is there twice", i, scrapes[i].job_name);
    }
    return true;
}
