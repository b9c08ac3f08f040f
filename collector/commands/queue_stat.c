/*
 * weir queue stat: the state of each client's queue on one page. Reads everything that waits, since only that tells what is damaged:
 * as long as the disk takes for it. Memory: one request.
 */
#include "collector/commands/queue.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "collector/base/clock.h"
#include "collector/commands/print.h"
#include "collector/storage/holder.h"
#include "collector/wire/otlp.h"

static const char *const record_names[SIGNAL_COUNT] = { "span", "data point", "log record", "profile" };

struct census {
    uint64_t segments, bytes;
    uint64_t waiting, waiting_bytes, records[SIGNAL_COUNT];
    uint64_t settled;
    uint64_t bad_payloads, damaged, unreadable, torn_bytes;
    bool has_oldest;
    enum signal oldest_signal;
    uint64_t oldest_made; /* when the file it is in was made; 0: unknown */
    uint64_t oldest_time; /* of its first telemetry record; 0: unknown */
};

/* ---- counting ---- */

static uint64_t time_of_metric(struct slice body)
{
    struct otlp_metric metric;
    struct otlp_points points;
    struct otlp_point point;

    otlp_metric_view(body, &metric);
    points = otlp_points(&metric);
    return otlp_next_point(&points, &point) ? point.time : 0;
}

/* When the first record of a well-formed request happened; 0: it does not say. */
static uint64_t first_time(enum signal signal, struct slice request)
{
    struct otlp_walk walk = otlp_walk(request);
    struct otlp_span span;
    struct otlp_log log;

    if (!otlp_walk_next(&walk))
        return 0;
    if (signal == SIGNAL_METRICS)
        return time_of_metric(walk.record.body);
    if (signal == SIGNAL_TRACES) {
        otlp_span_view(walk.record.body, &span);
        return span.start_time;
    }
    if (signal != SIGNAL_LOGS)
        return 0;
    otlp_log_view(walk.record.body, &log);
    return log.time != 0 ? log.time : log.observed_time;
}

struct counting {
    const struct queue_client *client;
    struct look *look;
    struct buffer payload;
    struct census census;
};

static void note_oldest(struct counting *counting, const struct look_record *record)
{
    struct census *census = &counting->census;
    enum signal signal = (enum signal)record->signal;
    struct otlp_check check = otlp_check(signal, buffer_slice(&counting->payload));

    census->has_oldest = true;
    census->oldest_made = queue_file_times(counting->client, look_segment(counting->look)->name).made;
    census->oldest_signal = signal;
    if (check.fault == OTLP_OK || check.fault == OTLP_BAD_UTF8)
        census->oldest_time = first_time(signal, buffer_slice(&counting->payload));
}

static void count_record(struct counting *counting, const struct look_record *record)
{
    struct census *census = &counting->census;

    if (record->settled) {
        census->settled++;
        return;
    }
    if (look_read(counting->look, record, &counting->payload) != 0 || record->signal >= SIGNAL_COUNT) {
        census->bad_payloads++;
        return;
    }
    if (!census->has_oldest)
        note_oldest(counting, record);
    census->waiting++;
    census->waiting_bytes += record->size;
    census->records[record->signal] += record->records;
}

static void count_all(struct counting *counting)
{
    struct census *census = &counting->census;
    struct look_record record;
    int next;

    while ((next = look_next_segment(counting->look)) != 0) {
        const struct look_segment *segment = look_segment(counting->look);

        census->segments++;
        census->unreadable += next < 0;
        while (look_next_record(counting->look, &record))
            count_record(counting, &record);
        census->bytes += segment->size;
        census->damaged += segment->damaged;
        census->torn_bytes = segment->torn_bytes;
    }
}

/* ---- printing ---- */

static void put_row(struct buffer *out, const char *name)
{
    buffer_printf(out, "  %-11s ", name);
}

static void put_holder(const struct queue_client *client, struct buffer *out, bool *held)
{
    struct folder_holder holder;

    *held = folder_find_holder(client->path, &holder);
    put_row(out, "in use");
    if (!*held)
        buffer_append_string(out, "by nobody\n");
    else if (holder.process == 0)
        buffer_append_string(out, "by a process that is not visible from here\n");
    else
        buffer_printf(out, "by process %ld%s%s%s\n", holder.process, holder.name[0] != '\0' ? " (" : "", holder.name,
            holder.name[0] != '\0' ? ")" : "");
}

static void put_waiting(const struct census *census, struct buffer *out)
{
    put_row(out, "waiting");
    print_counted(out, census->waiting, "request");
    for (int signal = 0; signal < SIGNAL_COUNT; signal++) {
        if (census->records[signal] == 0)
            continue;
        buffer_append_string(out, ", ");
        print_counted(out, census->records[signal], record_names[signal]);
    }
    buffer_append_string(out, ", ");
    print_bytes(out, census->waiting_bytes);
    buffer_append_byte(out, '\n');
}

static void put_age(struct buffer *out, uint64_t time)
{
    uint64_t now = clock_wall_nanos();

    print_seconds(out, time);
    if (time == 0 || time > now)
        return;
    now -= time;
    buffer_append_string(out, " (");
    if (now < (uint64_t)NANOS_PER_SECOND * 60)
        buffer_printf(out, "%u s", (unsigned)(now / (uint64_t)NANOS_PER_SECOND));
    else
        print_duration(out, (int64_t)now);
    buffer_append_string(out, " ago)");
}

static void put_oldest(const struct census *census, struct buffer *out)
{
    if (!census->has_oldest)
        return;
    put_row(out, "oldest");
    buffer_append_string(out, census->oldest_made != 0 ? "in a segment made " : "in a segment made at an unknown time");
    if (census->oldest_made != 0)
        put_age(out, census->oldest_made);
    if (census->oldest_time != 0) {
        buffer_printf(out, "; its first %s is of ", record_names[census->oldest_signal]);
        put_age(out, census->oldest_time);
    }
    buffer_append_byte(out, '\n');
}

static void put_damage(const struct census *census, bool held, struct buffer *out)
{
    const struct {
        uint64_t count;
        const char *thing, *what;
    } kinds[] = {
        { census->bad_payloads, "request", "whose checksum is wrong" },
        { census->damaged, "place", "with bytes that are no request" },
        { census->unreadable, "segment", "that can't be read" },
    };
    const char *row = "damage";

    for (size_t i = 0; i < sizeof(kinds) / sizeof(kinds[0]); i++) {
        if (kinds[i].count == 0)
            continue;
        put_row(out, row);
        print_counted(out, kinds[i].count, kinds[i].thing);
        buffer_printf(out, " %s\n", kinds[i].what);
        row = "";
    }
    if (*row != '\0') {
        put_row(out, row);
        buffer_append_string(out, "none\n");
    }
    if (census->torn_bytes == 0)
        return;
    put_row(out, "torn end");
    print_bytes(out, census->torn_bytes);
    buffer_append_string(out, held ? ", most likely being written now\n" : ", no whole request; cut off at the next start\n");
}

static void put_quarantine(const struct queue_client *client, struct buffer *out)
{
    struct queue_times times = queue_file_times(client, "quarantine");

    put_row(out, "quarantine");
    if (times.size == 0) {
        buffer_append_string(out, "empty\n");
        return;
    }
    print_bytes(out, times.size);
    buffer_append_string(out, " of damaged bytes in the file \"quarantine\", last written ");
    put_age(out, times.written);
    buffer_append_byte(out, '\n');
}

static void put_census(const struct counting *counting, struct buffer *out)
{
    const struct census *census = &counting->census;
    bool held;

    buffer_printf(out, "%s\n", counting->client->name);
    put_row(out, "folder");
    buffer_printf(out, "%s\n", counting->client->path);
    put_holder(counting->client, out, &held);
    put_waiting(census, out);
    put_oldest(census, out);
    put_row(out, "segments");
    print_counted(out, census->segments, "segment");
    buffer_append_string(out, ", ");
    print_bytes(out, census->bytes);
    buffer_append_string(out, " on disk, with ");
    print_counted(out, census->settled, "settled request");
    buffer_append_string(out, " still in them\n");
    put_damage(census, held, out);
    put_quarantine(counting->client, out);
}

static void put_totals(const struct census *total, size_t clients, struct buffer *out)
{
    buffer_printf(out, "all %zu\n", clients);
    put_waiting(total, out);
    put_row(out, "segments");
    print_counted(out, total->segments, "segment");
    buffer_append_string(out, ", ");
    print_bytes(out, total->bytes);
    buffer_append_string(out, " on disk\n");
}

static void add_to_totals(struct census *total, const struct census *census)
{
    total->segments += census->segments;
    total->bytes += census->bytes;
    total->waiting += census->waiting;
    total->waiting_bytes += census->waiting_bytes;
    for (size_t signal = 0; signal < SIGNAL_COUNT; signal++)
        total->records[signal] += census->records[signal];
}

int queue_stat(const struct queue_clients *clients, const struct queue_options *options)
{
    struct census total = { 0 };
    struct buffer out = { 0 };
    int status = 0;

    (void)options;
    for (size_t i = 0; i < clients->count; i++) {
        struct counting counting = { .client = &clients->items[i] };
        struct queue_look look;

        if (!queue_look_open(&look, counting.client)) {
            status = 1;
            continue;
        }
        counting.look = look.look;
        count_all(&counting);
        put_census(&counting, &out);
        add_to_totals(&total, &counting.census);
        status |= counting.census.bad_payloads + counting.census.damaged + counting.census.unreadable > 0;
        status |= !print_flush(&out);
        buffer_fini(&counting.payload);
        queue_look_close(&look);
    }
    if (clients->count > 1)
        put_totals(&total, clients->count, &out);
    status |= !print_flush(&out);
    buffer_fini(&out);
    return status;
}
