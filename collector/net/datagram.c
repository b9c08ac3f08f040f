/*
 * Cost: one system call for up to BURST datagrams. Memory: BURST * 64 KiB of address space, of which only what datagrams fill is ever touched.
 * Threads: start and stop on whoever configures; reading on the loop.
 */
#include "collector/net/datagram.h"

#include <errno.h>
#include <netdb.h>
#include <netinet/in.h>
#include <stddef.h>
#include <stdlib.h>
#include <sys/epoll.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include "collector/net/socket.h"

enum { BURST = 64, DATAGRAM_SIZE = 65536, BURSTS_AT_ONCE = 16, CONTROL_SIZE = 64 };

struct datagram_socket {
    struct loop_watch watch; /* first, so that a watch is a socket */
    struct loop *loop;
    struct datagram_handler handler;
    char *unix_path;  /* owned; NULL: UDP */
    uint32_t dropped; /* the kernel's count, as it was last told */
    bool watching;
    struct mmsghdr messages[BURST];
    struct iovec parts[BURST];
    struct sockaddr_storage peers[BURST];
    _Alignas(struct cmsghdr) uint8_t control[BURST][CONTROL_SIZE];
    uint8_t *bytes;
};

/* ---- binding ---- */

static const struct addrinfo *choose(const struct addrinfo *list, int family, const char *endpoint)
{
    int wanted = family != AF_UNSPEC ? family : endpoint[0] == ':' ? AF_INET6 : AF_INET;

    for (const struct addrinfo *i = list; i != NULL; i = i->ai_next)
        if (i->ai_family == wanted)
            return i;
    return family == AF_UNSPEC ? list : NULL;
}

static int bind_address(const struct addrinfo *address, int type)
{
    int on = 1, off = 0, reason;
    int fd = socket(address->ai_family, type | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);

    if (fd < 0)
        return -1;
    if (type == SOCK_STREAM)
        setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on));
    if (address->ai_family == AF_INET6)
        setsockopt(fd, IPPROTO_IPV6, IPV6_V6ONLY, &off, sizeof(off));
    if (bind(fd, address->ai_addr, address->ai_addrlen) == 0)
        return fd;
    reason = errno;
    close(fd);
    errno = reason;
    return -1;
}

int datagram_bind(const char *endpoint, int family, int type, struct error *err)
{
    struct addrinfo hints = { .ai_family = family, .ai_socktype = type, .ai_flags = AI_PASSIVE }, *list;
    struct socket_endpoint parsed;
    const struct addrinfo *address;
    int failure, fd = -1;

    if (!socket_parse_endpoint(endpoint, &parsed, err))
        return -1;
    failure = getaddrinfo(parsed.host[0] != '\0' ? parsed.host : NULL, parsed.port, &hints, &list);
    if (failure != 0) {
        fail(err, "could not resolve \"%s\": %s", endpoint, failure == EAI_SYSTEM ? strerror(errno) : gai_strerror(failure));
        return -1;
    }
    address = choose(list, family, endpoint);
    errno = EADDRNOTAVAIL;
    if (address != NULL)
        fd = bind_address(address, type);
    if (fd < 0)
        fail(err, "could not listen on \"%s\": %s%s", endpoint, strerror(errno),
            errno == EADDRINUSE ? "; another process, or another receiver, has it" : "");
    freeaddrinfo(list);
    return fd;
}

static bool unix_address(const char *path, struct sockaddr_un *address, socklen_t *size)
{
    size_t length = strlen(path);

    if (length == 0 || length >= sizeof(address->sun_path))
        return false;
    memset(address, 0, sizeof(*address));
    address->sun_family = AF_UNIX;
    memcpy(address->sun_path, path, length);
    *size = (socklen_t)(offsetof(struct sockaddr_un, sun_path) + length + 1);
    if (path[0] == '@') {
        address->sun_path[0] = '\0';
        *size -= 1;
    }
    return true;
}

/* A socket file that a process left behind when it died refuses to be connected to. */
static void remove_stale(const struct sockaddr_un *address, socklen_t size)
{
    struct stat status;
    int fd;

    if (lstat(address->sun_path, &status) != 0 || !S_ISSOCK(status.st_mode))
        return;
    fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
    if (fd >= 0 && connect(fd, (const struct sockaddr *)address, size) != 0 && errno == ECONNREFUSED)
        unlink(address->sun_path);
    if (fd >= 0)
        close(fd);
}

static int bind_unix(const struct datagram_settings *settings, struct error *err)
{
    struct sockaddr_un address;
    socklen_t size;
    int fd;

    if (!unix_address(settings->endpoint, &address, &size)) {
        fail(err, "\"%s\" is no path for a unix socket: 1 to %zu bytes", settings->endpoint, sizeof(address.sun_path) - 1);
        return -1;
    }
    fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    if (fd < 0) {
        fail(err, "could not make a unix socket: %s", strerror(errno));
        return -1;
    }
    if (settings->endpoint[0] != '@')
        remove_stale(&address, size);
    if (bind(fd, (const struct sockaddr *)&address, size) == 0 &&
        (settings->endpoint[0] == '@' || chmod(settings->endpoint, settings->permissions) == 0))
        return fd;
    fail(err, "could not listen on \"%s\": %s", settings->endpoint, strerror(errno));
    close(fd);
    return -1;
}

/* ---- reading ---- */

static void tell_dropped(struct datagram_socket *self, struct msghdr *message)
{
    uint32_t count;

    for (struct cmsghdr *i = CMSG_FIRSTHDR(message); i != NULL; i = CMSG_NXTHDR(message, i)) {
        if (i->cmsg_level != SOL_SOCKET || i->cmsg_type != SO_RXQ_OVFL)
            continue;
        memcpy(&count, CMSG_DATA(i), sizeof(count));
        if (count != self->dropped)
            self->handler.dropped(self->handler.context, count - self->dropped);
        self->dropped = count;
    }
}

static void prepare(struct datagram_socket *self, int count)
{
    for (int i = 0; i < count; i++) {
        self->peers[i].ss_family = AF_UNSPEC;
        self->messages[i].msg_hdr = (struct msghdr){ .msg_name = &self->peers[i],
            .msg_namelen = sizeof(self->peers[i]),
            .msg_iov = &self->parts[i],
            .msg_iovlen = 1,
            .msg_control = self->control[i],
            .msg_controllen = sizeof(self->control[i]) };
    }
}

/* Datagrams read; 0: there is none. */
static int read_burst(struct datagram_socket *self)
{
    int count = recvmmsg(self->watch.fd, self->messages, BURST, MSG_DONTWAIT, NULL);

    for (int i = 0; i < count; i++) {
        struct msghdr *message = &self->messages[i].msg_hdr;

        if (message->msg_controllen > 0)
            tell_dropped(self, message);
        if ((message->msg_flags & MSG_TRUNC) != 0) {
            self->handler.truncated(self->handler.context);
            continue;
        }
        self->handler.received(
            self->handler.context, slice_of(self->parts[i].iov_base, self->messages[i].msg_len), (const struct sockaddr *)&self->peers[i]);
    }
    prepare(self, count);
    return count > 0 ? count : 0;
}

static void on_readable(struct loop_watch *watch, uint32_t events)
{
    struct datagram_socket *self = (struct datagram_socket *)watch;

    (void)events;
    for (int i = 0; i < BURSTS_AT_ONCE && read_burst(self) == BURST; i++)
        ;
    if (self->handler.burst_end != NULL)
        self->handler.burst_end(self->handler.context);
}

/* ---- life ---- */

static void destroy(struct datagram_socket *self)
{
    if (self->watch.fd >= 0)
        socket_close_listener(self->watch.fd, self->unix_path);
    free(self->unix_path);
    free(self->bytes);
    free(self);
}

static void begin(void *context)
{
    struct datagram_socket *self = context;

    self->watching = loop_add(self->loop, &self->watch, EPOLLIN, NULL);
}

static void end(void *context)
{
    struct datagram_socket *self = context;

    if (self->watching)
        loop_remove(self->loop, &self->watch);
}

static void set_options(int fd, const struct datagram_settings *settings)
{
    int on = 1, size = settings->buffer_size < INT32_MAX ? (int)settings->buffer_size : INT32_MAX;

    setsockopt(fd, SOL_SOCKET, SO_RXQ_OVFL, &on, sizeof(on));
    if (size > 0 && setsockopt(fd, SOL_SOCKET, SO_RCVBUFFORCE, &size, sizeof(size)) != 0)
        setsockopt(fd, SOL_SOCKET, SO_RCVBUF, &size, sizeof(size));
}

struct datagram_socket *datagram_start(
    const struct datagram_settings *settings, struct loop *loop, const struct datagram_handler *handler, struct error *err)
{
    struct datagram_socket *self = calloc(1, sizeof(*self));

    if (self == NULL)
        abort();
    self->loop = loop;
    self->handler = *handler;
    self->bytes = malloc((size_t)BURST * DATAGRAM_SIZE);
    if (self->bytes == NULL)
        abort();
    for (size_t i = 0; i < BURST; i++)
        self->parts[i] = (struct iovec){ self->bytes + i * DATAGRAM_SIZE, DATAGRAM_SIZE };
    prepare(self, BURST);
    self->watch = (struct loop_watch){ settings->family == AF_UNIX ? bind_unix(settings, err)
                                                                   : datagram_bind(settings->endpoint, settings->family, SOCK_DGRAM, err),
        on_readable };
    if (self->watch.fd < 0) {
        destroy(self);
        return NULL;
    }
    if (settings->family == AF_UNIX)
        self->unix_path = slice_dup_string(slice_of_string(settings->endpoint));
    set_options(self->watch.fd, settings);
    loop_call(loop, begin, self);
    if (self->watching)
        return self;
    fail(err, "could not watch the socket \"%s\"", settings->endpoint);
    destroy(self);
    return NULL;
}

void datagram_stop(struct datagram_socket *datagrams)
{
    if (datagrams == NULL)
        return;
    loop_call(datagrams->loop, end, datagrams);
    destroy(datagrams);
}

int datagram_port(const struct datagram_socket *datagrams)
{
    return socket_port(datagrams->watch.fd);
}
