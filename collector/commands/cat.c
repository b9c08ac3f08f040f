/*
 * weir cat: prints what the file exporter wrote, whatever its form, like the debug exporter or as JSON lines. One pass, one message
 * in memory; damage is said and passed over.
 */
#include <stdio.h>
#include <string.h>

#include "collector/commands.h"
#include "collector/commands/arguments.h"
#include "collector/commands/display.h"
#include "collector/commands/print.h"
#include "collector/commands/telemetry_file.h"

static const char usage[] =
    "usage: weir cat [--verbosity basic|normal|detailed] [--json] [--signal SIGNAL] FILE...\n"
    "\n"
    "Prints what the file exporter wrote: JSON lines, protobuf, zstd, told apart by what is in the file. \"-\" is standard input.\n"
    "  --verbosity V    like the debug exporter's: basic, normal (the default) or detailed\n"
    "  --json           as OTLP/JSON, a line for each message\n"
    "  --signal SIGNAL  protobuf messages are of this signal: traces, metrics, logs or profiles; else it is found out\n"
    "\n"
    "Damage is said on standard error with its place, and passed over. Exit status: 0; 1 when a file could not be read or was\n"
    "damaged; 2 when the command line is wrong.\n";

enum { FAULTS_SHOWN = 20 };

static bool cat_messages(struct telemetry_file *file, const char *path, enum display display, struct buffer *out)
{
    struct telemetry_message message;
    struct error err;
    enum telemetry_next next;
    size_t faults = 0;

    while ((next = telemetry_file_next(file, &message, &err)) != TELEMETRY_END) {
        if (next == TELEMETRY_MESSAGE) {
            display_request(display, message.signal, message.request, out);
            if (!print_flush_large(out))
                return false;
            continue;
        }
        print_flush(out); /* so that the two streams are in order on a terminal */
        if (faults++ < FAULTS_SHOWN)
            fprintf(stderr, "weir cat: %s: %s\n", path, err.message);
    }
    if (faults > FAULTS_SHOWN)
        fprintf(stderr, "weir cat: %s: and %zu more faults\n", path, faults - FAULTS_SHOWN);
    return print_flush(out) && faults == 0;
}

static bool cat_file(const char *path, const struct telemetry_file_settings *settings, enum display display)
{
    struct buffer out = { 0 };
    struct error err;
    struct telemetry_file *file = telemetry_file_open(path, settings, &err);
    bool fine;

    if (file == NULL) {
        fprintf(stderr, "weir cat: %s\n", err.message);
        return false;
    }
    fine = cat_messages(file, path, display, &out);
    telemetry_file_close(file);
    buffer_fini(&out);
    return fine;
}

int command_cat(int argc, char **argv)
{
    const char *verbosity = "normal", *signal = NULL;
    bool json = false, fine = true;
    const struct command_option options[] = {
        { "--verbosity", &verbosity, NULL, NULL },
        { "--json", NULL, &json, NULL },
        { "--signal", &signal, NULL, NULL },
        { 0 },
    };
    struct telemetry_file_settings settings = { .signal_given = false };
    int files = command_arguments(argc, argv, options), display;

    if (files <= 0) {
        fputs(usage, files == ARGUMENTS_HELP ? stdout : stderr);
        return files == ARGUMENTS_HELP ? 0 : 2;
    }
    display = display_of_word("--verbosity", verbosity);
    if (display < 0 || (signal != NULL && !command_signal("--signal", signal, &settings.signal)))
        return 2;
    settings.signal_given = signal != NULL;
    for (int i = 1; i <= files; i++)
        fine &= cat_file(argv[i], &settings, json ? DISPLAY_JSON : (enum display)display);
    return fine ? 0 : 1;
}
