/*
 * Getting documents into Elasticsearch: one _bulk request after the other until each document of a bulk is delivered, refused for good, or the patience is
 * at its end.
 *
 * Only documents that were not taken are sent again. A request that is too large, or that the server refuses as a whole though it holds
 * several documents, is cut in halves. When some documents of a batch have landed that would be there twice if the batch were sent
 * again, the rest is tried for as long as retry_on_failure allows, not only retry.max_retries times.
 */
#ifndef WEIR_EXPORTERS_ELASTICSEARCH_SENDING_H
#define WEIR_EXPORTERS_ELASTICSEARCH_SENDING_H

#include "exporters/elasticsearch/connection.h"
#include "exporters/elasticsearch/dead_letters.h"
#include "exporters/stretch.h"

enum elastic_count { ELASTIC_DELIVERED, ELASTIC_DUPLICATE, ELASTIC_RETRIED, ELASTIC_DEAD, ELASTIC_REFUSED, ELASTIC_COUNTS };

/* What the batches of one exporter share. */
struct elastic_destination {
    const struct elastic_settings *settings; /* borrowed */
    struct component *component;
    struct elastic_connection connection;
    struct elastic_dead_letters *dead_letters; /* owned; NULL: none */
    struct stretch failures;
    atomic_bool no_templates, no_requirement; /* the server does not know dynamic_templates, require_data_stream */
    atomic_size_t request_most;               /* bytes before compression: what a 413 taught; 0: nothing */
    struct metric *counters[ELASTIC_COUNTS];  /* owned */
};

bool elastic_destination_open(
    struct elastic_destination *destination, struct component *component, const struct elastic_settings *settings, struct error *err);
void elastic_destination_close(struct elastic_destination *destination); /* of a zeroed one is fine */

/* One batch on its way. Zeroed but for destination and records. */
struct elastic_sending {
    struct elastic_destination *destination;
    size_t records; /* of the batch, for the log */
    int64_t started_ns;

    size_t delivered; /* documents, duplicates among them */
    size_t landed;    /* those that would be there twice if they were sent again */
    size_t buried, refused;
    struct outcome outcome; /* of the last request, while documents are pending */
    char result[256];       /* what is to be told of it */
    char first_refusal[256];
    bool requires_stream; /* the request that is under way says require_data_stream */
    size_t splits;        /* requests that were cut in halves because the server did not say which document it refused */

    struct elastic_parts parts; /* owned */
    struct buffer compressed, letters;
};
void elastic_sending_fini(struct elastic_sending *sending);

/* For elastic_documents: `context` is an elastic_sending. False: outcome says why the batch can't be delivered now. */
bool elastic_send(void *context, struct elastic_bulk *bulk);

/* What the batch comes to when all of it was sent; tells the log about refused documents. */
struct outcome elastic_sending_outcome(struct elastic_sending *sending);

#endif
