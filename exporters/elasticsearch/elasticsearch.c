/*
 * elasticsearch exporter: records become documents, documents become _bulk requests, and every document's own result counts.
 *
 * Accepted: Elasticsearch took each document, or had it already (409), or it is in the dead-letter file. Retried: whatever was not said about
 * a document itself. A batch of which only a part has landed is not given back as long as retry_on_failure allows; when it is all the same, what
 * has no id of its own is there twice afterwards.
 * Memory: what one request holds, for each of num_consumers; kept for the next batch.
 * Threads: consume blocks its (the queue's) thread while it sends and waits, several at once. What they use, documents and their
 * buffers, is taken from a list and put back.
 */
#include <stdlib.h>

#include "collector/base/clock.h"
#include "collector/base/log.h"
#include "exporters/elasticsearch/documents.h"
#include "exporters/elasticsearch/sending.h"
#include "exporters/elasticsearch/setup.h"

/* What one thread needs for one batch. */
struct session {
    struct elastic_documents documents;
    struct elastic_sending sending;
    struct session *next;
};

enum { SESSIONS_KEPT = 4, BUFFER_KEPT = 16 << 20 };

struct elasticsearch {
    struct elastic_exporter exporter;
    struct elastic_destination destination;
    pthread_mutex_t lock;
    struct session *sessions; /* under the lock */
    size_t session_count;     /* under the lock */
    bool is_set_up;           /* under set_up_lock */
    pthread_mutex_t set_up_lock;
    atomic_int_fast64_t discover_at_ns; /* monotonic; 0: now */
    bool started;
};

/* ---- options ---- */

#define FIELD(field) offsetof(struct elastic_exporter, settings.field)

static const struct option batch_options[] = {
    { "enabled", OPTION_BOOL, FIELD(batch_enabled), "true", NULL, "false: requests are sent as they came", .flags = OPTION_WEIR },
    { "flush_timeout", OPTION_DURATION, FIELD(delivery.queue.batch.flush_timeout_ns), "10s", "1ns..",
        "longest time that data waits for a batch to fill" },
    { "min_size", OPTION_INT, FIELD(delivery.queue.batch.min_size), "1000000", "0..", "a batch of this size goes at once" },
    { "max_size", OPTION_INT, FIELD(delivery.queue.batch.max_size), "5000000", "0..",
        "larger batches are cut; also, in bytes, about the size of a _bulk request before compression" },
    { "sizer", OPTION_ENUM, FIELD(delivery.queue.batch.sizer), "bytes", "|items|bytes", "unit of the sizes" },
    { "", OPTION_INCLUDE, FIELD(delivery.queue.batch), NULL, NULL, NULL, sending_queue_batch_options },
    { 0 },
};

static const struct option queue_options[] = {
    { "queue_size", OPTION_INT, FIELD(delivery.queue.queue_size), "10", "1..", "what the queue holds at most, in units of `sizer`" },
    { "block_on_overflow", OPTION_BOOL, FIELD(delivery.queue.block_on_overflow), "true", NULL,
        "wait for room instead of refusing when the queue is full" },
    { "batch", OPTION_BLOCK, 0, NULL, NULL, "gathers requests on their way out of the queue", batch_options },
    { "", OPTION_INCLUDE, FIELD(delivery.queue), NULL, NULL, NULL, sending_queue_options },
    { 0 },
};

static const struct option logstash_options[] = {
    { "enabled", OPTION_BOOL, FIELD(logstash.enabled), "false", NULL, "put the date behind the index's name" },
    { "prefix_separator", OPTION_STRING, FIELD(logstash.prefix_separator), "-", NULL, "between the name and the date" },
    { "date_format", OPTION_STRING, FIELD(logstash.date_format), "%Y.%m.%d", NULL, "the date, as strftime writes it, in local time" },
    { 0 },
};

static const struct option mapping_options[] = {
    { "mode", OPTION_STRING, FIELD(mapping.mode), "otel", NULL, "form of the documents: otel, ecs, bodymap, raw or none" },
    { "allowed_modes", OPTION_STRINGS, FIELD(mapping.allowed_modes), "bodymap,ecs,none,otel,raw", NULL,
        "modes that the request header X-Elastic-Mapping-Mode and the scope attribute elastic.mapping.mode may ask for" },
    { "dedup", OPTION_IGNORED, 0, NULL, NULL, "keys are always written once" },
    { "dedot", OPTION_IGNORED, 0, NULL, NULL, "only mode ecs nests" },
    { 0 },
};

static const struct option retry_options[] = {
    { "enabled", OPTION_BOOL, FIELD(retry.enabled), "true", NULL, "false: one attempt, and no retry_on_failure either" },
    { "max_retries", OPTION_INT, FIELD(retry.max_retries), "0", "0..1000",
        "repetitions before the batch waits as retry_on_failure says; 0: 2" },
    { "max_requests", OPTION_INT, FIELD(retry.max_requests), "0", "0..1001", "use max_retries, which is one less",
        .flags = OPTION_DEPRECATED },
    { "initial_interval", OPTION_DURATION, FIELD(retry.initial_interval_ns), "100ms", NULL, "wait before the first repetition" },
    { "max_interval", OPTION_DURATION, FIELD(retry.max_interval_ns), "1m", NULL, "longest wait between repetitions" },
    { "retry_on_status", OPTION_ANY, FIELD(retry.on_status), NULL, NULL,
        "statuses of requests and documents that are tried again, beside 429, 502, 503 and 504, which always are" },
    { 0 },
};

static const struct option discover_options[] = {
    { "on_start", OPTION_BOOL, FIELD(discover.on_start), "false", NULL, "ask for the cluster's nodes before the first request" },
    { "interval", OPTION_DURATION, FIELD(discover.interval_ns), "0s", NULL, "how often the nodes are asked for; 0: never" },
    { 0 },
};

static const struct option telemetry_options_of_exporter[] = {
    { "log_request_body", OPTION_BOOL, FIELD(telemetry.log_request_body), "false", NULL, "accepted; weir does not log bodies" },
    { "log_response_body", OPTION_BOOL, FIELD(telemetry.log_response_body), "false", NULL, "accepted; weir does not log bodies" },
    { "log_failed_docs_input", OPTION_BOOL, FIELD(telemetry.log_failed_docs_input), "false", NULL, "accepted; see dead_letter.path" },
    { "log_failed_docs_input_rate_limit", OPTION_DURATION, FIELD(telemetry.log_failed_docs_input_rate_limit_ns), "1s", NULL,
        "accepted; see dead_letter.path" },
    { 0 },
};

static const struct option dead_letter_options[] = {
    { "path", OPTION_STRING, FIELD(dead_letter_path), NULL, NULL,
        "file for documents that Elasticsearch will never take, with the error, a JSON object a line; none: they are dropped and counted",
        .flags = OPTION_WEIR },
    { "max_size_mib", OPTION_INT, FIELD(dead_letter_max_mib), "100", "1..1048576", "a fuller file takes no more", .flags = OPTION_WEIR },
    { 0 },
};

static const struct option flush_options[] = {
    { "bytes", OPTION_INT, FIELD(flush.bytes), "0", "0..", "use sending_queue.batch.max_size" },
    { "interval", OPTION_DURATION, FIELD(flush.interval_ns), "0s", NULL, "use sending_queue.batch.flush_timeout" },
    { 0 },
};

static const struct option batcher_options[] = {
    { "enabled", OPTION_BOOL, FIELD(batcher.enabled), "true", NULL, "use sending_queue.batch.enabled" },
    { "flush_timeout", OPTION_DURATION, FIELD(batcher.flush_timeout_ns), "0s", NULL, "use sending_queue.batch.flush_timeout" },
    { "min_size", OPTION_INT, FIELD(batcher.min_size), "0", "0..", "in records; use sending_queue.batch.min_size with sizer: items" },
    { "max_size", OPTION_INT, FIELD(batcher.max_size), "0", "0..", "in records; use sending_queue.batch.max_size with sizer: items" },
    { 0 },
};

static const struct option dynamic_id_options[] = {
    { "enabled", OPTION_BOOL, FIELD(dynamic_id), "false", NULL, "take the document's id from the attribute elasticsearch.document_id" },
    { 0 },
};

static const struct option dynamic_pipeline_options[] = {
    { "enabled", OPTION_BOOL, FIELD(dynamic_pipeline), "false", NULL,
        "take the ingest pipeline from the attribute elasticsearch.ingest_pipeline" },
    { 0 },
};

static const struct option dynamic_index_options[] = {
    { "enabled", OPTION_IGNORED, 0, NULL, NULL, "indices are named by attributes unless the signal has an index of its own" },
    { 0 },
};

static const struct option options[] = {
    { "endpoint", OPTION_STRING, FIELD(http.endpoint), NULL, NULL,
        "URL of Elasticsearch; or endpoints, or cloudid, or the environment's ELASTICSEARCH_URL" },
    { "endpoints", OPTION_STRINGS, FIELD(endpoints), NULL, NULL, "URLs that are used in turn" },
    { "cloudid", OPTION_STRING, FIELD(cloud_id), NULL, NULL, "id of an Elastic Cloud cluster" },
    { "user", OPTION_STRING, FIELD(user), NULL, NULL, "for basic authentication" },
    { "password", OPTION_SECRET, FIELD(password), NULL, NULL, "for basic authentication" },
    { "api_key", OPTION_SECRET, FIELD(api_key), NULL, NULL, "an API key, encoded; goes before user and password" },
    { "logs_index", OPTION_STRING, FIELD(index[SIGNAL_LOGS]), NULL, NULL, "index or data stream for all logs; none: by attributes" },
    { "metrics_index", OPTION_STRING, FIELD(index[SIGNAL_METRICS]), NULL, NULL,
        "index or data stream for all metrics; none: by attributes" },
    { "traces_index", OPTION_STRING, FIELD(index[SIGNAL_TRACES]), NULL, NULL, "index or data stream for all spans; none: by attributes" },
    { "logs_dynamic_index", OPTION_BLOCK, 0, NULL, NULL, "no longer needed", dynamic_index_options },
    { "metrics_dynamic_index", OPTION_BLOCK, 0, NULL, NULL, "no longer needed", dynamic_index_options },
    { "traces_dynamic_index", OPTION_BLOCK, 0, NULL, NULL, "no longer needed", dynamic_index_options },
    { "logs_dynamic_id", OPTION_BLOCK, 0, NULL, NULL, "ids of log documents", dynamic_id_options },
    { "logs_dynamic_pipeline", OPTION_BLOCK, 0, NULL, NULL, "ingest pipelines of log documents", dynamic_pipeline_options },
    { "pipeline", OPTION_STRING, FIELD(pipeline), NULL, NULL, "ingest pipeline of all documents" },
    { "logstash_format", OPTION_BLOCK, 0, NULL, NULL, "indices with a date in their names", logstash_options },
    { "mapping", OPTION_BLOCK, 0, NULL, NULL, "how records become documents", mapping_options },
    { "require_data_stream", OPTION_ENUM, FIELD(require_data_stream), "auto", "auto|true|false",
        "refuse documents that would make an index; auto: in mode otel, when the server can", .flags = OPTION_WEIR },
    { "include_source_on_error", OPTION_ENUM, FIELD(include_source_on_error), "default", "default|true|false",
        "may the server repeat a part of the document in its error" },
    { "dead_letter", OPTION_BLOCK, 0, NULL, NULL, "what becomes of documents that Elasticsearch will never take", dead_letter_options,
        .flags = OPTION_WEIR },
    { "setup_on_start", OPTION_BOOL, FIELD(setup_on_start), "false", NULL,
        "install index templates before the first request, as `weir elasticsearch setup` does", .flags = OPTION_WEIR },
    { "retry", OPTION_BLOCK, 0, NULL, NULL, "when a request or some of its documents fail", retry_options },
    { "discover", OPTION_BLOCK, 0, NULL, NULL, "finding the cluster's nodes", discover_options },
    { "telemetry", OPTION_BLOCK, 0, NULL, NULL, "what is logged for debugging", telemetry_options_of_exporter },
    { "metadata_keys", OPTION_STRINGS, FIELD(metadata_keys), NULL, NULL, "request metadata by whose values batches are kept apart" },
    { "num_workers", OPTION_INT, FIELD(num_workers), "0", "0..1000", "use sending_queue.num_consumers", .flags = OPTION_DEPRECATED },
    { "flush", OPTION_BLOCK, 0, NULL, NULL, "use sending_queue.batch", flush_options, .flags = OPTION_DEPRECATED },
    { "batcher", OPTION_BLOCK, 0, NULL, NULL, "use sending_queue.batch", batcher_options, .flags = OPTION_DEPRECATED },
    { "compression", OPTION_STRING, FIELD(http.compression), "gzip", "|none|gzip", "how requests are compressed" },
    { "timeout", OPTION_DURATION, FIELD(http.timeout_ns), "90s", NULL, "for one request; 0: none" },
    { "", OPTION_INCLUDE, FIELD(http), NULL, NULL, NULL, http_connect_options },
    { "sending_queue", OPTION_BLOCK, 0, NULL, NULL, "the queue in front of the exporter", queue_options },
    { "", OPTION_INCLUDE, FIELD(delivery), NULL, NULL, NULL, delivery_options },
    { 0 },
};

/* ---- sessions ---- */

static bool send_bulk(void *context, struct elastic_bulk *bulk)
{
    return elastic_send(context, bulk);
}

/* NULL: memory is out. */
static struct session *take_session(struct elasticsearch *self)
{
    struct session *session;

    pthread_mutex_lock(&self->lock);
    session = self->sessions;
    if (session != NULL) {
        self->sessions = session->next;
        self->session_count--;
    }
    pthread_mutex_unlock(&self->lock);
    if (session == NULL)
        session = calloc(1, sizeof(*session));
    if (session == NULL)
        return NULL;
    session->documents.settings = &self->exporter.settings;
    session->documents.send = send_bulk;
    session->documents.context = &session->sending;
    return session;
}

static void session_destroy(struct session *session)
{
    elastic_documents_fini(&session->documents);
    elastic_sending_fini(&session->sending);
    free(session);
}

static void put_session(struct elasticsearch *self, struct session *session)
{
    bool kept;

    pthread_mutex_lock(&self->lock);
    kept = self->session_count < SESSIONS_KEPT && session->documents.bulk.text.capacity <= BUFFER_KEPT;
    if (kept) {
        session->next = self->sessions;
        self->sessions = session;
        self->session_count++;
    }
    pthread_mutex_unlock(&self->lock);
    if (!kept)
        session_destroy(session);
}

/* ---- start and stop ---- */

static bool elasticsearch_validate(struct component *component, struct error *err)
{
    return elastic_settings_check(&((struct elastic_exporter *)component)->settings, err);
}

static bool elasticsearch_start(struct component *component, struct error *err)
{
    struct elasticsearch *self = (struct elasticsearch *)component;
    struct elastic_settings *settings = &self->exporter.settings;

    pthread_mutex_init(&self->lock, NULL);
    pthread_mutex_init(&self->set_up_lock, NULL);
    self->started = true;
    self->is_set_up = !settings->setup_on_start;
    atomic_store(&self->discover_at_ns, settings->discover.on_start ? 0 : clock_monotonic_nanos() + settings->discover.interval_ns);
    return elastic_settings_check(settings, err) && elastic_destination_open(&self->destination, component, settings, err);
}

static void elasticsearch_cancel(struct component *component)
{
    elastic_connection_cancel(&((struct elasticsearch *)component)->destination.connection);
}

static void elasticsearch_stop(struct component *component)
{
    struct elasticsearch *self = (struct elasticsearch *)component;

    if (!self->started)
        return;
    self->started = false;
    while (self->sessions != NULL) {
        struct session *session = self->sessions;

        self->sessions = session->next;
        session_destroy(session);
    }
    self->session_count = 0;
    elastic_destination_close(&self->destination);
    pthread_mutex_destroy(&self->set_up_lock);
    pthread_mutex_destroy(&self->lock);
}

/* ---- before a batch ---- */

/* One thread asks, the others go on with the nodes that are known. */
static void discover(struct elasticsearch *self)
{
    const struct elastic_settings *settings = &self->exporter.settings;
    struct elastic_call call = {
        .method = "GET", .path = "/_nodes/http", .query = SLICE("filter_path=nodes.*.http.publish_address"), .response_limit = 1 << 20
    };
    int_fast64_t due_ns = atomic_load(&self->discover_at_ns), now_ns = clock_monotonic_nanos();
    int_fast64_t again_ns = settings->discover.interval_ns > 0 ? now_ns + settings->discover.interval_ns : INT64_MAX;
    struct http_answer answer = { 0 };
    struct error err = { "" };

    if ((settings->discover.interval_ns == 0 && !settings->discover.on_start) || due_ns > now_ns ||
        !atomic_compare_exchange_strong(&self->discover_at_ns, &due_ns, again_ns))
        return;
    if (!elastic_connection_call(&self->destination.connection, &call, &answer, &err))
        log_warn(self->exporter.base.path, "could not ask for the cluster's nodes: %s", err.message);
    else if (answer.status != 200 || !elastic_endpoints_learn(self->destination.connection.endpoints, buffer_slice(&answer.body)))
        log_warn(self->exporter.base.path, "could not ask for the cluster's nodes: status %d", answer.status);
    http_answer_fini(&answer);
}

/* Templates have to be there before the first document; the threads wait for each other. */
static bool set_up(struct elasticsearch *self, struct elastic_sending *sending)
{
    struct error err = { "" };
    bool fine;

    if (!self->exporter.settings.setup_on_start)
        return true;
    pthread_mutex_lock(&self->set_up_lock);
    if (!self->is_set_up) {
        self->is_set_up = elastic_set_up(&self->destination.connection, &(struct elastic_setup){ .path = self->exporter.base.path }, &err);
        if (!self->is_set_up && stretch_failed(&self->destination.failures, "setup_failed"))
            log_warn(self->exporter.base.path, "could not install index templates: %s", err.message);
    }
    fine = self->is_set_up;
    pthread_mutex_unlock(&self->set_up_lock);
    if (!fine)
        sending->outcome = outcome_retry("setup_failed", 0);
    return fine;
}

static enum elastic_mode mode_asked_for(const struct elastic_settings *settings, const struct batch *batch)
{
    struct slice name = metadata_get(batch->metadata, "x-elastic-mapping-mode", 0);
    enum elastic_mode mode = name.data != NULL ? elastic_mode_of(name) : settings->mode;

    return mode != ELASTIC_MODE_COUNT && settings->allowed[mode] ? mode : settings->mode;
}

/* ---- a batch ---- */

static struct outcome write_and_send(struct elasticsearch *self, const struct batch *batch, struct session *session)
{
    struct elastic_documents *documents = &session->documents;
    struct elastic_sending *sending = &session->sending;
    struct outcome outcome;
    bool whole;

    discover(self);
    if (!set_up(self, sending))
        return sending->outcome;
    documents->request_mode = mode_asked_for(&self->exporter.settings, batch);
    whole = elastic_documents_write(documents, batch);
    if (!whole)
        return documents->stopped ? sending->outcome : outcome_retry("no_memory", 0);
    outcome = elastic_sending_outcome(sending);
    if (documents->left_out == 0)
        return outcome;
    log_warn(self->exporter.base.path, "%zu of %zu %s can't be documents (%s) and are left out", documents->left_out, batch->records,
        signal_record_name(batch->signal), documents->why);
    component_count_dropped(&self->exporter.base, batch->signal, documents->why, documents->left_out);
    if (sending->delivered + sending->buried == 0 && documents->left_out >= batch->records)
        return outcome_rejected(documents->why);
    return outcome;
}

static void elasticsearch_consume(struct component *component, struct batch *batch)
{
    struct elasticsearch *self = (struct elasticsearch *)component;
    struct session *session = take_session(self);
    struct elastic_sending *sending;
    struct outcome outcome;

    if (session == NULL) {
        batch_settle(batch, outcome_retry("no_memory", 0));
        return;
    }
    sending = &session->sending;
    *sending = (struct elastic_sending){ .destination = &self->destination,
        .records = batch->records,
        .started_ns = clock_monotonic_nanos(),
        .parts = sending->parts,
        .compressed = sending->compressed,
        .letters = sending->letters };
    buffer_clear(&sending->letters);
    outcome = write_and_send(self, batch, session);
    if (sending->refused > 0 && outcome.verdict == VERDICT_ACCEPTED)
        component_count_dropped(component, batch->signal, "refused", sending->refused);
    if (sending->buried > 0)
        component_count_dropped(component, batch->signal, "dead_letter", sending->buried);
    put_session(self, session);
    batch_settle(batch, outcome);
}

const struct component_type elasticsearch_exporter = {
    .name = "elasticsearch",
    .kind = COMPONENT_EXPORTER,
    .signals = SIGNALS_LOGS | SIGNALS_METRICS | SIGNALS_TRACES,
    .stability = STABILITY_BETA,
    .summary = "Sends logs, metrics and spans to Elasticsearch or OpenSearch, as documents of data streams or indices.",
    .options = options,
    .instance_size = sizeof(struct elasticsearch),
    .validate = elasticsearch_validate,
    .start = elasticsearch_start,
    .cancel = elasticsearch_cancel,
    .stop = elasticsearch_stop,
    .consume = elasticsearch_consume,
    .delivery_offset = offsetof(struct elastic_exporter, settings.delivery),
};
