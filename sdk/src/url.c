/* URL parsing for endpoints: RFC 3986 as far as endpoints need it. Start-up only. */
#include "sdk/src/url.h"

#include <stdio.h>
#include <stdlib.h>

#include "sdk/src/text.h"

static bool starts_with(weir_str text, const char *prefix)
{
    size_t n = strlen(prefix);

    return text.n >= n && text_equal_ignoring_case(weir_sn(text.p, n), weir_sn(prefix, n));
}

static weir_str behind(weir_str text, size_t n)
{
    return weir_sn(text.p + n, text.n - n);
}

static char *dup_text(weir_str text)
{
    char *copy = malloc(text.n + 1);

    if (copy == NULL)
        return NULL;
    if (text.n != 0)
        memcpy(copy, text.p, text.n);
    copy[text.n] = '\0';
    return copy;
}

static bool no_control_or_space(weir_str text)
{
    for (size_t i = 0; i < text.n; i++) {
        if ((uint8_t)text.p[i] <= ' ' || text.p[i] == 0x7f)
            return false;
    }
    return true;
}

static bool valid_port(weir_str port)
{
    unsigned value = 0;

    for (size_t i = 0; i < port.n; i++) {
        if (port.p[i] < '0' || port.p[i] > '9' || i == 5)
            return false;
        value = value * 10 + (unsigned)(port.p[i] - '0');
    }
    return port.n > 0 && value >= 1 && value <= 65535;
}

/* "host", "host:port", "[::1]:port" */
static bool split_authority(weir_str authority, weir_str *host, weir_str *port)
{
    *port = weir_sn(NULL, 0);
    if (authority.n > 0 && authority.p[0] == '[') {
        const char *end = memchr(authority.p, ']', authority.n);
        if (end == NULL)
            return false;
        *host = weir_sn(authority.p + 1, (size_t)(end - authority.p) - 1);
        weir_str rest = behind(authority, host->n + 2);
        if (rest.n > 0 && rest.p[0] != ':')
            return false;
        if (rest.n > 0)
            *port = behind(rest, 1);
        return host->n > 0;
    }
    *host = text_cut(authority, ':', port);
    return host->n > 0;
}

/* "/base" and "v1/traces" make "/base/v1/traces". */
static char *join_path(weir_str path, const char *suffix)
{
    char *joined = NULL;

    if (suffix == NULL)
        return path.n != 0 ? dup_text(path) : strdup("/");
    while (path.n > 0 && path.p[path.n - 1] == '/')
        path.n--;
    if (asprintf(&joined, "%.*s/%s", (int)path.n, path.n != 0 ? path.p : "", suffix) < 0)
        return NULL;
    return joined;
}

static bool finish(struct url *url, const char **reason)
{
    int size;

    if (url->scheme == URL_UNIX || url->scheme == URL_FILE)
        size = asprintf(&url->label, "%s:%s", url->scheme == URL_UNIX ? "unix" : "file", url->host != NULL ? url->host : "");
    else
        size = asprintf(&url->label, "%s://%s%s%s:%s%s", url->scheme == URL_HTTPS ? "https" : "http",
            strchr(url->host != NULL ? url->host : "", ':') != NULL ? "[" : "", url->host != NULL ? url->host : "",
            strchr(url->host != NULL ? url->host : "", ':') != NULL ? "]" : "", url->port != NULL ? url->port : "",
            url->path != NULL ? url->path : "");
    if (size < 0)
        url->label = NULL;
    if (url->host != NULL && url->port != NULL && url->path != NULL && url->label != NULL)
        return true;
    url_fini(url);
    *reason = "out of memory";
    return false;
}

static bool refuse(struct url *url, const char **reason, const char *why)
{
    url_fini(url);
    *reason = why;
    return false;
}

static bool parse_local(struct url *url, weir_str path, const char *suffix, const char **reason)
{
    if (starts_with(path, "//"))
        path = behind(path, 2);
    if (path.n == 0 || (url->scheme == URL_FILE && path.p[0] != '/'))
        return refuse(url, reason, "it needs a path, as in unix:/run/weir.sock or file:///var/log/spans.jsonl");
    url->host = dup_text(path);
    url->port = strdup("");
    url->path = join_path(weir_sn(NULL, 0), suffix);
    return finish(url, reason);
}

bool url_parse(struct url *url, weir_str text, const char *suffix, const char **reason)
{
    weir_str host, port, path;

    memset(url, 0, sizeof(*url));
    text = text_trim(text);
    if (!no_control_or_space(text))
        return refuse(url, reason, "it has a space or a control character");
    url->scheme = starts_with(text, "unix:")      ? URL_UNIX
                  : starts_with(text, "file:")    ? URL_FILE
                  : starts_with(text, "https://") ? URL_HTTPS
                                                  : URL_HTTP;
    if (url->scheme == URL_UNIX || url->scheme == URL_FILE)
        return parse_local(url, behind(text, 5), suffix, reason);
    if (!starts_with(text, "http://") && !starts_with(text, "https://"))
        return refuse(url, reason, "it does not begin with http://, https://, unix: or file://");
    text = behind(text, url->scheme == URL_HTTPS ? 8 : 7);
    size_t end = 0;
    while (end < text.n && text.p[end] != '/' && text.p[end] != '?' && text.p[end] != '#')
        end++;
    weir_str authority = weir_sn(text.p, end);
    path = text_cut(behind(text, end), '#', &port);
    const char *at = authority.n != 0 ? memrchr(authority.p, '@', authority.n) : NULL;
    if (at != NULL)
        authority = behind(authority, (size_t)(at - authority.p) + 1);
    if (!split_authority(authority, &host, &port))
        return refuse(url, reason, "it has no host");
    if (port.n != 0 && !valid_port(port))
        return refuse(url, reason, "its port is not a number from 1 to 65535");
    url->host = dup_text(host);
    url->port = port.n != 0 ? dup_text(port) : strdup(url->scheme == URL_HTTPS ? "443" : "80");
    url->path = join_path(path, suffix);
    return finish(url, reason);
}

void url_fini(struct url *url)
{
    free(url->host);
    free(url->port);
    free(url->path);
    free(url->label);
    memset(url, 0, sizeof(*url));
}
