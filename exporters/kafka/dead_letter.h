/*
 * The dead-letter file: what Kafka will never take, one JSON object a line, with the reason. Written through to the disk before the
 * record counts as dealt with. Any thread; one writes at a time.
 */
#ifndef WEIR_EXPORTERS_KAFKA_DEAD_LETTER_H
#define WEIR_EXPORTERS_KAFKA_DEAD_LETTER_H

#include <pthread.h>

#include "collector/base/error.h"
#include "exporters/kafka/messages.h"

struct kafka_dead_letters {
    const char *path;  /* NULL: there is no file */
    int64_t max_bytes; /* of the file */
    pthread_mutex_t lock;
    int file; /* -1: not open */
    struct buffer line;
};

struct kafka_dead_letter {
    const char *exporter; /* its id */
    const char *reason;   /* a short word */
    const char *detail;   /* Kafka's own words */
    struct slice topic;
    enum signal signal;
    const struct kafka_message *message;
};

enum kafka_burial {
    KAFKA_BURIED,        /* it is on the disk */
    KAFKA_NO_GRAVE,      /* there is no file, or it is full */
    KAFKA_BURIAL_FAILED, /* the file can't be written now */
};

void kafka_dead_letters_init(struct kafka_dead_letters *letters);
/* Opens the file, if one is named; it may exist. */
bool kafka_dead_letters_open(struct kafka_dead_letters *letters, struct error *err);
enum kafka_burial kafka_dead_letters_write(struct kafka_dead_letters *letters, const struct kafka_dead_letter *letter, struct error *err);
void kafka_dead_letters_fini(struct kafka_dead_letters *letters);

#endif
