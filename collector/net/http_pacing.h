/*
 * Pacing within the HTTP server: a connection that is about to begin a request waits, for a moment, while more bytes are being read or
 * are on their way out than is of use. Memory stays small under pressure, and fewer bodies at a time stay in the processor's
 * caches. It never refuses: whoever waited long enough goes on. HTTP/1.1 only; HTTP/2 has its windows.
 */
#ifndef WEIR_NET_HTTP_PACING_H
#define WEIR_NET_HTTP_PACING_H

#include "collector/net/http_connection.h"

/* Bytes that are readable belong to a new request: true when they are left for later. */
bool http_pacing_parks(struct http_connection *connection);
/* The connection closes. */
void http_pacing_forget(struct http_connection *connection);
/* Bodies that are being read grew or came to their end. */
void http_pacing_count(struct http_shard *shard, int64_t bytes);

#endif
