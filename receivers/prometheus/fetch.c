/*
 * Credentials are read from their files for each request, as Prometheus does, and are sent to the configured host only: not to where a
 * redirect leads, when that is another one.
 * Limits: REDIRECTS redirects, FILE_MAX bytes of a file. Threads: the OAuth2 token is shared under a lock.
 */
#include "receivers/prometheus/fetch.h"

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "collector/base/clock.h"
#include "collector/net/compress.h"
#include "collector/net/url.h"
#include "receivers/prometheus/oauth2.h"
#include "receivers/prometheus/secret.h"

enum { REDIRECTS = 10, HEADERS_MAX = 64, KEPT_BODY = 1 << 20 };

struct fetcher {
    const struct scrape_http_settings *settings;
    struct tls_settings tls;
    struct http_client *client;
    struct oauth2 *oauth2; /* NULL: not used */
    int64_t timeout_ns;
};

struct fetcher *fetcher_create(const struct scrape_http_settings *settings, int64_t timeout_ns, struct error *err)
{
    struct fetcher *fetcher = calloc(1, sizeof(*fetcher));
    struct http_client_settings client = { .timeout_ns = timeout_ns, .idle_conn_timeout_ns = 300 * NANOS_PER_SECOND };

    if (fetcher == NULL)
        abort();
    fetcher->settings = settings;
    fetcher->timeout_ns = timeout_ns;
    scrape_tls_to_net(&settings->tls, &fetcher->tls);
    client.tls = &fetcher->tls;
    client.proxy_url = settings->proxy_url;
    client.ignore_environment_proxy = !settings->proxy_from_environment;
    fetcher->client = http_client_create(&client, err);
    if (fetcher->client != NULL && settings->oauth2_present)
        fetcher->oauth2 = oauth2_create(&settings->oauth2, timeout_ns, err);
    if (fetcher->client != NULL && (fetcher->oauth2 != NULL || !settings->oauth2_present))
        return fetcher;
    fetcher_destroy(fetcher);
    return NULL;
}

void fetcher_destroy(struct fetcher *fetcher)
{
    if (fetcher == NULL)
        return;
    http_client_destroy(fetcher->client);
    oauth2_destroy(fetcher->oauth2);
    free(fetcher);
}

void fetcher_cancel(struct fetcher *fetcher)
{
    http_client_cancel(fetcher->client);
    oauth2_cancel(fetcher->oauth2);
}

void fetch_fini(struct fetch *fetch)
{
    http_answer_fini(&fetch->answer);
    payload_unref(fetch->plain);
    fetch->plain = NULL;
}

/* ---- headers ---- */

struct header_list {
    const char *items[HEADERS_MAX + 1];
    char *owned[HEADERS_MAX];
    size_t count, owned_count;
};

static void header_list_fini(struct header_list *list)
{
    for (size_t i = 0; i < list->owned_count; i++)
        free(list->owned[i]);
}

static bool add_header(struct header_list *list, const char *name, struct slice value, struct error *err)
{
    char *text;

    for (size_t i = 0; i < value.size; i++)
        if (value.data[i] < ' ' && value.data[i] != '\t')
            return fail(err, "the header %s has a line break in it", name);
    if (list->count == HEADERS_MAX)
        return fail(err, "more than %d headers", HEADERS_MAX);
    if (asprintf(&text, "%s: %.*s", name, SLICE_PRINT(value)) < 0)
        return fail(err, "out of memory");
    list->owned[list->owned_count++] = text;
    list->items[list->count++] = text;
    return true;
}

/* NAME: {values: [...], secrets: [...], files: [...]} */
static bool add_configured_headers(const struct config_node *headers, struct header_list *list, struct error *err)
{
    for (const struct config_node *header = headers != NULL ? headers->children : NULL; header != NULL; header = header->next) {
        const struct config_node *files = config_get(header, "files");
        static const char *const keys[] = { "values", "secrets" };

        for (size_t k = 0; k < 2; k++) {
            const struct config_node *values = config_get(header, keys[k]);
            for (size_t n = 0; scrape_list_item(values, n).data != NULL; n++)
                if (!add_header(list, header->key, scrape_list_item(values, n), err))
                    return false;
        }
        for (size_t n = 0; scrape_list_item(files, n).data != NULL; n++) {
            struct buffer text = { .data = NULL };
            bool fine = secret_read((const char *)scrape_list_item(files, n).data, &text, err) &&
                        add_header(list, header->key, buffer_slice(&text), err);

            buffer_fini(&text);
            if (!fine)
                return false;
        }
    }
    return true;
}

static bool write_basic(const struct scrape_http_settings *settings, struct buffer *out, struct error *err)
{
    struct buffer pair = { .data = NULL };
    bool fine = secret_append(settings->username, settings->username_file, &pair, err);

    buffer_append_byte(&pair, ':');
    fine = fine && secret_append(settings->password, settings->password_file, &pair, err);
    buffer_append_string(out, "Basic ");
    secret_append_base64(out, buffer_slice(&pair));
    buffer_fini(&pair);
    return fine;
}

/* The value of the Authorization header; empty: there is none. */
static bool write_authorization(struct fetcher *fetcher, struct buffer *out, struct error *err)
{
    const struct scrape_http_settings *settings = fetcher->settings;

    if (settings->basic_auth_present)
        return write_basic(settings, out, err);
    if (settings->authorization_present) {
        buffer_printf(out, "%s ", settings->authorization_type);
        return secret_append(settings->credentials, settings->credentials_file, out, err);
    }
    if (settings->bearer_token != NULL || settings->bearer_token_file != NULL) {
        buffer_append_string(out, "Bearer ");
        return secret_append(settings->bearer_token, settings->bearer_token_file, out, err);
    }
    return fetcher->oauth2 == NULL || oauth2_write(fetcher->oauth2, out, err);
}

static bool collect_headers(struct fetcher *fetcher, const struct fetch *fetch, bool trusted, struct header_list *list, struct error *err)
{
    struct buffer authorization = { .data = NULL };
    bool fine = true;

    for (const char *const *header = fetch->headers; header != NULL && *header != NULL && list->count < HEADERS_MAX; header++)
        list->items[list->count++] = *header;
    if (trusted) {
        fine = write_authorization(fetcher, &authorization, err) && add_configured_headers(fetcher->settings->http_headers, list, err);
        if (fine && authorization.size > 0)
            fine = add_header(list, "Authorization", buffer_slice(&authorization), err);
    }
    buffer_fini(&authorization);
    list->items[list->count] = NULL;
    return fine;
}

/* ---- redirects ---- */

static bool is_redirect(int status)
{
    return status == 301 || status == 302 || status == 303 || status == 307 || status == 308;
}

/* Where the answer leads: an absolute URL, a path of the same host, or one beside the last. */
static bool follow(const char *from, struct slice location, struct buffer *to, struct error *err)
{
    struct url url;
    const uint8_t *slash;
    struct slice target;

    if (location.size == 0)
        return fail(err, "a redirect without a Location");
    if (memmem(location.data, location.size, "://", 3) != NULL) {
        buffer_append_slice(to, location);
        return true;
    }
    if (!url_parse(from, &url, err))
        return false;
    buffer_printf(to, "%s:", url.https ? "https" : "http");
    if (location.size >= 2 && memcmp(location.data, "//", 2) == 0) {
        buffer_append_slice(to, location);
        return true;
    }
    buffer_printf(to, "//%s", url.authority);
    target = url.target;
    if (location.data[0] != '/') {
        const uint8_t *query = memchr(target.data, '?', target.size);
        target.size = query != NULL ? (size_t)(query - target.data) : target.size;
        slash = memrchr(target.data, '/', target.size);
        buffer_append(to, target.data, slash != NULL ? (size_t)(slash - target.data + 1) : 0);
    }
    buffer_append_slice(to, location);
    return true;
}

static bool same_host(const char *left, const char *right)
{
    struct url a, b;

    return url_parse(left, &a, NULL) && url_parse(right, &b, NULL) && a.https == b.https && strcmp(a.authority, b.authority) == 0;
}

/* ---- pages ---- */

static bool take_body(struct fetch *fetch, struct error *err)
{
    struct slice encoding = http_answer_header(&fetch->answer, "content-encoding"), body = buffer_slice(&fetch->answer.body);
    enum coding coding = encoding.data != NULL ? coding_of_name(encoding) : CODING_IDENTITY;

    if (body.size > (uint64_t)fetch->body_limit)
        return fail(err, "body_size_limit exceeded: more than %lld bytes", (long long)fetch->body_limit);
    if (coding == CODING_UNKNOWN)
        return fail(err, "the page's encoding, \"%.*s\", is not known", SLICE_PRINT(encoding));
    if (coding == CODING_IDENTITY) {
        fetch->body = body;
        return true;
    }
    switch (inflate_payload(coding, body, (size_t)fetch->body_limit, NULL, &fetch->plain)) {
    case INFLATE_OK:
        fetch->body = payload_slice(fetch->plain);
        return true;
    case INFLATE_TOO_LARGE:
        return fail(err, "body_size_limit exceeded: more than %lld bytes after decompression", (long long)fetch->body_limit);
    case INFLATE_NO_MEMORY:
        return fail(err, "out of memory");
    case INFLATE_CORRUPT:
        break;
    }
    return fail(err, "the page is not %s", coding_name(coding));
}

static bool call(struct fetcher *fetcher, struct fetch *fetch, const char *url, struct error *err)
{
    struct header_list headers = { .count = 0 };
    struct http_call request = { .method = "GET", .url = url, .headers = headers.items, .response_limit = (size_t)fetch->body_limit + 1 };
    bool answered = collect_headers(fetcher, fetch, same_host(url, fetch->url), &headers, err) &&
                    http_client_call(fetcher->client, &request, &fetch->answer, err);

    header_list_fini(&headers);
    return answered;
}

static void forget_last(struct fetch *fetch)
{
    payload_unref(fetch->plain);
    fetch->plain = NULL;
    fetch->body = SLICE("");
    if (fetch->answer.body.capacity > KEPT_BODY)
        buffer_fini(&fetch->answer.body);
}

bool fetcher_get(struct fetcher *fetcher, struct fetch *fetch, struct error *err)
{
    struct buffer at = { .data = NULL }, next = { .data = NULL };
    int64_t end = clock_monotonic_nanos() + fetcher->timeout_ns;
    bool fine;

    forget_last(fetch);
    buffer_append_string(&at, fetch->url);
    for (int hops = 0;; hops++) {
        fine = call(fetcher, fetch, buffer_string(&at), err);
        if (!fine || !is_redirect(fetch->answer.status) || !fetcher->settings->follow_redirects)
            break;
        fine = hops < REDIRECTS || fail(err, "stopped after %d redirects", REDIRECTS);
        fine = fine && (clock_monotonic_nanos() < end || fail(err, "timed out while following redirects"));
        buffer_clear(&next);
        fine = fine && follow(buffer_string(&at), http_answer_header(&fetch->answer, "location"), &next, err);
        if (!fine)
            break;
        buffer_clear(&at);
        buffer_append_slice(&at, buffer_slice(&next));
    }
    buffer_fini(&at);
    buffer_fini(&next);
    if (fine && fetch->answer.status != 200)
        return fail(err, "the target answered with HTTP status %d", fetch->answer.status);
    return fine && take_body(fetch, err);
}
