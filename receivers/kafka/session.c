/*
 * One librdkafka handle of the consumer, from its making to its end.
 *
 * Closing says good-bye to the group, which librdkafka tries for minutes when a broker dies in the midst of it. After leave_wait_ns the
 * session is left to a thread of its own, so that stopping and reloading end in time: the group then misses the member's heartbeats.
 * Threads: the consumer's; log lines come from librdkafka's own.
 */
#include <signal.h>
#include <stdlib.h>

#include "collector/base/clock.h"
#include "collector/base/log.h"
#include "receivers/kafka/kafka.h"

enum { POLL_MILLIS = 50 };
static const int64_t leave_wait_ns = 2 * NANOS_PER_SECOND, close_wait_ns = 12 * NANOS_PER_SECOND;

static void session_free(struct kafka_session *session)
{
    free(session->path);
    free(session);
}

struct kafka_session *kafka_session_open(struct kafka_consumer *consumer, struct error *err)
{
    struct kafka_session *session = calloc(1, sizeof(*session));
    rd_kafka_conf_t *conf;
    char text[512];

    if (session == NULL)
        abort();
    session->path = slice_dup_string(slice_of_string(consumer->receiver->base.path));
    session->client.path = session->path;
    session->consumer = consumer;
    conf = kafka_consumer_conf(consumer->receiver, &session->client, err);
    session->handle = conf != NULL ? rd_kafka_new(RD_KAFKA_CONSUMER, conf, text, sizeof(text)) : NULL;
    if (session->handle != NULL) {
        rd_kafka_poll_set_consumer(session->handle);
        return session;
    }
    if (conf != NULL) {
        rd_kafka_conf_destroy(conf);
        fail(err, "%s", text);
    }
    session_free(session);
    return NULL;
}

/* ---- the end ---- */

static void end(struct kafka_session *session)
{
    rd_kafka_destroy_flags(session->handle, RD_KAFKA_DESTROY_F_NO_CONSUMER_CLOSE);
    session_free(session);
}

static void *end_alone(void *context)
{
    pthread_setname_np(pthread_self(), "weir-kafka-end");
    end(context);
    return NULL;
}

static void leave_behind(struct kafka_session *session)
{
    sigset_t all, before;
    pthread_t thread;
    int result;

    log_warn(session->path, "no broker says good-bye; the group notices after session_timeout");
    session->consumer = NULL;
    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &before);
    result = pthread_create(&thread, NULL, end_alone, session);
    pthread_sigmask(SIG_SETMASK, &before, NULL);
    if (result == 0)
        pthread_detach(thread);
    else
        end(session); /* then it takes as long as it takes */
}

/* Gives up the partitions, by way of rebalance, and leaves the group. False: not in time. */
static bool say_goodbye(struct kafka_session *session)
{
    rd_kafka_queue_t *queue = rd_kafka_queue_new(session->handle);
    rd_kafka_error_t *error = rd_kafka_consumer_close_queue(session->handle, queue);
    int64_t now_ns = clock_monotonic_nanos(), until_ns = now_ns + close_wait_ns, held_ns = now_ns;
    bool closed = error != NULL; /* there is no more to it */

    if (error != NULL)
        rd_kafka_error_destroy(error);
    while (!closed && now_ns < until_ns && now_ns < held_ns + leave_wait_ns) {
        rd_kafka_queue_poll_callback(queue, POLL_MILLIS);
        closed = rd_kafka_consumer_closed(session->handle) != 0;
        now_ns = clock_monotonic_nanos();
        if (session->consumer->partition_count > 0)
            held_ns = now_ns;
    }
    rd_kafka_queue_destroy(queue);
    return closed;
}

void kafka_session_close(struct kafka_session *session)
{
    if (say_goodbye(session))
        end(session);
    else
        leave_behind(session);
}
