/*
 * The dead-letter file: documents that Elasticsearch will never take, one JSON object a line, with the index, the status and the error. What
 * one answer refused is gathered and written through to the disk together, before those documents count as dealt with.
 *
 * Threads: the file is shared, one writes at a time; a letter belongs to one thread.
 */
#ifndef WEIR_EXPORTERS_ELASTICSEARCH_DEAD_LETTERS_H
#define WEIR_EXPORTERS_ELASTICSEARCH_DEAD_LETTERS_H

#include "exporters/elasticsearch/bulk.h"
#include "exporters/elasticsearch/response.h"

struct elastic_dead_letters; /* an open file */

/* Opens or makes the file. NULL with an error. Aborts when memory is out. */
struct elastic_dead_letters *elastic_dead_letters_open(const char *path, int64_t max_bytes, struct error *err);
void elastic_dead_letters_close(struct elastic_dead_letters *letters); /* NULL is fine */

/* Appends one line to `out`. */
struct elastic_letter {
    const char *exporter; /* its id */
    const struct elastic_bulk *bulk;
    const struct elastic_item *item;
    int status;
    struct elastic_error error;
};
void elastic_letter_write(const struct elastic_letter *letter, struct buffer *out);

enum elastic_burial {
    ELASTIC_BURIED,        /* on the disk */
    ELASTIC_NO_GRAVE,      /* the file is full */
    ELASTIC_BURIAL_FAILED, /* it can't be written now; nothing of it is there */
};
enum elastic_burial elastic_dead_letters_write(struct elastic_dead_letters *letters, struct slice lines, struct error *err);

#endif
