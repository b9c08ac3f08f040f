/*
 * Decoding and joining data points. Histograms and exponential ones are joined bucket by bucket: who calls has seen to it that their
 * bounds, or scale and offsets, are the same. Threads: the machine's.
 */
#include "collector/ottl/points.h"

#include <stdlib.h>

enum { DATA_POINTS = 1, TEMPORALITY = 2 };
enum { START = 2, TIME = 3 };
enum { NUMBER_DOUBLE = 4, NUMBER_INT = 6, NUMBER_FLAGS = 8 };
enum {
    HISTOGRAM_COUNT = 4,
    HISTOGRAM_SUM = 5,
    HISTOGRAM_COUNTS = 6,
    HISTOGRAM_BOUNDS = 7,
    HISTOGRAM_EXEMPLARS = 8,
    HISTOGRAM_FLAGS = 10,
    HISTOGRAM_MIN = 11,
    HISTOGRAM_MAX = 12
};
enum {
    EXPONENTIAL_SCALE = 6,
    EXPONENTIAL_ZEROES = 7,
    EXPONENTIAL_POSITIVE = 8,
    EXPONENTIAL_NEGATIVE = 9,
    EXPONENTIAL_FLAGS = 10,
    EXPONENTIAL_EXEMPLARS = 11,
    EXPONENTIAL_MIN = 12,
    EXPONENTIAL_MAX = 13
};
enum { BUCKETS_OFFSET = 1, BUCKETS_COUNTS = 2 };

struct slice ottl_metric_text(const struct ottl_machine *machine, uint32_t number)
{
    struct pb_field field = { .number = 0 };

    ottl_read_field(machine, LEVEL_RECORD, number, &field);
    return field.bytes;
}

uint32_t points_attributes(enum otlp_metric_kind kind)
{
    return kind == OTLP_HISTOGRAM ? 9 : kind == OTLP_EXPONENTIAL_HISTOGRAM ? 1 : 7;
}

/* ---- reading ---- */

static void read_number(struct point *point, const struct pb_field *field)
{
    switch (field->number) {
    case NUMBER_DOUBLE:
        point->is_int = false;
        point->number = pb_double(field->scalar);
        break;
    case NUMBER_INT:
        point->is_int = true;
        point->integer = (int64_t)field->scalar;
        break;
    case NUMBER_FLAGS:
        point->flags = field->scalar;
        break;
    default:
        break;
    }
}

static struct point_buckets read_buckets(struct slice message)
{
    struct point_buckets buckets = { 0, { NULL, 0 } };
    struct pb_reader reader = pb_reader_of(message);
    struct pb_field field;

    while (pb_next(&reader, &field)) {
        if (field.number == BUCKETS_OFFSET)
            buckets.offset = pb_zigzag_decode(field.scalar);
        else if (field.number == BUCKETS_COUNTS && field.type == PB_BYTES)
            buckets.counts = field.bytes;
    }
    return buckets;
}

/* sum, min, max: fields that may be there or not. */
static void read_optional(struct point *point, uint64_t bit, double *place, const struct pb_field *field)
{
    point->present |= bit;
    *place = pb_double(field->scalar);
}

static void read_histogram(struct point *point, const struct pb_field *field)
{
    switch (field->number) {
    case HISTOGRAM_COUNT:
        point->count = field->scalar;
        break;
    case HISTOGRAM_SUM:
        read_optional(point, POINT_HAS_SUM, &point->sum, field);
        break;
    case HISTOGRAM_COUNTS:
        point->counts = field->bytes;
        break;
    case HISTOGRAM_BOUNDS:
        point->bounds = field->bytes;
        break;
    case HISTOGRAM_FLAGS:
        point->flags = field->scalar;
        break;
    case HISTOGRAM_MIN:
        read_optional(point, POINT_HAS_MIN, &point->min, field);
        break;
    case HISTOGRAM_MAX:
        read_optional(point, POINT_HAS_MAX, &point->max, field);
        break;
    default:
        break;
    }
}

static void read_exponential(struct point *point, const struct pb_field *field)
{
    switch (field->number) {
    case HISTOGRAM_COUNT:
        point->count = field->scalar;
        break;
    case HISTOGRAM_SUM:
        read_optional(point, POINT_HAS_SUM, &point->sum, field);
        break;
    case EXPONENTIAL_SCALE:
        point->scale = pb_zigzag_decode(field->scalar);
        break;
    case EXPONENTIAL_ZEROES:
        point->zero_count = field->scalar;
        break;
    case EXPONENTIAL_POSITIVE:
        point->positive = read_buckets(field->bytes);
        break;
    case EXPONENTIAL_NEGATIVE:
        point->negative = read_buckets(field->bytes);
        break;
    case EXPONENTIAL_FLAGS:
        point->flags = field->scalar;
        break;
    case EXPONENTIAL_MIN:
        read_optional(point, POINT_HAS_MIN, &point->min, field);
        break;
    case EXPONENTIAL_MAX:
        read_optional(point, POINT_HAS_MAX, &point->max, field);
        break;
    default:
        break;
    }
}

static void read_point(enum otlp_metric_kind kind, struct point *point)
{
    struct pb_reader reader = pb_reader_of(point->body);
    struct pb_field field;

    while (pb_next(&reader, &field)) {
        bool is_list =
            (kind == OTLP_HISTOGRAM && (field.number == HISTOGRAM_COUNTS || field.number == HISTOGRAM_BOUNDS)) ||
            (kind == OTLP_EXPONENTIAL_HISTOGRAM && (field.number == EXPONENTIAL_POSITIVE || field.number == EXPONENTIAL_NEGATIVE));
        if (is_list && field.type != PB_BYTES)
            continue;
        if (field.number == START && field.type == PB_FIXED64)
            point->start = field.scalar;
        else if (field.number == TIME && field.type == PB_FIXED64)
            point->time = field.scalar;
        else if (kind == OTLP_HISTOGRAM)
            read_histogram(point, &field);
        else if (kind == OTLP_EXPONENTIAL_HISTOGRAM)
            read_exponential(point, &field);
        else
            read_number(point, &field);
    }
}

static size_t count_points(struct slice data)
{
    struct pb_reader reader = pb_reader_of(data);
    struct pb_field field;
    size_t count = 0;

    while (pb_next(&reader, &field))
        count += field.number == DATA_POINTS && field.type == PB_BYTES;
    return count;
}

bool points_read(struct ottl_machine *machine, struct points *points)
{
    struct pb_field data = { .number = 0 }, field;
    struct buffer *work = ottl_work(machine);

    *points = (struct points){ .count = 0 };
    ottl_read_field(machine, LEVEL_RECORD, (uint32_t)machine->metric_kind, &data);
    points->all = ottl_alloc(machine, (count_points(data.bytes) + 1) * sizeof(*points->all));
    if (points->all == NULL)
        return false;
    struct pb_reader reader = pb_reader_of(data.bytes);
    while (pb_next(&reader, &field)) {
        if (field.number != DATA_POINTS || field.type != PB_BYTES) {
            buffer_append_slice(work, field.raw);
            points->temporality = field.number == TEMPORALITY ? field.scalar : points->temporality;
            continue;
        }
        struct point *point = &points->all[points->count];
        *point = (struct point){ .body = field.bytes, .index = points->count++ };
        read_point(machine->metric_kind, point);
    }
    return ottl_keep_work(machine, &points->rest);
}

/* ---- numbers ---- */

static double double_of(const struct point *point)
{
    return point->is_int ? (double)point->integer : point->number;
}

static int64_t int_of(const struct point *point)
{
    return point->is_int ? point->integer : (int64_t)point->number;
}

static int order_of_doubles(const void *one, const void *other)
{
    double a = *(const double *)one, b = *(const double *)other;

    return (a > b) - (a < b);
}

static int order_of_ints(const void *one, const void *other)
{
    int64_t a = *(const int64_t *)one, b = *(const int64_t *)other;

    return (a > b) - (a < b);
}

static bool double_over(
    struct ottl_machine *machine, enum points_function function, const struct point *first, size_t count, double *result)
{
    double *all = ottl_alloc(machine, count * sizeof(*all));
    double sum = 0;

    if (all == NULL)
        return false;
    for (size_t i = 0; i < count; i++) {
        all[i] = double_of(&first[i]);
        sum += all[i];
    }
    qsort(all, count, sizeof(*all), order_of_doubles);
    const double results[] = { sum, sum / (double)count, all[0], all[count - 1], (all[(count - 1) / 2] + all[count / 2]) / 2,
        (double)count };
    *result = results[function];
    return true;
}

/* Sums wrap around, as they do upstream; means and medians are cut to integers. */
static bool int_over(struct ottl_machine *machine, enum points_function function, const struct point *first, size_t count, int64_t *result)
{
    int64_t *all = ottl_alloc(machine, count * sizeof(*all));
    uint64_t sum = 0;

    if (all == NULL)
        return false;
    for (size_t i = 0; i < count; i++) {
        all[i] = int_of(&first[i]);
        sum += (uint64_t)all[i];
    }
    qsort(all, count, sizeof(*all), order_of_ints);
    int64_t median = count % 2 == 1 ? all[count / 2] : (int64_t)((uint64_t)all[count / 2 - 1] + (uint64_t)all[count / 2]) / 2;
    const int64_t results[] = { (int64_t)sum, (int64_t)sum / (int64_t)count, all[0], all[count - 1], median, (int64_t)count };
    *result = results[function];
    return true;
}

static bool put_number(
    struct ottl_machine *machine, enum points_function function, const struct point *first, size_t count, struct buffer *out)
{
    struct pb_reader reader = pb_reader_of(first->body);
    struct pb_field field;
    int64_t integer;
    double number;

    if (first->is_int) {
        if (!int_over(machine, function, first, count, &integer))
            return false;
        pb_put_fixed64(out, NUMBER_INT, (uint64_t)integer);
    } else {
        if (!double_over(machine, function, first, count, &number))
            return false;
        pb_put_double(out, NUMBER_DOUBLE, number);
    }
    while (pb_next(&reader, &field)) {
        bool own = field.number == NUMBER_INT || field.number == NUMBER_DOUBLE || field.number == START || field.number == 7;
        if (!own)
            buffer_append_slice(out, field.raw);
    }
    return true;
}

/* ---- histograms ---- */

static size_t count_of_counts(struct slice packed, bool varints)
{
    size_t count = 0;

    for (size_t i = 0; varints && i < packed.size; i++)
        count += packed.data[i] < 0x80;
    return varints ? count : packed.size / 8;
}

static void add_counts(uint64_t *counts, struct slice packed, bool varints)
{
    struct pb_reader reader = pb_reader_of(packed);
    size_t count = count_of_counts(packed, varints);

    for (size_t i = 0; i < count; i++) {
        uint64_t number;
        if (varints) {
            number = pb_varint(&reader);
        } else {
            memcpy(&number, packed.data + 8 * i, sizeof(number));
        }
        counts[i] += number;
    }
}

static struct slice counts_of(const struct point *point, uint32_t field)
{
    return field == HISTOGRAM_COUNTS ? point->counts : field == EXPONENTIAL_POSITIVE ? point->positive.counts : point->negative.counts;
}

/* The buckets of all points, added up; as the packed field `number` within what is open. */
static bool put_counts(struct ottl_machine *machine, const struct point *first, size_t count, uint32_t field, struct buffer *out)
{
    bool varints = field != HISTOGRAM_COUNTS;
    size_t most = 0;
    uint64_t *sums;

    for (size_t i = 0; i < count; i++) {
        size_t counts = count_of_counts(counts_of(&first[i], field), varints);
        most = counts > most ? counts : most;
    }
    if (most == 0)
        return true;
    sums = ottl_alloc(machine, most * sizeof(*sums));
    if (sums == NULL)
        return false;
    memset(sums, 0, most * sizeof(*sums));
    for (size_t i = 0; i < count; i++)
        add_counts(sums, counts_of(&first[i], field), varints);
    size_t mark = pb_open(out, varints ? BUCKETS_COUNTS : HISTOGRAM_COUNTS);
    for (size_t i = 0; i < most; i++) {
        if (varints)
            pb_put_raw_varint(out, sums[i]);
        else
            buffer_append(out, &sums[i], sizeof(sums[i]));
    }
    pb_close(out, mark);
    return true;
}

static bool put_buckets(struct ottl_machine *machine, const struct point *first, size_t count, uint32_t field, struct buffer *out)
{
    int64_t offset = field == EXPONENTIAL_POSITIVE ? first->positive.offset : first->negative.offset;
    size_t mark = pb_open(out, field);

    if (offset != 0)
        pb_put_varint(out, BUCKETS_OFFSET, (uint64_t)offset << 1 ^ (uint64_t)(offset >> 63));
    if (!put_counts(machine, first, count, field, out))
        return false;
    pb_close(out, mark);
    return true;
}

/* count, sum, min, max over all points. */
static void put_totals(enum otlp_metric_kind kind, const struct point *first, size_t count, struct buffer *out)
{
    bool plain = kind == OTLP_HISTOGRAM;
    struct point total = *first;

    for (size_t i = 1; i < count; i++) {
        total.count += first[i].count;
        total.zero_count += first[i].zero_count;
        total.sum += first[i].sum;
        total.min = first[i].min < total.min ? first[i].min : total.min;
        total.max = first[i].max > total.max ? first[i].max : total.max;
    }
    pb_put_fixed64(out, HISTOGRAM_COUNT, total.count);
    if ((first->present & POINT_HAS_SUM) != 0)
        pb_put_double(out, HISTOGRAM_SUM, total.sum);
    if ((first->present & POINT_HAS_MIN) != 0)
        pb_put_double(out, plain ? HISTOGRAM_MIN : EXPONENTIAL_MIN, total.min);
    if ((first->present & POINT_HAS_MAX) != 0)
        pb_put_double(out, plain ? HISTOGRAM_MAX : EXPONENTIAL_MAX, total.max);
    if (!plain && total.zero_count > 0)
        pb_put_fixed64(out, EXPONENTIAL_ZEROES, total.zero_count);
}

static bool is_total(enum otlp_metric_kind kind, uint32_t number)
{
    if (number == START || number == HISTOGRAM_COUNT || number == HISTOGRAM_SUM || number == points_attributes(kind))
        return true;
    if (kind == OTLP_HISTOGRAM)
        return number == HISTOGRAM_COUNTS || number == HISTOGRAM_EXEMPLARS || number == HISTOGRAM_MIN || number == HISTOGRAM_MAX;
    return number == EXPONENTIAL_ZEROES || number == EXPONENTIAL_POSITIVE || number == EXPONENTIAL_NEGATIVE ||
           number == EXPONENTIAL_EXEMPLARS || number == EXPONENTIAL_MIN || number == EXPONENTIAL_MAX;
}

/* The fields of the first point that are not joined, and the exemplars of all. */
static void put_rest(enum otlp_metric_kind kind, const struct point *first, size_t count, struct buffer *out)
{
    uint32_t exemplars = kind == OTLP_HISTOGRAM ? HISTOGRAM_EXEMPLARS : EXPONENTIAL_EXEMPLARS;
    struct pb_field field;

    for (size_t i = 0; i < count; i++) {
        struct pb_reader reader = pb_reader_of(first[i].body);
        while (pb_next(&reader, &field)) {
            if (field.number == exemplars || (i == 0 && !is_total(kind, field.number)))
                buffer_append_slice(out, field.raw);
        }
    }
}

static bool put_histogram(struct ottl_machine *machine, const struct point *first, size_t count, struct buffer *out)
{
    put_totals(machine->metric_kind, first, count, out);
    put_rest(machine->metric_kind, first, count, out);
    if (machine->metric_kind == OTLP_HISTOGRAM)
        return put_counts(machine, first, count, HISTOGRAM_COUNTS, out);
    return put_buckets(machine, first, count, EXPONENTIAL_POSITIVE, out) && put_buckets(machine, first, count, EXPONENTIAL_NEGATIVE, out);
}

/* ---- writing ---- */

bool points_write(struct ottl_machine *machine, enum points_function function, const struct point *first, size_t count, struct buffer *out)
{
    struct pb_reader reader = pb_reader_of(first->attributes);
    bool number = machine->metric_kind == OTLP_GAUGE || machine->metric_kind == OTLP_SUM;
    uint64_t start = first->start;
    struct pb_field field;
    size_t mark = pb_open(out, DATA_POINTS);

    while (pb_next(&reader, &field))
        pb_put_bytes(out, points_attributes(machine->metric_kind), field.bytes);
    for (size_t i = 1; i < count; i++)
        start = first[i].start < start ? first[i].start : start;
    if (start != 0)
        pb_put_fixed64(out, START, start);
    if (!(number ? put_number(machine, function, first, count, out) : put_histogram(machine, first, count, out)))
        return false;
    pb_close(out, mark);
    return true;
}
