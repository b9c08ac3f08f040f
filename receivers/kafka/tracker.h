/*
 * What is under way from Kafka: the messages of each partition in their order, and how far the offset may be committed.
 *
 * Everything belongs to the consumer's thread but the inbox, where receipts, told on any thread, leave their messages.
 * A message that is told after its partition was given up frees itself.
 */
#ifndef WEIR_RECEIVERS_KAFKA_TRACKER_H
#define WEIR_RECEIVERS_KAFKA_TRACKER_H

#include <pthread.h>

#include "collector/batch.h"

struct kafka_inbox;
struct kafka_partition;

enum kafka_state {
    KAFKA_WAITING,   /* for its next attempt, at due_ns */
    KAFKA_UNDER_WAY, /* a receipt will tell of it */
    KAFKA_SETTLED,
};

/* One message, from its arrival until its offset may be committed. */
struct kafka_tracked {
    struct kafka_partition *partition; /* borrowed; not to be looked at once it is an orphan */
    int64_t offset;
    size_t bytes;
    enum kafka_state state;
    void *raw; /* what it is made of; owned through free_raw; NULL: not needed any more */
    void (*free_raw)(void *raw);
    struct batch *batch;    /* owned, without receipt, for another attempt; NULL: not decoded yet */
    struct outcome outcome; /* what the receipt told */
    int64_t due_ns, first_failed_ns;
    unsigned failures;
    struct kafka_inbox *inbox; /* one reference while it is under way */
    bool orphan;               /* under the inbox' lock */
    struct kafka_tracked *next, *next_told;
};

struct kafka_partition {
    char *topic; /* owned */
    int32_t number;
    const void *rule;                   /* how its messages are read; borrowed */
    struct kafka_tracked *first, *last; /* in the order of consumption; the first one is not settled */
    size_t messages, bytes, waiting;    /* of those in the list: not settled; and waiting */
    int64_t next_offset;                /* to be committed; -1: nothing was settled yet */
    int64_t committed;                  /* asked to be committed; -1: nothing */
    bool paused;                        /* for messages that wait */
    bool held;                          /* librdkafka was told to pause it */
    bool seen;                          /* a message of it came */
};

/* ---- the inbox ---- */

struct kafka_inbox *kafka_inbox_create(void); /* one reference; aborts when memory is out */
void kafka_inbox_unref(struct kafka_inbox *inbox);
/* Everything that was told, linked by next_told; NULL: nothing. */
struct kafka_tracked *kafka_inbox_take(struct kafka_inbox *inbox);
/* Waits until something was told; false when the deadline (monotonic) came first. */
bool kafka_inbox_wait(struct kafka_inbox *inbox, int64_t deadline_ns);

/* ---- partitions ---- */

struct kafka_partition *kafka_partition_create(const char *topic, int32_t number); /* aborts when memory is out */
/* Messages under way become orphans, all others are freed. */
void kafka_partition_destroy(struct kafka_partition *partition, struct kafka_inbox *inbox);

/* A new last message, WAITING. NULL: memory is out. */
struct kafka_tracked *kafka_partition_add(struct kafka_partition *partition, int64_t offset, size_t bytes);
/* Is a message of that offset in the list and not settled? */
bool kafka_partition_has(const struct kafka_partition *partition, int64_t offset);

/* A receipt for the message, which is then under way; NULL when memory is out. */
struct receipt *kafka_tracked_receipt(struct kafka_tracked *tracked, struct kafka_inbox *inbox);
/* It is dealt with: next_offset moves on over all at the front that are. The message may be gone. */
void kafka_tracked_settle(struct kafka_tracked *tracked);

#endif
