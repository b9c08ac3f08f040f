/* http and https URLs, and the proxies that the environment names for them. I/O-free but for getenv. */
#ifndef WEIR_NET_URL_H
#define WEIR_NET_URL_H

#include "collector/base/buffer.h"
#include "collector/base/error.h"

struct url {
    bool https;
    char host[256];      /* without brackets */
    char port[8];        /* the scheme's own when none is written */
    char authority[272]; /* for Host: host and, unless it is the scheme's own, port */
    struct slice user;   /* "name:password", percent-encoded; borrowed from the text. Empty: none */
    struct slice target; /* path and query, borrowed from the text; "/" when there is none */
};

/* A wrong URL is an error that says what is wrong with it. */
bool url_parse(const char *text, struct url *url, struct error *err);

/* Appends "Basic ..." for a URL's user. */
void url_basic_credentials(struct slice user, struct buffer *out);

/*
 * The proxy for this URL: `configured`, or what HTTPS_PROXY, HTTP_PROXY and NO_PROXY (also in lower case) say; NULL for none.
 * Loopback addresses and "localhost" go past the environment's proxy. Borrowed from the argument or the environment.
 */
const char *url_proxy(const struct url *url, const char *configured);

#endif
