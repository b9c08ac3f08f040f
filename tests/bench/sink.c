/* The sink's loop, numbers and control. See sink.h. */
#include "tests/bench/sink.h"

#include <errno.h>
#include <getopt.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include <libdeflate.h>
#include <zstd.h>

enum { RECEIVE_SIZE = 1 << 18, HELD_MAX = 256 << 20 };

/* An answer that is put off; all have the same delay, so that the list is in the order of time. */
struct later {
    struct later *next;
    struct sink_connection *connection; /* NULL: it has gone */
    int32_t stream;
    enum sink_mode mode;
    int64_t due_ns;
};

struct sink {
    enum sink_mode mode;
    int64_t delay_ns;
    bool track;
    struct tracker tracker;
    int epoll;
    struct later *first, **last;
    struct sink_connection *open; /* owned; all of them */
    uint64_t records[BENCH_SIGNAL_COUNT];
    uint64_t requests, refused, broken, bytes, plain_bytes, connections;
    struct libdeflate_decompressor *inflater;
    uint8_t *plain; /* owned; reused for every compressed body */
    size_t plain_capacity;
};

struct listener {
    int fd;
    const struct sink_protocol *protocol;
};

static const char *const mode_words[] = { "ok", "unavailable", "exhausted", "reject", "partial", "hang", "close" };

static volatile sig_atomic_t stopped;

static void on_signal(int number)
{
    (void)number;
    stopped = 1;
}

static int64_t now_nanos(void)
{
    struct timespec now;

    clock_gettime(CLOCK_MONOTONIC, &now);
    return (int64_t)now.tv_sec * 1000000000 + now.tv_nsec;
}

/* ---- requests ---- */

enum sink_coding sink_coding_of(const char *name)
{
    if (name[0] == '\0' || strcasecmp(name, "identity") == 0)
        return SINK_IDENTITY;
    if (strcasecmp(name, "gzip") == 0)
        return SINK_GZIP;
    return strcasecmp(name, "zstd") == 0 ? SINK_ZSTD : SINK_UNKNOWN;
}

void sink_request_init(struct sink *sink, struct sink_request *request, const char *path)
{
    static const char *const words[] = { "/v1/traces", "/v1/metrics", "/v1/logs", "TraceService/Export", "MetricsService/Export",
        "LogsService/Export" };

    *request = (struct sink_request){ 0 };
    for (unsigned i = 0; i < sizeof(words) / sizeof(words[0]) && !request->known; i++) {
        size_t path_size = strlen(path), size = strlen(words[i]);
        request->known = path_size >= size && strcmp(path + path_size - size, words[i]) == 0;
        request->signal = (enum bench_signal)(i % BENCH_SIGNAL_COUNT);
    }
    counter_init(&request->counter, request->signal, sink->track ? &sink->tracker : NULL);
}

void sink_request_fini(struct sink_request *request)
{
    free(request->held);
    *request = (struct sink_request){ 0 };
}

static void hold(struct sink_request *request, const uint8_t *data, size_t size)
{
    if (request->held_size + size > request->held_capacity) {
        size_t capacity = (request->held_size + size) * 2;
        uint8_t *held = capacity <= HELD_MAX ? realloc(request->held, capacity) : NULL;
        if (held == NULL) {
            request->counter.broken = true;
            return;
        }
        request->held = held;
        request->held_capacity = capacity;
    }
    memcpy(request->held + request->held_size, data, size);
    request->held_size += size;
}

void sink_request_feed(struct sink_request *request, const uint8_t *data, size_t size)
{
    request->bytes += size;
    if (request->coding == SINK_IDENTITY)
        counter_feed(&request->counter, data, size);
    else
        hold(request, data, size);
}

static bool inflate_held(struct sink *sink, struct sink_request *request, size_t *plain_size)
{
    uint32_t size = 0;

    if (request->held_size < 18)
        return false;
    memcpy(&size, request->held + request->held_size - 4, sizeof(size)); /* ISIZE: the plain size */
    if (size > HELD_MAX)
        return false;
    if (size > sink->plain_capacity) {
        free(sink->plain);
        sink->plain = malloc(size);
        sink->plain_capacity = sink->plain != NULL ? size : 0;
    }
    return sink->plain != NULL && libdeflate_gzip_decompress(sink->inflater, request->held, request->held_size, sink->plain,
                                      sink->plain_capacity, plain_size) == LIBDEFLATE_SUCCESS;
}

static bool unzstd_held(struct sink_request *request)
{
    static uint8_t out_bytes[1 << 17];
    ZSTD_DStream *stream = ZSTD_createDStream();
    ZSTD_inBuffer in = { request->held, request->held_size, 0 };
    size_t left = 1;

    while (stream != NULL && in.pos < in.size && !ZSTD_isError(left)) {
        ZSTD_outBuffer out = { out_bytes, sizeof(out_bytes), 0 };
        left = ZSTD_decompressStream(stream, &out, &in);
        counter_feed(&request->counter, out_bytes, out.pos);
    }
    ZSTD_freeDStream(stream);
    return left == 0;
}

static bool expand(struct sink *sink, struct sink_request *request)
{
    size_t size = 0;

    if (request->coding == SINK_IDENTITY)
        return true;
    if (request->coding == SINK_ZSTD)
        return unzstd_held(request);
    if (request->coding != SINK_GZIP || !inflate_held(sink, request, &size))
        return false;
    counter_feed(&request->counter, sink->plain, size);
    sink->plain_bytes += size;
    return true;
}

enum sink_mode sink_request_finish(struct sink *sink, struct sink_request *request)
{
    sink->requests++;
    sink->bytes += request->bytes;
    if (sink->mode != SINK_OK && sink->mode != SINK_PARTIAL) {
        sink->refused++;
        return sink->mode;
    }
    if (!request->known || !expand(sink, request) || !counter_at_end(&request->counter)) {
        sink->broken++;
        return SINK_REJECT;
    }
    sink->records[request->signal] += request->counter.records;
    return sink->mode;
}

/* ---- control ---- */

static void write_stats(const struct sink *sink, char *out, size_t size)
{
    uint64_t total = sink->records[0] + sink->records[1] + sink->records[2];

    snprintf(out, size,
        "{\"records\": %llu, \"traces\": %llu, \"metrics\": %llu, \"logs\": %llu, \"requests\": %llu, \"refused\": %llu, \"broken\": %llu, "
        "\"bytes\": %llu, \"connections\": %llu, \"distinct\": %llu, \"doubled\": %llu, \"foreign\": %llu, \"mode\": \"%s\"}\n",
        (unsigned long long)total, (unsigned long long)sink->records[BENCH_TRACES], (unsigned long long)sink->records[BENCH_METRICS],
        (unsigned long long)sink->records[BENCH_LOGS], (unsigned long long)sink->requests, (unsigned long long)sink->refused,
        (unsigned long long)sink->broken, (unsigned long long)sink->bytes, (unsigned long long)sink->connections,
        (unsigned long long)sink->tracker.distinct, (unsigned long long)sink->tracker.doubled, (unsigned long long)sink->tracker.foreign,
        mode_words[sink->mode]);
}

static bool set_mode(struct sink *sink, const char *word)
{
    for (int i = 0; i < SINK_MODE_COUNT; i++) {
        if (strcmp(word, mode_words[i]) != 0)
            continue;
        sink->mode = (enum sink_mode)i;
        return true;
    }
    return false;
}

bool sink_control(struct sink *sink, const char *path, char *out, size_t size)
{
    bool known = strcmp(path, "/stats") == 0;

    if (strncmp(path, "/mode/", 6) == 0) {
        known = set_mode(sink, path + 6);
    } else if (strcmp(path, "/reset") == 0) {
        known = true;
        tracker_fini(&sink->tracker);
        memset(sink->records, 0, sizeof(sink->records));
        sink->requests = sink->refused = sink->broken = sink->bytes = sink->plain_bytes = 0;
    }
    write_stats(sink, out, size);
    return known;
}

/* ---- connections ---- */

static void watch(struct sink_connection *connection, bool write)
{
    struct epoll_event event = { .events = write ? EPOLLIN | EPOLLOUT : EPOLLIN, .data.ptr = connection };

    epoll_ctl(connection->sink->epoll, EPOLL_CTL_MOD, connection->fd, &event);
}

static bool keep(struct sink_connection *connection, const uint8_t *data, size_t size)
{
    if (connection->out_size + size > connection->out_capacity) {
        size_t capacity = (connection->out_size + size) * 2;
        uint8_t *out = realloc(connection->out, capacity);
        if (out == NULL)
            return false;
        connection->out = out;
        connection->out_capacity = capacity;
    }
    memcpy(connection->out + connection->out_size, data, size);
    connection->out_size += size;
    return true;
}

bool sink_write(struct sink_connection *connection, const void *data, size_t size)
{
    ssize_t n = 0;

    if (connection->out_size == 0) {
        n = send(connection->fd, data, size, MSG_NOSIGNAL | MSG_DONTWAIT);
        if (n < 0 && errno != EAGAIN)
            return false;
        n = n < 0 ? 0 : n;
        if ((size_t)n == size)
            return true;
        watch(connection, true);
    }
    return keep(connection, (const uint8_t *)data + n, size - (size_t)n);
}

static bool write_kept(struct sink_connection *connection)
{
    while (connection->out_sent < connection->out_size) {
        ssize_t n = send(connection->fd, connection->out + connection->out_sent, connection->out_size - connection->out_sent,
            MSG_NOSIGNAL | MSG_DONTWAIT);
        if (n < 0)
            return errno == EAGAIN;
        connection->out_sent += (size_t)n;
    }
    connection->out_sent = connection->out_size = 0;
    watch(connection, false);
    return true;
}

bool sink_later(struct sink_connection *connection, int32_t stream, enum sink_mode mode)
{
    struct sink *sink = connection->sink;

    if (sink->delay_ns == 0)
        return connection->protocol->answer(connection, stream, mode);
    struct later *later = calloc(1, sizeof(*later));
    if (later == NULL)
        return false;
    *later = (struct later){ NULL, connection, stream, mode, now_nanos() + sink->delay_ns };
    *sink->last = later;
    sink->last = &later->next;
    return true;
}

static void connection_destroy(struct sink_connection *connection)
{
    for (struct later *later = connection->sink->first; later != NULL; later = later->next)
        if (later->connection == connection)
            later->connection = NULL;
    connection->protocol->close(connection);
    close(connection->fd);
    *connection->place = connection->next;
    if (connection->next != NULL)
        connection->next->place = connection->place;
    free(connection->out);
    free(connection);
}

static void answer_due(struct sink *sink)
{
    int64_t now = now_nanos();

    while (sink->first != NULL && sink->first->due_ns <= now) {
        struct later *later = sink->first;
        struct sink_connection *connection = later->connection;
        sink->first = later->next;
        if (sink->first == NULL)
            sink->last = &sink->first;
        if (connection != NULL) {
            bool alive = connection->protocol->answer(connection, later->stream, later->mode);
            alive = alive && (connection->protocol->flush == NULL || connection->protocol->flush(connection));
            if (!alive)
                connection_destroy(connection);
        }
        free(later);
    }
}

static void accept_one(struct sink *sink, const struct listener *listener)
{
    int one = 1, fd = accept4(listener->fd, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC);
    if (fd < 0)
        return;
    struct sink_connection *connection = calloc(1, sizeof(*connection));
    if (connection == NULL)
        abort();

    *connection =
        (struct sink_connection){ .sink = sink, .protocol = listener->protocol, .fd = fd, .next = sink->open, .place = &sink->open };
    if (sink->open != NULL)
        sink->open->place = &connection->next;
    sink->open = connection;
    setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof(one));
    struct epoll_event event = { .events = EPOLLIN, .data.ptr = connection };
    epoll_ctl(sink->epoll, EPOLL_CTL_ADD, fd, &event);
    sink->connections++;
    if (!connection->protocol->open(connection))
        connection_destroy(connection);
}

static bool receive(struct sink_connection *connection)
{
    static uint8_t buffer[RECEIVE_SIZE];
    ssize_t n = recv(connection->fd, buffer, sizeof(buffer), MSG_DONTWAIT);

    if (n < 0)
        return errno == EAGAIN;
    return n > 0 && connection->protocol->received(connection, buffer, (size_t)n);
}

static void handle(struct sink_connection *connection, uint32_t events)
{
    bool alive = !(events & EPOLLOUT) || write_kept(connection);

    if (alive && (events & (EPOLLIN | EPOLLHUP | EPOLLERR)))
        alive = receive(connection);
    if (!alive)
        connection_destroy(connection);
}

static struct listener listen_on(struct sink *sink, const char *port, const struct sink_protocol *protocol)
{
    struct sockaddr_in address = {
        .sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK), .sin_port = htons((uint16_t)atoi(port))
    };
    struct listener listener = { socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0), protocol };
    int one = 1;

    setsockopt(listener.fd, SOL_SOCKET, SO_REUSEADDR, &one, sizeof(one));
    if (bind(listener.fd, (struct sockaddr *)&address, sizeof(address)) != 0 || listen(listener.fd, 1024) != 0) {
        fprintf(stderr, "sink: could not listen on port %s: %s\n", port, strerror(errno));
        exit(1);
    }
    struct epoll_event event = { .events = EPOLLIN, .data.ptr = NULL };
    epoll_ctl(sink->epoll, EPOLL_CTL_ADD, listener.fd, &event);
    return listener;
}

static void run(struct sink *sink, const struct listener *listeners, size_t count)
{
    struct epoll_event events[256];

    while (!stopped) {
        /* One event a connection and round, so that a connection that is destroyed has none left. */
        int n = epoll_wait(sink->epoll, events, sizeof(events) / sizeof(events[0]), sink->first != NULL ? 1 : 1000);
        for (int i = 0; i < n; i++) {
            if (events[i].data.ptr != NULL)
                handle(events[i].data.ptr, events[i].events);
        }
        for (size_t i = 0; i < count; i++)
            accept_one(sink, &listeners[i]);
        answer_due(sink);
    }
}

static void tidy(struct sink *sink)
{
    for (struct sink_connection *connection = sink->open, *next; connection != NULL; connection = next) {
        next = connection->next;
        connection_destroy(connection);
    }
    for (struct later *later = sink->first, *next; later != NULL; later = next) {
        next = later->next;
        free(later);
    }
    tracker_fini(&sink->tracker);
    libdeflate_free_decompressor(sink->inflater);
    free(sink->plain);
    close(sink->epoll);
}

static void die(void)
{
    fputs("usage: sink [--http PORT] [--grpc PORT] [--mode ok|unavailable|exhausted|reject|partial|hang|close] [--delay MS] [--track]\n",
        stderr);
    exit(2);
}

int main(int count, char **arguments)
{
    static const struct option names[] = { { "http", 1, NULL, 'h' }, { "grpc", 1, NULL, 'g' }, { "mode", 1, NULL, 'm' },
        { "delay", 1, NULL, 'd' }, { "track", 0, NULL, 't' }, { NULL, 0, NULL, 0 } };
    static struct sink sink;
    struct listener listeners[2];
    size_t listener_count = 0;
    char text[1024];

    sink.epoll = epoll_create1(EPOLL_CLOEXEC);
    sink.inflater = libdeflate_alloc_decompressor();
    sink.last = &sink.first;
    for (int letter; (letter = getopt_long(count, arguments, "", names, NULL)) != -1;) {
        if ((letter == 'h' || letter == 'g') && listener_count < 2)
            listeners[listener_count++] = listen_on(&sink, optarg, letter == 'h' ? &sink_http : &sink_grpc);
        else if (letter == 'd')
            sink.delay_ns = strtoll(optarg, NULL, 10) * 1000000;
        else if (letter == 't')
            sink.track = true;
        else if (letter != 'm' || !set_mode(&sink, optarg))
            die();
    }
    if (listener_count == 0)
        die();
    signal(SIGTERM, on_signal);
    signal(SIGINT, on_signal);
    signal(SIGPIPE, SIG_IGN);
    run(&sink, listeners, listener_count);
    write_stats(&sink, text, sizeof(text));
    fputs(text, stdout);
    tidy(&sink);
    return 0;
}
