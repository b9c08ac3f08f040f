/*
 * Rotation: "dir/name.ext" is renamed to "dir/name-2026-11-21T06-07-08.123.ext", and the oldest of those are removed. Names as the
 * OpenTelemetry Collector's, so that what reads them need not change.
 */
#ifndef WEIR_EXPORTERS_FILE_ROTATION_H
#define WEIR_EXPORTERS_FILE_ROTATION_H

#include <stdbool.h>
#include <stdint.h>

#include "collector/base/error.h"

struct rotation_settings {
    int64_t max_megabytes; /* of 1,048,576 bytes */
    int64_t max_days;      /* of 24 hours; 0: no limit */
    int64_t max_backups;   /* 0: no limit */
    bool localtime;        /* time stamps in local time instead of UTC */
};

/* Renames the file. An existing backup is never overwritten. */
bool rotation_rename(const char *path, const struct rotation_settings *settings, uint64_t now_nanos, struct error *err);

/* Removes the backups that are too many or too old. What can't be removed stays for the next time. */
void rotation_clean(const char *path, const struct rotation_settings *settings, uint64_t now_nanos);

#endif
