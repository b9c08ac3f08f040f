/* HTTP proxies: connecting to one, and a tunnel through one (CONNECT). */
#ifndef WEIR_NET_PROXY_H
#define WEIR_NET_PROXY_H

#include "collector/net/stream.h"
#include "collector/net/url.h"

/* Connects to the proxy itself. */
bool proxy_connect(struct stream *stream, const char *proxy, const struct stream_limits *limits, struct error *err);

/* Asks the proxy that the stream leads to for a tunnel to the destination's host and port. */
bool proxy_tunnel(
    struct stream *stream, const char *proxy, const struct url *destination, const struct stream_limits *limits, struct error *err);

/* Appends "Proxy-Authorization: ...\r\n" when the proxy's URL names a user. */
void proxy_credentials(const char *proxy, struct buffer *out);

#endif
