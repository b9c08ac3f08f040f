/* Seeds. One system call for each thread's first record, and one after a fork. Threads: any. */
#include "sdk/src/random.h"

#include <pthread.h>
#include <sys/random.h>
#include <time.h>
#include <unistd.h>

static uint64_t mix(uint64_t x)
{
    x += UINT64_C(0x9e3779b97f4a7c15);
    x = (x ^ x >> 30) * UINT64_C(0xbf58476d1ce4e5b9);
    x = (x ^ x >> 27) * UINT64_C(0x94d049bb133111eb);
    return x ^ x >> 31;
}

void random_seed(struct random *random)
{
    struct timespec now;

    if (getrandom(random->s, sizeof(random->s), GRND_NONBLOCK) == (ssize_t)sizeof(random->s) && (random->s[0] | random->s[1]) != 0)
        return;
    clock_gettime(CLOCK_REALTIME, &now);
    uint64_t seed = mix((uint64_t)now.tv_nsec ^ (uint64_t)now.tv_sec << 30) ^ mix((uint64_t)getpid()) ^ (uint64_t)(uintptr_t)random;
    for (int i = 0; i < 4; i++)
        random->s[i] = seed = mix(seed ^ (uint64_t)pthread_self());
}
