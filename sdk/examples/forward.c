/*
 * The service in the middle that the W3C's trace context test suite asks for: POST /test with a JSON array of { "url": ..., "arguments": ... };
 * for each element, posts `arguments` to `url` with the context that came in, as a client span. Also a complete example of
 * server, client and propagation without any HTTP library. One connection at a time; for tests only.
 *
 * usage: forward PORT
 */
#include <arpa/inet.h>
#include <netdb.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/socket.h>
#include <unistd.h>
#include <weir/weir.h>

WEIR_SCOPE(scope, "example.forward", "1.0.0");

enum { HEADERS_MAX = 128, REQUEST_MAX = 1 << 20 };

struct request {
    char *text; /* head and body, owned */
    const char *body;
    struct {
        const char *name, *value;
    } headers[HEADERS_MAX];
    size_t header_count;
};

/* ---- what arrives ---- */

static void split_headers(struct request *request, char *line)
{
    while (line != NULL && *line != '\0' && request->header_count < HEADERS_MAX) {
        char *next = strstr(line, "\r\n");
        if (next != NULL) {
            *next = '\0';
            next += 2;
        }
        char *colon = strchr(line, ':');
        if (colon != NULL) {
            *colon = '\0';
            request->headers[request->header_count].name = line;
            request->headers[request->header_count++].value = colon + 1;
        }
        line = next;
    }
}

static weir_str get_header(const void *carrier, weir_str name, size_t nth)
{
    const struct request *request = carrier;

    for (size_t i = 0; i < request->header_count; i++) {
        if (strlen(request->headers[i].name) == name.n && strncasecmp(request->headers[i].name, name.p, name.n) == 0 && nth-- == 0)
            return weir_z(request->headers[i].value);
    }
    return weir_z(NULL);
}

static size_t read_until(int fd, char *text, size_t size, const char *end)
{
    while (size < REQUEST_MAX - 1 && strstr(text, end) == NULL) {
        ssize_t got = read(fd, text + size, REQUEST_MAX - 1 - size);
        if (got <= 0)
            break;
        size += (size_t)got;
        text[size] = '\0';
    }
    return size;
}

static bool read_request(int fd, struct request *request)
{
    memset(request, 0, sizeof(*request));
    request->text = calloc(1, REQUEST_MAX);
    size_t size = request->text != NULL ? read_until(fd, request->text, 0, "\r\n\r\n") : 0;
    char *head_end = size != 0 ? strstr(request->text, "\r\n\r\n") : NULL;
    if (head_end == NULL)
        return false;
    *head_end = '\0';
    char *body = head_end + 4;
    char *line_end = strstr(request->text, "\r\n");
    split_headers(request, line_end != NULL ? line_end + 2 : NULL);
    size_t wanted = (size_t)strtoul(
        get_header(request, WEIR_S("content-length"), 0).n != 0 ? get_header(request, WEIR_S("content-length"), 0).p : "0", NULL, 10);
    while ((size_t)(request->text + size - body) < wanted && size < REQUEST_MAX - 1) {
        ssize_t got = read(fd, request->text + size, REQUEST_MAX - 1 - size);
        if (got <= 0)
            return false;
        size += (size_t)got;
    }
    request->body = body;
    return true;
}

/* ---- what is sent on ---- */

struct outgoing {
    char text[65536];
    size_t size;
};

static int set_header(void *carrier, weir_str name, weir_str value)
{
    struct outgoing *outgoing = carrier;
    int size = snprintf(outgoing->text + outgoing->size, sizeof(outgoing->text) - outgoing->size, "%.*s: %.*s\r\n", (int)name.n, name.p,
        (int)value.n, value.p);

    outgoing->size += size > 0 ? (size_t)size : 0;
    return outgoing->size < sizeof(outgoing->text) ? 0 : -1;
}

static int connect_to(const char *host, const char *port)
{
    struct addrinfo hints = { .ai_socktype = SOCK_STREAM, .ai_family = AF_INET }, *addresses;

    if (getaddrinfo(host, port, &hints, &addresses) != 0)
        return -1;
    int fd = socket(AF_INET, SOCK_STREAM, 0);
    if (fd >= 0 && connect(fd, addresses->ai_addr, addresses->ai_addrlen) != 0) {
        close(fd);
        fd = -1;
    }
    freeaddrinfo(addresses);
    return fd;
}

/* Posts the body to http://host:port/path. */
static int post(const char *url, const char *body, size_t size)
{
    static struct outgoing headers;
    char host[256], port[8] = "80", path[1024] = "/", answer[4096];

    if (sscanf(url, "http://%255[^:/]:%7[0-9]%1023s", host, port, path) < 1)
        return -1;
    WEIR_SPAN(span, scope, "POST", WEIR_CLIENT, NULL);
    WEIR_SET(&span, "url.full", url);
    headers.size = 0;
    headers.text[0] = '\0';
    weir_inject(&span.ctx, set_header, &headers);
    int fd = connect_to(host, port);
    if (fd < 0 ||
        dprintf(fd,
            "POST %s HTTP/1.1\r\nHost: %s:%s\r\nContent-Type: application/json\r\nContent-Length: %zu\r\nConnection: close\r\n%s\r\n%.*s",
            path, host, port, size, headers.text, (int)size, body) < 0)
        weir_span_status(&span, WEIR_ERROR, WEIR_S("could not send"));
    while (fd >= 0 && read(fd, answer, sizeof(answer)) > 0)
        continue;
    return fd >= 0 ? close(fd) : -1;
}

/* ---- just enough JSON for [{"url": "...", "arguments": [...]}, ...] ---- */

/* The end of the value that begins at p. */
static const char *skip_value(const char *p)
{
    int depth = 0;
    bool quoted = false;

    for (; *p != '\0'; p++) {
        if (quoted && *p == '\\' && p[1] != '\0')
            p++;
        else if (*p == '"')
            quoted = !quoted;
        else if (!quoted && (*p == '[' || *p == '{'))
            depth++;
        else if (!quoted && (*p == ']' || *p == '}') && depth-- == 0)
            break;
        else if (!quoted && depth == 0 && *p == ',')
            break;
    }
    return p;
}

static const char *value_after(const char *from, const char *end, const char *key)
{
    const char *at = memmem(from, (size_t)(end - from), key, strlen(key));

    at = at != NULL ? memchr(at, ':', (size_t)(end - at)) : NULL;
    return at != NULL ? at + 1 + strspn(at + 1, " \t\r\n") : NULL;
}

static void forward_all(const char *json)
{
    char url[2048];
    const char *p = json + strspn(json, " \t\r\n[");

    while (*p == '{') {
        const char *end = skip_value(p);
        const char *target = value_after(p, end, "\"url\""), *arguments = value_after(p, end, "\"arguments\"");
        if (target != NULL && arguments != NULL && sscanf(target, "\"%2047[^\"]", url) == 1)
            post(url, arguments, (size_t)(skip_value(arguments) - arguments));
        p = end + strspn(end, ", \t\r\n");
    }
}

static void serve(int fd)
{
    struct request request;

    if (read_request(fd, &request)) {
        weir_ctx parent;
        weir_extract(&parent, get_header, &request);
        WEIR_SPAN(span, scope, "POST /test", WEIR_SERVER, &parent);
        forward_all(request.body);
        dprintf(fd, "HTTP/1.1 200 OK\r\nContent-Length: 0\r\nConnection: close\r\n\r\n");
    }
    free(request.text);
    close(fd);
}

int main(int argc, char **argv)
{
    struct sockaddr_in address = { .sin_family = AF_INET, .sin_addr = { htonl(INADDR_LOOPBACK) } };
    int listener = socket(AF_INET, SOCK_STREAM, 0);

    address.sin_port = htons(argc > 1 ? (uint16_t)atoi(argv[1]) : 7777);
    setsockopt(listener, SOL_SOCKET, SO_REUSEADDR, &(int){ 1 }, sizeof(int));
    if (bind(listener, (struct sockaddr *)&address, sizeof(address)) != 0 || listen(listener, 16) != 0 || weir_init(NULL) != 0)
        return 1;
    for (int fd; (fd = accept(listener, NULL, NULL)) >= 0;)
        serve(fd);
    return 0;
}
