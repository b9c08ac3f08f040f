/*
 * Partitions that come and go, and how far their offsets are committed.
 *
 * Before a partition is given up, what is under way of it has REVOKE_WAIT_NS to settle; then the offsets are committed, and what settles
 * later is nobody's business any more: the next owner reads it again. A partition that has no offset yet gets one at once when
 * reading begins at the end, so that a death before the first commit does not lose what came in between.
 * Threads: the consumer's only; librdkafka calls rebalance and committed from within its poll and close.
 */
#include <stdlib.h>

#include "collector/base/clock.h"
#include "collector/base/log.h"
#include "receivers/kafka/kafka.h"

enum { ASK_MILLIS = 5000, POLL_MILLIS = 50 };
static const int64_t revoke_wait_ns = 5 * NANOS_PER_SECOND, commit_wait_ns = 4 * NANOS_PER_SECOND;

/* ---- the partitions ---- */

static int compare(const struct kafka_partition *partition, const char *topic, int32_t number)
{
    int order = strcmp(partition->topic, topic);

    return order != 0 ? order : (partition->number > number) - (partition->number < number);
}

/* Where it is, or would be. */
static size_t place_of(const struct kafka_consumer *consumer, const char *topic, int32_t number)
{
    size_t low = 0, high = consumer->partition_count;

    while (low < high) {
        size_t middle = (low + high) / 2;

        if (compare(consumer->partitions[middle], topic, number) < 0)
            low = middle + 1;
        else
            high = middle;
    }
    return low;
}

struct kafka_partition *kafka_consumer_partition(struct kafka_consumer *consumer, const char *topic, int32_t number)
{
    size_t place;

    if (consumer->recent != NULL && compare(consumer->recent, topic, number) == 0)
        return consumer->recent;
    place = place_of(consumer, topic, number);
    if (place == consumer->partition_count || compare(consumer->partitions[place], topic, number) != 0)
        return NULL;
    return consumer->recent = consumer->partitions[place];
}

/* Assigning allocates a few words a partition, as librdkafka does beside it: without them there is no going on. */
static struct kafka_partition *add_partition(struct kafka_consumer *consumer, const char *topic, int32_t number)
{
    size_t place = place_of(consumer, topic, number);

    if (consumer->partition_count == consumer->partition_capacity) {
        consumer->partition_capacity = consumer->partition_capacity > 0 ? consumer->partition_capacity * 2 : 16;
        consumer->partitions = realloc(consumer->partitions, consumer->partition_capacity * sizeof(*consumer->partitions));
        if (consumer->partitions == NULL)
            abort();
    }
    memmove(&consumer->partitions[place + 1], &consumer->partitions[place],
        (consumer->partition_count - place) * sizeof(*consumer->partitions));
    consumer->partition_count++;
    consumer->partitions[place] = kafka_partition_create(topic, number);
    consumer->partitions[place]->rule = kafka_rule_of(consumer->rules, topic);
    return consumer->partitions[place];
}

static void remove_partition(struct kafka_consumer *consumer, const char *topic, int32_t number)
{
    size_t place = place_of(consumer, topic, number);

    if (place == consumer->partition_count || compare(consumer->partitions[place], topic, number) != 0)
        return;
    kafka_partition_destroy(consumer->partitions[place], consumer->inbox);
    consumer->recent = NULL;
    consumer->partition_count--;
    memmove(&consumer->partitions[place], &consumer->partitions[place + 1],
        (consumer->partition_count - place) * sizeof(*consumer->partitions));
}

/*
 * ---- pausing ----
 *
 * librdkafka keeps a partition paused when it goes and comes again, so it is resumed before it goes; and it may forget where to begin
 * when it is told to pause a partition that has only just come, so none is paused before its first message is there.
 */

/* Puts the partition into the list when librdkafka has to be told. */
static void note_change(
    struct kafka_consumer *consumer, struct kafka_partition *partition, rd_kafka_topic_partition_list_t *list, bool pause)
{
    bool wanted = (consumer->paused || partition->paused) && partition->seen;

    if (wanted != pause || partition->held == pause)
        return;
    partition->held = pause;
    rd_kafka_topic_partition_list_add(list, partition->topic, partition->number);
}

static void tell(struct kafka_consumer *consumer, rd_kafka_topic_partition_list_t *list, bool pause)
{
    if (list->cnt > 0 && pause)
        rd_kafka_pause_partitions(consumer->handle, list);
    else if (list->cnt > 0)
        rd_kafka_resume_partitions(consumer->handle, list);
    rd_kafka_topic_partition_list_destroy(list);
}

void kafka_consumer_pause(struct kafka_consumer *consumer, struct kafka_partition *partition, bool pause)
{
    bool wanted = ((partition->paused = pause) || consumer->paused) && partition->seen;
    rd_kafka_topic_partition_list_t *list;

    if (partition->held == wanted)
        return;
    list = rd_kafka_topic_partition_list_new(1);
    note_change(consumer, partition, list, wanted);
    tell(consumer, list, wanted);
}

void kafka_consumer_pause_all(struct kafka_consumer *consumer, bool pause)
{
    rd_kafka_topic_partition_list_t *list = rd_kafka_topic_partition_list_new((int)consumer->partition_count);

    consumer->paused = pause;
    for (size_t i = 0; i < consumer->partition_count; i++)
        note_change(consumer, consumer->partitions[i], list, pause);
    tell(consumer, list, pause);
}

static void resume_before_going(struct kafka_consumer *consumer, const rd_kafka_topic_partition_list_t *going)
{
    rd_kafka_topic_partition_list_t *list = rd_kafka_topic_partition_list_new(going->cnt);

    for (int i = 0; i < going->cnt; i++) {
        const struct kafka_partition *partition = kafka_consumer_partition(consumer, going->elems[i].topic, going->elems[i].partition);

        if (partition != NULL && partition->held)
            rd_kafka_topic_partition_list_add(list, partition->topic, partition->number);
    }
    tell(consumer, list, false);
}

/* ---- committing ---- */

/* The offsets of partitions that have got further; of those in `among` only, when there is such a list. NULL: none. */
static rd_kafka_topic_partition_list_t *offsets_of(struct kafka_consumer *consumer, const rd_kafka_topic_partition_list_t *among)
{
    rd_kafka_topic_partition_list_t *list = NULL;

    for (size_t i = 0; i < consumer->partition_count; i++) {
        struct kafka_partition *partition = consumer->partitions[i];

        if (partition->next_offset < 0 || partition->next_offset == partition->committed)
            continue;
        if (among != NULL && rd_kafka_topic_partition_list_find(
                                 (rd_kafka_topic_partition_list_t *)(uintptr_t)among, partition->topic, partition->number) == NULL)
            continue;
        if (list == NULL)
            list = rd_kafka_topic_partition_list_new((int)consumer->partition_count);
        rd_kafka_topic_partition_list_add(list, partition->topic, partition->number)->offset = partition->next_offset;
        partition->committed = partition->next_offset;
    }
    return list;
}

void kafka_consumer_commit(struct kafka_consumer *consumer)
{
    rd_kafka_topic_partition_list_t *list = offsets_of(consumer, NULL);
    rd_kafka_resp_err_t error;

    if (list == NULL)
        return;
    error = rd_kafka_commit(consumer->handle, list, 1);
    if (error != RD_KAFKA_RESP_ERR_NO_ERROR)
        kafka_consumer_committed(consumer->handle, error, list, consumer->session);
    rd_kafka_topic_partition_list_destroy(list);
}

/* What could not be committed is committed again with the next ones. */
static void forget(struct kafka_consumer *consumer, const rd_kafka_topic_partition_t *failed)
{
    struct kafka_partition *partition = kafka_consumer_partition(consumer, failed->topic, failed->partition);

    if (partition != NULL && partition->committed == failed->offset)
        partition->committed = -1;
}

void kafka_consumer_committed(rd_kafka_t *handle, rd_kafka_resp_err_t error, rd_kafka_topic_partition_list_t *list, void *opaque)
{
    struct kafka_consumer *consumer = ((struct kafka_session *)opaque)->consumer;
    bool failed = error != RD_KAFKA_RESP_ERR_NO_ERROR && error != RD_KAFKA_RESP_ERR__NO_OFFSET;

    (void)handle;
    for (int i = 0; list != NULL && i < list->cnt; i++) {
        if (error != RD_KAFKA_RESP_ERR_NO_ERROR || list->elems[i].err != RD_KAFKA_RESP_ERR_NO_ERROR)
            forget(consumer, &list->elems[i]);
    }
    if (failed)
        log_debug(consumer->path, "offsets could not be committed, they are again: %s", rd_kafka_err2str(error));
    else
        kafka_client_works(&consumer->session->client);
}

/* What a commit that is waited for has come to. */
struct answer {
    bool there;
    rd_kafka_resp_err_t error;
};

static void on_answer(rd_kafka_t *handle, rd_kafka_resp_err_t error, rd_kafka_topic_partition_list_t *list, void *opaque)
{
    struct answer *answer = opaque;

    (void)handle;
    (void)list;
    answer->there = true;
    answer->error = error;
}

/* Waits for the answer, since after this the partitions may be somebody else's; but not for a broker that does not come back. */
static void commit_now(struct kafka_consumer *consumer, const rd_kafka_topic_partition_list_t *among)
{
    rd_kafka_topic_partition_list_t *list = offsets_of(consumer, among);
    struct answer answer = { false, RD_KAFKA_RESP_ERR__TIMED_OUT };
    int64_t until_ns = clock_monotonic_nanos() + commit_wait_ns;
    rd_kafka_queue_t *queue;

    if (list == NULL)
        return;
    queue = rd_kafka_queue_new(consumer->handle);
    rd_kafka_commit_queue(consumer->handle, list, queue, on_answer, &answer);
    while (!answer.there && clock_monotonic_nanos() < until_ns)
        rd_kafka_queue_poll_callback(queue, POLL_MILLIS);
    rd_kafka_queue_destroy(queue); /* an answer that comes later is dropped with it */
    if (answer.error != RD_KAFKA_RESP_ERR_NO_ERROR)
        log_warn(consumer->path, "offsets of partitions that are given up could not be committed, their last messages come again: %s",
            rd_kafka_err2str(answer.error));
    rd_kafka_topic_partition_list_destroy(list);
}

/* ---- coming ---- */

static bool find_end(struct kafka_consumer *consumer, rd_kafka_topic_partition_t *partition)
{
    int64_t low, high;

    if (rd_kafka_query_watermark_offsets(consumer->handle, partition->topic, partition->partition, &low, &high, ASK_MILLIS) !=
        RD_KAFKA_RESP_ERR_NO_ERROR)
        return false;
    partition->offset = high;
    return true;
}

/* With initial_offset latest: where reading begins becomes an offset that is committed, before anything is read. */
static void begin_at_end(struct kafka_consumer *consumer, rd_kafka_topic_partition_list_t *list)
{
    rd_kafka_topic_partition_list_t *known;

    if (consumer->receiver->initial_offset != KAFKA_LATEST)
        return;
    known = rd_kafka_topic_partition_list_copy(list);
    if (rd_kafka_committed(consumer->handle, known, ASK_MILLIS) == RD_KAFKA_RESP_ERR_NO_ERROR) {
        for (int i = 0; i < known->cnt; i++) {
            rd_kafka_topic_partition_t *found = &known->elems[i];
            rd_kafka_topic_partition_t *wanted = rd_kafka_topic_partition_list_find(list, found->topic, found->partition);

            if (wanted != NULL && found->err == RD_KAFKA_RESP_ERR_NO_ERROR && found->offset < 0)
                find_end(consumer, wanted);
        }
    }
    rd_kafka_topic_partition_list_destroy(known);
}

static void assign(struct kafka_consumer *consumer, rd_kafka_topic_partition_list_t *list, bool cooperative)
{
    rd_kafka_error_t *error = NULL;
    rd_kafka_resp_err_t code = RD_KAFKA_RESP_ERR_NO_ERROR;

    begin_at_end(consumer, list);
    for (int i = 0; i < list->cnt; i++) {
        struct kafka_partition *partition = add_partition(consumer, list->elems[i].topic, list->elems[i].partition);

        if (list->elems[i].offset >= 0)
            partition->next_offset = list->elems[i].offset;
    }
    if (cooperative)
        error = rd_kafka_incremental_assign(consumer->handle, list);
    else
        code = rd_kafka_assign(consumer->handle, list);
    if (error != NULL || code != RD_KAFKA_RESP_ERR_NO_ERROR)
        log_error(consumer->path, "could not take %d partitions: %s", list->cnt,
            error != NULL ? rd_kafka_error_string(error) : rd_kafka_err2str(code));
    if (error != NULL)
        rd_kafka_error_destroy(error);
    commit_now(consumer, list);
    log_info(consumer->path, "%d partitions came, %zu are held now", list->cnt, consumer->partition_count);
}

/* ---- going ---- */

/* Is one of these still under way? Those that wait for another attempt are not waited for. */
static bool are_under_way(struct kafka_consumer *consumer, const rd_kafka_topic_partition_list_t *list)
{
    for (int i = 0; i < list->cnt; i++) {
        const struct kafka_partition *partition = kafka_consumer_partition(consumer, list->elems[i].topic, list->elems[i].partition);

        if (partition != NULL && partition->messages > partition->waiting)
            return true;
    }
    return false;
}

static void wait_for_settling(struct kafka_consumer *consumer, const rd_kafka_topic_partition_list_t *list)
{
    int64_t deadline_ns = clock_monotonic_nanos() + revoke_wait_ns;

    kafka_consumer_collect(consumer);
    while (are_under_way(consumer, list) && kafka_inbox_wait(consumer->inbox, deadline_ns))
        kafka_consumer_collect(consumer);
}

static void unassign(struct kafka_consumer *consumer, rd_kafka_topic_partition_list_t *list, bool cooperative)
{
    bool lost = rd_kafka_assignment_lost(consumer->handle) != 0;

    if (!lost) {
        wait_for_settling(consumer, list);
        commit_now(consumer, list);
    }
    resume_before_going(consumer, list);
    for (int i = 0; i < list->cnt; i++)
        remove_partition(consumer, list->elems[i].topic, list->elems[i].partition);
    if (cooperative) {
        rd_kafka_error_t *error = rd_kafka_incremental_unassign(consumer->handle, list);

        if (error != NULL)
            rd_kafka_error_destroy(error); /* they are gone either way */
    } else {
        rd_kafka_assign(consumer->handle, NULL);
    }
    log_info(consumer->path, "%d partitions %s, %zu are held now", list->cnt, lost ? "were lost" : "went", consumer->partition_count);
}

void kafka_consumer_rebalance(rd_kafka_t *handle, rd_kafka_resp_err_t event, rd_kafka_topic_partition_list_t *list, void *opaque)
{
    struct kafka_consumer *consumer = ((struct kafka_session *)opaque)->consumer;
    bool cooperative = strcmp(rd_kafka_rebalance_protocol(handle), "COOPERATIVE") == 0;

    if (event == RD_KAFKA_RESP_ERR__ASSIGN_PARTITIONS)
        assign(consumer, list, cooperative);
    else
        unassign(consumer, list, cooperative);
}
