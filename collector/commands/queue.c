/*
 * weir queue: what people do to a disk queue by hand. FOLDER is a client's own folder, or the file_storage directory that holds those of
 * all clients. ls, stat and cat look without the folder's lock, whether a weir runs on it or not; replay and drop take the lock.
 */
#include "collector/commands/queue.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "collector/base/clock.h"
#include "collector/commands.h"
#include "collector/config/option.h"
#include "collector/storage/holder.h"

static const char usage[] =
    "usage: weir queue ls FOLDER...      the segments: size, requests, settled ones, when they were made and last written\n"
    "       weir queue stat FOLDER...    what waits, how old it is, what is damaged, who holds the folder\n"
    "       weir queue cat [--json | --verbosity basic|normal|detailed] [--segment NAME] FOLDER...\n"
    "                                    the requests that wait, as OTLP/JSON lines (or like the debug exporter)\n"
    "       weir queue replay --endpoint URL [--header 'NAME: VALUE']... [--compression gzip] [--timeout 30s] [--retry-for 1m]\n"
    "                         [--ca-file FILE] [--insecure-skip-verify] FOLDER...\n"
    "                                    sends what waits to URL/v1/traces and so on; what was accepted leaves the queue\n"
    "       weir queue drop (--segment NAME | --all) [--yes] FOLDER...\n"
    "                                    throws away what waits, after a question\n"
    "\n"
    "FOLDER is the directory of a file_storage, or the folder of one client in it. ls, stat and cat may be used while weir runs;\n"
    "replay and drop need it to be stopped. Exit status: 0; 1 when something failed or damage was found; 2 when the\n"
    "command line is wrong.\n";

/* ---- folders ---- */

static bool is_file_of_journal(const char *name)
{
    const char *dot = strrchr(name, '.');

    return strcmp(name, "lock") == 0 || strcmp(name, "quarantine") == 0 || (dot != NULL && dot - name == 16 && strcmp(dot, ".seg") == 0);
}

/* Whether the folder is one client's; errno stays 0 unless it cannot be read. */
static bool is_client(const char *path)
{
    DIR *directory = opendir(path);
    struct dirent *entry;
    bool found = false;

    if (directory == NULL)
        return false;
    while (!found && (entry = readdir(directory)) != NULL)
        found = is_file_of_journal(entry->d_name);
    closedir(directory);
    errno = 0;
    return found;
}

/* Takes the path. */
static void add_client(struct queue_clients *clients, char *path)
{
    char *slash;

    if (clients->count == clients->capacity) {
        clients->capacity = clients->capacity * 2 + 16;
        clients->items = realloc(clients->items, clients->capacity * sizeof(*clients->items));
        if (clients->items == NULL)
            abort();
    }
    slash = strrchr(path, '/');
    clients->items[clients->count++] = (struct queue_client){ slash != NULL ? slash + 1 : path, path };
}

static int compare_clients(const void *left, const void *right)
{
    const struct queue_client *a = left, *b = right;

    return strcmp(a->path, b->path);
}

static char *join(const char *folder, const char *name)
{
    struct buffer path = { 0 };
    char *copy;

    buffer_printf(&path, "%s/%s", folder, name);
    copy = slice_dup_string(buffer_slice(&path));
    buffer_fini(&path);
    return copy;
}

static void add_clients_within(struct queue_clients *clients, const char *folder)
{
    size_t before = clients->count;
    DIR *directory = opendir(folder);
    struct dirent *entry;

    while (directory != NULL && (entry = readdir(directory)) != NULL) {
        char *path = entry->d_name[0] != '.' ? join(folder, entry->d_name) : NULL;

        if (path != NULL && is_client(path))
            add_client(clients, path);
        else
            free(path);
    }
    if (directory != NULL)
        closedir(directory);
    if (clients->count > before)
        qsort(clients->items + before, clients->count - before, sizeof(*clients->items), compare_clients);
}

static bool find_clients(struct queue_clients *clients, const char *argument)
{
    char *folder = slice_dup_string(slice_of_string(argument));
    size_t before = clients->count, length = strlen(folder);

    while (length > 1 && folder[length - 1] == '/')
        folder[--length] = '\0';
    errno = 0;
    if (is_client(folder)) {
        add_client(clients, folder);
        return true;
    }
    if (errno != 0) {
        fprintf(stderr, "weir queue: could not open the folder \"%s\": %s\n", argument, strerror(errno));
        free(folder);
        return false;
    }
    add_clients_within(clients, folder);
    free(folder);
    if (clients->count == before)
        fprintf(stderr, "weir queue: no disk queue in \"%s\": name the directory of a file_storage, or the folder of one of its clients\n",
            argument);
    return clients->count > before;
}

static void free_clients(struct queue_clients *clients)
{
    for (size_t i = 0; i < clients->count; i++)
        free(clients->items[i].path);
    free(clients->items);
}

/* ---- for the sub-commands ---- */

int queue_complain(const struct queue_client *client, const char *format, ...)
{
    va_list arguments;

    fflush(stdout);
    fprintf(stderr, "weir queue: %s: ", client->name);
    va_start(arguments, format);
    vfprintf(stderr, format, arguments);
    va_end(arguments);
    fputc('\n', stderr);
    return 1;
}

struct folder *queue_open_locked(const struct queue_client *client)
{
    struct error err;
    struct folder *folder = folder_open(client->path, &err);
    struct folder_holder holder;

    if (folder != NULL)
        return folder;
    if (folder_find_holder(client->path, &holder) && holder.process != 0)
        queue_complain(
            client, "in use by process %ld (%s); stop it first (ls, stat and cat work while it runs)", holder.process, holder.name);
    else
        queue_complain(client, "%s", err.message);
    return NULL;
}

bool queue_look_open(struct queue_look *look, const struct queue_client *client)
{
    struct error err;

    *look = (struct queue_look){ .folder = folder_open_looking(client->path, &err) };
    if (look->folder != NULL)
        look->look = look_open(folder_filesystem(look->folder), &err);
    if (look->look != NULL)
        return true;
    queue_look_close(look);
    queue_complain(client, "%s", err.message);
    return false;
}

void queue_look_close(struct queue_look *look)
{
    look_close(look->look);
    folder_close(look->folder);
    *look = (struct queue_look){ NULL, NULL };
}

bool queue_is_wanted(const struct queue_options *options, const struct look_segment *segment)
{
    size_t length = options->segment != NULL ? strlen(options->segment) : 0;

    if (options->segment == NULL)
        return true;
    return strncmp(segment->name, options->segment, length) == 0 &&
           (segment->name[length] == '\0' || strcmp(segment->name + length, ".seg") == 0);
}

struct queue_times queue_file_times(const struct queue_client *client, const char *name)
{
    struct queue_times times = { 0, 0, 0 };
    char *path = join(client->path, name);
    struct statx status;

    if (statx(AT_FDCWD, path, 0, STATX_SIZE | STATX_MTIME | STATX_BTIME, &status) == 0) {
        times.size = status.stx_size;
        times.written = (uint64_t)status.stx_mtime.tv_sec * (uint64_t)NANOS_PER_SECOND + status.stx_mtime.tv_nsec;
        if (status.stx_mask & STATX_BTIME)
            times.made = (uint64_t)status.stx_btime.tv_sec * (uint64_t)NANOS_PER_SECOND + status.stx_btime.tv_nsec;
        if (times.made > times.written)
            times.made = 0; /* a copy, whose own age says nothing */
    }
    free(path);
    return times;
}

/* ---- the command line ---- */

struct words {
    const char *verbosity, *timeout, *retry;
    bool json;
};

static bool parse_duration(const char *option, const char *text, int64_t *nanos)
{
    if (option_parse_duration(text, nanos) && *nanos > 0)
        return true;
    fprintf(stderr, "weir queue: %s: expected a duration such as 30s, not \"%s\"\n", option, text);
    return false;
}

static bool check_options(const struct words *words, struct queue_options *options, const char *command)
{
    options->display = DISPLAY_JSON;
    if (words->verbosity != NULL && !words->json) {
        int display = display_of_word("--verbosity", words->verbosity);

        if (display < 0)
            return false;
        options->display = (enum display)display;
    }
    if (!parse_duration("--timeout", words->timeout, &options->timeout_ns) ||
        !parse_duration("--retry-for", words->retry, &options->retry_ns))
        return false;
    if (strcmp(command, "replay") == 0 && options->endpoint == NULL) {
        fputs("weir queue replay: --endpoint is missing, the URL to send to\n", stderr);
        return false;
    }
    if (strcmp(command, "drop") == 0 && (options->segment != NULL) == options->all) {
        fputs("weir queue drop: say --segment NAME or --all\n", stderr);
        return false;
    }
    return true;
}

static int run(int argc, char **argv, int (*sub_command)(const struct queue_clients *, const struct queue_options *))
{
    struct queue_options options = { .display = DISPLAY_JSON };
    struct words words = { NULL, "30s", "1m", false };
    const struct command_option table[] = {
        { "--verbosity", &words.verbosity, NULL, NULL },
        { "--json", NULL, &words.json, NULL },
        { "--segment", &options.segment, NULL, NULL },
        { "--all", NULL, &options.all, NULL },
        { "--yes", NULL, &options.yes, NULL },
        { "--endpoint", &options.endpoint, NULL, NULL },
        { "--header", NULL, NULL, &options.headers },
        { "--compression", &options.compression, NULL, NULL },
        { "--timeout", &words.timeout, NULL, NULL },
        { "--retry-for", &words.retry, NULL, NULL },
        { "--ca-file", &options.ca_file, NULL, NULL },
        { "--insecure-skip-verify", NULL, &options.insecure_skip_verify, NULL },
        { 0 },
    };
    int operands = command_arguments(argc, argv, table), status = 0;
    struct queue_clients clients = { 0 };

    if (operands <= 0) {
        fputs(usage, operands == ARGUMENTS_HELP ? stdout : stderr);
        return operands == ARGUMENTS_HELP ? 0 : 2;
    }
    if (!check_options(&words, &options, argv[0]))
        return 2;
    for (int i = 1; i <= operands; i++)
        status |= find_clients(&clients, argv[i]) ? 0 : 1;
    if (clients.count > 0) {
        int result = sub_command(&clients, &options);

        status = result > status ? result : status;
    }
    free_clients(&clients);
    return status;
}

int command_queue(int argc, char **argv)
{
    static const struct {
        const char *name;
        int (*run)(const struct queue_clients *clients, const struct queue_options *options);
    } commands[] = {
        { "ls", queue_list },
        { "stat", queue_stat },
        { "cat", queue_cat },
        { "replay", queue_replay },
        { "drop", queue_drop },
    };
    bool help = argc > 1 && (strcmp(argv[1], "--help") == 0 || strcmp(argv[1], "-h") == 0);

    for (size_t i = 0; argc > 1 && i < sizeof(commands) / sizeof(commands[0]); i++)
        if (strcmp(argv[1], commands[i].name) == 0)
            return run(argc - 1, argv + 1, commands[i].run);
    if (argc > 1 && !help)
        fprintf(stderr, "weir queue: \"%s\" is none of ls, stat, cat, replay, drop\n", argv[1]);
    fputs(usage, help ? stdout : stderr);
    return help ? 0 : 2;
}
