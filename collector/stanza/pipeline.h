/*
 * A chain of operators, compiled once from a list in a configuration, over records of one source of logs: the OpenTelemetry Collector's
 * "stanza". I/O-free once it is made. What comes out goes to a callback; struct stanza_writer makes OTLP of it.
 *
 * Threads: one at a time.
 */
#ifndef WEIR_STANZA_PIPELINE_H
#define WEIR_STANZA_PIPELINE_H

#include "collector/config/tree.h"
#include "collector/stanza/value.h"

struct stanza_pipeline;

enum stanza_event { STANZA_EVENT_ERROR, STANZA_EVENT_ERROR_QUIET, STANZA_EVENT_DROPPED, STANZA_EVENT_FILTERED };

struct stanza_sink {
    /* A record has come through; it is only lent. */
    void (*record)(void *context, struct stanza_record *record);
    /* Something befell a record: which operator, and (for errors) what. NULL: nobody wants to know. */
    void (*event)(void *context, enum stanza_event event, const char *id, const char *text);
    void *context;
};

/* operators: a list, or NULL or null for none. NULL with an error that says where. The nodes must live as long as the pipeline. */
struct stanza_pipeline *stanza_pipeline_create(const struct config_node *operators, struct error *err);
void stanza_pipeline_destroy(struct stanza_pipeline *pipeline); /* what is held is lost; NULL is fine */
void stanza_pipeline_set_sink(struct stanza_pipeline *pipeline, const struct stanza_sink *sink);

bool stanza_pipeline_is_empty(const struct stanza_pipeline *pipeline);
/* Are there operators that hold records? Only then flush and held have anything to do. */
bool stanza_pipeline_holds(const struct stanza_pipeline *pipeline);

/* The record's values must live for the call. */
void stanza_pipeline_process(struct stanza_pipeline *pipeline, struct stanza_record *record);
/* Sends on what was held for too long (monotonic time), or everything. */
void stanza_pipeline_flush(struct stanza_pipeline *pipeline, int64_t now_ns, bool all);
/* The lowest origin of what is held of a source; UINT64_MAX: nothing is. */
uint64_t stanza_pipeline_held(const struct stanza_pipeline *pipeline, const void *source);

/* ---- records to OTLP ---- */

/*
 * Appends records to a buffer as an ExportLogsServiceRequest. Records of the same resource and scope, one behind the other, share a group. Lengths
 * of groups are written with four bytes, so that no group has to be moved when it is closed.
 */
struct stanza_writer {
    struct buffer out;      /* owned */
    struct buffer resource; /* of the open group: its attributes as fields */
    struct buffer scope;    /* its name */
    struct buffer scratch;
    size_t group_mark, scope_mark; /* 0: none is open */
    size_t records;
};
void stanza_writer_fini(struct stanza_writer *writer);
void stanza_writer_add(struct stanza_writer *writer, const struct stanza_record *record);
/* A record of a body and attributes only, which are given as they are on the wire; in a group without resource and scope, or that of `resource`. */
struct stanza_plain {
    struct slice body;
    bool bytes;              /* body is written as bytes and not as text */
    struct slice attributes; /* fields of a LogRecord */
    struct slice resource;   /* fields of a Resource */
    uint64_t observed_ns;
};
void stanza_writer_add_plain(struct stanza_writer *writer, const struct stanza_plain *plain);
/* Closes what is open: `out` is then a request. */
void stanza_writer_end(struct stanza_writer *writer);
void stanza_writer_clear(struct stanza_writer *writer);

#endif
