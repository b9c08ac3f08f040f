/*
 * What moves records from the queues to the exporters: a worker thread, or the application's loop by weir_poll. One at a time;
 * recording threads only ever wake it.
 */
#ifndef WEIR_SDK_ENGINE_H
#define WEIR_SDK_ENGINE_H

#include "sdk/src/exporter.h"

/* Starts with the settings in force; 0 or a negative errno value. */
int engine_start(const struct settings *settings);

/* Ends within timeout_ms, sent or not; what is unsent is counted as failed. True when the worker ended in that time. */
bool engine_stop(int64_t timeout_ms);

/* 0, or -ETIMEDOUT. timeout_ms < 0: no limit. */
int engine_flush(int64_t timeout_ms);

/* As weir_poll. */
int engine_poll(int *fd, int timeout_ms);

/* Signal-safe, and for any thread. */
void engine_wake(void);
void engine_wake_for_batch(enum record_signal signal);

/* In the child of a fork: nothing of the parent's engine is used; the first record starts a new one. */
void engine_after_fork_child(void);
void engine_lock_all(void);
void engine_unlock_all(void);

extern _Atomic bool engine_restart_wanted;
void engine_restart(void);

/* Starts the worker in a forked child when there is none yet. */
static inline void engine_ensure(void)
{
    if (__builtin_expect(atomic_load_explicit(&engine_restart_wanted, memory_order_relaxed), 0))
        engine_restart();
}

extern struct exporter_totals engine_totals[SETTINGS_SIGNALS];

/* Records lost for any reason since the process began. */
uint64_t engine_losses(void);

#endif
