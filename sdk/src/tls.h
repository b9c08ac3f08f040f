/* TLS over a connected, non-blocking socket. Without WEIR_SDK_TLS every call fails with a message that says so. */
#ifndef WEIR_SDK_TLS_H
#define WEIR_SDK_TLS_H

#include "sdk/src/settings.h"

struct tls_session;

/* NULL: *message says why. Verifies the peer's chain and name (or address). */
struct tls_session *tls_create(const struct exporter_settings *settings, int fd, char message[256]);
void tls_destroy(struct tls_session *session);

/* What a step needs before it can be repeated. */
enum tls_need { TLS_READY, TLS_NEEDS_INPUT, TLS_NEEDS_OUTPUT, TLS_CLOSED, TLS_FAILED };

enum tls_need tls_handshake(struct tls_session *session, char message[256]);
enum tls_need tls_send(struct tls_session *session, const void *data, size_t size, size_t *done);
enum tls_need tls_receive(struct tls_session *session, void *data, size_t size, size_t *done);

#endif
