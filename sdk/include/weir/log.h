/*
 * Log records, which carry the trace and span ids of the context they are written in.
 * OpenTelemetry specification: logs API and SDK, logs data model.
 */
#ifndef WEIR_LOG_H
#define WEIR_LOG_H

#include <stdarg.h>
#include <stdio.h>

#include "weir/trace.h"

#ifdef __cplusplus
extern "C" {
#endif

/* Severity numbers 1 to 24; the four of a range are degrees of it. */
enum { WEIR_TRACE = 1, WEIR_DEBUG = 5, WEIR_INFO = 9, WEIR_WARN = 13, WEIR_FAIL = 17, WEIR_FATAL = 21 };

/* Zeroed but for `size`: defaults. */
typedef struct weir_log_opts {
    uint32_t size;          /* sizeof(weir_log_opts) */
    int32_t severity;       /* 0: not given */
    weir_str severity_text; /* as the source spells it; {NULL, 0}: none */
    weir_attr body;         /* any kind of value; the key is ignored */
    weir_attrs attrs;
    weir_str event_name;
    uint64_t time_ns;     /* when it happened; 0: the observed time */
    uint64_t observed_ns; /* when it was seen; 0: now */
    const weir_ctx *ctx;  /* NULL: the thread's current context */
} weir_log_opts;

/* False when a record of this severity would not be recorded: logs are off, or the severity is below weir_log_level. Hot, signal-safe. */
WEIR_API bool weir_log_enabled(const weir_scope *scope, int severity);

/* Records below this severity (1 to 24; 0: none) are not recorded. Process-wide; returns the old level. Signal-safe. */
WEIR_API int weir_log_level(int severity);

/* Hot, signal-safe. */
WEIR_API void weir_log(weir_scope *scope, int severity, weir_str body, weir_attrs attrs);
WEIR_API void weir_log_emit(weir_scope *scope, const weir_log_opts *opts);

/* A printf-style body, cut at 4,095 bytes. Hot but for what vsnprintf does; not for signal handlers. */
WEIR_API void weir_logf(weir_scope *scope, int severity, const char *format, ...) __attribute__((format(printf, 3, 4)));
WEIR_API void weir_vlogf(weir_scope *scope, int severity, const char *format, va_list arguments) __attribute__((format(printf, 3, 0)));

/*
 * In place of syslog(3): the record goes to the log pipeline with the severity that OpenTelemetry maps `priority` to and, when
 * `to_syslog`, to syslog too, with " trace_id=... span_id=..." behind the message when there is a current context. %m works.
 * Not for signal handlers.
 */
WEIR_API void weir_syslog(weir_scope *scope, bool to_syslog, int priority, const char *format, ...) __attribute__((format(printf, 4, 5)));

/*
 * A stdio stream each of whose lines becomes a log record of this severity, with the ids of the context in which the line was
 * finished; for programs that log by fprintf: stderr = weir_log_stream(&scope, WEIR_INFO, stderr). With `copy` (may be NULL) lines go there
 * too, unchanged. Lines above 4,095 bytes are split. NULL with errno set when out of memory. To be closed by fclose, which leaves
 * `copy` open. Threads: as any stdio stream. Not for signal handlers.
 */
WEIR_API FILE *weir_log_stream(weir_scope *scope, int severity, FILE *copy);

#ifdef __cplusplus
}
#endif
#endif
