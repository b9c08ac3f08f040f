/* Arena: blocks linked newest first; a large request gets a block of its own. */
#include "collector/base/arena.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

struct arena_block {
    struct arena_block *next;
    size_t used, capacity;
    max_align_t data[];
};

void arena_fini(struct arena *arena)
{
    struct arena_block *block = arena->blocks;

    while (block != NULL) {
        struct arena_block *next = block->next;
        free(block);
        block = next;
    }
    arena->blocks = NULL;
}

static struct arena_block *add_block(struct arena *arena, size_t size)
{
    size_t capacity = arena->block_size != 0 ? arena->block_size : 4096 - sizeof(struct arena_block);
    struct arena_block *block;

    if (capacity < size)
        capacity = size;
    block = calloc(1, sizeof(*block) + capacity);
    if (block == NULL)
        abort();
    block->capacity = capacity;
    block->next = arena->blocks;
    arena->blocks = block;
    return block;
}

void *arena_alloc(struct arena *arena, size_t size)
{
    const size_t align = sizeof(max_align_t);
    struct arena_block *block = arena->blocks;
    void *memory;

    if (size > SIZE_MAX - align - sizeof(struct arena_block))
        abort();
    size = (size + align - 1) / align * align;
    if (block == NULL || block->capacity - block->used < size)
        block = add_block(arena, size);
    memory = (uint8_t *)block->data + block->used;
    block->used += size;
    return memory;
}

char *arena_string(struct arena *arena, struct slice s)
{
    char *copy = arena_alloc(arena, s.size + 1);

    if (s.size > 0)
        memcpy(copy, s.data, s.size);
    return copy;
}

char *arena_printf(struct arena *arena, const char *format, ...)
{
    va_list arguments;
    char *text;
    int length;

    va_start(arguments, format);
    length = vsnprintf(NULL, 0, format, arguments);
    va_end(arguments);
    if (length < 0)
        abort();
    text = arena_alloc(arena, (size_t)length + 1);
    va_start(arguments, format);
    vsnprintf(text, (size_t)length + 1, format, arguments);
    va_end(arguments);
    return text;
}
