/*
 * Name look-up. Numeric addresses are answered at once; names cost a short-lived thread per look-up, that is
 * per new connection, not per request.
 * Threads: the look-up's own holds a reference of the shared state, so that either side may leave first.
 */
#include "collector/net/resolve.h"

#include <errno.h>
#include <netdb.h>
#include <poll.h>
#include <pthread.h>
#include <stdlib.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "collector/base/clock.h"

enum { LOOKUP_STACK = 256 * 1024 };

struct lookup {
    atomic_uint references;
    int done;          /* eventfd */
    atomic_int result; /* set last, before `done` */
    struct addrinfo *list;
    char port[16];
    char host[256];
};

static void lookup_unref(struct lookup *lookup)
{
    if (atomic_fetch_sub(&lookup->references, 1) != 1)
        return;
    if (lookup->list != NULL)
        freeaddrinfo(lookup->list);
    close(lookup->done);
    free(lookup);
}

static int ask(const char *host, const char *port, int flags, struct addrinfo **list)
{
    struct addrinfo hints = { .ai_socktype = SOCK_STREAM, .ai_flags = flags };

    return getaddrinfo(host, port, &hints, list);
}

static void *run_lookup(void *context)
{
    struct lookup *lookup = context;
    uint64_t one = 1;

    lookup->result = ask(lookup->host, lookup->port, 0, &lookup->list);
    if (write(lookup->done, &one, sizeof(one)) < 0)
        lookup->result = EAI_SYSTEM; /* can't happen to a fresh eventfd; then the other side times out */
    lookup_unref(lookup);
    return NULL;
}

static bool start_thread(struct lookup *lookup)
{
    pthread_attr_t attributes;
    pthread_t thread;
    bool started;

    atomic_fetch_add(&lookup->references, 1);
    pthread_attr_init(&attributes);
    pthread_attr_setdetachstate(&attributes, PTHREAD_CREATE_DETACHED);
    pthread_attr_setstacksize(&attributes, LOOKUP_STACK);
    started = pthread_create(&thread, &attributes, run_lookup, lookup) == 0;
    pthread_attr_destroy(&attributes);
    if (!started)
        lookup_unref(lookup);
    return started;
}

static struct lookup *lookup_start(const char *host, const char *port)
{
    struct lookup *lookup = calloc(1, sizeof(*lookup));

    if (lookup == NULL)
        return NULL;
    atomic_init(&lookup->references, 1);
    strncpy(lookup->host, host, sizeof(lookup->host) - 1);
    strncpy(lookup->port, port, sizeof(lookup->port) - 1);
    lookup->done = eventfd(0, EFD_CLOEXEC);
    if (lookup->done >= 0 && start_thread(lookup))
        return lookup;
    if (lookup->done >= 0)
        close(lookup->done);
    free(lookup);
    return NULL;
}

static void copy_addresses(const struct addrinfo *list, struct resolved *out)
{
    out->count = 0;
    for (; list != NULL && out->count < RESOLVED_MAX; list = list->ai_next) {
        if (list->ai_addrlen > sizeof(out->items[0].address))
            continue;
        memcpy(&out->items[out->count].address, list->ai_addr, list->ai_addrlen);
        out->items[out->count++].size = list->ai_addrlen;
    }
}

static bool wait_for(struct lookup *lookup, const struct stream_limits *limits, struct error *err)
{
    struct stream_limits mine = *limits;
    struct stream waiting = { .fd = lookup->done };
    unsigned ready;

    if (mine.deadline_ns == 0)
        mine.deadline_ns = clock_monotonic_nanos() + 30 * NANOS_PER_SECOND;
    ready = stream_wait(&waiting, false, &mine);
    if (ready & STREAM_READABLE)
        return lookup->result == 0 || fail(err, "could not resolve \"%s\": %s", lookup->host, gai_strerror(lookup->result));
    return fail(err, "could not resolve \"%s\": %s", lookup->host, ready & STREAM_CANCELLED ? "stopping" : "timed out");
}

bool resolve(const char *host, const char *port, const struct stream_limits *limits, struct resolved *out, struct error *err)
{
    struct addrinfo *list = NULL;
    struct lookup *lookup;
    bool found;

    if (ask(host, port, AI_NUMERICHOST | AI_NUMERICSERV, &list) == 0) {
        copy_addresses(list, out);
        freeaddrinfo(list);
        return true;
    }
    if (strlen(host) >= sizeof(lookup->host) || strlen(port) >= sizeof(lookup->port))
        return fail(err, "could not resolve \"%.80s...\": the name is too long", host);
    lookup = lookup_start(host, port);
    if (lookup == NULL)
        return fail(err, "could not resolve \"%s\": no thread to look it up", host);
    found = wait_for(lookup, limits, err);
    if (found)
        copy_addresses(lookup->list, out);
    lookup_unref(lookup);
    return found && (out->count > 0 || fail(err, "could not resolve \"%s\": no address", host));
}

void resolve_rotate(struct resolved *addresses, unsigned steps)
{
    size_t same = 0;

    while (same < addresses->count && addresses->items[same].address.ss_family == addresses->items[0].address.ss_family)
        same++;
    if (same < 2)
        return;
    for (unsigned i = 0; i < steps % same; i++) {
        struct resolved_address first = addresses->items[0];

        memmove(&addresses->items[0], &addresses->items[1], (same - 1) * sizeof(first));
        addresses->items[same - 1] = first;
    }
}
