/*
 * Around a handler. Cost: nothing but a call when neither CORS nor response headers are configured.
 * CORS answers as the OpenTelemetry Collector's: GET, HEAD and POST; credentials are allowed, but for "*".
 */
#include "collector/http_listen.h"

#include <ctype.h>
#include <stdio.h>
#include <stdlib.h>

enum { CORS_HEADERS_MAX = 6, HEADERS_MAX = 2 * HTTP_LISTEN_HEADERS_MAX + CORS_HEADERS_MAX + 1 };

/* ---- settings ---- */

static bool is_token(const char *text)
{
    for (const char *at = text; *at != '\0'; at++)
        if (!isalnum((unsigned char)*at) && strchr("!#$%&'*+-.^_`|~", *at) == NULL)
            return false;
    return *text != '\0';
}

static bool check_response_header(const struct option_pair *pair, struct error *err)
{
    static const char *const own[] = { "content-type", "content-length", "transfer-encoding", "connection", "date" };

    if (!is_token(pair->key))
        return fail(err, "response_headers: \"%s\" is not a header's name", pair->key);
    for (size_t i = 0; i < sizeof(own) / sizeof(own[0]); i++)
        if (strcasecmp(pair->key, own[i]) == 0)
            return fail(err, "response_headers: \"%s\" is set by weir itself", pair->key);
    if (strpbrk(pair->value, "\r\n") != NULL)
        return fail(err, "response_headers: the value of \"%s\" must not hold line breaks", pair->key);
    return true;
}

/* HTTP/2 wants names in lower case; HTTP/1.1 does not mind. */
static void append_lower(struct buffer *out, const char *text)
{
    for (; *text != '\0'; text++)
        buffer_append_byte(out, (uint8_t)tolower((unsigned char)*text));
}

static void append_names(struct buffer *out, const struct option_strings *names)
{
    for (size_t i = 0; i < names->count; i++)
        buffer_printf(out, "%s%s", i > 0 ? ", " : "", names->items[i]);
}

/* The texts lie in one block, one after the other; this cuts the next one off. */
static struct slice cut(const char **at, size_t size)
{
    struct slice text = slice_of(*at, size);

    *at += size;
    return text;
}

static void take_texts(struct http_listen *listen, struct buffer *texts, size_t exposed, size_t max_age)
{
    const struct option_pairs *pairs = &listen->settings->response_headers;
    const char *at = listen->text = (char *)texts->data;

    for (size_t i = 0; i < pairs->count; i++) {
        listen->fixed[i].name = cut(&at, strlen(pairs->items[i].key));
        listen->fixed[i].value = slice_of_string(pairs->items[i].value);
    }
    listen->fixed_count = pairs->count;
    listen->exposed = cut(&at, exposed);
    listen->max_age = cut(&at, max_age);
}

static bool make_texts(struct http_listen *listen, struct error *err)
{
    const struct http_listen_settings *settings = listen->settings;
    struct buffer texts = { 0 };
    size_t exposed, max_age;

    for (size_t i = 0; i < settings->response_headers.count; i++)
        append_lower(&texts, settings->response_headers.items[i].key);
    exposed = texts.size;
    append_names(&texts, &settings->cors.exposed_headers);
    exposed = texts.size - exposed;
    max_age = texts.size;
    if (settings->cors.max_age > 0)
        buffer_printf(&texts, "%lld", (long long)settings->cors.max_age);
    max_age = texts.size - max_age;
    if (texts.failed) {
        buffer_fini(&texts);
        return fail(err, "out of memory");
    }
    take_texts(listen, &texts, exposed, max_age);
    return true;
}

bool http_listen_init(
    struct http_listen *listen, const struct http_listen_settings *settings, const struct component *owner, struct error *err)
{
    *listen = (struct http_listen){ .settings = settings };
    if (settings->response_headers.count > HTTP_LISTEN_HEADERS_MAX)
        return fail(err, "response_headers: at most %d", HTTP_LISTEN_HEADERS_MAX);
    for (size_t i = 0; i < settings->response_headers.count; i++)
        if (!check_response_header(&settings->response_headers.items[i], err))
            return false;
    return authenticator_find(owner, settings->auth.authenticator, &listen->authenticator, err) && make_texts(listen, err);
}

void http_listen_fini(struct http_listen *listen)
{
    free(listen->text);
    *listen = (struct http_listen){ 0 };
}

/* ---- CORS ---- */

static bool has_cors(const struct http_listen *listen)
{
    return listen->settings->cors_present && listen->settings->cors.allowed_origins.count > 0;
}

/* One '*' stands for any text. */
static bool matches(const char *pattern, struct slice origin)
{
    const char *star = strchr(pattern, '*');
    struct slice head = { (const uint8_t *)pattern, star != NULL ? (size_t)(star - pattern) : strlen(pattern) };
    struct slice tail = slice_of_string(star != NULL ? star + 1 : "");

    if (star == NULL)
        return slice_equal_ignoring_case(origin, head);
    return origin.size >= head.size + tail.size && slice_equal_ignoring_case(slice_of(origin.data, head.size), head) &&
           slice_equal_ignoring_case(slice_of(origin.data + origin.size - tail.size, tail.size), tail);
}

struct cors {
    bool allowed;
    bool anybody; /* "*" */
    struct slice origin;
};

static struct cors look_up_origin(const struct http_listen *listen, const struct http_exchange *exchange)
{
    const struct option_strings *origins = &listen->settings->cors.allowed_origins;
    struct cors cors = { .origin = http_exchange_header(exchange, "origin", 0) };

    for (size_t i = 0; cors.origin.size > 0 && i < origins->count; i++) {
        cors.allowed |= matches(origins->items[i], cors.origin);
        cors.anybody |= strcmp(origins->items[i], "*") == 0;
    }
    return cors;
}

static void add(struct http_header *headers, size_t *count, struct slice name, struct slice value)
{
    headers[(*count)++] = (struct http_header){ name, value };
}

static void add_allowance(const struct cors *cors, struct http_header *headers, size_t *count)
{
    add(headers, count, SLICE("access-control-allow-origin"), cors->anybody ? SLICE("*") : cors->origin);
    if (!cors->anybody)
        add(headers, count, SLICE("access-control-allow-credentials"), SLICE("true"));
}

static bool is_allowed_name(const struct http_listen *listen, struct slice name)
{
    static const char *const safe[] = { "Accept", "Content-Type", "X-Requested-With" };
    const struct option_strings *names = &listen->settings->cors.allowed_headers;
    bool allowed = slice_equal_ignoring_case(name, SLICE("Origin"));

    for (size_t i = 0; i < names->count; i++)
        allowed |= strcmp(names->items[i], "*") == 0 || slice_equal_ignoring_case(name, slice_of_string(names->items[i]));
    for (size_t i = 0; names->count == 0 && i < sizeof(safe) / sizeof(safe[0]); i++)
        allowed |= slice_equal_ignoring_case(name, slice_of_string(safe[i]));
    return allowed;
}

static bool are_allowed_names(const struct http_listen *listen, struct slice list)
{
    while (list.size > 0) {
        const uint8_t *comma = memchr(list.data, ',', list.size);
        size_t size = comma != NULL ? (size_t)(comma - list.data) : list.size;
        struct slice name = slice_trim(slice_of(list.data, size));

        if (name.size > 0 && !is_allowed_name(listen, name))
            return false;
        size += comma != NULL;
        list = slice_of(list.data + size, list.size - size);
    }
    return true;
}

static bool is_allowed_method(struct slice method)
{
    return slice_equal_string(method, "POST") || slice_equal_string(method, "GET") || slice_equal_string(method, "HEAD");
}

bool http_listen_preflight(const struct http_listen *listen, struct http_exchange *exchange)
{
    struct http_header headers[CORS_HEADERS_MAX + 1];
    struct http_response response = { .status = 204, .headers = headers };
    struct slice method = http_exchange_header(exchange, "access-control-request-method", 0);
    struct slice names = http_exchange_header(exchange, "access-control-request-headers", 0);
    struct cors cors;

    if (!has_cors(listen) || method.size == 0 || !slice_equal_string(http_exchange_request(exchange)->method, "OPTIONS"))
        return false;
    cors = look_up_origin(listen, exchange);
    add(headers, &response.header_count, SLICE("vary"), SLICE("Origin, Access-Control-Request-Method, Access-Control-Request-Headers"));
    if (cors.allowed && is_allowed_method(method) && are_allowed_names(listen, names)) {
        add_allowance(&cors, headers, &response.header_count);
        add(headers, &response.header_count, SLICE("access-control-allow-methods"), method);
        if (names.size > 0)
            add(headers, &response.header_count, SLICE("access-control-allow-headers"), names);
        if (listen->max_age.size > 0)
            add(headers, &response.header_count, SLICE("access-control-max-age"), listen->max_age);
    }
    http_reply(exchange, &response);
    return true;
}

static size_t add_cors(const struct http_listen *listen, const struct http_exchange *exchange, struct http_header *headers, size_t count)
{
    struct cors cors = look_up_origin(listen, exchange);

    add(headers, &count, SLICE("vary"), SLICE("Origin"));
    if (!cors.allowed)
        return count;
    add_allowance(&cors, headers, &count);
    if (listen->exposed.size > 0)
        add(headers, &count, SLICE("access-control-expose-headers"), listen->exposed);
    return count;
}

void http_listen_reply(const struct http_listen *listen, struct http_exchange *exchange, const struct http_response *response)
{
    struct http_header headers[HEADERS_MAX];
    struct http_response full = *response;
    const char *challenge = NULL;

    if (response->status == 401 && listen->authenticator != NULL)
        challenge = listen->authenticator->type->authenticator->challenge;
    if (listen->fixed_count == 0 && !has_cors(listen) && challenge == NULL) {
        http_reply(exchange, response);
        return;
    }
    full.headers = headers;
    full.header_count = 0;
    for (size_t i = 0; i < response->header_count && i < HTTP_LISTEN_HEADERS_MAX; i++)
        headers[full.header_count++] = response->headers[i];
    for (size_t i = 0; i < listen->fixed_count; i++)
        headers[full.header_count++] = listen->fixed[i];
    if (challenge != NULL)
        headers[full.header_count++] = (struct http_header){ SLICE("www-authenticate"), slice_of_string(challenge) };
    if (has_cors(listen))
        full.header_count = add_cors(listen, exchange, headers, full.header_count);
    http_reply(exchange, &full);
}

/* ---- authentication ---- */

bool authenticator_find(const struct component *owner, const char *id, struct component **found, struct error *err)
{
    *found = NULL;
    if (id == NULL || *id == '\0')
        return true;
    *found = component_find_extension(owner, id, err);
    if (*found == NULL)
        return false;
    if ((*found)->type->authenticator != NULL && (*found)->type->authenticator->check != NULL)
        return true;
    return fail(err, "auth: the extension \"%s\" does not check requests", id);
}

static struct slice header_of(void *context, const char *name, size_t nth)
{
    return http_exchange_header(context, name, nth);
}

bool authenticator_check(struct component *authenticator, const struct http_exchange *exchange, struct error *err)
{
    struct auth_request request = { (void *)exchange, header_of }; /* only read through header_of */

    return authenticator == NULL || authenticator->type->authenticator->check(authenticator, &request, err);
}

/* ---- metadata ---- */

/* "[::1]:52114" is "::1". */
static struct slice address_of(struct slice peer)
{
    const uint8_t *colon = peer.size > 0 ? memrchr(peer.data, ':', peer.size) : NULL;

    if (colon == NULL)
        return peer;
    peer.size = (size_t)(colon - peer.data);
    if (peer.size >= 2 && peer.data[0] == '[' && peer.data[peer.size - 1] == ']')
        return slice_of(peer.data + 1, peer.size - 2);
    return peer;
}

struct metadata *http_metadata(const struct http_exchange *exchange)
{
    const struct http_request *request = http_exchange_request(exchange);
    bool host = request->authority.size > 0 && http_exchange_header(exchange, "host", 0).data == NULL;
    struct metadata_entry *entries = calloc(request->header_count + 2, sizeof(*entries));
    struct slice peer = slice_of_string(request->peer);
    struct metadata *metadata = NULL;
    struct buffer names = { 0 };
    const char *at;

    for (size_t i = 0; i < request->header_count; i++) {
        buffer_append_slice(&names, request->headers[i].name);
        buffer_append_byte(&names, '\0');
    }
    at = (const char *)names.data;
    for (size_t i = 0; entries != NULL && !names.failed && i < request->header_count; i++) {
        entries[i] = (struct metadata_entry){ at, request->headers[i].value };
        at += strlen(at) + 1;
    }
    if (entries != NULL && host)
        entries[request->header_count + 1] = (struct metadata_entry){ "host", request->authority };
    if (entries != NULL)
        entries[request->header_count] = (struct metadata_entry){ ":peer", address_of(peer) };
    if (entries != NULL && !names.failed)
        metadata = metadata_create(entries, request->header_count + host + 1);
    buffer_fini(&names);
    free(entries);
    return metadata;
}
