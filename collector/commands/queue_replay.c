/*
 * weir queue replay: sends what waits by OTLP/HTTP, one request after the other, and settles what the server accepted. Needs the folder's
 * lock, so that nobody else sends the same. Interrupted (SIGINT, SIGTERM) it ends after the request that is under way; killed,
 * what it had sent in the last moments may be sent again.
 *
 * Tried again for --retry-for: no answer, 429, 502, 503, 504. What the server refuses as malformed or too large stays in the queue, and
 * is counted; an answer that would be the same for all (wrong path, no credentials) ends the replay.
 */
#include "collector/commands/queue.h"

#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "collector/base/clock.h"
#include "collector/commands/print.h"
#include "collector/net/compress.h"
#include "collector/net/http_client.h"
#include "collector/net/url.h"
#include "collector/storage/journal.h"
#include "exporters/otlp_response.h"

enum { REFUSALS_SHOWN = 10, FLUSH_EVERY = 64, HEADERS_MAX = COMMAND_VALUES_MAX + 4 };
static const int64_t first_pause_ns = NANOS_PER_SECOND / 2, longest_pause_ns = 30 * NANOS_PER_SECOND;

static volatile sig_atomic_t interrupted;

struct replay {
    const struct queue_options *options;
    const struct queue_client *client;
    struct journal *journal;
    struct http_client *http;
    char *urls[SIGNAL_COUNT]; /* owned */
    const char *headers[HEADERS_MAX + 1];
    char encoding_header[64];
    enum coding coding;
    struct buffer compressed;
    uint64_t sent, records, refused, partly_refused;
    int64_t said_ns; /* when progress was last shown */
};

enum attempt { ATTEMPT_SENT, ATTEMPT_REFUSED, ATTEMPT_AGAIN, ATTEMPT_HOPELESS };

static void interrupt(int number)
{
    (void)number;
    interrupted = 1;
}

/* ---- one request ---- */

static void note_partial_success(struct replay *replay, const struct http_answer *answer)
{
    struct otlp_partial_success partial = { 0 };
    struct slice type = http_answer_header(answer, "content-type");
    struct slice body = buffer_slice(&answer->body);

    if (slice_starts_with(type, SLICE("application/json")))
        otlp_read_partial_success_json(body, &partial);
    else
        otlp_read_partial_success(body, &partial);
    if (partial.rejected > 0)
        replay->partly_refused += (uint64_t)partial.rejected;
    otlp_partial_success_fini(&partial);
}

static enum attempt judge(int status)
{
    if (status >= 200 && status < 300)
        return ATTEMPT_SENT;
    if (status == 429 || (status >= 502 && status <= 504))
        return ATTEMPT_AGAIN;
    return status == 400 || status == 413 || status == 422 || status >= 500 ? ATTEMPT_REFUSED : ATTEMPT_HOPELESS;
}

static void describe(const struct http_answer *answer, struct error *err)
{
    char text[201];
    size_t size = answer->body.size < 200 ? answer->body.size : 200;

    for (size_t i = 0; i < size; i++)
        text[i] = answer->body.data[i] < ' ' || answer->body.data[i] >= 0x7f ? ' ' : (char)answer->body.data[i];
    text[size] = '\0';
    fail(err, "status %d%s%s", answer->status, size > 0 ? ": " : "", text);
}

static enum attempt attempt(struct replay *replay, const struct journal_record *record, int64_t *pause_ns, struct error *err)
{
    struct slice body = replay->coding == CODING_IDENTITY ? payload_slice(record->payload) : buffer_slice(&replay->compressed);
    struct http_call call = { .url = replay->urls[record->signal], .headers = replay->headers, .parts = &body, .part_count = 1 };
    struct http_answer answer = { 0 };
    enum attempt result = ATTEMPT_AGAIN;

    if (http_client_call(replay->http, &call, &answer, err)) {
        result = judge(answer.status);
        if (result == ATTEMPT_SENT)
            note_partial_success(replay, &answer);
        else
            describe(&answer, err);
        if (answer.retry_after_ns > *pause_ns)
            *pause_ns = answer.retry_after_ns;
    }
    http_answer_fini(&answer);
    return result;
}

static void pause_for(int64_t nanos)
{
    struct timespec time = { (time_t)(nanos / NANOS_PER_SECOND), (long)(nanos % NANOS_PER_SECOND) };

    nanosleep(&time, NULL); /* a signal ends it */
}

/* Tries until the server has said something final, or the time for it is over. */
static enum attempt send_record(struct replay *replay, const struct journal_record *record, struct error *err)
{
    int64_t give_up_ns = clock_monotonic_nanos() + replay->options->retry_ns, pause_ns = first_pause_ns;

    buffer_clear(&replay->compressed);
    if (replay->coding != CODING_IDENTITY) {
        struct slice plain = payload_slice(record->payload);

        if (!deflate_parts(replay->coding, 0, &plain, 1, &replay->compressed)) {
            fail(err, "out of memory");
            return ATTEMPT_HOPELESS;
        }
    }
    for (;;) {
        int64_t asked_ns = pause_ns;
        enum attempt result = attempt(replay, record, &asked_ns, err);

        if (result != ATTEMPT_AGAIN || interrupted || clock_monotonic_nanos() + asked_ns > give_up_ns)
            return result;
        pause_for(asked_ns);
        pause_ns = pause_ns * 2 < longest_pause_ns ? pause_ns * 2 : longest_pause_ns;
    }
}

/* ---- one client ---- */

static void show_progress(struct replay *replay)
{
    int64_t now = clock_monotonic_nanos();

    if (now - replay->said_ns < NANOS_PER_SECOND || !isatty(STDERR_FILENO))
        return;
    replay->said_ns = now;
    fprintf(stderr, "\r%s: %llu requests sent, about %llu left ", replay->client->name, (unsigned long long)replay->sent,
        (unsigned long long)journal_stats(replay->journal).requests);
}

static void note_refused(struct replay *replay, const struct journal_record *record, const char *why)
{
    if (replay->refused++ < REFUSALS_SHOWN)
        queue_complain(replay->client, "request %llu (%u %s) was refused and stays: %s", (unsigned long long)record->sequence,
            record->records, signal_record_name((enum signal)record->signal), why);
}

/* 0, or 1 when no more is to be sent. */
static int replay_record(struct replay *replay, const struct journal_record *record)
{
    struct error err = { "" };
    enum attempt result;

    if (record->signal >= SIGNAL_COUNT) {
        queue_complain(replay->client, "request %llu is of an unknown signal and stays", (unsigned long long)record->sequence);
        replay->refused++;
        return 0;
    }
    result = send_record(replay, record, &err);
    if (result == ATTEMPT_SENT) {
        journal_settle(replay->journal, record->sequence);
        replay->records += record->records;
        if (++replay->sent % FLUSH_EVERY == 0)
            journal_flush(replay->journal);
        return 0;
    }
    if (result == ATTEMPT_REFUSED) {
        note_refused(replay, record, err.message);
        return 0;
    }
    return queue_complain(replay->client, "POST %s: %s", replay->urls[record->signal], err.message);
}

static int replay_records(struct replay *replay)
{
    struct journal_record record;
    int status = 0, result = 0;

    while (status == 0 && !interrupted && (result = journal_read(replay->journal, &record)) > 0) {
        status = replay_record(replay, &record);
        payload_unref(record.payload);
        show_progress(replay);
    }
    if (result < 0)
        status = queue_complain(replay->client, "could not read on: %s", strerror(-result));
    return status;
}

static void put_result(const struct replay *replay, const struct journal_stats *stats)
{
    struct buffer out = { 0 };

    buffer_printf(&out, "%s: ", replay->client->name);
    print_counted(&out, replay->sent, "request");
    buffer_append_string(&out, " with ");
    print_counted(&out, replay->records, "record");
    buffer_append_string(&out, " sent, ");
    print_counted(&out, stats->requests, "request");
    buffer_append_string(&out, " left");
    if (replay->refused > 0)
        buffer_printf(&out, ", %llu of them refused", (unsigned long long)replay->refused);
    if (replay->partly_refused > 0) {
        buffer_append_string(&out, "; of those sent the server refused ");
        print_counted(&out, replay->partly_refused, "record");
        buffer_append_string(&out, " for good");
    }
    if (stats->corrupt > 0) {
        buffer_append_string(&out, "; put into quarantine: ");
        print_counted(&out, stats->corrupt, "damaged one");
    }
    buffer_append_string(&out, interrupted ? "; interrupted\n" : "\n");
    print_flush(&out);
    buffer_fini(&out);
}

static int replay_client(struct replay *replay)
{
    const struct journal_settings settings = { .sync = false };
    struct error err;
    struct folder *folder = queue_open_locked(replay->client);
    struct journal_stats stats;
    int status;

    if (folder == NULL)
        return 1;
    replay->journal = journal_open(folder_filesystem(folder), &settings, &err);
    if (replay->journal == NULL) {
        folder_close(folder);
        return queue_complain(replay->client, "%s", err.message);
    }
    replay->sent = replay->records = replay->refused = replay->partly_refused = 0;
    status = replay_records(replay);
    stats = journal_stats(replay->journal);
    journal_close(replay->journal);
    folder_close(folder);
    if (isatty(STDERR_FILENO))
        fputs("\r\x1b[K", stderr);
    put_result(replay, &stats);
    return status | (replay->refused + replay->partly_refused + stats.corrupt > 0) | (interrupted != 0);
}

/* ---- all ---- */

static bool make_urls(struct replay *replay)
{
    static const char *const paths[SIGNAL_COUNT] = { "v1/traces", "v1/metrics", "v1/logs", "v1development/profiles" };
    const char *endpoint = replay->options->endpoint;
    struct error err;
    struct url url;

    if (!url_parse(endpoint, &url, &err)) {
        fprintf(stderr, "weir queue replay: --endpoint: %s\n", err.message);
        return false;
    }
    for (size_t signal = 0; signal < SIGNAL_COUNT; signal++) {
        struct buffer text = { 0 };

        buffer_printf(&text, "%s%s%s", endpoint, endpoint[strlen(endpoint) - 1] == '/' ? "" : "/", paths[signal]);
        replay->urls[signal] = slice_dup_string(buffer_slice(&text));
        buffer_fini(&text);
    }
    return true;
}

static bool make_headers(struct replay *replay)
{
    const char *compression = replay->options->compression;
    size_t count = 0;

    replay->headers[count++] = "Content-Type: application/x-protobuf";
    replay->headers[count++] = "User-Agent: weir/" WEIR_VERSION;
    replay->coding =
        compression == NULL || strcmp(compression, "none") == 0 ? CODING_IDENTITY : coding_of_name(slice_of_string(compression));
    if (replay->coding == CODING_UNKNOWN) {
        fprintf(stderr, "weir queue replay: --compression: \"%s\" is not known\n", compression);
        return false;
    }
    if (replay->coding != CODING_IDENTITY) {
        snprintf(replay->encoding_header, sizeof(replay->encoding_header), "Content-Encoding: %s", coding_name(replay->coding));
        replay->headers[count++] = replay->encoding_header;
    }
    for (size_t i = 0; i < replay->options->headers.count; i++) {
        const char *header = replay->options->headers.items[i];

        if (strchr(header, ':') == NULL || *header == ':' || strpbrk(header, "\r\n") != NULL) {
            fprintf(stderr, "weir queue replay: --header: expected \"NAME: VALUE\", not \"%s\"\n", header);
            return false;
        }
        replay->headers[count++] = header;
    }
    return true;
}

static void catch_signals(void)
{
    struct sigaction action = { .sa_handler = interrupt };

    sigemptyset(&action.sa_mask);
    sigaction(SIGINT, &action, NULL);
    sigaction(SIGTERM, &action, NULL);
    signal(SIGPIPE, SIG_IGN); /* of TLS connections */
}

int queue_replay(const struct queue_clients *clients, const struct queue_options *options)
{
    const struct tls_settings tls = { .ca_file = options->ca_file, .insecure_skip_verify = options->insecure_skip_verify };
    const struct http_client_settings settings = { .tls = &tls, .timeout_ns = options->timeout_ns };
    struct replay replay = { .options = options };
    struct error err;
    int status = 2;

    if (make_urls(&replay) && make_headers(&replay)) {
        replay.http = http_client_create(&settings, &err);
        if (replay.http == NULL)
            fprintf(stderr, "weir queue replay: %s\n", err.message);
        status = replay.http == NULL;
    }
    if (replay.http != NULL)
        catch_signals();
    for (size_t i = 0; replay.http != NULL && i < clients->count && !interrupted; i++) {
        replay.client = &clients->items[i];
        status |= replay_client(&replay);
    }
    http_client_destroy(replay.http);
    for (size_t signal = 0; signal < SIGNAL_COUNT; signal++)
        free(replay.urls[signal]);
    buffer_fini(&replay.compressed);
    return status;
}
