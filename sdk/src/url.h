/* Where an exporter sends: http://host:port/path, https://, unix:/path/of/socket, file:///path. I/O-free. */
#ifndef WEIR_SDK_URL_H
#define WEIR_SDK_URL_H

#include "sdk/include/weir/value.h"

enum url_scheme { URL_HTTP, URL_HTTPS, URL_UNIX, URL_FILE };

struct url {
    enum url_scheme scheme;
    char *host;  /* owned; without brackets; the path of a socket or file */
    char *port;  /* owned; digits */
    char *path;  /* owned; begins with '/'; what is asked for, query included */
    char *label; /* owned; the address as a person would write it, for messages; without user information */
};

/*
 * Parses `text`. `suffix` ("v1/traces") is appended to the path, NULL: the path is used as it is. False when it is no such
 * address or memory is out; then *url is zeroed and *reason says why in static text.
 */
bool url_parse(struct url *url, weir_str text, const char *suffix, const char **reason);
void url_fini(struct url *url);

#endif
