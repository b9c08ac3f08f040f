/*
 * Jobs in a heap by the time they are due. One of the idle threads waits for the earliest, the others for being called: a thread that takes a job
 * calls another one, or starts one, so that there is always somebody who waits, up to CREW threads.
 */
#include <stdlib.h>

#include "collector/base/clock.h"
#include "receivers/prometheus/engine.h"

enum { CREW = 512 };

/* ---- the heap ---- */

static void place(struct job_queue *queue, size_t at, struct job *job)
{
    queue->heap[at] = job;
    job->place = at;
}

static void sift_up(struct job_queue *queue, size_t at)
{
    struct job *job = queue->heap[at];

    for (; at > 0 && queue->heap[(at - 1) / 2]->due_ns > job->due_ns; at = (at - 1) / 2)
        place(queue, at, queue->heap[(at - 1) / 2]);
    place(queue, at, job);
}

static void sift_down(struct job_queue *queue, size_t at)
{
    struct job *job = queue->heap[at];

    for (size_t child = 2 * at + 1; child < queue->count; child = 2 * at + 1) {
        if (child + 1 < queue->count && queue->heap[child + 1]->due_ns < queue->heap[child]->due_ns)
            child++;
        if (queue->heap[child]->due_ns >= job->due_ns)
            break;
        place(queue, at, queue->heap[child]);
        at = child;
    }
    place(queue, at, job);
}

static void push_locked(struct job_queue *queue, struct job *job)
{
    place(queue, queue->count++, job); /* there is room for every job: jobs_add */
    job->queued = true;
    sift_up(queue, job->place);
    if (job->place == 0) /* earlier than what is waited for */
        pthread_cond_signal(&queue->due);
}

static struct job *pop_locked(struct job_queue *queue)
{
    struct job *first = queue->heap[0];

    queue->count--;
    if (queue->count > 0) {
        place(queue, 0, queue->heap[queue->count]);
        sift_down(queue, 0);
    }
    first->queued = false;
    return first;
}

/* ---- threads ---- */

static void wait_until(pthread_cond_t *condition, pthread_mutex_t *lock, int64_t due_ns)
{
    struct timespec at = { .tv_sec = due_ns / NANOS_PER_SECOND, .tv_nsec = due_ns % NANOS_PER_SECOND };

    pthread_cond_timedwait(condition, lock, &at);
}

/* The next job that is due; NULL: it is over. */
static struct job *wait_locked(struct job_queue *queue)
{
    struct job *job = NULL;

    queue->crew.idle++;
    while (!queue->stopping && job == NULL) {
        if (queue->waiting) {
            pthread_cond_wait(&queue->followers, &queue->lock);
        } else if (queue->count == 0) {
            queue->waiting = true;
            pthread_cond_wait(&queue->due, &queue->lock);
            queue->waiting = false;
        } else if (queue->heap[0]->due_ns > clock_monotonic_nanos()) {
            queue->waiting = true;
            wait_until(&queue->due, &queue->lock, queue->heap[0]->due_ns);
            queue->waiting = false;
        } else {
            job = pop_locked(queue);
        }
    }
    queue->crew.idle--;
    return job;
}

static void run_locked(struct job_queue *queue, struct job *job, struct worker *worker)
{
    int64_t due;

    job->running = true;
    crew_call_locked(&queue->crew);
    pthread_cond_signal(&queue->followers);
    pthread_mutex_unlock(&queue->lock);
    due = job->run(job, worker);
    pthread_mutex_lock(&queue->lock);
    job->running = false;
    if (due == 0) {
        queue->total--;
        pthread_mutex_unlock(&queue->lock);
        job->destroy(job);
        pthread_mutex_lock(&queue->lock);
        return;
    }
    job->due_ns = job->gone ? 0 : due;
    push_locked(queue, job);
}

static void *work(void *context)
{
    struct job_queue *queue = context;
    struct worker worker;
    struct job *job;

    if (!worker_init(&worker))
        abort();
    pthread_mutex_lock(&queue->lock);
    while ((job = wait_locked(queue)) != NULL)
        run_locked(queue, job, &worker);
    pthread_mutex_unlock(&queue->lock);
    worker_fini(&worker);
    return NULL;
}

/* ---- from outside ---- */

void jobs_init(struct job_queue *queue)
{
    pthread_condattr_t attributes;

    pthread_mutex_init(&queue->lock, NULL);
    pthread_condattr_init(&attributes);
    pthread_condattr_setclock(&attributes, CLOCK_MONOTONIC);
    pthread_cond_init(&queue->due, &attributes);
    pthread_cond_init(&queue->followers, &attributes);
    pthread_condattr_destroy(&attributes);
    crew_init(&queue->crew, CREW, work, queue);
}

void jobs_end(struct job_queue *queue)
{
    pthread_mutex_lock(&queue->lock);
    queue->stopping = true;
    pthread_cond_broadcast(&queue->due);
    pthread_cond_broadcast(&queue->followers);
    pthread_mutex_unlock(&queue->lock);
}

void jobs_stop(struct job_queue *queue)
{
    jobs_end(queue);
    crew_join(&queue->crew);
    crew_fini(&queue->crew);
    while (queue->count > 0) {
        struct job *job = pop_locked(queue);
        job->destroy(job);
    }
    free(queue->heap);
    queue->heap = NULL;
    pthread_cond_destroy(&queue->due);
    pthread_cond_destroy(&queue->followers);
    pthread_mutex_destroy(&queue->lock);
}

void jobs_add(struct job_queue *queue, struct job *job)
{
    pthread_mutex_lock(&queue->lock);
    if (++queue->total > queue->capacity) {
        queue->capacity = queue->capacity > 0 ? queue->capacity * 2 : 64;
        queue->heap = realloc(queue->heap, queue->capacity * sizeof(struct job *));
        if (queue->heap == NULL)
            abort();
    }
    push_locked(queue, job);
    if (queue->crew.threads == 0)
        crew_call_locked(&queue->crew);
    pthread_mutex_unlock(&queue->lock);
}

void jobs_dismiss(struct job_queue *queue, struct job *job)
{
    pthread_mutex_lock(&queue->lock);
    job->gone = true;
    if (job->queued) {
        job->due_ns = 0;
        sift_up(queue, job->place);
        pthread_cond_signal(&queue->due);
    }
    pthread_mutex_unlock(&queue->lock);
}
