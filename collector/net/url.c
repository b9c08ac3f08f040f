/* URLs: split, never normalised. Whatever could break a request line (spaces, control characters) is refused. */
#include "collector/net/url.h"

#include <arpa/inet.h>
#include <openssl/evp.h>
#include <stdio.h>
#include <stdlib.h>
#include <strings.h>

static bool check_characters(const char *text, struct error *err)
{
    for (const char *at = text; *at != '\0'; at++)
        if ((unsigned char)*at <= ' ' || *at == 0x7f)
            return fail(err, "\"%s\" has a space or control character in it", text);
    return true;
}

/* The digits behind the colon, or the scheme's port. */
static bool parse_port(struct slice text, const char *scheme_port, struct url *url)
{
    unsigned long port = 0;

    if (text.size == 0) {
        snprintf(url->port, sizeof(url->port), "%s", scheme_port);
        return true;
    }
    for (size_t i = 0; i < text.size; i++) {
        if (text.data[i] < '0' || text.data[i] > '9' || text.size > 5)
            return false;
        port = port * 10 + (unsigned long)(text.data[i] - '0');
    }
    snprintf(url->port, sizeof(url->port), "%lu", port);
    return port >= 1 && port <= 65535;
}

/* "host", "host:port", "[v6]:port" */
static bool parse_authority(const char *text, struct slice authority, struct url *url, struct error *err)
{
    const char *start = (const char *)authority.data, *end = start + authority.size, *colon;
    const char *host = start, *host_end;
    const char *scheme_port = url->https ? "443" : "80";

    if (authority.size > 0 && *start == '[') {
        host = start + 1;
        host_end = memchr(host, ']', (size_t)(end - host));
        if (host_end == NULL)
            return fail(err, "\"%s\": the address has no closing bracket", text);
        colon = host_end + 1 < end && host_end[1] == ':' ? host_end + 1 : NULL;
        if (colon == NULL && host_end + 1 != end)
            return fail(err, "\"%s\": expected a colon and a port behind the bracket", text);
    } else {
        colon = memchr(start, ':', authority.size);
        host_end = colon != NULL ? colon : end;
    }
    if (host_end == host || (size_t)(host_end - host) >= sizeof(url->host))
        return fail(err, "\"%s\" has no host, or one that is too long", text);
    snprintf(url->host, sizeof(url->host), "%.*s", (int)(host_end - host), host);
    if (!parse_port(colon != NULL ? slice_of(colon + 1, (size_t)(end - colon - 1)) : SLICE(""), scheme_port, url))
        return fail(err, "\"%s\": the port is not a number from 1 to 65535", text);
    snprintf(url->authority, sizeof(url->authority), strchr(url->host, ':') != NULL ? "[%s]%s%s" : "%s%s%s", url->host,
        strcmp(url->port, scheme_port) == 0 ? "" : ":", strcmp(url->port, scheme_port) == 0 ? "" : url->port);
    return true;
}

bool url_parse(const char *text, struct url *url, struct error *err)
{
    const char *rest, *end, *at;

    memset(url, 0, sizeof(*url));
    if (!check_characters(text, err))
        return false;
    if (strncasecmp(text, "http://", 7) == 0) {
        rest = text + 7;
    } else if (strncasecmp(text, "https://", 8) == 0) {
        rest = text + 8;
        url->https = true;
    } else {
        return fail(err, "\"%s\" must begin with http:// or https://", text);
    }
    end = rest + strcspn(rest, "/?#");
    at = memrchr(rest, '@', (size_t)(end - rest));
    if (at != NULL) {
        url->user = slice_of(rest, (size_t)(at - rest));
        rest = at + 1;
    }
    url->target = *end == '/' ? slice_of(end, strcspn(end, "#")) : SLICE("/");
    if (*end == '?')
        return fail(err, "\"%s\": write the path before the query, as in http://host/?query", text);
    return parse_authority(text, slice_of(rest, (size_t)(end - rest)), url, err);
}

static int hex_digit(uint8_t byte)
{
    if (byte >= '0' && byte <= '9')
        return byte - '0';
    byte |= 0x20;
    return byte >= 'a' && byte <= 'f' ? byte - 'a' + 10 : -1;
}

void url_basic_credentials(struct slice user, struct buffer *out)
{
    uint8_t plain[256];
    uint8_t encoded[4 * ((sizeof(plain) + 2) / 3) + 1];
    size_t size = 0;

    for (size_t i = 0; i < user.size && size < sizeof(plain); i++) {
        uint8_t byte = user.data[i];

        if (byte == '%' && i + 2 < user.size && hex_digit(user.data[i + 1]) >= 0 && hex_digit(user.data[i + 2]) >= 0) {
            byte = (uint8_t)(hex_digit(user.data[i + 1]) << 4 | hex_digit(user.data[i + 2]));
            i += 2;
        }
        plain[size++] = byte;
    }
    buffer_append_string(out, "Basic ");
    buffer_append(out, encoded, (size_t)EVP_EncodeBlock(encoded, plain, (int)size));
}

static const char *environment(const char *upper, const char *lower)
{
    const char *value = getenv(upper);

    if (value == NULL || *value == '\0')
        value = getenv(lower);
    return value != NULL && *value != '\0' ? value : NULL;
}

static bool is_loopback(const char *host)
{
    struct in_addr v4;

    if (strcasecmp(host, "localhost") == 0 || strcmp(host, "::1") == 0)
        return true;
    return inet_pton(AF_INET, host, &v4) == 1 && (ntohl(v4.s_addr) >> 24) == 127;
}

/* One entry of NO_PROXY: "*", an address, "host", "host:port", ".domain" or "domain" (which means what is below it too). */
static bool is_exempt(const struct url *url, struct slice entry)
{
    size_t host_size = strlen(url->host);
    const uint8_t *colon = entry.size > 0 ? memrchr(entry.data, ':', entry.size) : NULL;

    if (slice_equal_string(entry, "*"))
        return true;
    if (colon != NULL && memchr(entry.data, ':', entry.size) == colon) {
        if (!slice_equal_string(slice_of(colon + 1, (size_t)(entry.data + entry.size - colon - 1)), url->port))
            return false;
        entry.size = (size_t)(colon - entry.data);
    }
    if (entry.size > 0 && entry.data[0] == '.')
        entry = slice_of(entry.data + 1, entry.size - 1);
    if (entry.size == 0 || entry.size > host_size)
        return false;
    if (!slice_equal_ignoring_case(entry, slice_of(url->host + host_size - entry.size, entry.size)))
        return false;
    return entry.size == host_size || url->host[host_size - entry.size - 1] == '.';
}

static bool is_exempt_from_proxy(const struct url *url)
{
    const char *list = environment("NO_PROXY", "no_proxy");

    while (list != NULL && *list != '\0') {
        size_t length = strcspn(list, ",");

        if (is_exempt(url, slice_trim(slice_of(list, length))))
            return true;
        list += length + (list[length] == ',');
    }
    return false;
}

const char *url_proxy(const struct url *url, const char *configured)
{
    const char *proxy;

    if (configured != NULL && *configured != '\0')
        return configured;
    proxy = url->https ? environment("HTTPS_PROXY", "https_proxy") : environment("HTTP_PROXY", "http_proxy");
    if (proxy == NULL || is_loopback(url->host) || is_exempt_from_proxy(url))
        return NULL;
    return proxy;
}
