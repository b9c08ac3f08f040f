/* What the contexts of both sides have in common. */
#ifndef WEIR_NET_TLS_CONTEXT_H
#define WEIR_NET_TLS_CONTEXT_H

#include "collector/net/tls.h"

struct ssl_ctx_st;

/* Versions, cipher suites, curves and modes; opens no file. */
bool tls_context_configure(struct ssl_ctx_st *context, const struct tls_settings *settings, struct error *err);

/* Certificate chain and key, from files or PEM text. Neither is fine. */
bool tls_context_load_identity(struct ssl_ctx_st *context, const struct tls_settings *settings, struct error *err);

/* Adds the certificates of a file or of PEM text (NULL or "": none) to those that peers are verified by. */
bool tls_context_add_authorities(struct ssl_ctx_st *context, const char *file, const char *pem, struct error *err);

/* "could not use the TLS key "x": OpenSSL's reason"; returns false. */
bool tls_fail(struct error *err, const char *what, const char *name);

static inline bool tls_is_set(const char *text)
{
    return text != NULL && *text != '\0';
}

#endif
