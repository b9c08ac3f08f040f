/*
 * bearertokenauth extension: a token in a header, of requests that come in and of requests that go out.
 *
 * Cost: a comparison with each token, a few; a file is looked at once a second at most.
 * Threads: any.
 */
#include "collector/component.h"

#include <openssl/crypto.h>

#include "collector/base/log.h"
#include "collector/extensions/secret_file.h"

struct bearertokenauth {
    struct component base;
    const char *scheme, *header, *token, *filename;
    struct option_strings tokens;
    struct secret_file *file; /* owned; NULL: tokens are in the configuration */
};

static const struct option options[] = {
    { "scheme", OPTION_STRING, offsetof(struct bearertokenauth, scheme), "Bearer", NULL,
        "word before the token; empty: the header holds the token alone" },
    { "header", OPTION_STRING, offsetof(struct bearertokenauth, header), "Authorization", "nonempty", "header that holds the token" },
    { "token", OPTION_SECRET, offsetof(struct bearertokenauth, token), NULL, NULL, "the token" },
    { "tokens", OPTION_STRINGS, offsetof(struct bearertokenauth, tokens), NULL, NULL,
        "several tokens: any of them may come in, the first goes out", .flags = OPTION_HIDDEN },
    { "filename", OPTION_STRING, offsetof(struct bearertokenauth, filename), NULL, NULL,
        "file with a token on each line; goes before token and tokens; read again when it changes" },
    { "file_retry", OPTION_UNSUPPORTED, 0, NULL, NULL, "waiting at start for a file that is not there yet" },
    { 0 },
};

static bool is_set(const char *text)
{
    return text != NULL && *text != '\0';
}

/* ---- tokens: of the file's content, or of the configuration ---- */

struct tokens {
    const struct bearertokenauth *self;
    struct secret *secret; /* NULL: of the configuration */
    struct slice rest;
    size_t next;
};

static struct tokens tokens_begin(const struct bearertokenauth *self)
{
    struct tokens tokens = { .self = self };

    if (self->file != NULL) {
        tokens.secret = secret_file_ref(self->file);
        tokens.rest = secret_text(tokens.secret);
    }
    return tokens;
}

static bool tokens_next(struct tokens *tokens, struct slice *token)
{
    const struct bearertokenauth *self = tokens->self;
    size_t i = tokens->next++;

    if (tokens->secret != NULL) {
        while (secret_next_line(&tokens->rest, token))
            if (token->size > 0)
                return true;
        return false;
    }
    if (self->tokens.count > 0) {
        *token = i < self->tokens.count ? slice_of_string(self->tokens.items[i]) : slice_of(NULL, 0);
        return i < self->tokens.count;
    }
    *token = slice_of_string(self->token);
    return i == 0 && token->size > 0;
}

static void tokens_end(struct tokens *tokens)
{
    secret_unref(tokens->secret);
}

/* ---- the listening side ---- */

static bool is_same(struct slice a, struct slice b)
{
    return a.size == b.size && CRYPTO_memcmp(a.data, b.data, a.size) == 0;
}

static bool strip_scheme(const char *scheme, struct slice *value)
{
    struct slice prefix = slice_of_string(scheme);

    if (prefix.size == 0)
        return true;
    if (value->size <= prefix.size || value->data[prefix.size] != ' ' ||
        !slice_equal_ignoring_case(slice_of(value->data, prefix.size), prefix))
        return false;
    *value = slice_trim(slice_of(value->data + prefix.size, value->size - prefix.size));
    return true;
}

static bool bearertokenauth_check(struct component *extension, const struct auth_request *request, struct error *err)
{
    const struct bearertokenauth *self = (const struct bearertokenauth *)extension;
    struct slice value = request->header(request->context, self->header, 0);
    struct tokens tokens;
    struct slice token;
    bool passed = false;

    if (value.size == 0)
        return fail(err, "missing or empty authorization header: %s", self->header);
    if (!strip_scheme(self->scheme, &value))
        return fail(err, "scheme or token does not match");
    tokens = tokens_begin(self);
    while (tokens_next(&tokens, &token))
        passed |= is_same(token, value); /* all of them, so that the time does not tell which */
    tokens_end(&tokens);
    return passed || fail(err, "scheme or token does not match");
}

/* ---- the connecting side ---- */

static bool bearertokenauth_headers(struct component *extension, struct buffer *out, struct error *err)
{
    const struct bearertokenauth *self = (const struct bearertokenauth *)extension;
    struct tokens tokens = tokens_begin(self);
    struct slice token;
    bool found = tokens_next(&tokens, &token);

    if (found) {
        buffer_printf(out, "%s: %s%s", self->header, self->scheme, is_set(self->scheme) ? " " : "");
        buffer_append_slice(out, token);
        buffer_append_byte(out, '\n');
    }
    tokens_end(&tokens);
    return found || fail(err, "\"%s\" holds no token", self->filename);
}

/* ---- life ---- */

/* A header's value must not end the header. */
static bool is_clean(const char *text)
{
    return text == NULL || strpbrk(text, "\r\n") == NULL;
}

static bool bearertokenauth_validate(struct component *component, struct error *err)
{
    const struct bearertokenauth *self = (const struct bearertokenauth *)component;
    bool clean = is_clean(self->token) && is_clean(self->scheme) && is_clean(self->header);

    if (!is_set(self->token) && self->tokens.count == 0 && !is_set(self->filename))
        return fail(err, "no token: set token, tokens or filename");
    for (size_t i = 0; i < self->tokens.count; i++) {
        clean = clean && is_clean(self->tokens.items[i]);
        if (!is_set(self->tokens.items[i]))
            return fail(err, "tokens: number %zu is empty", i + 1);
    }
    return clean || fail(err, "header, scheme and tokens must not hold line breaks");
}

static bool bearertokenauth_start(struct component *component, struct error *err)
{
    struct bearertokenauth *self = (struct bearertokenauth *)component;

    if (!is_set(self->filename))
        return true;
    if (is_set(self->token) || self->tokens.count > 0)
        log_warn(component->path, "filename is set, so the configured tokens are not used");
    self->file = secret_file_create(self->filename, component->path, err);
    return self->file != NULL;
}

static void bearertokenauth_stop(struct component *component)
{
    struct bearertokenauth *self = (struct bearertokenauth *)component;

    secret_file_destroy(self->file);
    self->file = NULL;
}

static const struct authenticator authenticator = { .check = bearertokenauth_check, .headers = bearertokenauth_headers, .challenge = "Bearer" };

const struct component_type bearertokenauth_extension = {
    .name = "bearertokenauth",
    .kind = COMPONENT_EXTENSION,
    .stability = STABILITY_BETA,
    .summary = "A token in a header, checked in requests that come in and sent with requests that go out.",
    .options = options,
    .instance_size = sizeof(struct bearertokenauth),
    .validate = bearertokenauth_validate,
    .start = bearertokenauth_start,
    .stop = bearertokenauth_stop,
    .authenticator = &authenticator,
};
