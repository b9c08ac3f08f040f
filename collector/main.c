/*
 * The weir program: runs the collector, or one of the commands that need none.
 *
 * The main thread is the control thread: it starts everything, then waits for signals. SIGTERM and SIGINT stop (a
 * second one at once), SIGHUP reloads; --watch-config reloads when a file changes. All other threads have every signal blocked.
 */
#include <errno.h>
#include <malloc.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "collector/base/clock.h"
#include "collector/base/log.h"
#include "collector/commands.h"
#include "collector/net/loop.h"
#include "collector/pipeline.h"
#include "collector/telemetry.h"
#include "collector/telemetry_server.h"

enum { MAX_SOURCES = 64 };

struct program {
    struct config_source sources[MAX_SOURCES];
    size_t source_count;
    bool watch;
    int64_t grace_ns;
    struct timespec newest; /* of the watched files, when they were last read */
    struct graph *graph;
    struct telemetry_server *telemetry;
};

static int usage(FILE *out)
{
    fputs("weir " WEIR_VERSION ", a telemetry collector\n"
          "\n"
          "usage: weir --config FILE [--config FILE ...] [--set KEY.KEY=VALUE ...] [--watch-config] [--drain-timeout 10s]\n"
          "       weir validate --config FILE ...      check a configuration\n"
          "       weir print-config --config FILE ...  the configuration with all defaults, secrets hidden\n"
          "       weir components [--json]             what this weir is made of, with all options\n"
          "       weir schema                          JSON Schema of the configuration, for editors\n"
          "       weir docs FOLDER                     write the pages of docs/components\n"
          "       weir test FILE ...                   run the tests that stand beside a configuration's rules\n"
          "       weir tap PIPELINE[/PROCESSOR]        what passes a running weir, and what is dropped there\n"
          "       weir queue COMMAND FOLDER ...        look at a disk queue, print it, send it, empty it (weir queue --help)\n"
          "       weir cat FILE ...                    print what the file exporter wrote\n"
          "       weir trace FILE ... [TRACE_ID]       one transaction as a tree, or the list of traces\n"
          "       weir check scrape URL                what a target gives that is scraped, and what is wrong with it\n"
          "       weir elasticsearch setup ...         install index templates (--config FILE ...)\n"
          "       weir --version\n"
          "\n"
          "SIGHUP reads the configuration again; SIGTERM stops and sends first what is held.\n",
        out);
    return out == stdout ? 0 : 2;
}

/* ---- configuration ---- */

static void print_errors(const struct config_errors *errors)
{
    for (const struct config_error *error = errors->first; error != NULL; error = error->next) {
        if (error->warning)
            log_warn(NULL, "%s", error->text);
        else
            log_error(NULL, "%s", error->text);
    }
}

static struct configuration *load(const struct program *program)
{
    struct arena arena = { 0 };
    struct config_errors errors = { .arena = &arena };
    struct configuration *configuration = configuration_load(program->sources, program->source_count, &errors);

    print_errors(&errors);
    arena_fini(&arena);
    return configuration;
}

static void configure_log(const struct telemetry_settings *settings)
{
    log_configure(&(struct log_settings){
        .level = (enum log_level)settings->logs.level,
        .json = settings->logs.json,
        .sampling = settings->logs.sampling,
        .sampling_initial = (int)settings->logs.sampling_initial,
        .sampling_thereafter = (int)settings->logs.sampling_thereafter,
        .sampling_tick_ns = settings->logs.sampling_tick_ns,
        .fd = settings->logs.output_paths.count > 0 && strcmp(settings->logs.output_paths.items[0], "stdout") == 0 ? STDOUT_FILENO : STDERR_FILENO,
    });
}

/* ---- watching files ---- */

static bool later(struct timespec a, struct timespec b)
{
    return a.tv_sec > b.tv_sec || (a.tv_sec == b.tv_sec && a.tv_nsec > b.tv_nsec);
}

/* Whether a file given by --config is newer than when this was last asked. */
static bool files_changed(struct program *program)
{
    struct timespec newest = program->newest;
    bool changed;

    for (size_t i = 0; i < program->source_count; i++) {
        const char *path = program->sources[i].text;
        struct stat status;

        if (program->sources[i].is_set)
            continue;
        if (strncmp(path, "file:", 5) == 0)
            path += 5;
        if (stat(path, &status) == 0 && later(status.st_mtim, newest))
            newest = status.st_mtim;
    }
    changed = later(newest, program->newest);
    program->newest = newest;
    return changed;
}

/* ---- running ---- */

/* Moves weir's own metrics to another port when the new configuration asks for it; a port that is taken keeps the old. */
static void follow_telemetry(struct program *program, const struct telemetry_settings *settings)
{
    struct telemetry_server *server;
    struct error err;

    configure_log(settings);
    if (telemetry_server_matches(program->telemetry, settings))
        return;
    server = telemetry_server_start(settings, &err);
    if (server == NULL) {
        log_error(NULL, "%s; weir's own metrics stay where they were", err.message);
        return;
    }
    telemetry_server_stop(program->telemetry);
    program->telemetry = server;
}

static void reload(struct program *program)
{
    struct configuration *configuration = load(program);
    struct error err;

    if (configuration == NULL) {
        log_error(NULL, "configuration not changed: the new one has errors");
        return;
    }
    follow_telemetry(program, &configuration->telemetry);
    if (pipeline_reload(program->graph, configuration, &err))
        log_info(NULL, "configuration reloaded");
    else
        log_error(NULL, "configuration not changed: %s", err.message);
}

static void wait_for_signals(struct program *program, const sigset_t *signals)
{
    const struct timespec second = { 1, 0 };

    for (;;) {
        int number = program->watch ? sigtimedwait(signals, NULL, &second) : sigwaitinfo(signals, NULL);

        if (number == SIGTERM || number == SIGINT)
            return;
        if (number == SIGHUP || (number < 0 && program->watch && files_changed(program)))
            reload(program);
    }
}

/* A second SIGTERM or SIGINT while stopping ends the process at once. */
static void let_signals_kill(void)
{
    sigset_t set;

    sigemptyset(&set);
    sigaddset(&set, SIGTERM);
    sigaddset(&set, SIGINT);
    sigprocmask(SIG_UNBLOCK, &set, NULL);
}

/*
 * One heap for all threads, given back to the system only in large steps: payloads are allocated by one thread and freed by
 * another all the time, and a page that is returned and faulted in again costs more than the copy into it.
 */
static void tune_heap(void)
{
    mallopt(M_ARENA_MAX, 1);
    mallopt(M_MMAP_THRESHOLD, 8 << 20);
    mallopt(M_TRIM_THRESHOLD, 16 << 20);
    mallopt(M_TOP_PAD, 256 << 10);
}

static int run(struct program *program)
{
    struct configuration *configuration;
    struct error err;
    sigset_t signals;
    int status = 1;

    sigemptyset(&signals);
    sigaddset(&signals, SIGTERM);
    sigaddset(&signals, SIGINT);
    sigaddset(&signals, SIGHUP);
    sigprocmask(SIG_BLOCK, &signals, NULL); /* before any thread, so that all inherit it */
    signal(SIGPIPE, SIG_IGN);
    tune_heap();
    files_changed(program);
    configuration = load(program);
    if (configuration == NULL)
        return 1;
    configure_log(&configuration->telemetry);
    metrics_observe_process();
    if (!loops_start(0, &err)) {
        log_error(NULL, "%s", err.message);
        configuration_destroy(configuration);
        return 1;
    }
    program->telemetry = telemetry_server_start(&configuration->telemetry, &err);
    if (program->telemetry != NULL)
        program->graph = pipeline_start(configuration, &err);
    else
        configuration_destroy(configuration);
    if (program->graph != NULL) {
        log_info(NULL, "weir " WEIR_VERSION " is ready");
        wait_for_signals(program, &signals);
        log_info(NULL, "stopping");
        let_signals_kill();
        pipeline_stop(program->graph, program->grace_ns);
        log_info(NULL, "stopped");
        status = 0;
    } else {
        log_error(NULL, "%s", err.message);
    }
    telemetry_server_stop(program->telemetry);
    loops_stop();
    return status;
}

static bool parse_option(struct program *program, const char *name, const char *value)
{
    bool is_set = strcmp(name, "--set") == 0;

    if (strcmp(name, "--drain-timeout") == 0) {
        if (option_parse_duration(value, &program->grace_ns))
            return true;
        fprintf(stderr, "weir: --drain-timeout: expected a duration such as 10s, not \"%s\"\n", value);
        return false;
    }
    if (!is_set && strcmp(name, "--config") != 0) {
        fprintf(stderr, "weir: unknown option \"%s\"\n", name);
        return false;
    }
    if (program->source_count == MAX_SOURCES) {
        fprintf(stderr, "weir: more than %d --config and --set\n", MAX_SOURCES);
        return false;
    }
    program->sources[program->source_count++] = (struct config_source){ value, is_set };
    return true;
}

/* --name value, --name=value */
static bool parse_arguments(struct program *program, int argc, char **argv)
{
    for (int i = 1; i < argc; i++) {
        char *equals = strchr(argv[i], '=');

        if (strcmp(argv[i], "--watch-config") == 0) {
            program->watch = true;
            continue;
        }
        if (strncmp(argv[i], "--", 2) == 0 && equals != NULL) {
            *equals = '\0';
            if (!parse_option(program, argv[i], equals + 1))
                return false;
        } else if (i + 1 < argc) {
            if (!parse_option(program, argv[i], argv[i + 1]))
                return false;
            i++;
        } else {
            fprintf(stderr, "weir: \"%s\" is not an option, or has no value\n", argv[i]);
            return false;
        }
    }
    return program->source_count > 0;
}

int main(int argc, char **argv)
{
    static const struct {
        const char *name;
        int (*run)(int argc, char **argv);
    } commands[] = {
        { "validate", command_validate },
        { "components", command_components },
        { "print-config", command_print_config },
        { "schema", command_schema },
        { "docs", command_docs },
        { "check", command_check },
        { "elasticsearch", command_elasticsearch },
        { "test", command_test },
        { "tap", command_tap },
        { "queue", command_queue },
        { "cat", command_cat },
        { "trace", command_trace },
    };
    static struct program program = { .grace_ns = 10 * NANOS_PER_SECOND };

    if (argc < 2)
        return usage(stderr);
    if (strcmp(argv[1], "--help") == 0 || strcmp(argv[1], "-h") == 0 || strcmp(argv[1], "help") == 0)
        return usage(stdout);
    if (strcmp(argv[1], "--version") == 0) {
        puts("weir " WEIR_VERSION);
        return 0;
    }
    for (size_t i = 0; i < sizeof(commands) / sizeof(commands[0]); i++) {
        if (strcmp(argv[1], commands[i].name) == 0)
            return commands[i].run(argc - 1, argv + 1);
    }
    if (!parse_arguments(&program, argc, argv))
        return usage(stderr);
    return run(&program);
}
