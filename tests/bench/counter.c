/*
 * The streaming record counter: a state machine over tags and lengths, so that the sink needs no buffer for a body
 * and its memory stays flat.
 */
#include "tests/bench/counter.h"

#include <stdlib.h>
#include <string.h>

enum phase { PHASE_TAG, PHASE_LENGTH, PHASE_VARINT, PHASE_SKIP, PHASE_CAPTURE };

enum depth { DEPTH_REQUEST, DEPTH_GROUP, DEPTH_SCOPE_GROUP, DEPTH_METRIC, DEPTH_DATA, DEPTH_RECORD };

enum { TRACKER_MAX = 1 << 28 };

void tracker_fini(struct tracker *tracker)
{
    free(tracker->seen);
    *tracker = (struct tracker){ 0 };
}

static bool tracker_grow(struct tracker *tracker, uint64_t stamp)
{
    size_t capacity = tracker->capacity > 0 ? tracker->capacity : 1 << 20;

    while (capacity <= stamp)
        capacity *= 2;
    uint8_t *seen = realloc(tracker->seen, capacity / 8);
    if (seen == NULL)
        return false;
    memset(seen + tracker->capacity / 8, 0, (capacity - tracker->capacity) / 8);
    tracker->seen = seen;
    tracker->capacity = capacity;
    return true;
}

void tracker_note(struct tracker *tracker, uint64_t stamp)
{
    if (stamp >= TRACKER_MAX || (stamp >= tracker->capacity && !tracker_grow(tracker, stamp))) {
        tracker->foreign++;
        return;
    }
    uint8_t bit = (uint8_t)(1 << (stamp & 7));
    if (tracker->seen[stamp / 8] & bit)
        tracker->doubled++;
    else
        tracker->distinct++;
    tracker->seen[stamp / 8] |= bit;
}

void counter_init(struct counter *counter, enum bench_signal signal, struct tracker *tracker)
{
    *counter = (struct counter){ .signal = signal, .tracker = tracker };
    counter->left[DEPTH_REQUEST] = UINT64_MAX;
}

bool counter_at_end(const struct counter *counter)
{
    return !counter->broken && counter->depth == DEPTH_REQUEST && counter->phase == PHASE_TAG && counter->shift == 0;
}

/* The depth that this length-delimited field opens, or -1: it is passed over. */
static int opens(const struct counter *counter)
{
    bool metrics = counter->signal == BENCH_METRICS;
    uint32_t field = counter->field;

    switch (counter->depth) {
    case DEPTH_REQUEST:
        return field == 1 ? DEPTH_GROUP : -1;
    case DEPTH_GROUP:
        return field == 2 ? DEPTH_SCOPE_GROUP : -1;
    case DEPTH_SCOPE_GROUP:
        return field != 2 ? -1 : metrics ? DEPTH_METRIC : DEPTH_RECORD;
    case DEPTH_METRIC:
        return field == 5 || field == 7 || (field >= 9 && field <= 11) ? DEPTH_DATA : -1;
    case DEPTH_DATA:
        return field == 1 ? DEPTH_RECORD : -1;
    default:
        return -1;
    }
}

static void close_messages(struct counter *counter)
{
    while (counter->depth > DEPTH_REQUEST && counter->left[counter->depth] == 0) {
        /* Spans come here without metrics' two depths between. */
        if (counter->depth == DEPTH_RECORD && counter->signal != BENCH_METRICS)
            counter->depth = DEPTH_SCOPE_GROUP;
        else
            counter->depth--;
    }
    counter->phase = PHASE_TAG;
}

static void open_message(struct counter *counter, int depth, uint64_t length)
{
    if (depth == DEPTH_RECORD) {
        counter->records++;
        if (counter->tracker == NULL) {
            counter->phase = PHASE_SKIP;
            counter->skip = length;
            return;
        }
    }
    counter->left[counter->depth] -= length;
    counter->depth = depth;
    counter->left[depth] = length;
    close_messages(counter);
}

static void pass_over(struct counter *counter, uint64_t length)
{
    counter->broken = length > counter->left[counter->depth];
    counter->skip = length;
    counter->phase = PHASE_SKIP;
}

static void length_read(struct counter *counter, uint64_t length)
{
    int depth = opens(counter);
    uint32_t trace_id = counter->signal == BENCH_TRACES ? 1 : 9;

    if (length > counter->left[counter->depth]) {
        counter->broken = true;
    } else if (depth >= 0) {
        open_message(counter, depth, length);
    } else if (counter->depth == DEPTH_RECORD && counter->signal != BENCH_METRICS && counter->field == trace_id && length == 16) {
        counter->phase = PHASE_CAPTURE;
        counter->captured_size = 0;
        counter->captured_wanted = 16;
    } else {
        pass_over(counter, length);
    }
}

static void tag_read(struct counter *counter, uint64_t tag)
{
    counter->field = (uint32_t)(tag >> 3);
    switch (tag & 7) {
    case 0:
        counter->phase = PHASE_VARINT;
        break;
    case 1:
        pass_over(counter, 8);
        if (counter->depth == DEPTH_RECORD && counter->signal == BENCH_METRICS && counter->field == 6) {
            counter->phase = PHASE_CAPTURE;
            counter->captured_size = 0;
            counter->captured_wanted = 8;
        }
        break;
    case 2:
        counter->phase = PHASE_LENGTH;
        break;
    case 5:
        pass_over(counter, 4);
        break;
    default:
        counter->broken = true;
    }
}

static void varint_byte(struct counter *counter, uint8_t byte)
{
    counter->left[counter->depth]--;
    counter->varint |= (uint64_t)(byte & 0x7f) << counter->shift;
    counter->shift += 7;
    if (byte & 0x80) {
        counter->broken = counter->shift > 63 || counter->left[counter->depth] == 0;
        return;
    }
    uint64_t value = counter->varint;
    counter->varint = 0;
    counter->shift = 0;
    if (counter->phase == PHASE_TAG)
        tag_read(counter, value);
    else if (counter->phase == PHASE_LENGTH)
        length_read(counter, value);
    else
        close_messages(counter);
    if (counter->phase == PHASE_SKIP && counter->skip == 0)
        close_messages(counter);
}

static size_t skip_bytes(struct counter *counter, size_t size)
{
    size_t n = counter->skip < size ? (size_t)counter->skip : size;

    counter->skip -= n;
    counter->left[counter->depth] -= n;
    if (counter->skip == 0)
        close_messages(counter);
    return n;
}

static size_t capture_bytes(struct counter *counter, const uint8_t *data, size_t size)
{
    unsigned missing = counter->captured_wanted - counter->captured_size;
    unsigned n = missing < size ? missing : (unsigned)size;

    memcpy(counter->captured + counter->captured_size, data, n);
    counter->captured_size += n;
    counter->left[counter->depth] -= n;
    if (n == missing) {
        uint64_t stamp;
        memcpy(&stamp, counter->captured + counter->captured_wanted - 8, sizeof(stamp));
        tracker_note(counter->tracker, stamp);
        close_messages(counter);
    }
    return n;
}

void counter_feed(struct counter *counter, const uint8_t *data, size_t size)
{
    while (size > 0 && !counter->broken) {
        size_t used = 1;
        if (counter->phase == PHASE_SKIP)
            used = skip_bytes(counter, size);
        else if (counter->phase == PHASE_CAPTURE)
            used = capture_bytes(counter, data, size);
        else
            varint_byte(counter, *data);
        data += used;
        size -= used;
    }
}
