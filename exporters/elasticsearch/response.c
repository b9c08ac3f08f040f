/*
 * Reader of Elasticsearch's answers. Cost: one scan. A result's members may come in any order; what is not wanted is skipped without
 * recursion. Threads: none of its own.
 */
#include "exporters/elasticsearch/response.h"

enum { STATUS_MAX = 999 };

/* ---- objects ---- */

/* Into an object: true with its first key, false when it has none or is no object. */
static bool enter_object(struct json_text *text)
{
    return json_take(text, '{') || json_fault(text, "expected an object");
}

/* The next key of an object, `at` on its value. False at the end of the object, or with a problem. */
static bool next_key(struct json_text *text, bool *first, struct slice *key)
{
    struct json_string string;

    if (json_take(text, '}'))
        return false;
    if (!*first && !json_take(text, ','))
        return json_fault(text, "expected \",\" or \"}\"");
    *first = false;
    if (json_peek(text) != '"')
        return json_fault(text, "expected a field name");
    if (!json_scan_string(text, &string))
        return false;
    *key = string.raw;
    return json_take(text, ':') || json_fault(text, "expected \":\"");
}

static bool read_string(struct json_text *text, struct slice *out)
{
    struct json_string string;

    if (json_peek(text) != '"')
        return json_skip_value(text);
    if (!json_scan_string(text, &string))
        return false;
    *out = string.raw;
    return true;
}

/* Anything but a small whole number is no status. */
static bool read_status(struct json_text *text, int *status)
{
    const uint8_t *start;
    int value = 0;

    json_skip_space(text);
    start = text->at;
    if (!json_skip_value(text))
        return false;
    for (const uint8_t *at = start; at < text->at; at++) {
        if (*at < '0' || *at > '9' || value > STATUS_MAX)
            return true;
        value = 10 * value + (*at - '0');
    }
    if (value <= STATUS_MAX)
        *status = value;
    return true;
}

/* An object with type and reason, or a mere sentence. */
static bool read_error(struct json_text *text, struct elastic_error *error)
{
    bool first = true;
    struct slice key;

    json_skip_space(text);
    error->json.data = text->at;
    if (json_peek(text) != '{') {
        if (!read_string(text, &error->reason))
            return false;
    } else {
        enter_object(text);
        while (next_key(text, &first, &key)) {
            bool fine;

            if (slice_equal(key, SLICE("type")))
                fine = read_string(text, &error->type);
            else if (slice_equal(key, SLICE("reason")))
                fine = read_string(text, &error->reason);
            else
                fine = json_skip_value(text);
            if (!fine)
                return false;
        }
    }
    error->json.size = (size_t)(text->at - error->json.data);
    return text->problem == NULL;
}

/* ---- results ---- */

static bool find_member(struct json_text *text, const char *wanted)
{
    bool first = true;
    struct slice key;

    if (!enter_object(text))
        return false;
    while (next_key(text, &first, &key)) {
        if (slice_equal_string(key, wanted))
            return true;
        if (!json_skip_value(text))
            return false;
    }
    return false;
}

bool elastic_results_begin(struct elastic_results *results, struct slice response)
{
    *results = (struct elastic_results){ .text = { response.data, response.data + response.size, NULL } };
    if (response.size == 0)
        return false;
    results->open = find_member(&results->text, "items") && json_take(&results->text, '[');
    return results->open;
}

static bool read_outcome(struct json_text *text, struct elastic_result *result)
{
    bool first = true;
    struct slice key;

    if (!enter_object(text))
        return false;
    while (next_key(text, &first, &key)) {
        bool fine;

        if (slice_equal(key, SLICE("status")))
            fine = read_status(text, &result->status);
        else if (slice_equal(key, SLICE("error")))
            fine = read_error(text, &result->error);
        else
            fine = json_skip_value(text);
        if (!fine)
            return false;
    }
    return text->problem == NULL;
}

/* {"create":{...}}: one member, named for the action. */
static bool read_result(struct json_text *text, struct elastic_result *result)
{
    bool first = true;
    struct slice key;

    *result = (struct elastic_result){ .status = 0 };
    if (!enter_object(text))
        return false;
    while (next_key(text, &first, &key))
        if (!read_outcome(text, result))
            return false;
    return text->problem == NULL;
}

bool elastic_results_next(struct elastic_results *results, struct elastic_result *result)
{
    struct json_text *text = &results->text;

    if (!results->open || results->faulty)
        return false;
    if (json_take(text, ']')) {
        results->open = false;
        return false;
    }
    if ((results->started && !json_take(text, ',')) || !read_result(text, result)) {
        results->faulty = true;
        return false;
    }
    results->started = true;
    return true;
}

struct elastic_error elastic_error_of(struct slice response)
{
    struct json_text text = { response.data, response.data + response.size, NULL };
    struct elastic_error error = { .type = { NULL, 0 } };

    if (response.size == 0 || !find_member(&text, "error") || !read_error(&text, &error))
        return (struct elastic_error){ .type = { NULL, 0 } };
    return error;
}

/* ---- one thing of an answer ---- */

bool elastic_next_string(struct json_text *text, const char *key, struct slice *value)
{
    struct json_string string;
    bool found = false; /* the key that is wanted has just been read */

    while (text->at < text->end) {
        if (json_peek(text) != '"') {
            found &= json_peek(text) == ':';
            if (text->at < text->end)
                text->at++;
            continue;
        }
        if (!json_scan_string(text, &string))
            return false;
        if (found) {
            *value = string.raw;
            return true;
        }
        found = slice_equal_string(string.raw, key);
    }
    return false;
}
