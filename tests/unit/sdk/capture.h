/* What the SDK exports, decoded by protobuf-c: the oracle that knows nothing of our own encoder. */
#ifndef WEIR_TESTS_SDK_CAPTURE_H
#define WEIR_TESTS_SDK_CAPTURE_H

#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "logs_service.pb-c.h"
#include "metrics_service.pb-c.h"
#include "trace_service.pb-c.h"
#include "weir/weir.h"

typedef Opentelemetry__Proto__Collector__Trace__V1__ExportTraceServiceRequest TraceRequest;
typedef Opentelemetry__Proto__Collector__Logs__V1__ExportLogsServiceRequest LogsRequest;
typedef Opentelemetry__Proto__Collector__Metrics__V1__ExportMetricsServiceRequest MetricsRequest;
typedef Opentelemetry__Proto__Trace__V1__Span Span;
typedef Opentelemetry__Proto__Logs__V1__LogRecord LogRecord;
typedef Opentelemetry__Proto__Metrics__V1__Metric Metric;
typedef Opentelemetry__Proto__Common__V1__KeyValue KeyValue;
typedef Opentelemetry__Proto__Common__V1__AnyValue AnyValue;

#define unpack_trace opentelemetry__proto__collector__trace__v1__export_trace_service_request__unpack
#define unpack_logs opentelemetry__proto__collector__logs__v1__export_logs_service_request__unpack
#define unpack_metrics opentelemetry__proto__collector__metrics__v1__export_metrics_service_request__unpack

enum { CAPTURE_MAX = 4096 };

/* All that was exported since capture_clear; kept decoded. */
static struct {
    pthread_mutex_t lock;
    TraceRequest *traces[CAPTURE_MAX];
    LogsRequest *logs[CAPTURE_MAX];
    MetricsRequest *metrics[CAPTURE_MAX];
    size_t trace_count, log_count, metric_count;
    int result; /* what the exporter answers */
} capture = { .lock = PTHREAD_MUTEX_INITIALIZER };

static int capture_export(weir_signal signal, const void *otlp, size_t size, void *user)
{
    (void)user;
    pthread_mutex_lock(&capture.lock);
    int result = capture.result;
    if (signal == WEIR_SIGNAL_TRACES && result == 0) {
        capture.traces[capture.trace_count] = unpack_trace(NULL, size, otlp);
        assert_non_null(capture.traces[capture.trace_count++]);
    } else if (signal == WEIR_SIGNAL_LOGS && result == 0) {
        capture.logs[capture.log_count] = unpack_logs(NULL, size, otlp);
        assert_non_null(capture.logs[capture.log_count++]);
    } else if (signal == WEIR_SIGNAL_METRICS && result == 0) {
        capture.metrics[capture.metric_count] = unpack_metrics(NULL, size, otlp);
        assert_non_null(capture.metrics[capture.metric_count++]);
    }
    pthread_mutex_unlock(&capture.lock);
    return result;
}

static inline void capture_clear(void)
{
    pthread_mutex_lock(&capture.lock);
    while (capture.trace_count > 0)
        opentelemetry__proto__collector__trace__v1__export_trace_service_request__free_unpacked(
            capture.traces[--capture.trace_count], NULL);
    while (capture.log_count > 0)
        opentelemetry__proto__collector__logs__v1__export_logs_service_request__free_unpacked(capture.logs[--capture.log_count], NULL);
    while (capture.metric_count > 0)
        opentelemetry__proto__collector__metrics__v1__export_metrics_service_request__free_unpacked(
            capture.metrics[--capture.metric_count], NULL);
    pthread_mutex_unlock(&capture.lock);
}

/* Starts the SDK with the capturing exporter and these settings, without the environment. */
static inline void capture_start(const weir_setting *settings, size_t count)
{
    weir_config config = weir_config_default();

    capture_clear();
    capture.result = 0;
    config.no_environment = true;
    config.export_fn = capture_export;
    config.settings = settings;
    config.setting_count = count;
    assert_int_equal(weir_init(&config), 0);
}

/* The nth span of all requests, NULL behind the last. */
static inline Span *capture_span(size_t nth)
{
    for (size_t r = 0; r < capture.trace_count; r++) {
        TraceRequest *request = capture.traces[r];
        for (size_t g = 0; g < request->n_resource_spans; g++) {
            for (size_t s = 0; s < request->resource_spans[g]->n_scope_spans; s++) {
                size_t count = request->resource_spans[g]->scope_spans[s]->n_spans;
                if (nth < count)
                    return request->resource_spans[g]->scope_spans[s]->spans[nth];
                nth -= count;
            }
        }
    }
    return NULL;
}

static inline size_t capture_span_count(void)
{
    size_t count = 0;

    while (capture_span(count) != NULL)
        count++;
    return count;
}

static inline Span *capture_span_named(const char *name)
{
    for (size_t i = 0; capture_span(i) != NULL; i++) {
        if (strcmp(capture_span(i)->name, name) == 0)
            return capture_span(i);
    }
    return NULL;
}

static inline LogRecord *capture_log(size_t nth)
{
    for (size_t r = 0; r < capture.log_count; r++) {
        LogsRequest *request = capture.logs[r];
        for (size_t g = 0; g < request->n_resource_logs; g++) {
            for (size_t s = 0; s < request->resource_logs[g]->n_scope_logs; s++) {
                size_t count = request->resource_logs[g]->scope_logs[s]->n_log_records;
                if (nth < count)
                    return request->resource_logs[g]->scope_logs[s]->log_records[nth];
                nth -= count;
            }
        }
    }
    return NULL;
}

/* The value of a key, NULL when it is not there; fails when it is there twice. */
static inline AnyValue *capture_value(KeyValue **attributes, size_t count, const char *key)
{
    AnyValue *found = NULL;

    for (size_t i = 0; i < count; i++) {
        if (strcmp(attributes[i]->key, key) != 0)
            continue;
        assert_null(found);
        found = attributes[i]->value;
    }
    return found;
}

#define span_value(span_, key_) capture_value((span_)->attributes, (span_)->n_attributes, key_)

#define assert_text(value_, text_)                                                                                                         \
    do {                                                                                                                                   \
        AnyValue *text_value_ = (value_);                                                                                                  \
        assert_non_null(text_value_);                                                                                                      \
        assert_int_equal(text_value_->value_case, OPENTELEMETRY__PROTO__COMMON__V1__ANY_VALUE__VALUE_STRING_VALUE);                        \
        assert_string_equal(text_value_->string_value, text_);                                                                             \
    } while (0)

#define assert_int(value_, number_)                                                                                                        \
    do {                                                                                                                                   \
        AnyValue *int_value_ = (value_);                                                                                                   \
        assert_non_null(int_value_);                                                                                                       \
        assert_int_equal(int_value_->value_case, OPENTELEMETRY__PROTO__COMMON__V1__ANY_VALUE__VALUE_INT_VALUE);                            \
        assert_int_equal(int_value_->int_value, number_);                                                                                  \
    } while (0)

#endif
