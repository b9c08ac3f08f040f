/*
 * Where targets come from: each function looks once and gives the labels of every target it finds. Blocking; memory that is out ends the
 * program, as for any configuration.
 */
#ifndef WEIR_RECEIVERS_PROMETHEUS_DISCOVERY_H
#define WEIR_RECEIVERS_PROMETHEUS_DISCOVERY_H

#include "collector/base/arena.h"
#include "receivers/prometheus/fetch.h"

enum { DISCOVERED_MAX = 100000 };

struct discovered_target {
    struct label *labels; /* in the arena */
    size_t count, capacity;
};

struct discovered {
    struct arena arena;
    struct discovered_target **targets; /* in the arena */
    size_t count, capacity;
};
void discovered_fini(struct discovered *found);

/* A target more; NULL: there are DISCOVERED_MAX. The text is copied. */
struct discovered_target *discovered_add(struct discovered *found, struct slice address);
void discovered_label(struct discovered *found, struct discovered_target *target, struct slice name, struct slice value);

void discover_static(const struct option_list *settings, struct discovered *found);

/* *fingerprint: of the files' names, sizes and times; when it is as it was, nothing is read and *same is set. */
struct file_look {
    uint64_t fingerprint;
    bool same;
};
bool discover_files(const struct file_sd_settings *settings, struct file_look *look, struct discovered *found, struct error *err);

bool discover_http(const struct http_sd_settings *settings, struct fetcher *fetcher, struct discovered *found, struct error *err);
bool discover_dns(const struct dns_sd_settings *settings, struct discovered *found, struct error *err);

/* ---- the pure parts ---- */

/* A list of {targets: [...], labels: {...}}, in YAML or JSON; each target gets the label `source_name` too. */
struct group_list {
    struct slice text;
    const char *file; /* for errors */
    struct slice source_name, source;
};
bool discovery_read_groups(const struct group_list *list, struct discovered *found, struct error *err);

/* A DNS answer's records of the wanted type (RFC 1035). */
bool discovery_read_dns(
    struct slice answer, const char *name, const struct dns_sd_settings *settings, struct discovered *found, struct error *err);

#endif
