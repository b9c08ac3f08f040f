/*
 * Messages, headers and log lines of the OTLP exporters. An uncompressed protobuf message costs nothing: its parts are the
 * batch's runs. JSON and compression cost their text, which is freed after the call.
 * Threads: any.
 */
#include "exporters/otlp_message.h"

#include <stdio.h>
#include <stdlib.h>
#include <strings.h>

#include "collector/base/log.h"
#include "collector/wire/json.h"
#include "collector/wire/utf8.h"

static bool list_runs(struct otlp_message *message, const struct batch *batch)
{
    struct slice *parts = message->inline_parts;

    if (batch->run_count > OTLP_PARTS_INLINE) {
        parts = message->more_parts = calloc(batch->run_count, sizeof(*parts));
        if (parts == NULL)
            return false;
    }
    for (size_t i = 0; i < batch->run_count; i++)
        parts[i] = batch->runs[i].bytes;
    message->parts = parts;
    message->part_count = batch->run_count;
    return true;
}

static bool write_json(struct otlp_message *message, const struct batch *batch)
{
    struct buffer scratch = { 0 };
    struct slice flat = batch_flatten(batch, &scratch);

    if (flat.data != NULL || batch->bytes == 0)
        json_write_request(batch->signal, flat, &message->text);
    else
        message->text.failed = true;
    buffer_fini(&scratch);
    message->inline_parts[0] = buffer_slice(&message->text);
    message->parts = message->inline_parts;
    message->part_count = 1;
    return !message->text.failed;
}

bool otlp_message_build(struct otlp_message *message, const struct batch *batch, const struct otlp_form *form)
{
    if (!(form->json ? write_json(message, batch) : list_runs(message, batch)))
        return false;
    if (form->coding == CODING_IDENTITY)
        return true;
    if (!deflate_parts(form->coding, form->level, message->parts, message->part_count, &message->compressed))
        return false;
    message->inline_parts[0] = buffer_slice(&message->compressed);
    message->parts = message->inline_parts;
    message->part_count = 1;
    return true;
}

void otlp_message_fini(struct otlp_message *message)
{
    free(message->more_parts);
    buffer_fini(&message->text);
    buffer_fini(&message->compressed);
}

/* ---- headers ---- */

static bool is_token(const char *name)
{
    if (*name == '\0')
        return false;
    for (; *name != '\0'; name++)
        if ((unsigned char)*name <= ' ' || (unsigned char)*name >= 0x7f || strchr("()<>@,;:\\\"/[]?={}", *name) != NULL)
            return false;
    return true;
}

bool otlp_headers_check(const struct option_pairs *pairs, struct error *err)
{
    const size_t most = OTLP_HEADERS_MAX / 2; /* the rest is for those of the exporter and the authenticator */

    if (pairs->count > most)
        return fail(err, "headers: %zu are too many, the limit is %zu", pairs->count, most);
    for (size_t i = 0; i < pairs->count; i++) {
        if (!is_token(pairs->items[i].key))
            return fail(err, "headers: \"%s\" is not a header's name", pairs->items[i].key);
        if (pairs->items[i].value != NULL && strpbrk(pairs->items[i].value, "\r\n") != NULL)
            return fail(err, "headers: the value of \"%s\" has a line break in it", pairs->items[i].key);
    }
    return true;
}

bool otlp_headers_have(const struct option_pairs *pairs, const char *name)
{
    for (size_t i = 0; i < pairs->count; i++)
        if (strcasecmp(pairs->items[i].key, name) == 0)
            return true;
    return false;
}

/* Cuts the text into lines, in place. */
static bool cut_lines(struct otlp_headers *headers, bool lower_case)
{
    char *at = (char *)headers->text.data, *end = at + headers->text.size;
    size_t count = 0;

    while (at < end) {
        char *line_end = memchr(at, '\n', (size_t)(end - at));

        if (line_end == NULL || count == OTLP_HEADERS_MAX)
            return false;
        *line_end = '\0';
        for (char *name = at; lower_case && *name != ':' && *name != '\0'; name++)
            if (*name >= 'A' && *name <= 'Z')
                *name = (char)(*name | 0x20);
        headers->lines[count++] = at;
        at = line_end + 1;
    }
    headers->lines[count] = NULL;
    return true;
}

bool otlp_headers_make(struct otlp_headers *headers, const struct otlp_headers_source *source, struct error *err)
{
    struct component *authenticator = source->authenticator;

    buffer_append_slice(&headers->text, source->fixed);
    if (authenticator != NULL && !authenticator->type->authenticator->headers(authenticator, &headers->text, err))
        return false;
    if (headers->text.failed)
        return fail(err, "out of memory for the headers");
    return cut_lines(headers, source->lower_case) ||
           fail(err, "%s gave headers that are malformed or too many", authenticator != NULL ? authenticator->path : "headers");
}

void otlp_headers_fini(struct otlp_headers *headers)
{
    buffer_fini(&headers->text);
}

bool otlp_find_authenticator(const struct component *self, const char *id, struct component **out, struct error *err)
{
    *out = NULL;
    if (id == NULL || *id == '\0')
        return true;
    *out = component_find_extension(self, id, err);
    if (*out == NULL)
        return fail_within(err, "auth.authenticator");
    if ((*out)->type->authenticator == NULL || (*out)->type->authenticator->headers == NULL)
        return fail(err, "auth.authenticator: \"%s\" can't add credentials to requests", id);
    return true;
}

/* ---- the log ---- */

/* A byte as it may stand in a log line: control bytes as spaces, and what is not text at all as question marks. */
static char printable(uint8_t byte, bool text)
{
    if (byte < 0x20 || byte == 0x7f)
        return ' ';
    return byte >= 0x80 && !text ? '?' : (char)byte;
}

const char *otlp_excerpt(struct slice text, char out[OTLP_EXCERPT_SIZE])
{
    struct slice part = slice_of(text.data, text.size < 200 ? text.size : 200);
    size_t used;
    bool valid;

    out[0] = '\0';
    while (part.size < text.size && part.size > 0 && (text.data[part.size] & 0xc0) == 0x80)
        part.size--; /* not through a character */
    while (part.size > 0 && part.data[part.size - 1] <= ' ')
        part.size--;
    if (part.size == 0)
        return out;
    valid = utf8_is_valid(part);
    used = (size_t)snprintf(out, OTLP_EXCERPT_SIZE, ": \"");
    for (size_t i = 0; i < part.size; i++)
        out[used++] = printable(part.data[i], valid);
    snprintf(out + used, OTLP_EXCERPT_SIZE - used, text.size > 200 ? "...\"" : "\"");
    return out;
}

/* What a person can do about it; "" when it is not theirs to do. */
static const char *advice(const char *reason)
{
    static const struct {
        const char *reason, *advice;
    } table[] = {
        { "unreachable", "check that the destination runs and that endpoint is its address" },
        { "unauthenticated", "check headers and auth.authenticator" },
        { "permission_denied", "check headers and auth.authenticator" },
        { "not_found", "check the endpoint's path; it may be the other protocol's port" },
        { "unimplemented", "the destination does not take this signal, or endpoint is not an OTLP/gRPC port" },
        { "too_large", "lower sending_queue.batch.max_size" },
        { "redirected", "set endpoint to where the server points" },
        { "throttled", "the destination asks for less; it is tried again later" },
    };

    for (size_t i = 0; i < sizeof(table) / sizeof(table[0]); i++)
        if (strcmp(table[i].reason, reason) == 0)
            return table[i].advice;
    return "";
}

void otlp_destination_failed(struct stretch *stretch, const struct component *self, const struct otlp_failure *failure)
{
    const char *reason = failure->outcome.reason, *help = advice(reason);

    if (failure->outcome.verdict == VERDICT_REJECTED)
        log_error(self->path, "%zu records are lost, the destination will never take them (%s): %s: %s%s%s", failure->records, reason,
            failure->tried, failure->result, *help != '\0' ? "; " : "", help);
    else if (stretch_failed(stretch, reason))
        log_warn(self->path, "can't deliver (%s): %s: %s%s%s; further failures of this kind are not logged", reason, failure->tried,
            failure->result, *help != '\0' ? "; " : "", help);
}

void otlp_destination_worked(struct stretch *stretch, const struct component *self)
{
    struct stretch_past past;

    if (stretch_worked(stretch, &past))
        log_info(self->path, "delivers again, after %llu failed attempts in %.1f s", (unsigned long long)past.attempts, past.seconds);
}

void otlp_count_partial_success(struct component *self, const struct batch *batch, int64_t rejected, struct slice message)
{
    size_t records = rejected > (int64_t)batch->records ? batch->records : (size_t)rejected;
    char excerpt[OTLP_EXCERPT_SIZE];

    if (rejected == 0 && message.size == 0)
        return;
    otlp_excerpt(message, excerpt);
    if (records == 0) {
        log_warn(self->path, "the destination took all %zu records with a warning%s", batch->records, excerpt);
        return;
    }
    log_warn(self->path, "the destination refused %zu of %zu records for good (partial success)%s", records, batch->records, excerpt);
    component_count_dropped(self, batch->signal, "partial_success", records);
}
