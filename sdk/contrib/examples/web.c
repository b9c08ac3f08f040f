/* A server and a client in one process: libcurl asks libmicrohttpd on loopback, and the two spans are of one trace. */
#include <arpa/inet.h>
#include <stdio.h>
#include <weir/contrib/curl.h>
#include <weir/contrib/microhttpd.h>

WEIR_SCOPE(scope, "example.web", "1.0.0");

static enum MHD_Result on_request(void *cls, struct MHD_Connection *connection, const char *url, const char *method, const char *version,
    const char *upload_data, size_t *upload_data_size, void **request)
{
    (void)cls, (void)url, (void)method, (void)version, (void)upload_data, (void)upload_data_size;
    WEIR_SET(weir_microhttpd_span(request), "shop.found", 7);
    struct MHD_Response *response = MHD_create_response_from_buffer(2, (void *)"7\n", MHD_RESPMEM_PERSISTENT);
    enum MHD_Result result = MHD_queue_response(connection, MHD_HTTP_OK, response);
    MHD_destroy_response(response);
    return result;
}

static const char *route(void *user, const char *method, const char *path)
{
    (void)user, (void)method;
    return strncmp(path, "/stock/", 7) == 0 ? "/stock/{sku}" : NULL;
}

static CURLcode ask(CURL *easy, unsigned port)
{
    char url[64];
    weir_curl call;

    WEIR_SPAN(span, scope, "order", WEIR_INTERNAL, NULL);
    snprintf(url, sizeof(url), "http://127.0.0.1:%u/stock/A-1", port);
    weir_curl_begin(&call, easy, "GET", url);
    CURLcode result = curl_easy_perform(easy);
    weir_curl_end(&call, result);
    return result;
}

int main(void)
{
    static const weir_microhttpd handler = { .handler = on_request, .route = route };
    struct sockaddr_in address = { .sin_family = AF_INET, .sin_addr = { htonl(INADDR_LOOPBACK) } };
    CURL *easy = curl_easy_init();

    if (easy == NULL || weir_init(NULL) != 0)
        return 1;
    struct MHD_Daemon *daemon = MHD_start_daemon(MHD_USE_INTERNAL_POLLING_THREAD, 0, NULL, NULL, weir_microhttpd_handler, (void *)&handler,
        MHD_OPTION_SOCK_ADDR, &address, MHD_OPTION_NOTIFY_COMPLETED, weir_microhttpd_completed, (void *)&handler, MHD_OPTION_END);
    if (daemon == NULL)
        return 1;
    curl_easy_setopt(easy, CURLOPT_NOPROXY, "*");
    CURLcode result = ask(easy, MHD_get_daemon_info(daemon, MHD_DAEMON_INFO_BIND_PORT)->port);
    MHD_stop_daemon(daemon);
    curl_easy_cleanup(easy);
    return weir_shutdown(5000) == 0 && result == CURLE_OK ? 0 : 2;
}
