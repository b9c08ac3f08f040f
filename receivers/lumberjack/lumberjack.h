/* The lumberjack receiver's parts: lumberjack.c (settings, life), session.c (windows and events). Private to this folder. */
#ifndef WEIR_RECEIVERS_LUMBERJACK_H
#define WEIR_RECEIVERS_LUMBERJACK_H

#include "collector/settings.h"
#include "collector/stream_intake.h"
#include "collector/wire/lumberjack.h"

struct lumberjack_receiver {
    struct component base;
    const char *endpoint;     /* option */
    bool tls_present;         /* option */
    struct tls_settings tls;  /* option */
    int64_t max_message_size; /* option */
    int64_t keepalive_ns;     /* option */

    struct stream_server *server; /* owned; NULL: not started */
};

struct lumberjack_session {
    struct intake intake;
    uint32_t window;    /* events that are still to come of the window */
    uint8_t version;    /* of the last window; 0: none yet */
    int64_t kept_alive; /* when the client last heard of us */
};

extern const struct stream_protocol lumberjack_protocol;

#endif
