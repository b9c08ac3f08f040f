/*
 * What Zipkin's formats cost: CPU nanoseconds a span and megabytes of message a second, read to OTLP and written from it, on one thread.
 *
 *   zipkin_bench [SECONDS]      how long each figure is measured; default 1
 */
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#include "collector/wire/zipkin.h"

enum { SPANS = 1000 };

static double now(void)
{
    struct timespec time;

    clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &time);
    return (double)time.tv_sec + (double)time.tv_nsec * 1e-9;
}

/* Spans of an HTTP server, as Brave writes them. */
static void make_json(struct buffer *out)
{
    for (unsigned i = 0; i < SPANS; i++)
        buffer_printf(out,
            "%c{\"traceId\":\"5b8efff798038103d269b633813f%04x\",\"parentId\":\"98038103d269b633\",\"id\":\"eee19b7ec3c1%04x\",\"kind\":"
            "\"SERVER\","
            "\"name\":\"get "
            "/api/v1/customers/{id}/orders\",\"timestamp\":%llu,\"duration\":12345,\"localEndpoint\":{\"serviceName\":\"orders\","
            "\"ipv4\":\"10.1.2.3\"},\"remoteEndpoint\":{\"ipv4\":\"203.0.113.17\",\"port\":41234},\"annotations\":[{\"timestamp\":%llu,"
            "\"value\":"
            "\"wire.recv\"}],\"tags\":{\"http.method\":\"GET\",\"http.status_code\":\"200\",\"http.path\":\"/api/v1/customers/4711/"
            "orders\","
            "\"http.route\":\"/api/v1/customers/{id}/"
            "orders\",\"mvc.controller.class\":\"OrderController\",\"mvc.controller.method\":\"list\"}}",
            i == 0 ? '[' : ',', i, i + 1, 1763705000000000ULL + i, 1763705000000100ULL + i);
    buffer_append_byte(out, ']');
}

static void report(const char *what, size_t size, double seconds)
{
    printf("%-12s %7.0f ns a span %7.0f MB/s of %4.0f bytes each\n", what, seconds * 1e9 / SPANS, (double)size / seconds / 1e6,
        (double)size / SPANS);
}

static void measure_reading(const char *what, enum zipkin_format format, struct slice message, double seconds)
{
    struct zipkin_reading reading = { .format = format };
    struct buffer wire = { 0 };
    double start = now(), spent;
    unsigned rounds = 0;

    do {
        buffer_clear(&wire);
        if (!zipkin_read(&reading, message, &wire))
            abort();
        rounds++;
        spent = now() - start;
    } while (spent < seconds);
    report(what, message.size, spent / rounds);
    buffer_fini(&wire);
}

static void write(struct zipkin_writer *writer, struct slice wire, struct buffer *out)
{
    buffer_clear(out);
    zipkin_writer_begin(writer, out);
    if (!zipkin_writer_add(writer, wire, out))
        abort();
    zipkin_writer_end(writer, out);
}

static void measure_writing(const char *what, enum zipkin_format format, struct slice wire, double seconds)
{
    struct zipkin_writer writer = { .format = format };
    struct buffer out = { 0 };
    double start = now(), spent;
    unsigned rounds = 0;

    do {
        write(&writer, wire, &out);
        rounds++;
        spent = now() - start;
    } while (spent < seconds);
    report(what, out.size, spent / rounds);
    zipkin_writer_fini(&writer);
    buffer_fini(&out);
}

int main(int argc, char **argv)
{
    double seconds = argc > 1 ? strtod(argv[1], NULL) : 1;
    struct zipkin_reading reading = { .format = ZIPKIN_JSON };
    struct zipkin_writer writer = { .format = ZIPKIN_PROTO };
    struct buffer json = { 0 }, proto = { 0 }, wire = { 0 };

    make_json(&json);
    if (!zipkin_read(&reading, buffer_slice(&json), &wire))
        abort();
    write(&writer, buffer_slice(&wire), &proto);
    measure_reading("read json", ZIPKIN_JSON, buffer_slice(&json), seconds);
    measure_reading("read proto", ZIPKIN_PROTO, buffer_slice(&proto), seconds);
    measure_writing("write json", ZIPKIN_JSON, buffer_slice(&wire), seconds);
    measure_writing("write proto", ZIPKIN_PROTO, buffer_slice(&wire), seconds);
    zipkin_writer_fini(&writer);
    buffer_fini(&json);
    buffer_fini(&proto);
    buffer_fini(&wire);
    return 0;
}
