/*
 * The other side of the elasticsearch bench: takes _bulk requests over HTTP/1.1, counts their lines, and answers at once that all of the documents
 * are stored. GET /stats says what came. Cost: one pass over a body for its line breaks, and inflating when it is gzip.
 * Threads: one for each connection, which reads, counts and answers; the sums are atomic.
 *
 * usage: bulk_sink PORT
 */
#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/socket.h>
#include <unistd.h>

#include <libdeflate.h>

enum { HEAD_MAX = 64 << 10, BODY_MAX = 256 << 20 };

static atomic_ullong requests, documents, bytes;

/* One client, and memory that grows to its largest request. */
struct client {
    int fd;
    char head[HEAD_MAX + 1];
    size_t buffered, head_size; /* in head: what was read, what of it is the request's head */
    uint8_t *body, *plain;      /* owned */
    size_t body_capacity, plain_capacity;
    char *answer; /* owned */
    size_t answer_capacity;
    struct libdeflate_decompressor *inflater; /* owned */
};

static void *room(void *memory, size_t *capacity, size_t size)
{
    if (size <= *capacity)
        return memory;
    memory = realloc(memory, size * 2);
    if (memory == NULL)
        abort();
    *capacity = size * 2;
    return memory;
}

/* False: the client has gone. */
static bool read_head(struct client *client)
{
    for (;;) {
        char *end;
        ssize_t got;

        client->head[client->buffered] = '\0';
        end = strstr(client->head, "\r\n\r\n");
        if (end != NULL) {
            client->head_size = (size_t)(end - client->head) + 4;
            return true;
        }
        if (client->buffered == HEAD_MAX)
            return false;
        got = recv(client->fd, client->head + client->buffered, HEAD_MAX - client->buffered, 0);
        if (got <= 0)
            return false;
        client->buffered += (size_t)got;
    }
}

/* The value of a header, or NULL. */
static const char *find_header(const struct client *client, const char *name)
{
    size_t length = strlen(name);

    for (const char *line = strstr(client->head, "\r\n"); line != NULL && line < client->head + client->head_size - 4;
         line = strstr(line, "\r\n")) {
        line += 2;
        if (strncasecmp(line, name, length) == 0 && line[length] == ':')
            return line + length + 1 + strspn(line + length + 1, " ");
    }
    return NULL;
}

/* What followed the head is the body's beginning, and what follows the body the next head's. */
static bool read_body(struct client *client, size_t size)
{
    size_t at = client->buffered - client->head_size;

    at = at < size ? at : size;
    client->body = room(client->body, &client->body_capacity, size);
    memcpy(client->body, client->head + client->head_size, at);
    client->buffered -= client->head_size + at;
    memmove(client->head, client->head + client->head_size + at, client->buffered);
    while (at < size) {
        ssize_t got = recv(client->fd, client->body + at, size - at, MSG_WAITALL);

        if (got <= 0)
            return false;
        at += (size_t)got;
    }
    return true;
}

/* Branch-free, so that the compiler makes it wide. */
static size_t count_lines(const uint8_t *data, size_t size)
{
    size_t count = 0;

    while (size > 0) {
        size_t part = size < 255 ? size : 255;
        uint8_t found = 0;

        for (size_t i = 0; i < part; i++)
            found = (uint8_t)(found + (data[i] == '\n'));
        count += found;
        data += part;
        size -= part;
    }
    return count;
}

/* 0 as well when it is no gzip. */
static size_t count_gzip_lines(struct client *client, size_t size)
{
    uint32_t plain_size;
    size_t got = 0;

    if (size < 18)
        return 0;
    memcpy(&plain_size, client->body + size - sizeof(plain_size), sizeof(plain_size)); /* its last four bytes */
    if (plain_size > BODY_MAX)
        return 0;
    client->plain = room(client->plain, &client->plain_capacity, plain_size);
    if (libdeflate_gzip_decompress(client->inflater, client->body, size, client->plain, plain_size, &got) != LIBDEFLATE_SUCCESS)
        return 0;
    return count_lines(client->plain, got);
}

/* ---- answers ---- */

static bool send_all(int fd, const char *data, size_t size)
{
    while (size > 0) {
        ssize_t sent = send(fd, data, size, MSG_NOSIGNAL);

        if (sent < 0)
            return false;
        data += sent;
        size -= (size_t)sent;
    }
    return true;
}

static bool answer_results(struct client *client, size_t count)
{
    static const char lead[] = "{\"errors\":false,\"items\":[", one[] = "{\"create\":{\"status\":201}},", tail[] = "]}";
    size_t size = sizeof(lead) - 1 + count * (sizeof(one) - 1) - (count > 0) + sizeof(tail) - 1;
    char *at;

    client->answer = room(client->answer, &client->answer_capacity, size + 256);
    at = client->answer +
         snprintf(client->answer, 256,
             "HTTP/1.1 200 OK\r\nX-Elastic-Product: Elasticsearch\r\nContent-Type: application/json\r\nContent-Length: %zu\r\n\r\n%s", size,
             lead);
    for (size_t i = 0; i < count; i++, at += sizeof(one) - 1)
        memcpy(at, one, sizeof(one) - 1);
    at -= count > 0; /* the last comma */
    memcpy(at, tail, sizeof(tail) - 1);
    return send_all(client->fd, client->answer, (size_t)(at - client->answer) + sizeof(tail) - 1);
}

static bool answer_stats(const struct client *client)
{
    char body[200], text[400];
    int size = snprintf(body, sizeof(body), "{\"records\": %llu, \"requests\": %llu, \"bytes\": %llu}\n", atomic_load(&documents),
        atomic_load(&requests), atomic_load(&bytes));
    int total =
        snprintf(text, sizeof(text), "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: %d\r\n\r\n%s", size, body);

    return send_all(client->fd, text, (size_t)total);
}

/* ---- clients ---- */

static bool serve_one(struct client *client)
{
    const char *length, *coding;
    bool wants_stats, gzip;
    size_t size, count;

    if (!read_head(client))
        return false;
    length = find_header(client, "content-length");
    coding = find_header(client, "content-encoding");
    wants_stats = strncmp(client->head, "GET /stats", 10) == 0;
    gzip = coding != NULL && strncmp(coding, "gzip", 4) == 0;
    size = length != NULL ? strtoul(length, NULL, 10) : 0;
    if (size > BODY_MAX || !read_body(client, size))
        return false;
    if (wants_stats)
        return answer_stats(client);
    count = (gzip ? count_gzip_lines(client, size) : count_lines(client->body, size)) / 2;
    atomic_fetch_add(&requests, 1);
    atomic_fetch_add(&documents, count);
    atomic_fetch_add(&bytes, size);
    return answer_results(client, count);
}

static void client_destroy(struct client *client)
{
    close(client->fd);
    libdeflate_free_decompressor(client->inflater);
    free(client->body);
    free(client->plain);
    free(client->answer);
    free(client);
}

static void *serve(void *context)
{
    struct client *client = context;

    while (serve_one(client))
        continue;
    client_destroy(client);
    return NULL;
}

static void start_client(int fd)
{
    struct client *client = calloc(1, sizeof(*client));
    int one = 1;
    pthread_t thread;

    if (client == NULL)
        abort();
    client->fd = fd;
    client->inflater = libdeflate_alloc_decompressor();
    setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof(one));
    if (client->inflater == NULL || pthread_create(&thread, NULL, serve, client) != 0)
        client_destroy(client);
    else
        pthread_detach(thread);
}

int main(int argc, char **argv)
{
    struct sockaddr_in address = { .sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
    int listener = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0), one = 1;

    if (argc != 2) {
        fputs("usage: bulk_sink PORT\n", stderr);
        return 2;
    }
    address.sin_port = htons((uint16_t)atoi(argv[1]));
    setsockopt(listener, SOL_SOCKET, SO_REUSEADDR, &one, sizeof(one));
    if (bind(listener, (struct sockaddr *)&address, sizeof(address)) != 0 || listen(listener, 128) != 0) {
        fprintf(stderr, "bulk_sink: could not listen on port %s: %s\n", argv[1], strerror(errno));
        return 1;
    }
    for (;;) {
        int fd = accept4(listener, NULL, NULL, SOCK_CLOEXEC);

        if (fd >= 0)
            start_client(fd);
    }
}
