/* Producer and consumer of librdkafka, against its own mock cluster within the process. */
#include "tests/unit/sdk/capture.h"

#include "weir/contrib/rdkafka.h"

#include <librdkafka/rdkafka_mock.h> /* needs the other */

WEIR_SCOPE(scope, "test.rdkafka", "1.0.0");

enum { PATIENCE_MS = 20000, MESSAGES = 3 };

/* ---- a cluster, and both ends of it ---- */

static struct {
    rd_kafka_t *producer, *consumer;
    int delivered;
} kafka;

static void on_delivery(rd_kafka_t *rk, const rd_kafka_message_t *message, void *opaque)
{
    (void)rk, (void)opaque;
    kafka.delivered++;
    if (message->_private != NULL)
        weir_rdkafka_delivered((weir_span *)message->_private, message);
}

static rd_kafka_t *create(rd_kafka_type_t type, const char *const settings[][2])
{
    char reason[256];
    rd_kafka_conf_t *conf = rd_kafka_conf_new();

    for (; (*settings)[0] != NULL; settings++)
        assert_int_equal(rd_kafka_conf_set(conf, (*settings)[0], (*settings)[1], reason, sizeof(reason)), RD_KAFKA_CONF_OK);
    rd_kafka_conf_set(conf, "log_level", "2", reason, sizeof(reason));
    if (type == RD_KAFKA_PRODUCER)
        rd_kafka_conf_set_dr_msg_cb(conf, on_delivery);
    rd_kafka_t *rk = rd_kafka_new(type, conf, reason, sizeof(reason));
    assert_non_null(rk);
    return rk;
}

static void subscribe(void)
{
    rd_kafka_topic_partition_list_t *topics = rd_kafka_topic_partition_list_new(1);

    rd_kafka_poll_set_consumer(kafka.consumer);
    rd_kafka_topic_partition_list_add(topics, "orders", 0);
    rd_kafka_topic_partition_list_set_offset(topics, "orders", 0, RD_KAFKA_OFFSET_BEGINNING);
    assert_int_equal(rd_kafka_assign(kafka.consumer, topics), RD_KAFKA_RESP_ERR_NO_ERROR);
    rd_kafka_topic_partition_list_destroy(topics);
}

static int start(void **state)
{
    (void)state;
    capture_start(NULL, 0);
    memset(&kafka, 0, sizeof(kafka));
    kafka.producer = create(RD_KAFKA_PRODUCER, (const char *const[][2]){ { "test.mock.num.brokers", "1" }, { NULL, NULL } });
    rd_kafka_mock_cluster_t *cluster = rd_kafka_handle_mock_cluster(kafka.producer);
    assert_non_null(cluster);
    assert_int_equal(rd_kafka_mock_topic_create(cluster, "orders", 1, 1), RD_KAFKA_RESP_ERR_NO_ERROR);
    const char *brokers = rd_kafka_mock_cluster_bootstraps(cluster);
    kafka.consumer =
        create(RD_KAFKA_CONSUMER, (const char *const[][2]){ { "bootstrap.servers", brokers }, { "group.id", "billing" }, { NULL, NULL } });
    subscribe();
    return 0;
}

static int stop(void **state)
{
    (void)state;
    rd_kafka_consumer_close(kafka.consumer);
    rd_kafka_destroy(kafka.consumer);
    rd_kafka_destroy(kafka.producer);
    weir_shutdown(2000);
    capture_clear();
    return 0;
}

static void produce(const char *key, const char *value, rd_kafka_headers_t *headers, weir_span *span)
{
    size_t key_size = key != NULL ? strlen(key) : 0, size = value != NULL ? strlen(value) : 0;

    assert_int_equal(rd_kafka_producev(kafka.producer, RD_KAFKA_V_TOPIC("orders"), RD_KAFKA_V_PARTITION(0),
                         RD_KAFKA_V_MSGFLAGS(RD_KAFKA_MSG_F_COPY), RD_KAFKA_V_KEY(key, key_size), RD_KAFKA_V_VALUE((void *)value, size),
                         RD_KAFKA_V_HEADERS(headers), RD_KAFKA_V_OPAQUE(span), RD_KAFKA_V_END),
        RD_KAFKA_RESP_ERR_NO_ERROR);
}

static rd_kafka_message_t *receive(void)
{
    rd_kafka_message_t *message = NULL;

    for (int waited = 0; message == NULL && waited < PATIENCE_MS; waited += 100) {
        rd_kafka_poll(kafka.producer, 0);
        message = rd_kafka_consumer_poll(kafka.consumer, 100);
        if (message != NULL && message->err != RD_KAFKA_RESP_ERR_NO_ERROR) {
            rd_kafka_message_destroy(message);
            message = NULL;
        }
    }
    assert_non_null(message);
    return message;
}

static Span *only(const char *name, int kind)
{
    assert_int_equal(weir_flush(5000), 0);
    Span *span = capture_span_named(name);
    assert_non_null(span);
    assert_int_equal(span->kind, kind + 1);
    assert_text(span_value(span, "messaging.system"), "kafka");
    return span;
}

static void assert_child(const Span *child, const Span *parent)
{
    assert_memory_equal(child->trace_id.data, parent->trace_id.data, 16);
    assert_memory_equal(child->parent_span_id.data, parent->span_id.data, 8);
}

/* ---- tests ---- */

static void from_producer_to_consumer(void **state)
{
    (void)state;
    weir_span sent, processed;
    rd_kafka_headers_t *headers = rd_kafka_headers_new(4);
    rd_kafka_header_add(headers, "kind", -1, "order", -1);
    {
        WEIR_SPAN(parent, scope, "parent", WEIR_SERVER, NULL);
        weir_rdkafka_send(&sent, "orders", headers);
        weir_ctx current = weir_ctx_current();
        assert_memory_equal(current.span_id, parent.ctx.span_id, 8);
        produce("A-1", "two pieces", headers, &sent);
    }
    rd_kafka_message_t *message = receive();
    assert_int_equal(rd_kafka_flush(kafka.producer, PATIENCE_MS), RD_KAFKA_RESP_ERR_NO_ERROR);
    weir_rdkafka_process(&processed, message, "billing");
    {
        WEIR_SPAN(work, scope, "work", WEIR_INTERNAL, NULL);
    }
    weir_rdkafka_end(&processed, RD_KAFKA_RESP_ERR_NO_ERROR);
    weir_ctx after = weir_ctx_current();
    assert_false(weir_ctx_valid(&after));
    rd_kafka_message_destroy(message);

    Span *producer = only("send orders", WEIR_PRODUCER), *consumer = only("process orders", WEIR_CONSUMER);
    assert_child(producer, capture_span_named("parent"));
    assert_child(consumer, producer);
    assert_child(capture_span_named("work"), consumer);
    assert_int_equal(consumer->n_links, 0);
    Span *const both[] = { producer, consumer };
    for (size_t i = 0; i < 2; i++) {
        assert_text(span_value(both[i], "messaging.destination.name"), "orders");
        assert_text(span_value(both[i], "messaging.destination.partition.id"), "0");
        assert_int(span_value(both[i], "messaging.kafka.offset"), 0);
        assert_text(span_value(both[i], "messaging.kafka.message.key"), "A-1");
        assert_int(span_value(both[i], "messaging.message.body.size"), 10);
        assert_null(span_value(both[i], "messaging.kafka.message.tombstone"));
        assert_null(span_value(both[i], "error.type"));
        assert_true(both[i]->status == NULL || both[i]->status->code == 0);
        assert_text(span_value(both[i], "messaging.operation.name"), i == 0 ? "send" : "process");
        assert_text(span_value(both[i], "messaging.operation.type"), i == 0 ? "send" : "process");
    }
    assert_null(span_value(producer, "messaging.consumer.group.name"));
    assert_text(span_value(consumer, "messaging.consumer.group.name"), "billing");
}

static void without_a_context_in_the_message(void **state)
{
    (void)state;
    weir_span processed;
    weir_ctx found;
    produce("\x01\x02", NULL, rd_kafka_headers_new(0), NULL);
    rd_kafka_message_t *message = receive();
    assert_false(weir_rdkafka_extract(&found, message));
    assert_false(weir_ctx_valid(&found));
    {
        WEIR_SPAN(around, scope, "around", WEIR_INTERNAL, NULL);
        weir_rdkafka_process(&processed, message, NULL);
        weir_rdkafka_end(&processed, RD_KAFKA_RESP_ERR__BAD_MSG);
    }
    rd_kafka_message_destroy(message);
    Span *consumer = only("process orders", WEIR_CONSUMER);
    assert_child(consumer, capture_span_named("around"));
    assert_int_equal(consumer->n_links, 0);
    assert_null(span_value(consumer, "messaging.kafka.message.key"));
    assert_null(span_value(consumer, "messaging.consumer.group.name"));
    assert_true(span_value(consumer, "messaging.kafka.message.tombstone")->bool_value);
    assert_text(span_value(consumer, "error.type"), "_BAD_MSG");
    assert_int_equal(consumer->status->code, WEIR_ERROR);
}

static void a_span_around_is_linked(void **state)
{
    (void)state;
    weir_span sent, processed;
    rd_kafka_headers_t *headers = rd_kafka_headers_new(4);
    weir_rdkafka_send(&sent, "orders", headers);
    produce(NULL, "x", headers, &sent);
    rd_kafka_message_t *message = receive();
    rd_kafka_flush(kafka.producer, PATIENCE_MS);
    {
        WEIR_SPAN(around, scope, "around", WEIR_INTERNAL, NULL);
        weir_rdkafka_process(&processed, message, NULL);
        weir_rdkafka_end(&processed, RD_KAFKA_RESP_ERR_NO_ERROR);
    }
    rd_kafka_message_destroy(message);
    Span *consumer = only("process orders", WEIR_CONSUMER);
    assert_child(consumer, only("send orders", WEIR_PRODUCER));
    assert_int_equal(consumer->n_links, 1);
    assert_memory_equal(consumer->links[0]->span_id.data, capture_span_named("around")->span_id.data, 8);
}

static void a_batch_has_links(void **state)
{
    (void)state;
    weir_span sent[MESSAGES], processed;
    rd_kafka_message_t *messages[MESSAGES + 1];
    for (size_t i = 0; i < MESSAGES; i++) {
        rd_kafka_headers_t *headers = rd_kafka_headers_new(4);
        weir_rdkafka_send(&sent[i], "orders", headers);
        produce(NULL, "x", headers, &sent[i]);
    }
    produce(NULL, "without", rd_kafka_headers_new(0), NULL);
    for (size_t i = 0; i < MESSAGES + 1; i++)
        messages[i] = receive();
    rd_kafka_flush(kafka.producer, PATIENCE_MS);
    weir_rdkafka_process_batch(&processed, messages, MESSAGES + 1, "billing");
    weir_rdkafka_end(&processed, RD_KAFKA_RESP_ERR_NO_ERROR);
    for (size_t i = 0; i < MESSAGES + 1; i++)
        rd_kafka_message_destroy(messages[i]);
    Span *consumer = only("process orders", WEIR_CONSUMER);
    assert_int_equal(consumer->n_links, MESSAGES);
    for (size_t i = 0; i < MESSAGES; i++)
        assert_memory_equal(consumer->links[i]->span_id.data, sent[i].ctx.span_id, 8);
    assert_int(span_value(consumer, "messaging.batch.message_count"), MESSAGES + 1);
    assert_null(span_value(consumer, "messaging.kafka.offset"));
}

static void headers_are_replaced(void **state)
{
    (void)state;
    const void *value;
    size_t size;
    rd_kafka_headers_t *headers = rd_kafka_headers_new(4);
    rd_kafka_header_add(headers, "traceparent", -1, "stale", -1);
    rd_kafka_header_add(headers, "traceparent", -1, "stale too", -1);
    rd_kafka_header_add(headers, "tracestate", -1, "stale=1", -1);
    rd_kafka_header_add(headers, "kind", -1, "order", -1);
    {
        WEIR_SPAN(span, scope, "span", WEIR_INTERNAL, NULL);
        assert_int_equal(weir_rdkafka_inject(NULL, headers), RD_KAFKA_RESP_ERR_NO_ERROR);
        assert_int_equal(rd_kafka_header_get(headers, 0, "traceparent", &value, &size), RD_KAFKA_RESP_ERR_NO_ERROR);
        char hex[33];
        weir_ctx_trace_hex(&span.ctx, hex);
        assert_int_equal(size, 55);
        assert_memory_equal((const char *)value + 3, hex, 32);
    }
    assert_int_equal(rd_kafka_header_get(headers, 1, "traceparent", &value, &size), RD_KAFKA_RESP_ERR__NOENT);
    assert_int_equal(rd_kafka_header_get(headers, 0, "tracestate", &value, &size), RD_KAFKA_RESP_ERR__NOENT);
    assert_int_equal(rd_kafka_header_get(headers, 0, "kind", &value, &size), RD_KAFKA_RESP_ERR_NO_ERROR);

    rd_kafka_header_remove(headers, "traceparent"); /* any case is found, and a value may be missing */
    rd_kafka_header_add(headers, "TraceParent", -1, "00-0102030405060708090a0b0c0d0e0f10-0102030405060708-01", -1);
    rd_kafka_header_add(headers, "tracestate", -1, NULL, 0);
    produce(NULL, "x", headers, NULL);
    rd_kafka_message_t *message = receive();
    weir_ctx found;
    assert_true(weir_rdkafka_extract(&found, message));
    assert_int_equal(found.trace_id[15], 0x10);
    assert_true(weir_ctx_remote(&found));
    rd_kafka_message_destroy(message);
}

static void a_message_that_is_refused(void **state)
{
    (void)state;
    weir_span sent;
    rd_kafka_headers_t *headers = rd_kafka_headers_new(4);
    weir_rdkafka_send(&sent, "orders", headers);
    rd_kafka_resp_err_t error = rd_kafka_producev(kafka.producer, RD_KAFKA_V_TOPIC("orders"), RD_KAFKA_V_VALUE("x", (size_t)1 << 30),
        RD_KAFKA_V_HEADERS(headers), RD_KAFKA_V_OPAQUE(&sent), RD_KAFKA_V_END);
    assert_int_equal(error, RD_KAFKA_RESP_ERR_MSG_SIZE_TOO_LARGE);
    weir_rdkafka_end(&sent, error);
    rd_kafka_headers_destroy(headers);
    Span *producer = only("send orders", WEIR_PRODUCER);
    assert_text(span_value(producer, "error.type"), "MSG_SIZE_TOO_LARGE");
    assert_int_equal(producer->status->code, WEIR_ERROR);
    assert_null(span_value(producer, "messaging.kafka.offset"));
}

/* The broker refuses: the delivery report ends the span with what it said. */
static void a_message_that_is_not_delivered(void **state)
{
    (void)state;
    weir_span sent;
    rd_kafka_headers_t *headers = rd_kafka_headers_new(4);
    rd_kafka_mock_push_request_errors(
        rd_kafka_handle_mock_cluster(kafka.producer), 0 /* Produce */, 1, RD_KAFKA_RESP_ERR_TOPIC_AUTHORIZATION_FAILED);
    weir_rdkafka_send(&sent, "orders", headers);
    produce(NULL, "x", headers, &sent);
    for (int waited = 0; kafka.delivered == 0 && waited < PATIENCE_MS; waited += 100)
        rd_kafka_poll(kafka.producer, 100);
    Span *producer = only("send orders", WEIR_PRODUCER);
    assert_text(span_value(producer, "error.type"), "TOPIC_AUTHORIZATION_FAILED");
    assert_int_equal(producer->status->code, WEIR_ERROR);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(from_producer_to_consumer, start, stop),
        cmocka_unit_test_setup_teardown(without_a_context_in_the_message, start, stop),
        cmocka_unit_test_setup_teardown(a_span_around_is_linked, start, stop),
        cmocka_unit_test_setup_teardown(a_batch_has_links, start, stop),
        cmocka_unit_test_setup_teardown(headers_are_replaced, start, stop),
        cmocka_unit_test_setup_teardown(a_message_that_is_refused, start, stop),
        cmocka_unit_test_setup_teardown(a_message_that_is_not_delivered, start, stop),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
