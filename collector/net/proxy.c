/* Proxies. The answer to CONNECT is read byte by byte, once per connection, so that nothing of what follows is taken. */
#include "collector/net/proxy.h"

#include "collector/net/http_response.h"

bool proxy_connect(struct stream *stream, const char *proxy, const struct stream_limits *limits, struct error *err)
{
    struct stream_target target = { 0 };
    struct url url;

    if (!url_parse(proxy, &url, err))
        return fail_within(err, "proxy");
    if (url.https)
        return fail(err, "proxy \"%s\": a proxy that is itself reached by https is not supported", proxy);
    target.host = url.host;
    target.port = url.port;
    return stream_connect(stream, &target, limits, err) || fail_within(err, "proxy");
}

void proxy_credentials(const char *proxy, struct buffer *out)
{
    struct url url;

    if (!url_parse(proxy, &url, NULL) || url.user.size == 0)
        return;
    buffer_append_string(out, "Proxy-Authorization: ");
    url_basic_credentials(url.user, out);
    buffer_append_string(out, "\r\n");
}

static bool read_answer(struct stream *stream, const struct stream_limits *limits, struct error *err)
{
    struct http_answer answer = { 0 };
    struct http_response_reader reader;
    char byte;

    http_response_reader_init(&reader, &answer, 0);
    reader.head_only = true;
    while (reader.state != HTTP_RESPONSE_DONE && reader.state != HTTP_RESPONSE_BAD) {
        ssize_t got = stream_read(stream, &byte, 1);

        if (got == 1)
            http_response_feed(&reader, slice_of(&byte, 1));
        else if (got != STREAM_AGAIN || stream_wait(stream, false, limits) & (STREAM_TIMED_OUT | STREAM_CANCELLED))
            break;
    }
    if (reader.state != HTTP_RESPONSE_DONE)
        answer.status = 0;
    http_response_reader_fini(&reader);
    buffer_fini(&answer.headers);
    buffer_fini(&answer.body);
    if (answer.status == 0)
        return fail(err, "the proxy did not answer CONNECT");
    return answer.status / 100 == 2 || fail(err, "the proxy refused to connect, with status %d", answer.status);
}

bool proxy_tunnel(
    struct stream *stream, const char *proxy, const struct url *destination, const struct stream_limits *limits, struct error *err)
{
    const char *open = strchr(destination->host, ':') != NULL ? "[" : "", *close = *open != '\0' ? "]" : "";
    struct buffer head = { 0 };
    bool sent;

    buffer_printf(&head, "CONNECT %s%s%s:%s HTTP/1.1\r\nHost: %s%s%s:%s\r\n", open, destination->host, close, destination->port, open,
        destination->host, close, destination->port);
    proxy_credentials(proxy, &head);
    buffer_append_string(&head, "\r\n");
    sent = !head.failed && stream_write_all(stream, buffer_slice(&head), limits, err);
    buffer_fini(&head);
    return sent && read_answer(stream, limits, err);
}
