/*
 * TLS 1.2 and later by OpenSSL, over a BIO of our own that sends without SIGPIPE. One context for each connection:
 * connections are kept, so that this is rare. Threads: the worker.
 */
#include "sdk/src/tls.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>

#ifdef WEIR_SDK_TLS
#include <arpa/inet.h>
#include <openssl/err.h>
#include <openssl/ssl.h>
#include <openssl/x509v3.h>

struct tls_session {
    SSL_CTX *context;
    BIO_METHOD *method;
    SSL *ssl;
};

static int bio_write(BIO *bio, const char *data, int size)
{
    ssize_t n = send((int)(intptr_t)BIO_get_data(bio), data, (size_t)size, MSG_NOSIGNAL);

    BIO_clear_retry_flags(bio);
    if (n < 0 && (errno == EAGAIN || errno == EINTR))
        BIO_set_retry_write(bio);
    return (int)n;
}

static int bio_read(BIO *bio, char *data, int size)
{
    ssize_t n = recv((int)(intptr_t)BIO_get_data(bio), data, (size_t)size, 0);

    BIO_clear_retry_flags(bio);
    if (n < 0 && (errno == EAGAIN || errno == EINTR))
        BIO_set_retry_read(bio);
    return (int)n;
}

static long bio_control(BIO *bio, int command, long number, void *pointer)
{
    (void)bio;
    (void)number;
    (void)pointer;
    return command == BIO_CTRL_FLUSH;
}

static bool say(char message[256], const char *what)
{
    char reason[160] = "no reason given";
    unsigned long code = ERR_get_error();

    if (code != 0)
        ERR_error_string_n(code, reason, sizeof(reason));
    snprintf(message, 256, "%s: %s", what, reason);
    ERR_clear_error();
    return false;
}

static bool load_files(SSL_CTX *context, const struct exporter_settings *settings, char message[256])
{
    if (settings->certificate != NULL ? SSL_CTX_load_verify_locations(context, settings->certificate, NULL) != 1
                                      : SSL_CTX_set_default_verify_paths(context) != 1)
        return say(message, "could not read the trusted certificates");
    if (settings->client_certificate != NULL && SSL_CTX_use_certificate_chain_file(context, settings->client_certificate) != 1)
        return say(message, "could not read the client certificate");
    if (settings->client_key != NULL && SSL_CTX_use_PrivateKey_file(context, settings->client_key, SSL_FILETYPE_PEM) != 1)
        return say(message, "could not read the client key");
    return true;
}

static bool attach(struct tls_session *session, int fd)
{
    session->method = BIO_meth_new(BIO_get_new_index() | BIO_TYPE_SOURCE_SINK, "weir");
    if (session->method == NULL)
        return false;
    BIO_meth_set_write(session->method, bio_write);
    BIO_meth_set_read(session->method, bio_read);
    BIO_meth_set_ctrl(session->method, bio_control);
    BIO *bio = BIO_new(session->method);
    if (bio == NULL)
        return false;
    BIO_set_data(bio, (void *)(intptr_t)fd);
    BIO_set_init(bio, 1);
    SSL_set_bio(session->ssl, bio, bio);
    return true;
}

static bool set_peer(SSL *ssl, const char *host)
{
    unsigned char address[16];

    if (inet_pton(AF_INET, host, address) == 1 || inet_pton(AF_INET6, host, address) == 1)
        return X509_VERIFY_PARAM_set1_ip_asc(SSL_get0_param(ssl), host) == 1;
    return SSL_set_tlsext_host_name(ssl, host) == 1 && SSL_set1_host(ssl, host) == 1;
}

struct tls_session *tls_create(const struct exporter_settings *settings, int fd, char message[256])
{
    struct tls_session *session = calloc(1, sizeof(*session));

    if (session == NULL) {
        snprintf(message, 256, "out of memory");
        return NULL;
    }
    ERR_clear_error();
    session->context = SSL_CTX_new(TLS_client_method());
    bool fine = session->context != NULL && SSL_CTX_set_min_proto_version(session->context, TLS1_2_VERSION) == 1;
    if (!fine)
        say(message, "could not prepare TLS");
    fine = fine && load_files(session->context, settings, message);
    if (fine) {
        SSL_CTX_set_verify(session->context, SSL_VERIFY_PEER, NULL);
        session->ssl = SSL_new(session->context);
        fine = session->ssl != NULL && attach(session, fd) && set_peer(session->ssl, settings->url.host);
        if (!fine)
            say(message, "could not prepare the TLS session");
    }
    if (!fine) {
        tls_destroy(session);
        return NULL;
    }
    return session;
}

void tls_destroy(struct tls_session *session)
{
    if (session == NULL)
        return;
    SSL_free(session->ssl);
    SSL_CTX_free(session->context);
    BIO_meth_free(session->method);
    free(session);
}

static enum tls_need need_of(struct tls_session *session, int result)
{
    switch (SSL_get_error(session->ssl, result)) {
    case SSL_ERROR_WANT_READ:
        return TLS_NEEDS_INPUT;
    case SSL_ERROR_WANT_WRITE:
        return TLS_NEEDS_OUTPUT;
    case SSL_ERROR_ZERO_RETURN:
        return TLS_CLOSED;
    default:
        return TLS_FAILED;
    }
}

enum tls_need tls_handshake(struct tls_session *session, char message[256])
{
    ERR_clear_error();
    int result = SSL_connect(session->ssl);
    if (result == 1)
        return TLS_READY;
    enum tls_need need = need_of(session, result);
    long verified = SSL_get_verify_result(session->ssl);
    if (need == TLS_FAILED && verified != X509_V_OK)
        snprintf(message, 256, "the server's certificate is not trusted: %s", X509_verify_cert_error_string(verified));
    else if (need == TLS_FAILED || need == TLS_CLOSED)
        say(message, "the TLS handshake failed");
    return need;
}

enum tls_need tls_send(struct tls_session *session, const void *data, size_t size, size_t *done)
{
    ERR_clear_error();
    int result = SSL_write_ex(session->ssl, data, size, done);
    return result == 1 ? TLS_READY : need_of(session, result);
}

enum tls_need tls_receive(struct tls_session *session, void *data, size_t size, size_t *done)
{
    ERR_clear_error();
    int result = SSL_read_ex(session->ssl, data, size, done);
    return result == 1 ? TLS_READY : need_of(session, result);
}

#else

struct tls_session *tls_create(const struct exporter_settings *settings, int fd, char message[256])
{
    (void)settings;
    (void)fd;
    snprintf(message, 256, "this library was built without TLS");
    return NULL;
}

void tls_destroy(struct tls_session *session)
{
    (void)session;
}

enum tls_need tls_handshake(struct tls_session *session, char message[256])
{
    (void)session;
    (void)message;
    return TLS_FAILED;
}

enum tls_need tls_send(struct tls_session *session, const void *data, size_t size, size_t *done)
{
    (void)session;
    (void)data;
    (void)size;
    (void)done;
    return TLS_FAILED;
}

enum tls_need tls_receive(struct tls_session *session, void *data, size_t size, size_t *done)
{
    (void)session;
    (void)data;
    (void)size;
    (void)done;
    return TLS_FAILED;
}
#endif
