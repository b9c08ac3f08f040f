/*
 * Delivery and retries. Back-off doubles from 1 to 5 seconds with jitter of half to one and a half; what the server asks for by
 * Retry-After is kept. Losses are reported once when they begin and once when they end. Threads: the worker.
 */
#include "sdk/src/exporter.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <unistd.h>

#include "collector/wire/protobuf.h"
#include "sdk/src/clock.h"
#include "sdk/src/diag.h"
#include "sdk/src/json.h"
#include "sdk/src/pack.h"
#include "sdk/src/random.h"

enum { BACKOFF_FIRST_MS = 1000, BACKOFF_MAX_MS = 5000, REQUEST_MAX = 64 << 20 };

static const char *const signal_names[SETTINGS_SIGNALS] = { "spans", "log records", "metric points" };

void exporter_init(struct exporter *exporter, weir_signal signal, const struct settings *settings, struct exporter_totals *totals)
{
    struct random random;

    memset(exporter, 0, sizeof(*exporter));
    random_seed(&random);
    exporter->signal = signal;
    exporter->settings = settings;
    exporter->own = &settings->exporters[signal];
    exporter->totals = totals;
    exporter->request.limit = exporter->packed.limit = REQUEST_MAX;
    exporter->random = random.s[0];
    exporter->file = -1;
    http_init(&exporter->http, exporter->own);
}

void exporter_fini(struct exporter *exporter)
{
    http_fini(&exporter->http);
    buffer_fini(&exporter->request);
    buffer_fini(&exporter->packed);
    if (exporter->settings != NULL && exporter->file >= 0 && exporter->file != STDOUT_FILENO)
        close(exporter->file);
    memset(exporter, 0, sizeof(*exporter));
}

/* ---- outcome ---- */

static void add(_Atomic uint64_t *total, uint64_t n)
{
    atomic_fetch_add_explicit(total, n, memory_order_relaxed);
}

static void end(struct exporter *exporter)
{
    add(&exporter->totals->busy_ms, (uint64_t)(clock_monotonic_ms() - exporter->began));
    exporter->state = EXPORTER_IDLE;
    exporter->items = 0;
    exporter->retry_at = INT64_MAX;
    buffer_clear(&exporter->request);
}

static void report_loss(struct exporter *exporter, uint64_t count, const char *why)
{
    add(&exporter->totals->failed, count);
    exporter->lost_since += count;
    if (exporter->losing || exporter->own->kind == EXPORTER_NONE)
        return;
    exporter->losing = true;
    diag(WEIR_LEVEL_WARN, "losing %s: %s could not be reached or refused them: %s", signal_names[exporter->signal],
        exporter->own->url.label, why);
}

static void lost(struct exporter *exporter, const char *why)
{
    report_loss(exporter, exporter->items, why);
    end(exporter);
}

static void delivered(struct exporter *exporter, uint64_t rejected)
{
    uint64_t accepted = exporter->items - (rejected < exporter->items ? rejected : exporter->items);

    add(&exporter->totals->exported, accepted);
    add(&exporter->totals->failed, exporter->items - accepted);
    if (exporter->losing && rejected == 0) {
        diag(WEIR_LEVEL_WARN, "%s arrive at %s again; %llu were lost", signal_names[exporter->signal], exporter->own->url.label,
            (unsigned long long)exporter->lost_since);
        exporter->losing = false;
        exporter->lost_since = 0;
    }
    end(exporter);
}

void exporter_abort(struct exporter *exporter, const char *why)
{
    if (exporter->state == EXPORTER_IDLE)
        return;
    http_abort(&exporter->http);
    lost(exporter, why);
}

/* ---- retries ---- */

/* False when there is no time for another attempt. */
static bool wait_and_retry(struct exporter *exporter, int64_t asked_ms, const char *why)
{
    snprintf(exporter->trouble, sizeof(exporter->trouble), "%s", why);
    int64_t base = (int64_t)BACKOFF_FIRST_MS << (exporter->attempt < 3 ? exporter->attempt : 3);

    if (base > BACKOFF_MAX_MS)
        base = BACKOFF_MAX_MS;
    exporter->random = exporter->random * UINT64_C(6364136223846793005) + UINT64_C(1442695040888963407);
    int64_t wait = asked_ms >= 0 ? asked_ms : base / 2 + (int64_t)((exporter->random >> 33) % (uint64_t)base);
    int64_t at = clock_monotonic_ms() + wait;
    if (at >= exporter->deadline)
        return false;
    exporter->attempt++;
    exporter->retry_at = at;
    exporter->state = EXPORTER_WAITING;
    add(&exporter->totals->retries, 1);
    return true;
}

/* Export*ServiceResponse: partial_success = 1 { rejected = 1, error_message = 2 } */
static uint64_t rejected_items(struct slice body, struct slice *message)
{
    struct pb_reader reader = pb_reader_of(body);
    struct pb_field field, inner;
    uint64_t rejected = 0;

    *message = slice_of(NULL, 0);
    while (pb_next(&reader, &field)) {
        if (field.number != 1 || field.type != PB_BYTES)
            continue;
        struct pb_reader partial = pb_reader_of(field.bytes);
        while (pb_next(&partial, &inner)) {
            if (inner.number == 1 && inner.type == PB_VARINT)
                rejected = inner.scalar;
            else if (inner.number == 2 && inner.type == PB_BYTES)
                *message = inner.bytes;
        }
    }
    return reader.failed || rejected > INT64_MAX ? 0 : rejected;
}

static void handle_success(struct exporter *exporter)
{
    struct slice message = { NULL, 0 };
    uint64_t rejected = exporter->own->json ? 0 : rejected_items(exporter->http.response.body, &message);

    if ((rejected != 0 || message.size != 0) && !exporter->partial_reported) {
        exporter->partial_reported = true;
        diag(WEIR_LEVEL_WARN, "%s took a request but refused %llu %s: %.*s", exporter->own->url.label, (unsigned long long)rejected,
            signal_names[exporter->signal], message.size < 200 ? (int)message.size : 200,
            message.size != 0 ? (const char *)message.data : "");
    }
    delivered(exporter, rejected);
}

static void handle_status(struct exporter *exporter)
{
    const struct http_response *response = &exporter->http.response;
    char why[64];

    if (response->status >= 200 && response->status < 300) {
        handle_success(exporter);
        return;
    }
    snprintf(why, sizeof(why), "HTTP status %d", response->status);
    bool again = response->status == 429 || response->status == 502 || response->status == 503 || response->status == 504;
    if (!again || !wait_and_retry(exporter, response->retry_after_ms, why))
        lost(exporter, why);
}

/* ---- sending ---- */

static void start_request(struct exporter *exporter)
{
    bool packed = exporter->own->json || exporter->own->gzip;
    struct http_request request = { buffer_slice(packed ? &exporter->packed : &exporter->request),
        exporter->own->json ? "application/json" : "application/x-protobuf", exporter->own->gzip };

    exporter->state = EXPORTER_SENDING;
    http_begin(&exporter->http, &request);
}

/* JSON and gzip, as set; false when out of memory. */
static bool pack(struct exporter *exporter)
{
    struct buffer json = { .limit = REQUEST_MAX };

    buffer_clear(&exporter->packed);
    if (!exporter->own->json)
        return !exporter->own->gzip || pack_gzip(buffer_slice(&exporter->request), &exporter->packed);
    struct buffer *out = exporter->own->gzip ? &json : &exporter->packed;
    json_write(exporter->signal, buffer_slice(&exporter->request), out);
    bool fine = !out->failed && (!exporter->own->gzip || pack_gzip(buffer_slice(&json), &exporter->packed));
    buffer_fini(&json);
    return fine;
}

/* OTLP/JSON lines: one line for each request, appended by one write where the system allows. */
static void write_line(struct exporter *exporter)
{
    if (exporter->file < 0)
        exporter->file = exporter->own->kind == EXPORTER_CONSOLE
                             ? STDOUT_FILENO
                             : open(exporter->own->url.host, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0644);
    buffer_clear(&exporter->packed);
    json_write(exporter->signal, buffer_slice(&exporter->request), &exporter->packed);
    buffer_append_byte(&exporter->packed, '\n');
    size_t done = 0;
    while (exporter->file >= 0 && !exporter->packed.failed && done < exporter->packed.size) {
        ssize_t n = write(exporter->file, exporter->packed.data + done, exporter->packed.size - done);
        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0)
            break;
        done += (size_t)n;
    }
    if (done > 0 && done == exporter->packed.size)
        delivered(exporter, 0);
    else
        lost(exporter, exporter->packed.failed ? "out of memory" : strerror(errno));
}

static void call_function(struct exporter *exporter)
{
    const struct settings *settings = exporter->settings;
    int result = settings->export_fn(exporter->signal, exporter->request.data, exporter->request.size, settings->export_user);

    if (result == 0)
        delivered(exporter, 0);
    else
        lost(exporter, strerror(-result));
}

static int64_t deadline_of(const struct exporter *exporter, int64_t timeout_ms)
{
    int64_t own = exporter->own->timeout_ms;
    int64_t least = own == 0 || (timeout_ms != 0 && timeout_ms < own) ? timeout_ms : own;

    return least != 0 ? exporter->began + least : INT64_MAX;
}

void exporter_begin(struct exporter *exporter, uint32_t items, int64_t timeout_ms)
{
    exporter->items = items;
    exporter->began = clock_monotonic_ms();
    exporter->deadline = deadline_of(exporter, timeout_ms);
    exporter->attempt = 0;
    exporter->trouble[0] = '\0';
    add(&exporter->totals->requests, 1);
    if (exporter->settings->export_fn != NULL)
        call_function(exporter);
    else if (exporter->own->kind == EXPORTER_NONE)
        delivered(exporter, 0);
    else if (exporter->own->kind == EXPORTER_CONSOLE || exporter->own->url.scheme == URL_FILE)
        write_line(exporter);
    else if (pack(exporter))
        start_request(exporter);
    else
        lost(exporter, "out of memory");
}

bool exporter_step(struct exporter *exporter)
{
    if (exporter->state == EXPORTER_IDLE)
        return true;
    if (exporter->state == EXPORTER_WAITING && clock_monotonic_ms() >= exporter->retry_at)
        start_request(exporter);
    if (exporter->state == EXPORTER_SENDING) {
        enum http_state state = http_step(&exporter->http);
        if (state == HTTP_DONE)
            handle_status(exporter);
        else if (state == HTTP_FAILED && (exporter->http.fatal || !wait_and_retry(exporter, -1, exporter->http.message)))
            lost(exporter, exporter->http.message);
    }
    if (exporter->state != EXPORTER_IDLE && clock_monotonic_ms() >= exporter->deadline)
        exporter_abort(exporter, exporter->trouble[0] != '\0' ? exporter->trouble : "no answer in time");
    return exporter->state == EXPORTER_IDLE;
}

int64_t exporter_due(const struct exporter *exporter)
{
    if (exporter->state == EXPORTER_IDLE)
        return INT64_MAX;
    if (exporter->state == EXPORTER_WAITING && exporter->retry_at < exporter->deadline)
        return exporter->retry_at;
    return exporter->deadline;
}
