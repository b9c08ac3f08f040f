/*
 * TLS settings (the OpenTelemetry Collector's configtls) and the listening side's OpenSSL contexts made of them.
 *
 * With a reload_interval (client_ca_file_reload: at least every second) the files are looked at when a connection is accepted, and
 * read again when one of them has changed; files that became bad keep the old context, and that is said once.
 * Threads: accept may be called from any thread; the rest from the one that created the server.
 */
#ifndef WEIR_NET_TLS_H
#define WEIR_NET_TLS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "collector/base/error.h"

struct tls_settings {
    const char *ca_file, *ca_pem, *cert_file, *cert_pem, *key_file, *key_pem;
    const char *min_version, *max_version; /* "1.0" .. "1.3"; NULL or "": the default */
    const char *const *cipher_suites;      /* names as Go writes them (TLS_ECDHE_RSA_WITH_...) */
    size_t cipher_suite_count;
    const char *const *curve_preferences; /* X25519, P256, P384, P521 */
    size_t curve_preference_count;
    bool include_system_ca_certs_pool;
    bool include_insecure_cipher_suites;
    int64_t reload_interval_ns;
    /* client */
    bool insecure, insecure_skip_verify;
    const char *server_name_override;
    /* server */
    const char *client_ca_file; /* set: clients must show a certificate that it signed */
    bool client_ca_file_reload;
};

struct tls_server;

/* Reads every file now. NULL with the error when one is missing, not PEM, or key and certificate do not fit. Settings: borrowed. */
struct tls_server *tls_server_create(const struct tls_settings *settings, struct error *err);
/* After the last connection has been freed. NULL is fine. */
void tls_server_destroy(struct tls_server *server);

/* Which protocols are offered by ALPN, in order of preference, e.g. "h2,http/1.1". Before the first accept. */
void tls_server_set_alpn(struct tls_server *server, const char *protocols);

/*
 * An SSL (struct ssl_st *) in accepting state for one accepted connection; NULL when memory is out. Writes may be partial and their
 * buffer may move; renegotiation is off; buffers of an idle connection are given back.
 */
struct ssl_st *tls_server_accept(struct tls_server *server, int fd);

/* Checks what can be checked without reading a file: names, versions, and which keys go together. */
bool tls_settings_check(const struct tls_settings *settings, bool server, struct error *err);

#endif
