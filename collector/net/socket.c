/* Listening sockets. Start-up path: it may block in the resolver. A name with several addresses is bound to the first, IPv4 before IPv6. */
#include "collector/net/socket.h"

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <netdb.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

enum { BACKLOG = 4096 }; /* the kernel lowers it to net.core.somaxconn */

/* ---- endpoints ---- */

static bool copy_part(char *out, size_t size, struct slice part)
{
    if (part.size >= size)
        return false;
    memcpy(out, part.data, part.size);
    out[part.size] = '\0';
    return true;
}

bool socket_parse_endpoint(const char *text, struct socket_endpoint *out, struct error *err)
{
    const char *colon = strrchr(text, ':');
    struct slice host;

    if (colon == NULL || colon[1] == '\0' || strchr(colon, ']') != NULL)
        return fail(err, "endpoint \"%s\" has no port: write it as \"host:port\"", text);
    host = slice_of(text, (size_t)(colon - text));
    if (host.size > 0 && host.data[0] == '[') {
        if (host.size < 3 || host.data[host.size - 1] != ']')
            return fail(err, "endpoint \"%s\" has brackets that do not fit: write it as \"[address]:port\"", text);
        host = slice_of(host.data + 1, host.size - 2);
    } else if (memchr(host.data, ':', host.size) != NULL) {
        return fail(err, "endpoint \"%s\" has too many colons: write an IPv6 address as \"[address]:port\"", text);
    }
    if (!copy_part(out->host, sizeof(out->host), host) || !copy_part(out->port, sizeof(out->port), slice_of_string(colon + 1)))
        return fail(err, "endpoint \"%s\" is too long", text);
    return true;
}

static bool endpoint_addresses(const char *endpoint, int type, struct addrinfo **out, struct error *err)
{
    struct addrinfo hints = { .ai_family = AF_UNSPEC, .ai_socktype = type, .ai_flags = AI_PASSIVE };
    struct socket_endpoint parsed;
    int failure;

    if (!socket_parse_endpoint(endpoint, &parsed, err))
        return false;
    failure = getaddrinfo(parsed.host[0] != '\0' ? parsed.host : NULL, parsed.port, &hints, out);
    if (failure != 0)
        return fail(err, "could not resolve \"%s\": %s", endpoint, failure == EAI_SYSTEM ? strerror(errno) : gai_strerror(failure));
    return true;
}

/* ---- TCP ---- */

/* Every address of the machine is one IPv6 socket that takes IPv4 too, where there is IPv6; a name is its IPv4 address first. */
static const struct addrinfo *preferred(const struct addrinfo *list, int family)
{
    for (const struct addrinfo *i = list; i != NULL; i = i->ai_next)
        if (i->ai_family == family)
            return i;
    return NULL;
}

static void set_options(int fd)
{
    static const struct {
        int level, name, value;
    } options[] = {
        { SOL_SOCKET, SO_REUSEADDR, 1 },
        { SOL_SOCKET, SO_KEEPALIVE, 1 },
        { IPPROTO_TCP, TCP_NODELAY, 1 },
        { IPPROTO_TCP, TCP_KEEPIDLE, 60 },
        { IPPROTO_TCP, TCP_KEEPINTVL, 15 },
        { IPPROTO_TCP, TCP_KEEPCNT, 4 },
    };

    for (size_t i = 0; i < sizeof(options) / sizeof(options[0]); i++)
        setsockopt(fd, options[i].level, options[i].name, &options[i].value, sizeof(options[i].value));
}

static int listen_on(const struct addrinfo *address)
{
    int off = 0, reason;
    bool stream = address->ai_socktype == SOCK_STREAM;
    int fd = socket(address->ai_family, address->ai_socktype | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);

    if (fd < 0)
        return -1;
    if (stream)
        set_options(fd);
    if (address->ai_family == AF_INET6)
        setsockopt(fd, IPPROTO_IPV6, IPV6_V6ONLY, &off, sizeof(off));
    if (bind(fd, address->ai_addr, address->ai_addrlen) == 0 && (!stream || listen(fd, BACKLOG) == 0))
        return fd;
    reason = errno;
    close(fd);
    errno = reason;
    return -1;
}

static int listen_at(const char *endpoint, int type, struct error *err)
{
    struct addrinfo *list;
    const struct addrinfo *first, *second;
    int families[2] = { AF_INET, AF_INET6 };
    int fd = -1;

    if (!endpoint_addresses(endpoint, type, &list, err))
        return -1;
    if (endpoint[0] == ':') {
        families[0] = AF_INET6;
        families[1] = AF_INET;
    }
    first = preferred(list, families[0]);
    second = preferred(list, families[1]);
    errno = EADDRNOTAVAIL;
    if (first != NULL)
        fd = listen_on(first);
    if (fd < 0 && second != NULL && (first == NULL || errno == EAFNOSUPPORT || errno == EADDRNOTAVAIL))
        fd = listen_on(second);
    if (fd < 0)
        fail(err, "could not listen on \"%s\": %s%s", endpoint, strerror(errno),
            errno == EADDRINUSE ? "; another process, or another receiver, has it" : "");
    freeaddrinfo(list);
    return fd;
}

int socket_listen_tcp(const char *endpoint, struct error *err)
{
    return listen_at(endpoint, SOCK_STREAM, err);
}

int socket_bind_udp(const char *endpoint, struct error *err)
{
    return listen_at(endpoint, SOCK_DGRAM, err);
}

/* ---- unix ---- */

static bool unix_address(const char *path, struct sockaddr_un *out, socklen_t *size, struct error *err)
{
    size_t length = strlen(path);

    if (length == 0)
        return fail(err, "the path of a unix socket is empty");
    if (length >= sizeof(out->sun_path))
        return fail(err, "the path \"%s\" is too long for a unix socket: %zu bytes at the most", path, sizeof(out->sun_path) - 1);
    memset(out, 0, sizeof(*out));
    out->sun_family = AF_UNIX;
    memcpy(out->sun_path, path, length);
    *size = (socklen_t)(offsetof(struct sockaddr_un, sun_path) + length + 1);
    if (path[0] == '@') {
        out->sun_path[0] = '\0';
        *size -= 1;
    }
    return true;
}

/* A socket file that a process left behind when it died refuses connections. */
static bool is_stale(const struct sockaddr_un *address, socklen_t size, int type)
{
    struct stat status;
    bool refused;
    int fd;

    if (lstat(address->sun_path, &status) != 0 || !S_ISSOCK(status.st_mode))
        return false;
    fd = socket(AF_UNIX, type | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    if (fd < 0)
        return false;
    refused = connect(fd, (const struct sockaddr *)address, size) != 0 && errno == ECONNREFUSED;
    close(fd);
    return refused;
}

static bool bind_unix(int fd, int type, const char *path, struct error *err)
{
    struct sockaddr_un address;
    socklen_t size = 0;

    if (!unix_address(path, &address, &size, err))
        return false;
    if (bind(fd, (const struct sockaddr *)&address, size) == 0)
        return true;
    if (errno != EADDRINUSE)
        return fail(err, "could not listen on \"%s\": %s", path, strerror(errno));
    if (path[0] == '@' || !is_stale(&address, size, type))
        return fail(err, "could not listen on \"%s\": it exists, and it is in use or not a socket", path);
    if (unlink(path) != 0)
        return fail(err, "could not remove the stale socket \"%s\": %s", path, strerror(errno));
    if (bind(fd, (const struct sockaddr *)&address, size) != 0)
        return fail(err, "could not listen on \"%s\": %s", path, strerror(errno));
    return true;
}

static int open_unix(const char *path, int type, struct error *err)
{
    int fd = socket(AF_UNIX, type | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);

    if (fd < 0) {
        fail(err, "could not make a unix socket: %s", strerror(errno));
        return -1;
    }
    if (bind_unix(fd, type, path, err))
        return fd;
    close(fd);
    return -1;
}

int socket_bind_unix_datagrams(const char *path, struct error *err)
{
    return open_unix(path, SOCK_DGRAM, err);
}

int socket_listen_unix(const char *path, struct error *err)
{
    int fd = open_unix(path, SOCK_STREAM, err);

    if (fd >= 0 && listen(fd, BACKLOG) != 0) {
        fail(err, "could not listen on \"%s\": %s", path, strerror(errno));
        socket_close_listener(fd, path);
        return -1;
    }
    return fd;
}

void socket_close_listener(int fd, const char *unix_path)
{
    if (fd < 0)
        return;
    if (unix_path != NULL && unix_path[0] != '@')
        unlink(unix_path);
    close(fd);
}

/* ---- both ---- */

int socket_port(int fd)
{
    struct sockaddr_storage address = { 0 };
    socklen_t size = sizeof(address);

    if (getsockname(fd, (struct sockaddr *)&address, &size) != 0)
        return 0;
    if (address.ss_family == AF_INET)
        return ntohs(((struct sockaddr_in *)&address)->sin_port);
    if (address.ss_family == AF_INET6)
        return ntohs(((struct sockaddr_in6 *)&address)->sin6_port);
    return 0;
}

void socket_format_peer(const struct sockaddr *address, char out[SOCKET_PEER_SIZE])
{
    char host[INET6_ADDRSTRLEN] = "";

    if (address->sa_family == AF_INET) {
        const struct sockaddr_in *in = (const struct sockaddr_in *)address;

        inet_ntop(AF_INET, &in->sin_addr, host, sizeof(host));
        snprintf(out, SOCKET_PEER_SIZE, "%s:%u", host, ntohs(in->sin_port));
    } else if (address->sa_family == AF_INET6) {
        const struct sockaddr_in6 *in = (const struct sockaddr_in6 *)address;
        bool mapped = IN6_IS_ADDR_V4MAPPED(&in->sin6_addr);

        if (mapped)
            inet_ntop(AF_INET, &in->sin6_addr.s6_addr[12], host, sizeof(host));
        else
            inet_ntop(AF_INET6, &in->sin6_addr, host, sizeof(host));
        snprintf(out, SOCKET_PEER_SIZE, mapped ? "%s:%u" : "[%s]:%u", host, ntohs(in->sin6_port));
    } else {
        snprintf(out, SOCKET_PEER_SIZE, "unix");
    }
}
