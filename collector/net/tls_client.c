/*
 * TLS client contexts. Files are read again when `reload_interval` has passed at the next connection; files that became
 * bad keep the old context, and that is said.
 * Threads: the context is replaced under a lock; connections hold a reference of theirs (OpenSSL's).
 */
#include "collector/net/tls_client.h"

#include <arpa/inet.h>
#include <openssl/ssl.h>
#include <openssl/x509v3.h>
#include <pthread.h>
#include <stdlib.h>

#include "collector/base/clock.h"
#include "collector/base/log.h"
#include "collector/net/tls_context.h"

struct tls_client {
    const struct tls_settings *settings; /* borrowed */
    pthread_mutex_t lock;
    SSL_CTX *context; /* owned; NULL until the first connection */
    int64_t made_ns;
};

static const struct tls_settings defaults;

static bool configure(SSL_CTX *context, const struct tls_settings *settings, struct error *err)
{
    bool own = tls_is_set(settings->ca_file) || tls_is_set(settings->ca_pem);

    if (!tls_context_configure(context, settings, err) || !tls_context_load_identity(context, settings, err) ||
        !tls_context_add_authorities(context, settings->ca_file, settings->ca_pem, err))
        return false;
    if (!settings->insecure_skip_verify && (!own || settings->include_system_ca_certs_pool))
        SSL_CTX_set_default_verify_paths(context);
    SSL_CTX_set_verify(context, settings->insecure_skip_verify ? SSL_VERIFY_NONE : SSL_VERIFY_PEER, NULL);
    return true;
}

static SSL_CTX *make_context(const struct tls_settings *settings, struct error *err)
{
    SSL_CTX *context = SSL_CTX_new(TLS_client_method());

    if (context == NULL) {
        fail(err, "TLS: out of memory");
        return NULL;
    }
    if (configure(context, settings, err))
        return context;
    SSL_CTX_free(context);
    return NULL;
}

/* Nothing that could be wrong: OpenSSL, 2.5 MB once it is set up, need not be asked before there is a connection. */
static bool is_plain(const struct tls_settings *settings)
{
    const char *texts[] = { settings->ca_file, settings->ca_pem, settings->cert_file, settings->cert_pem, settings->key_file,
        settings->key_pem };

    for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++)
        if (tls_is_set(texts[i]))
            return false;
    if (tls_is_set(settings->min_version) && strcmp(settings->min_version, "1.2") != 0)
        return false;
    return !tls_is_set(settings->max_version) && settings->cipher_suite_count == 0 && settings->curve_preference_count == 0;
}

struct tls_client *tls_client_create(const struct tls_settings *settings, struct error *err)
{
    struct tls_client *client;

    if (settings == NULL)
        settings = &defaults;
    client = calloc(1, sizeof(*client));
    if (client == NULL)
        abort();
    client->settings = settings;
    pthread_mutex_init(&client->lock, NULL);
    if (is_plain(settings))
        return client;
    if (tls_settings_check(settings, false, err))
        client->context = make_context(settings, err);
    client->made_ns = clock_monotonic_nanos();
    if (client->context != NULL)
        return client;
    tls_client_destroy(client);
    return NULL;
}

void tls_client_destroy(struct tls_client *client)
{
    if (client == NULL)
        return;
    SSL_CTX_free(client->context);
    pthread_mutex_destroy(&client->lock);
    free(client);
}

static SSL_CTX *current_context_locked(struct tls_client *client)
{
    int64_t now = clock_monotonic_nanos();
    struct error err = { "" };
    SSL_CTX *fresh;

    if (client->context != NULL &&
        (client->settings->reload_interval_ns <= 0 || now - client->made_ns < client->settings->reload_interval_ns))
        return client->context;
    fresh = make_context(client->settings, &err);
    client->made_ns = now;
    if (fresh == NULL) {
        log_warn(NULL, "TLS files could not be read again, those from before stay in use: %s", err.message);
        return client->context;
    }
    SSL_CTX_free(client->context);
    client->context = fresh;
    return fresh;
}

static bool is_address(const char *name)
{
    struct in6_addr address;

    return inet_pton(AF_INET, name, &address) == 1 || inet_pton(AF_INET6, name, &address) == 1;
}

static bool prepare(SSL *ssl, int fd, const char *name, struct slice alpn)
{
    if (SSL_set_fd(ssl, fd) != 1)
        return false;
    if (is_address(name)) {
        if (X509_VERIFY_PARAM_set1_ip_asc(SSL_get0_param(ssl), name) != 1)
            return false;
    } else if (SSL_set_tlsext_host_name(ssl, name) != 1 || SSL_set1_host(ssl, name) != 1) {
        return false;
    }
    if (alpn.size > 0 && SSL_set_alpn_protos(ssl, alpn.data, (unsigned)alpn.size) != 0)
        return false;
    SSL_set_connect_state(ssl);
    return true;
}

struct ssl_st *tls_client_connection(struct tls_client *client, int fd, const char *server_name, struct slice alpn)
{
    const char *name = tls_is_set(client->settings->server_name_override) ? client->settings->server_name_override : server_name;
    SSL_CTX *context;
    SSL *ssl = NULL;

    pthread_mutex_lock(&client->lock);
    context = current_context_locked(client);
    if (context != NULL)
        ssl = SSL_new(context);
    pthread_mutex_unlock(&client->lock);
    if (ssl != NULL && !prepare(ssl, fd, name, alpn)) {
        SSL_free(ssl);
        ssl = NULL;
    }
    return ssl;
}
