/*
 * The gate between receivers and a configuration that changes: everybody who brings a batch in holds it open for as long as
 * the batch runs through the processors; a reload closes it while it rewires. Private to the core.
 */
#ifndef WEIR_COLLECTOR_HOP_H
#define WEIR_COLLECTOR_HOP_H

/* Pairs; may be nested on a thread. */
void gate_enter(void);
void gate_leave(void);

/* Waits until nobody is inside, keeps everybody out. From the control thread, not nested. */
void gate_close(void);
void gate_open(void);

#endif
