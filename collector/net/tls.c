/*
 * TLS of a listening side: one context, replaced when its files change.
 *
 * Cost: an accept takes a lock for the time of SSL_new; one thread at a time looks at the files, outside the lock.
 * Limits: sessions are resumed by tickets only, so that the server keeps nothing for clients that went away.
 */
#include "collector/net/tls.h"

#include <openssl/err.h>
#include <openssl/ssl.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "collector/base/clock.h"
#include "collector/base/log.h"
#include "collector/net/tls_context.h"

enum { FILES = 4, ALPN_MAX = 64 };

struct stamp {
    dev_t device;
    ino_t inode;
    off_t size;
    struct timespec changed;
};

struct tls_server {
    const struct tls_settings *settings; /* borrowed */
    pthread_mutex_t lock;                /* guards context */
    SSL_CTX *context;                    /* owned; connections hold references of theirs */
    atomic_bool looking;                 /* a thread is looking at the files; stamps are its */
    atomic_int_least64_t next_look_ns;
    struct stamp stamps[FILES];
    unsigned char alpn[ALPN_MAX]; /* wire format */
    unsigned alpn_size;
};

static int64_t look_interval(const struct tls_settings *settings)
{
    if (settings->reload_interval_ns > 0)
        return settings->reload_interval_ns;
    return settings->client_ca_file_reload ? NANOS_PER_SECOND : 0;
}

/* A file that is not there has a stamp too: all zero. */
static void read_stamps(const struct tls_settings *settings, struct stamp stamps[FILES])
{
    const char *paths[FILES] = { settings->cert_file, settings->key_file, settings->ca_file, settings->client_ca_file };
    struct stat status;

    memset(stamps, 0, FILES * sizeof(stamps[0]));
    for (size_t i = 0; i < FILES; i++) {
        if (!tls_is_set(paths[i]) || stat(paths[i], &status) != 0)
            continue;
        stamps[i].device = status.st_dev;
        stamps[i].inode = status.st_ino;
        stamps[i].size = status.st_size;
        stamps[i].changed = status.st_mtim;
    }
}

static bool verify_clients(SSL_CTX *context, const struct tls_settings *settings, struct error *err)
{
    STACK_OF(X509_NAME) * names;

    if (!tls_is_set(settings->client_ca_file))
        return true;
    if (!tls_context_add_authorities(context, settings->client_ca_file, NULL, err))
        return false;
    names = SSL_load_client_CA_file(settings->client_ca_file);
    if (names == NULL)
        return tls_fail(err, "could not read client_ca_file", settings->client_ca_file);
    SSL_CTX_set_client_CA_list(context, names);
    SSL_CTX_set_verify(context, SSL_VERIFY_PEER | SSL_VERIFY_FAIL_IF_NO_PEER_CERT, NULL);
    return true;
}

/* ca_file and ca_pem say whom a client trusts; here they are only checked, as the OpenTelemetry Collector does. */
static bool check_authorities(const struct tls_settings *settings, struct error *err)
{
    SSL_CTX *scratch = SSL_CTX_new(TLS_server_method());
    bool done = scratch != NULL && tls_context_add_authorities(scratch, settings->ca_file, settings->ca_pem, err);

    SSL_CTX_free(scratch);
    return done;
}

static int select_alpn(
    SSL *ssl, const unsigned char **out, unsigned char *out_size, const unsigned char *in, unsigned in_size, void *context)
{
    const struct tls_server *server = context;
    unsigned char *selected;

    (void)ssl;
    if (server->alpn_size == 0)
        return SSL_TLSEXT_ERR_NOACK;
    if (SSL_select_next_proto(&selected, out_size, server->alpn, server->alpn_size, in, in_size) != OPENSSL_NPN_NEGOTIATED)
        return SSL_TLSEXT_ERR_ALERT_FATAL;
    *out = selected;
    return SSL_TLSEXT_ERR_OK;
}

static SSL_CTX *make_context(struct tls_server *server, struct error *err)
{
    const struct tls_settings *settings = server->settings;
    SSL_CTX *context = SSL_CTX_new(TLS_server_method());

    if (context == NULL) {
        fail(err, "out of memory for TLS");
        return NULL;
    }
    SSL_CTX_set_options(context, SSL_OP_NO_RENEGOTIATION | SSL_OP_NO_COMPRESSION | SSL_OP_CIPHER_SERVER_PREFERENCE);
    SSL_CTX_set_session_cache_mode(context, SSL_SESS_CACHE_OFF);
    SSL_CTX_set_session_id_context(context, (const unsigned char *)"weir", 4);
    SSL_CTX_set_read_ahead(context, 1);
    SSL_CTX_set_alpn_select_cb(context, select_alpn, server);
    if (tls_context_configure(context, settings, err) && tls_context_load_identity(context, settings, err) &&
        check_authorities(settings, err) && verify_clients(context, settings, err))
        return context;
    SSL_CTX_free(context);
    return NULL;
}

struct tls_server *tls_server_create(const struct tls_settings *settings, struct error *err)
{
    struct tls_server *server;

    if (!tls_settings_check(settings, true, err))
        return NULL;
    server = calloc(1, sizeof(*server));
    if (server == NULL)
        abort();
    server->settings = settings;
    pthread_mutex_init(&server->lock, NULL);
    read_stamps(settings, server->stamps); /* before the files are read: a change in between is seen later */
    atomic_store(&server->next_look_ns, clock_monotonic_nanos() + look_interval(settings));
    server->context = make_context(server, err);
    if (server->context != NULL)
        return server;
    tls_server_destroy(server);
    return NULL;
}

void tls_server_destroy(struct tls_server *server)
{
    if (server == NULL)
        return;
    SSL_CTX_free(server->context);
    pthread_mutex_destroy(&server->lock);
    free(server);
}

void tls_server_set_alpn(struct tls_server *server, const char *protocols)
{
    size_t size = 0;

    while (*protocols != '\0') {
        size_t length = strcspn(protocols, ",");

        if (length > 0 && size + 1 + length <= sizeof(server->alpn)) {
            server->alpn[size] = (unsigned char)length;
            memcpy(server->alpn + size + 1, protocols, length);
            size += 1 + length;
        }
        protocols += length + (protocols[length] == ',');
    }
    server->alpn_size = (unsigned)size;
}

static void replace_context(struct tls_server *server)
{
    struct stamp stamps[FILES];
    struct error err = { "" };
    SSL_CTX *fresh, *before;

    read_stamps(server->settings, stamps);
    if (memcmp(stamps, server->stamps, sizeof(stamps)) == 0)
        return;
    memcpy(server->stamps, stamps, sizeof(stamps));
    fresh = make_context(server, &err);
    if (fresh == NULL) {
        log_warn(NULL, "TLS files have changed and cannot be used, so the ones from before stay in use: %s", err.message);
        return;
    }
    pthread_mutex_lock(&server->lock);
    before = server->context;
    server->context = fresh;
    pthread_mutex_unlock(&server->lock);
    SSL_CTX_free(before);
}

static void look_at_files(struct tls_server *server)
{
    int64_t interval = look_interval(server->settings);
    int64_t now = interval > 0 ? clock_monotonic_nanos() : 0;

    if (interval == 0 || now < atomic_load(&server->next_look_ns) || atomic_exchange(&server->looking, true))
        return;
    atomic_store(&server->next_look_ns, now + interval);
    replace_context(server);
    atomic_store(&server->looking, false);
}

struct ssl_st *tls_server_accept(struct tls_server *server, int fd)
{
    SSL *ssl;

    look_at_files(server);
    pthread_mutex_lock(&server->lock);
    ssl = SSL_new(server->context);
    pthread_mutex_unlock(&server->lock);
    if (ssl == NULL || SSL_set_fd(ssl, fd) != 1) {
        SSL_free(ssl);
        ERR_clear_error();
        return NULL;
    }
    SSL_set_accept_state(ssl);
    return ssl;
}

bool tls_settings_check(const struct tls_settings *settings, bool server, struct error *err)
{
    bool certificate = tls_is_set(settings->cert_file) || tls_is_set(settings->cert_pem);
    bool key = tls_is_set(settings->key_file) || tls_is_set(settings->key_pem);
    SSL_CTX *context;
    bool done;

    if (tls_is_set(settings->ca_file) && tls_is_set(settings->ca_pem))
        return fail(err, "use either ca_file or ca_pem, not both");
    if (tls_is_set(settings->cert_file) && tls_is_set(settings->cert_pem))
        return fail(err, "use either cert_file or cert_pem, not both");
    if (tls_is_set(settings->key_file) && tls_is_set(settings->key_pem))
        return fail(err, "use either key_file or key_pem, not both");
    if (certificate != key)
        return fail(err, "a certificate needs its key and a key its certificate (cert_file and key_file, or cert_pem and key_pem)");
    if (server && !certificate)
        return fail(err, "a listening side needs a certificate and its key (cert_file and key_file, or cert_pem and key_pem)");
    context = SSL_CTX_new(server ? TLS_server_method() : TLS_client_method());
    if (context == NULL)
        return fail(err, "out of memory for TLS");
    done = tls_context_configure(context, settings, err);
    SSL_CTX_free(context);
    return done;
}
