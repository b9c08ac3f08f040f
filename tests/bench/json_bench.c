/*
 * What OTLP/JSON costs: nanoseconds a record and megabytes of text a second, each way, on one thread.
 *
 *   json_bench [SECONDS]      how long each figure is measured; default 1
 */
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#include "collector/wire/json.h"

enum { RECORDS = 1000, ATTRIBUTES = 8 };

/* A request that is measured with. */
struct sample {
    const char *name;
    enum signal signal;
    void (*append_record)(struct buffer *out, unsigned index);
};

static double now(void)
{
    struct timespec time;

    clock_gettime(CLOCK_MONOTONIC, &time);
    return (double)time.tv_sec + (double)time.tv_nsec * 1e-9;
}

static void append_attribute(struct buffer *out, uint32_t number, unsigned index)
{
    static const char *const keys[ATTRIBUTES] = { "http.request.method", "http.response.status_code", "url.path", "server.address",
        "server.port", "user_agent.original", "network.protocol.version", "client.address" };
    static const char *const values[ATTRIBUTES] = { "GET", NULL, "/api/v1/customers/4711/orders", "shop.example.com", NULL,
        "Mozilla/5.0 (X11; Linux)", "1.1", "203.0.113.17" };
    size_t attribute = pb_open(out, number);

    pb_put_bytes(out, 1, slice_of_string(keys[index]));
    size_t value = pb_open(out, 2);
    if (values[index] != NULL)
        pb_put_bytes(out, 1, slice_of_string(values[index]));
    else
        pb_put_varint(out, 3, 200 + index);
    pb_close(out, value);
    pb_close(out, attribute);
}

static void append_span(struct buffer *out, unsigned index)
{
    static const uint8_t id[16] = { 0x5b, 0x8e, 0xff, 0xf7, 0x98, 0x03, 0x81, 0x03, 0xd2, 0x69, 0xb6, 0x33, 0x81, 0x3f, 0xc6, 0x0c };

    pb_put_bytes(out, 1, slice_of(id, 16));
    pb_put_bytes(out, 2, slice_of(id, 8));
    pb_put_bytes(out, 4, slice_of(id + 4, 8));
    pb_put_bytes(out, 5, SLICE("GET /api/v1/customers/{id}/orders"));
    pb_put_varint(out, 6, 2);
    pb_put_fixed64(out, 7, UINT64_C(1763705000000000000) + index * 1000);
    pb_put_fixed64(out, 8, UINT64_C(1763705000012345678) + index * 1000);
    for (unsigned i = 0; i < ATTRIBUTES; i++)
        append_attribute(out, 9, i);
}

static void append_metric(struct buffer *out, unsigned index)
{
    pb_put_bytes(out, 1, SLICE("http.server.request.duration"));
    pb_put_bytes(out, 3, SLICE("s"));
    size_t histogram = pb_open(out, 9);
    size_t point = pb_open(out, 1);
    append_attribute(out, 9, 0);
    append_attribute(out, 9, 1);
    pb_put_fixed64(out, 2, UINT64_C(1763705000000000000));
    pb_put_fixed64(out, 3, UINT64_C(1763705060000000000));
    pb_put_fixed64(out, 4, 1000 + index);
    pb_put_double(out, 5, 3.14159 * (index + 1) / 7);
    pb_put_tag(out, 6, PB_BYTES);
    pb_put_raw_varint(out, 80);
    for (uint64_t i = 0; i < 10; i++)
        buffer_append(out, &(uint64_t){ i * i * index }, 8);
    pb_put_tag(out, 7, PB_BYTES);
    pb_put_raw_varint(out, 72);
    for (int i = 1; i < 10; i++)
        buffer_append(out, &(double){ 0.005 * i }, 8);
    pb_close(out, point);
    pb_put_varint(out, 2, 2);
    pb_close(out, histogram);
}

static void append_log(struct buffer *out, unsigned index)
{
    pb_put_fixed64(out, 1, UINT64_C(1763705000000000000) + index);
    pb_put_varint(out, 2, 9);
    pb_put_bytes(out, 3, SLICE("INFO"));
    size_t body = pb_open(out, 5);
    pb_put_bytes(out, 1, SLICE("request \"GET /api/v1/customers\" f\xc3\xbcr Kundin 4711 finished\tin 12 ms, 3 rows, cache miss"));
    pb_close(out, body);
    for (unsigned i = 0; i < 3; i++)
        append_attribute(out, 6, i);
}

static void make_request(const struct sample *sample, struct buffer *out)
{
    size_t group = pb_open(out, 1);
    size_t scope_group = pb_open(out, 2);

    for (unsigned i = 0; i < RECORDS; i++) {
        size_t record = pb_open(out, 2);
        sample->append_record(out, i);
        pb_close(out, record);
    }
    pb_close(out, scope_group);
    pb_close(out, group);
}

static void report(const char *sample, const char *what, size_t text_size, double seconds)
{
    printf("%-8s %-6s %7.0f ns a record %7.0f MB/s of text\n", sample, what, seconds * 1e9 / RECORDS, (double)text_size / seconds / 1e6);
}

static void measure(const struct sample *sample, double seconds)
{
    struct buffer wire = { 0 }, text = { 0 }, again = { 0 };
    double start, spent;
    size_t rounds = 0;

    make_request(sample, &wire);
    start = now();
    do {
        buffer_clear(&text);
        json_write_request(sample->signal, buffer_slice(&wire), &text);
        rounds++;
        spent = now() - start;
    } while (spent < seconds);
    report(sample->name, "write", text.size, spent / (double)rounds);
    start = now();
    rounds = 0;
    do {
        buffer_clear(&again);
        if (!json_read_request(sample->signal, buffer_slice(&text), &again, NULL))
            abort();
        rounds++;
        spent = now() - start;
    } while (spent < seconds);
    report(sample->name, "read", text.size, spent / (double)rounds);
    if (!slice_equal(buffer_slice(&wire), buffer_slice(&again)))
        abort();
    printf("%-8s %zu bytes a record on the wire, %zu as JSON\n", sample->name, wire.size / RECORDS, text.size / RECORDS);
    buffer_fini(&wire);
    buffer_fini(&text);
    buffer_fini(&again);
}

int main(int argc, char **argv)
{
    static const struct sample samples[] = {
        { "traces", SIGNAL_TRACES, append_span },
        { "logs", SIGNAL_LOGS, append_log },
        { "metrics", SIGNAL_METRICS, append_metric },
    };

    for (size_t i = 0; i < sizeof(samples) / sizeof(samples[0]); i++)
        measure(&samples[i], argc > 1 ? atof(argv[1]) : 1);
    return 0;
}
