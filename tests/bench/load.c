/*
 * The load generator: sends made-up telemetry to an OTLP server, flat out or at a rate, and prints what was answered
 * as one JSON object. Bodies are made before the clock starts, so that sending costs a system call and no copy.
 *
 * One thread, one epoll; a connection has one request under way.
 */
#include "tests/bench/load.h"

#include <errno.h>
#include <fcntl.h>
#include <getopt.h>
#include <netdb.h>
#include <netinet/tcp.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include <libdeflate.h>

enum { LATENCY_BUCKETS = 64 * 16, RETRY_AFTER_NS = 20000000, CONNECT_AFTER_NS = 50000000, DRAIN_SECONDS = 20 };

struct load {
    struct load_options options;
    const struct load_protocol *protocol;
    struct body *bodies;                 /* owned */
    struct load_connection *connections; /* owned */
    struct addrinfo *address;            /* owned */
    int epoll;
    size_t next_body;
    uint64_t next_stamp;
    int64_t started_ns, now_ns;
    uint64_t started;                                 /* requests that were begun, repetitions left out */
    uint64_t sent, accepted, refused, rejected, lost; /* records */
    uint64_t requests, resets;
    uint64_t latency[LATENCY_BUCKETS]; /* sixteen steps for each power of two microseconds */
    int64_t latency_max_ns;
};

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

const char *load_signal_word(enum bench_signal signal)
{
    static const char *const words[] = { "traces", "metrics", "logs" };

    return words[signal];
}

void load_watch(struct load_connection *connection, bool write)
{
    struct epoll_event event = { .events = write ? EPOLLIN | EPOLLOUT : EPOLLIN, .data.ptr = connection };

    if (connection->wants_write == write)
        return;
    connection->wants_write = write;
    epoll_ctl(connection->load->epoll, EPOLL_CTL_MOD, connection->fd, &event);
}

static size_t latency_bucket(int64_t nanos)
{
    uint64_t micros16 = (uint64_t)nanos / 1000 * 16 + 16;
    unsigned power = 63 - (unsigned)__builtin_clzll(micros16);
    size_t bucket = (power - 4) * 16 + (size_t)(micros16 >> (power - 4) & 15);

    return bucket < LATENCY_BUCKETS ? bucket : LATENCY_BUCKETS - 1;
}

static double bucket_millis(size_t bucket)
{
    return (double)(16 + bucket % 16) / 16 * (double)(UINT64_C(1) << (bucket / 16)) / 1000;
}

static double percentile_millis(const struct load *load, double part)
{
    uint64_t wanted = (uint64_t)((double)load->requests * part), seen = 0;

    for (size_t i = 0; i < LATENCY_BUCKETS; i++) {
        seen += load->latency[i];
        if (seen > wanted)
            return bucket_millis(i);
    }
    return (double)load->latency_max_ns / 1e6;
}

void load_answered(struct load_connection *connection, enum load_answer answer)
{
    struct load *load = connection->load;
    int64_t took = now_nanos() - connection->started_ns;
    uint64_t *counters[] = { &load->accepted, &load->refused, &load->rejected, &load->lost };

    connection->state = CONNECTION_IDLE;
    *counters[answer] += connection->body->records;
    load->requests++;
    load->latency[latency_bucket(took)]++;
    if (took > load->latency_max_ns)
        load->latency_max_ns = took;
    if (answer == ANSWER_REFUSED || answer == ANSWER_LOST) {
        connection->again = load->options.retry;
        connection->not_before_ns = load->now_ns + RETRY_AFTER_NS;
    }
}

static void disconnect(struct load_connection *connection)
{
    struct load *load = connection->load;

    if (connection->state == CONNECTION_CLOSED)
        return;
    if (connection->state == CONNECTION_BUSY) {
        load->resets++;
        load_answered(connection, ANSWER_LOST);
    }
    load->protocol->close(connection);
    close(connection->fd);
    connection->state = CONNECTION_CLOSED;
    connection->wants_write = false;
}

static void connect_failed(struct load_connection *connection)
{
    disconnect(connection);
    connection->not_before_ns = connection->load->now_ns + CONNECT_AFTER_NS;
}

static void start_connecting(struct load_connection *connection)
{
    struct load *load = connection->load;
    struct epoll_event event = { .events = EPOLLIN | EPOLLOUT, .data.ptr = connection };
    int one = 1;

    connection->fd = socket(load->address->ai_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    if (connection->fd < 0)
        return;
    setsockopt(connection->fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof(one));
    connection->state = CONNECTION_CONNECTING;
    connection->wants_write = true;
    epoll_ctl(load->epoll, EPOLL_CTL_ADD, connection->fd, &event);
    if (connect(connection->fd, load->address->ai_addr, load->address->ai_addrlen) != 0 && errno != EINPROGRESS)
        connect_failed(connection);
}

static void finish_connecting(struct load_connection *connection)
{
    int error = 0;
    socklen_t size = sizeof(error);

    getsockopt(connection->fd, SOL_SOCKET, SO_ERROR, &error, &size);
    if (error != 0 || !connection->load->protocol->open(connection)) {
        connect_failed(connection);
        return;
    }
    connection->state = CONNECTION_IDLE;
    load_watch(connection, false);
}

static void handle_events(struct load_connection *connection, uint32_t events)
{
    const struct load_protocol *protocol = connection->load->protocol;

    if (connection->state == CONNECTION_CLOSED)
        return;
    if (connection->state == CONNECTION_CONNECTING) {
        finish_connecting(connection);
        return;
    }
    bool alive = !(events & EPOLLOUT) || protocol->writable(connection);
    if (alive && (events & (EPOLLIN | EPOLLHUP | EPOLLERR)))
        alive = protocol->readable(connection);
    if (!alive)
        disconnect(connection);
}

static void take_body(struct load_connection *connection)
{
    struct load *load = connection->load;

    load->started++;
    if (!load->options.stamp && load->options.trace_spans == 0) {
        connection->body = &load->bodies[load->next_body++ % load->options.bodies];
        return;
    }
    if (connection->own.data == NULL)
        body_dup(&connection->own, &load->bodies[load->next_body++ % load->options.bodies]);
    connection->body = &connection->own;
    if (load->options.trace_spans > 0)
        body_trace(connection->body, load->next_stamp, load->options.trace_spans);
    else
        body_stamp(connection->body, load->next_stamp);
    load->next_stamp += connection->body->records;
}

static void start_request(struct load_connection *connection)
{
    struct load *load = connection->load;

    if (!connection->again)
        take_body(connection);
    connection->again = false;
    connection->state = CONNECTION_BUSY;
    connection->started_ns = now_nanos();
    load->sent += connection->body->records;
    if (!load->protocol->send(connection))
        disconnect(connection);
}

/* How many new requests may have been begun by now. */
static uint64_t requests_due(const struct load *load)
{
    const struct load_options *options = &load->options;
    double seconds = (double)(load->now_ns - load->started_ns) / 1e9;
    uint64_t due = UINT64_MAX;

    if (stopped || (options->duration > 0 && seconds >= options->duration))
        return 0;
    if (options->rate > 0)
        due = (uint64_t)(seconds * options->rate / (double)options->shape.records) + 1;
    uint64_t most = options->count / options->shape.records;
    return options->count > 0 && due > most ? most : due;
}

/* Is there anything left to begin or to wait for? */
static bool over(const struct load *load, uint64_t due)
{
    const struct load_options *options = &load->options;
    bool no_more = stopped || due == 0 || (options->count > 0 && load->started >= options->count / options->shape.records);

    for (size_t i = 0; i < options->connections && no_more; i++)
        no_more = load->connections[i].state != CONNECTION_BUSY && (!load->connections[i].again || stopped);
    return no_more;
}

static void drive_connections(struct load *load, uint64_t due)
{
    for (size_t i = 0; i < load->options.connections; i++) {
        struct load_connection *connection = &load->connections[i];
        if (load->now_ns < connection->not_before_ns)
            continue;
        if (connection->state == CONNECTION_CLOSED && !stopped)
            start_connecting(connection);
        if (connection->state == CONNECTION_IDLE && (connection->again || load->started < due))
            start_request(connection);
    }
}

static void run(struct load *load)
{
    struct epoll_event events[64];
    int64_t give_up_ns = 0;

    load->started_ns = now_nanos();
    for (;;) {
        load->now_ns = now_nanos();
        uint64_t due = requests_due(load);
        if (over(load, due))
            return;
        if (due == 0 && give_up_ns == 0)
            give_up_ns = load->now_ns + (int64_t)(stopped ? 1 : DRAIN_SECONDS) * 1000000000;
        if (give_up_ns != 0 && load->now_ns > give_up_ns)
            return;
        drive_connections(load, due);
        int n = epoll_wait(load->epoll, events, sizeof(events) / sizeof(events[0]), load->options.rate > 0 ? 1 : 10);
        for (int i = 0; i < n; i++)
            handle_events(events[i].data.ptr, events[i].events);
    }
}

static void report(const struct load *load, double seconds)
{
    printf("{\"sent\": %llu, \"accepted\": %llu, \"refused\": %llu, \"rejected\": %llu, \"lost\": %llu, \"requests\": %llu, \"resets\": "
           "%llu, ",
        (unsigned long long)load->sent, (unsigned long long)load->accepted, (unsigned long long)load->refused,
        (unsigned long long)load->rejected, (unsigned long long)load->lost, (unsigned long long)load->requests,
        (unsigned long long)load->resets);
    printf("\"body_bytes\": %zu, \"seconds\": %.3f, \"latency_ms\": {\"p50\": %.3f, \"p90\": %.3f, \"p99\": %.3f, \"max\": %.3f}}\n",
        load->bodies[0].size, seconds, percentile_millis(load, 0.5), percentile_millis(load, 0.9), percentile_millis(load, 0.99),
        (double)load->latency_max_ns / 1e6);
}

static const char usage[] =
    "usage: load --port PORT [--host HOST] [--grpc] [--path PATH] [--signal traces|metrics|logs] [--records N] [--record-size BYTES]\n"
    "            [--connections N] [--bodies N] [--rate RECORDS_PER_SECOND] [--duration SECONDS] [--count RECORDS] [--gzip] [--stamp] "
    "[--retry] [--trace-spans N]\n"
    "            [--bare-inflate]   only inflate the bodies for a second: what gzip in costs at least\n";

static void die(const char *text)
{
    fprintf(stderr, "load: %s\n%s", text, usage);
    exit(2);
}

static enum bench_signal signal_of(const char *word)
{
    for (int i = 0; i < BENCH_SIGNAL_COUNT; i++)
        if (strcmp(word, load_signal_word((enum bench_signal)i)) == 0)
            return (enum bench_signal)i;
    die("no such signal");
    return BENCH_TRACES;
}

static void set_option(struct load_options *options, int letter, const char *value)
{
    switch (letter) {
    case 'H':
        options->host = value;
        break;
    case 'p':
        options->port = value;
        break;
    case 'u':
        options->path = value;
        break;
    case 'g':
        options->grpc = options->shape.grpc = true;
        break;
    case 's':
        options->shape.signal = signal_of(value);
        break;
    case 'n':
        options->shape.records = strtoul(value, NULL, 10);
        break;
    case 'b':
        options->shape.record_size = strtoul(value, NULL, 10);
        break;
    case 'z':
        options->shape.gzip = true;
        break;
    case 'c':
        options->connections = strtoul(value, NULL, 10);
        break;
    case 'B':
        options->bodies = strtoul(value, NULL, 10);
        break;
    case 'r':
        options->rate = strtod(value, NULL);
        break;
    case 'd':
        options->duration = strtod(value, NULL);
        break;
    case 'C':
        options->count = strtoull(value, NULL, 10);
        break;
    case 'S':
        options->stamp = true;
        break;
    case 'T':
        options->trace_spans = (size_t)strtoull(value, NULL, 10);
        break;
    case 'R':
        options->retry = true;
        break;
    case 'I':
        options->bare_inflate = true;
        break;
    default:
        die("unknown option");
    }
}

static const char *default_path(const struct load_options *options)
{
    static const char *const paths[2][BENCH_SIGNAL_COUNT] = {
        { "/v1/traces", "/v1/metrics", "/v1/logs" },
        { "/opentelemetry.proto.collector.trace.v1.TraceService/Export", "/opentelemetry.proto.collector.metrics.v1.MetricsService/Export",
            "/opentelemetry.proto.collector.logs.v1.LogsService/Export" },
    };

    return paths[options->grpc][options->shape.signal];
}

static struct load_options read_options(int count, char **arguments)
{
    static const struct option names[] = {
        { "host", 1, NULL, 'H' },
        { "port", 1, NULL, 'p' },
        { "path", 1, NULL, 'u' },
        { "grpc", 0, NULL, 'g' },
        { "signal", 1, NULL, 's' },
        { "records", 1, NULL, 'n' },
        { "record-size", 1, NULL, 'b' },
        { "gzip", 0, NULL, 'z' },
        { "connections", 1, NULL, 'c' },
        { "bodies", 1, NULL, 'B' },
        { "rate", 1, NULL, 'r' },
        { "duration", 1, NULL, 'd' },
        { "count", 1, NULL, 'C' },
        { "stamp", 0, NULL, 'S' },
        { "trace-spans", 1, NULL, 'T' },
        { "retry", 0, NULL, 'R' },
        { "bare-inflate", 0, NULL, 'I' },
        { NULL, 0, NULL, 0 },
    };
    struct load_options options = { .host = "127.0.0.1", .connections = 8, .bodies = 16, .shape = { .records = 100 } };

    for (int letter; (letter = getopt_long(count, arguments, "", names, NULL)) != -1;)
        set_option(&options, letter, optarg);
    if (options.port == NULL || options.shape.records == 0 || options.connections == 0 || options.bodies == 0)
        die("--port is missing, or a number is zero");
    if (options.duration <= 0 && options.count == 0)
        die("say --duration or --count");
    if ((options.stamp || options.trace_spans > 0) && options.shape.gzip)
        die("--stamp or --trace-spans and --gzip do not go together");
    if (options.trace_spans > 0 && options.shape.signal != BENCH_TRACES)
        die("--trace-spans is for traces");
    if (options.path == NULL)
        options.path = default_path(&options);
    return options;
}

static void prepare(struct load *load)
{
    const struct load_options *options = &load->options;
    struct addrinfo hints = { .ai_socktype = SOCK_STREAM };
    struct timespec seed;

    clock_gettime(CLOCK_REALTIME, &seed);
    load->protocol = options->grpc ? &load_grpc : &load_http;
    load->bodies = calloc(options->bodies, sizeof(*load->bodies));
    load->connections = calloc(options->connections, sizeof(*load->connections));
    load->epoll = epoll_create1(EPOLL_CLOEXEC);
    if (load->bodies == NULL || load->connections == NULL || load->epoll < 0)
        die("no memory");
    if (getaddrinfo(options->host, options->port, &hints, &load->address) != 0)
        die("no such host");
    for (size_t i = 0; i < options->bodies; i++)
        body_init(&load->bodies[i], &options->shape, (uint64_t)seed.tv_nsec + i);
    for (size_t i = 0; i < options->connections; i++)
        load->connections[i] = (struct load_connection){ .load = load, .options = options, .fd = -1 };
}

/* Inflates the bodies for a second and nothing else, and prints how many records came out for each CPU-second. */
static void bare_inflate(const struct load *load)
{
    const struct body *first = &load->bodies[0];
    size_t capacity = first->size * 64, size;
    uint8_t *plain = malloc(capacity);
    struct libdeflate_decompressor *inflater = libdeflate_alloc_decompressor();
    uint64_t records = 0;
    clock_t start = clock();

    if (plain == NULL || inflater == NULL)
        die("no memory");
    while (clock() - start < CLOCKS_PER_SEC) {
        const struct body *body = &load->bodies[records / first->records % load->options.bodies];
        if (libdeflate_gzip_decompress(inflater, body->data, body->size, plain, capacity, &size) != LIBDEFLATE_SUCCESS)
            die("a body does not inflate: --bare-inflate wants --gzip and no --grpc");
        records += body->records;
    }
    printf("{\"records_per_second\": %.0f}\n", (double)records * CLOCKS_PER_SEC / (double)(clock() - start));
    libdeflate_free_decompressor(inflater);
    free(plain);
}

static void tidy(struct load *load)
{
    for (size_t i = 0; i < load->options.connections; i++) {
        disconnect(&load->connections[i]);
        body_fini(&load->connections[i].own);
    }
    for (size_t i = 0; i < load->options.bodies; i++)
        body_fini(&load->bodies[i]);
    free(load->connections);
    free(load->bodies);
    freeaddrinfo(load->address);
    close(load->epoll);
}

int main(int count, char **arguments)
{
    static struct load load;

    load.options = read_options(count, arguments);
    prepare(&load);
    signal(SIGTERM, on_signal);
    signal(SIGINT, on_signal);
    if (load.options.bare_inflate) {
        bare_inflate(&load);
    } else {
        run(&load);
        report(&load, (double)(now_nanos() - load.started_ns) / 1e9);
    }
    tidy(&load);
    return 0;
}
