/* The otlp receiver over gRPC, called by weir's own client. */
#include "collector/net/grpc_client.h"
#include "tests/unit/collector/otlp_bench.h"

#include "google_rpc.pb-c.h"

#define GRPC_ONLY "{protocols: {grpc: {endpoint: \"127.0.0.1:0\"}}}"

#define TRACES "/opentelemetry.proto.collector.trace.v1.TraceService/Export"

static struct grpc_answer call(const struct bench *bench, const char *method, const char *header, struct slice message)
{
    char endpoint[64];
    const char *const headers[] = { header, NULL };
    struct grpc_client_settings settings = {
        .endpoint = endpoint, .tls = &(struct tls_settings){ .insecure = true }, .timeout_ns = 5 * NANOS_PER_SECOND
    };
    struct grpc_request request = { .method = method, .headers = headers, .parts = &message, .part_count = 1 };
    struct grpc_answer answer = { 0 };
    struct error err = { "" };
    struct grpc_client *client;

    snprintf(endpoint, sizeof(endpoint), "127.0.0.1:%d", grpc_server_port(bench->otlp->grpc_server));
    client = grpc_client_create(&settings, &err);
    assert_non_null(client);
    grpc_client_call(client, &request, &answer);
    grpc_client_destroy(client);
    return answer;
}

static void assert_call(const struct bench *bench, const char *method, struct slice message, enum grpc_status status)
{
    struct grpc_answer answer = call(bench, method, NULL, message);

    if (answer.status != status)
        print_error("%s\n", buffer_string(&answer.message));
    assert_int_equal(answer.status, status);
    assert_true(answer.from_server);
    grpc_answer_fini(&answer);
}

static void grpc_takes_requests(void **state)
{
    struct buffer plain = traces(3, SLICE("a"));
    struct bench bench;

    (void)state;
    bench_start(&bench, GRPC_ONLY);
    assert_null(bench.otlp->http_server);
    assert_call(&bench, TRACES, buffer_slice(&plain), GRPC_OK);
    assert_int_equal(bench.sink.records, 3);
    assert_true(slice_equal(buffer_slice(&bench.sink.bytes), buffer_slice(&plain)));
    assert_call(&bench, TRACES, SLICE(""), GRPC_OK);
    assert_call(&bench, "/opentelemetry.proto.collector.logs.v1.LogsService/Export", SLICE(""), GRPC_OK);
    assert_call(&bench, "/opentelemetry.proto.collector.profiles.v1development.ProfilesService/Export", SLICE(""), GRPC_OK);
    assert_call(&bench, "/opentelemetry.proto.collector.metrics.v1.MetricsService/Export", SLICE(""), GRPC_UNIMPLEMENTED);
    assert_call(&bench, "/opentelemetry.proto.collector.trace.v1.TraceService/Import", SLICE(""), GRPC_UNIMPLEMENTED);
    assert_call(&bench, TRACES, SLICE("\x0a\x05\x12"), GRPC_INVALID_ARGUMENT);
    bench_end(&bench);
    buffer_fini(&plain);
}

static void grpc_tells_the_outcome(void **state)
{
    struct buffer plain = traces(1, SLICE("a"));
    struct bench bench;
    struct grpc_answer answer;
    Google__Rpc__Status *status;

    (void)state;
    bench_start(&bench, GRPC_ONLY);
    bench.sink.outcome = outcome_retry("queue_full", 0);
    answer = call(&bench, TRACES, NULL, buffer_slice(&plain));
    assert_int_equal(answer.status, GRPC_UNAVAILABLE);
    assert_non_null(strstr(buffer_string(&answer.message), "queue_full"));
    status = google__rpc__status__unpack(NULL, answer.details.size, answer.details.data);
    assert_non_null(status);
    assert_int_equal(status->n_details, 1);
    assert_non_null(strstr(status->details[0]->type_url, "google.rpc.RetryInfo"));
    google__rpc__status__free_unpacked(status, NULL);
    grpc_answer_fini(&answer);
    bench.sink.outcome = outcome_rejected("destination");
    assert_call(&bench, TRACES, buffer_slice(&plain), GRPC_INVALID_ARGUMENT);
    bench.otlp->grpc_authenticator = &key_extension;
    assert_call(&bench, TRACES, buffer_slice(&plain), GRPC_UNAUTHENTICATED);
    bench.sink.outcome = OUTCOME_ACCEPTED;
    answer = call(&bench, TRACES, "x-key: open", buffer_slice(&plain));
    assert_int_equal(answer.status, GRPC_OK);
    grpc_answer_fini(&answer);
    bench_end(&bench);
    buffer_fini(&plain);
}

static void grpc_messages_are_bounded(void **state)
{
    struct buffer plain = { 0 };
    struct bench bench;

    (void)state;
    bench_start(&bench, "{protocols: {grpc: {endpoint: \"127.0.0.1:0\", max_recv_msg_size_mib: 1}}}");
    while (plain.size <= 1 << 20) {
        struct buffer more = traces(1000, SLICE("a"));

        buffer_append_slice(&plain, buffer_slice(&more));
        buffer_fini(&more);
    }
    assert_call(&bench, TRACES, buffer_slice(&plain), GRPC_RESOURCE_EXHAUSTED);
    assert_int_equal(bench.sink.batches, 0);
    bench_end(&bench);
    buffer_fini(&plain);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(grpc_takes_requests),
        cmocka_unit_test(grpc_tells_the_outcome),
        cmocka_unit_test(grpc_messages_are_bounded),
    };

    return cmocka_run_group_tests(tests, start_loops, stop_loops);
}
