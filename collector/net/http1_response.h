/* Writes HTTP/1.1 responses. I/O-free. */
#ifndef WEIR_NET_HTTP1_RESPONSE_H
#define WEIR_NET_HTTP1_RESPONSE_H

#include "collector/base/buffer.h"
#include "collector/net/http_server.h"

struct http1_response_form {
    bool http10;
    bool keep_alive;
    bool head_only; /* the request was HEAD: the body's length without the body */
};

/* Appends head and body. Control characters within header values become spaces. */
void http1_write_response(struct buffer *out, const struct http_response *response, struct http1_response_form form);

const char *http_status_text(int status);

/* "Sat, 21 Nov 2026 06:07:08 GMT" of now; valid until the thread's next call. */
struct slice http_date(void);

#endif
