/* The list of servers, under one lock that is never held while anything waits. */
#include "exporters/elasticsearch/endpoints.h"

#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>

#include "collector/base/clock.h"
#include "collector/net/url.h"
#include "collector/wire/encoding.h"
#include "exporters/elasticsearch/response.h"

enum { REST_SHIFT_MAX = 6 };
static const int64_t first_rest_ns = NANOS_PER_SECOND, longest_rest_ns = 60 * NANOS_PER_SECOND;

struct elastic_endpoint {
    char *base;  /* owned; without a slash at its end and without a query */
    char *query; /* owned; NULL: none */
    unsigned references;
    unsigned failures; /* in a row */
    int64_t rests_until_ns;
};

struct elastic_endpoints {
    pthread_mutex_t lock;
    struct elastic_endpoint *items[ELASTIC_ENDPOINTS_MAX];
    size_t count, next;
    bool https;
    char *user; /* owned; "name:password@" of the first one's URL, or NULL */
};

/* ---- one server ---- */

static void unref(struct elastic_endpoint *endpoint)
{
    if (--endpoint->references > 0)
        return;
    free(endpoint->base);
    free(endpoint->query);
    free(endpoint);
}

static struct elastic_endpoint *make(struct slice url)
{
    struct elastic_endpoint *endpoint = calloc(1, sizeof(*endpoint));
    const uint8_t *mark = url.size > 0 ? memchr(url.data, '?', url.size) : NULL;
    struct slice base = mark != NULL ? slice_of(url.data, (size_t)(mark - url.data)) : url;

    if (endpoint == NULL)
        abort();
    while (base.size > 0 && base.data[base.size - 1] == '/')
        base.size--;
    endpoint->base = slice_dup_string(base);
    if (mark != NULL && mark + 1 < url.data + url.size)
        endpoint->query = slice_dup_string(slice_of(mark + 1, (size_t)(url.data + url.size - mark - 1)));
    endpoint->references = 1;
    return endpoint;
}

void elastic_endpoint_url(const struct elastic_endpoint *endpoint, const char *path, struct slice query, struct buffer *out)
{
    buffer_printf(out, "%s%s", endpoint->base, path);
    if (endpoint->query != NULL)
        buffer_printf(out, "?%s", endpoint->query);
    if (query.size > 0)
        buffer_append_byte(out, endpoint->query != NULL ? '&' : '?');
    buffer_append_slice(out, query);
}

/* ---- what the settings say ---- */

static bool is_set(const char *text)
{
    return text != NULL && *text != '\0';
}

static bool add(struct elastic_endpoints *endpoints, struct slice text, struct error *err)
{
    struct slice trimmed = slice_trim(text);
    char *url_text = slice_dup_string(trimmed);
    struct url url = { .https = false };
    bool fine = trimmed.size > 0 ? url_parse(url_text, &url, err) : fail(err, "an endpoint must not be empty");

    if (fine && endpoints->count == ELASTIC_ENDPOINTS_MAX)
        fine = fail(err, "more than %d endpoints", ELASTIC_ENDPOINTS_MAX);
    if (fine && endpoints->count == 0) {
        endpoints->https = url.https;
        if (url.user.size > 0)
            endpoints->user = slice_dup_string(url.user);
    }
    if (fine)
        endpoints->items[endpoints->count++] = make(trimmed);
    free(url_text);
    return fine || (trimmed.size > 0 && fail_within(err, "endpoint \"%.*s\"", SLICE_PRINT(trimmed)));
}

static bool add_list(struct elastic_endpoints *endpoints, const char *text, struct error *err)
{
    bool fine = true;

    while (fine) {
        size_t size = strcspn(text, ",");

        fine = add(endpoints, slice_of(text, size), err);
        if (text[size] == '\0')
            break;
        text += size + 1;
    }
    return fine;
}

/* "name:" and the base64 of "domain$cluster$kibana". */
static bool add_cloud(struct elastic_endpoints *endpoints, const char *id, struct error *err)
{
    const char *colon = strchr(id, ':'), *dollar;
    struct buffer decoded = { 0 }, url = { 0 };
    bool fine;

    if (colon == NULL || !encoding_read_base64(slice_of_string(colon + 1), &decoded))
        return fail(err, "cloudid \"%.200s\" is not of the form name:base64", id);
    dollar = strchr(buffer_string(&decoded), '$');
    if (dollar != NULL) {
        size_t domain = (size_t)(dollar - buffer_string(&decoded));

        buffer_printf(&url, "https://%.*s.%.*s", (int)strcspn(dollar + 1, "$"), dollar + 1, (int)domain, buffer_string(&decoded));
    }
    fine = dollar != NULL ? add(endpoints, buffer_slice(&url), err) : fail(err, "cloudid \"%.200s\" does not name a cluster", id);
    buffer_fini(&decoded);
    buffer_fini(&url);
    return fine;
}

static bool fill(struct elastic_endpoints *endpoints, const struct elastic_settings *settings, struct error *err)
{
    const char *environment = getenv("ELASTICSEARCH_URL");
    int ways = is_set(settings->http.endpoint) + (settings->endpoints.count > 0) + is_set(settings->cloud_id);
    bool fine = true;

    if (ways > 1 || (ways == 0 && !is_set(environment)))
        return fail(err, "exactly one of endpoint, endpoints and cloudid must be set%s",
            ways == 0 ? ", or the environment variable ELASTICSEARCH_URL" : "");
    if (is_set(settings->http.endpoint))
        return add(endpoints, slice_of_string(settings->http.endpoint), err);
    if (is_set(settings->cloud_id))
        return add_cloud(endpoints, settings->cloud_id, err);
    for (size_t i = 0; i < settings->endpoints.count && fine; i++)
        fine = add(endpoints, slice_of_string(settings->endpoints.items[i]), err);
    return fine && (ways > 0 || add_list(endpoints, environment, err));
}

struct elastic_endpoints *elastic_endpoints_create(const struct elastic_settings *settings, struct error *err)
{
    struct elastic_endpoints *endpoints = calloc(1, sizeof(*endpoints));

    if (endpoints == NULL)
        abort();
    pthread_mutex_init(&endpoints->lock, NULL);
    if (fill(endpoints, settings, err))
        return endpoints;
    elastic_endpoints_destroy(endpoints);
    return NULL;
}

void elastic_endpoints_destroy(struct elastic_endpoints *endpoints)
{
    if (endpoints == NULL)
        return;
    for (size_t i = 0; i < endpoints->count; i++)
        unref(endpoints->items[i]);
    pthread_mutex_destroy(&endpoints->lock);
    free(endpoints->user);
    free(endpoints);
}

/* ---- taking turns ---- */

size_t elastic_endpoints_count(struct elastic_endpoints *endpoints)
{
    size_t count;

    pthread_mutex_lock(&endpoints->lock);
    count = endpoints->count;
    pthread_mutex_unlock(&endpoints->lock);
    return count;
}

static struct elastic_endpoint *choose_locked(struct elastic_endpoints *endpoints, int64_t now_ns)
{
    struct elastic_endpoint *soonest = NULL;

    for (size_t i = 0; i < endpoints->count; i++) {
        struct elastic_endpoint *endpoint = endpoints->items[(endpoints->next + i) % endpoints->count];

        if (endpoint->rests_until_ns <= now_ns) {
            endpoints->next = (endpoints->next + i + 1) % endpoints->count;
            return endpoint;
        }
        if (soonest == NULL || endpoint->rests_until_ns < soonest->rests_until_ns)
            soonest = endpoint;
    }
    return soonest;
}

struct elastic_endpoint *elastic_endpoints_take(struct elastic_endpoints *endpoints)
{
    struct elastic_endpoint *endpoint;

    pthread_mutex_lock(&endpoints->lock);
    endpoint = choose_locked(endpoints, clock_monotonic_nanos());
    endpoint->references++;
    pthread_mutex_unlock(&endpoints->lock);
    return endpoint;
}

void elastic_endpoints_put(struct elastic_endpoints *endpoints, struct elastic_endpoint *endpoint, bool works)
{
    int64_t now_ns = clock_monotonic_nanos();

    pthread_mutex_lock(&endpoints->lock);
    if (works) {
        endpoint->failures = 0;
        endpoint->rests_until_ns = 0;
    } else if (endpoint->rests_until_ns <= now_ns) { /* calls that were under way together fail together */
        unsigned shift = endpoint->failures < REST_SHIFT_MAX ? endpoint->failures : REST_SHIFT_MAX;
        int64_t rest_ns = first_rest_ns << shift;

        endpoint->failures++;
        endpoint->rests_until_ns = now_ns + (rest_ns < longest_rest_ns ? rest_ns : longest_rest_ns);
    }
    unref(endpoint);
    pthread_mutex_unlock(&endpoints->lock);
}

/* ---- discovery ---- */

/* "host/127.0.0.1:9200" or "127.0.0.1:9200" */
static struct elastic_endpoint *make_discovered(const struct elastic_endpoints *endpoints, struct slice address)
{
    const uint8_t *slash = memchr(address.data, '/', address.size);
    struct buffer text = { 0 };
    struct elastic_endpoint *endpoint = NULL;
    struct url url;

    if (slash != NULL)
        address = slice_of(slash + 1, (size_t)(address.data + address.size - slash - 1));
    buffer_printf(&text, "%s://%s%s%.*s", endpoints->https ? "https" : "http", endpoints->user != NULL ? endpoints->user : "",
        endpoints->user != NULL ? "@" : "", SLICE_PRINT(address));
    if (!text.failed && url_parse(buffer_string(&text), &url, NULL))
        endpoint = make(buffer_slice(&text));
    buffer_fini(&text);
    return endpoint;
}

/* One that was there already keeps what is known of it. Takes `found`. */
static struct elastic_endpoint *known_or_new(const struct elastic_endpoints *endpoints, struct elastic_endpoint *found)
{
    for (size_t i = 0; i < endpoints->count; i++) {
        if (strcmp(endpoints->items[i]->base, found->base) != 0)
            continue;
        unref(found);
        endpoints->items[i]->references++;
        return endpoints->items[i];
    }
    return found;
}

bool elastic_endpoints_learn(struct elastic_endpoints *endpoints, struct slice response)
{
    struct json_text text = { response.data, response.data + response.size, NULL };
    struct elastic_endpoint *found[ELASTIC_ENDPOINTS_MAX];
    struct slice address;
    size_t count = 0;

    pthread_mutex_lock(&endpoints->lock);
    while (count < ELASTIC_ENDPOINTS_MAX && elastic_next_string(&text, "publish_address", &address)) {
        struct elastic_endpoint *endpoint = make_discovered(endpoints, address);

        if (endpoint != NULL)
            found[count++] = known_or_new(endpoints, endpoint);
    }
    for (size_t i = 0; count > 0 && i < endpoints->count; i++)
        unref(endpoints->items[i]);
    for (size_t i = 0; i < count; i++)
        endpoints->items[i] = found[i];
    if (count > 0) {
        endpoints->count = count;
        endpoints->next = 0;
    }
    pthread_mutex_unlock(&endpoints->lock);
    return count > 0;
}
