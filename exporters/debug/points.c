/* Points are read by field numbers, which differ between the three kinds. */
#include "exporters/debug/points.h"

#include <stdlib.h>

/* Field numbers of one kind; 0: it has none. */
struct layout {
    enum otlp_attributes_field attributes;
    uint32_t sum, min, max, scale, zero_count, positive, negative, exemplars;
    bool always_has_sum;
};

static const struct layout *layout_of(enum otlp_metric_kind kind)
{
    static const struct layout histogram = { OTLP_ATTRIBUTES_OF_HISTOGRAM_POINT, .sum = 5, .min = 11, .max = 12, .exemplars = 8 };
    static const struct layout exponential = { OTLP_ATTRIBUTES_OF_EXPONENTIAL_POINT, .sum = 5, .min = 12, .max = 13, .scale = 6,
        .zero_count = 7, .positive = 8, .negative = 9, .exemplars = 11 };
    static const struct layout summary = { OTLP_ATTRIBUTES_OF_SUMMARY_POINT, .sum = 5, .always_has_sum = true };

    return kind == OTLP_HISTOGRAM ? &histogram : kind == OTLP_EXPONENTIAL_HISTOGRAM ? &exponential : &summary;
}

/* From -10 to 20 in practice; far enough out all buckets are 0 or infinite, so nothing is lost at the ends. */
static int32_t clamp_scale(int64_t scale)
{
    return scale < -2000 ? -2000 : scale > 2000 ? 2000 : (int32_t)scale;
}

static void view_number(const struct layout *layout, const struct pb_field *field, struct distribution *out)
{
    if (field->number == 2) {
        out->start_time = field->scalar;
    } else if (field->number == 3) {
        out->time = field->scalar;
    } else if (field->number == 4) {
        out->count = field->scalar;
    } else if (field->number == layout->sum) {
        out->sum = pb_double(field->scalar);
        out->has_sum = true;
    } else if (field->number == layout->min) {
        out->min = pb_double(field->scalar);
        out->has_min = true;
    } else if (field->number == layout->max) {
        out->max = pb_double(field->scalar);
        out->has_max = true;
    } else if (field->number == layout->scale) {
        out->scale = clamp_scale(pb_zigzag_decode(field->scalar));
    } else if (field->number == layout->zero_count) {
        out->zero_count = field->scalar;
    }
}

void distribution_view(enum otlp_metric_kind kind, struct slice body, struct distribution *out)
{
    const struct layout *layout = layout_of(kind);
    struct pb_reader reader = pb_reader_of(body);
    struct pb_field field;

    *out = (struct distribution){
        .body = body, .attributes = layout->attributes, .exemplars = layout->exemplars, .has_sum = layout->always_has_sum
    };
    while (pb_next(&reader, &field)) {
        if (field.type != PB_BYTES)
            view_number(layout, &field, out);
        else if (field.number == layout->positive)
            out->positive = field.bytes;
        else if (field.number == layout->negative)
            out->negative = field.bytes;
    }
}

struct numbers numbers_of(struct slice message, uint32_t field, bool varint)
{
    return (struct numbers){ pb_reader_of(message), pb_reader_of(SLICE("")), field, varint };
}

static bool next_packed(struct numbers *numbers, uint64_t *value)
{
    struct pb_reader *inner = &numbers->inner;

    if (inner->failed || inner->at == inner->end)
        return false;
    if (numbers->varint) {
        *value = pb_varint(inner);
        return !inner->failed;
    }
    if (inner->end - inner->at < 8)
        return false;
    memcpy(value, inner->at, 8);
    inner->at += 8;
    return true;
}

bool numbers_next(struct numbers *numbers, uint64_t *value)
{
    struct pb_field field;

    while (!next_packed(numbers, value)) {
        if (!pb_next(&numbers->outer, &field))
            return false;
        if (field.number != numbers->field)
            continue;
        if (field.type == PB_BYTES) {
            numbers->inner = pb_reader_of(field.bytes);
            continue;
        }
        *value = field.scalar;
        return true;
    }
    return true;
}

uint64_t *buckets_dup_counts(struct slice buckets, size_t *count)
{
    struct numbers numbers = numbers_of(buckets, 2, true);
    uint64_t value, *counts;
    size_t most = 0;

    *count = 0;
    while (numbers_next(&numbers, &value))
        most++;
    counts = most > 0 ? calloc(most, sizeof(*counts)) : NULL;
    numbers = numbers_of(buckets, 2, true);
    while (counts != NULL && *count < most && numbers_next(&numbers, &counts[*count]))
        ++*count;
    return counts;
}

int32_t buckets_offset(struct slice buckets)
{
    struct pb_reader reader = pb_reader_of(buckets);
    struct pb_field field;
    int32_t offset = 0;

    while (pb_next(&reader, &field))
        if (field.number == 1 && field.type == PB_VARINT)
            offset = (int32_t)pb_zigzag_decode(field.scalar);
    return offset;
}
