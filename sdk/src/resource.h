/*
 * What produces the telemetry: the application's attributes, OTEL_SERVICE_NAME, OTEL_RESOURCE_ATTRIBUTES, then what is detected:
 * process, host, operating system, container. OpenTelemetry specification: resource SDK; semantic conventions: resource.
 */
#ifndef WEIR_SDK_RESOURCE_H
#define WEIR_SDK_RESOURCE_H

#include "collector/base/buffer.h"
#include "sdk/src/settings.h"

/* Appends the content of a Resource message. For each key the first source that has it counts. Reads files in /proc and /etc. */
void resource_write(const struct settings *settings, struct buffer *out);

/* ---- for tests ---- */

/* The container's id in text as /proc/self/cgroup or mountinfo have it; p NULL when there is none. */
weir_str resource_container_id(weir_str text);

/* Appends the attributes of a list as OTEL_RESOURCE_ATTRIBUTES has it; false, and nothing appended, when it is malformed. */
bool resource_write_list(const char *list, struct buffer *out);

#endif
