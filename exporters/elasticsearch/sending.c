/*
 * Sending bulks. Cost: none beside the request; what has to go again goes from where it lies. Threads: a sending belongs to one
 * thread, which waits between attempts; the destination is shared.
 */
#include "exporters/elasticsearch/sending.h"

#include <stdio.h>
#include <stdlib.h>

#include "collector/base/clock.h"
#include "collector/base/hash.h"
#include "collector/base/log.h"
#include "collector/net/compress.h"
#include "collector/telemetry.h"
#include "exporters/otlp_message.h"

enum {
    RESPONSE_BASE = 64 * 1024,
    RESPONSE_PER_DOCUMENT = 1024, /* an error with its causes */
    RESPONSE_MOST = 64 << 20,
    SPLITS_MOST = 64,
    BACKOFF_SHIFT_MOST = 20,
    GROWTH = 64,
    REQUEST_MOST_KNOWN = 1 << 30,
};
static const int64_t longest_retry_after_ns = 300 * NANOS_PER_SECOND;

/* ---- the destination ---- */

static void make_counters(struct elastic_destination *destination)
{
    static const struct metric_spec spec = { "weir_elasticsearch_documents", "Documents by what became of them", METRIC_COUNTER };
    static const char *const names[ELASTIC_COUNTS] = { "delivered", "duplicate", "retried", "dead_letter", "refused" };

    for (size_t i = 0; i < ELASTIC_COUNTS; i++)
        destination->counters[i] = metric_create(
            &spec, (const struct metric_label[]){ { "exporter", destination->component->id }, { "outcome", names[i] }, { NULL, NULL } });
}

bool elastic_destination_open(
    struct elastic_destination *destination, struct component *component, const struct elastic_settings *settings, struct error *err)
{
    struct component *authenticator;
    const char *path = settings->dead_letter_path;

    destination->settings = settings;
    destination->component = component;
    make_counters(destination);
    if (!otlp_find_authenticator(component, settings->http.auth.authenticator, &authenticator, err) ||
        !elastic_connection_open(&destination->connection, settings, authenticator, err))
        return false;
    if (path == NULL || *path == '\0')
        return true;
    destination->dead_letters = elastic_dead_letters_open(path, settings->dead_letter_max_mib << 20, err);
    return destination->dead_letters != NULL;
}

void elastic_destination_close(struct elastic_destination *destination)
{
    elastic_connection_close(&destination->connection);
    elastic_dead_letters_close(destination->dead_letters);
    for (size_t i = 0; i < ELASTIC_COUNTS; i++)
        metric_destroy(destination->counters[i]);
    memset(destination, 0, sizeof(*destination));
}

void elastic_sending_fini(struct elastic_sending *sending)
{
    free(sending->parts.items);
    buffer_fini(&sending->compressed);
    buffer_fini(&sending->letters);
}

static void count(const struct elastic_sending *sending, enum elastic_count what, size_t documents)
{
    if (documents > 0)
        metric_add(sending->destination->counters[what], documents);
}

/* ---- the log ---- */

/* "type: reason" of an error, for people. */
static void describe_error(const struct elastic_error *error, char *out, size_t size)
{
    char excerpt[OTLP_EXCERPT_SIZE];

    struct slice type = error->type.size > 0 ? error->type : SLICE("no error is given");

    otlp_excerpt(error->reason, excerpt);
    snprintf(out, size, "%.*s%s", type.size < 80 ? (int)type.size : 80, (const char *)type.data, excerpt);
}

static void describe_answer(const struct http_answer *answer, char *out, size_t size)
{
    struct elastic_error error = elastic_error_of(buffer_slice(&answer->body));
    char text[256], excerpt[OTLP_EXCERPT_SIZE];

    if (error.json.size > 0) {
        describe_error(&error, text, sizeof(text));
        snprintf(out, size, "status %d, %s", answer->status, text);
    } else {
        snprintf(out, size, "status %d%s", answer->status, otlp_excerpt(buffer_slice(&answer->body), excerpt));
    }
}

static const char *advice(const char *reason)
{
    if (strcmp(reason, "unreachable") == 0)
        return "; check that Elasticsearch runs and that endpoint is its address";
    if (strcmp(reason, "unauthenticated") == 0 || strcmp(reason, "permission_denied") == 0)
        return "; check user and password, api_key or auth.authenticator";
    if (strcmp(reason, "not_found") == 0)
        return "; check the endpoint's path";
    return "";
}

static void tell_failure(struct elastic_sending *sending)
{
    struct elastic_destination *destination = sending->destination;
    const char *reason = sending->outcome.reason != NULL ? sending->outcome.reason : "failed";

    if (stretch_failed(&destination->failures, reason))
        log_warn(destination->component->path, "can't deliver (%s): %s%s; further failures of this kind are not logged", reason,
            sending->result, advice(reason));
}

static void tell_success(struct elastic_sending *sending)
{
    struct stretch_past past;

    if (stretch_worked(&sending->destination->failures, &past))
        log_info(sending->destination->component->path, "delivers again, after %llu failed requests in %.1f s",
            (unsigned long long)past.attempts, past.seconds);
}

/* ---- documents that will never be taken ---- */

static void refuse(struct elastic_sending *sending, struct elastic_item *item)
{
    item->pending = false;
    sending->refused++;
    count(sending, ELASTIC_REFUSED, 1);
}

/* Gathers the letter; settle_letters decides about the document. */
static void give_up(
    struct elastic_sending *sending, const struct elastic_bulk *bulk, struct elastic_item *item, const struct elastic_result *result)
{
    char text[200];

    if (sending->first_refusal[0] == '\0') {
        describe_error(&result->error, text, sizeof(text));
        snprintf(sending->first_refusal, sizeof(sending->first_refusal), "status %d, %s", result->status, text);
    }
    if (sending->destination->dead_letters == NULL) {
        refuse(sending, item);
        return;
    }
    elastic_letter_write(
        &(struct elastic_letter){ sending->destination->component->id, bulk, item, result->status, result->error }, &sending->letters);
    item->attempts = UINT32_MAX; /* marks it until the letters are written */
}

static void bury(struct elastic_sending *sending, struct elastic_item *item, enum elastic_burial burial)
{
    item->attempts = 0;
    if (burial == ELASTIC_BURIED) {
        item->pending = false;
        sending->buried++;
        sending->landed++;
        count(sending, ELASTIC_DEAD, 1);
    } else if (burial == ELASTIC_NO_GRAVE) {
        refuse(sending, item);
    }
}

/* Writes what give_up gathered. When the file can't be written, those documents stay pending. */
static void settle_letters(struct elastic_sending *sending, struct elastic_bulk *bulk)
{
    enum elastic_burial burial = ELASTIC_BURIAL_FAILED;
    struct error err = { "out of memory" };

    if (sending->letters.size == 0 && !sending->letters.failed)
        return;
    if (!sending->letters.failed)
        burial = elastic_dead_letters_write(sending->destination->dead_letters, buffer_slice(&sending->letters), &err);
    if (burial != ELASTIC_BURIED) {
        snprintf(sending->result, sizeof(sending->result), "dead letters: %.200s", err.message);
        sending->outcome = outcome_retry("dead_letter_failed", 0);
    }
    if (burial == ELASTIC_NO_GRAVE)
        log_error(sending->destination->component->path, "dead letters: %s", err.message);
    for (size_t i = 0; i < bulk->count; i++)
        if (bulk->items[i].attempts == UINT32_MAX)
            bury(sending, &bulk->items[i], burial);
    buffer_clear(&sending->letters);
}

/* ---- results ---- */

/* Some of a bulk's documents. */
struct range {
    size_t first, end;
};

static bool is_retried_status(const struct elastic_settings *settings, int status)
{
    if (status == 429 || (status >= 502 && status <= 504))
        return true;
    for (size_t i = 0; i < settings->retry_status_count; i++)
        if (settings->retry_statuses[i] == status)
            return true;
    return false;
}

static void try_later(struct elastic_sending *sending, const struct elastic_result *result)
{
    char text[200];

    if (sending->outcome.reason != NULL)
        return;
    describe_error(&result->error, text, sizeof(text));
    snprintf(sending->result, sizeof(sending->result), "a document got status %d, %s", result->status, text);
    sending->outcome = outcome_retry(result->status == 429 ? "throttled" : "unavailable", 0);
}

static void deliver(struct elastic_sending *sending, struct elastic_item *item, bool duplicate)
{
    item->pending = false;
    sending->delivered++;
    sending->landed += !item->has_id;
    count(sending, duplicate ? ELASTIC_DUPLICATE : ELASTIC_DELIVERED, 1);
}

static void take_result(
    struct elastic_sending *sending, const struct elastic_bulk *bulk, struct elastic_item *item, const struct elastic_result *result)
{
    const struct elastic_settings *settings = sending->destination->settings;
    bool blocked = slice_equal(result->error.type, SLICE("cluster_block_exception")) ||
                   slice_equal(result->error.type, SLICE("unavailable_shards_exception"));

    item->attempts++;
    if (result->status >= 200 && result->status < 300)
        deliver(sending, item, false);
    else if (result->status == 409)
        deliver(sending, item, true); /* there already: by its id, or as a point of the same time series */
    else if (is_retried_status(settings, result->status) || blocked || (result->status >= 500 && item->attempts <= settings->max_retries))
        try_later(sending, result);
    else
        give_up(sending, bulk, item, result);
}

/* The documents of the range that were sent, in their order, each with its result. */
static void take_results(struct elastic_sending *sending, struct elastic_bulk *bulk, struct range range, struct slice response)
{
    struct elastic_results results;
    struct elastic_result result;
    bool complete = elastic_results_begin(&results, response);

    for (size_t i = range.first; i < range.end && complete; i++) {
        if (!bulk->items[i].pending)
            continue;
        complete = elastic_results_next(&results, &result) && result.status != 0;
        if (complete)
            take_result(sending, bulk, &bulk->items[i], &result);
    }
    if (complete)
        return;
    snprintf(sending->result, sizeof(sending->result), "the answer could not be read: %s",
        results.text.problem != NULL ? results.text.problem : "it does not tell about every document");
    sending->outcome = outcome_retry("bad_answer", 0);
}

/* ---- one request ---- */

static void write_query(struct elastic_sending *sending, const struct elastic_bulk *bulk, struct buffer *out)
{
    const struct elastic_settings *settings = sending->destination->settings;

    buffer_append_string(out, "filter_path=errors,items.*.status,items.*.error");
    if (settings->pipeline != NULL && *settings->pipeline != '\0')
        buffer_printf(out, "&pipeline=%s", settings->pipeline);
    sending->requires_stream = bulk->require_data_stream && !atomic_load(&sending->destination->no_requirement);
    if (sending->requires_stream)
        buffer_append_string(out, "&require_data_stream=true");
    if (settings->include_source_on_error != ELASTIC_AUTO)
        buffer_printf(out, "&include_source_on_error=%s", settings->include_source_on_error == ELASTIC_ON ? "true" : "false");
}

static size_t response_limit(size_t documents)
{
    size_t limit = RESPONSE_BASE + documents * RESPONSE_PER_DOCUMENT;

    return limit < RESPONSE_MOST ? limit : RESPONSE_MOST;
}

/* The pending documents of [first, end). */
static bool call_bulk(struct elastic_sending *sending, const struct elastic_bulk *bulk, size_t documents, struct http_answer *answer)
{
    struct elastic_destination *destination = sending->destination;
    const char *compression = destination->settings->http.compression;
    bool gzip = compression != NULL && strcmp(compression, "gzip") == 0;
    struct buffer query = { 0 };
    struct error err = { "out of memory" };
    struct slice compressed;
    bool answered = false;

    write_query(sending, bulk, &query);
    struct elastic_call call = {
        .path = "/_bulk",
        .query = buffer_slice(&query),
        .content_type = "application/x-ndjson",
        .gzip = gzip,
        .parts = sending->parts.items,
        .part_count = sending->parts.count,
        .response_limit = response_limit(documents),
    };

    buffer_clear(&sending->compressed);
    if (gzip &&
        !deflate_parts(CODING_GZIP, (int)destination->settings->http.compression_level, call.parts, call.part_count, &sending->compressed))
        query.failed = true;
    compressed = buffer_slice(&sending->compressed);
    if (gzip) {
        call.parts = &compressed;
        call.part_count = 1;
    }
    if (!query.failed)
        answered = elastic_connection_call(&destination->connection, &call, answer, &err);
    if (!answered) {
        snprintf(sending->result, sizeof(sending->result), "%.250s", err.message);
        sending->outcome = outcome_retry(query.failed ? "no_memory" : "unreachable", 0);
    }
    buffer_fini(&query);
    return answered;
}

/* ---- what a request was told as a whole ---- */

static const char *retry_reason(int status)
{
    switch (status) {
    case 401:
        return "unauthenticated";
    case 403:
        return "permission_denied";
    case 404:
        return "not_found";
    case 429:
        return "throttled";
    default:
        return status >= 500 ? "unavailable" : "http_error";
    }
}

static bool mentions(const struct http_answer *answer, const char *word)
{
    return answer->body.size > 0 && memmem(answer->body.data, answer->body.size, word, strlen(word)) != NULL;
}

/* Older servers, and OpenSearch, do not know some things that can be left out. True: it is left out now, and the request may go again. */
static bool leave_out_unknown(struct elastic_sending *sending, struct elastic_bulk *bulk, const struct http_answer *answer)
{
    struct elastic_destination *destination = sending->destination;

    if (mentions(answer, "unrecognized parameter") && mentions(answer, "require_data_stream") &&
        destination->settings->require_data_stream == ELASTIC_AUTO && sending->requires_stream) {
        if (!atomic_exchange(&destination->no_requirement, true))
            log_warn(
                destination->component->path, "the server does not know require_data_stream: what has no data stream becomes an index");
        return true;
    }
    if (mentions(answer, "dynamic_templates") && elastic_bulk_forget_templates(bulk)) {
        if (!atomic_exchange(&destination->no_templates, true))
            log_warn(destination->component->path, "the server does not know dynamic_templates: metrics are mapped as its templates say");
        return true;
    }
    return false;
}

/* ---- how large a request may be ---- */

/*
 * A limit is a proxy's or the server's, and mostly one of compressed bytes, so that it can only be felt for: half of what was too large is the most for
 * the next requests of all threads, and each that is taken makes it a little larger.
 */
static void learn_too_large(struct elastic_destination *destination, size_t size)
{
    atomic_store(&destination->request_most, size / 2 > 1 ? size / 2 : 1);
}

static void learn_taken(struct elastic_destination *destination, size_t size)
{
    size_t most = atomic_load(&destination->request_most);

    if (most != 0 && size > most / 2 && most < REQUEST_MOST_KNOWN)
        atomic_compare_exchange_strong(&destination->request_most, &most, most + most / GROWTH + 1);
}

static size_t size_of(const struct elastic_parts *parts)
{
    size_t size = 0;

    for (size_t i = 0; i < parts->count; i++)
        size += parts->items[i].size;
    return size;
}

static void send_range(struct elastic_sending *sending, struct elastic_bulk *bulk, struct range range);

/* Between the first and the second half of what is pending. With nobody there for the first half, the second has to wait too. */
static void send_halves(struct elastic_sending *sending, struct elastic_bulk *bulk, struct range range)
{
    size_t half = elastic_bulk_pending(bulk, range.first, range.end) / 2, middle = range.first;

    for (size_t seen = 0; seen < half; middle++)
        seen += bulk->items[middle].pending;
    send_range(sending, bulk, (struct range){ range.first, middle });
    if (sending->outcome.reason == NULL || strcmp(sending->outcome.reason, "unreachable") != 0)
        send_range(sending, bulk, (struct range){ middle, range.end });
}

static void give_up_range(struct elastic_sending *sending, struct elastic_bulk *bulk, struct range range, const struct http_answer *answer)
{
    struct elastic_result result = { answer->status, elastic_error_of(buffer_slice(&answer->body)) };

    for (size_t i = range.first; i < range.end; i++)
        if (bulk->items[i].pending)
            give_up(sending, bulk, &bulk->items[i], &result);
}

static bool is_about_documents(int status)
{
    return status == 400 || status == 413;
}

/* Any status but 2xx. */
static void take_refusal(struct elastic_sending *sending, struct elastic_bulk *bulk, struct range range, struct http_answer *answer)
{
    const struct elastic_settings *settings = sending->destination->settings;
    bool several = elastic_bulk_pending(bulk, range.first, range.end) > 1;
    int64_t after_ns = answer->retry_after_ns < longest_retry_after_ns ? answer->retry_after_ns : longest_retry_after_ns;

    if (answer->status == 400 && leave_out_unknown(sending, bulk, answer)) {
        send_range(sending, bulk, range);
        return;
    }
    if (!is_about_documents(answer->status) || (is_retried_status(settings, answer->status) && answer->status != 413)) {
        describe_answer(answer, sending->result, sizeof(sending->result));
        sending->outcome = outcome_retry(retry_reason(answer->status), after_ns);
        return;
    }
    if (several && (answer->status == 413 || sending->splits < SPLITS_MOST)) {
        sending->splits += answer->status != 413;
        http_answer_fini(answer); /* not held while the halves are sent */
        send_halves(sending, bulk, range);
        return;
    }
    give_up_range(sending, bulk, range, answer);
}

/* Afterwards what is still pending is to be tried again, and outcome says why. */
static void send_range(struct elastic_sending *sending, struct elastic_bulk *bulk, struct range range)
{
    struct elastic_destination *destination = sending->destination;
    size_t documents = elastic_bulk_pending(bulk, range.first, range.end), size, most = atomic_load(&destination->request_most);
    struct http_answer answer = { 0 };

    if (documents == 0 || !elastic_connection_wait(&destination->connection, 0))
        return;
    if (!elastic_bulk_parts(bulk, range.first, range.end, &sending->parts)) {
        sending->outcome = outcome_retry("no_memory", 0);
        return;
    }
    size = size_of(&sending->parts);
    if (documents > 1 && most != 0 && size > most) {
        send_halves(sending, bulk, range);
        return;
    }
    if (call_bulk(sending, bulk, documents, &answer)) {
        if (answer.status >= 200 && answer.status < 300) {
            learn_taken(destination, size);
            take_results(sending, bulk, range, buffer_slice(&answer.body));
        } else {
            if (answer.status == 413 && documents > 1)
                learn_too_large(destination, size);
            take_refusal(sending, bulk, range, &answer);
        }
    }
    http_answer_fini(&answer);
}

/* ---- patience ---- */

/* May what is left be tried once more? `attempts` have been made. */
static bool may_go_on(const struct elastic_sending *sending, int64_t attempts)
{
    const struct elastic_settings *settings = sending->destination->settings;
    const struct retry_settings *patience = &settings->delivery.retry;

    if (!settings->retry.enabled)
        return false;
    if (attempts <= settings->max_retries)
        return true;
    if (sending->landed == 0 || !patience->enabled)
        return false;
    return settings->delivery.queue.storage != NULL || patience->max_elapsed_time_ns == 0 ||
           clock_monotonic_nanos() - sending->started_ns < patience->max_elapsed_time_ns;
}

/* Doubling from the first interval, half of it at random. */
static int64_t backoff_of(const struct elastic_sending *sending, int64_t attempts)
{
    const struct elastic_settings *settings = sending->destination->settings;
    int64_t shift = attempts - 1 < BACKOFF_SHIFT_MOST ? attempts - 1 : BACKOFF_SHIFT_MOST;
    double interval_ns = (double)settings->retry.initial_interval_ns * (double)(INT64_C(1) << shift);

    if (interval_ns > (double)settings->retry.max_interval_ns)
        interval_ns = (double)settings->retry.max_interval_ns;
    interval_ns = interval_ns / 2 + random_unit() * interval_ns / 2;
    return interval_ns < (double)sending->outcome.retry_after_ns ? sending->outcome.retry_after_ns : (int64_t)interval_ns;
}

static bool is_done(struct elastic_sending *sending, struct elastic_bulk *bulk)
{
    sending->outcome = OUTCOME_ACCEPTED;
    if (atomic_load(&sending->destination->no_templates))
        elastic_bulk_forget_templates(bulk);
    send_range(sending, bulk, (struct range){ 0, bulk->count });
    settle_letters(sending, bulk);
    return elastic_bulk_pending(bulk, 0, bulk->count) == 0;
}

bool elastic_send(void *context, struct elastic_bulk *bulk)
{
    struct elastic_sending *sending = context;

    for (int64_t attempts = 1; !is_done(sending, bulk); attempts++) {
        if (!elastic_connection_wait(&sending->destination->connection, 0)) {
            sending->outcome = outcome_retry("shutdown", 0);
            return false;
        }
        tell_failure(sending);
        if (!may_go_on(sending, attempts))
            return false;
        count(sending, ELASTIC_RETRIED, elastic_bulk_pending(bulk, 0, bulk->count));
        if (!elastic_connection_wait(&sending->destination->connection, backoff_of(sending, attempts))) {
            sending->outcome = outcome_retry("shutdown", 0);
            return false;
        }
    }
    tell_success(sending);
    return true;
}

struct outcome elastic_sending_outcome(struct elastic_sending *sending)
{
    const char *path = sending->destination->component->path;

    if (sending->buried > 0)
        log_error(
            path, "%zu documents were refused and are in the dead-letter file; the first: %s", sending->buried, sending->first_refusal);
    if (sending->refused > 0)
        log_error(path, "%zu documents were refused and are lost%s; the first: %s", sending->refused,
            sending->destination->dead_letters == NULL ? ", set dead_letter.path to keep such" : "", sending->first_refusal);
    if (sending->refused > 0 && sending->delivered == 0 && sending->buried == 0)
        return outcome_rejected("refused");
    return OUTCOME_ACCEPTED;
}
