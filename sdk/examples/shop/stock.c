/*
 * The shop's shelves, in SQLite: POST /stock/SKU takes a piece, and tells the billing, over Kafka. Variables: PORT, KAFKA, and those of the SDK.
 * Threads: requests and the database on libmicrohttpd's; delivery reports on main's.
 */
#include <stdio.h>
#include <stdlib.h>
#include <weir/contrib/rdkafka.h>
#include <weir/contrib/sqlite.h>

#include "service.h"

WEIR_SCOPE(scope, "shop.stock", "1.0.0");

static const char topic[] = "shop.orders";

struct stock {
    sqlite3 *db;
    weir_sqlite hook;
    rd_kafka_t *kafka;
};

/* ---- Kafka ---- */

/* Within the context of the span that waited for this report; other work of this thread is none of its concern. */
static void on_delivery(rd_kafka_t *kafka, const rd_kafka_message_t *message, void *opaque)
{
    weir_span *span = (weir_span *)message->_private;
    weir_ctx previous = weir_ctx_attach(&span->ctx);

    (void)kafka, (void)opaque;
    if (message->err == RD_KAFKA_RESP_ERR_NO_ERROR)
        weir_logf(&scope, WEIR_INFO, "Kafka has the order at offset %lld", (long long)message->offset);
    else
        weir_logf(&scope, WEIR_FAIL, "Kafka did not take the order: %s", rd_kafka_err2str(message->err));
    weir_ctx_detach(&previous);
    weir_rdkafka_delivered(span, message);
    free(span);
}

/* Now, so that the first order need not wait for it. */
static void find_topic(rd_kafka_t *kafka)
{
    rd_kafka_topic_t *found = rd_kafka_topic_new(kafka, topic, NULL);
    const struct rd_kafka_metadata *metadata;

    if (found == NULL || rd_kafka_metadata(kafka, 0, found, &metadata, 10000) != RD_KAFKA_RESP_ERR_NO_ERROR)
        service_fail("could not reach Kafka");
    rd_kafka_metadata_destroy(metadata);
    rd_kafka_topic_destroy(found);
}

static rd_kafka_t *connect_kafka(void)
{
    char reason[256];
    rd_kafka_conf_t *conf = rd_kafka_conf_new();

    rd_kafka_conf_set_dr_msg_cb(conf, on_delivery);
    if (rd_kafka_conf_set(conf, "bootstrap.servers", service_setting("KAFKA"), reason, sizeof(reason)) != RD_KAFKA_CONF_OK)
        service_fail(reason);
    rd_kafka_t *kafka = rd_kafka_new(RD_KAFKA_PRODUCER, conf, reason, sizeof(reason));
    if (kafka == NULL)
        service_fail(reason);
    find_topic(kafka);
    return kafka;
}

static bool tell_billing(rd_kafka_t *kafka, const char *sku)
{
    weir_span *span = (weir_span *)malloc(sizeof(*span));
    rd_kafka_headers_t *headers = rd_kafka_headers_new(4);

    if (span == NULL)
        return false;
    weir_rdkafka_send(span, topic, headers);
    rd_kafka_resp_err_t error =
        rd_kafka_producev(kafka, RD_KAFKA_V_TOPIC(topic), RD_KAFKA_V_MSGFLAGS(RD_KAFKA_MSG_F_COPY), RD_KAFKA_V_KEY(sku, strlen(sku)),
            RD_KAFKA_V_VALUE((void *)"1", 1), RD_KAFKA_V_HEADERS(headers), RD_KAFKA_V_OPAQUE(span), RD_KAFKA_V_END);
    if (error != RD_KAFKA_RESP_ERR_NO_ERROR) {
        weir_rdkafka_end(span, error);
        rd_kafka_headers_destroy(headers);
        free(span);
    }
    return error == RD_KAFKA_RESP_ERR_NO_ERROR;
}

/* ---- SQLite ---- */

static void open_database(struct stock *self)
{
    static const char shelves[] = "CREATE TABLE shelf (sku TEXT PRIMARY KEY, pieces INTEGER);"
                                  "INSERT INTO shelf VALUES ('A-1', 1000), ('B-2', 1000), ('C-3', 0)";

    if (sqlite3_open(":memory:", &self->db) != SQLITE_OK || sqlite3_exec(self->db, shelves, NULL, NULL, NULL) != SQLITE_OK)
        service_fail("could not make the database");
    weir_sqlite_attach(&self->hook, self->db);
}

/* The first column of the first row; -1: no row. */
static int64_t ask(struct stock *self, const char *sql, const char *sku)
{
    sqlite3_stmt *statement;
    int64_t value = -1;

    if (sqlite3_prepare_v2(self->db, sql, -1, &statement, NULL) != SQLITE_OK)
        return -1;
    sqlite3_bind_text(statement, 1, sku, -1, SQLITE_STATIC);
    while (weir_sqlite_step(&self->hook, statement) == SQLITE_ROW)
        value = sqlite3_column_int64(statement, 0);
    sqlite3_finalize(statement);
    return value;
}

/* ---- HTTP ---- */

static enum MHD_Result take(struct stock *self, struct MHD_Connection *connection, const char *sku)
{
    int64_t pieces = ask(self, "SELECT pieces FROM shelf WHERE sku = ?1", sku);

    if (pieces < 0) {
        weir_logf(&scope, WEIR_WARN, "there is no shelf for %s", sku);
        return service_answer(connection, MHD_HTTP_NOT_FOUND, "unknown\n");
    }
    if (pieces == 0)
        return service_answer(connection, MHD_HTTP_CONFLICT, "none left\n");
    ask(self, "UPDATE shelf SET pieces = pieces - 1 WHERE sku = ?1", sku);
    weir_logf(&scope, WEIR_INFO, "took one %s, %lld are left", sku, (long long)pieces - 1);
    if (!tell_billing(self->kafka, sku))
        return service_answer(connection, MHD_HTTP_SERVICE_UNAVAILABLE, "billing can't be told\n");
    return service_answer(connection, MHD_HTTP_OK, "yours\n");
}

static enum MHD_Result on_request(void *user, struct MHD_Connection *connection, const char *url, const char *method, const char *version,
    const char *upload_data, size_t *upload_data_size, void **request)
{
    const char *sku = service_path_word(url, "/stock/");

    (void)version, (void)upload_data;
    if (!service_request_is_whole(upload_data_size, request))
        return MHD_YES;
    if (sku == NULL || strcmp(method, "POST") != 0)
        return service_answer(connection, MHD_HTTP_NOT_FOUND, "POST /stock/SKU\n");
    return take((struct stock *)user, connection, sku);
}

static const char *route(void *user, const char *method, const char *path)
{
    (void)user, (void)method;
    return service_path_word(path, "/stock/") != NULL ? "/stock/{sku}" : NULL;
}

int main(void)
{
    struct stock self = { .db = NULL };
    weir_microhttpd handler = { .handler = on_request, .user = &self, .route = route };

    service_begin();
    open_database(&self);
    self.kafka = connect_kafka();
    struct MHD_Daemon *daemon = service_listen(&handler);
    while (!service_stopping(0))
        rd_kafka_poll(self.kafka, 100);
    MHD_stop_daemon(daemon);
    rd_kafka_flush(self.kafka, 5000);
    rd_kafka_purge(self.kafka, RD_KAFKA_PURGE_F_QUEUE | RD_KAFKA_PURGE_F_INFLIGHT); /* so that every span has its report */
    rd_kafka_flush(self.kafka, 1000);
    rd_kafka_destroy(self.kafka);
    sqlite3_close(self.db);
    return service_end();
}
