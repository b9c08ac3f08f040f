/* The bytes of a file; inflated when the file as a whole is zstd. Private to telemetry_file.c. */
#ifndef WEIR_COLLECTOR_COMMANDS_TELEMETRY_SOURCE_H
#define WEIR_COLLECTOR_COMMANDS_TELEMETRY_SOURCE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "collector/base/error.h"

struct telemetry_source;

struct telemetry_source *telemetry_source_open(const char *path, struct error *err);
void telemetry_source_close(struct telemetry_source *source); /* NULL is fine */

/* Some bytes, 0 at the end, -1 with the error (for good). */
ssize_t telemetry_source_read(struct telemetry_source *source, uint8_t *out, size_t size, struct error *err);

#endif
