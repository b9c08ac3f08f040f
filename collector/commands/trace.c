/*
 * weir trace: one transaction out of files of the file exporter, as a tree; or, without an id, which traces are in them. One pass over
 * each file; only what belongs to the trace is held.
 */
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "collector/commands.h"
#include "collector/commands/arguments.h"
#include "collector/commands/print.h"
#include "collector/commands/telemetry_file.h"
#include "collector/commands/trace_list.h"
#include "collector/commands/trace_print.h"
#include "collector/wire/encoding.h"

static const char usage[] =
    "usage: weir trace [--all] [--colour] FILE... [TRACE_ID]\n"
    "\n"
    "Prints the spans and log records of one trace as a tree, from files of the file exporter (any form, any mix of signals).\n"
    "Without TRACE_ID it lists the traces. TRACE_ID is 32 hex digits, or a whole traceparent.\n"
    "  --all     all attributes, and values in full; else those that tell most\n"
    "  --colour  colours also when standard output is no terminal\n"
    "\n"
    "Exit status: 0; 1 when the trace is not there, or a file could not be read or was damaged; 2 when the command line is wrong.\n";

enum { FAULTS_SHOWN = 20 };

/* ---- reading ---- */

/* Exactly one of the two. */
struct target {
    struct trace *trace;
    struct trace_list *list;
};

static bool read_messages(struct telemetry_file *file, const char *path, const struct target *target)
{
    struct telemetry_message message;
    struct error err;
    enum telemetry_next next;
    size_t faults = 0;

    while ((next = telemetry_file_next(file, &message, &err)) != TELEMETRY_END) {
        if (next == TELEMETRY_FAULT && faults++ < FAULTS_SHOWN)
            fprintf(stderr, "weir trace: %s: %s\n", path, err.message);
        if (next == TELEMETRY_MESSAGE && target->trace != NULL)
            trace_gather(target->trace, message.signal, message.request);
        if (next == TELEMETRY_MESSAGE && target->list != NULL)
            trace_list_add(target->list, message.signal, message.request);
    }
    if (faults > FAULTS_SHOWN)
        fprintf(stderr, "weir trace: %s: and %zu more faults\n", path, faults - FAULTS_SHOWN);
    return faults == 0;
}

static bool read_files(char **paths, int count, const struct target *target)
{
    const struct telemetry_file_settings settings = { .signal_given = false };
    bool fine = true;

    for (int i = 0; i < count; i++) {
        struct error err;
        struct telemetry_file *file = telemetry_file_open(paths[i], &settings, &err);

        if (file != NULL) {
            fine &= read_messages(file, paths[i], target);
            telemetry_file_close(file);
        } else {
            fprintf(stderr, "weir trace: %s\n", err.message);
            fine = false;
        }
    }
    return fine;
}

/* ---- the two things to do ---- */

static int show_list(char **paths, int count)
{
    struct trace_list list = { .count = 0 };
    struct buffer out = { 0 };
    bool fine = read_files(paths, count, &(struct target){ NULL, &list });

    trace_list_print(&list, &out);
    fine &= print_flush(&out);
    buffer_fini(&out);
    trace_list_fini(&list);
    return fine ? 0 : 1;
}

static int show_trace(struct trace *trace, char **paths, int count, struct trace_style style)
{
    struct trace_tree tree;
    struct buffer out = { 0 };
    bool fine = read_files(paths, count, &(struct target){ trace, NULL });

    trace_finish(trace);
    if (trace->span_count + trace->log_count > 0) {
        trace_tree_init(&tree, trace);
        trace_print(&tree, style, &out);
        trace_tree_fini(&tree);
        fine &= print_flush(&out);
    } else {
        fprintf(stderr, "weir trace: no span and no log record of that trace is in %s\n", count == 1 ? paths[0] : "these files");
        fine = false;
    }
    buffer_fini(&out);
    trace_fini(trace);
    return fine ? 0 : 1;
}

/* 32 hex digits, or those in "00-32 hex digits-16 hex digits-2 hex digits". */
static bool parse_id(const char *text, uint8_t id[TRACE_ID_SIZE])
{
    struct slice digits = slice_of_string(text);

    if (digits.size == 55 && text[2] == '-' && text[35] == '-' && text[52] == '-')
        digits = slice_of(digits.data + 3, 2 * TRACE_ID_SIZE);
    return digits.size == 2 * TRACE_ID_SIZE && encoding_read_hex(digits, id);
}

int command_trace(int argc, char **argv)
{
    bool all = false, colour = false, has_id;
    const struct command_option options[] = {
        { "--all", NULL, &all, NULL },
        { "--colour", NULL, &colour, NULL },
        { "--color", NULL, &colour, NULL },
        { 0 },
    };
    int operands = command_arguments(argc, argv, options);
    struct trace trace = { .span_count = 0 };

    if (operands <= 0) {
        fputs(usage, operands == ARGUMENTS_HELP ? stdout : stderr);
        return operands == ARGUMENTS_HELP ? 0 : 2;
    }
    has_id = parse_id(argv[operands], trace.id);
    if (!has_id && strcmp(argv[operands], "-") != 0 && access(argv[operands], F_OK) != 0) {
        fprintf(stderr, "weir trace: \"%s\" is neither a file nor a trace id, which is 32 hex digits\n", argv[operands]);
        return 2;
    }
    if (!has_id)
        return show_list(argv + 1, operands);
    if (operands == 1) {
        fputs(usage, stderr);
        return 2;
    }
    return show_trace(&trace, argv + 1, operands - 1, (struct trace_style){ colour || print_colours(), all });
}
