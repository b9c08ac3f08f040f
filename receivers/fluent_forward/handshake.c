/*
 * The shared key handshake: HELO with a nonce, the client's PING with digests that prove the key (and a user's password), PONG with ours.
 * Digests are compared in constant time; a client that fails is told why, counted and closed.
 */
#include <openssl/crypto.h>
#include <openssl/evp.h>
#include <openssl/rand.h>

#include "receivers/fluent_forward/fluent_forward.h"

enum { PARTS_MAX = 4, SHA512_SIZE = 64 };

/* SHA-512 of the parts one after the other, in hexadecimal. */
static bool digest_of(const struct slice parts[PARTS_MAX], char out[FLUENT_DIGEST_SIZE])
{
    static const char digits[] = "0123456789abcdef";
    EVP_MD_CTX *context = EVP_MD_CTX_new();
    uint8_t raw[SHA512_SIZE];
    bool made = context != NULL && EVP_DigestInit_ex(context, EVP_sha512(), NULL) == 1;

    for (size_t i = 0; made && i < PARTS_MAX; i++)
        made = EVP_DigestUpdate(context, parts[i].data, parts[i].size) == 1;
    made = made && EVP_DigestFinal_ex(context, raw, NULL) == 1;
    EVP_MD_CTX_free(context);
    for (size_t i = 0; made && i < SHA512_SIZE; i++) {
        out[2 * i] = digits[raw[i] >> 4];
        out[2 * i + 1] = digits[raw[i] & 0x0f];
    }
    return made;
}

static bool is_digest_of(const struct slice parts[PARTS_MAX], struct slice claimed)
{
    char digest[FLUENT_DIGEST_SIZE];

    return claimed.size == sizeof(digest) && digest_of(parts, digest) && CRYPTO_memcmp(digest, claimed.data, sizeof(digest)) == 0;
}

bool fluent_greet(struct stream_session *session)
{
    const struct fluent_receiver *self = stream_session_context(session);
    struct fluent_session *state = stream_session_state(session);
    struct slice auth = slice_of(state->auth, self->security.users.count > 0 ? sizeof(state->auth) : 0);
    struct buffer out = { 0 };

    if (RAND_bytes(state->nonce, sizeof(state->nonce)) != 1 || RAND_bytes(state->auth, sizeof(state->auth)) != 1) {
        stream_session_close(session, "no_randomness");
        return false;
    }
    fluent_append_helo(slice_of(state->nonce, sizeof(state->nonce)), auth, &out);
    stream_session_send(session, buffer_slice(&out));
    buffer_fini(&out);
    return true;
}

/* Every user is looked at, whoever it is. */
static bool is_user(const struct fluent_receiver *self, const struct fluent_session *state, const struct fluent_ping *ping)
{
    const struct option_pairs *users = &self->security.users;
    bool found = users->count == 0;

    for (size_t i = 0; i < users->count; i++) {
        const struct slice parts[PARTS_MAX] = { slice_of(state->auth, sizeof(state->auth)), ping->username,
            slice_of_string(users->items[i].value) };

        if (slice_equal_string(ping->username, users->items[i].key) && is_digest_of(parts, ping->password))
            found = true;
    }
    return found;
}

static struct slice reason_against(const struct fluent_receiver *self, const struct fluent_session *state, const struct fluent_ping *ping)
{
    const struct slice key[PARTS_MAX] = { ping->salt, ping->hostname, slice_of(state->nonce, sizeof(state->nonce)),
        slice_of_string(self->security.shared_key) };

    if (slice_equal_string(ping->hostname, self->security.self_hostname))
        return SLICE("same hostname between input and output: invalid configuration");
    if (!is_digest_of(key, ping->digest))
        return SLICE("shared_key mismatch");
    return is_user(self, state, ping) ? SLICE("") : SLICE("username/password mismatch");
}

static void answer(struct stream_session *session, const struct fluent_ping *ping, struct slice reason)
{
    const struct fluent_receiver *self = stream_session_context(session);
    const struct fluent_session *state = stream_session_state(session);
    struct slice hostname = slice_of_string(self->security.self_hostname);
    const struct slice parts[PARTS_MAX] = { ping->salt, hostname, slice_of(state->nonce, sizeof(state->nonce)),
        slice_of_string(self->security.shared_key) };
    char digest[FLUENT_DIGEST_SIZE];
    struct fluent_pong pong = { .passed = reason.size == 0, .reason = reason };
    struct buffer out = { 0 };

    if (pong.passed && digest_of(parts, digest)) {
        pong.hostname = hostname;
        pong.digest = slice_of(digest, sizeof(digest));
    }
    fluent_append_pong(&pong, &out);
    stream_session_send(session, buffer_slice(&out));
    buffer_fini(&out);
}

void fluent_check_ping(struct stream_session *session, struct slice message)
{
    struct fluent_session *state = stream_session_state(session);
    struct fluent_ping ping = { 0 };
    struct slice reason;

    if (!fluent_read_ping(message, &ping)) {
        stream_session_close(session, "unauthenticated");
        return;
    }
    reason = reason_against(stream_session_context(session), state, &ping);
    answer(session, &ping, reason);
    if (reason.size > 0)
        stream_session_close(session, "unauthenticated");
    else
        state->stage = FLUENT_RECEIVING;
}
