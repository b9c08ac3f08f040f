/*
 * libcurl: a client span for each transfer, and the headers that carry its context. OpenTelemetry semantic conventions: HTTP
 * client spans. For the easy and the multi interface. Link -lweir_contrib_curl -lcurl -lweir.
 *
 *     weir_curl call;
 *     weir_curl_begin(&call, easy, "GET", "https://shop.example/stock/A-1");
 *     CURLcode result = curl_easy_perform(easy);          or curl_multi_add_handle, and the rest when it is done
 *     weir_curl_end(&call, result);
 */
#ifndef WEIR_CONTRIB_CURL_H
#define WEIR_CONTRIB_CURL_H

#include <curl/curl.h>

#include "weir/weir.h"

#ifdef __cplusplus
extern "C" {
#endif

/* A transfer. In the caller's storage, which must stay from begin to end. */
typedef struct weir_curl {
    weir_span span; /* for further attributes */
    CURL *easy;
    struct curl_slist *headers;
} weir_curl;

/*
 * Begins a client span as a child of the current context, which stays current; sets the handle's URL and its CURLOPT_HTTPHEADER, to
 * the propagation headers and those of weir_curl_header. `method` names the span (the options that choose it, such as CURLOPT_POST, stay the
 * caller's). Returns CURLE_OK, or libcurl's error: then the transfer may still be made, without some header. Every begin needs one end.
 */
WEIR_API CURLcode weir_curl_begin(weir_curl *call, CURL *easy, const char *method, const char *url);

/* Adds a header of the application's own, "Accept: text/plain"; between begin and the transfer. */
WEIR_API CURLcode weir_curl_header(weir_curl *call, const char *line);

/* Ends the span with the transfer's result, and takes the headers off the handle; the handle stays the caller's. On any thread. */
WEIR_API void weir_curl_end(weir_curl *call, CURLcode result);

#ifdef __cplusplus
}
#endif
#endif
