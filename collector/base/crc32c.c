/*
 * CRC-32C by the processor's own instruction where it has one, else by a table of 256 entries. The instruction takes three cycles and
 * can begin every cycle: large runs go through it as three streams side by side, whose states are then moved
 * over the bytes that follow them by a table (4 KiB, made once) and joined.
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
enum { STREAM_SIZE = 2048 };

static uint32_t moved[4][256]; /* by each byte of a state: that state after STREAM_SIZE bytes of zero */

static inline uint64_t word_at(const uint8_t *at)
{
    uint64_t word;

    memcpy(&word, at, 8);
    return word;
}

__attribute__((target("sse4.2"))) static uint32_t by_one_stream(uint32_t crc, struct slice bytes)
{
    uint64_t state = crc;
    size_t i = 0;

    for (; i + 8 <= bytes.size; i += 8)
        state = __builtin_ia32_crc32di(state, word_at(bytes.data + i));
    for (; i < bytes.size; i++)
        state = __builtin_ia32_crc32qi((uint32_t)state, bytes.data[i]);
    return (uint32_t)state;
}

/* A state is the sum of its bits, and so is what becomes of it. */
static void make_moved(void)
{
    static const uint8_t zeros[STREAM_SIZE];

    for (uint32_t bit = 0; bit < 32; bit++)
        moved[bit / 8][1 << bit % 8] = by_one_stream(UINT32_C(1) << bit, slice_of(zeros, sizeof(zeros)));
    for (size_t byte = 0; byte < 4; byte++)
        for (uint32_t value = 1; value < 256; value++)
            moved[byte][value] = moved[byte][value & (value - 1)] ^ moved[byte][value & -value];
}

static uint32_t move(uint32_t state)
{
    return moved[0][state & 0xff] ^ moved[1][state >> 8 & 0xff] ^ moved[2][state >> 16 & 0xff] ^ moved[3][state >> 24];
}

__attribute__((target("sse4.2"))) static uint32_t by_instruction(uint32_t crc, struct slice bytes)
{
    while (bytes.size >= 3 * STREAM_SIZE) {
        const uint8_t *at = bytes.data;
        uint64_t first = crc, second = 0, third = 0;

        for (size_t i = 0; i < STREAM_SIZE; i += 8) {
            first = __builtin_ia32_crc32di(first, word_at(at + i));
            second = __builtin_ia32_crc32di(second, word_at(at + STREAM_SIZE + i));
            third = __builtin_ia32_crc32di(third, word_at(at + 2 * STREAM_SIZE + i));
        }
        crc = move(move((uint32_t)first) ^ (uint32_t)second) ^ (uint32_t)third;
        bytes = slice_of(at + 3 * STREAM_SIZE, bytes.size - 3 * STREAM_SIZE);
    }
    return by_one_stream(crc, bytes);
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
    if (__builtin_cpu_supports("sse4.2")) {
        make_moved();
        implementation = by_instruction;
    }
#endif
}

uint32_t crc32c(uint32_t crc, struct slice bytes)
{
    pthread_once(&chosen, choose);
    return ~implementation(~crc, bytes);
}
