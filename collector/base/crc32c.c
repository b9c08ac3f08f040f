/*
 * CRC-32C by the processor's own instruction where it has one (three streams at once would be faster still; one does
 * several GB/s, which is not what a disk queue waits for), else by a table of 256 entries.
 */
#include "collector/base/crc32c.h"

#include <pthread.h>

static uint32_t table[256];
static uint32_t (*implementation)(uint32_t crc, struct slice bytes);
static pthread_once_t chosen = PTHREAD_ONCE_INIT;

static uint32_t by_table(uint32_t crc, struct slice bytes)
{
    for (size_t i = 0; i < bytes.size; i++)
        crc = crc >> 8 ^ table[(crc ^ bytes.data[i]) & 0xff];
    return crc;
}

#if defined(__x86_64__)
__attribute__((target("sse4.2"))) static uint32_t by_instruction(uint32_t crc, struct slice bytes)
{
    uint64_t state = crc, word;
    size_t i = 0;

    for (; i + 8 <= bytes.size; i += 8) {
        memcpy(&word, bytes.data + i, 8);
        state = __builtin_ia32_crc32di(state, word);
    }
    for (; i < bytes.size; i++)
        state = __builtin_ia32_crc32qi((uint32_t)state, bytes.data[i]);
    return (uint32_t)state;
}
#endif

static void choose(void)
{
    for (uint32_t i = 0; i < 256; i++) {
        uint32_t value = i;

        for (int bit = 0; bit < 8; bit++)
            value = value >> 1 ^ (value & 1 ? 0x82f63b78U : 0);
        table[i] = value;
    }
    implementation = by_table;
#if defined(__x86_64__)
    if (__builtin_cpu_supports("sse4.2"))
        implementation = by_instruction;
#endif
}

uint32_t crc32c(uint32_t crc, struct slice bytes)
{
    pthread_once(&chosen, choose);
    return ~implementation(~crc, bytes);
}
