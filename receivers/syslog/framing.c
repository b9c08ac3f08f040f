/* Framing. Each byte is looked at once, however the bytes come. */
#include "receivers/syslog/framing.h"

enum { COUNT_DIGITS_MAX = 10 };

static enum frame_read read_line(const struct framing *framing, struct slice bytes, size_t *scanned, struct frame *frame)
{
    uint8_t last = framing->kind == FRAMING_NUL ? '\0' : '\n';
    size_t limit = bytes.size < framing->max_size + 1 ? bytes.size : framing->max_size + 1;
    const uint8_t *found = *scanned < limit ? memchr(bytes.data + *scanned, last, limit - *scanned) : NULL;

    if (found == NULL && limit <= framing->max_size) {
        *scanned = limit;
        return FRAME_MORE;
    }
    frame->text = slice_of(bytes.data, found != NULL ? (size_t)(found - bytes.data) : framing->max_size);
    frame->message = frame->text;
    frame->size = frame->text.size + (found != NULL);
    *scanned = 0;
    return FRAME_WHOLE;
}

static enum frame_read read_counted(const struct framing *framing, struct slice bytes, struct frame *frame)
{
    size_t count = 0, at = 0;

    while (at < bytes.size && at <= COUNT_DIGITS_MAX && bytes.data[at] >= '0' && bytes.data[at] <= '9')
        count = count * 10 + (size_t)(bytes.data[at++] - '0');
    if (at > COUNT_DIGITS_MAX || count > framing->max_octets)
        return FRAME_BAD;
    if (at == bytes.size)
        return FRAME_MORE;
    if (bytes.data[at] != ' ' || bytes.data[0] == '0')
        return FRAME_BAD;
    at++;
    if (bytes.size - at < count)
        return FRAME_MORE;
    *frame = (struct frame){ slice_of(bytes.data, at + count), slice_of(bytes.data + at, count), at + count };
    return FRAME_WHOLE;
}

enum frame_read frame_read(const struct framing *framing, struct slice bytes, size_t *scanned, struct frame *frame)
{
    bool counted = framing->kind == FRAMING_OCTETS && bytes.size > 0 && bytes.data[0] >= '0' && bytes.data[0] <= '9';

    return counted ? read_counted(framing, bytes, frame) : read_line(framing, bytes, scanned, frame);
}
