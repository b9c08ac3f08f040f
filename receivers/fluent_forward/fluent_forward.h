/* The fluent_forward receiver's parts: fluent_forward.c (settings, life), session.c (messages), handshake.c (shared key). Private to this folder. */
#ifndef WEIR_RECEIVERS_FLUENT_FORWARD_H
#define WEIR_RECEIVERS_FLUENT_FORWARD_H

#include "collector/settings.h"
#include "collector/stream_intake.h"
#include "collector/net/socket.h"
#include "collector/wire/fluent.h"

struct fluent_security {
    const char *self_hostname, *shared_key;
    struct option_pairs users;
};

struct fluent_receiver {
    struct component base;
    const char *endpoint;            /* option */
    bool tls_present;                /* option */
    struct tls_settings tls;         /* option */
    bool security_present;           /* option */
    struct fluent_security security; /* option */
    int64_t max_message_size;        /* option */

    struct stream_server *server; /* owned; NULL: not started */
};

enum fluent_stage { FLUENT_RECEIVING, FLUENT_EXPECTING_PING };

struct fluent_session {
    struct intake intake;
    struct msgpack_scan scan; /* of the first message that is not read yet */
    enum fluent_stage stage;
    uint8_t nonce[FLUENT_NONCE_SIZE], auth[FLUENT_NONCE_SIZE];
};

extern const struct stream_protocol fluent_protocol;

/* Says HELO. false: there is no randomness to be had, and the session is closed. */
bool fluent_greet(struct stream_session *session);
/* Answers a PING with PONG, and closes the session when it does not pass. */
void fluent_check_ping(struct stream_session *session, struct slice message);

#endif
