/*
 * Hashing eight bytes at a time with multiply-and-fold (128-bit product, halves xored), and the xoshiro256** generator.
 * The seed comes from the kernel at first use, so that nobody outside can choose colliding keys.
 */
#include "collector/base/hash.h"

#include <pthread.h>
#include <sys/random.h>

#include "collector/base/clock.h"

static uint64_t seed;
static pthread_once_t seeded = PTHREAD_ONCE_INIT;

static void make_seed(void)
{
    if (getrandom(&seed, sizeof(seed), GRND_NONBLOCK) != (ssize_t)sizeof(seed))
        seed = (uint64_t)clock_monotonic_nanos() ^ clock_wall_nanos() << 20;
}

__extension__ typedef unsigned __int128 wide;

static uint64_t fold(uint64_t a, uint64_t b)
{
    wide product = (wide)(a ^ 0x9e3779b97f4a7c15U) * (b ^ 0xd1b54a32d192ed03U);

    return (uint64_t)product ^ (uint64_t)(product >> 64);
}

uint64_t hash_combine(uint64_t a, uint64_t b)
{
    return fold(a, b);
}

uint64_t hash_bytes(struct slice s)
{
    uint64_t state, word;
    size_t i = 0;

    pthread_once(&seeded, make_seed);
    state = seed ^ s.size;
    for (; i + 8 <= s.size; i += 8) {
        memcpy(&word, s.data + i, 8);
        state = fold(state, word);
    }
    if (i < s.size) {
        word = 0;
        memcpy(&word, s.data + i, s.size - i);
        state = fold(state, word);
    }
    return fold(state, (uint64_t)s.size);
}

static uint64_t rotate(uint64_t value, int by)
{
    return value << by | value >> (64 - by);
}

uint64_t random_next(void)
{
    static _Thread_local uint64_t state[4];
    uint64_t result, shifted;

    if ((state[0] | state[1] | state[2] | state[3]) == 0) {
        if (getrandom(state, sizeof(state), GRND_NONBLOCK) != (ssize_t)sizeof(state))
            state[0] = hash_combine((uint64_t)clock_monotonic_nanos(), (uint64_t)(uintptr_t)state) | 1;
    }
    result = rotate(state[1] * 5, 7) * 9;
    shifted = state[1] << 17;
    state[2] ^= state[0];
    state[3] ^= state[1];
    state[1] ^= state[2];
    state[0] ^= state[3];
    state[2] ^= shifted;
    state[3] = rotate(state[3], 45);
    return result;
}

double random_unit(void)
{
    return (double)(random_next() >> 11) * 0x1.0p-53;
}
