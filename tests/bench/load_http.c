/* OTLP over HTTP/1.1: one request, one answer, on a connection that is kept. */
#include "tests/bench/load.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/socket.h>

static bool http_open(struct load_connection *connection)
{
    connection->answer_size = 0;
    return true;
}

static void http_close(struct load_connection *connection)
{
    (void)connection;
}

static bool http_writable(struct load_connection *connection)
{
    size_t total = connection->head_size + connection->body->size;

    while (connection->sent < total) {
        struct iovec parts[2];
        size_t count = 0;
        size_t in_body = connection->sent > connection->head_size ? connection->sent - connection->head_size : 0;

        if (connection->sent < connection->head_size)
            parts[count++] = (struct iovec){ connection->head + connection->sent, connection->head_size - connection->sent };
        parts[count++] = (struct iovec){ connection->body->data + in_body, connection->body->size - in_body };
        struct msghdr message = { .msg_iov = parts, .msg_iovlen = count };
        ssize_t n = sendmsg(connection->fd, &message, MSG_NOSIGNAL | MSG_DONTWAIT);
        if (n < 0 && errno == EAGAIN) {
            load_watch(connection, true);
            return true;
        }
        if (n < 0)
            return false;
        connection->sent += (size_t)n;
    }
    load_watch(connection, false);
    return true;
}

static bool http_send(struct load_connection *connection)
{
    const struct load_options *options = connection->options;
    int size = snprintf(connection->head, sizeof(connection->head),
        "POST %s HTTP/1.1\r\nHost: %s:%s\r\nContent-Type: application/x-protobuf\r\n%sContent-Length: %zu\r\n\r\n", options->path,
        options->host, options->port, options->shape.gzip ? "Content-Encoding: gzip\r\n" : "", connection->body->size);

    if (size < 0 || (size_t)size >= sizeof(connection->head))
        return false;
    connection->head_size = (size_t)size;
    connection->sent = 0;
    connection->answer_size = 0;
    return http_writable(connection);
}

static enum load_answer answer_of_status(int status)
{
    if (status >= 200 && status < 300)
        return ANSWER_ACCEPTED;
    return status == 429 || status == 502 || status == 503 || status == 504 ? ANSWER_REFUSED : ANSWER_REJECTED;
}

/* Reads the answer's head when it is whole: 1 done, 0 more is needed, -1 not understood. */
static int read_head(struct load_connection *connection, int *status)
{
    connection->answer[connection->answer_size] = '\0';
    char *end = strstr(connection->answer, "\r\n\r\n");
    if (end == NULL)
        return connection->answer_size < sizeof(connection->answer) - 1 ? 0 : -1;
    if (sscanf(connection->answer, "HTTP/1.%*c %d", status) != 1)
        return -1;
    const char *length = strcasestr(connection->answer, "\r\ncontent-length:");
    size_t body = length != NULL && length < end ? strtoul(length + 17, NULL, 10) : 0;
    size_t here = connection->answer_size - (size_t)(end + 4 - connection->answer);
    if (here > body)
        return -1;
    connection->answer_missing = body - here;
    return 1;
}

static bool http_readable(struct load_connection *connection)
{
    int status = 0;

    for (;;) {
        size_t room = sizeof(connection->answer) - 1 - connection->answer_size;
        ssize_t n = recv(connection->fd, connection->answer + connection->answer_size, room, MSG_DONTWAIT);
        if (n < 0 && errno == EAGAIN)
            return true;
        if (n <= 0 || connection->state != CONNECTION_BUSY)
            return false;
        connection->answer_size += (size_t)n;
        int head = read_head(connection, &status);
        if (head < 0 || (head > 0 && connection->answer_missing >= room - (size_t)n))
            return false;
        if (head > 0 && connection->answer_missing == 0)
            break;
    }
    bool whole = connection->sent == connection->head_size + connection->body->size;
    bool closes = strcasestr(connection->answer, "\r\nconnection: close") != NULL;
    load_answered(connection, answer_of_status(status));
    return whole && !closes;
}

const struct load_protocol load_http = {
    .open = http_open,
    .send = http_send,
    .readable = http_readable,
    .writable = http_writable,
    .close = http_close,
};
