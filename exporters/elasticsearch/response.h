/*
 * What Elasticsearch answers: the results of a _bulk request one after the other, and errors. Read from the text without a tree; I/O-free.
 * All slices borrow from the text.
 */
#ifndef WEIR_EXPORTERS_ELASTICSEARCH_RESPONSE_H
#define WEIR_EXPORTERS_ELASTICSEARCH_RESPONSE_H

#include "collector/base/slice.h"
#include "collector/wire/json_text.h"

struct elastic_error {
    struct slice type, reason; /* as they stand between the quotes; empty: not said */
    struct slice json;         /* the whole value; empty: there is none */
};

struct elastic_result {
    int status; /* 0: none was given */
    struct elastic_error error;
};

struct elastic_results {
    struct json_text text;
    bool open;    /* inside of the list */
    bool faulty;  /* ended before its end, or is not what it should be */
    bool started; /* a result has been read */
};

/* False: there is no list of results in it. */
bool elastic_results_begin(struct elastic_results *results, struct slice response);
/* False at the end, and where the text is faulty. */
bool elastic_results_next(struct elastic_results *results, struct elastic_result *result);

/* Of a response that is an error as a whole; empty when it does not say. */
struct elastic_error elastic_error_of(struct slice response);

/*
 * The string that `key` has somewhere below, the next one from *at on; *at ends behind it. For the few answers of which one thing is wanted
 * (addresses of nodes, a version). Raw, as it stands between the quotes.
 */
bool elastic_next_string(struct json_text *text, const char *key, struct slice *value);

#endif
