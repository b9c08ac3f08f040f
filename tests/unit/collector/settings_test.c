/* The shared blocks: defaults as the OpenTelemetry Collector has them, every key taken, and what collector/net gets of them. */
#include "collector/delivery.h"
#include "collector/settings.h"
#include "tests/unit/config/loaded.h"

#define MILLIS INT64_C(1000000)
#define SECONDS INT64_C(1000000000)

static void fill(struct loaded *loaded, const struct option *table, void *instance, const char *text)
{
    load_text(loaded, text);
    assert_no_errors(loaded);
    if (!option_fill(table, loaded->tree, "x", &(struct option_target){ instance, &loaded->arena, &loaded->errors }))
        fail_msg("%s", error_text(loaded, 0));
}

static void assert_refused(const struct option *table, size_t size, const char *text, const char *part)
{
    struct loaded loaded;
    void *instance = calloc(1, size);

    load_text(&loaded, text);
    assert_no_errors(&loaded);
    assert_false(option_fill(table, loaded.tree, "x", &(struct option_target){ instance, &loaded.arena, &loaded.errors }));
    if (strstr(error_text(&loaded, 0), part) == NULL)
        fail_msg("\"%s\": %s", text, error_text(&loaded, 0));
    free(instance);
    unload(&loaded);
}

static void test_http_listen_defaults(void **state)
{
    struct http_listen_settings settings = { .endpoint = "localhost:4318" };
    struct http_server_settings net;
    struct loaded loaded;
    struct error err;

    (void)state;
    fill(&loaded, http_listen_options, &settings, "");
    assert_string_equal(settings.transport, "tcp");
    assert_int_equal(settings.max_request_body_size, 20971520);
    assert_int_equal(settings.read_timeout_ns, 0);
    assert_int_equal(settings.read_header_timeout_ns, 60 * SECONDS);
    assert_int_equal(settings.write_timeout_ns, 30 * SECONDS);
    assert_int_equal(settings.idle_timeout_ns, 60 * SECONDS);
    assert_true(settings.keep_alives_enabled);
    assert_false(settings.tls_present || settings.cors_present);
    assert_int_equal(settings.compression_algorithms.count, 8);
    assert_true(http_listen_to_net(&settings, &net, &err));
    assert_int_equal(net.codings, (1U << CODING_IDENTITY | 1U << CODING_GZIP | 1U << CODING_ZLIB | 1U << CODING_ZSTD | 1U << CODING_SNAPPY |
                                      1U << CODING_SNAPPY_FRAMED | 1U << CODING_LZ4));
    assert_int_equal(net.max_body, 20971520);
    assert_null(net.tls);
    unload(&loaded);
}

static void test_http_listen_everything(void **state)
{
    struct http_listen_settings settings = { .endpoint = "/tmp/x.sock" };
    struct http_server_settings net;
    struct loaded loaded;
    struct error err;

    (void)state;
    fill(&loaded, http_listen_options, &settings,
        "transport: unix\ntls: {cert_file: c, key_file: k, client_ca_file: ca, reload_interval: 24h}\n"
        "cors: {allowed_origins: ['https://*.test.com'], allowed_headers: [X], exposed_headers: [Y], max_age: 7200}\n"
        "auth: {authenticator: basicauth/server}\nmax_request_body_size: 0\ninclude_metadata: true\nresponse_headers: {Server: x}\n"
        "compression_algorithms: []\nread_timeout: 1s\nread_header_timeout: 2s\nwrite_timeout: 3s\nidle_timeout: 4s\n"
        "keep_alives_enabled: false\nmiddlewares: []\n");
    assert_string_equal(settings.cors.allowed_origins.items[0], "https://*.test.com");
    assert_int_equal(settings.cors.max_age, 7200);
    assert_string_equal(settings.auth.authenticator, "basicauth/server");
    assert_int_equal(settings.tls.reload_interval_ns, 86400 * SECONDS);
    assert_string_equal(settings.tls.client_ca_file, "ca");
    assert_true(http_listen_to_net(&settings, &net, &err));
    assert_ptr_equal(net.tls, &settings.tls);
    assert_int_equal(net.codings, 1U << CODING_IDENTITY);
    assert_int_equal(net.max_body, 20971520);
    assert_true(net.no_keep_alive);
    assert_int_equal(net.read_timeout_ns, SECONDS);
    assert_int_equal(net.idle_timeout_ns, 4 * SECONDS);
    unload(&loaded);
}

static void test_http_listen_refusals(void **state)
{
    (void)state;
    assert_refused(http_listen_options, sizeof(struct http_listen_settings), "transport: udp", "expected one of tcp, unix");
    assert_refused(http_listen_options, sizeof(struct http_listen_settings), "max_request_body_size: -1", "must be at least 0");
    assert_refused(http_listen_options, sizeof(struct http_listen_settings), "compression_algorithms: [br]", "expected any of");
    assert_refused(http_listen_options, sizeof(struct http_listen_settings), "middlewares: [{id: a}]", "does not support this key yet");
    assert_refused(http_listen_options, sizeof(struct http_listen_settings), "tls: {min_version: '1.4'}", "expected one of");
    assert_refused(http_listen_options, sizeof(struct http_listen_settings), "tls: {min_version: 1.2}", "put it into quotes");
    assert_refused(http_listen_options, sizeof(struct http_listen_settings), "tls: {tpm: {enabled: true}}", "only its default, false");
    assert_refused(http_listen_options, sizeof(struct http_listen_settings), "auth: {}", "\"authenticator\" is required");
    assert_refused(
        http_listen_options, sizeof(struct http_listen_settings), "auth: {authenticator: a, request_params: [b]}", "does not support");
}

static void test_grpc_listen(void **state)
{
    struct grpc_listen_settings settings = { .endpoint = "localhost:4317" };
    struct grpc_server_settings net;
    struct loaded loaded;
    struct error err;

    (void)state;
    fill(&loaded, grpc_listen_options, &settings, "");
    assert_true(grpc_listen_to_net(&settings, &net, &err));
    assert_int_equal(net.max_message, 4 << 20);
    unload(&loaded);
    fill(&loaded, grpc_listen_options, &settings,
        "tls: {cert_file: test.crt, key_file: test.key}\nmax_recv_msg_size_mib: 32\nmax_concurrent_streams: 16\nread_buffer_size: 1024\n"
        "write_buffer_size: 1024\nkeepalive:\n  server_parameters: {max_connection_idle: 11s, max_connection_age: 12s, "
        "max_connection_age_grace: 13s, time: 30s, timeout: 5s}\n  enforcement_policy: {min_time: 10s, permit_without_stream: true}\n"
        "include_metadata: true\nauth: {authenticator: a}\ntransport: tcp\n");
    assert_true(grpc_listen_to_net(&settings, &net, &err));
    assert_int_equal(net.max_message, 32 << 20);
    assert_int_equal(net.http.max_concurrent_streams, 16);
    assert_int_equal(net.http.idle_timeout_ns, 11 * SECONDS);
    assert_int_equal(net.http.max_connection_age_ns, 12 * SECONDS);
    assert_int_equal(net.http.max_connection_age_grace_ns, 13 * SECONDS);
    assert_int_equal(net.http.keepalive_time_ns, 30 * SECONDS);
    assert_int_equal(net.http.keepalive_timeout_ns, 5 * SECONDS);
    assert_int_equal(settings.min_time_ns, 10 * SECONDS);
    assert_true(settings.permit_without_stream);
    unload(&loaded);
    settings.endpoint = "";
    assert_false(grpc_listen_to_net(&settings, &net, &err));
    assert_refused(grpc_listen_options, sizeof(settings), "max_recv_msg_size_mib: 2048", "between 0 and 2047");
    assert_refused(grpc_listen_options, sizeof(settings), "max_concurrent_streams: 4294967296", "between 0 and 4294967295");
}

static void test_http_connect(void **state)
{
    struct http_connect_settings settings = { .timeout_ns = 30 * SECONDS };
    struct http_client_settings net;
    struct loaded loaded;

    (void)state;
    fill(&loaded, http_connect_options, &settings, "");
    assert_int_equal(settings.max_idle_conns, 100);
    assert_int_equal(settings.idle_conn_timeout_ns, 90 * SECONDS);
    assert_true(settings.force_attempt_http2);
    assert_string_equal(settings.tls.min_version, "1.2");
    unload(&loaded);
    fill(&loaded, http_connect_options, &settings,
        "proxy_url: http://proxy:8080\ntls: {insecure: false, ca_file: ca, server_name_override: n, insecure_skip_verify: true, "
        "curve_preferences: [X25519], "
        "cipher_suites: [TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256]}\nread_buffer_size: 4096\nwrite_buffer_size: 4096\n"
        "headers: {User-Agent: a, X-Custom: b}\ndisable_keep_alives: true\nhttp2_read_idle_timeout: 10s\nhttp2_ping_timeout: 15s\n"
        "max_idle_conns: 7\nmax_idle_conns_per_host: 10\nmax_conns_per_host: 50\nidle_conn_timeout: 5s\nauth: {authenticator: "
        "oauth2client}\n"
        "cookies: {enabled: false}\ncompression_params: {level: 3}\nforce_attempt_http2: false\n");
    http_connect_to_net(&settings, &net);
    assert_ptr_equal(net.tls, &settings.tls);
    assert_string_equal(net.proxy_url, "http://proxy:8080");
    assert_int_equal(net.timeout_ns, 30 * SECONDS);
    assert_true(net.disable_keep_alives);
    assert_int_equal(net.idle_conn_timeout_ns, 5 * SECONDS);
    assert_int_equal(net.max_idle_conns, 7);
    assert_int_equal(settings.tls.cipher_suite_count, 1);
    assert_int_equal(settings.tls.curve_preference_count, 1);
    assert_string_equal(settings.tls.curve_preferences[0], "X25519");
    assert_int_equal(settings.headers.count, 2);
    assert_int_equal(settings.compression_level, 3);
    assert_int_equal(loaded.errors.warnings, 2);
    unload(&loaded);
    assert_refused(http_connect_options, sizeof(settings), "cookies: {enabled: true}", "only its default, false");
}

static void test_grpc_connect(void **state)
{
    struct grpc_connect_settings settings = { .endpoint = NULL };
    struct loaded loaded;

    (void)state;
    fill(&loaded, grpc_connect_options, &settings, "endpoint: 1.2.3.4:1234");
    assert_string_equal(settings.balancer_name, "round_robin");
    assert_false(settings.keepalive_present);
    unload(&loaded);
    fill(&loaded, grpc_connect_options, &settings,
        "endpoint: \"1.2.3.4:1234\"\ntls: {ca_file: /var/lib/mycert.pem}\nauth: {authenticator: nop}\nkeepalive: {time: 20s, "
        "permit_without_stream: true}\n"
        "headers: {\"can you have a . here?\": F0, header1: \"234\"}\nbalancer_name: pick_first\nauthority: a\nuser_agent: "
        "u\nwait_for_ready: true\n");
    assert_true(settings.keepalive_present);
    assert_int_equal(settings.keepalive.time_ns, 20 * SECONDS);
    assert_int_equal(settings.keepalive.timeout_ns, 10 * SECONDS);
    assert_string_equal(settings.headers.items[0].key, "can you have a . here?");
    unload(&loaded);
    assert_refused(grpc_connect_options, sizeof(settings), "", "\"endpoint\" is required");
    assert_refused(grpc_connect_options, sizeof(settings), "{endpoint: x, balancer_name: xds}", "expected one of round_robin, pick_first");
}

static void fill_delivery(struct loaded *loaded, struct delivery_settings *settings, const char *text)
{
    memset(settings, 0, sizeof(*settings));
    fill(loaded, delivery_options, settings, text);
}

static void test_delivery_defaults(void **state)
{
    struct delivery_settings settings;
    struct loaded loaded;

    (void)state;
    fill_delivery(&loaded, &settings, "");
    assert_true(settings.queue.enabled);
    assert_int_equal(settings.queue.num_consumers, 10);
    assert_int_equal(settings.queue.queue_size, 1000);
    assert_int_equal(settings.queue.sizer, SIZER_REQUESTS);
    assert_false(settings.queue.batch_present);
    assert_true(settings.retry.enabled);
    assert_int_equal(settings.retry.initial_interval_ns, 5 * SECONDS);
    assert_int_equal(settings.retry.max_interval_ns, 30 * SECONDS);
    assert_int_equal(settings.retry.max_elapsed_time_ns, 300 * SECONDS);
    assert_true(settings.retry.multiplier > 1.49 && settings.retry.multiplier < 1.51);
    assert_true(delivery_settings_check(&settings, NULL));
    unload(&loaded);
}

static void test_batch_sizer(void **state)
{
    static const struct {
        const char *text;
        bool present;
        int sizer;
    } cases[] = {
        { "sending_queue: {batch: }", true, SIZER_ITEMS },
        { "sending_queue: {sizer: bytes, queue_size: 2000, batch: {min_size: 100}}", true, SIZER_BYTES },
        { "sending_queue: {sizer: Items, queue_size: 100000, batch: {sizer: bytes}}", true, SIZER_BYTES },
        { "sending_queue: {sizer: requests, batch: {enabled: false}}", false, SIZER_REQUESTS },
    };
    struct delivery_settings settings;
    struct loaded loaded;

    (void)state;
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        fill_delivery(&loaded, &settings, cases[i].text);
        assert_true(delivery_settings_check(&settings, NULL));
        assert_int_equal(settings.queue.batch_present, cases[i].present);
        assert_int_equal(settings.queue.batch.sizer, cases[i].sizer);
        unload(&loaded);
    }
    fill_delivery(&loaded, &settings, "sending_queue: {batch: {partition: {metadata_keys: [tenant]}, flush_timeout: 1s}}");
    assert_string_equal(settings.queue.batch.metadata_keys.items[0], "tenant");
    assert_int_equal(settings.queue.batch.flush_timeout_ns, 1000 * MILLIS);
    assert_int_equal(settings.queue.batch.min_size, 8192);
    unload(&loaded);
}

static void test_delivery_refusals(void **state)
{
    static const struct {
        const char *text, *part;
    } cases[] = {
        { "sending_queue: {batch: {min_size: 10, max_size: 9}}", "max_size must not be less than min_size" },
        { "sending_queue: {sizer: items, queue_size: 10, batch: {min_size: 11}}", "min_size must not be more than queue_size" },
        { "retry_on_failure: {max_elapsed_time: 4s}", "max_elapsed_time must not be less than initial_interval" },
        { "retry_on_failure: {enabled: false, max_elapsed_time: 29s}", "max_elapsed_time must not be less than max_interval" },
    };
    struct delivery_settings settings;
    struct loaded loaded;
    struct error err;

    (void)state;
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        fill_delivery(&loaded, &settings, cases[i].text);
        assert_false(delivery_settings_check(&settings, &err));
        assert_non_null(strstr(err.message, cases[i].part));
        unload(&loaded);
    }
    assert_refused(delivery_options, sizeof(settings), "sending_queue: {queue_size: 0}", "must be at least 1");
    assert_refused(delivery_options, sizeof(settings), "sending_queue: {num_consumers: 0}", "must be between 1 and");
    assert_refused(delivery_options, sizeof(settings), "sending_queue: {batch: {sizer: requests}}", "expected one of");
    assert_refused(delivery_options, sizeof(settings), "sending_queue: {blocking: true}", "use block_on_overflow");
    assert_refused(delivery_options, sizeof(settings), "batcher: {}", "use sending_queue.batch");
    assert_refused(delivery_options, sizeof(settings), "retry_on_failure: {randomization_factor: 1.1}", "between 0 and 1");
    assert_refused(delivery_options, sizeof(settings), "retry_on_failure: {multiplier: -1}", "must be at least 0");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_http_listen_defaults),
        cmocka_unit_test(test_http_listen_everything),
        cmocka_unit_test(test_http_listen_refusals),
        cmocka_unit_test(test_grpc_listen),
        cmocka_unit_test(test_http_connect),
        cmocka_unit_test(test_grpc_connect),
        cmocka_unit_test(test_delivery_defaults),
        cmocka_unit_test(test_batch_sizer),
        cmocka_unit_test(test_delivery_refusals),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
