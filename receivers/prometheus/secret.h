/* Secrets that stand in the configuration or in files, and TLS settings in Prometheus' spelling. */
#ifndef WEIR_RECEIVERS_PROMETHEUS_SECRET_H
#define WEIR_RECEIVERS_PROMETHEUS_SECRET_H

#include "collector/net/tls.h"
#include "receivers/prometheus/settings.h"

/* Appends the file's content without the white space around it. At most 1 MiB. */
bool secret_read(const char *path, struct buffer *out, struct error *err);
/* The text, or what the file holds; nothing when both are NULL. */
bool secret_append(const char *text, const char *path, struct buffer *out, struct error *err);
void secret_append_base64(struct buffer *out, struct slice bytes);

void scrape_tls_to_net(const struct scrape_tls_settings *settings, struct tls_settings *out);

#endif
