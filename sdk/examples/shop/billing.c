/* The shop's till: charges for each order that comes over Kafka, and has a notice sent, over HTTP. Variables: KAFKA, NOTICE_URL, and those of the SDK. */
#include <stdio.h>
#include <weir/contrib/curl.h>
#include <weir/contrib/rdkafka.h>

#include "service.h"

WEIR_SCOPE(scope, "shop.billing", "1.0.0");

static const char topic[] = "shop.orders", group[] = "billing";

static rd_kafka_t *connect_kafka(void)
{
    const char *const settings[][2] = { { "bootstrap.servers", service_setting("KAFKA") }, { "group.id", group },
        { "auto.offset.reset", "earliest" }, { "allow.auto.create.topics", "true" } };
    char reason[256];
    rd_kafka_conf_t *conf = rd_kafka_conf_new();
    rd_kafka_topic_partition_list_t *topics = rd_kafka_topic_partition_list_new(1);

    for (size_t i = 0; i < sizeof(settings) / sizeof(*settings); i++) {
        if (rd_kafka_conf_set(conf, settings[i][0], settings[i][1], reason, sizeof(reason)) != RD_KAFKA_CONF_OK)
            service_fail(reason);
    }
    rd_kafka_t *kafka = rd_kafka_new(RD_KAFKA_CONSUMER, conf, reason, sizeof(reason));
    if (kafka == NULL)
        service_fail(reason);
    rd_kafka_poll_set_consumer(kafka);
    rd_kafka_topic_partition_list_add(topics, topic, RD_KAFKA_PARTITION_UA);
    rd_kafka_subscribe(kafka, topics);
    rd_kafka_topic_partition_list_destroy(topics);
    return kafka;
}

static int cents_for(const char *sku)
{
    WEIR_SPAN(span, scope, "price", WEIR_INTERNAL, NULL);
    int cents = strcmp(sku, "A-1") == 0 ? 1250 : 990;

    WEIR_SET(&span, "shop.cents", cents);
    return cents;
}

static void send_notice(CURL *easy, const char *sku, int cents)
{
    char url[256], body[128];
    weir_curl call;

    snprintf(url, sizeof(url), "%s/notices", service_setting("NOTICE_URL"));
    snprintf(body, sizeof(body), "{\"sku\": \"%s\", \"cents\": %d}", sku, cents);
    weir_curl_begin(&call, easy, "POST", url);
    weir_curl_header(&call, "Content-Type: application/json");
    WEIR_SET(&call.span, "service.peer.name", "notice");
    curl_easy_setopt(easy, CURLOPT_POSTFIELDS, body);
    CURLcode result = curl_easy_perform(easy);
    if (result != CURLE_OK)
        weir_logf(&scope, WEIR_WARN, "no notice was sent: %s", curl_easy_strerror(result));
    weir_curl_end(&call, result);
}

static void on_message(const rd_kafka_message_t *message, CURL *easy)
{
    weir_span span;
    char sku[64];

    weir_rdkafka_process(&span, message, group);
    snprintf(sku, sizeof(sku), "%.*s", (int)message->key_len, message->key != NULL ? (const char *)message->key : "");
    int cents = cents_for(sku);
    weir_logf(&scope, WEIR_INFO, "charged %d.%02d for %s", cents / 100, cents % 100, sku);
    send_notice(easy, sku, cents);
    weir_rdkafka_end(&span, RD_KAFKA_RESP_ERR_NO_ERROR);
}

static size_t ignore(char *data, size_t size, size_t count, void *user)
{
    (void)data, (void)user;
    return size * count;
}

int main(void)
{
    CURL *easy = curl_easy_init();

    service_begin();
    if (easy == NULL)
        service_fail("could not start libcurl");
    curl_easy_setopt(easy, CURLOPT_NOPROXY, "*");
    curl_easy_setopt(easy, CURLOPT_TIMEOUT_MS, 5000L);
    curl_easy_setopt(easy, CURLOPT_WRITEFUNCTION, ignore);
    rd_kafka_t *kafka = connect_kafka();
    while (!service_stopping(0)) {
        rd_kafka_message_t *message = rd_kafka_consumer_poll(kafka, 100);
        if (message == NULL)
            continue;
        if (message->err == RD_KAFKA_RESP_ERR_NO_ERROR)
            on_message(message, easy);
        else
            fprintf(stderr, "Kafka: %s\n", rd_kafka_message_errstr(message));
        rd_kafka_message_destroy(message);
    }
    rd_kafka_consumer_close(kafka);
    rd_kafka_destroy(kafka);
    curl_easy_cleanup(easy);
    return service_end();
}
