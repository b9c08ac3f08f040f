/*
 * The secret goes in the Authorization header; a server that does not want it there is asked once more with it in the body.
 * Threads: one asks for a token at a time, the others wait for it.
 */
#include "receivers/prometheus/oauth2.h"

#include <pthread.h>
#include <stdlib.h>

#include "collector/base/clock.h"
#include "collector/config/reader.h"
#include "collector/net/http_client.h"
#include "receivers/prometheus/secret.h"
#include "receivers/prometheus/target.h"

enum { EARLY_SECONDS = 10, TOKEN_SECONDS = 3600 };

struct oauth2 {
    const struct oauth2_settings *settings;
    struct tls_settings tls;
    struct http_client *client;
    pthread_mutex_t lock;
    struct buffer token; /* under the lock; empty: none */
    int64_t ends_ns;
    bool in_body; /* the server wants the secret there */
};

struct oauth2 *oauth2_create(const struct oauth2_settings *settings, int64_t timeout_ns, struct error *err)
{
    struct oauth2 *oauth2 = calloc(1, sizeof(*oauth2));
    struct http_client_settings client = {
        .timeout_ns = timeout_ns, .proxy_url = settings->proxy_url, .ignore_environment_proxy = !settings->proxy_from_environment
    };

    if (oauth2 == NULL)
        abort();
    oauth2->settings = settings;
    pthread_mutex_init(&oauth2->lock, NULL);
    scrape_tls_to_net(&settings->tls, &oauth2->tls);
    client.tls = &oauth2->tls;
    oauth2->client = http_client_create(&client, err);
    if (oauth2->client != NULL)
        return oauth2;
    oauth2_destroy(oauth2);
    return NULL;
}

void oauth2_destroy(struct oauth2 *oauth2)
{
    if (oauth2 == NULL)
        return;
    http_client_destroy(oauth2->client);
    buffer_fini(&oauth2->token);
    pthread_mutex_destroy(&oauth2->lock);
    free(oauth2);
}

void oauth2_cancel(struct oauth2 *oauth2)
{
    if (oauth2 != NULL)
        http_client_cancel(oauth2->client);
}

static void append_field(struct buffer *out, const char *name, struct slice value)
{
    buffer_printf(out, "&%s=", name);
    target_encode_query(out, value);
}

static void write_form(const struct oauth2 *oauth2, struct slice secret, struct buffer *out)
{
    const struct oauth2_settings *settings = oauth2->settings;

    buffer_append_string(out, "grant_type=client_credentials");
    for (size_t i = 0; i < settings->scopes.count; i++) {
        buffer_append_string(out, i == 0 ? "&scope=" : "+");
        target_encode_query(out, slice_of_string(settings->scopes.items[i]));
    }
    for (size_t i = 0; i < settings->endpoint_params.count; i++)
        append_field(out, settings->endpoint_params.items[i].key, slice_of_string(settings->endpoint_params.items[i].value));
    if (!oauth2->in_body)
        return;
    append_field(out, "client_id", slice_of_string(settings->client_id));
    append_field(out, "client_secret", secret);
}

static void write_header(const struct oauth2 *oauth2, struct slice secret, struct buffer *out)
{
    struct buffer pair = { .data = NULL };

    target_encode_query(&pair, slice_of_string(oauth2->settings->client_id));
    buffer_append_byte(&pair, ':');
    target_encode_query(&pair, secret);
    buffer_append_string(out, "Authorization: Basic ");
    secret_append_base64(out, buffer_slice(&pair));
    buffer_fini(&pair);
}

/* The answer is JSON: read as YAML, which it is too. */
static bool take_token(struct oauth2 *oauth2, struct slice body, struct error *err)
{
    struct arena arena = { 0 };
    struct config_errors errors = { .arena = &arena };
    struct config_reading reading = { &arena, &errors, 1000, 0 };
    struct config_node *root = config_read_yaml(&reading, &(struct config_text){ .bytes = body, .file = "token", .quiet = true });
    const struct config_node *token = root != NULL && root->kind == CONFIG_MAP ? config_get(root, "access_token") : NULL;
    const struct config_node *expires = root != NULL && root->kind == CONFIG_MAP ? config_get(root, "expires_in") : NULL;
    bool fine = token != NULL && token->kind == CONFIG_SCALAR && token->text[0] != '\0';
    long long seconds = expires != NULL && expires->kind == CONFIG_SCALAR ? atoll(expires->text) : TOKEN_SECONDS;

    if (fine) {
        buffer_clear(&oauth2->token);
        buffer_append_string(&oauth2->token, token->text);
        oauth2->ends_ns =
            clock_monotonic_nanos() + (seconds > 0 && seconds < 1000000 ? seconds - EARLY_SECONDS : TOKEN_SECONDS) * NANOS_PER_SECOND;
    }
    arena_fini(&arena);
    return fine || fail(err, "oauth2: the answer holds no access_token");
}

static bool ask(struct oauth2 *oauth2, struct slice secret, int *status, struct error *err)
{
    struct buffer form = { .data = NULL }, header = { .data = NULL };
    struct http_answer answer = { .status = 0 };
    const char *headers[] = { "Content-Type: application/x-www-form-urlencoded", "Accept: application/json", NULL, NULL };
    struct http_call call = { .url = oauth2->settings->token_url, .headers = headers, .part_count = 1 };
    struct slice part;
    bool fine;

    write_form(oauth2, secret, &form);
    if (!oauth2->in_body) {
        write_header(oauth2, secret, &header);
        headers[2] = buffer_string(&header);
    }
    part = buffer_slice(&form);
    call.parts = &part;
    fine = http_client_call(oauth2->client, &call, &answer, err);
    *status = answer.status;
    if (fine && answer.status != 200)
        fine = fail(err, "oauth2: the token's server answered with HTTP status %d", answer.status);
    else if (fine)
        fine = take_token(oauth2, buffer_slice(&answer.body), err);
    buffer_fini(&form);
    buffer_fini(&header);
    http_answer_fini(&answer);
    return fine;
}

static bool renew_locked(struct oauth2 *oauth2, struct error *err)
{
    struct buffer secret = { .data = NULL };
    int status = 0;
    bool fine = secret_append(oauth2->settings->client_secret, oauth2->settings->client_secret_file, &secret, err);

    if (fine) {
        fine = ask(oauth2, buffer_slice(&secret), &status, err);
        if (!fine && !oauth2->in_body && (status == 400 || status == 401)) {
            oauth2->in_body = true;
            fine = ask(oauth2, buffer_slice(&secret), &status, err);
            oauth2->in_body = fine;
        }
    }
    buffer_fini(&secret);
    return fine;
}

bool oauth2_write(struct oauth2 *oauth2, struct buffer *out, struct error *err)
{
    bool fine = true;

    pthread_mutex_lock(&oauth2->lock);
    if (oauth2->token.size == 0 || clock_monotonic_nanos() >= oauth2->ends_ns)
        fine = renew_locked(oauth2, err);
    if (fine) {
        buffer_append_string(out, "Bearer ");
        buffer_append_slice(out, buffer_slice(&oauth2->token));
    }
    pthread_mutex_unlock(&oauth2->lock);
    return fine;
}
