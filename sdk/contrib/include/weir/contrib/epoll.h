/*
 * An epoll loop that keeps a context for each connection: whatever a connection's callback does belongs to the request that it
 * is about, however many requests one thread has open. Link -lweir_contrib_epoll -lweir.
 */
#ifndef WEIR_CONTRIB_EPOLL_H
#define WEIR_CONTRIB_EPOLL_H

#include <stdint.h>

#include "weir/weir.h"

#ifdef __cplusplus
extern "C" {
#endif

typedef struct weir_epoll_source weir_epoll_source;

/* Runs in the source's context. May free its own source, and no other one. */
typedef void (*weir_epoll_fn)(weir_epoll_source *source, uint32_t events);

/* A descriptor that is waited for: the first member of the application's connection, say. Must stay where it is while registered. */
struct weir_epoll_source {
    int fd;
    weir_epoll_fn ready;
    weir_ctx ctx; /* kept by weir_epoll_keep; all zero: none */
};

/*
 * Registers source->fd (EPOLL_CTL_ADD) without a context; fd and ready are set by the caller. Returns 0 or a negative errno value.
 * The source is to be ended by weir_epoll_remove, before its descriptor is closed.
 */
WEIR_API int weir_epoll_add(int epoll, weir_epoll_source *source, uint32_t events);
WEIR_API void weir_epoll_remove(int epoll, weir_epoll_source *source);

/* From the next callback on the source's context is *ctx, NULL: none. Holds a reference. Within a callback the current context stays as it is. */
WEIR_API void weir_epoll_keep(weir_epoll_source *source, const weir_ctx *ctx);

/* Waits as epoll_wait does and runs the callbacks; returns their number, 0 also after a signal, or a negative errno value. */
WEIR_API int weir_epoll_dispatch(int epoll, int timeout_ms);

#ifdef __cplusplus
}
#endif
#endif
