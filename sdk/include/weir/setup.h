/*
 * Life cycle: start, flush, stop, and what an application may set. Everything can be set by the OpenTelemetry environment
 * variables (docs/sdk/configuration.md lists them) and by the same names in code.
 */
#ifndef WEIR_SETUP_H
#define WEIR_SETUP_H

#include "weir/metrics.h"

#ifdef __cplusplus
extern "C" {
#endif

#define WEIR_ABI 1u /* changes only with an incompatible change of the library */

/* An environment variable's name and value, spelled as in the environment: { "OTEL_BSP_SCHEDULE_DELAY", "500" }. */
typedef struct weir_setting {
    const char *name;
    const char *value;
} weir_setting;

typedef enum weir_level { WEIR_LEVEL_ERROR = 1, WEIR_LEVEL_WARN = 2, WEIR_LEVEL_INFO = 3, WEIR_LEVEL_DEBUG = 4 } weir_level;

/* What the SDK has to say about itself; one line without a line break. Called on any thread; must not call the SDK back. */
typedef void (*weir_diag_fn)(weir_level level, const char *message, void *user);

typedef enum weir_signal { WEIR_SIGNAL_TRACES = 0, WEIR_SIGNAL_LOGS = 1, WEIR_SIGNAL_METRICS = 2 } weir_signal;

/*
 * An exporter of the application's own: gets one Export*ServiceRequest (OTLP protobuf) at a time, on the SDK's thread (or in
 * weir_poll). 0 when done with it, a negative errno value when it is lost. Must not call weir_flush or weir_shutdown.
 */
typedef int (*weir_export_fn)(weir_signal signal, const void *otlp, size_t size, void *user);

/* What a sampler sees. (Specification: Sampler, ShouldSample.) */
typedef struct weir_sample_args {
    uint32_t size;
    uint32_t kind;
    const weir_ctx *parent; /* NULL: none */
    const uint8_t *trace_id;
    weir_str name;
    weir_attrs attrs;
    const weir_link *links;
    size_t link_count;
} weir_sample_args;

typedef struct weir_sample_result {
    uint32_t size;
    bool sample;
    weir_attrs attrs;        /* to add to the span; must live until the next call on this thread */
    bool replace_tracestate; /* else the parent's is kept */
    weir_str tracestate;     /* likewise */
} weir_sample_result;

/* Called on the thread that begins a span, signal handlers included if spans are begun there; must not begin spans. */
typedef void (*weir_sample_fn)(const weir_sample_args *args, weir_sample_result *result, void *user);

/* Fills ids with what must be random enough never to repeat; not all zero. Called as weir_sample_fn is. */
typedef void (*weir_id_fn)(uint8_t *id, size_t size, void *user);

/* Zeroed but for `size` and `abi`: defaults and the environment. All is copied; callbacks and their user pointers must outlive the SDK. */
typedef struct weir_config {
    uint32_t size;                /* sizeof(weir_config) */
    uint32_t abi;                 /* WEIR_ABI */
    const char *service_name;     /* as OTEL_SERVICE_NAME */
    const char *endpoint;         /* as OTEL_EXPORTER_OTLP_ENDPOINT; also unix:/path/of/socket */
    const weir_setting *settings; /* beat the environment; a value NULL or "" means the default */
    size_t setting_count;
    weir_attrs resource;   /* beat those of the environment and detected ones */
    bool no_thread;        /* no worker thread: the application calls weir_poll */
    bool no_environment;   /* do not read OTEL_* */
    uint32_t memory_limit; /* bytes for spans and log records; 0: 16 MiB; at least 1 MiB */
    weir_diag_fn diag;     /* NULL: standard error */
    void *diag_user;
    weir_export_fn export_fn; /* in place of all configured exporters */
    void *export_user;
    weir_sample_fn sampler; /* in place of OTEL_TRACES_SAMPLER */
    void *sampler_user;
    weir_id_fn ids; /* in place of the built-in generator */
    void *ids_user;
    const weir_view *views;
    size_t view_count;
} weir_config;

static inline weir_config weir_config_default(void)
{
    weir_config config;
    memset(&config, 0, sizeof(config));
    config.size = (uint32_t)sizeof(config);
    config.abi = WEIR_ABI;
    return config;
}

/*
 * Starts recording and exporting. config NULL: environment only. Settings that make no sense are reported and ignored. When
 * already started, changes nothing and returns 0. -EINVAL: abi or size unknown; -ENOMEM; -EAGAIN: no thread could be created.
 * Registers fork handlers; installs no signal handler and no atexit function. May wait for a lock; not for signal handlers.
 */
WEIR_API int weir_init(const weir_config *config);

/*
 * Waits until all that was recorded before the call is exported. timeout_ms < 0: as long as the export timeouts allow.
 * 0: all delivered. -ETIMEDOUT: not finished. -EIO: finished, but records were lost since the last flush (refused by the
 * receiver, or dropped for lack of room). Without a worker thread, does the work itself. Not for signal handlers.
 */
WEIR_API int weir_flush(int timeout_ms);

/*
 * Stops recording, flushes, ends the worker thread and closes connections, within timeout_ms plus 100 ms, whatever the
 * endpoint does. Returns as weir_flush does; what remained unsent is counted as dropped. weir_init may follow. Call it before exit(): the
 * library installs no atexit handler. Not for signal handlers.
 */
WEIR_API int weir_shutdown(int timeout_ms);

/*
 * Without a worker thread: exports what is due, waiting at most timeout_ms for sockets (0: not at all). *fd (may be NULL) becomes
 * a descriptor that turns readable when there is work, for the application's own poll set; it stays the same until shutdown or fork.
 * Returns the milliseconds until the next call is due, or -EINVAL when not started with no_thread. The resolver may block on the
 * first export to an endpoint given by name. One thread at a time; not for signal handlers.
 */
WEIR_API int weir_poll(int *fd, int timeout_ms);

/* For children made by raw clone() or _Fork(); those of fork() need nothing. First call in the child. Signal-safe. */
WEIR_API void weir_after_fork_child(void);

/* Counts since the process (or fork) began. */
typedef struct weir_stats_values {
    uint32_t size; /* sizeof(weir_stats_values), set by the caller */
    uint32_t pad_;
    uint64_t spans_started;   /* begun and recording */
    uint64_t spans_unsampled; /* begun and not recording, as the sampler said */
    uint64_t spans_live;      /* begun and not ended */
    uint64_t spans_dropped;   /* lost: no room in queue or memory, begun inside another call */
    uint64_t spans_exported;  /* accepted by the receiver */
    uint64_t spans_failed;    /* lost in export: refused, timed out, unsent at shutdown */
    uint64_t logs_recorded;
    uint64_t logs_dropped;
    uint64_t logs_exported;
    uint64_t logs_failed;
    uint64_t points_exported;
    uint64_t points_failed;
    uint64_t attributes_dropped; /* beyond a limit, or without a key */
    uint64_t text_repaired;      /* strings that were not UTF-8 */
    uint64_t exports;            /* requests sent, retries not counted */
    uint64_t retries;
    uint64_t queue_spans; /* now waiting */
    uint64_t queue_logs;
    uint64_t memory_used; /* bytes of memory_limit in use at most so far */
} weir_stats_values;

/* Hot. */
WEIR_API void weir_stats(weir_stats_values *values);

/* "0.1.0" */
WEIR_API const char *weir_version(void);

#ifdef __cplusplus
}
#endif
#endif
