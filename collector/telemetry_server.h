/* Where weir's own metrics can be read: a Prometheus endpoint for each reader of service.telemetry.metrics. */
#ifndef WEIR_COLLECTOR_TELEMETRY_SERVER_H
#define WEIR_COLLECTOR_TELEMETRY_SERVER_H

#include "collector/configuration.h"

struct telemetry_server;

/* On the control loop. Copies the settings. NULL with the error when a port is taken. */
struct telemetry_server *telemetry_server_start(const struct telemetry_settings *settings, struct error *err);
/* NULL is fine. */
void telemetry_server_stop(struct telemetry_server *server);

/* Would a server with these settings listen where this one does? */
bool telemetry_server_matches(const struct telemetry_server *server, const struct telemetry_settings *settings);

#endif
