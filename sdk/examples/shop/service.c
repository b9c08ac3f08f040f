/* See service.h. Threads: service_answer on libmicrohttpd's, the rest on main's. */
#include "service.h"

#include <arpa/inet.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

enum { WORD_MAX = 40, SHUTDOWN_MS = 5000 };

static sigset_t ends;

void service_fail(const char *why)
{
    fprintf(stderr, "%s\n", why);
    exit(1);
}

const char *service_setting(const char *name)
{
    const char *value = getenv(name);

    if (value == NULL || *value == '\0') {
        fprintf(stderr, "the variable %s is not set\n", name);
        exit(1);
    }
    return value;
}

void service_begin(void)
{
    sigemptyset(&ends);
    sigaddset(&ends, SIGTERM);
    sigaddset(&ends, SIGINT);
    sigprocmask(SIG_BLOCK, &ends, NULL);
    if (weir_init(NULL) != 0)
        service_fail("could not start the SDK");
}

int service_end(void)
{
    return weir_shutdown(SHUTDOWN_MS) == 0 ? 0 : 2;
}

bool service_stopping(int timeout_ms)
{
    struct timespec timeout = { timeout_ms / 1000, timeout_ms % 1000 * 1000000L };

    return (timeout_ms < 0 ? sigwaitinfo(&ends, NULL) : sigtimedwait(&ends, NULL, &timeout)) > 0;
}

struct MHD_Daemon *service_listen(const weir_microhttpd *handler)
{
    struct sockaddr_in address = { .sin_family = AF_INET, .sin_addr = { htonl(INADDR_LOOPBACK) } };
    struct MHD_Daemon *daemon;

    address.sin_port = htons((uint16_t)atoi(service_setting("PORT")));
    daemon = MHD_start_daemon(MHD_USE_INTERNAL_POLLING_THREAD, 0, NULL, NULL, weir_microhttpd_handler, (void *)handler,
        MHD_OPTION_SOCK_ADDR, &address, MHD_OPTION_NOTIFY_COMPLETED, weir_microhttpd_completed, (void *)handler, MHD_OPTION_END);
    if (daemon == NULL)
        service_fail("could not listen");
    return daemon;
}

bool service_request_is_whole(size_t *upload_data_size, void **request)
{
    static char begun;
    bool whole = *request == &begun && *upload_data_size == 0;

    *request = &begun;
    *upload_data_size = 0;
    return whole;
}

enum MHD_Result service_answer(struct MHD_Connection *connection, unsigned status, const char *text)
{
    struct MHD_Response *response = MHD_create_response_from_buffer(strlen(text), (void *)text, MHD_RESPMEM_MUST_COPY);
    weir_ctx context = weir_ctx_current();
    char trace[33], span[17], header[64];

    if (response == NULL)
        return MHD_NO;
    weir_ctx_trace_hex(&context, trace);
    weir_ctx_span_hex(&context, span);
    snprintf(header, sizeof(header), "00-%s-%s-%02x", trace, span, context.flags);
    MHD_add_response_header(response, "traceresponse", header);
    enum MHD_Result result = MHD_queue_response(connection, status, response);
    MHD_destroy_response(response);
    return result;
}

const char *service_path_word(const char *path, const char *prefix)
{
    size_t size = strlen(prefix);

    if (strncmp(path, prefix, size) != 0)
        return NULL;
    path += size;
    size = strspn(path, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-");
    return size > 0 && size < WORD_MAX && path[size] == '\0' ? path : NULL;
}
