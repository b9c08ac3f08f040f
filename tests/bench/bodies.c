/*
 * Request bodies as an SDK would send them: one resource, one scope, spans of about 400 bytes with eight attributes
 * (four that repeat, four that differ), log records with a line of text, gauges of four data points each.
 *
 * Stamps: the last eight bytes of trace_id (spans, log records) or as_int (data points), little-endian.
 */
#include "tests/bench/bodies.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <libdeflate.h>

struct bytes {
    uint8_t *data;
    size_t size, capacity;
};

struct maker {
    const struct body_shape *shape;
    uint64_t random;
    uint64_t time; /* Unix nanoseconds */
    struct bytes records;
    struct bytes record;
    struct bytes attribute;
    uint32_t *stamps;
    size_t stamp_count;
    size_t stamp_in_record;
};

enum { POINTS_OF_METRIC = 4, GRPC_PREFIX = 5 };

static void append(struct bytes *out, const void *data, size_t size)
{
    if (out->size + size > out->capacity) {
        out->capacity = (out->size + size) * 2;
        out->data = realloc(out->data, out->capacity);
        if (out->data == NULL)
            abort();
    }
    if (size > 0)
        memcpy(out->data + out->size, data, size);
    out->size += size;
}

static void put_varint(struct bytes *out, uint64_t value)
{
    do {
        uint8_t byte = (uint8_t)(value & 0x7f);
        value >>= 7;
        if (value != 0)
            byte |= 0x80;
        append(out, &byte, 1);
    } while (value != 0);
}

static void put_number(struct bytes *out, uint32_t field, uint64_t value)
{
    put_varint(out, (uint64_t)field << 3);
    put_varint(out, value);
}

static void put_fixed64(struct bytes *out, uint32_t field, uint64_t value)
{
    uint8_t little[8];

    for (int i = 0; i < 8; i++)
        little[i] = (uint8_t)(value >> (8 * i));
    put_varint(out, (uint64_t)field << 3 | 1);
    append(out, little, sizeof(little));
}

static void put_bytes(struct bytes *out, uint32_t field, struct bytes content)
{
    put_varint(out, (uint64_t)field << 3 | 2);
    put_varint(out, content.size);
    append(out, content.data, content.size);
}

static struct bytes text_bytes(char *text)
{
    return (struct bytes){ (uint8_t *)text, strlen(text), 0 };
}

static void put_text(struct bytes *out, uint32_t field, const char *text)
{
    put_varint(out, (uint64_t)field << 3 | 2);
    put_varint(out, strlen(text));
    append(out, text, strlen(text));
}

static uint64_t random_next(struct maker *maker)
{
    uint64_t x = maker->random += 0x9e3779b97f4a7c15u;

    x = (x ^ x >> 30) * 0xbf58476d1ce4e5b9u;
    x = (x ^ x >> 27) * 0x94d049bb133111ebu;
    return x ^ x >> 31;
}

static void put_random(struct maker *maker, struct bytes *out, uint32_t field, size_t size)
{
    uint8_t data[16];

    for (size_t i = 0; i < size; i++)
        data[i] = (uint8_t)random_next(maker);
    put_bytes(out, field, (struct bytes){ data, size, 0 });
}

static void put_attribute(struct maker *maker, struct bytes *out, uint32_t field, const char *const pair[2])
{
    struct bytes *attribute = &maker->attribute;
    struct bytes value = { 0 };

    put_text(&value, 1, pair[1]);
    attribute->size = 0;
    put_text(attribute, 1, pair[0]);
    put_bytes(attribute, 2, value);
    put_bytes(out, field, *attribute);
    free(value.data);
}

static void put_number_attribute(struct maker *maker, uint32_t field, const char *key, uint64_t number)
{
    struct bytes *attribute = &maker->attribute;
    struct bytes value = { 0 };

    put_number(&value, 3, number);
    attribute->size = 0;
    put_text(attribute, 1, key);
    put_bytes(attribute, 2, value);
    put_bytes(&maker->record, field, *attribute);
    free(value.data);
}

/* Fills the record up to the size that was asked for. */
static void put_padding(struct maker *maker, uint32_t field)
{
    static const char key[] = "app.note";
    enum { OVERHEAD = 2 + 2 + sizeof(key) - 1 + 2 + 2 };
    size_t wanted = maker->shape->record_size;

    if (wanted < maker->record.size + OVERHEAD)
        return;
    size_t size = wanted - maker->record.size - OVERHEAD;
    char *text = malloc(size + 1);
    if (text == NULL)
        abort();
    for (size_t i = 0; i < size; i++)
        text[i] = (char)('a' + random_next(maker) % 26);
    text[size] = '\0';
    put_attribute(maker, &maker->record, field, (const char *const[]){ key, text });
    free(text);
}

static void put_attributes(struct maker *maker, uint32_t field)
{
    static const char *const routes[] = { "/api/v1/orders/{id}", "/api/v1/customers", "/api/v1/carts/{id}/items", "/health" };
    char path[64], peer[32];
    struct bytes *record = &maker->record;

    snprintf(path, sizeof(path), "/api/v1/orders/%06u?expand=items", (unsigned)(random_next(maker) % 1000000));
    snprintf(peer, sizeof(peer), "10.32.%u.%u", (unsigned)(random_next(maker) % 256), (unsigned)(random_next(maker) % 256));
    put_attribute(maker, record, field, (const char *const[]){ "http.request.method", "GET" });
    put_attribute(maker, record, field, (const char *const[]){ "http.route", routes[random_next(maker) % 4] });
    put_attribute(maker, record, field, (const char *const[]){ "url.path", path });
    put_number_attribute(maker, field, "http.response.status_code", random_next(maker) % 100 < 3 ? 503 : 200);
    put_attribute(maker, record, field, (const char *const[]){ "server.address", "orders.production.internal" });
    put_number_attribute(maker, field, "server.port", 8443);
    put_attribute(maker, record, field, (const char *const[]){ "client.address", peer });
    put_attribute(maker, record, field, (const char *const[]){ "user_agent.original", "orders-client/4.12 (linux; x86_64)" });
}

/* field 16 bytes long; the stamp is its second half. */
static void put_trace_id(struct maker *maker, uint32_t field)
{
    put_random(maker, &maker->record, field, 16);
    maker->stamp_in_record = maker->record.size - 8;
}

static void make_span(struct maker *maker)
{
    struct bytes *record = &maker->record;

    put_trace_id(maker, 1);
    put_random(maker, record, 2, 8);
    put_random(maker, record, 4, 8);
    put_text(record, 5, "GET /api/v1/orders/{id}");
    put_number(record, 6, 2);
    put_fixed64(record, 7, maker->time);
    put_fixed64(record, 8, maker->time + random_next(maker) % 50000000);
    put_attributes(maker, 9);
    put_padding(maker, 9);
    put_bytes(record, 15, (struct bytes){ (uint8_t[]){ 0x18, 1 }, 2, 0 });
}

static void make_log(struct maker *maker)
{
    struct bytes *record = &maker->record;
    struct bytes body = { 0 };
    char line[160];

    snprintf(line, sizeof(line), "request %016llx from 10.32.%u.%u served from cache in %u us", (unsigned long long)random_next(maker),
        (unsigned)(random_next(maker) % 256), (unsigned)(random_next(maker) % 256), (unsigned)(random_next(maker) % 100000));
    put_fixed64(record, 1, maker->time);
    put_fixed64(record, 11, maker->time + 1000);
    put_number(record, 2, 9);
    put_text(record, 3, "INFO");
    put_text(&body, 1, line);
    put_bytes(record, 5, body);
    put_attributes(maker, 6);
    put_padding(maker, 6);
    put_trace_id(maker, 9);
    put_random(maker, record, 10, 8);
    free(body.data);
}

static void make_point(struct maker *maker)
{
    struct bytes *record = &maker->record;

    put_fixed64(record, 2, maker->time - 60000000000u);
    put_fixed64(record, 3, maker->time);
    put_fixed64(record, 6, 0);
    maker->stamp_in_record = record->size - 8;
    put_attributes(maker, 7);
    put_padding(maker, 7);
}

/* Appends the record as `field` of `out` and remembers where its stamp is. */
static void finish_record(struct maker *maker, struct bytes *out, uint32_t field)
{
    put_bytes(out, field, maker->record);
    maker->stamps[maker->stamp_count++] = (uint32_t)(out->size - maker->record.size + maker->stamp_in_record);
    maker->record.size = 0;
    maker->time += 1000 + random_next(maker) % 1000000;
}

static void shift_stamps(struct maker *maker, size_t from, size_t by)
{
    for (size_t i = from; i < maker->stamp_count; i++)
        maker->stamps[i] += (uint32_t)by;
}

/* One gauge of at most POINTS_OF_METRIC points. Returns how many it has. */
static size_t make_metric(struct maker *maker, size_t points)
{
    struct bytes gauge = { 0 }, metric = { 0 };
    size_t first = maker->stamp_count;
    char name[64];

    points = points < POINTS_OF_METRIC ? points : POINTS_OF_METRIC;
    for (size_t i = 0; i < points; i++) {
        make_point(maker);
        finish_record(maker, &gauge, 1);
    }
    snprintf(name, sizeof(name), "http.server.active_requests.%u", (unsigned)(random_next(maker) % 50));
    put_text(&metric, 1, name);
    put_text(&metric, 2, "requests that are being served");
    put_text(&metric, 3, "{request}");
    put_bytes(&metric, 5, gauge);
    put_bytes(&maker->records, 2, metric);
    shift_stamps(maker, first, maker->records.size - gauge.size);
    free(gauge.data);
    free(metric.data);
    return points;
}

static void make_records(struct maker *maker)
{
    size_t wanted = maker->shape->records;

    for (size_t made = 0; made < wanted;) {
        if (maker->shape->signal == BENCH_METRICS) {
            made += make_metric(maker, wanted - made);
            continue;
        }
        if (maker->shape->signal == BENCH_TRACES)
            make_span(maker);
        else
            make_log(maker);
        finish_record(maker, &maker->records, 2);
        made++;
    }
}

static void put_resource(struct maker *maker, struct bytes *group)
{
    struct bytes resource = { 0 };

    put_attribute(maker, &resource, 1, (const char *const[]){ "service.name", "orders" });
    put_attribute(maker, &resource, 1, (const char *const[]){ "service.version", "4.12.1" });
    put_attribute(maker, &resource, 1, (const char *const[]){ "host.name", "node-17.production.internal" });
    put_attribute(maker, &resource, 1, (const char *const[]){ "telemetry.sdk.language", "java" });
    put_attribute(maker, &resource, 1, (const char *const[]){ "telemetry.sdk.name", "opentelemetry" });
    put_bytes(group, 1, resource);
    free(resource.data);
}

/* The whole request around the records. */
static struct bytes wrap(struct maker *maker)
{
    struct bytes scope = { 0 }, scope_group = { 0 }, group = { 0 }, request = { 0 };
    char name[] = "io.opentelemetry.http-server";

    put_bytes(&scope, 1, text_bytes(name));
    put_bytes(&scope_group, 1, scope);
    append(&scope_group, maker->records.data, maker->records.size);
    put_resource(maker, &group);
    put_bytes(&group, 2, scope_group);
    put_bytes(&request, 1, group);
    shift_stamps(maker, 0, request.size - maker->records.size);
    free(scope.data);
    free(scope_group.data);
    free(group.data);
    return request;
}

static struct bytes gzip(struct bytes plain)
{
    struct libdeflate_compressor *compressor = libdeflate_alloc_compressor(6);
    if (compressor == NULL)
        abort();
    struct bytes out = { 0 };

    out.capacity = libdeflate_gzip_compress_bound(compressor, plain.size);
    out.data = malloc(out.capacity);
    if (out.data == NULL)
        abort();
    out.size = libdeflate_gzip_compress(compressor, plain.data, plain.size, out.data, out.capacity);
    libdeflate_free_compressor(compressor);
    free(plain.data);
    return out;
}

static struct bytes prefix(struct bytes message, bool compressed)
{
    size_t n = message.size;
    uint8_t head[GRPC_PREFIX] = { compressed, (uint8_t)(n >> 24), (uint8_t)(n >> 16), (uint8_t)(n >> 8), (uint8_t)n };
    struct bytes out = { 0 };

    append(&out, head, sizeof(head));
    append(&out, message.data, message.size);
    free(message.data);
    return out;
}

void body_init(struct body *body, const struct body_shape *shape, uint64_t seed)
{
    struct maker maker = { .shape = shape, .random = seed, .time = 1767225600000000000u + seed * 1000000000u };

    maker.stamps = calloc(shape->records, sizeof(*maker.stamps));
    if (maker.stamps == NULL)
        abort();
    make_records(&maker);
    struct bytes request = wrap(&maker);
    free(maker.records.data);
    free(maker.record.data);
    free(maker.attribute.data);
    if (shape->gzip) {
        request = gzip(request);
        free(maker.stamps);
        maker.stamps = NULL;
    }
    if (shape->grpc) {
        request = prefix(request, shape->gzip);
        if (maker.stamps != NULL)
            shift_stamps(&maker, 0, GRPC_PREFIX);
    }
    *body = (struct body){ request.data, request.size, shape->records, maker.stamps };
}

void body_fini(struct body *body)
{
    free(body->data);
    free(body->stamps);
    *body = (struct body){ 0 };
}

void body_dup(struct body *out, const struct body *body)
{
    *out = *body;
    out->data = malloc(body->size);
    out->stamps = calloc(body->records, sizeof(*out->stamps));
    if (out->data == NULL || out->stamps == NULL)
        abort();
    memcpy(out->data, body->data, body->size);
    memcpy(out->stamps, body->stamps, body->records * sizeof(*out->stamps));
}

void body_stamp(struct body *body, uint64_t first)
{
    for (size_t i = 0; i < body->records; i++)
        memcpy(body->data + body->stamps[i], &(uint64_t){ first + i }, 8);
}

void body_trace(struct body *body, uint64_t first, size_t spans)
{
    uint64_t block = first / (body->records * spans) * body->records;

    for (size_t i = 0; i < body->records; i++) {
        struct maker mixer = { .random = block + i };
        const uint64_t id[2] = { random_next(&mixer), block + i + 1 };
        memcpy(body->data + body->stamps[i] - 8, id, sizeof(id));
    }
}
