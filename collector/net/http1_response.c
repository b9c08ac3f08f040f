/* HTTP/1.1 responses: a run of appends into a buffer that the caller has made large enough for most. */
#include "collector/net/http1_response.h"

#include <stdio.h>
#include <time.h>

static const struct {
    int status;
    const char *text;
} status_texts[] = {
    { 200, "OK" },
    { 202, "Accepted" },
    { 204, "No Content" },
    { 301, "Moved Permanently" },
    { 302, "Found" },
    { 304, "Not Modified" },
    { 400, "Bad Request" },
    { 401, "Unauthorized" },
    { 403, "Forbidden" },
    { 404, "Not Found" },
    { 405, "Method Not Allowed" },
    { 408, "Request Timeout" },
    { 413, "Content Too Large" },
    { 414, "URI Too Long" },
    { 415, "Unsupported Media Type" },
    { 417, "Expectation Failed" },
    { 422, "Unprocessable Content" },
    { 429, "Too Many Requests" },
    { 431, "Request Header Fields Too Large" },
    { 500, "Internal Server Error" },
    { 501, "Not Implemented" },
    { 502, "Bad Gateway" },
    { 503, "Service Unavailable" },
    { 504, "Gateway Timeout" },
    { 505, "HTTP Version Not Supported" },
};

const char *http_status_text(int status)
{
    for (size_t i = 0; i < sizeof(status_texts) / sizeof(status_texts[0]); i++)
        if (status_texts[i].status == status)
            return status_texts[i].text;
    return "Status";
}

struct slice http_date(void)
{
    static _Thread_local char text[40];
    static _Thread_local size_t length;
    static _Thread_local time_t of;
    time_t now = time(NULL);
    struct tm parts;

    if (now != of) {
        gmtime_r(&now, &parts);
        length = strftime(text, sizeof(text), "%a, %d %b %Y %H:%M:%S GMT", &parts);
        of = now;
    }
    return slice_of(text, length);
}

static void append_number(struct buffer *out, size_t number)
{
    char digits[24];
    char *at = digits + sizeof(digits);

    do {
        *--at = (char)('0' + number % 10);
        number /= 10;
    } while (number > 0);
    buffer_append(out, at, (size_t)(digits + sizeof(digits) - at));
}

static void append_status(struct buffer *out, int status)
{
    if (status == 200) {
        buffer_append_slice(out, SLICE("HTTP/1.1 200 OK\r\nDate: "));
        return;
    }
    buffer_append_slice(out, SLICE("HTTP/1.1 "));
    append_number(out, (size_t)status);
    buffer_append_byte(out, ' ');
    buffer_append_string(out, http_status_text(status));
    buffer_append_slice(out, SLICE("\r\nDate: "));
}

static void append_value(struct buffer *out, struct slice value)
{
    size_t start = out->size;

    buffer_append_slice(out, value);
    for (size_t i = start; i < out->size; i++)
        if (out->data[i] < ' ' || out->data[i] == 0x7f)
            out->data[i] = ' ';
}

static bool has_body(int status)
{
    return status >= 200 && status != 204 && status != 304;
}

void http1_write_response(struct buffer *out, const struct http_response *response, struct http1_response_form form)
{
    append_status(out, response->status);
    buffer_append_slice(out, http_date());
    for (size_t i = 0; i < response->header_count; i++) {
        buffer_append_slice(out, SLICE("\r\n"));
        append_value(out, response->headers[i].name);
        buffer_append_slice(out, SLICE(": "));
        append_value(out, response->headers[i].value);
    }
    if (has_body(response->status)) {
        buffer_append_slice(out, SLICE("\r\nContent-Length: "));
        append_number(out, response->body.size);
    }
    if (!form.keep_alive)
        buffer_append_slice(out, SLICE("\r\nConnection: close"));
    else if (form.http10)
        buffer_append_slice(out, SLICE("\r\nConnection: keep-alive"));
    buffer_append_slice(out, SLICE("\r\n\r\n"));
    if (has_body(response->status) && !form.head_only)
        buffer_append_slice(out, response->body);
}
