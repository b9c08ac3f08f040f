/*
 * Text for people: what came from outside is made harmless for a terminal (control characters and bytes that are not UTF-8 are
 * spelled out), and numbers get units.
 */
#ifndef WEIR_COLLECTOR_COMMANDS_PRINT_H
#define WEIR_COLLECTOR_COMMANDS_PRINT_H

#include "collector/base/buffer.h"
#include "collector/wire/otlp.h"

/* At most `max` characters (0: all), the last one "…" when there are more. Line breaks and the like become "\n", "\x1b". */
void print_text(struct buffer *out, struct slice text, size_t max);

/* The same for text of several lines: line breaks and tabs stay. */
void print_lines(struct buffer *out, struct slice text);

/* A value as a person writes it: text without quotes at the outside, the rest as JSON; as above. */
void print_value(struct buffer *out, struct slice any_value, size_t max);

/* "812 ns", "1.204 ms", "3.500 s", "1h02m03s"; negative ones with a minus. */
void print_duration(struct buffer *out, int64_t nanos);

/* "512 B", "1.5 KiB", "32.0 MiB" */
void print_bytes(struct buffer *out, uint64_t bytes);

/* "1,234,567" */
void print_count(struct buffer *out, uint64_t count);

/* "1 request", "1,234 requests" */
void print_counted(struct buffer *out, uint64_t count, const char *thing);

/* "2026-11-21T06:07:08Z"; "-" for 0 */
void print_seconds(struct buffer *out, uint64_t wall_nanos);

/* "WARN" for 13, "WARN2" for 14; "" for what is none. */
const char *print_severity(uint32_t number, char out[8]);

/* Writes the buffer to standard output and empties it; false, said on standard error once, when that failed or memory was out. */
bool print_flush(struct buffer *out);
/* The same when it has grown large: for loops. */
bool print_flush_large(struct buffer *out);

/* Whether standard output is a terminal that takes colours (NO_COLOR and TERM=dumb are heeded). */
bool print_colours(void);

#endif
