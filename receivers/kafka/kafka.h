/*
 * The kafka receiver's instance and its consumer, shared by the files that make it up.
 *
 * Everything of struct kafka_consumer belongs to its one thread, from start to stop.
 */
#ifndef WEIR_RECEIVERS_KAFKA_KAFKA_H
#define WEIR_RECEIVERS_KAFKA_KAFKA_H

#include <regex.h>

#include "collector/component.h"
#include "collector/kafka/client.h"
#include "receivers/kafka/decode.h"
#include "receivers/kafka/tracker.h"

struct kafka_signal_settings {
    struct option_strings topics, exclude_topics;
    const char *encoding;
};

struct kafka_backoff {
    bool enabled;
    int64_t initial_interval_ns, max_interval_ns, max_elapsed_time_ns;
    double multiplier, randomization_factor;
};

struct kafka_receiver {
    struct component base;
    struct kafka_client_settings client; /* options, all down to max_under_way_mib */
    const char *group_id, *group_instance_id, *rack_id;
    int initial_offset; /* enum kafka_start */
    int64_t session_timeout_ns, heartbeat_interval_ns, autocommit_interval_ns, max_fetch_wait_ns;
    int64_t min_fetch_size, max_fetch_size, max_partition_fetch_size;
    struct option_strings strategies;
    const char *strategy; /* deprecated */
    bool autocommit;
    struct kafka_signal_settings signals[SIGNAL_COUNT];
    bool mark_on_error, extract_headers;
    struct option_strings headers;
    struct kafka_backoff backoff;
    int64_t max_under_way_mib;

    struct kafka_consumer *consumer; /* owned; NULL until started */
};

enum kafka_start { KAFKA_LATEST, KAFKA_EARLIEST };

/* ---- topics.c: which signal a topic is for, and how it is read ---- */

struct kafka_rule {
    struct kafka_format format;
    struct option_strings topics, exclude_topics; /* borrowed */
    regex_t *patterns, *excludes;                 /* owned; compiled where the text begins with ^ */
    size_t compiled, excludes_compiled;           /* how many of them are */
};

bool kafka_rules_init(struct kafka_rule rules[SIGNAL_COUNT], const struct kafka_receiver *receiver, struct error *err);
void kafka_rules_fini(struct kafka_rule rules[SIGNAL_COUNT]);
/* The first rule, in the order of the signals, that the topic fits; NULL: none. */
const struct kafka_rule *kafka_rule_of(const struct kafka_rule rules[SIGNAL_COUNT], const char *topic);
/* All that is excluded, as librdkafka's topic.blacklist. */
void kafka_rules_blacklist(const struct kafka_receiver *receiver, struct buffer *out);

/* ---- session.c: one librdkafka handle, which may outlive the consumer ---- */

struct kafka_session {
    struct kafka_client client;      /* first: the handle's opaque is both */
    struct kafka_consumer *consumer; /* borrowed; NULL: left behind */
    rd_kafka_t *handle;              /* owned */
    char *path;                      /* owned */
};

/* NULL with the error. Opens no connection yet. */
struct kafka_session *kafka_session_open(struct kafka_consumer *consumer, struct error *err);
/* Takes it, and gives up the partitions by way of rebalance; ends within some seconds whatever brokers do. */
void kafka_session_close(struct kafka_session *session);

/* ---- the consumer ---- */

struct kafka_consumer {
    struct kafka_receiver *receiver;
    const char *path; /* the receiver's */
    struct kafka_rule rules[SIGNAL_COUNT];
    struct kafka_decoder decoder;
    struct kafka_session *session;       /* owned; NULL: none */
    rd_kafka_t *handle;                  /* the session's */
    struct kafka_inbox *inbox;           /* one reference */
    struct kafka_partition **partitions; /* owned; sorted by topic and number */
    size_t partition_count, partition_capacity;
    struct kafka_partition *recent; /* of the last message; NULL: none */
    bool paused;                    /* all partitions, until less is under way */
    bool topics_missing;
    bool broken;         /* to be closed and made anew */
    unsigned subscribed; /* enum signal_set */
    int64_t next_commit_ns, next_look_ns, next_refresh_ns, refresh_interval_ns;
    struct {
        bool failing; /* told once a stretch */
    } pipeline;
    atomic_bool stopping;
    pthread_t thread;
    bool thread_started;
};

/* consumer.c: the thread. create checks the settings against librdkafka and opens no connection. */
struct kafka_consumer *kafka_consumer_create(struct kafka_receiver *receiver, struct error *err);
bool kafka_consumer_start(struct kafka_consumer *consumer, struct error *err);
/* Waits for the thread; commits what is settled. NULL is fine. */
void kafka_consumer_destroy(struct kafka_consumer *consumer);

/* conf.c: the settings as librdkafka's */
rd_kafka_conf_t *kafka_consumer_conf(const struct kafka_receiver *receiver, struct kafka_client *client, struct error *err);

/* assignment.c: partitions come and go, offsets are committed, reading pauses */
void kafka_consumer_rebalance(rd_kafka_t *handle, rd_kafka_resp_err_t event, rd_kafka_topic_partition_list_t *list, void *opaque);
void kafka_consumer_committed(rd_kafka_t *handle, rd_kafka_resp_err_t error, rd_kafka_topic_partition_list_t *list, void *opaque);
struct kafka_partition *kafka_consumer_partition(struct kafka_consumer *consumer, const char *topic, int32_t number);
void kafka_consumer_commit(struct kafka_consumer *consumer);
void kafka_consumer_pause(struct kafka_consumer *consumer, struct kafka_partition *partition, bool pause);
void kafka_consumer_pause_all(struct kafka_consumer *consumer, bool pause);

/* intake.c: from a message to the pipeline, and what becomes of it */
void kafka_consumer_take(struct kafka_consumer *consumer, rd_kafka_message_t *message); /* takes the message */
void kafka_consumer_collect(struct kafka_consumer *consumer);                           /* what was told */
void kafka_consumer_try_again(struct kafka_consumer *consumer);                         /* what is due */
size_t kafka_consumer_under_way(const struct kafka_consumer *consumer, size_t *messages);

#endif
