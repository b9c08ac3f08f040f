/*
 * DogStatsD's events and service checks as OTLP log records:
 *
 *   _e{5,4}:title|text|d:seconds|h:host|k:key|p:low|s:source|t:error|#tag:value
 *   _sc|name|2|d:seconds|h:host|#tag:value|m:message
 *
 * I/O-free.
 */
#ifndef WEIR_STATSD_EVENT_H
#define WEIR_STATSD_EVENT_H

#include "collector/base/buffer.h"

bool statsd_is_event(struct slice line);

/* Appends one log record as a field of a scope group. NULL, or why the line was refused: a short static word. */
const char *statsd_event(struct slice line, uint64_t now_ns, struct buffer *records);

/* The records as one request. */
void statsd_events_request(struct slice records, struct buffer *out);

#endif
