/*
 * The body of a _bulk request: for each document an action line and the document's line, and where each of them stands, so that the
 * documents that have to be sent again can be sent from where they lie.
 */
#ifndef WEIR_EXPORTERS_ELASTICSEARCH_BULK_H
#define WEIR_EXPORTERS_ELASTICSEARCH_BULK_H

#include "exporters/elasticsearch/route.h"

struct elastic_item {
    size_t start;                        /* of the action line, in the text */
    uint32_t action_size, document_size; /* with their line breaks */
    uint32_t templates;                  /* where dynamic_templates begins in the action line; 0: it has none */
    uint32_t attempts;                   /* requests that gave this document an answer of its own */
    bool has_id;                         /* sending it twice gives one document */
    bool pending;                        /* not delivered, nor given up */
};

struct elastic_bulk {
    struct buffer text;
    struct elastic_item *items; /* owned */
    size_t count, capacity;
    bool require_data_stream; /* of all documents in it */
};

void elastic_bulk_fini(struct elastic_bulk *bulk);
void elastic_bulk_clear(struct elastic_bulk *bulk);

/* What an action line says beside the index. Empty slices are left out. */
struct elastic_action {
    struct slice id, pipeline;
    struct slice templates; /* a JSON object */
};

/* Writes the action line; the document is appended to bulk->text then, and ended by close or drop. */
void elastic_bulk_open(struct elastic_bulk *bulk, const struct elastic_route *route, const struct elastic_action *action);
void elastic_bulk_close(struct elastic_bulk *bulk);
/* The document that was opened is not written after all. */
void elastic_bulk_drop(struct elastic_bulk *bulk);

struct slice elastic_bulk_action(const struct elastic_bulk *bulk, const struct elastic_item *item);   /* without its line break */
struct slice elastic_bulk_document(const struct elastic_bulk *bulk, const struct elastic_item *item); /* without its line break */

/* Blanks out dynamic_templates, which not every server knows. Whether there were any. */
bool elastic_bulk_forget_templates(struct elastic_bulk *bulk);

/* Pending ones among the items [first, end). */
size_t elastic_bulk_pending(const struct elastic_bulk *bulk, size_t first, size_t end);

/*
 * The pending ones of [first, end) as slices of the text, neighbours in one. Returns how many slices; the array grows as needed. False: memory is out.
 */
struct elastic_parts {
    struct slice *items; /* owned */
    size_t count, capacity;
};
bool elastic_bulk_parts(const struct elastic_bulk *bulk, size_t first, size_t end, struct elastic_parts *parts);

#endif
