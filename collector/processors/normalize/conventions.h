/*
 * Names of OpenTelemetry's semantic conventions that have changed, and what they are called now (1.40). I/O-free.
 */
#ifndef WEIR_PROCESSORS_NORMALIZE_CONVENTIONS_H
#define WEIR_PROCESSORS_NORMALIZE_CONVENTIONS_H

#include "collector/wire/edit.h"

#define CONVENTIONS_SCHEMA_URL "https://opentelemetry.io/schemas/1.40.0"

enum {
    CONVENTIONS_UNKNOWN = 0,  /* no schema_url: every old name is taken for what it was */
    CONVENTIONS_CURRENT = 40, /* the minor version of that schema, and of later ones: nothing is renamed */
    CONVENTIONS_TABLE_SIZE = 512,
};

/* Old names by hash; made once, then immutable. */
struct conventions {
    uint8_t first[CONVENTIONS_TABLE_SIZE]; /* index into the table of names, from 1; 0: none */
    uint8_t next[256];
};

void conventions_init(struct conventions *conventions);

/* The minor version of a schema_url; somebody else's schema counts as current. */
int conventions_version_of(struct slice schema_url);

/* What the message is: a server's span, or the like, decides what a peer is. */
struct conventions_message {
    struct slice body;
    uint32_t attributes_field;
    int version; /* of its schema */
    bool is_server;
};

/*
 * Renames what has another name now. `edit` is opened with the message when there is something to do, unless *opened says that it was;
 * true when something was renamed. An attribute whose new name is there already is left as it is.
 */
bool conventions_apply(const struct conventions *conventions, const struct conventions_message *message, struct edit *edit, bool *opened);

/* For the documentation and tests: the nth pair of names; false behind the last. */
bool conventions_pair(size_t n, const char **old_name, const char **name, int *since);

#endif
