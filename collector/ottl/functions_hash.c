/*
 * Digests and hashes of texts, and UUIDs. SHA and MD5 are OpenSSL's, XXH3 is xxHash's; FNV-1a and MurmurHash3 are written here.
 * Threads: the machine's.
 */
#include <openssl/evp.h>
#include <stdio.h>
#include <xxhash.h>

#include "collector/base/clock.h"
#include "collector/base/hash.h"
#include "collector/ottl/program.h"
#include "collector/wire/encoding.h"

static bool put_hex(struct ottl_machine *machine, struct slice bytes, struct ottl_value *value)
{
    char *text = ottl_alloc(machine, bytes.size * 2);

    if (text == NULL)
        return false;
    encoding_write_hex(bytes, text);
    *value = ottl_string(slice_of(text, bytes.size * 2));
    return true;
}

static bool digest(const struct ottl_call *call, struct ottl_machine *machine, const EVP_MD *kind, struct ottl_value *value)
{
    uint8_t out[EVP_MAX_MD_SIZE];
    unsigned size = 0;
    struct slice text;

    if (!ottl_argument_string(call, 0, machine, &text))
        return false;
    if (EVP_Digest(text.data, text.size, out, &size, kind, NULL) != 1)
        return ottl_fail(machine, "%s is not available", call->function->name);
    return put_hex(machine, slice_of(out, size), value);
}

static bool run_sha1(const struct ottl_call *call, struct ottl_machine *machine, struct ottl_value *value)
{
    return digest(call, machine, EVP_sha1(), value);
}

static bool run_sha256(const struct ottl_call *call, struct ottl_machine *machine, struct ottl_value *value)
{
    return digest(call, machine, EVP_sha256(), value);
}

static bool run_sha512(const struct ottl_call *call, struct ottl_machine *machine, struct ottl_value *value)
{
    return digest(call, machine, EVP_sha512(), value);
}

static bool run_md5(const struct ottl_call *call, struct ottl_machine *machine, struct ottl_value *value)
{
    return digest(call, machine, EVP_md5(), value);
}

static bool run_fnv(const struct ottl_call *call, struct ottl_machine *machine, struct ottl_value *value)
{
    uint64_t hash = UINT64_C(14695981039346656037);
    struct slice text;

    if (!ottl_argument_string(call, 0, machine, &text))
        return false;
    for (size_t i = 0; i < text.size; i++)
        hash = (hash ^ text.data[i]) * UINT64_C(1099511628211);
    *value = ottl_int((int64_t)hash);
    return true;
}

/* ---- MurmurHash3 ---- */

static uint32_t rotate32(uint32_t value, int by)
{
    return value << by | value >> (32 - by);
}

static uint64_t rotate64(uint64_t value, int by)
{
    return value << by | value >> (64 - by);
}

static uint64_t little_endian(const uint8_t *bytes, size_t size)
{
    uint64_t value = 0;

    for (size_t i = 0; i < size; i++)
        value |= (uint64_t)bytes[i] << 8 * i;
    return value;
}

static uint32_t murmur32(struct slice text)
{
    uint32_t hash = 0, block;
    size_t blocks = text.size / 4;

    for (size_t i = 0; i < blocks; i++) {
        block = (uint32_t)little_endian(text.data + 4 * i, 4);
        hash = rotate32(hash ^ rotate32(block * 0xcc9e2d51u, 15) * 0x1b873593u, 13) * 5 + 0xe6546b64u;
    }
    if (text.size % 4 > 0) {
        block = (uint32_t)little_endian(text.data + 4 * blocks, text.size % 4);
        hash ^= rotate32(block * 0xcc9e2d51u, 15) * 0x1b873593u;
    }
    hash ^= (uint32_t)text.size;
    hash = (hash ^ hash >> 16) * 0x85ebca6bu;
    hash = (hash ^ hash >> 13) * 0xc2b2ae35u;
    return hash ^ hash >> 16;
}

static uint64_t mix64(uint64_t value)
{
    value = (value ^ value >> 33) * UINT64_C(0xff51afd7ed558ccd);
    value = (value ^ value >> 33) * UINT64_C(0xc4ceb9fe1a85ec53);
    return value ^ value >> 33;
}

static const uint64_t murmur_one = UINT64_C(0x87c37b91114253d5), murmur_two = UINT64_C(0x4cf5ad432745937f);

static void murmur128(struct slice text, uint64_t hash[2])
{
    uint64_t low = 0, high = 0;
    size_t blocks = text.size / 16, rest = text.size % 16;

    for (size_t i = 0; i < blocks; i++) {
        const uint8_t *at = text.data + 16 * i;
        low ^= rotate64(little_endian(at, 8) * murmur_one, 31) * murmur_two;
        low = (rotate64(low, 27) + high) * 5 + 0x52dce729;
        high ^= rotate64(little_endian(at + 8, 8) * murmur_two, 33) * murmur_one;
        high = (rotate64(high, 31) + low) * 5 + 0x38495ab5;
    }
    if (rest > 8)
        high ^= rotate64(little_endian(text.data + 16 * blocks + 8, rest - 8) * murmur_two, 33) * murmur_one;
    if (rest > 0)
        low ^= rotate64(little_endian(text.data + 16 * blocks, rest < 8 ? rest : 8) * murmur_one, 31) * murmur_two;
    low ^= text.size;
    high ^= text.size;
    low += high;
    high += low;
    low = mix64(low);
    high = mix64(high);
    hash[0] = low + high;
    hash[1] = high + hash[0];
}

/* Written as the bytes lie in memory on a little-endian machine. */
static bool run_murmur3(const struct ottl_call *call, struct ottl_machine *machine, struct ottl_value *value)
{
    struct slice text;
    uint32_t hash;

    if (!ottl_argument_string(call, 0, machine, &text))
        return false;
    hash = murmur32(text);
    return put_hex(machine, slice_of(&hash, sizeof(hash)), value);
}

static bool run_murmur3_128(const struct ottl_call *call, struct ottl_machine *machine, struct ottl_value *value)
{
    struct slice text;
    uint64_t hash[2];

    if (!ottl_argument_string(call, 0, machine, &text))
        return false;
    murmur128(text, hash);
    return put_hex(machine, slice_of(hash, sizeof(hash)), value);
}

static bool run_xxh3(const struct ottl_call *call, struct ottl_machine *machine, struct ottl_value *value)
{
    XXH64_canonical_t bytes;
    struct slice text;

    if (!ottl_argument_string(call, 0, machine, &text))
        return false;
    XXH64_canonicalFromHash(&bytes, XXH3_64bits(text.data, text.size));
    return put_hex(machine, slice_of(bytes.digest, sizeof(bytes.digest)), value);
}

static bool run_xxh128(const struct ottl_call *call, struct ottl_machine *machine, struct ottl_value *value)
{
    XXH128_canonical_t bytes;
    struct slice text;

    if (!ottl_argument_string(call, 0, machine, &text))
        return false;
    XXH128_canonicalFromHash(&bytes, XXH3_128bits(text.data, text.size));
    return put_hex(machine, slice_of(bytes.digest, sizeof(bytes.digest)), value);
}

/* ---- UUIDs (RFC 9562) ---- */

static bool put_uuid(struct ottl_machine *machine, uint64_t high, uint64_t low, struct ottl_value *value)
{
    char text[40];

    low = low >> 2 | UINT64_C(1) << 63;
    snprintf(text, sizeof(text), "%08llx-%04llx-%04llx-%04llx-%012llx", (unsigned long long)(high >> 32),
        (unsigned long long)(high >> 16 & 0xffff), (unsigned long long)(high & 0xffff), (unsigned long long)(low >> 48),
        (unsigned long long)(low & UINT64_C(0xffffffffffff)));
    *value = ottl_string((struct slice){ NULL, 0 });
    return ottl_keep(machine, slice_of(text, 36), &value->bytes);
}

/* A random one. */
static bool run_uuid(const struct ottl_call *call, struct ottl_machine *machine, struct ottl_value *value)
{
    (void)call;
    return put_uuid(machine, (random_next() & ~UINT64_C(0xf000)) | 0x4000, random_next(), value);
}

/* One that sorts by time: milliseconds in front, the rest random. */
static bool run_uuid_v7(const struct ottl_call *call, struct ottl_machine *machine, struct ottl_value *value)
{
    uint64_t milliseconds = clock_wall_nanos() / NANOS_PER_MILLI;

    (void)call;
    return put_uuid(machine, milliseconds << 16 | 0x7000 | (random_next() & 0xfff), random_next(), value);
}

const struct ottl_function ottl_hash_functions[] = {
    { "SHA1", "target:value", run_sha1, NULL, false, false, 0 },
    { "SHA256", "target:value", run_sha256, NULL, false, false, 0 },
    { "SHA512", "target:value", run_sha512, NULL, false, false, 0 },
    { "MD5", "target:value", run_md5, NULL, false, false, 0 },
    { "FNV", "target:value", run_fnv, NULL, false, false, 0 },
    { "Murmur3Hash", "target:value", run_murmur3, NULL, false, false, 0 },
    { "Murmur3Hash128", "target:value", run_murmur3_128, NULL, false, false, 0 },
    { "XXH3", "target:value", run_xxh3, NULL, false, false, 0 },
    { "XXH128", "target:value", run_xxh128, NULL, false, false, 0 },
    { "UUID", "", run_uuid, NULL, false, true, 0 },
    { "UUIDv7", "", run_uuid_v7, NULL, false, true, 0 },
    { NULL, NULL, NULL, NULL, false, false, 0 },
};
