/*
 * Cutting a request in two at a record.
 *
 * The cut is one place in the bytes, inside one message of each level down to some depth. What lies before it goes to the
 * head in long copies, what lies behind it to the tail; the messages that hold it are opened in both, and their other
 * fields (resource, scope, schema_url, a metric's name and temporality, unknown ones) stand in both.
 * Cost: a copy of the payload and some passes over the field headers on the way to the cut. Threads: none of its own; no state.
 */
#include "collector/wire/otlp.h"

enum { REQUEST, GROUP, SCOPE_GROUP, METRIC, DATA, LEVELS };

/* One message that holds the cut. */
struct level {
    struct slice body;
    struct slice child; /* whole field, in which the cut lies; on the last level it lies before it, and this is empty */
    uint32_t child_number;
    size_t children;     /* passed so far, with this one */
    size_t headers_left; /* bytes of other fields that are still to come; known only under a limit of bytes */
};

struct cut {
    enum signal signal;
    struct otlp_split_limits limits;
    struct slice payload;
    struct level levels[LEVELS];
    struct pb_reader readers[LEVELS];
    int depth; /* the last level in use */
    size_t records;
};

static bool is_child(int level, const struct pb_field *field)
{
    static const uint32_t numbers[LEVELS] = { [REQUEST] = 1, [GROUP] = 2, [SCOPE_GROUP] = 2, [DATA] = 1 };

    if (field->type != PB_BYTES)
        return false;
    if (level == METRIC)
        return field->number == OTLP_GAUGE || field->number == OTLP_SUM || field->number == OTLP_HISTOGRAM ||
               field->number == OTLP_EXPONENTIAL_HISTOGRAM || field->number == OTLP_SUMMARY;
    return field->number == numbers[level];
}

/* ---- what is not a child: stands in both parts ---- */

static size_t headers_size(int level, struct slice fields)
{
    struct pb_reader reader = pb_reader_of(fields);
    struct pb_field field;
    size_t size = 0;

    while (pb_next(&reader, &field)) {
        if (!is_child(level, &field))
            size += field.raw.size;
    }
    return size;
}

static void put_headers(struct buffer *out, int level, struct slice fields)
{
    struct pb_reader reader = pb_reader_of(fields);
    struct pb_field field;

    while (pb_next(&reader, &field)) {
        if (!is_child(level, &field))
            buffer_append_slice(out, field.raw);
    }
}

/* ---- finding the cut ---- */

static void enter(struct cut *cut, struct slice body)
{
    struct level *level = &cut->levels[cut->depth];

    cut->readers[cut->depth] = pb_reader_of(body);
    *level = (struct level){ .body = body };
    if (cut->limits.max_bytes != 0)
        level->headers_left = headers_size(cut->depth, body);
}

/* The bytes of a head that ends with this record; never less than they come to. */
static size_t head_bound(const struct cut *cut, const struct pb_field *record)
{
    size_t size = (size_t)(record->raw.data + record->raw.size - cut->payload.data);

    for (int i = 0; i <= cut->depth; i++)
        size += cut->levels[i].headers_left;
    return size;
}

static bool is_full(const struct cut *cut, const struct pb_field *record)
{
    if (cut->records == 0)
        return false;
    if (cut->limits.max_records != 0 && cut->records >= cut->limits.max_records)
        return true;
    return cut->limits.max_bytes != 0 && head_bound(cut, record) > cut->limits.max_bytes;
}

/* The cut lies before the last level's child. Before a first child is before the message that holds it. */
static void settle_on_boundary(struct cut *cut)
{
    while (cut->depth > 0 && cut->levels[cut->depth].children == 1)
        cut->depth--;
    cut->levels[cut->depth].child.size = 0;
}

/* False: everything is within the limits. */
static bool find_cut(struct cut *cut)
{
    int last = cut->signal == SIGNAL_METRICS ? DATA : SCOPE_GROUP;
    struct pb_field field;

    enter(cut, cut->payload);
    while (true) {
        struct level *level = &cut->levels[cut->depth];
        if (!pb_next(&cut->readers[cut->depth], &field)) {
            if (cut->depth-- == 0)
                return false;
            continue;
        }
        if (!is_child(cut->depth, &field)) {
            level->headers_left -= cut->limits.max_bytes != 0 ? field.raw.size : 0;
            continue;
        }
        level->child = field.raw;
        level->child_number = field.number;
        level->children++;
        if (cut->depth < last) {
            cut->depth++;
            enter(cut, field.bytes);
        } else if (!is_full(cut, &field)) {
            cut->records++;
        } else {
            settle_on_boundary(cut);
            return true;
        }
    }
}

/* ---- writing ---- */

static struct slice before_child(const struct level *level)
{
    return (struct slice){ level->body.data, (size_t)(level->child.data - level->body.data) };
}

static struct slice behind_child(const struct level *level)
{
    const uint8_t *start = level->child.data + level->child.size;

    return (struct slice){ start, (size_t)(level->body.data + level->body.size - start) };
}

static size_t field_size(uint32_t number, size_t size)
{
    return pb_varint_size((uint64_t)number << 3) + pb_varint_size(size) + size;
}

static void put_field_start(struct buffer *out, uint32_t number, size_t size)
{
    pb_put_tag(out, number, PB_BYTES);
    pb_put_raw_varint(out, size);
}

static void put_head(const struct cut *cut, struct buffer *out)
{
    size_t sizes[LEVELS];

    for (int i = cut->depth; i >= 0; i--) {
        const struct level *level = &cut->levels[i];
        size_t nested = i < cut->depth ? field_size(level->child_number, sizes[i + 1]) : 0;
        sizes[i] = before_child(level).size + nested + headers_size(i, behind_child(level));
    }
    buffer_reserve(out, sizes[0]);
    for (int i = 0; i <= cut->depth; i++) {
        if (i > 0)
            put_field_start(out, cut->levels[i - 1].child_number, sizes[i]);
        buffer_append_slice(out, before_child(&cut->levels[i]));
    }
    for (int i = cut->depth; i >= 0; i--)
        put_headers(out, i, behind_child(&cut->levels[i]));
}

static void put_tail(const struct cut *cut, struct buffer *out)
{
    size_t sizes[LEVELS];

    for (int i = cut->depth; i >= 0; i--) {
        const struct level *level = &cut->levels[i];
        size_t nested = i < cut->depth ? field_size(level->child_number, sizes[i + 1]) : 0;
        sizes[i] = headers_size(i, before_child(level)) + nested + behind_child(level).size;
    }
    buffer_reserve(out, sizes[0]);
    for (int i = 0; i <= cut->depth; i++) {
        if (i > 0)
            put_field_start(out, cut->levels[i - 1].child_number, sizes[i]);
        put_headers(out, i, before_child(&cut->levels[i]));
    }
    for (int i = cut->depth; i >= 0; i--)
        buffer_append_slice(out, behind_child(&cut->levels[i]));
}

size_t otlp_split(enum signal signal, struct slice payload, struct otlp_split_limits limits, struct buffer *head, struct buffer *tail)
{
    struct cut cut = { .signal = signal, .limits = limits, .payload = payload };

    if (limits.max_bytes >= payload.size) /* a head is never longer */
        cut.limits.max_bytes = 0;
    if (find_cut(&cut)) {
        put_head(&cut, head);
        put_tail(&cut, tail);
    } else {
        buffer_append_slice(head, payload);
    }
    return cut.records;
}
