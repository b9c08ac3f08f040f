/* What is counted for each component; the calls that count are in component.h and delivery.h. Private to the core. */
#ifndef WEIR_COLLECTOR_ACCOUNTS_H
#define WEIR_COLLECTOR_ACCOUNTS_H

#include "collector/component.h"

/* Series are made when they are first counted, and go with the component. Aborts when memory is out. */
void accounts_create(struct component *component);
void accounts_destroy(struct component *component);

/* Records that pass into, or out of, a processor or connector. */
void accounts_count_incoming(struct component *component, enum signal signal, size_t records);
void accounts_count_outgoing(struct component *component, enum signal signal, size_t records);
/* Records that an exporter's queue refused. */
void accounts_count_enqueue_failed(struct component *component, enum signal signal, size_t records);

#endif
