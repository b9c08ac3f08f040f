/*
 * TLS contexts made of settings: versions, cipher suites by their standard names, curves, certificates.
 * Cost: a context is about 100 KiB and reads files, so it is made at start and at a reload, never for a connection.
 */
#include "collector/net/tls_context.h"

#include <errno.h>
#include <openssl/err.h>
#include <openssl/pem.h>
#include <openssl/ssl.h>
#include <string.h>

#include "collector/base/buffer.h"

bool tls_fail(struct error *err, const char *what, const char *name)
{
    unsigned long code = ERR_peek_error();
    const char *reason = ERR_GET_LIB(code) == ERR_LIB_SYS ? strerror(ERR_GET_REASON(code)) : ERR_reason_error_string(code);

    fail(err, "%s \"%s\": %s", what, name, reason != NULL ? reason : "not valid");
    ERR_clear_error();
    return false;
}

/* ---- versions ---- */

static bool parse_version(const char *key, const char *text, int *version, struct error *err)
{
    static const struct {
        const char *text;
        int version;
    } versions[] = { { "1.0", TLS1_VERSION }, { "1.1", TLS1_1_VERSION }, { "1.2", TLS1_2_VERSION }, { "1.3", TLS1_3_VERSION } };

    if (!tls_is_set(text))
        return true;
    for (size_t i = 0; i < sizeof(versions) / sizeof(versions[0]); i++) {
        if (strcmp(versions[i].text, text) == 0) {
            *version = versions[i].version;
            return true;
        }
    }
    return fail(err, "%s: \"%s\" is not a version; use 1.0, 1.1, 1.2 or 1.3", key, text);
}

struct versions {
    int lowest, highest;
};

static bool read_versions(const struct tls_settings *settings, struct versions *versions, struct error *err)
{
    *versions = (struct versions){ TLS1_2_VERSION, TLS1_3_VERSION };
    if (!parse_version("min_version", settings->min_version, &versions->lowest, err) ||
        !parse_version("max_version", settings->max_version, &versions->highest, err))
        return false;
    return versions->lowest <= versions->highest || fail(err, "min_version is above max_version \"%s\"", settings->max_version);
}

/* ---- cipher suites ---- */

/* OpenSSL's suite of that standard name, which is also Go's; NULL when this OpenSSL has none. */
static const SSL_CIPHER *find_suite(SSL_CTX *context, const char *name)
{
    STACK_OF(SSL_CIPHER) *all = SSL_CTX_get_ciphers(context);

    for (int i = 0; i < sk_SSL_CIPHER_num(all); i++) {
        const SSL_CIPHER *suite = sk_SSL_CIPHER_value(all, i);
        const char *standard = SSL_CIPHER_standard_name(suite);

        if (standard != NULL && strcmp(standard, name) == 0)
            return suite;
    }
    return NULL;
}

/* Go's line between the two: no forward secrecy, RC4, 3DES, and CBC with SHA-256 are insecure. */
static bool is_secure_suite(const char *name)
{
    size_t length = strlen(name);
    const char *worst = "_CBC_SHA256";

    if (strncmp(name, "TLS_ECDHE_", 10) != 0 || strstr(name, "_RC4_") != NULL || strstr(name, "_3DES_") != NULL)
        return false;
    return length < strlen(worst) || strcmp(name + length - strlen(worst), worst) != 0;
}

static bool add_suite(SSL_CTX *context, const char *name, bool insecure_too, struct buffer lists[2], struct error *err)
{
    const SSL_CIPHER *suite = find_suite(context, name);
    bool newest = suite != NULL && strcmp(SSL_CIPHER_get_version(suite), "TLSv1.3") == 0;
    struct buffer *list = &lists[newest];

    if (suite == NULL)
        return fail(err, "cipher_suites: \"%s\" is not known to this build of OpenSSL", name);
    if (!newest && !insecure_too && !is_secure_suite(name))
        return fail(err, "cipher_suites: \"%s\" is insecure; set include_insecure_cipher_suites to use it", name);
    buffer_printf(list, "%s%s", list->size > 0 ? ":" : "", SSL_CIPHER_get_name(suite));
    return true;
}

/* lists[0] is for TLS 1.2 and before, lists[1] for 1.3; OpenSSL configures them apart. An empty list leaves that version's default. */
static bool use_suites(SSL_CTX *context, struct buffer lists[2], struct versions *versions, struct error *err)
{
    bool done = true;

    if (lists[0].size > 0)
        done = SSL_CTX_set_cipher_list(context, buffer_string(&lists[0])) == 1;
    else
        versions->lowest = TLS1_3_VERSION; /* none was named for what is older */
    if (done && lists[1].size > 0)
        done = SSL_CTX_set_ciphersuites(context, buffer_string(&lists[1])) == 1;
    if (!done)
        return tls_fail(err, "could not use cipher_suites", buffer_string(&lists[0]));
    return versions->lowest <= versions->highest || fail(err, "cipher_suites: none of them can be used below version 1.3");
}

static bool configure_suites(SSL_CTX *context, const struct tls_settings *settings, struct versions *versions, struct error *err)
{
    struct buffer lists[2] = { { 0 }, { 0 } };
    bool done = true;

    if (settings->cipher_suite_count == 0)
        return true;
    SSL_CTX_set_cipher_list(context, "ALL:COMPLEMENTOFALL");
    for (size_t i = 0; done && i < settings->cipher_suite_count; i++)
        done = add_suite(context, settings->cipher_suites[i], settings->include_insecure_cipher_suites, lists, err);
    done = done && use_suites(context, lists, versions, err);
    buffer_fini(&lists[0]);
    buffer_fini(&lists[1]);
    return done;
}

/* ---- curves ---- */

static bool configure_curves(SSL_CTX *context, const struct tls_settings *settings, struct error *err)
{
    struct buffer list = { 0 };
    bool done;

    if (settings->curve_preference_count == 0)
        return true;
    for (size_t i = 0; i < settings->curve_preference_count; i++) {
        const char *name = settings->curve_preferences[i];
        bool prime = name[0] == 'P' && name[1] != '-'; /* Go's P256 is OpenSSL's P-256 */

        buffer_printf(&list, "%s%s%s", list.size > 0 ? ":" : "", prime ? "P-" : "", prime ? name + 1 : name);
    }
    done = SSL_CTX_set1_groups_list(context, buffer_string(&list)) == 1;
    if (!done)
        fail(err, "curve_preferences: this build of OpenSSL does not know one of \"%s\"", buffer_string(&list));
    ERR_clear_error();
    buffer_fini(&list);
    return done;
}

bool tls_context_configure(struct ssl_ctx_st *context, const struct tls_settings *settings, struct error *err)
{
    struct versions versions;

    if (!read_versions(settings, &versions, err) || !configure_suites(context, settings, &versions, err) ||
        !configure_curves(context, settings, err))
        return false;
    SSL_CTX_set_min_proto_version(context, versions.lowest);
    SSL_CTX_set_max_proto_version(context, versions.highest);
    if (versions.lowest < TLS1_2_VERSION || settings->include_insecure_cipher_suites)
        SSL_CTX_set_security_level(context, 0); /* the default level forbids what was asked for */
    SSL_CTX_set_mode(context, SSL_MODE_ENABLE_PARTIAL_WRITE | SSL_MODE_ACCEPT_MOVING_WRITE_BUFFER | SSL_MODE_RELEASE_BUFFERS);
    return true;
}

/* ---- certificates ---- */

/* Stands in for OpenSSL's, which asks on the terminal. */
static int no_passphrase(char *buffer, int size, int writing, void *context)
{
    (void)buffer;
    (void)size;
    (void)writing;
    (void)context;
    return 0;
}

/* From a file, or from text when there is no file. NULL: could not be opened. */
static BIO *open_pem(const char *file, const char *pem)
{
    ERR_clear_error();
    return tls_is_set(file) ? BIO_new_file(file, "r") : BIO_new_mem_buf(pem, -1);
}

static bool load_certificates(SSL_CTX *context, const struct tls_settings *settings)
{
    BIO *bio = open_pem(settings->cert_file, settings->cert_pem);
    X509 *certificate = bio != NULL ? PEM_read_bio_X509_AUX(bio, NULL, no_passphrase, NULL) : NULL;
    bool done = certificate != NULL && SSL_CTX_use_certificate(context, certificate) == 1;

    X509_free(certificate);
    while (done && (certificate = PEM_read_bio_X509(bio, NULL, no_passphrase, NULL)) != NULL) {
        done = SSL_CTX_add0_chain_cert(context, certificate) == 1;
        if (!done)
            X509_free(certificate);
    }
    BIO_free(bio);
    if (done)
        ERR_clear_error(); /* the end of the file is one */
    return done;
}

static bool load_key(SSL_CTX *context, const struct tls_settings *settings)
{
    BIO *bio = open_pem(settings->key_file, settings->key_pem);
    EVP_PKEY *key = bio != NULL ? PEM_read_bio_PrivateKey(bio, NULL, no_passphrase, NULL) : NULL;
    bool done = key != NULL && SSL_CTX_use_PrivateKey(context, key) == 1;

    EVP_PKEY_free(key);
    BIO_free(bio);
    return done;
}

bool tls_context_load_identity(struct ssl_ctx_st *context, const struct tls_settings *settings, struct error *err)
{
    const char *certificate = tls_is_set(settings->cert_file) ? settings->cert_file : "cert_pem";
    const char *key = tls_is_set(settings->key_file) ? settings->key_file : "key_pem";

    if (!tls_is_set(settings->cert_file) && !tls_is_set(settings->cert_pem))
        return true;
    if (!load_certificates(context, settings))
        return tls_fail(err, "could not use the TLS certificate", certificate);
    if (!load_key(context, settings))
        return tls_fail(err, "could not use the TLS key", key);
    return true;
}

bool tls_context_add_authorities(struct ssl_ctx_st *context, const char *file, const char *pem, struct error *err)
{
    const char *name = tls_is_set(file) ? file : "ca_pem";
    X509_STORE *store = SSL_CTX_get_cert_store(context);
    X509 *certificate = NULL;
    size_t count = 0;
    BIO *bio;

    if (!tls_is_set(file) && !tls_is_set(pem))
        return true;
    bio = open_pem(file, pem);
    while (bio != NULL && (certificate = PEM_read_bio_X509(bio, NULL, no_passphrase, NULL)) != NULL) {
        X509_STORE_add_cert(store, certificate);
        X509_free(certificate);
        count++;
    }
    BIO_free(bio);
    if (count == 0)
        return tls_fail(err, "could not use the TLS authorities", name);
    ERR_clear_error();
    return true;
}
