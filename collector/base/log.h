/*
 * weir's own log: lines on standard error, console or JSON. The caller logs, once, with the component's
 * path; the callee returns an error instead. Lines that repeat are thinned and the thinning is said.
 * Threads: safe from any thread; one write per line.
 */
#ifndef WEIR_BASE_LOG_H
#define WEIR_BASE_LOG_H

#include <stdbool.h>
#include <stdint.h>

#include "collector/base/slice.h"

enum log_level { LOG_DEBUG, LOG_INFO, LOG_WARN, LOG_ERROR };

struct log_settings {
    enum log_level level;
    bool json;
    bool sampling;         /* thin repeated lines */
    int sampling_initial;  /* lines of one text let through in each tick */
    int sampling_thereafter; /* then every n-th */
    int64_t sampling_tick_ns;
    int fd;                /* where lines go; borrowed */
};

void log_configure(const struct log_settings *settings);
bool log_enabled(enum log_level level);

/* `component` is a path such as "exporters.otlp/2", or NULL. The format string is what repetition is judged by. */
void log_debug(const char *component, const char *format, ...) __attribute__((format(printf, 2, 3)));
void log_info(const char *component, const char *format, ...) __attribute__((format(printf, 2, 3)));
void log_warn(const char *component, const char *format, ...) __attribute__((format(printf, 2, 3)));
void log_error(const char *component, const char *format, ...) __attribute__((format(printf, 2, 3)));

/* A text of many lines as one entry, never thinned: as it stands on a console (the caller cleans it of control bytes), escaped in JSON. */
void log_text(enum log_level level, const char *component, struct slice text);

#endif
