/* Growable bytes: capacity doubles, so that n appends copy O(n) bytes. */
#include "collector/base/buffer.h"

#include <stdio.h>
#include <stdlib.h>

void buffer_fini(struct buffer *buffer)
{
    free(buffer->data);
    memset(buffer, 0, sizeof(*buffer));
}

void buffer_clear(struct buffer *buffer)
{
    buffer->size = 0;
    buffer->failed = false;
}

bool buffer_grow(struct buffer *buffer, size_t extra)
{
    size_t need, capacity;
    uint8_t *data;

    if (buffer->failed || __builtin_add_overflow(buffer->size, extra, &need) || (buffer->limit != 0 && need > buffer->limit)) {
        buffer->failed = true;
        return false;
    }
    if (need <= buffer->capacity)
        return true;
    capacity = buffer->capacity < 64 ? 64 : buffer->capacity;
    while (capacity < need)
        capacity = capacity > SIZE_MAX / 2 ? need : capacity * 2;
    if (buffer->limit != 0 && capacity > buffer->limit)
        capacity = buffer->limit;
    data = realloc(buffer->data, capacity);
    if (data == NULL) {
        buffer->failed = true;
        return false;
    }
    buffer->data = data;
    buffer->capacity = capacity;
    return true;
}

void buffer_vprintf(struct buffer *buffer, const char *format, va_list arguments)
{
    va_list again;
    int length;

    va_copy(again, arguments);
    length = vsnprintf(NULL, 0, format, again);
    va_end(again);
    if (length < 0) {
        buffer->failed = true;
        return;
    }
    if (!buffer_reserve(buffer, (size_t)length + 1))
        return;
    vsnprintf((char *)buffer->data + buffer->size, (size_t)length + 1, format, arguments);
    buffer->size += (size_t)length;
}

void buffer_printf(struct buffer *buffer, const char *format, ...)
{
    va_list arguments;

    va_start(arguments, format);
    buffer_vprintf(buffer, format, arguments);
    va_end(arguments);
}

const char *buffer_string(struct buffer *buffer)
{
    bool failed = buffer->failed;

    buffer->failed = false;
    if (!buffer_reserve(buffer, 1)) {
        buffer->failed = true;
        return "";
    }
    buffer->failed = failed;
    buffer->data[buffer->size] = '\0';
    return (const char *)buffer->data;
}
