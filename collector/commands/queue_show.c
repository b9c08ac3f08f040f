/*
 * weir queue ls and cat: what is in the folders, looked at without the lock. Cost: ls reads the records' headers only; cat holds one
 * request.
 */
#include "collector/commands/queue.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "collector/commands/print.h"
#include "collector/wire/otlp.h"

/* ---- ls ---- */

static void walk_headers(struct look *look)
{
    struct look_record record;

    while (look_next_record(look, &record))
        continue;
}

static void put_segment(const struct queue_client *client, const struct look_segment *segment, uint64_t *written_before, struct buffer *out)
{
    struct queue_times times = queue_file_times(client, segment->name);
    struct buffer name = { 0 };

    /* where files have no time of birth: a segment is made when the one before is full */
    if (times.made == 0)
        times.made = *written_before;
    *written_before = times.written;
    buffer_printf(&name, "%s/%s", client->name, segment->name);
    buffer_printf(out, "%-50s %12llu %10llu %10llu  ", buffer_string(&name), (unsigned long long)segment->size,
        (unsigned long long)segment->requests, (unsigned long long)segment->settled);
    print_seconds(out, times.made);
    buffer_append_string(out, times.made == 0 ? "                     " : "  ");
    print_seconds(out, times.written);
    if (segment->damaged > 0) {
        buffer_append_string(out, "  damaged in ");
        print_counted(out, segment->damaged, "place");
    }
    buffer_append_byte(out, '\n');
    buffer_fini(&name);
}

static int list_client(const struct queue_client *client, struct buffer *out)
{
    struct queue_look look;
    uint64_t written_before = 0;
    int status = 0, next;

    if (!queue_look_open(&look, client))
        return 1;
    while ((next = look_next_segment(look.look)) != 0) {
        if (next < 0) {
            print_flush(out);
            status = queue_complain(client, "could not read %s: %s", look_segment(look.look)->name, strerror(-next));
            continue;
        }
        walk_headers(look.look);
        put_segment(client, look_segment(look.look), &written_before, out);
        status |= look_segment(look.look)->damaged > 0;
        print_flush_large(out);
    }
    queue_look_close(&look);
    return status;
}

int queue_list(const struct queue_clients *clients, const struct queue_options *options)
{
    struct buffer out = { 0 };
    int status = 0;

    (void)options;
    buffer_printf(&out, "%-50s %12s %10s %10s  %-20s  %s\n", "SEGMENT", "BYTES", "REQUESTS", "SETTLED", "MADE", "LAST WRITTEN");
    for (size_t i = 0; i < clients->count; i++)
        status |= list_client(&clients->items[i], &out);
    status |= !print_flush(&out);
    buffer_fini(&out);
    return status;
}

/* ---- cat ---- */

struct printing {
    const struct queue_client *client;
    const struct queue_options *options;
    struct buffer payload, out;
    bool found; /* a segment that was asked for */
    int status;
};

static int skip(struct printing *printing, const struct look_segment *segment, const struct look_record *record, const char *why)
{
    print_flush(&printing->out);
    printing->status = queue_complain(
        printing->client, "%s: the request at byte %llu is left out: %s", segment->name, (unsigned long long)record->offset, why);
    return printing->status;
}

static void put_record(struct printing *printing, struct look *look, const struct look_record *record)
{
    const struct look_segment *segment = look_segment(look);
    int result = look_read(look, record, &printing->payload);
    struct otlp_check check;

    if (result != 0) {
        skip(printing, segment, record, result == -EBADMSG ? "its checksum is wrong" : strerror(-result));
        return;
    }
    if (record->signal >= SIGNAL_COUNT) {
        skip(printing, segment, record, "it is of an unknown signal");
        return;
    }
    check = otlp_check((enum signal)record->signal, buffer_slice(&printing->payload));
    if (check.fault != OTLP_OK && check.fault != OTLP_BAD_UTF8) {
        skip(printing, segment, record, otlp_fault_text(check.fault));
        return;
    }
    display_request(printing->options->display, (enum signal)record->signal, buffer_slice(&printing->payload), &printing->out);
    print_flush_large(&printing->out);
}

static void put_client(struct printing *printing)
{
    struct queue_look look;
    struct look_record record;
    int next;

    if (!queue_look_open(&look, printing->client)) {
        printing->status = 1;
        return;
    }
    while ((next = look_next_segment(look.look)) != 0) {
        const struct look_segment *segment = look_segment(look.look);

        if (!queue_is_wanted(printing->options, segment))
            continue;
        printing->found = true;
        if (next < 0)
            printing->status = queue_complain(printing->client, "could not read %s: %s", segment->name, strerror(-next));
        while (look_next_record(look.look, &record))
            if (!record.settled)
                put_record(printing, look.look, &record);
        if (segment->damaged > 0)
            printing->status =
                queue_complain(printing->client, "%s: damaged in %llu places", segment->name, (unsigned long long)segment->damaged);
    }
    queue_look_close(&look);
}

int queue_cat(const struct queue_clients *clients, const struct queue_options *options)
{
    struct printing printing = { .options = options };

    for (size_t i = 0; i < clients->count; i++) {
        printing.client = &clients->items[i];
        put_client(&printing);
    }
    if (options->segment != NULL && !printing.found) {
        fprintf(stderr, "weir queue cat: there is no segment \"%s\"\n", options->segment);
        printing.status = 1;
    }
    if (!print_flush(&printing.out))
        printing.status = 1;
    buffer_fini(&printing.payload);
    buffer_fini(&printing.out);
    return printing.status;
}
