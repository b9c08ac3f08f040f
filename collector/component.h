/*
 * Components: receivers, processors, connectors, exporters and extensions, each one const descriptor at the bottom of
 * its file, listed once in registry.c.
 *
 * The core allocates the zeroed instance, fills its options, sets `next`, calls validate, then start, and calls stop exactly once
 * whatever start returned.
 *
 * Threads: validate, start and stop run on the control thread, never beside each other. consume runs on any thread,
 * also several at once, between start and stop. Nothing is consumed after stop has returned.
 */
#ifndef WEIR_COLLECTOR_COMPONENT_H
#define WEIR_COLLECTOR_COMPONENT_H

#include "collector/base/error.h"
#include "collector/batch.h"
#include "collector/config/option.h"

enum component_kind { COMPONENT_RECEIVER, COMPONENT_PROCESSOR, COMPONENT_CONNECTOR, COMPONENT_EXPORTER, COMPONENT_EXTENSION, COMPONENT_KIND_COUNT };

enum component_stability { STABILITY_ALPHA, STABILITY_BETA, STABILITY_STABLE };

struct component;
struct authenticator;
struct storage_access;

/* Whatever takes a batch. The first member of a component; queues, batchers and retries are consumers too. */
struct consumer {
    void (*consume)(struct consumer *self, struct batch *batch); /* takes the batch; it must end in one batch_settle */
    struct component *component; /* who is counted; borrowed, as long as the consumer */
};

/* The one hop between consumers: counts, asserts, passes on. Takes the batch. batch NULL is fine (nothing left of it). */
void consume(struct consumer *next, struct batch *batch);

struct component_type {
    const char *name;             /* the current one: "otlp_grpc" */
    const char *const *aliases;   /* former names, NULL-terminated; NULL: none */
    enum component_kind kind;
    unsigned signals;             /* enum signal_set: what is consumed or produced */
    unsigned outputs[SIGNAL_COUNT]; /* connectors: enum signal_set that comes out of each signal; all 0: the same signal */
    enum component_stability stability;
    const char *summary;          /* one sentence for the docs */
    const struct option *options;
    size_t instance_size;
    /* checks across options, opens nothing; NULL: none. Errors get the component's path and position. */
    bool (*validate)(struct component *self, struct error *err);
    bool (*start)(struct component *self, struct error *err); /* NULL: nothing to start */
    void (*stop)(struct component *self);                     /* NULL: nothing to stop; stop without start is fine */
    void (*consume)(struct component *self, struct batch *batch); /* processors, connectors, exporters */
    /* Processors that hold batches: pass on all that is held. Called before stop, from the first to the last. NULL: holds nothing. */
    void (*drain)(struct component *self);
    /*
     * Processors that hold state: takes over what `predecessor` holds, a started instance of the same id and pipeline with other
     * settings that a reload replaces. After start, while nothing is consumed; the predecessor is drained and stopped next. NULL: it is drained only.
     */
    void (*inherit)(struct component *self, struct component *predecessor);
    /* Exporters that block: attempts under way end soon (as retry), later ones at once. Any thread; stop follows. NULL: never blocks. */
    void (*cancel)(struct component *self);
    /* Bytes may be refused before they are allocated: false refuses. memory_limiter only. */
    bool (*admit)(struct component *self, size_t bytes);
    /* Where the exporter's options keep struct delivery_settings (delivery.h); 0: it is called without a queue. */
    size_t delivery_offset;
    const struct authenticator *authenticator; /* extensions that authenticate */
    const struct storage_access *storage;      /* extensions that store (storage_access.h) */
};

struct component {
    struct consumer consumer;         /* first: a component is a consumer */
    const struct component_type *type;
    const char *id;                   /* as configured: "otlp/2"; lives as long as the component */
    const char *path;                 /* "exporters.otlp/2": for log lines and errors */
    struct consumer *next[SIGNAL_COUNT]; /* where batches of a signal go on; NULL: nowhere. Borrowed; valid from start to stop */
    struct instance *instance;        /* private to the core */
    void *accounts;                   /* private to the core: counters */
};

/* Sends a batch to next[batch->signal]; a signal that no pipeline takes is settled as rejected. Takes the batch. */
void component_emit(struct component *self, struct batch *batch);

/* Receivers: does a pipeline take that signal from it? May change at a reload. Any thread. */
bool component_takes(const struct component *receiver, enum signal signal);

/* Receivers: may `bytes` more come in? Asks every memory_limiter of the pipelines behind this receiver. */
bool component_admit(struct component *receiver, size_t bytes);

/* Receivers: should new requests wait for a moment, since destinations take data more slowly than it comes in? */
bool component_crowded(struct component *receiver);

/* Receivers: counts what became of `records` of one request (otelcol_receiver_accepted_*, _refused_*). transport: "grpc", "http" ... */
void component_count_received(struct component *receiver, enum signal signal, const char *transport, size_t records, struct outcome outcome);

/* Counts records that end here: dropped or refused, by reason (a short static word). */
void component_count_dropped(struct component *self, enum signal signal, const char *reason, size_t records);

/* Counts strings that were not UTF-8 and were repaired. */
void component_count_repaired(struct component *self, enum signal signal, size_t strings);

/* Exporters: counts what was sent (otelcol_exporter_sent_*) or failed for good (_send_failed_*). */
void component_count_sent(struct component *exporter, enum signal signal, size_t records, struct outcome outcome);

/* ---- extensions that authenticate ---- */

struct auth_request {
    void *context;
    /* nth value (from 0) of a header in any case; data NULL: none */
    struct slice (*header)(void *context, const char *name, size_t nth);
};

struct authenticator {
    /* Server side: true when the request may pass. Any thread. NULL: client side only. */
    bool (*check)(struct component *extension, const struct auth_request *request, struct error *err);
    /* Client side: appends "Name: value" headers, each ended by one '\n'. Any thread. NULL: server side only. */
    bool (*headers)(struct component *extension, struct buffer *out, struct error *err);
    /* Server side: what a refused client is told in WWW-Authenticate (RFC 9110, 11.6.1); static. */
    const char *challenge;
};

/* In start() only: the started extension that an option names, valid until stop. NULL with an error when there is none, or it is of another type. */
struct component *component_find_extension(const struct component *self, const char *id, struct error *err);

#endif
