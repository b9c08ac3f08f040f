/*
 * libmicrohttpd: a server span for each request, as a child of the context that the request carries. OpenTelemetry semantic
 * conventions: HTTP server spans. Link -lweir_contrib_microhttpd -lmicrohttpd -lweir.
 *
 *     static const weir_microhttpd handler = { .handler = on_request, .route = route };
 *
 *     MHD_start_daemon(flags, port, NULL, NULL, weir_microhttpd_handler, (void *)&handler,
 *         MHD_OPTION_NOTIFY_COMPLETED, weir_microhttpd_completed, (void *)&handler, MHD_OPTION_END);
 */
#ifndef WEIR_CONTRIB_MICROHTTPD_H
#define WEIR_CONTRIB_MICROHTTPD_H

#include <sys/types.h>
#include <microhttpd.h>

#include "weir/weir.h"

#ifdef __cplusplus
extern "C" {
#endif

/* The application's callbacks; must live as long as the daemon. */
typedef struct weir_microhttpd {
    MHD_AccessHandlerCallback handler;      /* called as without this wrapper, with the request's span as the current context */
    void *user;                             /* its first argument */
    MHD_RequestCompletedCallback completed; /* NULL: none; likewise, before the span ends */
    void *completed_user;
    /* The pattern that the path belongs to, "/stock/{sku}", which becomes part of the span's name; NULL, or NULL returned: unknown. */
    const char *(*route)(void *user, const char *method, const char *path);
} weir_microhttpd;

/* For MHD_start_daemon, both with the weir_microhttpd. Both are needed: the second ends the span. One allocation a request; without memory the connection is closed. */
WEIR_API enum MHD_Result weir_microhttpd_handler(void *microhttpd, struct MHD_Connection *connection, const char *url, const char *method,
    const char *version, const char *upload_data, size_t *upload_data_size, void **request);
WEIR_API void weir_microhttpd_completed(
    void *microhttpd, struct MHD_Connection *connection, void **request, enum MHD_RequestTerminationCode how);

/* The span of a request, for further attributes; `request` is the last argument of the application's handler. */
WEIR_API weir_span *weir_microhttpd_span(void **request);

#ifdef __cplusplus
}
#endif
#endif
