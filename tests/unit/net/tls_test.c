/* TLS of a listening side, against OpenSSL's own client, with certificates made for the run. */
#include "collector/net/tls.h"

#include <fcntl.h>
#include <openssl/err.h>
#include <openssl/ssl.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include <setjmp.h>
#include <stdarg.h>
#include <cmocka.h>

#include "collector/base/clock.h"
#include "collector/base/slice.h"

static char folder[] = "/tmp/weir_tls_XXXXXX";

static const char *at(const char *name)
{
    static char paths[8][128];
    static unsigned next;
    char *path = paths[next++ % 8];

    snprintf(path, sizeof(paths[0]), "%s/%s", folder, name);
    return path;
}

static void run(const char *command)
{
    char line[1024];

    snprintf(line, sizeof(line), "cd %s && (%s) >/dev/null 2>&1", folder, command);
    if (system(line) != 0) {
        fprintf(stderr, "failed: %s\n", line);
        abort();
    }
}

static int make_certificates(void **state)
{
    (void)state;
    assert_non_null(mkdtemp(folder));
    run("openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -days 2 -keyout ca.key -out ca.crt -subj /CN=ca");
    run("for n in one two client; do openssl req -newkey rsa:2048 -nodes -keyout $n.key -out $n.csr -subj /CN=$n; "
        "openssl x509 -req -in $n.csr -CA ca.crt -CAkey ca.key -CAcreateserial -days 2 -out $n.crt; done");
    run("openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -days 2 -keyout stranger.key -out stranger.crt -subj "
        "/CN=stranger");
    run("openssl rsa -in one.key -aes128 -passout pass:secret -out locked.key");
    run("cp one.crt now.crt; cp one.key now.key; cp ca.crt clients.crt");
    return 0;
}

static int remove_certificates(void **state)
{
    (void)state;
    run("rm -f -- *");
    return rmdir(folder);
}

/* ---- a client ---- */

struct client {
    const char *certificate, *key; /* NULL: none */
    int highest;                   /* version; 0: any */
    const char *ciphers;           /* up to TLS 1.2; NULL: any */
    const char *groups;            /* NULL: any */
    struct slice alpn;             /* wire format */
};

struct outcome {
    bool connected; /* both sides, and a byte went from server to client */
    char server_name[64];
    char protocol[16];
    char cipher[64];
    int version;
};

static SSL *client_open(const struct client *client, int fd)
{
    SSL_CTX *context = SSL_CTX_new(TLS_client_method());
    SSL *ssl;

    SSL_CTX_set_security_level(context, 0);
    SSL_CTX_set_min_proto_version(context, TLS1_VERSION);
    if (client->highest != 0)
        SSL_CTX_set_max_proto_version(context, client->highest);
    if (client->ciphers != NULL)
        assert_int_equal(SSL_CTX_set_cipher_list(context, client->ciphers), 1);
    if (client->groups != NULL)
        assert_int_equal(SSL_CTX_set1_groups_list(context, client->groups), 1);
    if (client->certificate != NULL) {
        assert_int_equal(SSL_CTX_use_certificate_file(context, client->certificate, SSL_FILETYPE_PEM), 1);
        assert_int_equal(SSL_CTX_use_PrivateKey_file(context, client->key, SSL_FILETYPE_PEM), 1);
    }
    ssl = SSL_new(context);
    SSL_CTX_free(context);
    if (client->alpn.size > 0)
        SSL_set_alpn_protos(ssl, client->alpn.data, (unsigned)client->alpn.size);
    SSL_set_fd(ssl, fd);
    SSL_set_connect_state(ssl);
    return ssl;
}

/* One step of each side in turn; the sockets do not block. False when a side failed. */
static bool shake(SSL *client, SSL *server)
{
    for (int i = 0; i < 100; i++) {
        int ours = SSL_do_handshake(client), theirs = SSL_do_handshake(server);

        if (ours == 1 && theirs == 1)
            return true;
        if (ours != 1 && SSL_get_error(client, ours) != SSL_ERROR_WANT_READ)
            return false;
        if (theirs != 1 && SSL_get_error(server, theirs) != SSL_ERROR_WANT_READ)
            return false;
    }
    return false;
}

static void describe(SSL *ssl, struct outcome *outcome)
{
    X509 *certificate = SSL_get1_peer_certificate(ssl);
    const unsigned char *protocol = NULL;
    unsigned size = 0;

    X509_NAME_get_text_by_NID(X509_get_subject_name(certificate), NID_commonName, outcome->server_name, (int)sizeof(outcome->server_name));
    X509_free(certificate);
    SSL_get0_alpn_selected(ssl, &protocol, &size);
    snprintf(outcome->protocol, sizeof(outcome->protocol), "%.*s", (int)size, protocol != NULL ? (const char *)protocol : "");
    snprintf(outcome->cipher, sizeof(outcome->cipher), "%s", SSL_get_cipher_name(ssl));
    outcome->version = SSL_version(ssl);
}

static struct outcome meet(struct tls_server *server, const struct client *how)
{
    struct outcome outcome = { 0 };
    int sockets[2];
    SSL *ours, *theirs;
    char byte = 0;

    assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0, sockets), 0);
    theirs = tls_server_accept(server, sockets[0]);
    ours = client_open(how, sockets[1]);
    assert_non_null(theirs);
    if (shake(ours, theirs) && SSL_write(theirs, "x", 1) == 1 && SSL_read(ours, &byte, 1) == 1 && byte == 'x') {
        outcome.connected = true;
        describe(ours, &outcome);
    }
    SSL_free(ours);
    SSL_free(theirs);
    ERR_clear_error();
    close(sockets[0]);
    close(sockets[1]);
    return outcome;
}

static struct tls_settings plain_settings(void)
{
    return (struct tls_settings){ .cert_file = at("one.crt"), .key_file = at("one.key") };
}

static struct tls_server *create(const struct tls_settings *settings)
{
    struct error err = { "" };
    struct tls_server *server = tls_server_create(settings, &err);

    if (server == NULL)
        print_error("%s\n", err.message);
    assert_non_null(server);
    return server;
}

static void assert_refused(const struct tls_settings *settings, const char *part)
{
    struct error err = { "" };

    assert_null(tls_server_create(settings, &err));
    if (strstr(err.message, part) == NULL)
        print_error("\"%s\" does not hold \"%s\"\n", err.message, part);
    assert_non_null(strstr(err.message, part));
}

/* ---- tests ---- */

static void the_default_is_1_2_and_1_3(void **state)
{
    struct tls_settings settings = plain_settings();
    struct tls_server *server = create(&settings);

    (void)state;
    assert_int_equal(meet(server, &(struct client){ 0 }).version, TLS1_3_VERSION);
    assert_int_equal(meet(server, &(struct client){ .highest = TLS1_2_VERSION }).version, TLS1_2_VERSION);
    assert_false(meet(server, &(struct client){ .highest = TLS1_1_VERSION }).connected);
    tls_server_destroy(server);
}

static void versions_are_kept(void **state)
{
    struct tls_settings settings = plain_settings();
    struct tls_server *server;

    (void)state;
    settings.min_version = "1.3";
    server = create(&settings);
    assert_false(meet(server, &(struct client){ .highest = TLS1_2_VERSION }).connected);
    assert_true(meet(server, &(struct client){ 0 }).connected);
    tls_server_destroy(server);
    settings.min_version = "1.0";
    settings.max_version = "1.2";
    server = create(&settings);
    assert_true(meet(server, &(struct client){ .highest = TLS1_VERSION }).connected);
    assert_int_equal(meet(server, &(struct client){ 0 }).version, TLS1_2_VERSION);
    tls_server_destroy(server);
    settings.min_version = "1.3";
    assert_refused(&settings, "min_version is above");
    settings.min_version = "1.4";
    assert_refused(&settings, "\"1.4\" is not a version");
}

static void suites_have_go_s_names(void **state)
{
    static const char *const one[] = { "TLS_ECDHE_RSA_WITH_AES_256_GCM_SHA384" };
    static const char *const newest[] = { "TLS_CHACHA20_POLY1305_SHA256" };
    static const char *const insecure[] = { "TLS_RSA_WITH_AES_128_CBC_SHA" };
    static const char *const unknown[] = { "TLS_ECDHE_RSA_WITH_NOTHING" };
    struct tls_settings settings = plain_settings();
    struct tls_server *server;

    (void)state;
    settings.cipher_suite_count = 1;
    settings.cipher_suites = one;
    server = create(&settings);
    assert_string_equal(meet(server, &(struct client){ .highest = TLS1_2_VERSION }).cipher, "ECDHE-RSA-AES256-GCM-SHA384");
    assert_false(meet(server, &(struct client){ .highest = TLS1_2_VERSION, .ciphers = "ECDHE-RSA-AES128-GCM-SHA256" }).connected);
    assert_int_equal(meet(server, &(struct client){ 0 }).version, TLS1_3_VERSION);
    tls_server_destroy(server);
    settings.cipher_suites = newest;
    server = create(&settings);
    assert_string_equal(meet(server, &(struct client){ 0 }).cipher, "TLS_CHACHA20_POLY1305_SHA256");
    assert_false(meet(server, &(struct client){ .highest = TLS1_2_VERSION }).connected);
    tls_server_destroy(server);
    settings.cipher_suites = unknown;
    assert_refused(&settings, "TLS_ECDHE_RSA_WITH_NOTHING");
    settings.cipher_suites = insecure;
    assert_refused(&settings, "include_insecure_cipher_suites");
    settings.include_insecure_cipher_suites = true;
    server = create(&settings);
    assert_string_equal(meet(server, &(struct client){ .highest = TLS1_2_VERSION }).cipher, "AES128-SHA");
    tls_server_destroy(server);
}

static void curves_have_go_s_names(void **state)
{
    static const char *const curves[] = { "P384", "X25519" };
    static const char *const unknown[] = { "P256", "X1" };
    struct tls_settings settings = plain_settings();
    struct tls_server *server;

    (void)state;
    settings.curve_preferences = curves;
    settings.curve_preference_count = 2;
    server = create(&settings);
    assert_true(meet(server, &(struct client){ .groups = "P-384" }).connected);
    assert_true(meet(server, &(struct client){ .groups = "X25519" }).connected);
    assert_false(meet(server, &(struct client){ .groups = "P-256" }).connected);
    tls_server_destroy(server);
    settings.curve_preferences = unknown;
    assert_refused(&settings, "P-256:X1");
}

static void protocols_are_negotiated(void **state)
{
    struct tls_settings settings = plain_settings();
    struct tls_server *server = create(&settings);

    (void)state;
    tls_server_set_alpn(server, "h2,http/1.1");
    assert_string_equal(meet(server, &(struct client){ .alpn = SLICE("\x08http/1.1\x02h2") }).protocol, "h2");
    assert_string_equal(meet(server, &(struct client){ .alpn = SLICE("\x08http/1.1") }).protocol, "http/1.1");
    assert_string_equal(meet(server, &(struct client){ 0 }).protocol, "");
    assert_false(meet(server, &(struct client){ .alpn = SLICE("\x03xyz") }).connected);
    tls_server_destroy(server);
}

static void clients_must_show_a_certificate(void **state)
{
    struct tls_settings settings = plain_settings();
    struct client known = { .certificate = at("client.crt"), .key = at("client.key") };
    struct client stranger = { .certificate = at("stranger.crt"), .key = at("stranger.key") };
    struct tls_server *server;

    (void)state;
    settings.client_ca_file = at("ca.crt");
    server = create(&settings);
    for (int version = TLS1_2_VERSION; version <= TLS1_3_VERSION; version++) {
        known.highest = stranger.highest = version;
        assert_true(meet(server, &known).connected);
        assert_false(meet(server, &stranger).connected);
        assert_false(meet(server, &(struct client){ .highest = version }).connected);
    }
    tls_server_destroy(server);
}

static char *read_text(const char *path)
{
    FILE *file = fopen(path, "r");
    char *text = calloc(1, 16384);

    assert_non_null(file);
    assert_true(fread(text, 1, 16383, file) > 0);
    fclose(file);
    return text;
}

static void pem_text_serves_as_well(void **state)
{
    struct tls_settings settings = { 0 };
    char *certificate = read_text(at("two.crt")), *key = read_text(at("two.key"));
    struct tls_server *server;

    (void)state;
    settings.cert_pem = certificate;
    settings.key_pem = key;
    server = create(&settings);
    assert_string_equal(meet(server, &(struct client){ 0 }).server_name, "two");
    tls_server_destroy(server);
    free(certificate);
    free(key);
}

static void what_is_wrong_is_said(void **state)
{
    struct tls_settings settings = { 0 };

    (void)state;
    assert_refused(&settings, "needs a certificate and its key");
    settings.cert_file = at("one.crt");
    assert_refused(&settings, "needs its key");
    settings.key_file = at("two.key");
    assert_refused(&settings, "two.key");
    settings.key_file = at("nowhere.key");
    assert_refused(&settings, "No such file");
    settings.key_file = at("one.crt");
    assert_refused(&settings, "one.crt");
    settings.key_file = at("locked.key");
    assert_refused(&settings, "locked.key");
    settings.key_file = at("one.key");
    settings.client_ca_file = at("one.key");
    assert_refused(&settings, "one.key");
    settings.client_ca_file = NULL;
    settings.cert_pem = "x";
    assert_refused(&settings, "not both");
}

/* The modification time is set by hand, so that the test does not depend on the clock's grain. */
static void replace(const char *name, const char *by, time_t changed)
{
    struct timespec times[2] = { { .tv_sec = changed }, { .tv_sec = changed } };
    char command[256];

    snprintf(command, sizeof(command), "cp %s %s.new && mv %s.new %s", by, name, name, name);
    run(command);
    assert_int_equal(utimensat(AT_FDCWD, at(name), times, 0), 0);
}

static struct outcome meet_until(struct tls_server *server, const char *name)
{
    struct outcome outcome = { 0 };

    for (int i = 0; i < 2000 && strcmp(outcome.server_name, name) != 0; i++) {
        outcome = meet(server, &(struct client){ 0 });
        poll(NULL, 0, 1);
    }
    return outcome;
}

static void changed_files_are_read_again(void **state)
{
    struct tls_settings settings = { .cert_file = at("now.crt"), .key_file = at("now.key"), .reload_interval_ns = NANOS_PER_MILLI };
    struct tls_server *server = create(&settings);

    (void)state;
    assert_string_equal(meet(server, &(struct client){ 0 }).server_name, "one");
    replace("now.crt", "two.crt", 1000); /* does not fit the key: the old pair stays */
    for (int i = 0; i < 20; i++) {
        assert_string_equal(meet(server, &(struct client){ 0 }).server_name, "one");
        poll(NULL, 0, 1);
    }
    replace("now.key", "two.key", 1000);
    assert_string_equal(meet_until(server, "two").server_name, "two");
    run("rm now.key");
    poll(NULL, 0, 5);
    assert_string_equal(meet(server, &(struct client){ 0 }).server_name, "two");
    tls_server_destroy(server);
    run("cp one.crt now.crt; cp one.key now.key");
}

static void without_an_interval_files_are_read_once(void **state)
{
    struct tls_settings settings = { .cert_file = at("now.crt"), .key_file = at("now.key") };
    struct tls_server *server = create(&settings);

    (void)state;
    run("rm now.crt now.key");
    assert_string_equal(meet(server, &(struct client){ 0 }).server_name, "one");
    tls_server_destroy(server);
    run("cp one.crt now.crt; cp one.key now.key");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_default_is_1_2_and_1_3),
        cmocka_unit_test(versions_are_kept),
        cmocka_unit_test(suites_have_go_s_names),
        cmocka_unit_test(curves_have_go_s_names),
        cmocka_unit_test(protocols_are_negotiated),
        cmocka_unit_test(clients_must_show_a_certificate),
        cmocka_unit_test(pem_text_serves_as_well),
        cmocka_unit_test(what_is_wrong_is_said),
        cmocka_unit_test(changed_files_are_read_again),
        cmocka_unit_test(without_an_interval_files_are_read_once),
    };

    return cmocka_run_group_tests(tests, make_certificates, remove_certificates);
}
