/*
 * librdkafka: contexts in the headers of Kafka messages, and spans for sending and processing them. OpenTelemetry semantic
 * conventions: messaging spans, Kafka. Link -lweir_contrib_rdkafka -lrdkafka -lweir.
 *
 *     rd_kafka_headers_t *headers = rd_kafka_headers_new(4);
 *     weir_rdkafka_send(span, "orders", headers);
 *     rd_kafka_resp_err_t error = rd_kafka_producev(kafka, RD_KAFKA_V_TOPIC("orders"), RD_KAFKA_V_HEADERS(headers),
 *         RD_KAFKA_V_OPAQUE(span), ..., RD_KAFKA_V_END);
 *     if (error)                                          then there is no delivery report, and the headers are still the caller's
 *         weir_rdkafka_end(span, error);
 *
 *     weir_rdkafka_delivered(message->_private, message);   in the delivery report
 *
 *     weir_rdkafka_process(&span, message, "billing");      a consumer, around its work
 *     weir_rdkafka_end(&span, RD_KAFKA_RESP_ERR_NO_ERROR);
 */
#ifndef WEIR_CONTRIB_RDKAFKA_H
#define WEIR_CONTRIB_RDKAFKA_H

#include <librdkafka/rdkafka.h>

#include "weir/weir.h"

#ifdef __cplusplus
extern "C" {
#endif

/*
 * Writes *ctx (NULL: the current one) into message headers, in place of what they carried of another context. Returns librdkafka's
 * error: RD_KAFKA_RESP_ERR__READ_ONLY for the headers of a message that was received (rd_kafka_headers_copy makes some that are not).
 */
WEIR_API rd_kafka_resp_err_t weir_rdkafka_inject(const weir_ctx *ctx, rd_kafka_headers_t *headers);

/* Reads the context that a message carries, as weir_extract does: *out is the current context, and false returned, when there is none. */
WEIR_API bool weir_rdkafka_extract(weir_ctx *out, const rd_kafka_message_t *message);

/*
 * Begins the producer span "send TOPIC" as a child of the current context, which stays current, and injects it into `headers` (NULL:
 * not). To be ended once, on any thread: by weir_rdkafka_delivered, or by weir_rdkafka_end when there will be no delivery report.
 */
WEIR_API void weir_rdkafka_send(weir_span *span, const char *topic, rd_kafka_headers_t *headers);

/* Ends a span of weir_rdkafka_send in the delivery report: with the message's partition, offset, key and error. */
WEIR_API void weir_rdkafka_delivered(weir_span *span, const rd_kafka_message_t *message);

/*
 * Begins the consumer span "process TOPIC" for a message that holds no error, as a child of the context in its headers, and makes it
 * current; a span that the thread is in is linked to. `group` is the consumer's, NULL: none. To be ended by weir_rdkafka_end on this thread.
 */
WEIR_API void weir_rdkafka_process(weir_span *span, const rd_kafka_message_t *message, const char *group);

/*
 * The same for messages that are worked on together, of rd_kafka_consume_batch_queue: a child of the current context, with a link to
 * each message's. The topic is that of the first; messages that hold an error are passed over. `count` is at least 1.
 */
WEIR_API void weir_rdkafka_process_batch(weir_span *span, rd_kafka_message_t *const *messages, size_t count, const char *group);

/* Ends any of these spans; an error becomes its status and its error.type. */
WEIR_API void weir_rdkafka_end(weir_span *span, rd_kafka_resp_err_t error);

#ifdef __cplusplus
}
#endif
#endif
