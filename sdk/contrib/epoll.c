/*
 * The loop: one attach and one detach around each callback, at most 64 events a call, no allocation.
 * Threads: one at a time for an epoll descriptor and its sources.
 */
#include "weir/contrib/epoll.h"

#include <errno.h>
#include <sys/epoll.h>

enum { EVENTS_MAX = 64 };

int weir_epoll_add(int epoll, weir_epoll_source *source, uint32_t events)
{
    struct epoll_event event = { .events = events, .data.ptr = source };

    memset(&source->ctx, 0, sizeof(source->ctx));
    return epoll_ctl(epoll, EPOLL_CTL_ADD, source->fd, &event) == 0 ? 0 : -errno;
}

void weir_epoll_remove(int epoll, weir_epoll_source *source)
{
    epoll_ctl(epoll, EPOLL_CTL_DEL, source->fd, NULL);
    weir_epoll_keep(source, NULL);
}

void weir_epoll_keep(weir_epoll_source *source, const weir_ctx *ctx)
{
    weir_ctx before = source->ctx;

    if (ctx != NULL) {
        source->ctx = *ctx;
        weir_ctx_ref(&source->ctx);
    } else {
        memset(&source->ctx, 0, sizeof(source->ctx));
    }
    weir_ctx_unref(&before);
}

int weir_epoll_dispatch(int epoll, int timeout_ms)
{
    struct epoll_event events[EVENTS_MAX];
    int count = epoll_wait(epoll, events, EVENTS_MAX, timeout_ms);

    if (count < 0)
        return errno == EINTR ? 0 : -errno;
    for (int i = 0; i < count; i++) {
        weir_epoll_source *source = (weir_epoll_source *)events[i].data.ptr;
        weir_ctx previous = weir_ctx_attach(&source->ctx);
        source->ready(source, events[i].events); /* which may free it */
        weir_ctx_detach(&previous);
    }
    return count;
}
