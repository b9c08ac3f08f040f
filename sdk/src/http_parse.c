/* HTTP/1.1 responses: head, then a body by length, chunks or end of connection. I/O-free; called with growing input. */
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#include "sdk/src/http.h"

static weir_str text_of(const struct buffer *in, size_t from, size_t size)
{
    return weir_sn((const char *)in->data + from, size);
}

/* "HTTP/1.x NNN ..." */
static bool parse_status(weir_str line, struct http_response *response)
{
    if (line.n < 12 || memcmp(line.p, "HTTP/1.", 7) != 0 || line.p[8] != ' ')
        return false;
    response->close = line.p[7] == '0';
    response->status = 0;
    for (int i = 9; i < 12; i++) {
        if (line.p[i] < '0' || line.p[i] > '9')
            return false;
        response->status = response->status * 10 + (line.p[i] - '0');
    }
    return response->status >= 100 && (line.n == 12 || line.p[12] == ' ');
}

/* Digits only, at most 18 of them. */
static bool parse_decimal(weir_str text, int64_t *out)
{
    *out = 0;
    for (size_t i = 0; i < text.n; i++) {
        if (text.p[i] < '0' || text.p[i] > '9')
            return false;
        *out = *out * 10 + (text.p[i] - '0');
    }
    return text.n > 0 && text.n <= 18;
}

/* Seconds, or a date as in "Sun, 06 Nov 1994 08:49:37 GMT". -1: neither. */
static int64_t parse_retry_after(weir_str value)
{
    static const char months[] = "JanFebMarAprMayJunJulAugSepOctNovDec";
    char text[40], month[4];
    struct tm tm;
    int64_t seconds;

    if (parse_decimal(value, &seconds))
        return seconds < INT32_MAX ? seconds * 1000 : INT64_C(1000) * INT32_MAX;
    memset(&tm, 0, sizeof(tm));
    snprintf(text, sizeof(text), "%.*s", (int)(value.n < 39 ? value.n : 39), value.p);
    if (sscanf(text, "%*3s, %2d %3s %4d %2d:%2d:%2d GMT", &tm.tm_mday, month, &tm.tm_year, &tm.tm_hour, &tm.tm_min, &tm.tm_sec) != 6)
        return -1;
    const char *at = strstr(months, month);
    if (at == NULL || strlen(month) != 3)
        return -1;
    tm.tm_mon = (int)(at - months) / 3;
    tm.tm_year -= 1900;
    time_t then = timegm(&tm);
    time_t now = time(NULL);
    return then > now ? (int64_t)(then - now) * 1000 : 0;
}

static bool has_word(weir_str list, const char *word)
{
    weir_str rest = list;

    while (rest.p != NULL) {
        if (text_equal_ignoring_case(text_trim(text_cut(rest, ',', &rest)), weir_z(word)))
            return true;
    }
    return false;
}

static bool parse_header(weir_str line, struct http_response *response)
{
    weir_str value;
    weir_str name = text_cut(line, ':', &value);

    if (value.p == NULL)
        return false;
    value = text_trim(value);
    if (text_equal_ignoring_case(name, WEIR_S("content-length"))) {
        int64_t length;
        if (!parse_decimal(value, &length) || (response->length >= 0 && response->length != length))
            return false;
        response->length = length;
    } else if (text_equal_ignoring_case(name, WEIR_S("transfer-encoding"))) {
        response->chunked = has_word(value, "chunked");
        return response->chunked;
    } else if (text_equal_ignoring_case(name, WEIR_S("connection"))) {
        response->close |= has_word(value, "close");
    } else if (text_equal_ignoring_case(name, WEIR_S("retry-after"))) {
        response->retry_after_ms = parse_retry_after(value);
    }
    return true;
}

/* The head ends with an empty line; lines end in CR LF or LF. */
static enum http_parse parse_head(struct http_response *response, const struct buffer *in, size_t from)
{
    size_t at = from;
    bool first = true;

    response->length = -1;
    response->retry_after_ms = -1;
    response->chunked = response->close = false;
    while (at < in->size) {
        const uint8_t *end = memchr(in->data + at, '\n', in->size - at);
        if (end == NULL)
            break;
        size_t size = (size_t)(end - (in->data + at));
        weir_str line = text_of(in, at, size > 0 && end[-1] == '\r' ? size - 1 : size);
        at += size + 1;
        if (line.n == 0 && !first) {
            response->head_size = at;
            return HTTP_PARSE_DONE;
        }
        if (!(first ? parse_status(line, response) : parse_header(line, response)))
            return HTTP_PARSE_BAD;
        first = false;
    }
    response->status = 0;
    return in->size - from > HTTP_HEAD_MAX ? HTTP_PARSE_BAD : HTTP_PARSE_MORE;
}

static bool parse_chunk_size(weir_str line, size_t *size)
{
    size_t digits = 0;

    *size = 0;
    for (; digits < line.n && digits < 8; digits++) {
        char c = line.p[digits];
        unsigned value = c >= '0' && c <= '9'                 ? (unsigned)(c - '0')
                         : (c | 32) >= 'a' && (c | 32) <= 'f' ? (unsigned)((c | 32) - 'a' + 10)
                                                              : 16;
        if (value == 16)
            break;
        *size = *size << 4 | value;
    }
    return digits > 0 && (digits == line.n || line.p[digits] == ';' || line.p[digits] == ' ');
}

/* Walks the chunks; with `out`, copies their data there (which may be before them in the same memory). */
static enum http_parse walk_chunks(const struct buffer *in, size_t at, uint8_t *out, size_t *size)
{
    *size = 0;
    for (;;) {
        const uint8_t *end = at < in->size ? memchr(in->data + at, '\n', in->size - at) : NULL;
        size_t chunk;
        if (end == NULL)
            return HTTP_PARSE_MORE;
        size_t line = (size_t)(end - (in->data + at));
        if (!parse_chunk_size(text_of(in, at, line > 0 && end[-1] == '\r' ? line - 1 : line), &chunk))
            return HTTP_PARSE_BAD;
        at += line + 1;
        if (chunk == 0)
            break;
        if (in->size - at < chunk + 2)
            return chunk > HTTP_RESPONSE_MAX ? HTTP_PARSE_BAD : HTTP_PARSE_MORE;
        if (out != NULL)
            memmove(out + *size, in->data + at, chunk);
        *size += chunk;
        at += chunk + (in->data[at + chunk] == '\r' ? 2 : 1);
    }
    /* Trailers, then an empty line. */
    for (;;) {
        const uint8_t *end = at < in->size ? memchr(in->data + at, '\n', in->size - at) : NULL;
        if (end == NULL)
            return HTTP_PARSE_MORE;
        size_t line = (size_t)(end - (in->data + at));
        at += line + 1;
        if (line == 0 || (line == 1 && end[-1] == '\r'))
            return HTTP_PARSE_DONE;
    }
}

static enum http_parse parse_body(struct http_response *response, struct buffer *in, bool closed)
{
    size_t start = response->head_size;
    size_t size = in->size - start;

    if (response->status == 204 || response->status == 304)
        size = 0;
    else if (response->chunked) {
        enum http_parse result = walk_chunks(in, start, NULL, &size);
        if (result != HTTP_PARSE_DONE)
            return closed ? HTTP_PARSE_BAD : result;
        walk_chunks(in, start, in->data + start, &size);
    } else if (response->length >= 0) {
        if ((int64_t)size < response->length)
            return closed || response->length > HTTP_RESPONSE_MAX ? HTTP_PARSE_BAD : HTTP_PARSE_MORE;
        size = (size_t)response->length;
    } else if (!closed) {
        response->close = true;
        return HTTP_PARSE_MORE;
    } else
        response->close = true;
    response->body = slice_of(in->data + start, size);
    return HTTP_PARSE_DONE;
}

enum http_parse http_parse(struct http_response *response, struct buffer *in, bool closed)
{
    size_t from = 0;

    for (;;) {
        enum http_parse result = parse_head(response, in, from);
        if (result != HTTP_PARSE_DONE)
            return closed ? HTTP_PARSE_BAD : result;
        if (response->status >= 200)
            return parse_body(response, in, closed);
        from = response->head_size; /* 100 Continue and the like */
    }
}
