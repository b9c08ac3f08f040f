/*
 * The part of a server on one loop: its connections and their deadlines.
 * One timer a shard, which runs only while some deadline is set; a sweep looks at every connection (some 10 ns each).
 */
#include "collector/base/clock.h"
#include "collector/net/http_connection.h"

static const int64_t sweep_pause = 10 * NANOS_PER_MILLI; /* between two sweeps, however many short deadlines there are */

static void check_output(struct http_connection *connection, int64_t now)
{
    if (now < http_time_after(connection->out_progress, connection->shard->settings->write_timeout_ns)) {
        http_connection_set_deadline(connection, INT64_MAX); /* the output's own remains */
        return;
    }
    http_connection_fault(connection, "write_timeout");
    http_connection_close(connection);
}

static void expire(struct http_connection *connection, int64_t now)
{
    connection->deadline = INT64_MAX;
    if (http_connection_has_output(connection))
        check_output(connection, now);
    else
        connection->protocol->expired(connection);
}

/* What is closed on the way stays in memory until the loop's next task, and so do its links. */
static void sweep(void *context)
{
    struct http_shard *shard = context;
    int64_t now = loop_now(shard->loop), soonest = INT64_MAX;

    shard->timer_due = now; /* no new timer from within */
    shard->last_sweep = now;
    if (shard->swept != NULL)
        shard->swept(shard->server);
    for (struct http_connection *i = shard->connections; i != NULL; i = i->next) {
        if (!i->closed && i->deadline <= now)
            expire(i, now);
        if (!i->closed && i->deadline < soonest)
            soonest = i->deadline;
    }
    shard->timer_due = INT64_MAX;
    if (soonest != INT64_MAX)
        http_shard_due(shard, soonest);
}

void http_shard_due(struct http_shard *shard, int64_t at)
{
    int64_t now = loop_now(shard->loop);

    if (at < shard->last_sweep + sweep_pause)
        at = shard->last_sweep + sweep_pause;
    if (at >= shard->timer_due)
        return;
    if (shard->timer == NULL)
        shard->timer = loop_timer_start(shard->loop, at - now, 0, sweep, shard);
    else
        loop_timer_move(shard->timer, at - now);
    shard->timer_due = shard->timer != NULL ? at : INT64_MAX;
}

void http_shard_drain(struct http_shard *shard)
{
    shard->draining = true;
    for (struct http_connection *i = shard->connections; i != NULL; i = i->next)
        if (!i->closed)
            i->protocol->drain(i);
    if (shard->connections == NULL)
        shard->emptied(shard->server);
}

void http_shard_stop(struct http_shard *shard)
{
    shard->draining = true;
    while (shard->connections != NULL)
        http_connection_close(shard->connections);
    loop_timer_stop(shard->timer);
    shard->timer = NULL;
    loop_timer_stop(shard->pacing_timer);
    shard->pacing_timer = NULL;
}
