/* Within the stream server: its shards and sessions. Private to stream_server.c and stream_session.c. */
#ifndef WEIR_NET_STREAM_SESSION_H
#define WEIR_NET_STREAM_SESSION_H

#include <pthread.h>
#include <stdatomic.h>

#include "collector/base/buffer.h"
#include "collector/net/socket.h"
#include "collector/net/stream_server.h"
#include "collector/net/transport.h"

struct stream_shard {
    struct stream_server *server;
    struct loop *loop;
    struct stream_session *sessions;
    atomic_size_t load; /* sessions, for whoever accepts */
    struct loop_timer *timer;
    bool ticking, draining;
};

struct stream_server {
    struct loop_watch watch; /* first, so that a watch is a server: the listening socket */
    struct stream_server_settings settings;
    struct stream_service service;
    char *endpoint;
    bool watching;
    struct tls_server *tls;
    pthread_mutex_t lock;
    pthread_cond_t emptied;
    size_t shard_count;
    struct stream_shard shards[];
};

struct stream_session {
    struct loop_watch watch; /* first, so that a watch is a session */
    struct loop_task task;   /* delivers again */
    atomic_uint references;
    struct stream_shard *shard;
    struct loop *loop;
    struct stream_session *previous, *next;
    struct transport transport;
    uint32_t events; /* watched */
    bool waiting, ended, told_end, busy, closing, closed, task_posted, unwatched;
    struct buffer in, out; /* bytes not used yet; output that the socket did not take, from out_sent on */
    size_t out_sent;
    int64_t opened_at, read_at, out_progress;
    char peer[SOCKET_PEER_SIZE];
    _Alignas(max_align_t) uint8_t state[];
};

/* Takes the socket, which is in the shard's load already. */
void stream_session_open(struct stream_shard *shard, int fd, const char *peer);
void stream_shard_keep_ticking(struct stream_shard *shard);
void stream_shard_drain(struct stream_shard *shard);
void stream_shard_stop(struct stream_shard *shard);
void stream_server_resume_accepting(struct stream_server *server);

#endif
