/*
 * Cost: bytes are read into the loop's scratch block, behind what was left of the connection; a connection that has nothing left owns no buffer.
 * Limits: connections, bytes kept, idle time (one sweep a second looks at all connections).
 * Threads: start and stop on whoever configures; everything else on the loop.
 */
#include "collector/net/feed.h"

#include <errno.h>
#include <stdlib.h>
#include <sys/epoll.h>
#include <unistd.h>

#include "collector/base/clock.h"
#include "collector/net/datagram.h"
#include "collector/net/socket.h"

enum { BACKLOG = 1024, READS_AT_ONCE = 8, ACCEPTS_AT_ONCE = 64 };

struct feed {
    struct loop_watch watch; /* first, so that a watch is a feed: the listening socket */
    struct feed_settings settings;
    struct feed_handler handler;
    struct loop *loop;
    struct loop_timer *sweeper;
    struct connection *connections;
    size_t connection_count;
    bool watching;
};

struct connection {
    struct loop_watch watch; /* first */
    struct feed *feed;
    struct connection *next, *previous;
    struct sockaddr_storage peer;
    int64_t heard_ns;
    uint8_t *kept; /* owned; NULL: nothing */
    size_t kept_size;
};

static void close_connection(struct connection *connection)
{
    struct feed *feed = connection->feed;

    loop_remove(feed->loop, &connection->watch);
    if (connection->previous != NULL)
        connection->previous->next = connection->next;
    else
        feed->connections = connection->next;
    if (connection->next != NULL)
        connection->next->previous = connection->previous;
    feed->connection_count--;
    close(connection->watch.fd);
    free(connection->kept);
    free(connection);
}

static void close_with(struct connection *connection, const char *reason)
{
    connection->feed->handler.fault(connection->feed->handler.context, reason);
    close_connection(connection);
}

/* Keeps what is left for the next time; false closes. */
static const char *keep(struct connection *connection, struct slice rest)
{
    uint8_t *kept = NULL;

    if (rest.size > connection->feed->settings.max_pending)
        return "too_long";
    if (rest.size > 0) {
        kept = malloc(rest.size);
        if (kept == NULL)
            return "memory";
        memcpy(kept, rest.data, rest.size);
    }
    free(connection->kept);
    connection->kept = kept;
    connection->kept_size = rest.size;
    return NULL;
}

/* One read; false when there is no more for now, or the connection is gone. */
static bool read_once(struct connection *connection)
{
    struct feed *feed = connection->feed;
    uint8_t *scratch = loop_scratch(feed->loop, LOOP_SCRATCH_READ);
    const struct sockaddr *peer = (const struct sockaddr *)&connection->peer;
    size_t kept = connection->kept_size, room = LOOP_SCRATCH_SIZE - kept;
    const char *fault;
    ptrdiff_t used;
    ssize_t got;

    if (scratch == NULL)
        return false;
    got = recv(connection->watch.fd, scratch + kept, room, MSG_DONTWAIT);
    if (got < 0 && (errno == EAGAIN || errno == EINTR))
        return false;
    if (kept > 0)
        memcpy(scratch, connection->kept, kept);
    used = feed->handler.received(feed->handler.context, slice_of(scratch, kept + (got > 0 ? (size_t)got : 0)), got <= 0, peer);
    if (got <= 0 || used < 0) {
        close_connection(connection);
        return false;
    }
    connection->heard_ns = loop_now(feed->loop);
    fault = keep(connection, slice_of(scratch + used, kept + (size_t)got - (size_t)used));
    if (fault != NULL)
        close_with(connection, fault);
    return fault == NULL && (size_t)got == room;
}

static void on_readable(struct loop_watch *watch, uint32_t events)
{
    struct connection *connection = (struct connection *)watch;
    struct feed *feed = connection->feed;

    (void)events;
    for (int i = 0; i < READS_AT_ONCE && read_once(connection); i++)
        ;
    if (feed->handler.burst_end != NULL)
        feed->handler.burst_end(feed->handler.context);
}

/* ---- accepting ---- */

static const char *open_connection(struct feed *feed, int fd, const struct sockaddr_storage *peer)
{
    struct connection *connection = feed->connection_count < feed->settings.max_connections ? calloc(1, sizeof(*connection)) : NULL;

    if (connection == NULL)
        return feed->connection_count < feed->settings.max_connections ? "memory" : "too_many_connections";
    *connection = (struct connection){ .watch = { fd, on_readable }, .feed = feed, .next = feed->connections, .peer = *peer };
    connection->heard_ns = loop_now(feed->loop);
    if (!loop_add(feed->loop, &connection->watch, EPOLLIN, NULL)) {
        free(connection);
        return "memory";
    }
    if (feed->connections != NULL)
        feed->connections->previous = connection;
    feed->connections = connection;
    feed->connection_count++;
    return NULL;
}

/* false: no more for now. */
static bool accept_one(struct feed *feed)
{
    struct sockaddr_storage peer = { 0 };
    socklen_t size = sizeof(peer);
    int fd = accept4(feed->watch.fd, (struct sockaddr *)&peer, &size, SOCK_NONBLOCK | SOCK_CLOEXEC);
    const char *fault;

    if (fd < 0) {
        bool exhausted = errno == EMFILE || errno == ENFILE || errno == ENOBUFS || errno == ENOMEM;

        if (exhausted) { /* the sweep begins again */
            feed->handler.fault(feed->handler.context, "no_file_descriptors");
            loop_remove(feed->loop, &feed->watch);
            feed->watching = false;
        }
        return !exhausted && (errno == ECONNABORTED || errno == EINTR);
    }
    fault = open_connection(feed, fd, &peer);
    if (fault == NULL)
        return true;
    close(fd);
    feed->handler.fault(feed->handler.context, fault);
    return true;
}

static void on_connections(struct loop_watch *watch, uint32_t events)
{
    (void)events;
    for (int i = 0; i < ACCEPTS_AT_ONCE && accept_one((struct feed *)watch); i++)
        ;
}

static void sweep(void *context)
{
    struct feed *feed = context;
    int64_t oldest = loop_now(feed->loop) - feed->settings.idle_timeout_ns;
    struct connection *next;

    if (!feed->watching)
        feed->watching = loop_add(feed->loop, &feed->watch, EPOLLIN, NULL);
    for (struct connection *i = feed->connections; feed->settings.idle_timeout_ns > 0 && i != NULL; i = next) {
        next = i->next;
        if (i->heard_ns < oldest)
            close_connection(i);
    }
}

/* ---- life ---- */

static void begin(void *context)
{
    struct feed *feed = context;

    feed->watching = loop_add(feed->loop, &feed->watch, EPOLLIN, NULL);
}

static void end(void *context)
{
    struct feed *feed = context;

    if (feed->watching)
        loop_remove(feed->loop, &feed->watch);
    while (feed->connections != NULL)
        close_connection(feed->connections);
}

struct feed *feed_start(const struct feed_settings *settings, struct loop *loop, const struct feed_handler *handler, struct error *err)
{
    struct feed *feed = calloc(1, sizeof(*feed));

    if (feed == NULL)
        abort();
    feed->settings = *settings;
    feed->handler = *handler;
    feed->loop = loop;
    feed->watch = (struct loop_watch){ datagram_bind(settings->endpoint, settings->family, SOCK_STREAM, err), on_connections };
    if (feed->watch.fd < 0) {
        free(feed);
        return NULL;
    }
    if (listen(feed->watch.fd, BACKLOG) == 0) {
        loop_call(loop, begin, feed);
        feed->sweeper = loop_timer_start(loop, NANOS_PER_SECOND, NANOS_PER_SECOND, sweep, feed);
    }
    if (feed->watching && feed->sweeper != NULL)
        return feed;
    fail(err, "could not listen on \"%s\": %s", settings->endpoint, strerror(errno));
    feed_stop(feed);
    return NULL;
}

void feed_stop(struct feed *feed)
{
    if (feed == NULL)
        return;
    loop_timer_stop(feed->sweeper);
    loop_call(feed->loop, end, feed);
    close(feed->watch.fd);
    free(feed);
}

int feed_port(const struct feed *feed)
{
    return socket_port(feed->watch.fd);
}
