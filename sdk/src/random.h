/* Random ids: xoshiro256++ seeded from the kernel, one state a thread. Not for secrets. */
#ifndef WEIR_SDK_RANDOM_H
#define WEIR_SDK_RANDOM_H

#include <stdint.h>
#include <string.h>

struct random {
    uint64_t s[4];
};

/* From getrandom(2); when that fails, from clocks, process and thread ids and addresses. */
void random_seed(struct random *random);

static inline uint64_t random_rotate(uint64_t x, int k)
{
    return x << k | x >> (64 - k);
}

static inline uint64_t random_word(struct random *random)
{
    uint64_t *s = random->s;
    uint64_t result = random_rotate(s[0] + s[3], 23) + s[0];
    uint64_t t = s[1] << 17;

    s[2] ^= s[0];
    s[3] ^= s[1];
    s[1] ^= s[2];
    s[0] ^= s[3];
    s[2] ^= t;
    s[3] = random_rotate(s[3], 45);
    return result;
}

/* Never 0, as ids must not be. */
static inline uint64_t random_id_word(struct random *random)
{
    uint64_t word;

    do
        word = random_word(random);
    while (__builtin_expect(word == 0, 0));
    return word;
}

#endif
