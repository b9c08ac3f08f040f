/* A flag under a lock for many readers, counted. */
#include "collector/receiver_link.h"

#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>

struct receiver_link {
    atomic_uint references;
    pthread_rwlock_t lock; /* guards cut */
    bool cut;
};

struct receiver_link *receiver_link_create(void)
{
    struct receiver_link *link = calloc(1, sizeof(*link));

    if (link == NULL)
        abort();
    atomic_init(&link->references, 1);
    pthread_rwlock_init(&link->lock, NULL);
    return link;
}

struct receiver_link *receiver_link_ref(struct receiver_link *link)
{
    atomic_fetch_add(&link->references, 1);
    return link;
}

void receiver_link_unref(struct receiver_link *link)
{
    if (atomic_fetch_sub(&link->references, 1) > 1)
        return;
    pthread_rwlock_destroy(&link->lock);
    free(link);
}

void receiver_link_cut(struct receiver_link *link)
{
    if (link == NULL)
        return;
    pthread_rwlock_wrlock(&link->lock);
    link->cut = true;
    pthread_rwlock_unlock(&link->lock);
    receiver_link_unref(link);
}

bool receiver_link_enter(struct receiver_link *link)
{
    pthread_rwlock_rdlock(&link->lock);
    return !link->cut;
}

void receiver_link_leave(struct receiver_link *link)
{
    pthread_rwlock_unlock(&link->lock);
}
