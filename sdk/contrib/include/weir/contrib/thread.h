/*
 * Handing work to other threads: the context of the thread that asks goes along, so that spans and log records of the thread
 * that does the work belong to the same trace. Link -lweir_contrib_thread -lweir.
 */
#ifndef WEIR_CONTRIB_THREAD_H
#define WEIR_CONTRIB_THREAD_H

#include <pthread.h>

#include "weir/weir.h"

#ifdef __cplusplus
extern "C" {
#endif

/* Work for a pool: a plain value to be copied into its queue. Holds a reference to the context until it is run or dropped. */
typedef struct weir_task {
    weir_ctx ctx;
    void (*run)(void *argument);
    void *argument;
} weir_task;

/* Work in the calling thread's current context. To be ended once, on one copy, by weir_task_run or weir_task_drop. Signal-safe. */
WEIR_API weir_task weir_task_make(void (*run)(void *argument), void *argument);

/* Runs it on the calling thread, within its context; the context of before is current again afterwards. */
WEIR_API void weir_task_run(weir_task *task);

/* For work that will not be done. A zeroed task is fine. Signal-safe. */
WEIR_API void weir_task_drop(weir_task *task);

/* As pthread_create; the new thread begins in the caller's current context. Also returns ENOMEM. */
WEIR_API int weir_pthread_create(pthread_t *thread, const pthread_attr_t *attributes, void *(*start)(void *argument), void *argument);

#ifdef __cplusplus
}
#endif
#endif
