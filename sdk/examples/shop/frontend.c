/* The shop's door: POST /orders/SKU asks the stock for a piece, over HTTP. Variables: PORT, STOCK_URL, and those of the SDK. */
#include <stdio.h>
#include <weir/contrib/curl.h>

#include "service.h"

WEIR_SCOPE(scope, "shop.frontend", "1.0.0");

struct frontend {
    CURL *stock; /* one connection, used by libmicrohttpd's one thread */
};

static size_t ignore(char *data, size_t size, size_t count, void *user)
{
    (void)data, (void)user;
    return size * count;
}

/* The status that the stock answers; 0: none. */
static long reserve(CURL *stock, const char *sku)
{
    char url[256];
    weir_curl call;
    long status = 0;

    snprintf(url, sizeof(url), "%s/stock/%s", service_setting("STOCK_URL"), sku);
    weir_curl_begin(&call, stock, "POST", url);
    WEIR_SET(&call.span, "service.peer.name", "stock");
    curl_easy_setopt(stock, CURLOPT_POSTFIELDS, "");
    CURLcode result = curl_easy_perform(stock);
    if (result == CURLE_OK)
        curl_easy_getinfo(stock, CURLINFO_RESPONSE_CODE, &status);
    else
        weir_logf(&scope, WEIR_FAIL, "stock did not answer: %s", curl_easy_strerror(result));
    weir_curl_end(&call, result);
    return status;
}

static enum MHD_Result order(struct frontend *self, struct MHD_Connection *connection, const char *sku)
{
    weir_logf(&scope, WEIR_INFO, "an order for %s", sku);
    long status = reserve(self->stock, sku);
    if (status == MHD_HTTP_OK)
        return service_answer(connection, MHD_HTTP_ACCEPTED, "it is on its way\n");
    weir_logf(&scope, WEIR_WARN, "no %s for this customer: the stock says %ld", sku, status);
    if (status == MHD_HTTP_NOT_FOUND || status == MHD_HTTP_CONFLICT)
        return service_answer(connection, (unsigned)status, status == MHD_HTTP_CONFLICT ? "sold out\n" : "we do not have that\n");
    return service_answer(connection, MHD_HTTP_BAD_GATEWAY, "try again later\n");
}

static enum MHD_Result on_request(void *user, struct MHD_Connection *connection, const char *url, const char *method, const char *version,
    const char *upload_data, size_t *upload_data_size, void **request)
{
    const char *sku = service_path_word(url, "/orders/");

    (void)version, (void)upload_data;
    if (!service_request_is_whole(upload_data_size, request))
        return MHD_YES;
    if (sku == NULL || strcmp(method, "POST") != 0)
        return service_answer(connection, MHD_HTTP_NOT_FOUND, "POST /orders/SKU\n");
    WEIR_SET(weir_microhttpd_span(request), "shop.sku", sku);
    return order((struct frontend *)user, connection, sku);
}

static const char *route(void *user, const char *method, const char *path)
{
    (void)user, (void)method;
    return service_path_word(path, "/orders/") != NULL ? "/orders/{sku}" : NULL;
}

int main(void)
{
    struct frontend self = { .stock = curl_easy_init() };
    weir_microhttpd handler = { .handler = on_request, .user = &self, .route = route };

    service_begin();
    if (self.stock == NULL)
        service_fail("could not start libcurl");
    curl_easy_setopt(self.stock, CURLOPT_NOPROXY, "*");
    curl_easy_setopt(self.stock, CURLOPT_TIMEOUT_MS, 5000L);
    curl_easy_setopt(self.stock, CURLOPT_WRITEFUNCTION, ignore);
    struct MHD_Daemon *daemon = service_listen(&handler);
    service_stopping(-1);
    MHD_stop_daemon(daemon);
    curl_easy_cleanup(self.stock);
    return service_end();
}
