/* Crews of threads, with small stacks: they hold no buffers there. */
#include "collector/crew.h"

#include <signal.h>
#include <stdlib.h>

enum { STACK_SIZE = 256 * 1024 };

void crew_init(struct crew *crew, size_t most, void *(*work)(void *context), void *context)
{
    *crew = (struct crew){ work, context, most, 0, 0, calloc(most, sizeof(pthread_t)), false };
    if (crew->handles == NULL)
        abort();
}

void crew_fini(struct crew *crew)
{
    free(crew->handles);
    crew->handles = NULL;
}

void crew_call_locked(struct crew *crew)
{
    pthread_attr_t attributes;
    sigset_t all, before;

    if (crew->closed || crew->idle > 0 || crew->threads >= crew->most)
        return;
    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &before);
    pthread_attr_init(&attributes);
    pthread_attr_setstacksize(&attributes, STACK_SIZE);
    if (pthread_create(&crew->handles[crew->threads], &attributes, crew->work, crew->context) == 0)
        crew->threads++;
    pthread_attr_destroy(&attributes);
    pthread_sigmask(SIG_SETMASK, &before, NULL);
}

void crew_close_locked(struct crew *crew)
{
    crew->closed = true;
}

void crew_join(struct crew *crew)
{
    for (size_t i = 0; i < crew->threads; i++)
        pthread_join(crew->handles[i], NULL);
    crew->threads = 0;
}
