/* Access tokens by OAuth 2.0 client credentials (RFC 6749, 4.4), kept until shortly before they end. Any thread. */
#ifndef WEIR_RECEIVERS_PROMETHEUS_OAUTH2_H
#define WEIR_RECEIVERS_PROMETHEUS_OAUTH2_H

#include "receivers/prometheus/settings.h"

struct oauth2;

struct oauth2 *oauth2_create(const struct oauth2_settings *settings, int64_t timeout_ns, struct error *err);
void oauth2_destroy(struct oauth2 *oauth2);
void oauth2_cancel(struct oauth2 *oauth2);

/* Appends "Bearer TOKEN"; asks for a token when there is none. */
bool oauth2_write(struct oauth2 *oauth2, struct buffer *out, struct error *err);

#endif
