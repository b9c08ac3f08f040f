/* What the shop's C services have in common: settings from the environment, an end by SIGTERM, and answers over HTTP. */
#ifndef SHOP_SERVICE_H
#define SHOP_SERVICE_H

#include <weir/contrib/microhttpd.h>

/* A variable that must be set; ends the program when it is not. Borrowed from the environment. */
const char *service_setting(const char *name);

/* Says why on standard error, and ends the program. */
void service_fail(const char *why) __attribute__((noreturn));

/* Before any thread: SIGTERM and SIGINT wait for service_stopping, and the SDK starts. */
void service_begin(void);

/* Exports what is left; what main returns. */
int service_end(void);

/* Waits that long for SIGTERM or SIGINT (-1: without end); true when one came. */
bool service_stopping(int timeout_ms);

/* Answers on loopback at the port that the variable PORT names, on a thread of its own. */
struct MHD_Daemon *service_listen(const weir_microhttpd *handler);

/* True when the request is there to its end, so that it may be answered; else the handler returns MHD_YES. A body is thrown away. */
bool service_request_is_whole(size_t *upload_data_size, void **request);

/* Queues an answer of plain text, with the request's span in the header traceresponse. */
enum MHD_Result service_answer(struct MHD_Connection *connection, unsigned status, const char *text);

/* The part of the path behind `prefix`, when it is a short word of letters, digits and '-'; else NULL. */
const char *service_path_word(const char *path, const char *prefix);

#endif
