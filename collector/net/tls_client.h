/*
 * The connecting side of TLS: an OpenSSL context made of tls_settings, with the peer's name verified.
 * Without files or other settings the context is made at the first connection: OpenSSL and the system's certificates are 4 MB.
 */
#ifndef WEIR_NET_TLS_CLIENT_H
#define WEIR_NET_TLS_CLIENT_H

#include "collector/base/slice.h"
#include "collector/net/tls.h"

struct tls_client;

/* Reads the files that are named, to tell now what is wrong with them. settings NULL: defaults; borrowed as long as the client. */
struct tls_client *tls_client_create(const struct tls_settings *settings, struct error *err);
void tls_client_destroy(struct tls_client *client);

/*
 * A connection's SSL in connecting state, from any thread: asks for and verifies `server_name` (a name or an address; the settings'
 * server_name_override goes first). alpn: wire format; size 0: none. NULL when memory is out, or the files went bad.
 */
struct ssl_st *tls_client_connection(struct tls_client *client, int fd, const char *server_name, struct slice alpn);

#endif
