/*
 * What a thread works with, kept in a list for the next one; and the way out of what it has gathered.
 *
 * Cost: what is sampled is copied once more, from the buffer to a payload of its size.
 */
#include <stdlib.h>

#include "collector/processors/tail_sampling/processor.h"

enum { KEPT_BUFFER_MAX = 4 << 20 };

void tail_hand_destroy(struct tail_hand *hand)
{
    if (hand == NULL)
        return;
    tail_worker_fini(&hand->worker);
    tail_writer_fini(&hand->writer);
    buffer_fini(&hand->output.bytes);
    tail_window_destroy(hand->window);
    free(hand);
}

static void begin_output(struct tail_sampling *self, struct tail_output *output)
{
    buffer_clear(&output->bytes);
    output->records = output->share_count = 0;
    output->shares = NULL;
    output->mark = atomic_fetch_add(&self->marks, 1) + 1;
}

struct tail_hand *tail_hand_take(struct tail_sampling *self)
{
    struct tail_hand *hand;

    pthread_mutex_lock(&self->lock);
    hand = self->idle;
    if (hand != NULL)
        self->idle = hand->next;
    pthread_mutex_unlock(&self->lock);
    if (hand != NULL)
        return hand;
    hand = calloc(1, sizeof(*hand));
    if (hand == NULL)
        return NULL;
    if (!tail_worker_init(&hand->worker, self->base.path)) {
        tail_hand_destroy(hand);
        return NULL;
    }
    begin_output(self, &hand->output);
    return hand;
}

void tail_hand_give_back(struct tail_sampling *self, struct tail_hand *hand)
{
    if (hand->output.bytes.capacity > KEPT_BUFFER_MAX)
        buffer_fini(&hand->output.bytes);
    pthread_mutex_lock(&self->lock);
    hand->next = self->idle;
    self->idle = hand;
    pthread_mutex_unlock(&self->lock);
}

static struct payload *payload_of(const struct buffer *bytes)
{
    struct payload *payload = payload_create(bytes->size);

    if (payload == NULL)
        return NULL;
    memcpy(payload->data, bytes->data, bytes->size);
    payload->size = bytes->size;
    return payload;
}

static void settle_list(struct batch *list, struct outcome outcome)
{
    while (list != NULL) {
        struct batch *next = list->next;
        batch_settle(list, outcome);
        list = next;
    }
}

/* The output's bytes with all its shares' receipts. NULL: memory is out, and whoever waits was told to send again. */
static struct batch *batch_of(struct tail_output *output)
{
    struct payload *payload = payload_of(&output->bytes);
    struct batch *batch = payload != NULL ? batch_create(SIGNAL_TRACES, payload, output->records, NULL) : NULL;

    if (batch == NULL) {
        settle_list(output->shares, outcome_retry("no_memory", 0));
        return NULL;
    }
    batch->next = output->shares;
    return output->shares != NULL ? batch_merge(batch, output->share_count + 1) : batch;
}

void tail_hand_send(struct tail_sampling *self, struct tail_hand *hand)
{
    struct tail_output *output = &hand->output;
    bool awaited = output->shares != NULL;
    struct batch *ended = hand->ended, *batch;

    hand->ended = NULL;
    if (output->bytes.size > 0) {
        batch = batch_of(output);
        if (batch != NULL)
            tail_sender_send(self->sender, batch, awaited);
        else
            component_count_dropped(&self->base, SIGNAL_TRACES, "no_memory", output->records);
        begin_output(self, output);
    } else if (awaited) {
        settle_list(output->shares, OUTCOME_ACCEPTED);
        begin_output(self, output);
    }
    settle_list(ended, OUTCOME_ACCEPTED);
}

struct batch *tail_hand_replace(struct tail_sampling *self, struct tail_hand *hand, struct batch *batch)
{
    struct payload *payload = payload_of(&hand->output.bytes);
    size_t records = hand->output.records;

    begin_output(self, &hand->output);
    if (payload == NULL) {
        batch_settle(batch, outcome_retry("no_memory", 0));
        return NULL;
    }
    return batch_replace(batch, payload, records);
}

struct batch *tail_share_receipt(struct batch *batch)
{
    struct batch *share = batch_share(batch);

    return share != NULL ? batch_replace(share, NULL, 0) : NULL;
}

bool tail_output_share(struct tail_output *output, struct batch *share)
{
    if (share == NULL)
        return false;
    share->next = output->shares;
    output->shares = share;
    output->share_count++;
    return true;
}
