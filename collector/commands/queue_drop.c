/*
 * weir queue drop: throws segments away, with what waits in them, after a question. Takes the locks of all folders before anything goes.
 * The quarantine file stays.
 */
#include "collector/commands/queue.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "collector/commands/print.h"

/* What is to go. */
struct loss {
    uint64_t segments, bytes, requests, records;
};

static bool measure(
    const struct queue_client *client, const struct filesystem *filesystem, const struct queue_options *options, struct loss *loss)
{
    struct error err;
    struct look *look = look_open(filesystem, &err);
    struct look_record record;

    if (look == NULL)
        return queue_complain(client, "%s", err.message) == 0;
    while (look_next_segment(look) != 0) {
        const struct look_segment *segment = look_segment(look);

        if (!queue_is_wanted(options, segment))
            continue;
        while (look_next_record(look, &record))
            continue;
        loss->segments++;
        loss->bytes += segment->size;
        loss->requests += segment->requests - segment->settled;
        loss->records += segment->records;
    }
    look_close(look);
    return true;
}

/* "1 segment (32.0 MiB) with 812 waiting requests (8,120 records)" */
static void put_loss(const struct loss *loss, struct buffer *out)
{
    print_counted(out, loss->segments, "segment");
    buffer_append_string(out, " (");
    print_bytes(out, loss->bytes);
    buffer_append_string(out, ") with ");
    print_counted(out, loss->requests, "waiting request");
    buffer_append_string(out, " (");
    print_counted(out, loss->records, "record");
    buffer_append_byte(out, ')');
}

static bool confirm(const struct queue_clients *clients, const struct loss *loss)
{
    struct buffer text = { 0 };
    char answer[16];
    bool yes;

    if (!isatty(STDIN_FILENO)) {
        fputs("weir queue drop: nobody is here to be asked; say --yes\n", stderr);
        return false;
    }
    buffer_append_string(&text, "Throw away ");
    put_loss(loss, &text);
    buffer_printf(&text, " of %s%s? That is for good. [y/N] ", clients->items[0].name, clients->count > 1 ? " and others" : "");
    fputs(buffer_string(&text), stderr);
    buffer_fini(&text);
    yes = fgets(answer, sizeof(answer), stdin) != NULL && (answer[0] == 'y' || answer[0] == 'Y');
    if (!yes)
        fputs("nothing was thrown away\n", stderr);
    return yes;
}

/* The segment first: without it the ack file means nothing. */
static bool remove_segment(const struct queue_client *client, const struct filesystem *filesystem, const char *name)
{
    char ack[LOOK_NAME_SIZE];
    int result = filesystem->remove(filesystem->context, name);

    if (result < 0 && result != -ENOENT)
        return queue_complain(client, "could not remove %s: %s", name, strerror(-result)) == 0;
    snprintf(ack, sizeof(ack), "%.16s.ack", name);
    filesystem->remove(filesystem->context, ack);
    return true;
}

static bool remove_wanted(const struct queue_client *client, const struct filesystem *filesystem, const struct queue_options *options)
{
    struct error err;
    struct look *look = look_open(filesystem, &err);
    bool removed = true;

    if (look == NULL)
        return queue_complain(client, "%s", err.message) == 0;
    while (look_next_segment(look) != 0)
        if (queue_is_wanted(options, look_segment(look)))
            removed &= remove_segment(client, filesystem, look_segment(look)->name);
    look_close(look);
    filesystem->sync_names(filesystem->context);
    return removed;
}

static int drop(const struct queue_clients *clients, const struct queue_options *options, struct folder **folders)
{
    struct loss loss = { 0 };
    struct buffer out = { 0 };
    bool fine = true;

    for (size_t i = 0; fine && i < clients->count; i++)
        fine = measure(&clients->items[i], folder_filesystem(folders[i]), options, &loss);
    if (!fine)
        return 1;
    if (loss.segments == 0) {
        if (options->segment != NULL)
            fprintf(stderr, "weir queue drop: there is no segment \"%s\"\n", options->segment);
        else
            puts("there is nothing to throw away");
        return options->segment != NULL;
    }
    if (!options->yes && !confirm(clients, &loss))
        return 1;
    for (size_t i = 0; i < clients->count; i++)
        fine &= remove_wanted(&clients->items[i], folder_filesystem(folders[i]), options);
    buffer_append_string(&out, fine ? "thrown away: " : "not all could be thrown away of ");
    put_loss(&loss, &out);
    buffer_append_byte(&out, '\n');
    print_flush(&out);
    buffer_fini(&out);
    return fine ? 0 : 1;
}

int queue_drop(const struct queue_clients *clients, const struct queue_options *options)
{
    struct folder **folders = calloc(clients->count, sizeof(struct folder *));
    int status = 0;

    if (folders == NULL)
        abort();
    for (size_t i = 0; i < clients->count; i++) {
        folders[i] = queue_open_locked(&clients->items[i]);
        status |= folders[i] == NULL;
    }
    if (status == 0 && options->segment != NULL && clients->count > 1) {
        fputs("weir queue drop: --segment: name the folder of the one client it belongs to\n", stderr);
        status = 2;
    }
    if (status == 0)
        status = drop(clients, options, folders);
    for (size_t i = 0; i < clients->count; i++)
        folder_close(folders[i]);
    free(folders);
    return status;
}
