/* Files are read anew each time, so that a changed token is used at once. */
#include "receivers/prometheus/secret.h"

#include <errno.h>
#include <fcntl.h>
#include <openssl/evp.h>
#include <unistd.h>

enum { FILE_MAX = 1 << 20 };

static bool is_space(uint8_t c)
{
    return c == ' ' || c == '\t' || c == '\r' || c == '\n';
}

bool secret_read(const char *path, struct buffer *out, struct error *err)
{
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    size_t start = out->size;
    ssize_t got = fd < 0 ? -1 : 1;

    while (got > 0 && out->size - start <= FILE_MAX && buffer_reserve(out, 4096)) {
        got = read(fd, out->data + out->size, 4096);
        out->size += got > 0 ? (size_t)got : 0;
    }
    if (got < 0)
        fail(err, "could not read \"%s\": %s", path, strerror(errno));
    if (fd >= 0)
        close(fd);
    if (got < 0)
        return false;
    if (out->failed || got > 0)
        return fail(err, "could not read \"%s\": more than %d bytes", path, FILE_MAX);
    while (out->size > start && is_space(out->data[out->size - 1]))
        out->size--;
    return true;
}

bool secret_append(const char *text, const char *path, struct buffer *out, struct error *err)
{
    if (path != NULL)
        return secret_read(path, out, err);
    if (text != NULL)
        buffer_append_string(out, text);
    return true;
}

void secret_append_base64(struct buffer *out, struct slice bytes)
{
    if (bytes.size > FILE_MAX * 2 || !buffer_reserve(out, bytes.size / 3 * 4 + 8))
        return;
    out->size += (size_t)EVP_EncodeBlock(out->data + out->size, bytes.data != NULL ? bytes.data : (const uint8_t *)"", (int)bytes.size);
}

/* "TLS12" is "1.2" */
static const char *version_of(const char *name)
{
    static const char *const names[] = { "TLS10", "TLS11", "TLS12", "TLS13" }, *const versions[] = { "1.0", "1.1", "1.2", "1.3" };

    for (size_t i = 0; name != NULL && i < 4; i++)
        if (strcmp(names[i], name) == 0)
            return versions[i];
    return NULL;
}

void scrape_tls_to_net(const struct scrape_tls_settings *settings, struct tls_settings *out)
{
    *out = (struct tls_settings){
        .ca_file = settings->ca_file,
        .ca_pem = settings->ca,
        .cert_file = settings->cert_file,
        .cert_pem = settings->cert,
        .key_file = settings->key_file,
        .key_pem = settings->key,
        .min_version = version_of(settings->min_version),
        .max_version = version_of(settings->max_version),
        .server_name_override = settings->server_name,
        .insecure_skip_verify = settings->insecure_skip_verify,
        .reload_interval_ns = INT64_C(5000000000),
    };
}
