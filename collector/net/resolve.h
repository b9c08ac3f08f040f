/*
 * Names to addresses, within a time limit: getaddrinfo has none, so a name that is not an address is looked up on a
 * thread of its own, which is left behind when the time is up and ends by itself.
 */
#ifndef WEIR_NET_RESOLVE_H
#define WEIR_NET_RESOLVE_H

#include <sys/socket.h>

#include "collector/net/stream.h"

enum { RESOLVED_MAX = 16 };

struct resolved_address {
    struct sockaddr_storage address;
    socklen_t size;
};

struct resolved {
    struct resolved_address items[RESOLVED_MAX];
    size_t count;
};

bool resolve(const char *host, const char *port, const struct stream_limits *limits, struct resolved *out, struct error *err);

/* Moves the addresses that share the first one's family round by `steps`, for those who share load among them. */
void resolve_rotate(struct resolved *addresses, unsigned steps);

#endif
