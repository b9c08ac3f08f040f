/* Delivery over TLS: trusted, not trusted, wrong name, client certificate. Certificates are made for the run. */
#include "tests/unit/sdk/capture.h"

#include <errno.h>
#include <signal.h>
#include <unistd.h>

#include "tests/unit/net/scripted_server.h"

static char folder[] = "/tmp/weir-sdk-tls.XXXXXX";
static char last_message[600];
static const struct scripted_step steps[] = { { .answer = "HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n" } };

WEIR_SCOPE(scope, "tls", "1");

static void note(weir_level level, const char *message, void *user)
{
    (void)level;
    (void)user;
    snprintf(last_message, sizeof(last_message), "%s", message);
}

static const char *at(const char *name)
{
    static char paths[16][100];
    static int next;
    char *path = paths[next++ % 16];
    snprintf(path, 100, "%s/%s", folder, name);
    return path;
}

static int make_certificates(void **state)
{
    char command[1500];
    (void)state;
    assert_non_null(mkdtemp(folder));
    snprintf(command, sizeof(command),
        "cd %s && exec 2>log && openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -days 2 -keyout ca.key -out ca.crt "
        "-subj /CN=ca && "
        "printf 'subjectAltName=IP:127.0.0.1,DNS:localhost' >ext && for n in server client; do "
        "openssl req -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -keyout $n.key -out $n.csr -subj /CN=$n && "
        "openssl x509 -req -in $n.csr -CA ca.crt -CAkey ca.key -CAcreateserial -days 2 -extfile ext -out $n.crt || exit 1; done && "
        "printf 'subjectAltName=DNS:elsewhere' >ext && openssl x509 -req -in server.csr -CA ca.crt -CAkey ca.key -CAcreateserial -days 2 "
        "-extfile ext -out wrong.crt",
        folder);
    return system(command);
}

static int remove_certificates(void **state)
{
    char command[200];
    (void)state;
    snprintf(command, sizeof(command), "rm -r %s", folder);
    return system(command);
}

static SSL_CTX *server_context(const char *certificate, bool ask_client)
{
    SSL_CTX *context = SSL_CTX_new(TLS_server_method());
    assert_int_equal(SSL_CTX_use_certificate_file(context, at(certificate), SSL_FILETYPE_PEM), 1);
    assert_int_equal(SSL_CTX_use_PrivateKey_file(context, at("server.key"), SSL_FILETYPE_PEM), 1);
    assert_int_equal(SSL_CTX_load_verify_locations(context, at("ca.crt"), NULL), 1);
    if (ask_client)
        SSL_CTX_set_verify(context, SSL_VERIFY_PEER | SSL_VERIFY_FAIL_IF_NO_PEER_CERT, NULL);
    return context;
}

struct attempt {
    const char *server_certificate, *host;
    bool ask_client, trust, show;
};

/* The result of a flush with one span. */
static int deliver(struct attempt attempt)
{
    struct scripted_server server;
    char endpoint[64];
    weir_setting settings[5] = { { "OTEL_EXPORTER_OTLP_ENDPOINT", endpoint }, { "OTEL_EXPORTER_OTLP_TIMEOUT", "1500" } };
    size_t count = 2;
    if (attempt.trust)
        settings[count++] = (weir_setting){ "OTEL_EXPORTER_OTLP_CERTIFICATE", at("ca.crt") };
    if (attempt.show) {
        settings[count++] = (weir_setting){ "OTEL_EXPORTER_OTLP_CLIENT_CERTIFICATE", at("client.crt") };
        settings[count++] = (weir_setting){ "OTEL_EXPORTER_OTLP_CLIENT_KEY", at("client.key") };
    }
    memset(&server, 0, sizeof(server));
    server.tls = server_context(attempt.server_certificate, attempt.ask_client);
    scripted_start(&server, steps, 1);
    snprintf(endpoint, sizeof(endpoint), "https://%s:%d", attempt.host, server.port);
    weir_config config = weir_config_default();
    config.no_environment = true;
    config.settings = settings;
    config.setting_count = count;
    config.diag = note;
    assert_int_equal(weir_init(&config), 0);
    int result = 0;
    for (int i = 0; i < 2 && result == 0; i++) {
        weir_span span;
        weir_span_begin(&span, &scope, WEIR_S("secret"), NULL);
        weir_span_end(&span);
        result = weir_flush(5000);
    }
    if (result == 0)
        assert_int_equal(server.connections, 1); /* kept over both */
    weir_shutdown(1000);
    scripted_stop(&server);
    SSL_CTX_free(server.tls);
    return result;
}

static void a_trusted_server(void **state)
{
    (void)state;
    assert_int_equal(deliver((struct attempt){ "server.crt", "127.0.0.1", false, true, false }), 0);
    assert_int_equal(deliver((struct attempt){ "server.crt", "localhost", false, true, false }), 0);
}

static void a_stranger_is_refused(void **state)
{
    (void)state;
    assert_int_equal(deliver((struct attempt){ "server.crt", "127.0.0.1", false, false, false }), -EIO);
    assert_non_null(strstr(last_message, "not trusted"));
}

static void another_name_is_refused(void **state)
{
    (void)state;
    assert_int_equal(deliver((struct attempt){ "wrong.crt", "localhost", false, true, false }), -EIO);
    assert_non_null(strstr(last_message, "not trusted"));
}

static void client_certificates(void **state)
{
    (void)state;
    assert_int_equal(deliver((struct attempt){ "server.crt", "127.0.0.1", true, true, true }), 0);
    assert_int_equal(deliver((struct attempt){ "server.crt", "127.0.0.1", true, true, false }), -EIO);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_trusted_server),
        cmocka_unit_test(a_stranger_is_refused),
        cmocka_unit_test(another_name_is_refused),
        cmocka_unit_test(client_certificates),
    };
    signal(SIGPIPE, SIG_IGN); /* the scripted server writes to clients that have refused it */
    return cmocka_run_group_tests(tests, make_certificates, remove_certificates);
}
