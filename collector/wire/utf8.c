/*
 * UTF-8 validity and repair.
 *
 * Cost: ASCII goes 16 bytes at a time, other characters one by one. Threads: none of its own; no state.
 */
#include "collector/wire/utf8.h"

struct sequence {
    size_t size; /* bytes of the character, or of what is bad: at least 1 */
    bool valid;
};

struct lead {
    uint8_t size;        /* of the whole character; 0: cannot begin one */
    uint8_t least, most; /* the range of its second byte */
};

static struct lead lead_of(uint8_t byte)
{
    if (byte < 0xc2)
        return (struct lead){ 0, 0, 0 };
    if (byte < 0xe0)
        return (struct lead){ 2, 0x80, 0xbf };
    if (byte < 0xf0)
        return (struct lead){ 3, byte == 0xe0 ? 0xa0 : 0x80, byte == 0xed ? 0x9f : 0xbf };
    if (byte < 0xf5)
        return (struct lead){ 4, byte == 0xf0 ? 0x90 : 0x80, byte == 0xf4 ? 0x8f : 0xbf };
    return (struct lead){ 0, 0, 0 };
}

/* What begins at a byte that is not ASCII. */
static struct sequence sequence_at(const uint8_t *at, size_t left)
{
    struct lead lead = lead_of(at[0]);
    size_t size = 1;

    if (lead.size == 0 || left < 2 || at[1] < lead.least || at[1] > lead.most)
        return (struct sequence){ 1, false };
    for (size = 2; size < lead.size; size++) {
        if (size == left || (at[size] & 0xc0) != 0x80)
            return (struct sequence){ size, false };
    }
    return (struct sequence){ size, true };
}

static size_t ascii_prefix(struct slice text)
{
    size_t i = 0;

    for (; text.size - i >= UTF8_BLOCK; i += UTF8_BLOCK) {
        uint32_t bits = utf8_high_bits(text.data + i);
        if (bits != 0)
            return i + (size_t)__builtin_ctz(bits);
    }
    while (i < text.size && text.data[i] < 0x80)
        i++;
    return i;
}

size_t utf8_valid_prefix(struct slice text)
{
    size_t i = ascii_prefix(text);

    while (i < text.size) {
        struct sequence sequence = { 1, true };
        if (text.data[i] >= 0x80)
            sequence = sequence_at(text.data + i, text.size - i);
        if (!sequence.valid)
            break;
        i += sequence.size;
    }
    return i;
}

void utf8_append_repaired(struct buffer *out, struct slice text)
{
    static const char replacement[] = "\xef\xbf\xbd";

    while (text.size > 0) {
        size_t valid = utf8_valid_prefix(text);
        buffer_append(out, text.data, valid);
        text = (struct slice){ text.data + valid, text.size - valid };
        if (text.size == 0)
            return;
        struct sequence bad = sequence_at(text.data, text.size);
        buffer_append(out, replacement, sizeof(replacement) - 1);
        text = (struct slice){ text.data + bad.size, text.size - bad.size };
    }
}
