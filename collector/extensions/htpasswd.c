/*
 * htpasswd. Cost: a scan of the text to find a user; then microseconds for plain and {SHA}, a millisecond for $apr1$, and
 * what the hash was made to cost for bcrypt (some 50 ms at its usual cost of 10).
 */
#include "collector/extensions/htpasswd.h"

#include <crypt.h>
#include <openssl/crypto.h>
#include <openssl/evp.h>
#include <stdlib.h>

#include "collector/extensions/secret_file.h"

enum {
    HASH_MAX = 512,
    SHA1_SIZE = 20,
    MD5_SIZE = 16,
    MD5_SALT_MAX = 8,
    MD5_ROUNDS = 1000,
    MD5_TEXT = 22,
};

static const char md5_prefix[] = "$apr1$";

static bool split(struct slice line, struct slice *user, struct slice *hash)
{
    const uint8_t *colon = memchr(line.data, ':', line.size);

    if (colon == NULL || colon == line.data)
        return false;
    *user = slice_of(line.data, (size_t)(colon - line.data));
    *hash = slice_of(colon + 1, line.size - user->size - 1);
    return hash->size > 0;
}

static bool is_comment(struct slice line)
{
    return line.size == 0 || line.data[0] == '#';
}

/* NUL-terminated, for crypt(3); false when it is too long or holds a NUL. */
static bool to_string(struct slice in, char *out, size_t size)
{
    if (in.size >= size || memchr(in.data, '\0', in.size) != NULL)
        return false;
    memcpy(out, in.data, in.size);
    out[in.size] = '\0';
    return true;
}

static bool is_known_hash(struct slice hash)
{
    char setting[HASH_MAX];
    int answer;

    if (hash.data[0] != '$' || slice_starts_with(hash, slice_of_string(md5_prefix)))
        return true;
    if (!to_string(hash, setting, sizeof(setting)))
        return false;
    answer = crypt_checksalt(setting);
    return answer != CRYPT_SALT_INVALID && answer != CRYPT_SALT_METHOD_DISABLED;
}

bool htpasswd_check(struct slice text, struct error *err)
{
    struct slice line, user, hash;

    for (size_t number = 1; secret_next_line(&text, &line); number++) {
        if (is_comment(line))
            continue;
        if (!split(line, &user, &hash))
            return fail(err, "line %zu is not of the form user:password", number);
        if (!is_known_hash(hash))
            return fail(err, "line %zu: the password of \"%.*s\" is hashed in a way that is not known", number, SLICE_PRINT(user));
    }
    return true;
}

bool htpasswd_find(struct slice text, struct slice user, struct slice *hash)
{
    struct slice line, name, candidate;
    bool found = false;

    while (secret_next_line(&text, &line)) {
        if (is_comment(line) || !split(line, &name, &candidate) || !slice_equal(name, user))
            continue;
        *hash = candidate;
        found = true;
    }
    return found;
}

bool htpasswd_is_slow(struct slice hash)
{
    return hash.size > 0 && hash.data[0] == '$';
}

/* ---- {SHA} and plain ---- */

/* Compares digests, so that the time depends on neither side's content or length. */
static bool equals(struct slice a, struct slice b)
{
    uint8_t digests[2][EVP_MAX_MD_SIZE];
    unsigned sizes[2];

    return EVP_Digest(a.data, a.size, digests[0], &sizes[0], EVP_sha256(), NULL) == 1 &&
           EVP_Digest(b.data, b.size, digests[1], &sizes[1], EVP_sha256(), NULL) == 1 &&
           CRYPTO_memcmp(digests[0], digests[1], sizes[0]) == 0;
}

static bool verify_sha(struct slice hash, struct slice password)
{
    uint8_t digest[EVP_MAX_MD_SIZE];
    uint8_t text[2 * SHA1_SIZE];
    int length;

    if (EVP_Digest(password.data, password.size, digest, NULL, EVP_sha1(), NULL) != 1)
        return false;
    length = EVP_EncodeBlock(text, digest, SHA1_SIZE);
    return equals(hash, slice_of(text, (size_t)length));
}

/* ---- Apache's MD5 ---- */

struct md5 {
    EVP_MD_CTX *context;
    bool failed;
};

static void md5_begin(struct md5 *md5)
{
    md5->failed |= EVP_DigestInit_ex(md5->context, EVP_md5(), NULL) != 1;
}

static void md5_add(struct md5 *md5, struct slice bytes)
{
    md5->failed |= EVP_DigestUpdate(md5->context, bytes.data, bytes.size) != 1;
}

static void md5_end(struct md5 *md5, uint8_t digest[MD5_SIZE])
{
    md5->failed |= EVP_DigestFinal_ex(md5->context, digest, NULL) != 1;
}

static void md5_first(struct md5 *md5, struct slice password, struct slice salt, uint8_t digest[MD5_SIZE])
{
    md5_begin(md5);
    md5_add(md5, password);
    md5_add(md5, salt);
    md5_add(md5, password);
    md5_end(md5, digest);
    md5_begin(md5);
    md5_add(md5, password);
    md5_add(md5, slice_of_string(md5_prefix));
    md5_add(md5, salt);
    for (size_t left = password.size; left > 0; left -= left < MD5_SIZE ? left : MD5_SIZE)
        md5_add(md5, slice_of(digest, left < MD5_SIZE ? left : MD5_SIZE));
    for (size_t bits = password.size; bits > 0; bits >>= 1)
        md5_add(md5, bits & 1 ? slice_of("", 1) : slice_of(password.data, 1));
    md5_end(md5, digest);
}

static void md5_rounds(struct md5 *md5, struct slice password, struct slice salt, uint8_t digest[MD5_SIZE])
{
    struct slice last = { digest, MD5_SIZE };

    for (int round = 0; round < MD5_ROUNDS; round++) {
        md5_begin(md5);
        md5_add(md5, round & 1 ? password : last);
        if (round % 3 != 0)
            md5_add(md5, salt);
        if (round % 7 != 0)
            md5_add(md5, password);
        md5_add(md5, round & 1 ? last : password);
        md5_end(md5, digest);
    }
}

/* crypt(3)'s own base 64, the digest's bytes in its own order. */
static void md5_text(const uint8_t digest[MD5_SIZE], char out[MD5_TEXT])
{
    static const char alphabet[] = "./0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz";
    static const uint8_t order[5][3] = { { 0, 6, 12 }, { 1, 7, 13 }, { 2, 8, 14 }, { 3, 9, 15 }, { 4, 10, 5 } };
    size_t size = 0;

    for (size_t i = 0; i < 5; i++) {
        unsigned bits = (unsigned)digest[order[i][0]] << 16 | (unsigned)digest[order[i][1]] << 8 | digest[order[i][2]];

        for (int j = 0; j < 4; j++, bits >>= 6)
            out[size++] = alphabet[bits & 0x3f];
    }
    out[size++] = alphabet[digest[11] & 0x3f];
    out[size] = alphabet[digest[11] >> 6];
}

static bool verify_md5(struct slice hash, struct slice password)
{
    struct md5 md5 = { .context = EVP_MD_CTX_new() };
    struct slice salt = { hash.data + sizeof(md5_prefix) - 1, hash.size - sizeof(md5_prefix) + 1 };
    const uint8_t *dollar = memchr(salt.data, '$', salt.size);
    uint8_t digest[MD5_SIZE];
    char text[MD5_TEXT];
    bool same = false;

    if (md5.context != NULL && dollar != NULL && dollar - salt.data <= MD5_SALT_MAX) {
        struct slice expected = { dollar + 1, (size_t)(hash.data + hash.size - dollar - 1) };

        salt.size = (size_t)(dollar - salt.data);
        md5_first(&md5, password, salt, digest);
        md5_rounds(&md5, password, salt, digest);
        md5_text(digest, text);
        same = !md5.failed && equals(expected, slice_of(text, sizeof(text)));
    }
    EVP_MD_CTX_free(md5.context);
    return same;
}

/* ---- crypt(3): bcrypt and others ---- */

static bool verify_crypt(struct slice hash, struct slice password)
{
    char setting[HASH_MAX], phrase[HTPASSWD_PASSWORD_MAX + 1];
    struct crypt_data *data = calloc(1, sizeof(*data)); /* 32 KiB */
    bool same = false;

    if (data != NULL && to_string(hash, setting, sizeof(setting)) && to_string(password, phrase, sizeof(phrase))) {
        const char *answer = crypt_r(phrase, setting, data);

        same = answer != NULL && answer[0] != '*' && equals(hash, slice_of_string(answer));
    }
    if (data != NULL)
        OPENSSL_cleanse(data, sizeof(*data));
    OPENSSL_cleanse(phrase, sizeof(phrase));
    free(data);
    return same;
}

bool htpasswd_verify(struct slice hash, struct slice password)
{
    struct slice sha = SLICE("{SHA}");

    if (password.size > HTPASSWD_PASSWORD_MAX)
        return false;
    if (slice_starts_with(hash, sha))
        return verify_sha(slice_of(hash.data + sha.size, hash.size - sha.size), password);
    if (slice_starts_with(hash, slice_of_string(md5_prefix)))
        return verify_md5(hash, password);
    if (htpasswd_is_slow(hash))
        return verify_crypt(hash, password);
    return equals(hash, password);
}
