/*
 * An HTTP/1.1 server that does as a script says, for testing clients: one thread per connection, blocking sockets, plain or TLS. It keeps
 * the last request it read. Included by one test file each.
 */
#ifndef WEIR_TESTS_SCRIPTED_SERVER_H
#define WEIR_TESTS_SCRIPTED_SERVER_H

#include <arpa/inet.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <openssl/ssl.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "collector/base/buffer.h"

struct scripted_step {
    const char *answer; /* raw bytes; NULL: none */
    bool close;         /* the connection, after the answer */
    bool reset;         /* the same, by RST */
    bool before_body;   /* answers when the head is there, and reads no body */
    int delay_ms;       /* before the answer */
    bool bytewise;      /* the answer comes byte by byte */
    bool drop_idle;     /* waits for the request, then closes without an answer (as a peer that dropped an idle connection) */
};

struct scripted_server {
    int listener;
    int port;
    SSL_CTX *tls; /* NULL: plain */
    const struct scripted_step *steps;
    size_t step_count; /* the last step repeats */
    atomic_size_t requests, connections;
    atomic_bool stopping;
    pthread_t acceptor;
    pthread_t threads[64];
    int sockets[64];
    size_t thread_count;
    pthread_mutex_t lock;
    struct buffer head, body; /* of the last request */
    char unix_path[100];
};

struct scripted_connection {
    struct scripted_server *server;
    int fd;
    SSL *ssl;
    uint8_t bytes[65536];
    size_t size, at;
};

static ssize_t scripted_read(struct scripted_connection *connection)
{
    ssize_t got = connection->ssl != NULL ? SSL_read(connection->ssl, connection->bytes, sizeof(connection->bytes))
                                          : read(connection->fd, connection->bytes, sizeof(connection->bytes));

    connection->at = 0;
    connection->size = got > 0 ? (size_t)got : 0;
    return got;
}

static bool scripted_read_head(struct scripted_connection *connection, struct buffer *head)
{
    for (;;) {
        if (connection->at == connection->size && scripted_read(connection) <= 0)
            return false;
        buffer_append_byte(head, connection->bytes[connection->at++]);
        if (head->size >= 4 && memcmp(head->data + head->size - 4, "\r\n\r\n", 4) == 0)
            return true;
    }
}

static bool scripted_read_body(struct scripted_connection *connection, const struct buffer *head, struct buffer *body)
{
    const char *length = strcasestr((const char *)head->data, "content-length:");
    size_t left = length != NULL ? strtoul(length + 15, NULL, 10) : 0;

    while (left > 0) {
        size_t take;

        if (connection->at == connection->size && scripted_read(connection) <= 0)
            return false;
        take = connection->size - connection->at < left ? connection->size - connection->at : left;
        buffer_append(body, connection->bytes + connection->at, take);
        connection->at += take;
        left -= take;
    }
    return true;
}

static void scripted_write(struct scripted_connection *connection, const char *text, size_t size)
{
    while (size > 0) {
        ssize_t written =
            connection->ssl != NULL ? SSL_write(connection->ssl, text, (int)size) : send(connection->fd, text, size, MSG_NOSIGNAL);

        if (written <= 0)
            return;
        text += written;
        size -= (size_t)written;
    }
}

static void scripted_answer(struct scripted_connection *connection, const struct scripted_step *step)
{
    if (step->delay_ms > 0)
        usleep((useconds_t)step->delay_ms * 1000);
    if (step->answer == NULL)
        return;
    if (!step->bytewise) {
        scripted_write(connection, step->answer, strlen(step->answer));
        return;
    }
    for (const char *at = step->answer; *at != '\0'; at++) {
        scripted_write(connection, at, 1);
        usleep(200);
    }
}

/* One request and its answer; false when the connection is over. */
static bool scripted_serve(struct scripted_connection *connection)
{
    struct scripted_server *server = connection->server;
    struct buffer head = { 0 }, body = { 0 };
    const struct scripted_step *step;
    bool got = scripted_read_head(connection, &head);
    size_t index;

    buffer_append_byte(&head, '\0');
    if (!got) {
        buffer_fini(&head);
        return false;
    }
    index = atomic_fetch_add(&server->requests, 1);
    step = &server->steps[index < server->step_count ? index : server->step_count - 1];
    if (!step->before_body)
        got = scripted_read_body(connection, &head, &body);
    pthread_mutex_lock(&server->lock);
    buffer_fini(&server->head);
    buffer_fini(&server->body);
    server->head = head;
    server->body = body;
    pthread_mutex_unlock(&server->lock);
    if (!got || step->drop_idle)
        return false;
    scripted_answer(connection, step);
    if (step->reset)
        setsockopt(connection->fd, SOL_SOCKET, SO_LINGER, &(struct linger){ 1, 0 }, sizeof(struct linger));
    return !step->close && !step->reset;
}

static void *scripted_run(void *context)
{
    struct scripted_connection *connection = context;

    if (connection->server->tls != NULL) {
        connection->ssl = SSL_new(connection->server->tls);
        SSL_set_fd(connection->ssl, connection->fd);
        if (SSL_accept(connection->ssl) != 1)
            goto out;
    }
    while (scripted_serve(connection))
        ;
out:
    if (connection->ssl != NULL)
        SSL_shutdown(connection->ssl);
    SSL_free(connection->ssl);
    shutdown(connection->fd, SHUT_RDWR); /* closed by scripted_stop, so that the number is not used again meanwhile */
    free(connection);
    return NULL;
}

static void *scripted_accept(void *context)
{
    struct scripted_server *server = context;

    while (server->thread_count < 64) {
        int fd = accept(server->listener, NULL, NULL);
        struct scripted_connection *connection;

        if (fd < 0 || atomic_load(&server->stopping)) {
            if (fd >= 0)
                close(fd);
            return NULL;
        }
        connection = calloc(1, sizeof(*connection));
        connection->server = server;
        connection->fd = fd;
        setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &(int){ 1 }, sizeof(int));
        atomic_fetch_add(&server->connections, 1);
        server->sockets[server->thread_count] = fd;
        pthread_create(&server->threads[server->thread_count++], NULL, scripted_run, connection);
    }
    return NULL;
}

static void scripted_begin(struct scripted_server *server, const struct scripted_step *steps, size_t count)
{
    server->steps = steps;
    server->step_count = count;
    pthread_mutex_init(&server->lock, NULL);
    pthread_create(&server->acceptor, NULL, scripted_accept, server);
}

/* The struct is zeroed, but for `tls`. */
static void scripted_start(struct scripted_server *server, const struct scripted_step *steps, size_t count)
{
    struct sockaddr_in address = { .sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
    socklen_t size = sizeof(address);

    server->listener = socket(AF_INET, SOCK_STREAM, 0);
    if (bind(server->listener, (struct sockaddr *)&address, sizeof(address)) != 0 || listen(server->listener, 64) != 0)
        abort();
    getsockname(server->listener, (struct sockaddr *)&address, &size);
    server->port = ntohs(address.sin_port);
    scripted_begin(server, steps, count);
}

static inline void scripted_start_unix(struct scripted_server *server, const char *path, const struct scripted_step *steps, size_t count)
{
    struct sockaddr_un address = { .sun_family = AF_UNIX };

    snprintf(address.sun_path, sizeof(address.sun_path), "%s", path);
    snprintf(server->unix_path, sizeof(server->unix_path), "%s", path);
    server->listener = socket(AF_UNIX, SOCK_STREAM, 0);
    if (bind(server->listener, (struct sockaddr *)&address, sizeof(address)) != 0 || listen(server->listener, 64) != 0)
        abort();
    scripted_begin(server, steps, count);
}

static void scripted_stop(struct scripted_server *server)
{
    atomic_store(&server->stopping, true);
    shutdown(server->listener, SHUT_RDWR);
    pthread_join(server->acceptor, NULL);
    for (size_t i = 0; i < server->thread_count; i++)
        shutdown(server->sockets[i], SHUT_RDWR);
    for (size_t i = 0; i < server->thread_count; i++) {
        pthread_join(server->threads[i], NULL);
        close(server->sockets[i]);
    }
    close(server->listener);
    if (server->unix_path[0] != '\0')
        unlink(server->unix_path);
    buffer_fini(&server->head);
    buffer_fini(&server->body);
    pthread_mutex_destroy(&server->lock);
}

static inline bool scripted_head_has(struct scripted_server *server, const char *text)
{
    bool found;

    pthread_mutex_lock(&server->lock);
    found = server->head.data != NULL && strstr((const char *)server->head.data, text) != NULL;
    pthread_mutex_unlock(&server->lock);
    return found;
}

#endif
