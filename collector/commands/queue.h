/* What the sub-commands of weir queue share: which folders they work on, and what they were told. */
#ifndef WEIR_COLLECTOR_COMMANDS_QUEUE_H
#define WEIR_COLLECTOR_COMMANDS_QUEUE_H

#include "collector/commands/arguments.h"
#include "collector/commands/display.h"
#include "collector/storage/look.h"

/* One client's folder: one exporter's queue of one signal. */
struct queue_client {
    const char *name; /* the folder's own name; within path */
    char *path;       /* owned */
};

struct queue_clients {
    struct queue_client *items; /* owned; by name */
    size_t count, capacity;
};

struct queue_options {
    enum display display;                         /* cat */
    const char *segment;                          /* cat, drop: NULL: all */
    bool all, yes;                                /* drop */
    const char *endpoint, *ca_file, *compression; /* replay */
    int64_t timeout_ns, retry_ns;
    struct command_values headers;
    bool insecure_skip_verify;
};

/* Sub-commands: exit status 0 or 1; drop may say 2. */
int queue_list(const struct queue_clients *clients, const struct queue_options *options);
int queue_stat(const struct queue_clients *clients, const struct queue_options *options);
int queue_cat(const struct queue_clients *clients, const struct queue_options *options);
int queue_replay(const struct queue_clients *clients, const struct queue_options *options);
int queue_drop(const struct queue_clients *clients, const struct queue_options *options);

/* "weir queue: NAME: ..." on standard error; returns 1. */
int queue_complain(const struct queue_client *client, const char *format, ...) __attribute__((format(printf, 2, 3)));

/* A client's folder with its lock. NULL: could not, which was said, and who has it. */
struct folder *queue_open_locked(const struct queue_client *client);

/* A client's folder opened for looking. NULL: could not, which was said. */
struct queue_look {
    struct folder *folder;
    struct look *look;
};
bool queue_look_open(struct queue_look *look, const struct queue_client *client);
void queue_look_close(struct queue_look *look);

/* Whether the segment is the one that was asked for: all, or that name with or without ".seg". */
bool queue_is_wanted(const struct queue_options *options, const struct look_segment *segment);

/* When something was last written to a file of the folder, and when the file was made; nanoseconds, 0 when unknown. */
struct queue_times {
    uint64_t made, written, size;
};
struct queue_times queue_file_times(const struct queue_client *client, const char *name);

#endif
