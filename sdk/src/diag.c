/* Diagnostics: formatted on the stack, one write for each line. Threads: any. */
#include "sdk/src/diag.h"

#include <pthread.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdio.h>
#include <unistd.h>

/* A function and its argument must change together. */
static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static weir_diag_fn diag_function;
static void *diag_user;
static _Atomic int diag_level = WEIR_LEVEL_INFO;

static const char *const level_names[] = { "", "error", "warning", "info", "debug" };

void diag_configure(weir_level level, weir_diag_fn function, void *user)
{
    pthread_mutex_lock(&lock);
    diag_function = function;
    diag_user = user;
    pthread_mutex_unlock(&lock);
    atomic_store_explicit(&diag_level, (int)level, memory_order_relaxed);
}

static void to_standard_error(weir_level level, const char *message)
{
    char line[560];
    int size = snprintf(line, sizeof(line), "weir: %s: %s\n", level_names[level], message);

    if (size > 0 && write(STDERR_FILENO, line, (size_t)size) < 0)
        return; /* nowhere left to say it */
}

void diag(weir_level level, const char *format, ...)
{
    char message[500];
    va_list arguments;

    if ((int)level > atomic_load_explicit(&diag_level, memory_order_relaxed))
        return;
    va_start(arguments, format);
    vsnprintf(message, sizeof(message), format, arguments);
    va_end(arguments);
    pthread_mutex_lock(&lock);
    weir_diag_fn function = diag_function;
    void *user = diag_user;
    pthread_mutex_unlock(&lock);
    if (function != NULL)
        function(level, message, user);
    else
        to_standard_error(level, message);
}

void diag_after_fork_child(void)
{
    pthread_mutex_init(&lock, NULL);
}
