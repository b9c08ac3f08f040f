/*
 * A growable run of bytes. Appending never fails at once: when memory runs out, or `limit`
 * would be passed, `failed` sticks, further appends do nothing, and the owner checks once at the end.
 */
#ifndef WEIR_BASE_BUFFER_H
#define WEIR_BASE_BUFFER_H

#include <stdarg.h>

#include "collector/base/slice.h"

struct buffer {
    uint8_t *data;
    size_t size;
    size_t capacity;
    size_t limit; /* 0: none; a buffer never grows beyond it */
    bool failed;
};

/* Frees the memory and zeroes the buffer; fini of a zeroed buffer is fine. */
void buffer_fini(struct buffer *buffer);

/* Forgets the content and the failure, keeps the memory. */
void buffer_clear(struct buffer *buffer);

/* Makes room for `extra` more bytes; false (and failed) when that is not possible. */
bool buffer_grow(struct buffer *buffer, size_t extra);

static inline bool buffer_reserve(struct buffer *buffer, size_t extra)
{
    if (__builtin_expect(buffer->capacity - buffer->size >= extra && !buffer->failed, 1))
        return true;
    return buffer_grow(buffer, extra);
}

static inline void buffer_append(struct buffer *buffer, const void *data, size_t size)
{
    if (size == 0 || !buffer_reserve(buffer, size))
        return;
    memcpy(buffer->data + buffer->size, data, size);
    buffer->size += size;
}

static inline void buffer_append_slice(struct buffer *buffer, struct slice s)
{
    buffer_append(buffer, s.data, s.size);
}

static inline void buffer_append_byte(struct buffer *buffer, uint8_t byte)
{
    if (buffer_reserve(buffer, 1))
        buffer->data[buffer->size++] = byte;
}

static inline void buffer_append_string(struct buffer *buffer, const char *text)
{
    buffer_append(buffer, text, strlen(text));
}

void buffer_printf(struct buffer *buffer, const char *format, ...) __attribute__((format(printf, 2, 3)));
void buffer_vprintf(struct buffer *buffer, const char *format, va_list arguments);

static inline struct slice buffer_slice(const struct buffer *buffer)
{
    return (struct slice){ buffer->data, buffer->size };
}

/* The content as a NUL-terminated string, valid until the next change; "" when nothing could be allocated. */
const char *buffer_string(struct buffer *buffer);

#endif
