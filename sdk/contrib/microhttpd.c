/*
 * libmicrohttpd server spans: from the request's headers to its completion, with one allocation.
 * Threads: those of the daemon, any of its modes; a request is on one at a time.
 */
#include "weir/contrib/microhttpd.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <strings.h>
#include <sys/socket.h>

#include "sdk/contrib/http_method.h"

WEIR_SCOPE(scope, "weir.contrib.microhttpd", WEIR_VERSION);

struct request {
    void *user; /* the application's; first, so that its address is the request's */
    weir_span span;
    unsigned int status; /* 0: nothing was answered yet */
};

struct search {
    weir_str name, value;
    size_t nth;
};

static enum MHD_Result match(void *cls, enum MHD_ValueKind kind, const char *key, const char *value)
{
    struct search *search = (struct search *)cls;

    (void)kind;
    if (strlen(key) != search->name.n || strncasecmp(key, search->name.p, search->name.n) != 0 || search->nth-- != 0)
        return MHD_YES;
    search->value = value != NULL ? weir_z(value) : WEIR_S("");
    return MHD_NO;
}

static weir_str get_header(const void *carrier, weir_str name, size_t nth)
{
    struct search search = { .name = name, .nth = nth };

    MHD_get_connection_values((struct MHD_Connection *)carrier, MHD_HEADER_KIND, match, &search);
    return search.value;
}

/* "host", "host:port", "[address]:port" */
static void set_server(weir_span *span, weir_str host)
{
    const char *end = host.n != 0 && host.p[0] == '[' ? (const char *)memchr(host.p, ']', host.n) : NULL;
    const char *rest = end != NULL ? end + 1 : host.p;
    const char *colon = host.n != 0 ? (const char *)memchr(rest, ':', (size_t)(host.p + host.n - rest)) : NULL;

    if (host.n == 0)
        return;
    if (end != NULL)
        WEIR_SET(span, "server.address", weir_sn(host.p + 1, (size_t)(end - host.p - 1)));
    else
        WEIR_SET(span, "server.address", weir_sn(host.p, colon != NULL ? (size_t)(colon - host.p) : host.n));
    if (colon != NULL && atoi(colon + 1) > 0)
        WEIR_SET(span, "server.port", atoi(colon + 1));
}

static void set_peer(weir_span *span, struct MHD_Connection *connection)
{
    const union MHD_ConnectionInfo *info = MHD_get_connection_info(connection, MHD_CONNECTION_INFO_CLIENT_ADDRESS);
    char text[INET6_ADDRSTRLEN] = "";
    uint16_t port = 0;

    if (info == NULL || info->client_addr == NULL)
        return;
    if (info->client_addr->sa_family == AF_INET) {
        const struct sockaddr_in *address = (const struct sockaddr_in *)(const void *)info->client_addr;
        inet_ntop(AF_INET, &address->sin_addr, text, sizeof(text));
        port = ntohs(address->sin_port);
    } else if (info->client_addr->sa_family == AF_INET6) {
        const struct sockaddr_in6 *address = (const struct sockaddr_in6 *)(const void *)info->client_addr;
        inet_ntop(AF_INET6, &address->sin6_addr, text, sizeof(text));
        port = ntohs(address->sin6_port);
    }
    if (text[0] != '\0')
        weir_span_set_all(span, WEIR_ATTRS(WEIR_KV("network.peer.address", text), WEIR_KV("network.peer.port", port)));
}

static void set_request(weir_span *span, struct MHD_Connection *connection, const char *version)
{
    const union MHD_ConnectionInfo *tls = MHD_get_connection_info(connection, MHD_CONNECTION_INFO_GNUTLS_SESSION);
    weir_str agent = get_header(connection, WEIR_S("user-agent"), 0);

    WEIR_SET(span, "url.scheme", tls != NULL && tls->tls_session != NULL ? "https" : "http");
    if (strncmp(version, "HTTP/", 5) == 0)
        WEIR_SET(span, "network.protocol.version", version + 5);
    if (agent.n != 0)
        WEIR_SET(span, "user_agent.original", agent);
    set_server(span, get_header(connection, WEIR_S("host"), 0));
    set_peer(span, connection);
}

struct line {
    const char *method, *path, *version, *route; /* route NULL: unknown */
};

static void begin(struct request *request, struct MHD_Connection *connection, const struct line *line)
{
    bool known = http_method_known(line->method);
    char name[256];
    weir_ctx parent;
    weir_attr attrs[4] = { WEIR_KV("http.request.method", known ? line->method : "_OTHER"), WEIR_KV("url.path", line->path) };
    size_t count = 2;
    weir_span_opts opts = { .size = sizeof(opts), .kind = WEIR_SERVER, .parent = &parent, .no_activate = true };

    if (!known)
        attrs[count++] = WEIR_KV("http.request.method_original", line->method);
    if (line->route != NULL)
        attrs[count++] = WEIR_KV("http.route", line->route);
    opts.attrs = weir_attrs_of(attrs, count);
    snprintf(name, sizeof(name), "%s%s%s", known ? line->method : "HTTP", line->route != NULL ? " " : "",
        line->route != NULL ? line->route : "");
    weir_extract(&parent, get_header, connection);
    weir_span_begin(&request->span, &scope, weir_z(name), &opts);
    if (weir_recording(&request->span))
        set_request(&request->span, connection, line->version);
}

enum MHD_Result weir_microhttpd_handler(void *microhttpd, struct MHD_Connection *connection, const char *url, const char *method,
    const char *version, const char *upload_data, size_t *upload_data_size, void **request)
{
    const weir_microhttpd *self = (const weir_microhttpd *)microhttpd;
    struct request *current = (struct request *)*request;

    if (current == NULL) {
        const struct line line = { method, url, version, self->route != NULL ? self->route(self->user, method, url) : NULL };
        current = (struct request *)calloc(1, sizeof(*current));
        if (current == NULL)
            return MHD_NO;
        *request = current;
        begin(current, connection, &line);
    }
    weir_ctx previous = weir_ctx_attach(&current->span.ctx);
    enum MHD_Result result = self->handler(self->user, connection, url, method, version, upload_data, upload_data_size, &current->user);
    weir_ctx_detach(&previous);
    const union MHD_ConnectionInfo *info = MHD_get_connection_info(connection, MHD_CONNECTION_INFO_HTTP_STATUS);
    if (info != NULL)
        current->status = info->http_status;
    return result;
}

static void set_result(struct request *request, enum MHD_RequestTerminationCode how)
{
    char number[16];

    if (request->status != 0)
        WEIR_SET(&request->span, "http.response.status_code", request->status);
    if (request->status >= 500) {
        snprintf(number, sizeof(number), "%u", request->status);
        WEIR_SET(&request->span, "error.type", number);
        weir_span_status(&request->span, WEIR_ERROR, weir_z(NULL));
    } else if (how != MHD_REQUEST_TERMINATED_COMPLETED_OK) {
        WEIR_SET(&request->span, "error.type", how == MHD_REQUEST_TERMINATED_TIMEOUT_REACHED ? "timeout" : "aborted");
        weir_span_status(&request->span, WEIR_ERROR, WEIR_S("not answered to the end"));
    }
}

void weir_microhttpd_completed(void *microhttpd, struct MHD_Connection *connection, void **request, enum MHD_RequestTerminationCode how)
{
    const weir_microhttpd *self = (const weir_microhttpd *)microhttpd;
    struct request *current = (struct request *)*request;

    if (current == NULL)
        return;
    weir_ctx previous = weir_ctx_attach(&current->span.ctx);
    if (self->completed != NULL)
        self->completed(self->completed_user, connection, &current->user, how);
    weir_ctx_detach(&previous);
    set_result(current, how);
    weir_span_end(&current->span);
    free(current);
    *request = NULL;
}

weir_span *weir_microhttpd_span(void **request)
{
    return &((struct request *)(void *)request)->span;
}
