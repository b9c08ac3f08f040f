/* Listening sockets: TCP, UDP and unix, from endpoints as the configuration writes them. */
#ifndef WEIR_NET_SOCKET_H
#define WEIR_NET_SOCKET_H

#include <sys/socket.h>

#include "collector/base/error.h"
#include "collector/base/slice.h"

struct socket_endpoint {
    char host[256]; /* empty: every address of this machine */
    char port[32];  /* a number or a service's name */
};

/* "localhost:4318", "[::1]:4318", ":4318". false with the error when there is no port, or the brackets do not fit. */
bool socket_parse_endpoint(const char *text, struct socket_endpoint *out, struct error *err);

/*
 * A listening socket that does not block, or -1 with the error. What it accepts inherits TCP_NODELAY (replies are written whole) and
 * keepalive, by which a peer that vanished is noticed within some two minutes.
 */
int socket_listen_tcp(const char *endpoint, struct error *err);
/* A path, or "@name" in the abstract namespace. A socket file that nobody listens on any more is replaced; one in use is an error. */
int socket_listen_unix(const char *path, struct error *err);
/* The same for datagrams: sockets that are bound, and receive. */
int socket_bind_udp(const char *endpoint, struct error *err);
int socket_bind_unix_datagrams(const char *path, struct error *err);
/* Closes it, and removes the socket file of a unix path (NULL: TCP). */
void socket_close_listener(int fd, const char *unix_path);

/* The port that is bound; 0 for unix sockets. */
int socket_port(int fd);

/* "127.0.0.1:52114", "[::1]:52114", "unix". */
#define SOCKET_PEER_SIZE 56
void socket_format_peer(const struct sockaddr *address, char out[SOCKET_PEER_SIZE]);

#endif
