/*
 * Pacing: a list of parked connections for each shard, first come first served, looked at when a body ends and by a timer.
 * Cost: two comparisons for each request while nothing is parked.
 * Threads: the shard's loop.
 */
#include "collector/net/http_pacing.h"

#include "collector/base/clock.h"

static const int64_t receiving_max = 2 * 1024 * 1024;     /* of bodies that are not whole yet, on one loop */
static const int64_t longest_wait = 50 * NANOS_PER_MILLI; /* then a request goes on whatever there is */
static const int64_t look_pause = 2 * NANOS_PER_MILLI;

static bool is_crowded(const struct http_shard *shard)
{
    const struct http_service *service = shard->service;

    return shard->receiving > receiving_max || (service->crowded != NULL && service->crowded(service->context));
}

static void unlink_parked(struct http_connection *connection)
{
    struct http_shard *shard = connection->shard;

    if (connection->parked_before != NULL)
        connection->parked_before->parked_behind = connection->parked_behind;
    else
        shard->parked_first = connection->parked_behind;
    if (connection->parked_behind != NULL)
        connection->parked_behind->parked_before = connection->parked_before;
    else
        shard->parked_last = connection->parked_before;
    connection->parked_before = connection->parked_behind = NULL;
    connection->parked_at = 0;
}

/* Lets go on who may: one after the other, since each one's body counts at once. */
static void let_go_on(void *context)
{
    struct http_shard *shard = context;
    int64_t now = loop_now(shard->loop);

    while (shard->parked_first != NULL) {
        struct http_connection *connection = shard->parked_first;

        if (is_crowded(shard) && now - connection->parked_at < longest_wait)
            break;
        unlink_parked(connection);
        connection->unpaced = true;
        http_connection_set_reading(connection, true);
        connection->protocol->readable(connection);
        connection->unpaced = false;
        if (!connection->closed)
            http_connection_set_reading(connection, connection->reading); /* what it waits for may have changed */
    }
    if (shard->parked_first == NULL) {
        loop_timer_stop(shard->pacing_timer);
        shard->pacing_timer = NULL;
    }
}

bool http_pacing_parks(struct http_connection *connection)
{
    struct http_shard *shard = connection->shard;
    const struct http1_state *http1 = &connection->http1;

    if (connection->unpaced || connection->protocol != &http1_protocol || http1->state != HTTP1_HEAD || http1->in.size > 0 || shard->draining)
        return false;
    if (shard->parked_first == NULL && !is_crowded(shard))
        return false;
    if (shard->pacing_timer == NULL)
        shard->pacing_timer = loop_timer_start(shard->loop, look_pause, look_pause, let_go_on, shard);
    if (shard->pacing_timer == NULL)
        return false;
    connection->parked_at = loop_now(shard->loop);
    connection->parked_before = shard->parked_last;
    if (shard->parked_last != NULL)
        shard->parked_last->parked_behind = connection;
    else
        shard->parked_first = connection;
    shard->parked_last = connection;
    http_connection_set_reading(connection, false);
    return true;
}

void http_pacing_forget(struct http_connection *connection)
{
    if (connection->parked_at != 0)
        unlink_parked(connection);
}

void http_pacing_count(struct http_shard *shard, int64_t bytes)
{
    shard->receiving += bytes;
    if (bytes < 0 && shard->parked_first != NULL && !is_crowded(shard))
        loop_timer_move(shard->pacing_timer, 0);
}
