/*
 * Log records: written whole in one go, so without a lock. One clock read, one compare-and-swap.
 * Threads: any; signal-safe but for the printf-style functions.
 */
#include <errno.h>
#include <stdio.h>
#include <syslog.h>

#include "sdk/include/weir/log.h"
#include "sdk/src/clock.h"
#include "sdk/src/context.h"
#include "sdk/src/queue.h"
#include "sdk/src/record.h"
#include "sdk/src/scope.h"

enum { FORMATTED_MAX = 4096 };

static _Atomic int lowest_severity;

bool weir_log_enabled(const weir_scope *scope, int severity)
{
    (void)scope;
    return context_recording() && severity >= atomic_load_explicit(&lowest_severity, memory_order_relaxed);
}

int weir_log_level(int severity)
{
    return atomic_exchange_explicit(&lowest_severity, severity, memory_order_relaxed);
}

static void put_context(struct record *record, const weir_ctx *ctx)
{
    uint32_t flags = ctx->flags;

    if (!weir_ctx_valid(ctx))
        return;
    uint8_t *out = record_reserve(record, 18 + 10 + 5);
    if (out == NULL)
        return;
    out = put_id16(out, LOG_TRACE_ID, ctx->trace_id);
    out = put_id8(out, LOG_SPAN_ID, ctx->span_id);
    *out++ = LOG_FLAGS << 3 | 5;
    memcpy(out, &flags, 4);
    record->size = (uint32_t)(out + 4 - record->data);
}

static void write_record(struct thread *self, struct record *record, const weir_log_opts *opts)
{
    uint64_t observed = opts->observed_ns != 0 ? opts->observed_ns : clock_now();
    uint8_t *out = put_fixed64(record->data, LOG_TIME, opts->time_ns != 0 ? opts->time_ns : observed);

    out = put_fixed64(out, LOG_OBSERVED, observed);
    if (opts->severity > 0 && opts->severity <= 24) {
        *out++ = LOG_SEVERITY << 3;
        *out++ = (uint8_t)opts->severity;
    }
    record->size = record->fields_at = (uint32_t)(out - record->data);
    put_context(record, opts->ctx != NULL ? opts->ctx : &thread_locals.current);
    record_put_text(self, record, LOG_SEVERITY_TEXT, opts->severity_text);
    record_put_text(self, record, LOG_EVENT_NAME, opts->event_name);
    record_put_value(self, record, LOG_BODY, &opts->body);
    for (size_t i = 0; opts->attrs.data != NULL && i < opts->attrs.count; i++)
        record_put_attribute(self, record, LOG_ATTRIBUTES, &opts->attrs.data[i]);
    if (record->dropped_attributes == 0)
        return;
    out = record_reserve(record, 6);
    if (out == NULL)
        return;
    *out++ = LOG_DROPPED << 3;
    record->size = (uint32_t)(put_varint(out, record->dropped_attributes) - record->data);
}

static void emit(weir_scope *scope, const weir_log_opts *opts)
{
    struct thread *self = thread_enter();

    if (self == NULL) {
        count_shared(&thread_shared_counters, COUNT_LOGS_DROPPED, 1);
        return;
    }
    struct record *record = record_take(self, scope_of(scope));
    if (record != NULL)
        write_record(self, record, opts);
    if (record != NULL && queue_put(self, RECORD_LOGS, record)) {
        count(&self->counters, COUNT_LOGS_RECORDED, 1);
    } else {
        count(&self->counters, COUNT_LOGS_DROPPED, 1);
        if (record != NULL)
            record_discard(self, record);
    }
    thread_leave(self);
}

void weir_log_emit(weir_scope *scope, const weir_log_opts *opts)
{
    weir_log_opts copy;

    if (opts == NULL)
        return;
    if (opts->size < sizeof(copy)) {
        memset(&copy, 0, sizeof(copy));
        memcpy(&copy, opts, opts->size);
        opts = &copy;
    }
    if (weir_log_enabled(scope, opts->severity))
        emit(scope, opts);
}

void weir_log(weir_scope *scope, int severity, weir_str body, weir_attrs attrs)
{
    weir_log_opts opts;

    if (!weir_log_enabled(scope, severity))
        return;
    memset(&opts, 0, sizeof(opts));
    opts.severity = severity;
    opts.body = weir_kv_str(weir_sn(NULL, 0), body);
    opts.attrs = attrs;
    emit(scope, &opts);
}

void weir_vlogf(weir_scope *scope, int severity, const char *format, va_list arguments)
{
    char text[FORMATTED_MAX];

    if (!weir_log_enabled(scope, severity) || format == NULL)
        return;
    int size = vsnprintf(text, sizeof(text), format, arguments);
    if (size < 0)
        return;
    weir_log(scope, severity, weir_sn(text, (size_t)size < sizeof(text) ? (size_t)size : sizeof(text) - 1), WEIR_NO_ATTRS);
}

void weir_logf(weir_scope *scope, int severity, const char *format, ...)
{
    va_list arguments;

    va_start(arguments, format);
    weir_vlogf(scope, severity, format, arguments);
    va_end(arguments);
}

/* OpenTelemetry logs data model, appendix B: syslog's levels. */
static const struct {
    int severity;
    const char *text;
} syslog_levels[8] = { { 21, "emerg" }, { 19, "alert" }, { 18, "crit" }, { 17, "err" }, { 13, "warning" }, { 10, "notice" }, { 9, "info" },
    { 5, "debug" } };

static void to_system_log(int priority, const char *text)
{
    char trace[33], span[17];

    if (!weir_ctx_valid(&thread_locals.current)) {
        syslog(priority, "%s", text);
        return;
    }
    weir_ctx_trace_hex(&thread_locals.current, trace);
    weir_ctx_span_hex(&thread_locals.current, span);
    syslog(priority, "%s trace_id=%s span_id=%s", text, trace, span);
}

void weir_syslog(weir_scope *scope, bool to_syslog, int priority, const char *format, ...)
{
    int level = priority & 7;
    char text[FORMATTED_MAX];
    va_list arguments;

    if (format == NULL)
        return;
    /* glibc's printf knows %m as syslog does. */
    va_start(arguments, format);
    int size = vsnprintf(text, sizeof(text), format, arguments);
    va_end(arguments);
    if (size < 0)
        return;
    if (to_syslog)
        to_system_log(priority, text);
    weir_log_opts opts;
    memset(&opts, 0, sizeof(opts));
    opts.size = (uint32_t)sizeof(opts);
    opts.severity = syslog_levels[level].severity;
    opts.severity_text = weir_z(syslog_levels[level].text);
    opts.body = weir_kv_str(weir_sn(NULL, 0), weir_sn(text, (size_t)size < sizeof(text) ? (size_t)size : sizeof(text) - 1));
    weir_log_emit(scope, &opts);
}
