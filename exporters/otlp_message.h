/* What the two OTLP exporters have in common: the message of a batch, the headers, and what is said about the destination. */
#ifndef WEIR_EXPORTERS_OTLP_MESSAGE_H
#define WEIR_EXPORTERS_OTLP_MESSAGE_H

#include "collector/component.h"
#include "collector/net/compress.h"
#include "exporters/stretch.h"

/* ---- the body ---- */

struct otlp_form {
    bool json;
    enum coding coding;
    int level; /* of the coding; 0: its default */
};

enum { OTLP_PARTS_INLINE = 32 };

/* A batch's bytes as they go out: its own runs when nothing is to be changed about them. */
struct otlp_message {
    const struct slice *parts; /* borrowed from the batch or from here */
    size_t part_count;
    struct slice inline_parts[OTLP_PARTS_INLINE];
    struct slice *more_parts; /* owned */
    struct buffer text, compressed;
};

/* The message is zeroed. false: memory is out. Valid as long as the batch. */
bool otlp_message_build(struct otlp_message *message, const struct batch *batch, const struct otlp_form *form);
void otlp_message_fini(struct otlp_message *message);

/* ---- headers ---- */

enum { OTLP_HEADERS_MAX = 64 };

/* "Name: value" lines of one request, NULL-terminated. */
struct otlp_headers {
    struct buffer text;
    const char *lines[OTLP_HEADERS_MAX + 1];
};

/* Checks what the user wrote: names are tokens, values have no line breaks, there are not too many. */
bool otlp_headers_check(const struct option_pairs *pairs, struct error *err);
/* Is one of that name among them? */
bool otlp_headers_have(const struct option_pairs *pairs, const char *name);
/*
 * The lines of `fixed` ("Name: value\n"...) and those that the authenticator (NULL: none) adds now; names in lower case if
 * asked. false with an error: the authenticator has none, or memory is out.
 */
struct otlp_headers_source {
    struct slice fixed;
    struct component *authenticator;
    bool lower_case;
};
bool otlp_headers_make(struct otlp_headers *headers, const struct otlp_headers_source *source, struct error *err);
void otlp_headers_fini(struct otlp_headers *headers);

/* The extension that auth.authenticator names (NULL: none, *out is NULL), which must have a client side. In start() only. */
bool otlp_find_authenticator(const struct component *self, const char *id, struct component **out, struct error *err);

/* ---- the destination, as the log tells of it ---- */

struct otlp_failure {
    struct outcome outcome;
    const char *tried;  /* "POST http://host/v1/traces" */
    const char *result; /* "status 503: overloaded" */
    size_t records;
};
void otlp_destination_failed(struct stretch *stretch, const struct component *self, const struct otlp_failure *failure);
void otlp_destination_worked(struct stretch *stretch, const struct component *self);

/* Text of a server for a line of the log: at most 200 bytes, control characters as spaces; quoted and led in by ": ", or nothing. */
#define OTLP_EXCERPT_SIZE 216
const char *otlp_excerpt(struct slice text, char out[OTLP_EXCERPT_SIZE]);

/* Logs and counts a partial success; `rejected` is held against what was sent. */
void otlp_count_partial_success(struct component *self, const struct batch *batch, int64_t rejected, struct slice message);

#endif
