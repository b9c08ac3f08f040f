/* weir tap: prints what a running weir's tap extension sees, until it is interrupted. It asks several times a second. */
#include <stdio.h>
#include <time.h>
#include <unistd.h>

#include "collector/base/clock.h"
#include "collector/commands.h"
#include "collector/commands/arguments.h"
#include "collector/commands/display.h"
#include "collector/commands/print.h"
#include "collector/net/http_client.h"
#include "collector/tap.h"

static const char usage[] = "usage: weir tap [--endpoint URL | --unix PATH] [--rate N] [--seconds N] [--verbosity basic|normal|detailed] "
                            "[--json] PIPELINE[/PROCESSOR]\n"
                            "\n"
                            "Prints a sample of what goes into a pipeline or processor of a running weir, of what comes out, and of what "
                            "is dropped and by which rule.\n"
                            "That weir needs the tap extension in its service.extensions.\n"
                            "  --endpoint URL   where that extension listens (http://localhost:1778)\n"
                            "  --unix PATH      the same, when it listens on a unix socket\n"
                            "  --rate N         records shown a second, 10000 at the most (10)\n"
                            "  --seconds N      ends after so many seconds; else when it is interrupted\n"
                            "  --verbosity V    like the debug exporter's; --json: as OTLP/JSON\n"
                            "\n"
                            "Exit status: 0; 1 when weir cannot be reached or knows no such place; 2 when the command line is wrong.\n";

static const int64_t pause_ns = NANOS_PER_SECOND / 5;

struct question {
    const char *endpoint, *target;
    uint64_t rate, seconds;
    int display;
};

/* Prints one answer. False: it was none. */
static bool ask(struct http_client *client, const char *url)
{
    struct http_call call = { .method = "GET", .url = url, .response_limit = 2 * TAP_TEXT_MAX };
    struct http_answer answer = { 0 };
    struct error err;
    bool fine = false;

    if (!http_client_call(client, &call, &answer, &err)) {
        fprintf(stderr, "weir tap: %s; does that weir run, with the tap extension?\n", err.message);
    } else if (answer.status != 200) {
        fprintf(stderr, "weir tap: %.*s", SLICE_PRINT(buffer_slice(&answer.body)));
    } else {
        fine = print_flush(&answer.body);
    }
    http_answer_fini(&answer);
    return fine;
}

static bool look(const struct question *question, struct http_client *client)
{
    int64_t end_ns = clock_monotonic_nanos() + (int64_t)question->seconds * NANOS_PER_SECOND;
    struct buffer url = { 0 };
    bool fine;

    buffer_printf(&url, "%s/tap/%s?client=%lld&rate=%llu&display=%d", question->endpoint, question->target, (long long)getpid(),
        (unsigned long long)question->rate, question->display);
    do {
        fine = ask(client, buffer_string(&url));
        if (fine)
            nanosleep(&(struct timespec){ 0, pause_ns }, NULL);
    } while (fine && (question->seconds == 0 || clock_monotonic_nanos() < end_ns));
    buffer_fini(&url);
    return fine;
}

static int run(const struct question *question, const char *unix_path)
{
    struct http_client_settings settings = { .timeout_ns = 5 * NANOS_PER_SECOND, .unix_path = unix_path };
    struct error err;
    struct http_client *client = http_client_create(&settings, &err);
    bool fine = client != NULL;

    if (!fine)
        fprintf(stderr, "weir tap: %s\n", err.message);
    fine = fine && look(question, client);
    http_client_destroy(client);
    return fine ? 0 : 1;
}

int command_tap(int argc, char **argv)
{
    const char *verbosity = "normal", *rate = NULL, *seconds = NULL, *unix_path = NULL;
    struct question question = { .endpoint = "http://localhost:1778", .rate = 10 };
    bool json = false;
    const struct command_option options[] = {
        { "--endpoint", &question.endpoint, NULL, NULL },
        { "--unix", &unix_path, NULL, NULL },
        { "--rate", &rate, NULL, NULL },
        { "--seconds", &seconds, NULL, NULL },
        { "--verbosity", &verbosity, NULL, NULL },
        { "--json", NULL, &json, NULL },
        { 0 },
    };
    int operands = command_arguments(argc, argv, options);

    if (operands != 1) {
        fputs(usage, operands == ARGUMENTS_HELP ? stdout : stderr);
        return operands == ARGUMENTS_HELP ? 0 : 2;
    }
    question.target = argv[1];
    question.display = json ? DISPLAY_JSON : display_of_word("--verbosity", verbosity);
    if (question.display < 0 || (rate != NULL && !command_number("--rate", rate, &question.rate)) ||
        (seconds != NULL && !command_number("--seconds", seconds, &question.seconds)))
        return 2;
    return run(&question, unix_path);
}
