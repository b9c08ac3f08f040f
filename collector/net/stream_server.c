/*
 * The listening socket and its shards, one on each data loop: accepting, and stopping.
 *
 * The first shard's loop accepts, and gives each connection to the shard that has the fewest. Out of file descriptors: accepting pauses
 * until the next tick.
 * Threads: start and stop on whoever configures; the rest on the shards' loops.
 */
#include <errno.h>
#include <stdlib.h>
#include <sys/epoll.h>
#include <time.h>
#include <unistd.h>

#include "collector/base/clock.h"
#include "collector/net/socket.h"
#include "collector/net/stream_session.h"

enum { ACCEPTS_AT_ONCE = 64, CONNECTIONS_DEFAULT = 16384 };

/* ---- accepting ---- */

struct handover {
    struct loop_task task; /* first, so that a task is a handover */
    struct stream_shard *shard;
    int fd;
    char peer[SOCKET_PEER_SIZE];
};

static void run_handover(struct loop_task *task)
{
    struct handover *handover = (struct handover *)task;

    stream_session_open(handover->shard, handover->fd, handover->peer);
    free(handover);
}

static void hand_over(struct stream_shard *shard, int fd, const char *peer)
{
    struct handover *handover = malloc(sizeof(*handover));

    if (handover == NULL) {
        close(fd);
        return;
    }
    atomic_fetch_add_explicit(&shard->load, 1, memory_order_relaxed);
    *handover = (struct handover){ .task = { .run = run_handover }, .shard = shard, .fd = fd };
    memcpy(handover->peer, peer, sizeof(handover->peer));
    if (loop_is_current(shard->loop))
        run_handover(&handover->task);
    else
        loop_post_task(shard->loop, &handover->task);
}

static size_t total_load(struct stream_server *server)
{
    size_t total = 0;

    for (size_t i = 0; i < server->shard_count; i++)
        total += atomic_load(&server->shards[i].load);
    return total;
}

static struct stream_shard *least_loaded(struct stream_server *server)
{
    struct stream_shard *least = &server->shards[0];

    for (size_t i = 1; i < server->shard_count; i++)
        if (atomic_load(&server->shards[i].load) < atomic_load(&least->load))
            least = &server->shards[i];
    return least;
}

static void fault(const struct stream_server *server, const char *peer, const char *reason)
{
    if (server->service.fault != NULL)
        server->service.fault(server->service.context, peer, reason);
}

/* false: no more for now. */
static bool accept_one(struct stream_server *server)
{
    struct sockaddr_storage address = { 0 };
    socklen_t size = sizeof(address);
    char peer[SOCKET_PEER_SIZE];
    int fd = accept4(server->watch.fd, (struct sockaddr *)&address, &size, SOCK_NONBLOCK | SOCK_CLOEXEC);

    if (fd < 0) {
        if (errno == EMFILE || errno == ENFILE || errno == ENOBUFS || errno == ENOMEM) {
            fault(server, "", "no_file_descriptors");
            loop_remove(server->shards[0].loop, &server->watch);
            server->watching = false;
            stream_shard_keep_ticking(&server->shards[0]);
        }
        return errno == ECONNABORTED || errno == EINTR;
    }
    if (server->settings.is_unix)
        address.ss_family = AF_UNIX;
    socket_format_peer((struct sockaddr *)&address, peer);
    if (total_load(server) >= server->settings.max_connections) {
        close(fd);
        fault(server, peer, "too_many_connections");
        return true;
    }
    hand_over(least_loaded(server), fd, peer);
    return true;
}

static void on_connections(struct loop_watch *watch, uint32_t events)
{
    struct stream_server *server = (struct stream_server *)watch;

    (void)events;
    for (int i = 0; i < ACCEPTS_AT_ONCE && accept_one(server); i++)
        ;
}

void stream_server_resume_accepting(struct stream_server *server)
{
    if (!server->watching && server->watch.fd >= 0)
        server->watching = loop_add(server->shards[0].loop, &server->watch, EPOLLIN, NULL);
}

/* ---- starting ---- */

static struct stream_server *create(const struct stream_server_settings *settings, const struct stream_service *service)
{
    size_t count = loop_data_count();
    struct stream_server *server = calloc(1, sizeof(*server) + count * sizeof(server->shards[0]));
    pthread_condattr_t monotonic;

    if (server == NULL)
        abort();
    server->settings = *settings;
    server->service = *service;
    server->endpoint = slice_dup_string(slice_of_string(settings->endpoint));
    server->settings.tls = NULL; /* borrowed for the call only */
    if (settings->max_connections == 0)
        server->settings.max_connections = CONNECTIONS_DEFAULT;
    server->watch = (struct loop_watch){ -1, on_connections };
    pthread_mutex_init(&server->lock, NULL);
    pthread_condattr_init(&monotonic);
    pthread_condattr_setclock(&monotonic, CLOCK_MONOTONIC);
    pthread_cond_init(&server->emptied, &monotonic);
    pthread_condattr_destroy(&monotonic);
    server->shard_count = count;
    for (size_t i = 0; i < count; i++) {
        server->shards[i].server = server;
        server->shards[i].loop = loop_data(i);
    }
    return server;
}

static void destroy(struct stream_server *server)
{
    tls_server_destroy(server->tls);
    pthread_cond_destroy(&server->emptied);
    pthread_mutex_destroy(&server->lock);
    free(server->endpoint);
    free(server);
}

static void start_accepting(void *context)
{
    stream_server_resume_accepting(context);
}

static bool start_listening(struct stream_server *server, struct error *err)
{
    bool is_unix = server->settings.is_unix;

    server->watch.fd = is_unix ? socket_listen_unix(server->endpoint, err) : socket_listen_tcp(server->endpoint, err);
    if (server->watch.fd < 0)
        return false;
    loop_call(server->shards[0].loop, start_accepting, server);
    if (server->watching)
        return true;
    socket_close_listener(server->watch.fd, is_unix ? server->endpoint : NULL);
    return fail(err, "could not watch the listening socket of \"%s\"", server->endpoint);
}

struct stream_server *stream_server_start(
    const struct stream_server_settings *settings, const struct stream_service *service, struct error *err)
{
    struct stream_server *server = create(settings, service);

    if (settings->tls != NULL)
        server->tls = tls_server_create(settings->tls, err);
    if ((settings->tls != NULL && server->tls == NULL) || !start_listening(server, err)) {
        destroy(server);
        return NULL;
    }
    return server;
}

/* ---- stopping ---- */

static void stop_accepting(void *context)
{
    struct stream_server *server = context;

    if (server->watching)
        loop_remove(server->shards[0].loop, &server->watch);
    server->watching = false;
    socket_close_listener(server->watch.fd, server->settings.is_unix ? server->endpoint : NULL);
    server->watch.fd = -1;
}

static void drain_shard(void *context)
{
    stream_shard_drain(context);
}

static void stop_shard(void *context)
{
    stream_shard_stop(context);
}

static void call_shards(struct stream_server *server, void (*fn)(void *context))
{
    for (size_t i = 0; i < server->shard_count; i++)
        loop_call(server->shards[i].loop, fn, &server->shards[i]);
}

static bool can_wait(const struct stream_server *server)
{
    for (size_t i = 0; i < server->shard_count; i++)
        if (loop_is_current(server->shards[i].loop))
            return false;
    return true;
}

static void wait_until_empty(struct stream_server *server, int64_t grace_ns)
{
    int64_t until = clock_monotonic_nanos() + grace_ns;
    struct timespec limit = { .tv_sec = (time_t)(until / NANOS_PER_SECOND), .tv_nsec = (long)(until % NANOS_PER_SECOND) };
    int waited = 0;

    pthread_mutex_lock(&server->lock);
    while (total_load(server) > 0 && waited == 0)
        waited = pthread_cond_timedwait(&server->emptied, &server->lock, &limit);
    pthread_mutex_unlock(&server->lock);
}

void stream_server_stop(struct stream_server *server, int64_t grace_ns)
{
    if (server == NULL)
        return;
    loop_call(server->shards[0].loop, stop_accepting, server);
    call_shards(server, drain_shard);
    if (grace_ns > 0 && can_wait(server))
        wait_until_empty(server, grace_ns);
    call_shards(server, stop_shard);
    destroy(server);
}
