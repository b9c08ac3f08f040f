/*
 * GET requests as Prometheus makes them: credentials of four kinds, headers, redirects, gzip. Blocking; may be used from several threads.
 */
#ifndef WEIR_RECEIVERS_PROMETHEUS_FETCH_H
#define WEIR_RECEIVERS_PROMETHEUS_FETCH_H

#include "collector/base/payload.h"
#include "collector/net/http_client.h"
#include "receivers/prometheus/settings.h"

struct fetcher;

/* timeout: for a whole request, redirects and all. Settings: borrowed. Reads the TLS files now. */
struct fetcher *fetcher_create(const struct scrape_http_settings *settings, int64_t timeout_ns, struct error *err);
void fetcher_destroy(struct fetcher *fetcher);
/* Calls under way end soon. */
void fetcher_cancel(struct fetcher *fetcher);

struct fetch {
    const char *url;
    const char *const *headers; /* "Name: value", NULL-terminated */
    int64_t body_limit;         /* of the page, decompressed */
    struct http_answer answer;  /* zeroed before the first use; its memory is used again */
    struct payload *plain;      /* owned; the decompressed page. NULL: it came as it is */
    struct slice body;          /* the page; within the answer or the payload */
};

/* false with the error when there is no page: no answer, a status other than 200, too long, not decompressible. */
bool fetcher_get(struct fetcher *fetcher, struct fetch *fetch, struct error *err);
void fetch_fini(struct fetch *fetch);

#endif
