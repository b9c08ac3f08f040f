/*
 * HTTP server: the listening socket and its shards, one on each data loop (or one on the control loop).
 *
 * The first shard's loop accepts and gives each connection to the shard that has the fewest. Out of file descriptors: accepting
 * pauses for a moment instead of spinning.
 * Threads: start and stop on whoever configures; accepting on the first shard's loop; the rest on the shards' loops.
 */
#include <errno.h>
#include <pthread.h>
#include <stdlib.h>
#include <time.h>
#include <unistd.h>

#include "collector/base/clock.h"
#include "collector/net/http_exchange.h"
#include "collector/net/tls.h"

enum { ACCEPTS_AT_ONCE = 64 };
static const int64_t accept_pause = NANOS_PER_SECOND / 10;

struct http_server {
    struct loop_watch watch; /* first, so that a watch is a server: the listening socket */
    struct http_server_settings settings;
    struct http_service service;
    char *endpoint;
    bool is_unix;
    bool watching;
    struct tls_server *tls;
    pthread_mutex_t lock;
    pthread_cond_t emptied;
    size_t shard_count;
    struct http_shard shards[];
};

/* ---- accepting ---- */

struct handover {          /* a connection on its way to another loop */
    struct loop_task task; /* first, so that a task is a handover */
    struct http_shard *shard;
    int fd;
    char peer[SOCKET_PEER_SIZE];
};

static void run_handover(struct loop_task *task)
{
    struct handover *handover = (struct handover *)task;

    http_connection_open(handover->shard, handover->fd, handover->peer);
    free(handover);
}

static void hand_over(struct http_shard *shard, int fd, const char *peer)
{
    struct handover *handover;

    atomic_fetch_add_explicit(&shard->load, 1, memory_order_relaxed);
    if (loop_is_current(shard->loop)) {
        http_connection_open(shard, fd, peer);
        return;
    }
    handover = malloc(sizeof(*handover));
    if (handover == NULL) {
        close(fd);
        atomic_fetch_sub_explicit(&shard->load, 1, memory_order_relaxed);
        return;
    }
    *handover = (struct handover){ .task = { .run = run_handover }, .shard = shard, .fd = fd };
    memcpy(handover->peer, peer, sizeof(handover->peer));
    loop_post_task(shard->loop, &handover->task);
}

static size_t load_of(struct http_shard *shard)
{
    return atomic_load_explicit(&shard->load, memory_order_relaxed);
}

static size_t total_load(struct http_server *server)
{
    size_t total = 0;

    for (size_t i = 0; i < server->shard_count; i++)
        total += load_of(&server->shards[i]);
    return total;
}

static struct http_shard *least_loaded(struct http_server *server)
{
    struct http_shard *least = &server->shards[0];

    for (size_t i = 1; i < server->shard_count; i++)
        if (load_of(&server->shards[i]) < load_of(least))
            least = &server->shards[i];
    return least;
}

static void fault(const struct http_server *server, const char *peer, const char *reason)
{
    if (server->service.fault != NULL)
        server->service.fault(server->service.context, peer, reason);
}

static void pause_accepting(struct http_server *server)
{
    struct http_shard *shard = &server->shards[0];

    loop_remove(shard->loop, &server->watch);
    server->watching = false;
    http_shard_due(shard, loop_now(shard->loop) + accept_pause);
}

static void resume_accepting(struct http_server *server)
{
    struct http_shard *shard = &server->shards[0];

    if (server->watching || server->watch.fd < 0)
        return;
    server->watching = loop_add(shard->loop, &server->watch, EPOLLIN, NULL);
    if (!server->watching)
        http_shard_due(shard, loop_now(shard->loop) + accept_pause);
}

/* false: no more for now. */
static bool accept_one(struct http_server *server)
{
    struct sockaddr_storage address = { 0 };
    socklen_t size = sizeof(address);
    char peer[SOCKET_PEER_SIZE];
    int fd = accept4(server->watch.fd, (struct sockaddr *)&address, &size, SOCK_NONBLOCK | SOCK_CLOEXEC);

    if (fd < 0) {
        if (errno == EMFILE || errno == ENFILE || errno == ENOBUFS || errno == ENOMEM) {
            fault(server, "", "no_file_descriptors");
            pause_accepting(server);
        }
        return errno == ECONNABORTED || errno == EINTR;
    }
    if (server->is_unix)
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
    struct http_server *server = (struct http_server *)watch;

    (void)events;
    for (int i = 0; i < ACCEPTS_AT_ONCE && accept_one(server); i++)
        ;
}

/* ---- starting ---- */

static void fill_defaults(struct http_server_settings *settings)
{
    if (settings->max_header_bytes == 0)
        settings->max_header_bytes = 64 * 1024;
    if (settings->read_header_timeout_ns == 0)
        settings->read_header_timeout_ns = 60 * NANOS_PER_SECOND;
    if (settings->write_timeout_ns == 0)
        settings->write_timeout_ns = 60 * NANOS_PER_SECOND;
    if (settings->max_concurrent_streams == 0)
        settings->max_concurrent_streams = 100;
    if (settings->max_connections == 0)
        settings->max_connections = 65536;
}

static void on_empty(struct http_server *server)
{
    pthread_mutex_lock(&server->lock);
    pthread_cond_broadcast(&server->emptied);
    pthread_mutex_unlock(&server->lock);
}

static struct http_server *create(
    const struct http_server_settings *settings, const struct http_service *service, const struct http_hooks *hooks)
{
    size_t count = settings->control ? 1 : loop_data_count();
    struct http_server *server = calloc(1, sizeof(*server) + count * sizeof(server->shards[0]));
    pthread_condattr_t monotonic;

    if (server == NULL)
        abort();
    server->settings = *settings;
    fill_defaults(&server->settings);
    server->service = *service;
    server->endpoint = slice_dup_string(slice_of_string(settings->endpoint));
    server->settings.endpoint = server->endpoint;
    server->is_unix = settings->transport != NULL && strcmp(settings->transport, "unix") == 0;
    server->watch = (struct loop_watch){ -1, on_connections };
    pthread_mutex_init(&server->lock, NULL);
    pthread_condattr_init(&monotonic);
    pthread_condattr_setclock(&monotonic, CLOCK_MONOTONIC);
    pthread_cond_init(&server->emptied, &monotonic);
    pthread_condattr_destroy(&monotonic);
    server->shard_count = count;
    for (size_t i = 0; i < count; i++) {
        struct http_shard *shard = &server->shards[i];

        shard->server = server;
        shard->loop = settings->control ? loop_control() : loop_data(i);
        shard->settings = &server->settings;
        shard->service = &server->service;
        shard->hooks = hooks != NULL ? *hooks : (struct http_hooks){ 0 };
        shard->timer_due = INT64_MAX;
        shard->emptied = on_empty;
        shard->swept = i == 0 ? resume_accepting : NULL;
    }
    return server;
}

static void destroy(struct http_server *server)
{
    tls_server_destroy(server->tls);
    pthread_cond_destroy(&server->emptied);
    pthread_mutex_destroy(&server->lock);
    free(server->endpoint);
    free(server);
}

static bool start_tls(struct http_server *server, struct error *err)
{
    if (server->settings.tls == NULL)
        return true;
    server->tls = tls_server_create(server->settings.tls, err);
    if (server->tls == NULL)
        return false;
    tls_server_set_alpn(server->tls, "h2,http/1.1");
    for (size_t i = 0; i < server->shard_count; i++)
        server->shards[i].tls = server->tls;
    return true;
}

struct starting {
    struct http_server *server;
    struct error *err;
};

static void start_accepting(void *context)
{
    struct starting *starting = context;
    struct http_server *server = starting->server;

    server->watching = loop_add(server->shards[0].loop, &server->watch, EPOLLIN, starting->err);
}

static bool start_listening(struct http_server *server, struct error *err)
{
    struct starting starting = { server, err };

    server->watch.fd = server->is_unix ? socket_listen_unix(server->endpoint, err) : socket_listen_tcp(server->endpoint, err);
    if (server->watch.fd < 0)
        return false;
    loop_call(server->shards[0].loop, start_accepting, &starting);
    if (!server->watching)
        socket_close_listener(server->watch.fd, server->is_unix ? server->endpoint : NULL);
    return server->watching;
}

struct http_server *http_server_start_hooked(
    const struct http_server_settings *settings, const struct http_service *service, const struct http_hooks *hooks, struct error *err)
{
    struct http_server *server = create(settings, service, hooks);

    if (!start_tls(server, err) || !start_listening(server, err)) {
        destroy(server);
        return NULL;
    }
    return server;
}

struct http_server *http_server_start(const struct http_server_settings *settings, const struct http_service *service, struct error *err)
{
    return http_server_start_hooked(settings, service, NULL, err);
}

int http_server_port(const struct http_server *server)
{
    return socket_port(server->watch.fd);
}

/* ---- stopping ---- */

static void stop_accepting(void *context)
{
    struct http_server *server = context;

    if (server->watching)
        loop_remove(server->shards[0].loop, &server->watch);
    server->watching = false;
    socket_close_listener(server->watch.fd, server->is_unix ? server->endpoint : NULL);
    server->watch.fd = -1;
}

static void drain_shard(void *context)
{
    http_shard_drain(context);
}

static void stop_shard(void *context)
{
    http_shard_stop(context);
}

static void call_shards(struct http_server *server, void (*fn)(void *context))
{
    for (size_t i = 0; i < server->shard_count; i++)
        loop_call(server->shards[i].loop, fn, &server->shards[i]);
}

/* A server that is stopped on one of its own loops cannot wait for it. */
static bool can_wait(const struct http_server *server)
{
    for (size_t i = 0; i < server->shard_count; i++)
        if (loop_is_current(server->shards[i].loop))
            return false;
    return true;
}

static void wait_until_empty(struct http_server *server, int64_t grace_ns)
{
    int64_t until = clock_monotonic_nanos() + grace_ns;
    struct timespec limit = { .tv_sec = (time_t)(until / NANOS_PER_SECOND), .tv_nsec = (long)(until % NANOS_PER_SECOND) };
    int waited = 0;

    pthread_mutex_lock(&server->lock);
    while (total_load(server) > 0 && waited == 0)
        waited = pthread_cond_timedwait(&server->emptied, &server->lock, &limit);
    pthread_mutex_unlock(&server->lock);
}

void http_server_stop(struct http_server *server, int64_t grace_ns)
{
    if (server == NULL)
        return;
    loop_call(server->shards[0].loop, stop_accepting, server);
    if (grace_ns > 0 && can_wait(server)) {
        call_shards(server, drain_shard);
        wait_until_empty(server, grace_ns);
    }
    call_shards(server, stop_shard);
    destroy(server);
}
