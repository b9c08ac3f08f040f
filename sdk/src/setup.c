/*
 * weir_init, weir_flush, weir_shutdown, and fork. States change under one lock that nobody holds while waiting.
 * Threads: any.
 */
#include <errno.h>
#include <pthread.h>

#include "sdk/src/clock.h"
#include "sdk/src/context.h"
#include "sdk/src/diag.h"
#include "sdk/src/engine.h"
#include "sdk/src/extra.h"
#include "sdk/src/fork.h"
#include "sdk/src/metric.h"
#include "sdk/src/queue.h"
#include "sdk/src/scope.h"
#include "sdk/src/self.h"

enum life { LIFE_OFF, LIFE_STARTING, LIFE_ON, LIFE_STOPPING };

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static enum life life;
static uint64_t losses_told; /* up to the last flush */
static bool fork_handlers;

enum { CONFIG_SIZE_FIRST = offsetof(weir_config, no_thread) };

/* True for the caller who has to do the change. */
static bool change(enum life from, enum life to)
{
    pthread_mutex_lock(&lock);
    bool changed = life == from;
    if (changed)
        life = to;
    pthread_mutex_unlock(&lock);
    return changed;
}

static int start(const weir_config *config)
{
    struct settings *settings = settings_create(config);

    if (settings == NULL)
        return -ENOMEM;
    if (!fork_handlers)
        fork_handlers = pthread_atfork(fork_prepare, fork_parent, fork_child) == 0;
    settings_publish(settings);
    if (settings->disabled)
        return 0;
    pool_resize(&record_pool, settings->memory_limit);
    int result = engine_start(settings);
    if (result != 0)
        return result;
    context_set_recording(true);
    if (settings->self_metrics)
        self_register();
    return 0;
}

int weir_init(const weir_config *config)
{
    weir_config known = weir_config_default();

    if (config != NULL && (config->abi != WEIR_ABI || config->size < CONFIG_SIZE_FIRST))
        return -EINVAL;
    if (config != NULL)
        memcpy(&known, config, config->size < sizeof(known) ? config->size : sizeof(known));
    if (!change(LIFE_OFF, LIFE_STARTING))
        return 0;
    int result = start(&known);
    change(LIFE_STARTING, result == 0 ? LIFE_ON : LIFE_OFF);
    return result;
}

/* -EIO when records were lost since the last time it was asked. */
static int tell_losses(int result)
{
    uint64_t losses = engine_losses();

    pthread_mutex_lock(&lock);
    bool more = losses > losses_told;
    losses_told = losses;
    pthread_mutex_unlock(&lock);
    return result == 0 && more ? -EIO : result;
}

int weir_flush(int timeout_ms)
{
    return tell_losses(engine_flush(timeout_ms));
}

int weir_shutdown(int timeout_ms)
{
    int64_t began = clock_monotonic_ms();

    if (!change(LIFE_ON, LIFE_STOPPING))
        return 0;
    context_set_recording(false);
    int result = engine_flush(timeout_ms);
    int64_t left = timeout_ms < 0 ? 1000 : timeout_ms - (clock_monotonic_ms() - began);
    if (!engine_stop(left > 0 ? left + 50 : 50))
        result = -ETIMEDOUT;
    change(LIFE_STOPPING, LIFE_OFF);
    return tell_losses(result);
}

int weir_poll(int *fd, int timeout_ms)
{
    return engine_poll(fd, timeout_ms);
}

const char *weir_version(void)
{
    return WEIR_VERSION;
}

/* ---- fork: every lock of ours is free in the child, and nothing recorded before is recorded there again ---- */

void fork_prepare(void)
{
    engine_lock_all();
    metric_lock_all();
    scope_lock_all();
    thread_lock_all();
    extra_lock_all();
    pthread_mutex_lock(&record_pool.lock);
}

void fork_parent(void)
{
    pthread_mutex_unlock(&record_pool.lock);
    extra_unlock_all();
    thread_unlock_all();
    scope_unlock_all();
    metric_unlock_all();
    engine_unlock_all();
}

/* What fork_prepare locked is unlocked first: to make a lock anew that is held has no defined result. */
void fork_child(void)
{
    fork_parent();
    weir_after_fork_child();
}

void weir_after_fork_child(void)
{
    diag_after_fork_child();
    pthread_mutex_init(&lock, NULL);
    if (life == LIFE_STOPPING)
        life = LIFE_OFF;
    losses_told = 0;
    scope_after_fork_child();
    metric_after_fork_child();
    metric_observe_after_fork_child();
    extra_after_fork_child();
    pool_forget(&record_pool);
    queue_forget();
    thread_forget_all();
    engine_after_fork_child();
}
