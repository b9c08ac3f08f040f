/*
 * One socket on one loop. Each wake takes up to BURST datagrams with one recvmmsg, some rounds at most.
 * Memory: BURST * DATAGRAM_MAX of address space, of which only what datagrams fill is ever touched. The kernel is asked for a receive
 * buffer of RECEIVE_BUFFER, and gives what net.core.rmem_max allows.
 */
#include "collector/net/datagram_server.h"

#include <stdlib.h>
#include <sys/epoll.h>
#include <sys/mman.h>

#include "collector/base/clock.h"
#include "collector/net/loop.h"
#include "collector/net/socket.h"

enum { BURST = 64, DATAGRAM_MAX = 65536, ROUNDS = 16, RECEIVE_BUFFER = 4 << 20 };
static const int64_t pause_ns = 20 * NANOS_PER_MILLI;

struct datagram_server {
    struct loop_watch watch; /* first, so that a watch is a server */
    struct loop *loop;
    struct loop_timer *timer;
    struct datagram_service service;
    char *path; /* of a unix socket; NULL: UDP */
    bool watching;
    uint8_t *memory;
    struct mmsghdr messages[BURST];
    struct iovec parts[BURST];
    struct sockaddr_storage addresses[BURST];
    struct datagram datagrams[BURST];
    char peers[BURST][SOCKET_PEER_SIZE];
};

static void prepare(struct datagram_server *server)
{
    for (size_t i = 0; i < BURST; i++) {
        server->parts[i] = (struct iovec){ server->memory + i * DATAGRAM_MAX, DATAGRAM_MAX };
        server->addresses[i].ss_family = AF_UNIX;
        server->messages[i].msg_hdr = (struct msghdr){
            .msg_name = &server->addresses[i], .msg_namelen = sizeof(server->addresses[i]), .msg_iov = &server->parts[i], .msg_iovlen = 1
        };
    }
}

/* Returns how many came. */
static size_t receive(struct datagram_server *server)
{
    int count;

    prepare(server);
    count = recvmmsg(server->watch.fd, server->messages, BURST, 0, NULL);
    for (int i = 0; i < count; i++) {
        if (server->path != NULL)
            server->addresses[i].ss_family = AF_UNIX; /* senders without a name leave it as it is, or 0 */
        socket_format_peer((const struct sockaddr *)&server->addresses[i], server->peers[i]);
        server->datagrams[i] = (struct datagram){ slice_of(server->parts[i].iov_base, server->messages[i].msg_len), server->peers[i] };
    }
    if (count > 0)
        server->service.received(server->service.context, server->datagrams, (size_t)count);
    return count > 0 ? (size_t)count : 0;
}

static void watch(struct datagram_server *server)
{
    if (!server->watching)
        server->watching = loop_add(server->loop, &server->watch, EPOLLIN, NULL);
}

static void rest(struct datagram_server *server)
{
    if (server->watching)
        loop_remove(server->loop, &server->watch);
    server->watching = false;
    loop_timer_move(server->timer, pause_ns);
}

static void on_datagrams(struct loop_watch *loop_watch, uint32_t events)
{
    struct datagram_server *server = (struct datagram_server *)loop_watch;

    (void)events;
    for (int i = 0; i < ROUNDS; i++) {
        if (server->service.ready != NULL && !server->service.ready(server->service.context)) {
            rest(server);
            return;
        }
        if (receive(server) < BURST)
            return;
    }
}

static void on_timer(void *context)
{
    watch(context);
}

static void begin(void *context)
{
    struct datagram_server *server = context;

    server->timer = loop_timer_start(server->loop, INT64_MAX / 4, 0, on_timer, server);
    if (server->timer != NULL)
        watch(server);
}

static void end(void *context)
{
    struct datagram_server *server = context;

    if (server->watching)
        loop_remove(server->loop, &server->watch);
    loop_timer_stop(server->timer);
    socket_close_listener(server->watch.fd, server->path);
}

static void destroy(struct datagram_server *server)
{
    if (server->memory != NULL)
        munmap(server->memory, BURST * DATAGRAM_MAX);
    free(server->path);
    free(server);
}

static bool map_memory(struct datagram_server *server, struct error *err)
{
    void *memory = mmap(NULL, BURST * DATAGRAM_MAX, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);

    if (memory == MAP_FAILED)
        return fail(err, "could not get memory for datagrams");
    server->memory = memory;
    return true;
}

struct datagram_server *datagram_server_start(const char *endpoint, bool is_unix, const struct datagram_service *service, struct error *err)
{
    struct datagram_server *server = calloc(1, sizeof(*server));
    int size = RECEIVE_BUFFER;

    if (server == NULL)
        abort();
    server->service = *service;
    server->loop = loop_data(0);
    server->path = is_unix ? slice_dup_string(slice_of_string(endpoint)) : NULL;
    server->watch =
        (struct loop_watch){ is_unix ? socket_bind_unix_datagrams(endpoint, err) : socket_bind_udp(endpoint, err), on_datagrams };
    if (server->watch.fd < 0 || !map_memory(server, err)) {
        socket_close_listener(server->watch.fd, server->path);
        destroy(server);
        return NULL;
    }
    setsockopt(server->watch.fd, SOL_SOCKET, SO_RCVBUF, &size, sizeof(size));
    loop_call(server->loop, begin, server);
    if (server->watching)
        return server;
    datagram_server_stop(server);
    fail(err, "could not watch the socket of \"%s\"", endpoint);
    return NULL;
}

void datagram_server_stop(struct datagram_server *server)
{
    if (server == NULL)
        return;
    loop_call(server->loop, end, server);
    destroy(server);
}
