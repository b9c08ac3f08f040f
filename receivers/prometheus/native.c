/*
 * Spans of buckets whose counts are differences of the one before, or numbers as they are: written out bucket by bucket.
 * Limits: HISTOGRAM_BUCKETS buckets, gaps between the spans included.
 */
#include "receivers/prometheus/native.h"

#include "collector/wire/protobuf.h"

enum { HISTOGRAM_BUCKETS = 16384 };

struct histogram_message native_read(struct slice body)
{
    struct histogram_message histogram = { .body = body };
    struct pb_reader reader = pb_reader_of(body);
    struct pb_field field;

    while (pb_next(&reader, &field)) {
        if (field.number == 1 && field.type == PB_VARINT && field.scalar > 0)
            histogram.count = (double)field.scalar;
        else if (field.number == 4 && field.type == PB_FIXED64 && pb_double(field.scalar) > 0)
            histogram.count = pb_double(field.scalar);
        else if (field.number == 2 && field.type == PB_FIXED64)
            histogram.sum = pb_double(field.scalar);
        else if (field.number == 5 && field.type == PB_VARINT)
            histogram.schema = pb_zigzag_decode(field.scalar);
        else if (field.number == 6 && field.type == PB_FIXED64)
            histogram.zero_threshold = pb_double(field.scalar);
        else if (field.number == 7 && field.type == PB_VARINT && field.scalar > 0)
            histogram.zero_count = (double)field.scalar;
        else if (field.number == 8 && field.type == PB_FIXED64 && pb_double(field.scalar) > 0)
            histogram.zero_count = pb_double(field.scalar);
        else if (field.number == 15 && field.type == PB_BYTES)
            histogram.created = field.bytes;
        histogram.native = histogram.native || field.number == 9 || field.number == 12;
        histogram.floating = histogram.floating || field.number == 11 || field.number == 14;
    }
    histogram.native = histogram.native || histogram.zero_threshold > 0 || histogram.zero_count > 0;
    return histogram;
}

/* ---- buckets ---- */

struct side {
    uint32_t span_field, delta_field, count_field;
    struct pb_reader counts; /* of the packed run that is being read */
    struct pb_reader fields; /* of the message, behind that run */
    double count;
    uint64_t buckets;
    bool broken;
};

/* The next bucket's count: fields may be packed or not. */
static double next_count(struct side *side, bool floating)
{
    uint32_t wanted = floating ? side->count_field : side->delta_field;
    struct pb_field field;
    uint64_t bits = 0;

    while (side->counts.at >= side->counts.end) {
        if (!pb_next(&side->fields, &field)) {
            side->broken = true;
            return 0;
        }
        if (field.number != wanted)
            continue;
        if (field.type == PB_BYTES) {
            side->counts = pb_reader_of(field.bytes);
            continue;
        }
        side->count = floating ? pb_double(field.scalar) : side->count + (double)pb_zigzag_decode(field.scalar);
        return side->count;
    }
    if (!floating) {
        side->count += (double)pb_zigzag_decode(pb_varint(&side->counts));
    } else if (side->counts.end - side->counts.at >= 8) {
        memcpy(&bits, side->counts.at, sizeof(bits));
        side->counts.at += 8;
        side->count = pb_double(bits);
    } else {
        side->broken = true;
        side->counts.at = side->counts.end;
    }
    side->broken = side->broken || side->counts.failed;
    return side->count;
}

static void put_count(struct buffer *out, struct side *side, double count)
{
    if (!(count >= 0 && count < 1.8e19) || ++side->buckets > HISTOGRAM_BUCKETS) {
        side->broken = true;
        return;
    }
    pb_put_raw_varint(out, (uint64_t)count);
}

static void read_span(struct slice message, int64_t *offset, uint64_t *length)
{
    struct pb_reader reader = pb_reader_of(message);
    struct pb_field field;

    *offset = 0;
    *length = 0;
    while (pb_next(&reader, &field)) {
        if (field.number == 1 && field.type == PB_VARINT)
            *offset = pb_zigzag_decode(field.scalar);
        else if (field.number == 2 && field.type == PB_VARINT)
            *length = field.scalar;
    }
}

/* The Buckets message's content: offset = 1, packed counts = 2. OTLP's offset is of the lower bound, Prometheus' of the upper one. */
static void write_side(struct buffer *out, const struct histogram_message *histogram, struct side *side)
{
    struct pb_reader reader = pb_reader_of(histogram->body);
    size_t counts = 0;
    struct pb_field field;
    int64_t offset;
    uint64_t length;
    bool first = true;

    side->fields = pb_reader_of(histogram->body);
    while (!side->broken && pb_next(&reader, &field)) {
        if (field.number != side->span_field || field.type != PB_BYTES)
            continue;
        read_span(field.bytes, &offset, &length);
        if (first) {
            int32_t lower = (int32_t)(offset - 1);
            pb_put_varint(out, 1, (uint32_t)lower << 1 ^ (uint32_t)(lower >> 31));
            counts = pb_open(out, 2);
        }
        for (int64_t i = 0; !first && i < offset && !side->broken; i++)
            put_count(out, side, 0);
        side->broken = side->broken || (!first && offset < 0) || offset != (int32_t)offset;
        for (uint64_t i = 0; i < length && !side->broken; i++)
            put_count(out, side, next_count(side, histogram->floating));
        first = false;
    }
    if (!first)
        pb_close(out, counts);
}

bool native_write(const struct histogram_message *histogram, struct buffer *out)
{
    struct side positive = { .span_field = 12, .delta_field = 13, .count_field = 14 };
    struct side negative = { .span_field = 9, .delta_field = 10, .count_field = 11 };
    int32_t scale = (int32_t)histogram->schema;
    size_t mark;

    if (histogram->schema < -4 || histogram->schema > 8 || !(histogram->count >= 0 && histogram->count < 1.8e19) ||
        !(histogram->zero_count < 1.8e19))
        return false;
    pb_put_fixed64(out, 4, (uint64_t)histogram->count);
    pb_put_double(out, 5, histogram->sum);
    pb_put_varint(out, 6, (uint32_t)scale << 1 ^ (uint32_t)(scale >> 31));
    pb_put_fixed64(out, 7, (uint64_t)histogram->zero_count);
    mark = pb_open(out, 8);
    write_side(out, histogram, &positive);
    pb_close(out, mark);
    mark = pb_open(out, 9);
    write_side(out, histogram, &negative);
    pb_close(out, mark);
    pb_put_double(out, 14, histogram->zero_threshold);
    return !positive.broken && !negative.broken;
}
