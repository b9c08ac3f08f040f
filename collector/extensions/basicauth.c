/*
 * basicauth extension: HTTP basic authentication (RFC 7617), of requests that come in by an htpasswd, and of requests that
 * go out by a user name and a password.
 *
 * Cost: microseconds, but for hashes that are made to be slow (bcrypt): what they answered is remembered, 5 minutes for a yes and
 * 10 seconds for a no, in a table of fixed size under a keyed digest of user, hash and password. A first check runs on
 * the thread that serves the request and holds it up for that long.
 * Threads: any.
 */
#include "collector/component.h"

#include <openssl/crypto.h>
#include <openssl/evp.h>
#include <openssl/hmac.h>
#include <openssl/rand.h>
#include <pthread.h>

#include "collector/base/clock.h"
#include "collector/extensions/htpasswd.h"
#include "collector/extensions/secret_file.h"

enum {
    CREDENTIALS_MAX = 1024, /* of the decoded header */
    DIGEST_SIZE = 32,
    REMEMBERED = 256,
    REMEMBERED_YES_SECONDS = 300,
    REMEMBERED_NO_SECONDS = 10,
};

struct remembered {
    uint8_t digest[DIGEST_SIZE];
    int64_t until_ns;
    bool answer;
};

struct client_auth {
    const char *username, *username_file;
    const char *password, *password_file;
    struct secret_file *username_secret, *password_secret; /* owned */
};

struct htpasswd_settings {
    const char *file, *text;
    struct secret_file *secret; /* owned */
};

struct basicauth {
    struct component base;
    bool htpasswd_present, client_present;
    struct htpasswd_settings htpasswd;
    struct client_auth client;
    uint8_t key[DIGEST_SIZE]; /* random, of this instance */
    bool started;
    pthread_mutex_t lock; /* guards remembered */
    struct remembered remembered[REMEMBERED];
};

static const struct option htpasswd_options[] = {
    { "file", OPTION_STRING, offsetof(struct htpasswd_settings, file), NULL, NULL, "htpasswd file; read again when it changes" },
    { "inline", OPTION_SECRET, offsetof(struct htpasswd_settings, text), NULL, NULL,
        "lines of user:password in htpasswd's notation; they go before those of the file" },
    { 0 },
};

static const struct option client_options[] = {
    { "username", OPTION_STRING, offsetof(struct client_auth, username), NULL, NULL, "user name to send" },
    { "username_file", OPTION_STRING, offsetof(struct client_auth, username_file), NULL, NULL,
        "file that holds the user name; goes before username; read again when it changes" },
    { "password", OPTION_SECRET, offsetof(struct client_auth, password), NULL, NULL, "password to send" },
    { "password_file", OPTION_STRING, offsetof(struct client_auth, password_file), NULL, NULL,
        "file that holds the password; goes before password; read again when it changes" },
    { "aws_secrets_manager", OPTION_UNSUPPORTED, 0, NULL, NULL, "credentials from AWS Secrets Manager" },
    { 0 },
};

static const struct option options[] = {
    { "htpasswd", OPTION_BLOCK, offsetof(struct basicauth, htpasswd), NULL, NULL, "who may send (listening side)",
        .fields = htpasswd_options, .present = offsetof(struct basicauth, htpasswd_present) },
    { "client_auth", OPTION_BLOCK, offsetof(struct basicauth, client), NULL, NULL, "as whom to send (connecting side)",
        .fields = client_options, .present = offsetof(struct basicauth, client_present) },
    { 0 },
};

static bool is_set(const char *text)
{
    return text != NULL && *text != '\0';
}

/* ---- what slow hashes answered ---- */

static bool credentials_digest(const struct basicauth *self, const struct slice parts[3], uint8_t digest[DIGEST_SIZE])
{
    struct buffer message = { .limit = 4 * CREDENTIALS_MAX };
    bool done;

    for (int i = 0; i < 3; i++) {
        buffer_append(&message, &parts[i].size, sizeof(parts[i].size));
        buffer_append_slice(&message, parts[i]);
    }
    done = !message.failed && HMAC(EVP_sha256(), self->key, sizeof(self->key), message.data, message.size, digest, NULL) != NULL;
    if (message.data != NULL)
        OPENSSL_cleanse(message.data, message.capacity);
    buffer_fini(&message);
    return done;
}

static bool recall(struct basicauth *self, const uint8_t digest[DIGEST_SIZE], bool *answer)
{
    struct remembered *entry = &self->remembered[digest[0] % REMEMBERED];
    bool known;

    pthread_mutex_lock(&self->lock);
    known = entry->until_ns > clock_monotonic_nanos() && CRYPTO_memcmp(entry->digest, digest, DIGEST_SIZE) == 0;
    *answer = entry->answer;
    pthread_mutex_unlock(&self->lock);
    return known;
}

static void remember(struct basicauth *self, const uint8_t digest[DIGEST_SIZE], bool answer)
{
    struct remembered *entry = &self->remembered[digest[0] % REMEMBERED];
    int64_t seconds = answer ? REMEMBERED_YES_SECONDS : REMEMBERED_NO_SECONDS;
    int64_t now = clock_monotonic_nanos();

    pthread_mutex_lock(&self->lock);
    if (answer || !entry->answer || entry->until_ns <= now) { /* wrong guesses do not drive out who is known */
        memcpy(entry->digest, digest, DIGEST_SIZE);
        entry->until_ns = now + seconds * NANOS_PER_SECOND;
        entry->answer = answer;
    }
    pthread_mutex_unlock(&self->lock);
}

/* ---- the listening side ---- */

struct credentials {
    struct slice user, password;
    uint8_t text[CREDENTIALS_MAX];
};

static bool verify(struct basicauth *self, const struct credentials *credentials, struct slice hash)
{
    const struct slice parts[3] = { credentials->user, hash, credentials->password };
    uint8_t digest[DIGEST_SIZE];
    bool answer;

    if (!htpasswd_is_slow(hash) || !credentials_digest(self, parts, digest))
        return htpasswd_verify(hash, credentials->password);
    if (recall(self, digest, &answer))
        return answer;
    answer = htpasswd_verify(hash, credentials->password);
    remember(self, digest, answer);
    return answer;
}

static bool verify_by_file(struct basicauth *self, const struct credentials *credentials)
{
    struct secret *secret = secret_file_ref(self->htpasswd.secret);
    struct slice hash;
    bool passed = htpasswd_find(secret_text(secret), credentials->user, &hash) && verify(self, credentials, hash);

    secret_unref(secret);
    return passed;
}

static bool is_known(struct basicauth *self, const struct credentials *credentials)
{
    struct slice hash;

    if (htpasswd_find(slice_of_string(self->htpasswd.text), credentials->user, &hash))
        return verify(self, credentials, hash);
    return self->htpasswd.secret != NULL && verify_by_file(self, credentials);
}

/* "Basic dXNlcjpwYXNzd29yZA==" into user and password. */
static bool parse(struct slice header, struct credentials *credentials, struct error *err)
{
    struct slice scheme = SLICE("Basic ");
    const uint8_t *colon;
    int size;

    if (header.size < scheme.size || !slice_equal_ignoring_case(slice_of(header.data, scheme.size), scheme))
        return fail(err, "invalid authorization scheme, only Basic is known");
    header = slice_trim(slice_of(header.data + scheme.size, header.size - scheme.size));
    if (header.size == 0 || header.size % 4 != 0 || header.size / 4 * 3 > sizeof(credentials->text))
        return fail(err, "invalid authorization format");
    size = EVP_DecodeBlock(credentials->text, header.data, (int)header.size);
    for (size_t i = 1; i <= 2 && size > 0 && header.data[header.size - i] == '='; i++)
        size--; /* the padding is decoded as zeros */
    colon = size > 0 ? memchr(credentials->text, ':', (size_t)size) : NULL;
    if (colon == NULL)
        return fail(err, "invalid authorization format");
    credentials->user = slice_of(credentials->text, (size_t)(colon - credentials->text));
    credentials->password = slice_of(colon + 1, (size_t)size - credentials->user.size - 1);
    return true;
}

static bool basicauth_check(struct component *extension, const struct auth_request *request, struct error *err)
{
    struct basicauth *self = (struct basicauth *)extension;
    struct slice header = request->header(request->context, "authorization", 0);
    struct credentials credentials;
    bool passed;

    if (!self->htpasswd_present)
        return fail(err, "\"%s\" has no htpasswd to check requests by", extension->id);
    if (header.data == NULL)
        return fail(err, "no basic auth provided");
    if (!parse(header, &credentials, err))
        return false;
    passed = is_known(self, &credentials);
    OPENSSL_cleanse(credentials.text, sizeof(credentials.text));
    return passed || fail(err, "invalid credentials");
}

/* ---- the connecting side ---- */

static void append_value(struct buffer *out, struct secret_file *file, const char *text)
{
    struct secret *secret = file != NULL ? secret_file_ref(file) : NULL;

    buffer_append_slice(out, secret != NULL ? secret_trim(secret_text(secret)) : slice_of_string(text));
    secret_unref(secret);
}

static void append_base64(struct buffer *out, const struct buffer *in)
{
    size_t size = (in->size + 2) / 3 * 4 + 1;

    if (!in->failed && in->size <= CREDENTIALS_MAX && buffer_reserve(out, size))
        out->size += (size_t)EVP_EncodeBlock(out->data + out->size, in->data, (int)in->size);
    else
        out->failed = true;
}

static bool basicauth_headers(struct component *extension, struct buffer *out, struct error *err)
{
    struct basicauth *self = (struct basicauth *)extension;
    struct buffer plain = { 0 };
    bool clean;

    if (!self->client_present)
        return fail(err, "\"%s\" has no client_auth to send", extension->id);
    append_value(&plain, self->client.username_secret, self->client.username);
    clean = plain.size == 0 || memchr(plain.data, ':', plain.size) == NULL;
    buffer_append_byte(&plain, ':');
    append_value(&plain, self->client.password_secret, self->client.password);
    buffer_append_string(out, "Authorization: Basic ");
    append_base64(out, &plain);
    buffer_append_byte(out, '\n');
    if (plain.data != NULL)
        OPENSSL_cleanse(plain.data, plain.capacity);
    buffer_fini(&plain);
    if (!clean)
        return fail(err, "the user name must not hold a colon");
    return !out->failed || fail(err, "the credentials are longer than %d bytes, or memory is out", CREDENTIALS_MAX);
}

/* ---- life ---- */

static bool basicauth_validate(struct component *component, struct error *err)
{
    const struct basicauth *self = (const struct basicauth *)component;

    if (self->htpasswd_present && self->client_present)
        return fail(err, "only one of htpasswd and client_auth can be used; make two extensions");
    if (self->htpasswd_present && !is_set(self->htpasswd.file) && !is_set(self->htpasswd.text))
        return fail(err, "htpasswd needs file or inline");
    if (!self->htpasswd_present && !self->client_present)
        return fail(err, "no credentials: set htpasswd (listening side) or client_auth (connecting side)");
    return true;
}

static bool open_secret(struct component *self, const char *path, struct secret_file **secret, struct error *err)
{
    if (!is_set(path))
        return true;
    *secret = secret_file_create(path, self->path, err);
    return *secret != NULL;
}

static bool check_file(struct basicauth *self, struct error *err)
{
    struct secret *secret;
    bool fine;

    if (self->htpasswd.secret == NULL)
        return true;
    secret = secret_file_ref(self->htpasswd.secret);
    fine = htpasswd_check(secret_text(secret), err);
    secret_unref(secret);
    return fine || fail_within(err, "\"%s\"", self->htpasswd.file);
}

static bool basicauth_start(struct component *component, struct error *err)
{
    struct basicauth *self = (struct basicauth *)component;

    pthread_mutex_init(&self->lock, NULL);
    self->started = true;
    if (RAND_bytes(self->key, sizeof(self->key)) != 1)
        return fail(err, "could not get random bytes");
    if (!htpasswd_check(slice_of_string(self->htpasswd.text), err))
        return fail_within(err, "htpasswd.inline");
    return open_secret(component, self->htpasswd.file, &self->htpasswd.secret, err) && check_file(self, err) &&
           open_secret(component, self->client.username_file, &self->client.username_secret, err) &&
           open_secret(component, self->client.password_file, &self->client.password_secret, err);
}

static void basicauth_stop(struct component *component)
{
    struct basicauth *self = (struct basicauth *)component;

    secret_file_destroy(self->htpasswd.secret);
    secret_file_destroy(self->client.username_secret);
    secret_file_destroy(self->client.password_secret);
    self->htpasswd.secret = self->client.username_secret = self->client.password_secret = NULL;
    OPENSSL_cleanse(self->key, sizeof(self->key));
    if (self->started)
        pthread_mutex_destroy(&self->lock);
    self->started = false;
}

static const struct authenticator authenticator = { .check = basicauth_check, .headers = basicauth_headers, .challenge = "Basic realm=\"weir\"" };

const struct component_type basicauth_extension = {
    .name = "basicauth",
    .kind = COMPONENT_EXTENSION,
    .stability = STABILITY_BETA,
    .summary = "HTTP basic authentication of requests that come in, by an htpasswd, or of requests that go out.",
    .options = options,
    .instance_size = sizeof(struct basicauth),
    .validate = basicauth_validate,
    .start = basicauth_start,
    .stop = basicauth_stop,
    .authenticator = &authenticator,
};
