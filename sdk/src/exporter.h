/*
 * One signal's way out: one request at a time to the endpoint, the file or the application's function, with retries,
 * until it is delivered, refused, or out of time. Never two at once.
 * OpenTelemetry specification: OTLP exporter; OTLP 1.9: failures, partial success, throttling.
 */
#ifndef WEIR_SDK_EXPORTER_H
#define WEIR_SDK_EXPORTER_H

#include "sdk/src/http.h"

enum exporter_state { EXPORTER_IDLE, EXPORTER_SENDING, EXPORTER_WAITING /* before a retry */ };

/* Totals; written by the exporter's thread, read by any. */
struct exporter_totals {
    _Atomic uint64_t exported, failed, requests, retries;
    _Atomic uint64_t busy_ms; /* time spent on requests */
};

struct exporter {
    weir_signal signal;
    const struct settings *settings;     /* borrowed; never freed */
    const struct exporter_settings *own; /* this signal's part of it */
    struct exporter_totals *totals;      /* borrowed */
    enum exporter_state state;
    struct buffer request; /* the Export*ServiceRequest under way; filled by the caller before exporter_begin */
    struct buffer packed;  /* as JSON or gzip, where that is sent */
    uint32_t items;
    int64_t began, deadline, retry_at; /* monotonic milliseconds; deadline INT64_MAX: none */
    unsigned attempt;
    char trouble[256]; /* why the last attempt failed; empty: there was none */
    uint64_t random; /* for jitter */
    struct http http;
    int file;            /* -1: not open */
    bool losing;         /* a warning was given, and no success came since */
    uint64_t lost_since; /* items lost since then */
    bool partial_reported;
};

void exporter_init(struct exporter *exporter, weir_signal signal, const struct settings *settings, struct exporter_totals *totals);
void exporter_fini(struct exporter *exporter);

/* Sends exporter->request, which holds `items`; timeout_ms 0: none beside the exporter's own. Only while idle. */
void exporter_begin(struct exporter *exporter, uint32_t items, int64_t timeout_ms);

/* Goes on without waiting; true when the request is over (then the exporter is idle). */
bool exporter_step(struct exporter *exporter);

/* When to step again if nothing happens on the socket; INT64_MAX: never. */
int64_t exporter_due(const struct exporter *exporter);

/* Gives up what is under way and counts it as failed. */
void exporter_abort(struct exporter *exporter, const char *why);

#endif
