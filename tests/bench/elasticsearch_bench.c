/*
 * Nanoseconds of the elasticsearch exporter for each document: building the _bulk text from wire bytes; a straight copy of the same text in
 * memory; writing it to a socket of this machine, which is what a copy from socket to socket would cost at least; compressing it as the exporter
 * does. Processor time of the one thread, best of several rounds (of writing the mean), because a shared machine only ever makes things slower.
 *
 * usage: elasticsearch_bench [SECONDS for each figure]
 */
#include <assert.h>
#include <netinet/in.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include "collector/base/clock.h"
#include "collector/net/compress.h"
#include "exporters/elasticsearch/documents.h"
#include "tests/bench/bodies.h"

struct bench {
    struct elastic_settings settings;
    struct elastic_documents documents;
    struct batch *batch;
    struct buffer text, out; /* what was built last; where it is copied or compressed to */
    size_t count;            /* documents in it */
    int socket;              /* to a thread that reads and forgets */
};

typedef void (*bench_run)(struct bench *bench);

static bool keep(void *context, struct elastic_bulk *bulk)
{
    struct bench *bench = context;

    bench->count = bulk->count;
    return true;
}

static bool keep_text(void *context, struct elastic_bulk *bulk)
{
    struct bench *bench = context;

    buffer_clear(&bench->text);
    buffer_append_slice(&bench->text, buffer_slice(&bulk->text));
    return keep(context, bulk);
}

static void run_build(struct bench *bench)
{
    bool fine = elastic_documents_write(&bench->documents, bench->batch);

    assert(fine);
    (void)fine;
}

static void run_copy(struct bench *bench)
{
    buffer_clear(&bench->out);
    buffer_append_slice(&bench->out, buffer_slice(&bench->text));
}

static void run_gzip(struct bench *bench)
{
    struct slice part = buffer_slice(&bench->text);

    buffer_clear(&bench->out);
    deflate_parts(CODING_GZIP, 0, &part, 1, &bench->out);
}

static void run_write(struct bench *bench)
{
    struct slice left = buffer_slice(&bench->text);

    while (left.size > 0) {
        ssize_t sent = write(bench->socket, left.data, left.size);

        assert(sent > 0);
        left = slice_of(left.data + sent, left.size - (size_t)sent);
    }
}

/* ---- the other end of the socket ---- */

static void *forget(void *context)
{
    static uint8_t bytes[1 << 20];
    int *listener = context, fd = accept(*listener, NULL, NULL);

    while (read(fd, bytes, sizeof(bytes)) > 0)
        continue;
    close(fd);
    return NULL;
}

/* A connection to `reader`, which ends when it is closed. */
static int connect_to(pthread_t *reader, int *listener)
{
    struct sockaddr_in address = { .sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
    socklen_t size = sizeof(address);
    int fd = socket(AF_INET, SOCK_STREAM, 0);

    *listener = socket(AF_INET, SOCK_STREAM, 0);
    if (bind(*listener, (struct sockaddr *)&address, size) != 0 || listen(*listener, 1) != 0 ||
        getsockname(*listener, (struct sockaddr *)&address, &size) != 0 || pthread_create(reader, NULL, forget, listener) != 0 ||
        connect(fd, (struct sockaddr *)&address, size) != 0)
        abort();
    return fd;
}

/* ---- figures ---- */

static int64_t thread_nanos(void)
{
    struct timespec now;

    clock_gettime(CLOCK_THREAD_CPUTIME_ID, &now);
    return (int64_t)now.tv_sec * NANOS_PER_SECOND + now.tv_nsec;
}

/* For what another thread may or may not take over: the mean. */
static double mean_nanos(struct bench *bench, bench_run run, double seconds)
{
    int64_t deadline = clock_monotonic_nanos() + (int64_t)(seconds * (double)NANOS_PER_SECOND), start = thread_nanos();
    size_t runs = 0;

    for (; clock_monotonic_nanos() < deadline; runs++)
        run(bench);
    return (double)(thread_nanos() - start) / ((double)runs * (double)bench->count);
}

static double best_nanos(struct bench *bench, bench_run run, double seconds)
{
    int64_t deadline = clock_monotonic_nanos() + (int64_t)(seconds * (double)NANOS_PER_SECOND);
    double best = 1e18;

    do {
        int64_t start = thread_nanos();

        for (int i = 0; i < 20; i++)
            run(bench);
        double nanos = (double)(thread_nanos() - start) / (20.0 * (double)bench->count);
        best = nanos < best ? nanos : best;
    } while (clock_monotonic_nanos() < deadline);
    return best;
}

static struct batch *make_batch(enum signal signal, enum bench_signal kind)
{
    struct body_shape shape = { .signal = kind, .records = 1000 };
    struct payload *payload;
    struct body body;

    body_init(&body, &shape, 42);
    payload = payload_create(body.size);
    memcpy(payload->data, body.data, body.size);
    payload->size = body.size;
    body_fini(&body);
    return batch_create(signal, payload, shape.records, NULL);
}

static void report(enum signal signal, enum bench_signal kind, enum elastic_mode mode, double seconds)
{
    struct bench bench = { .settings = { .mode = mode, .request_limit = SIZE_MAX }, .batch = make_batch(signal, kind) };

    pthread_t reader;
    int listener;

    bench.socket = connect_to(&reader, &listener);
    for (size_t i = 0; i < ELASTIC_MODE_COUNT; i++)
        bench.settings.allowed[i] = true;
    bench.documents.settings = &bench.settings;
    bench.documents.request_mode = mode;
    bench.documents.context = &bench;
    bench.documents.send = keep_text;
    run_build(&bench);
    bench.documents.send = keep;
    printf("%-8s %-5s %6.0f B/document  build %7.1f", signal_name(signal), elastic_mode_name(mode),
        (double)bench.text.size / (double)bench.count, best_nanos(&bench, run_build, seconds));
    printf("  copy %6.1f  write %6.1f  gzip %7.1f  ns/document\n", best_nanos(&bench, run_copy, seconds),
        mean_nanos(&bench, run_write, seconds), best_nanos(&bench, run_gzip, seconds));
    close(bench.socket);
    pthread_join(reader, NULL);
    close(listener);
    elastic_documents_fini(&bench.documents);
    buffer_fini(&bench.text);
    buffer_fini(&bench.out);
    batch_settle(bench.batch, OUTCOME_ACCEPTED);
}

int main(int argc, char **argv)
{
    double seconds = argc > 1 ? strtod(argv[1], NULL) : 0.3;

    report(SIGNAL_LOGS, BENCH_LOGS, ELASTIC_OTEL, seconds);
    report(SIGNAL_TRACES, BENCH_TRACES, ELASTIC_OTEL, seconds);
    report(SIGNAL_METRICS, BENCH_METRICS, ELASTIC_OTEL, seconds);
    report(SIGNAL_LOGS, BENCH_LOGS, ELASTIC_ECS, seconds);
    report(SIGNAL_TRACES, BENCH_TRACES, ELASTIC_ECS, seconds);
    report(SIGNAL_LOGS, BENCH_LOGS, ELASTIC_NONE, seconds);
    return 0;
}
