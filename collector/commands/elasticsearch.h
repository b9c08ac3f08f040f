/* What the command `weir elasticsearch setup` asks of the exporter, which is a component and known to nobody but the registry. */
#ifndef WEIR_COLLECTOR_COMMANDS_ELASTICSEARCH_H
#define WEIR_COLLECTOR_COMMANDS_ELASTICSEARCH_H

#include "collector/component.h"

/* Installs the index templates that this exporter's data streams need. Not started; `report` gets a line for each. */
bool elasticsearch_set_up(struct component *exporter, struct buffer *report, struct error *err);

#endif
