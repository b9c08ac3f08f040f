/* Two requests hand work to one pool thread; each piece of work is a span of the request that asked for it. */
#include <stdio.h>
#include <weir/contrib/thread.h>

WEIR_SCOPE(scope, "example.pool", "1.0.0");

enum { TASKS_MAX = 16 };

static struct {
    pthread_mutex_t lock;
    pthread_cond_t changed;
    weir_task tasks[TASKS_MAX];
    size_t put, taken;
    bool closed;
} queue = { .lock = PTHREAD_MUTEX_INITIALIZER, .changed = PTHREAD_COND_INITIALIZER };

static void submit(weir_task task)
{
    pthread_mutex_lock(&queue.lock);
    if (queue.put - queue.taken < TASKS_MAX)
        queue.tasks[queue.put++ % TASKS_MAX] = task;
    else
        weir_task_drop(&task);
    pthread_cond_signal(&queue.changed);
    pthread_mutex_unlock(&queue.lock);
}

static void *work(void *unused)
{
    (void)unused;
    pthread_mutex_lock(&queue.lock);
    while (!queue.closed || queue.taken < queue.put) {
        if (queue.taken == queue.put) {
            pthread_cond_wait(&queue.changed, &queue.lock);
            continue;
        }
        weir_task task = queue.tasks[queue.taken++ % TASKS_MAX];
        pthread_mutex_unlock(&queue.lock);
        weir_task_run(&task);
        pthread_mutex_lock(&queue.lock);
    }
    pthread_mutex_unlock(&queue.lock);
    return NULL;
}

static void resize(void *argument)
{
    WEIR_SPAN(span, scope, "resize", WEIR_INTERNAL, NULL);
    WEIR_SET(&span, "example.picture", (const char *)argument);
}

static void request(char *picture)
{
    WEIR_SPAN(span, scope, "request", WEIR_SERVER, NULL);
    submit(weir_task_make(resize, picture));
}

int main(void)
{
    static char first[] = "a.png", second[] = "b.png";
    pthread_t worker;

    if (weir_init(NULL) != 0 || pthread_create(&worker, NULL, work, NULL) != 0)
        return 1;
    request(first);
    request(second);
    pthread_mutex_lock(&queue.lock);
    queue.closed = true;
    pthread_cond_signal(&queue.changed);
    pthread_mutex_unlock(&queue.lock);
    pthread_join(worker, NULL);
    return weir_shutdown(5000) == 0 ? 0 : 2;
}
