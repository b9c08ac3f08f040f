/*
 * A file that the file exporter wrote, message by message: JSON lines, or messages behind 4 bytes of big-endian length, told apart by
 * what is in the file; as a whole it may be zstd. Damage is reported with its place, and reading goes on behind it.
 *
 * Cost: one pass, and memory for one message at a time, which may have TELEMETRY_MESSAGE_MAX bytes (and as many again inflated).
 */
#ifndef WEIR_COLLECTOR_COMMANDS_TELEMETRY_FILE_H
#define WEIR_COLLECTOR_COMMANDS_TELEMETRY_FILE_H

#include "collector/commands/telemetry_message.h"

/* A length above it cannot be one; a file that begins with a printable character is none of lengths. */
enum { TELEMETRY_MESSAGE_MAX = 128 << 20 };

struct telemetry_file_settings {
    bool signal_given; /* protobuf messages are of this signal, whatever they look like */
    enum signal signal;
    size_t message_max; /* 0: TELEMETRY_MESSAGE_MAX */
};

struct telemetry_message {
    enum signal signal;
    struct slice request; /* valid until the next call */
    uint64_t offset;      /* in the file, inflated where it is zstd */
};

enum telemetry_next { TELEMETRY_END, TELEMETRY_MESSAGE, TELEMETRY_FAULT };

struct telemetry_file;

/* "-" is standard input. NULL with the error when it cannot be opened. */
struct telemetry_file *telemetry_file_open(const char *path, const struct telemetry_file_settings *settings, struct error *err);
void telemetry_file_close(struct telemetry_file *file); /* NULL is fine */

/* On a fault `err` says what and where ("line 7 (byte 1234): ..."); call again, it goes on behind it. */
enum telemetry_next telemetry_file_next(struct telemetry_file *file, struct telemetry_message *message, struct error *err);

#endif
