/*
 * Counters of components. A series is found in a short list that only grows (one entry for each event, signal and
 * reason that has happened), without a lock; a new entry is pushed with compare-and-swap.
 * Cost: a walk of a few pointers for each batch, nothing for each record.
 */
#include "collector/accounts.h"

#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>

#include "collector/telemetry.h"
#include "collector/tap.h"

enum event {
    EVENT_INCOMING,
    EVENT_OUTGOING,
    EVENT_RECEIVED,
    EVENT_REFUSED,
    EVENT_SENT,
    EVENT_SEND_FAILED,
    EVENT_ENQUEUE_FAILED,
    EVENT_DROPPED,
    EVENT_REPAIRED,
};

struct series {
    enum event event;
    enum signal signal;
    const char *detail; /* static: transport or reason; NULL: none */
    struct metric *metric;
    struct series *next;
};

struct accounts {
    _Atomic(struct series *) first;
};

/* One metric name for each signal, or one name with the signal as a label. */
static const struct {
    const char *by_signal[SIGNAL_COUNT];
    const char *name;
    const char *signal_label, *detail_label;
    const char *help;
} events[] = {
    [EVENT_INCOMING] = { { 0 }, "otelcol_processor_incoming_items", "otel_signal", NULL, "Number of items passed to the processor" },
    [EVENT_OUTGOING] = { { 0 }, "otelcol_processor_outgoing_items", "otel_signal", NULL, "Number of items emitted from the processor" },
    [EVENT_RECEIVED] = { { "otelcol_receiver_accepted_spans", "otelcol_receiver_accepted_metric_points", "otelcol_receiver_accepted_log_records",
                           "otelcol_receiver_accepted_profile_samples" },
        NULL, NULL, "transport", "Number of items successfully pushed into the pipeline" },
    [EVENT_REFUSED] = { { "otelcol_receiver_refused_spans", "otelcol_receiver_refused_metric_points", "otelcol_receiver_refused_log_records",
                          "otelcol_receiver_refused_profile_samples" },
        NULL, NULL, "transport", "Number of items that could not be pushed into the pipeline" },
    [EVENT_SENT] = { { "otelcol_exporter_sent_spans", "otelcol_exporter_sent_metric_points", "otelcol_exporter_sent_log_records",
                       "otelcol_exporter_sent_profile_samples" },
        NULL, NULL, NULL, "Number of items successfully sent to the destination" },
    [EVENT_SEND_FAILED] = { { "otelcol_exporter_send_failed_spans", "otelcol_exporter_send_failed_metric_points",
                              "otelcol_exporter_send_failed_log_records", "otelcol_exporter_send_failed_profile_samples" },
        NULL, NULL, NULL, "Number of items that were given up after failed attempts to send them" },
    [EVENT_ENQUEUE_FAILED] = { { "otelcol_exporter_enqueue_failed_spans", "otelcol_exporter_enqueue_failed_metric_points",
                                 "otelcol_exporter_enqueue_failed_log_records", "otelcol_exporter_enqueue_failed_profile_samples" },
        NULL, NULL, NULL, "Number of items that the sending queue refused" },
    [EVENT_DROPPED] = { { 0 }, "weir_dropped_records", "otel_signal", "reason", "Records (or requests, where nothing could be read) dropped or refused, by reason" },
    [EVENT_REPAIRED] = { { 0 }, "weir_repaired_strings", "otel_signal", NULL, "Strings that were not UTF-8 and got replacement characters" },
};

static struct metric_spec specs[sizeof(events) / sizeof(events[0])][SIGNAL_COUNT];

static void fill_specs(void)
{
    for (size_t event = 0; event < sizeof(events) / sizeof(events[0]); event++) {
        for (size_t signal = 0; signal < SIGNAL_COUNT; signal++) {
            const char *name = events[event].name != NULL ? events[event].name : events[event].by_signal[signal];

            specs[event][signal] = (struct metric_spec){ name, events[event].help, METRIC_COUNTER };
        }
    }
}

static const struct metric_spec *spec_of(enum event event, enum signal signal)
{
    static pthread_once_t filled = PTHREAD_ONCE_INIT;

    pthread_once(&filled, fill_specs);
    return &specs[event][signal];
}

void accounts_create(struct component *component)
{
    struct accounts *accounts = calloc(1, sizeof(*accounts));

    if (accounts == NULL)
        abort();
    component->accounts = accounts;
}

void accounts_destroy(struct component *component)
{
    struct accounts *accounts = component->accounts;
    struct series *series = accounts != NULL ? atomic_load(&accounts->first) : NULL;

    while (series != NULL) {
        struct series *next = series->next;

        metric_destroy(series->metric);
        free(series);
        series = next;
    }
    free(accounts);
    component->accounts = NULL;
}

static struct series *find(struct series *list, const struct series *wanted)
{
    for (; list != NULL; list = list->next) {
        if (list->event == wanted->event && list->signal == wanted->signal
            && (list->detail == wanted->detail || (list->detail != NULL && wanted->detail != NULL && strcmp(list->detail, wanted->detail) == 0)))
            return list;
    }
    return NULL;
}

static struct metric *make_metric(const struct component *component, const struct series *series)
{
    static const char *const kinds[] = { "receiver", "processor", "connector", "exporter", "extension" };
    struct metric_label labels[4] = { { NULL, NULL } };
    size_t count = 0;

    labels[count++] = (struct metric_label){ kinds[component->type->kind], component->id };
    if (events[series->event].signal_label != NULL)
        labels[count++] = (struct metric_label){ events[series->event].signal_label, signal_name(series->signal) };
    if (series->detail != NULL)
        labels[count++] = (struct metric_label){ events[series->event].detail_label, series->detail };
    return metric_create(spec_of(series->event, series->signal), labels);
}

/* The series is complete before it is published; a loser of the race throws its own away. */
static struct series *push(struct component *component, const struct series *wanted)
{
    struct accounts *accounts = component->accounts;
    struct series *series = malloc(sizeof(*series)), *found;

    if (series == NULL)
        abort();
    *series = *wanted;
    series->metric = make_metric(component, wanted);
    series->next = atomic_load(&accounts->first);
    while (!atomic_compare_exchange_weak(&accounts->first, &series->next, series)) {
        found = find(series->next, wanted);
        if (found != NULL) {
            metric_destroy(series->metric);
            free(series);
            return found;
        }
    }
    return series;
}

static void count(struct component *component, const struct series *wanted, size_t records)
{
    struct accounts *accounts = component->accounts;
    struct series *series;

    if (accounts == NULL || records == 0)
        return;
    series = find(atomic_load_explicit(&accounts->first, memory_order_acquire), wanted);
    if (series == NULL)
        series = push(component, wanted);
    metric_add(series->metric, records);
}

void accounts_count_incoming(struct component *component, enum signal signal, size_t records)
{
    count(component, &(struct series){ .event = EVENT_INCOMING, .signal = signal }, records);
}

void accounts_count_outgoing(struct component *component, enum signal signal, size_t records)
{
    count(component, &(struct series){ .event = EVENT_OUTGOING, .signal = signal }, records);
}

void accounts_count_enqueue_failed(struct component *component, enum signal signal, size_t records)
{
    count(component, &(struct series){ .event = EVENT_ENQUEUE_FAILED, .signal = signal }, records);
}

void component_count_received(struct component *receiver, enum signal signal, const char *transport, size_t records, struct outcome outcome)
{
    enum event event = outcome.verdict == VERDICT_ACCEPTED ? EVENT_RECEIVED : EVENT_REFUSED;

    count(receiver, &(struct series){ .event = event, .signal = signal, .detail = transport }, records);
    if (outcome.verdict != VERDICT_ACCEPTED)
        component_count_dropped(receiver, signal, outcome.reason != NULL ? outcome.reason : "refused", records);
}

void component_count_dropped(struct component *self, enum signal signal, const char *reason, size_t records)
{
    count(self, &(struct series){ .event = EVENT_DROPPED, .signal = signal, .detail = reason }, records);
    if (tap_is_on())
        tap_dropped(self, &(struct tap_drop){ .signal = signal, .records = records, .rule = reason });
}

void component_count_repaired(struct component *self, enum signal signal, size_t strings)
{
    count(self, &(struct series){ .event = EVENT_REPAIRED, .signal = signal }, strings);
}

void component_count_sent(struct component *exporter, enum signal signal, size_t records, struct outcome outcome)
{
    enum event event = outcome.verdict == VERDICT_ACCEPTED ? EVENT_SENT : EVENT_SEND_FAILED;

    count(exporter, &(struct series){ .event = event, .signal = signal }, records);
    if (outcome.verdict != VERDICT_ACCEPTED)
        component_count_dropped(exporter, signal, outcome.reason != NULL ? outcome.reason : "failed", records);
}
