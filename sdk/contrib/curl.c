/*
 * libcurl client spans. Costs a copy of each header and, when the span records, one parse of the URL; names and passwords in a URL are
 * not recorded. Threads: as the easy handle.
 */
#include "weir/contrib/curl.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

#include "sdk/contrib/http_method.h"

WEIR_SCOPE(scope, "weir.contrib.curl", WEIR_VERSION);

static CURLcode append(weir_curl *call, const char *line)
{
    struct curl_slist *longer = curl_slist_append(call->headers, line);

    if (longer == NULL)
        return CURLE_OUT_OF_MEMORY;
    call->headers = longer;
    return curl_easy_setopt(call->easy, CURLOPT_HTTPHEADER, call->headers);
}

static int set_header(void *carrier, weir_str name, weir_str value)
{
    size_t size = name.n + value.n + 3;
    char *line = (char *)malloc(size);

    if (line == NULL)
        return -ENOMEM;
    snprintf(line, size, "%.*s: %.*s", (int)name.n, name.p, (int)value.n, value.p);
    CURLcode result = append((weir_curl *)carrier, line);
    free(line);
    return result == CURLE_OK ? 0 : -ENOMEM;
}

static void set_part(weir_span *span, weir_str key, const char *text)
{
    size_t size = text != NULL ? strlen(text) : 0;

    if (size >= 2 && text[0] == '[' && text[size - 1] == ']') /* an IPv6 address */
        weir_span_set(span, weir_kv_str(key, weir_sn(text + 1, size - 2)));
    else if (size != 0)
        weir_span_set(span, weir_kv_str(key, weir_sn(text, size)));
}

/* A URL that libcurl cannot read is not recorded: nobody knows where its password is. */
static void set_url(weir_span *span, const char *text)
{
    char *host = NULL, *port = NULL, *user = NULL, *password = NULL, *full = NULL;
    CURLU *url = curl_url();

    if (url != NULL && curl_url_set(url, CURLUPART_URL, text, CURLU_GUESS_SCHEME) == CURLUE_OK) {
        curl_url_get(url, CURLUPART_HOST, &host, 0);
        curl_url_get(url, CURLUPART_PORT, &port, CURLU_DEFAULT_PORT);
        bool hidden = true;
        if (curl_url_get(url, CURLUPART_USER, &user, 0) == CURLUE_OK)
            hidden = curl_url_set(url, CURLUPART_USER, "REDACTED", 0) == CURLUE_OK;
        if (curl_url_get(url, CURLUPART_PASSWORD, &password, 0) == CURLUE_OK)
            hidden = curl_url_set(url, CURLUPART_PASSWORD, "REDACTED", 0) == CURLUE_OK && hidden;
        if (hidden)
            curl_url_get(url, CURLUPART_URL, &full, 0);
        set_part(span, WEIR_S("server.address"), host);
        if (port != NULL)
            WEIR_SET(span, "server.port", atoi(port));
        set_part(span, WEIR_S("url.full"), full);
    }
    curl_free(host);
    curl_free(port);
    curl_free(user);
    curl_free(password);
    curl_free(full);
    curl_url_cleanup(url);
}

CURLcode weir_curl_begin(weir_curl *call, CURL *easy, const char *method, const char *url)
{
    bool known = http_method_known(method);
    weir_attr attrs[] = { WEIR_KV("http.request.method", known ? method : "_OTHER"), WEIR_KV("http.request.method_original", method) };
    weir_span_opts opts = { .size = sizeof(opts), .kind = WEIR_CLIENT, .no_activate = true, .attrs = { attrs, known ? 1 : 2 } };

    call->easy = easy;
    call->headers = NULL;
    weir_span_begin(&call->span, &scope, known ? weir_z(method) : WEIR_S("HTTP"), &opts);
    if (weir_recording(&call->span))
        set_url(&call->span, url);
    CURLcode result = curl_easy_setopt(easy, CURLOPT_URL, url);
    if (weir_inject(&call->span.ctx, set_header, call) != 0 && result == CURLE_OK)
        result = CURLE_OUT_OF_MEMORY;
    return result;
}

CURLcode weir_curl_header(weir_curl *call, const char *line)
{
    return append(call, line);
}

/* Few words, as the convention wants for error.type; what is not told apart is the library's number. */
static void set_failure(weir_span *span, CURLcode result)
{
    char number[24];
    const char *type = number;

    snprintf(number, sizeof(number), "CURLE_%d", (int)result);
    if (result == CURLE_COULDNT_RESOLVE_HOST)
        type = "CURLE_COULDNT_RESOLVE_HOST";
    else if (result == CURLE_COULDNT_CONNECT)
        type = "CURLE_COULDNT_CONNECT";
    else if (result == CURLE_OPERATION_TIMEDOUT)
        type = "timeout";
    else if (result == CURLE_PEER_FAILED_VERIFICATION)
        type = "CURLE_PEER_FAILED_VERIFICATION";
    WEIR_SET(span, "error.type", type);
    weir_span_status(span, WEIR_ERROR, weir_z(curl_easy_strerror(result)));
}

static void set_answer(weir_span *span, CURL *easy, CURLcode result)
{
    long status = 0, version = 0, port = 0;
    char *peer = NULL, number[24];

    curl_easy_getinfo(easy, CURLINFO_RESPONSE_CODE, &status);
    curl_easy_getinfo(easy, CURLINFO_HTTP_VERSION, &version);
    curl_easy_getinfo(easy, CURLINFO_PRIMARY_IP, &peer);
    curl_easy_getinfo(easy, CURLINFO_PRIMARY_PORT, &port);
    if (peer != NULL && *peer != '\0')
        weir_span_set_all(span, WEIR_ATTRS(WEIR_KV("network.peer.address", peer), WEIR_KV("network.peer.port", port)));
    if (version != 0 && status != 0)
        WEIR_SET(span, "network.protocol.version",
            version == CURL_HTTP_VERSION_1_0   ? "1.0"
            : version == CURL_HTTP_VERSION_1_1 ? "1.1"
            : version == CURL_HTTP_VERSION_3   ? "3"
                                               : "2");
    if (status != 0)
        WEIR_SET(span, "http.response.status_code", status);
    if (result == CURLE_OK && status >= 400) {
        snprintf(number, sizeof(number), "%ld", status);
        WEIR_SET(span, "error.type", number);
        weir_span_status(span, WEIR_ERROR, weir_z(NULL));
    }
}

void weir_curl_end(weir_curl *call, CURLcode result)
{
    if (weir_recording(&call->span)) {
        set_answer(&call->span, call->easy, result);
        if (result != CURLE_OK)
            set_failure(&call->span, result);
    }
    weir_span_end(&call->span);
    curl_easy_setopt(call->easy, CURLOPT_HTTPHEADER, NULL);
    curl_slist_free_all(call->headers);
    call->headers = NULL;
}
