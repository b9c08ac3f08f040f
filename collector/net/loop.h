/*
 * Event loops: a few threads, each with one epoll. Data loops serve receivers' sockets; the control loop serves health
 * checks, weir's own metrics and timers that must run even when the data loops wait.
 *
 * Threads: a watch's, a task's and a timer's callback run on their loop's thread. Posting and timers may be used from any
 * thread; watches only from the loop's own thread, or before loops_start / after loops_stop. Loop threads block all signals but those of their own faults.
 */
#ifndef WEIR_NET_LOOP_H
#define WEIR_NET_LOOP_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "collector/base/error.h"

struct loop;
struct loop_timer;

/* Starts `count` data loops (0: one a processor, 4 at the most) and the control loop. Again only after loops_stop. */
bool loops_start(size_t count, struct error *err);
/* What is posted by then still runs. Without loops_start: fine. */
void loops_stop(void);

size_t loop_data_count(void);
struct loop *loop_data(size_t index);
struct loop *loop_control(void);
bool loop_is_current(const struct loop *loop);

/* The monotonic clock as it stood when the loop last woke; its own thread only. */
int64_t loop_now(const struct loop *loop);

/*
 * Runs fn(context) on the loop's thread, soon, in the order posted. While the loops do not run: at once, on the caller's thread.
 * A burst of posts wakes the loop once.
 */
void loop_post(struct loop *loop, void (*fn)(void *context), void *context);
/* The same, and waits until it has run. On the loop's own thread it runs at once. */
void loop_call(struct loop *loop, void (*fn)(void *context), void *context);

/* A post that needs no memory: embedded in its owner, posted again only once it has run. */
struct loop_task {
    struct loop_task *next; /* the loop's */
    void (*run)(struct loop_task *task);
};
void loop_post_task(struct loop *loop, struct loop_task *task);

/* A file descriptor that is watched; embedded in its owner. events as epoll's, level-triggered. */
struct loop_watch {
    int fd;
    void (*ready)(struct loop_watch *watch, uint32_t events);
};
bool loop_add(struct loop *loop, struct loop_watch *watch, uint32_t events, struct error *err);
bool loop_change(struct loop *loop, struct loop_watch *watch, uint32_t events);
/* The callback is not called again after this, also not for events that were already read. */
void loop_remove(struct loop *loop, struct loop_watch *watch);

/* Memory that whoever runs on the loop's thread may use until its callback returns. Two blocks, so that a reader and what it calls do not clash. */
enum loop_scratch { LOOP_SCRATCH_READ, LOOP_SCRATCH_WRITE, LOOP_SCRATCH_COUNT };
enum { LOOP_SCRATCH_SIZE = 256 * 1024 };
uint8_t *loop_scratch(struct loop *loop, enum loop_scratch which); /* NULL: memory is out */

/*
 * From any thread. period 0: once. Callbacks on the loop's thread; after timer_stop has returned none runs. Every timer
 * is stopped by its owner, also one that has fired. NULL: memory is out.
 */
struct loop_timer *loop_timer_start(struct loop *loop, int64_t first_ns, int64_t period_ns, void (*fn)(void *context), void *context);
/* Next due `first_ns` from now, whether it was due or has fired already. */
void loop_timer_move(struct loop_timer *timer, int64_t first_ns);
void loop_timer_stop(struct loop_timer *timer); /* NULL is fine; may be called from its own callback */

#endif
