/*
 * Files of the file exporter out of anything: every message that comes out is well-formed, is printed in each layout, and goes into
 * a list of traces and into the tree of one.
 */
#include <assert.h>
#include <stdio.h>
#include <sys/mman.h>
#include <unistd.h>

#include "collector/commands/display.h"
#include "collector/commands/telemetry_file.h"
#include "collector/commands/trace_list.h"
#include "collector/commands/trace_print.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

struct outcome {
    struct trace trace;
    struct trace_list list;
    struct buffer out;
    bool has_id;
};

/* The first trace id that comes up is the one to show. */
static void choose_id(struct outcome *outcome, const struct telemetry_message *message)
{
    struct otlp_walk walk = otlp_walk(message->request);
    struct otlp_span span;

    if (outcome->has_id || message->signal != SIGNAL_TRACES || !otlp_walk_next(&walk))
        return;
    otlp_span_view(walk.record.body, &span);
    if (span.trace_id.size == TRACE_ID_SIZE)
        memcpy(outcome->trace.id, span.trace_id.data, TRACE_ID_SIZE);
    outcome->has_id = true;
}

static void take(struct outcome *outcome, const struct telemetry_message *message)
{
    struct otlp_check check = otlp_check(message->signal, message->request);

    assert(check.fault == OTLP_OK || check.fault == OTLP_BAD_UTF8);
    for (int display = DISPLAY_BASIC; display <= DISPLAY_JSON; display++) {
        buffer_clear(&outcome->out);
        display_request((enum display)display, message->signal, message->request, &outcome->out);
    }
    choose_id(outcome, message);
    trace_gather(&outcome->trace, message->signal, message->request);
    trace_list_add(&outcome->list, message->signal, message->request);
}

static void show(struct outcome *outcome)
{
    struct trace_tree tree;

    trace_finish(&outcome->trace);
    trace_tree_init(&tree, &outcome->trace);
    buffer_clear(&outcome->out);
    trace_print(&tree, (struct trace_style){ true, false }, &outcome->out);
    for (size_t i = 0; i < outcome->out.size; i++)
        assert(outcome->out.data[i] != '\r' && outcome->out.data[i] != 0);
    trace_list_print(&outcome->list, &outcome->out);
    trace_tree_fini(&tree);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    const struct telemetry_file_settings settings = { .message_max = 1 << 20 };
    struct outcome outcome = { .has_id = false };
    struct telemetry_message message;
    struct telemetry_file *file;
    enum telemetry_next next;
    struct error err;
    char path[64];
    int fd = memfd_create("input", 0);
    ssize_t written = write(fd, data, size);

    assert(written == (ssize_t)size);
    snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
    file = telemetry_file_open(path, &settings, &err);
    assert(file != NULL);
    while ((next = telemetry_file_next(file, &message, &err)) != TELEMETRY_END)
        if (next == TELEMETRY_MESSAGE)
            take(&outcome, &message);
    show(&outcome);
    telemetry_file_close(file);
    close(fd);
    trace_fini(&outcome.trace);
    trace_list_fini(&outcome.list);
    buffer_fini(&outcome.out);
    return 0;
}
