/* The request methods that http.request.method may name; what is none of them is recorded as "_OTHER". Not installed. */
#ifndef WEIR_CONTRIB_HTTP_METHOD_H
#define WEIR_CONTRIB_HTTP_METHOD_H

#include <stdbool.h>
#include <string.h>

static inline bool http_method_known(const char *method)
{
    static const char *const known[] = { "GET", "POST", "PUT", "DELETE", "HEAD", "OPTIONS", "PATCH", "CONNECT", "TRACE", "QUERY" };

    for (size_t i = 0; i < sizeof(known) / sizeof(*known); i++) {
        if (strcmp(method, known[i]) == 0)
            return true;
    }
    return false;
}

#endif
