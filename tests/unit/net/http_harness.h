/* A server whose paths say how they answer, and a blocking client for its tests. Include after cmocka. */
#ifndef WEIR_TESTS_UNIT_NET_HTTP_HARNESS_H
#define WEIR_TESTS_UNIT_NET_HTTP_HARNESS_H

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <pthread.h>
#include <semaphore.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <unistd.h>

/* ---- the server ---- */

enum { THREADS_MAX = 512 };

struct harness {
    struct http_server *server;
    atomic_size_t room; /* what admission lets in */
    atomic_int served, faults;
    pthread_mutex_t lock;
    char fault[64]; /* the last reason */
    struct http_exchange *held;
    sem_t holding;
    pthread_t threads[THREADS_MAX];
    size_t thread_count;
};

static struct harness harness;

static bool harness_admit(void *context, size_t bytes)
{
    (void)context;
    return bytes <= atomic_load(&harness.room);
}

static void harness_fault(void *context, const char *peer, const char *reason)
{
    (void)context;
    (void)peer;
    pthread_mutex_lock(&harness.lock);
    snprintf(harness.fault, sizeof(harness.fault), "%s", reason);
    pthread_mutex_unlock(&harness.lock);
    atomic_fetch_add(&harness.faults, 1);
}

/* Waits until the fault has been told. */
static inline void expect_fault(const char *reason)
{
    for (;;) {
        bool same;

        pthread_mutex_lock(&harness.lock);
        same = strcmp(harness.fault, reason) == 0;
        if (same)
            harness.fault[0] = '\0';
        pthread_mutex_unlock(&harness.lock);
        if (same)
            return;
        usleep(1000);
    }
}

static void harness_echo(struct http_exchange *exchange)
{
    static const struct http_header trailer = { SLICE_INIT("x-trailer"), SLICE_INIT("end") };
    const struct http_request *request = http_exchange_request(exchange);
    struct payload *body = http_exchange_take_body(exchange);
    struct http_header headers[2] = { { SLICE_INIT("x-method"), request->method }, { SLICE_INIT("x-query"), request->query } };
    struct http_response response = { .status = 200, .headers = headers, .header_count = 2 };

    if (body != NULL)
        response.body = payload_slice(body);
    if (slice_equal_string(request->path, "/trailers")) {
        response.trailers = &trailer;
        response.trailer_count = 1;
    }
    http_reply(exchange, &response);
    payload_unref(body);
}

static void *harness_echo_on_thread(void *argument)
{
    usleep(1000);
    harness_echo(argument);
    return NULL;
}

static void harness_big(struct http_exchange *exchange)
{
    size_t size = 8 * 1024 * 1024;
    uint8_t *body = calloc(1, size);

    http_reply(exchange, &(struct http_response){ .status = 200, .body = slice_of(body, size) });
    free(body);
}

static bool harness_head(void *context, struct http_exchange *exchange)
{
    (void)context;
    if (!slice_equal_string(http_exchange_request(exchange)->path, "/refused"))
        return true;
    http_reply(exchange, &(struct http_response){ .status = 401 });
    return false;
}

static void harness_serve(void *context, struct http_exchange *exchange)
{
    struct slice path = http_exchange_request(exchange)->path;

    (void)context;
    atomic_fetch_add(&harness.served, 1);
    if (slice_equal_string(path, "/hold")) {
        harness.held = exchange;
        sem_post(&harness.holding);
    } else if (slice_equal_string(path, "/later") && harness.thread_count < THREADS_MAX) {
        pthread_create(&harness.threads[harness.thread_count++], NULL, harness_echo_on_thread, exchange);
    } else if (slice_equal_string(path, "/big")) {
        harness_big(exchange);
    } else {
        harness_echo(exchange);
    }
}

static inline struct http_server_settings harness_settings(void)
{
    return (
        struct http_server_settings){ .endpoint = "127.0.0.1:0", .max_body = 1024 * 1024, .codings = ~0u, .max_header_bytes = 16 * 1024 };
}

static const struct http_service harness_service = {
    .admission = { harness_admit, NULL },
    .head = harness_head,
    .serve = harness_serve,
    .fault = harness_fault,
};

static inline void harness_start(const struct http_server_settings *settings)
{
    struct error err = { 0 };

    memset(&harness, 0, sizeof(harness));
    pthread_mutex_init(&harness.lock, NULL);
    sem_init(&harness.holding, 0, 0);
    atomic_store(&harness.room, SIZE_MAX);
    harness.server = http_server_start(settings, &harness_service, &err);
    if (harness.server == NULL)
        fail_msg("%s", err.message);
}

static inline void harness_stop(void)
{
    http_server_stop(harness.server, 5000000000);
    for (size_t i = 0; i < harness.thread_count; i++)
        pthread_join(harness.threads[i], NULL);
    sem_destroy(&harness.holding);
    assert_int_equal(payload_bytes_in_flight(), 0);
}

/* ---- the client ---- */

static inline int connect_to(int port)
{
    struct sockaddr_in address = { .sin_family = AF_INET, .sin_port = htons((uint16_t)port), .sin_addr = { htonl(INADDR_LOOPBACK) } };
    struct timeval limit = { .tv_sec = 20 };
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

    assert_true(fd >= 0);
    setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &(int){ 1 }, sizeof(int));
    setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &limit, sizeof(limit));
    assert_int_equal(connect(fd, (struct sockaddr *)&address, sizeof(address)), 0);
    return fd;
}

static inline int connect_to_harness(void)
{
    return connect_to(http_server_port(harness.server));
}

/* What the peer no longer takes is left unsent. */
static inline void send_bytes(int fd, const void *bytes, size_t size)
{
    for (size_t sent = 0; sent < size;) {
        ssize_t count = send(fd, (const char *)bytes + sent, size - sent, MSG_NOSIGNAL);

        if (count <= 0)
            return;
        sent += (size_t)count;
    }
}

static inline void send_text(int fd, const char *text)
{
    send_bytes(fd, text, strlen(text));
}

struct answer {
    int status;
    char head[4096];
    struct buffer body;
};

static inline void read_head_of(int fd, struct answer *answer)
{
    size_t size = 0;

    while (size < 4 || memcmp(answer->head + size - 4, "\r\n\r\n", 4) != 0) {
        assert_true(size < sizeof(answer->head) - 1);
        if (recv(fd, answer->head + size, 1, 0) != 1) {
            answer->status = 0;
            return;
        }
        size++;
    }
    answer->head[size] = '\0';
    assert_int_equal(sscanf(answer->head, "HTTP/1.1 %d", &answer->status), 1);
}

/* One answer; status 0: the connection ended instead. */
static inline int read_answer(int fd, struct answer *answer)
{
    const char *length;
    size_t size;

    memset(answer, 0, sizeof(*answer));
    read_head_of(fd, answer);
    length = answer->status != 0 ? strstr(answer->head, "Content-Length: ") : NULL;
    size = length != NULL ? strtoul(length + 16, NULL, 10) : 0;
    buffer_reserve(&answer->body, size + 1);
    while (answer->body.size < size) {
        ssize_t count = recv(fd, answer->body.data + answer->body.size, size - answer->body.size, 0);

        assert_true(count > 0);
        answer->body.size += (size_t)count;
    }
    return answer->status;
}

/* One answer of that status; its body is dropped. */
static inline void expect_status(int fd, int status)
{
    struct answer answer;

    assert_int_equal(read_answer(fd, &answer), status);
    buffer_fini(&answer.body);
}

static inline void expect_end(int fd)
{
    char byte;
    ssize_t count = recv(fd, &byte, 1, 0);

    assert_true(count == 0 || (count < 0 && errno == ECONNRESET));
    close(fd);
}

#endif
