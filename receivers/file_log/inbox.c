/* What receipts tell, on any thread, for the reader's. Cost: one lock a chunk, and one write to wake the reader. */
#include <stdlib.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "receivers/file_log/file_log.h"

struct file_inbox {
    pthread_mutex_t lock;
    struct file_chunk *first, *last;
    size_t references; /* the reader's and those of chunks under way */
    int fd;
};

struct file_inbox *file_inbox_create(void)
{
    struct file_inbox *inbox = calloc(1, sizeof(*inbox));

    if (inbox == NULL)
        abort();
    pthread_mutex_init(&inbox->lock, NULL);
    inbox->fd = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);
    inbox->references = 1;
    return inbox;
}

/* Unlocks. */
static void unref_locked(struct file_inbox *inbox)
{
    bool last = --inbox->references == 0;

    pthread_mutex_unlock(&inbox->lock);
    if (!last)
        return;
    if (inbox->fd >= 0)
        close(inbox->fd);
    pthread_mutex_destroy(&inbox->lock);
    free(inbox);
}

void file_inbox_unref(struct file_inbox *inbox)
{
    if (inbox == NULL)
        return;
    pthread_mutex_lock(&inbox->lock);
    unref_locked(inbox);
}

int file_inbox_fd(const struct file_inbox *inbox)
{
    return inbox->fd;
}

struct file_chunk *file_inbox_take(struct file_inbox *inbox)
{
    struct file_chunk *list;
    uint64_t count;

    if (inbox->fd >= 0 && read(inbox->fd, &count, sizeof(count)) < 0)
        count = 0;
    pthread_mutex_lock(&inbox->lock);
    list = inbox->first;
    inbox->first = inbox->last = NULL;
    pthread_mutex_unlock(&inbox->lock);
    return list;
}

void file_chunk_destroy(struct file_chunk *chunk)
{
    batch_settle(chunk->batch, OUTCOME_ACCEPTED); /* nobody waits for this handle */
    free(chunk->marks);
    free(chunk);
}

/* Any thread. */
static void told(void *context, struct outcome outcome)
{
    struct file_chunk *chunk = context;
    struct file_inbox *inbox = chunk->inbox;
    uint64_t one = 1;
    bool orphan;

    pthread_mutex_lock(&inbox->lock);
    orphan = chunk->orphan;
    if (!orphan) {
        chunk->outcome = outcome;
        chunk->next_told = NULL;
        if (inbox->last != NULL)
            inbox->last->next_told = chunk;
        else
            inbox->first = chunk;
        inbox->last = chunk;
        if (inbox->fd >= 0 && write(inbox->fd, &one, sizeof(one)) < 0)
            one = 0; /* it is readable already */
    }
    unref_locked(inbox);
    if (orphan)
        file_chunk_destroy(chunk);
}

struct receipt *file_chunk_receipt(struct file_chunk *chunk, struct file_inbox *inbox)
{
    struct receipt *receipt = receipt_create(RECEIPT_DURABLE, told, chunk);

    if (receipt == NULL)
        return NULL;
    chunk->state = CHUNK_UNDER_WAY;
    chunk->inbox = inbox;
    pthread_mutex_lock(&inbox->lock);
    inbox->references++;
    pthread_mutex_unlock(&inbox->lock);
    return receipt;
}

void file_chunks_abandon(struct file_chunk *list, struct file_inbox *inbox)
{
    pthread_mutex_lock(&inbox->lock);
    for (struct file_chunk *chunk = list; chunk != NULL; chunk = chunk->next)
        chunk->orphan = chunk->state == CHUNK_UNDER_WAY;
    for (struct file_chunk *chunk = inbox->first; chunk != NULL; chunk = chunk->next_told)
        chunk->orphan = false;
    inbox->first = inbox->last = NULL;
    for (struct file_chunk *chunk = list, *next; chunk != NULL; chunk = next) {
        next = chunk->next;
        if (!chunk->orphan)
            file_chunk_destroy(chunk);
    }
    pthread_mutex_unlock(&inbox->lock);
}
