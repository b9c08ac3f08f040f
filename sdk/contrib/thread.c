/*
 * Context hand-over between threads. A task costs a copy of the context and no allocation; a new thread one small allocation.
 * Threads: a task is made on one thread and run on another; the queue between them is the application's and orders the two.
 */
#include "weir/contrib/thread.h"

#include <errno.h>
#include <stdlib.h>

struct start {
    weir_ctx ctx;
    void *(*run)(void *argument);
    void *argument;
};

weir_task weir_task_make(void (*run)(void *argument), void *argument)
{
    weir_task task = { weir_ctx_current(), run, argument };

    weir_ctx_ref(&task.ctx);
    return task;
}

void weir_task_run(weir_task *task)
{
    weir_task copy = *task; /* what is run may reuse the queue's slot */
    weir_ctx previous = weir_ctx_attach(&copy.ctx);

    if (copy.run != NULL)
        copy.run(copy.argument);
    weir_ctx_detach(&previous);
    weir_ctx_unref(&copy.ctx);
}

void weir_task_drop(weir_task *task)
{
    weir_ctx_unref(&task->ctx);
}

static void release(void *start)
{
    weir_ctx_unref(&((struct start *)start)->ctx);
    free(start);
}

static void *begin(void *argument)
{
    struct start *start = (struct start *)argument;
    void *result;

    weir_ctx_attach(&start->ctx);
    /* also when the thread leaves by pthread_exit or is cancelled */
    pthread_cleanup_push(release, start);
    result = start->run(start->argument);
    pthread_cleanup_pop(1);
    return result;
}

int weir_pthread_create(pthread_t *thread, const pthread_attr_t *attributes, void *(*start)(void *argument), void *argument)
{
    struct start *hand_over = (struct start *)malloc(sizeof(*hand_over));

    if (hand_over == NULL)
        return ENOMEM;
    *hand_over = (struct start){ weir_ctx_current(), start, argument };
    weir_ctx_ref(&hand_over->ctx);
    int err = pthread_create(thread, attributes, begin, hand_over);
    if (err != 0)
        release(hand_over);
    return err;
}
