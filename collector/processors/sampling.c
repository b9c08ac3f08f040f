/*
 * Consistent probability sampling (OpenTelemetry specification, "TraceState: Probability Sampling"; W3C Trace Context, 3.3).
 *
 * No state, no allocation but the buffer's. Cost: linear in the trace state, of which at most 1,024 bytes are looked at.
 */
#include "collector/processors/sampling.h"

#include <math.h>

enum { STATE_MAX = 1024, MEMBERS_MAX = 32, KEY_MAX = 256, TENANT_MAX = 241, SYSTEM_MAX = 14, VALUE_MAX = 256 };
enum { HEX_BITS = 4 };

/* ---- thresholds and randomness ---- */

static int larger(int a, int b)
{
    return a > b ? a : b;
}

bool sampling_threshold_of(double probability, int precision, uint64_t *threshold)
{
    int below, above;

    if (!(probability >= 1.0 / (double)SAMPLING_NEVER && probability <= 1))
        return false;
    *threshold = SAMPLING_ALWAYS;
    if (probability == 1)
        return true;
    /* digits that are all f or all 0 in front say little: those that follow count */
    (void)frexp(probability, &below);
    (void)frexp(1 - probability, &above);
    precision = larger(precision + below / -HEX_BITS, precision + above / -HEX_BITS);
    *threshold = SAMPLING_NEVER - (uint64_t)round(probability * (double)SAMPLING_NEVER);
    if (precision < SAMPLING_DIGITS) {
        int shift = HEX_BITS * (SAMPLING_DIGITS - precision);
        *threshold = (*threshold + (UINT64_C(1) << (shift - 1))) >> shift << shift;
    }
    return true;
}

double sampling_probability_of(uint64_t threshold)
{
    return (double)(SAMPLING_NEVER - threshold) / (double)SAMPLING_NEVER;
}

static bool parse_hex(struct slice text, uint64_t *value)
{
    *value = 0;
    for (size_t i = 0; i < text.size; i++) {
        uint8_t c = text.data[i] | 0x20;
        unsigned digit = text.data[i] >= '0' && text.data[i] <= '9' ? (unsigned)text.data[i] - '0'
                         : c >= 'a' && c <= 'f'                     ? c - 'a' + 10u
                                                                    : 16;
        if (digit == 16)
            return false;
        *value = *value << HEX_BITS | digit;
    }
    return true;
}

bool sampling_parse_threshold(struct slice text, uint64_t *threshold)
{
    if (text.size == 0 || text.size > SAMPLING_DIGITS || !parse_hex(text, threshold))
        return false;
    *threshold <<= HEX_BITS * (SAMPLING_DIGITS - text.size);
    return true;
}

bool sampling_parse_randomness(struct slice text, uint64_t *randomness)
{
    return text.size == SAMPLING_DIGITS && parse_hex(text, randomness);
}

size_t sampling_write_randomness(uint64_t randomness, char out[SAMPLING_DIGITS])
{
    for (int i = SAMPLING_DIGITS; i-- > 0; randomness >>= HEX_BITS)
        out[i] = "0123456789abcdef"[randomness & 15];
    return SAMPLING_DIGITS;
}

size_t sampling_write_threshold(uint64_t threshold, char out[SAMPLING_DIGITS])
{
    size_t size = threshold < SAMPLING_NEVER ? sampling_write_randomness(threshold, out) : 0;

    while (size > 1 && out[size - 1] == '0')
        size--;
    return size;
}

uint64_t sampling_randomness_of_trace(const uint8_t trace_id[16])
{
    uint64_t last;

    memcpy(&last, trace_id + 8, sizeof(last));
    return __builtin_bswap64(last) & SAMPLING_RANDOM_MAX;
}

static uint32_t fnv1a(uint32_t hash, const uint8_t *data, size_t size)
{
    for (size_t i = 0; i < size; i++)
        hash = (hash ^ data[i]) * 16777619u;
    return hash;
}

uint32_t sampling_hash_seed(uint32_t seed)
{
    const uint8_t little[4] = { (uint8_t)seed, (uint8_t)(seed >> 8), (uint8_t)(seed >> 16), (uint8_t)(seed >> 24) };

    return fnv1a(2166136261u, little, sizeof(little));
}

/*
 * Fourteen bits decide: an item used to be sampled when these bits of its hash were below the rate; turned round they are the first bits of
 * the randomness, so that comparing it with a threshold comes to the same. The rest of the hash fills the other bits.
 */
uint64_t sampling_randomness_of_bytes(struct slice bytes, uint32_t hashed_seed)
{
    enum { BUCKET_BITS = 14, BUCKETS = 1 << BUCKET_BITS };
    uint32_t hash = fnv1a(hashed_seed, bytes.data, bytes.size);
    uint64_t bucket = hash & (BUCKETS - 1), unused = hash >> (32 - BUCKET_BITS);

    return (BUCKETS - 1 - bucket) << 42 | (unused ^ unused << 10) << 14 | bucket;
}

/* ---- trace state ---- */

static bool is_lower(uint8_t c)
{
    return c >= 'a' && c <= 'z';
}

static bool is_digit(uint8_t c)
{
    return c >= '0' && c <= '9';
}

static bool is_key_rest(struct slice key)
{
    for (size_t i = 1; i < key.size; i++) {
        uint8_t c = key.data[i];
        if (!is_lower(c) && !is_digit(c) && c != '_' && c != '-' && c != '*' && c != '/')
            return false;
    }
    return true;
}

/* Cuts `text` at the first `separator`; what is behind it becomes `rest`. False when there is none: then `first` is the whole. */
static bool cut(struct slice text, char separator, struct slice *first, struct slice *rest)
{
    const uint8_t *at = text.size > 0 ? memchr(text.data, separator, text.size) : NULL;
    size_t size = at != NULL ? (size_t)(at - text.data) : text.size;

    *first = (struct slice){ text.data, size };
    *rest = at != NULL ? (struct slice){ at + 1, text.size - size - 1 } : (struct slice){ NULL, 0 };
    return at != NULL;
}

/* "vendor", or "tenant@vendor". */
static bool is_key(struct slice key)
{
    struct slice tenant, vendor;

    if (key.size == 0 || key.size > KEY_MAX)
        return false;
    if (!cut(key, '@', &tenant, &vendor))
        return is_lower(key.data[0]) && is_key_rest(key);
    return tenant.size > 0 && tenant.size <= TENANT_MAX && vendor.size > 0 && vendor.size <= SYSTEM_MAX &&
           (is_lower(tenant.data[0]) || is_digit(tenant.data[0])) && is_lower(vendor.data[0]) && is_key_rest(tenant) && is_key_rest(vendor);
}

static bool is_value(struct slice value)
{
    for (size_t i = 0; i < value.size; i++) {
        uint8_t c = value.data[i];
        if (c < 0x20 || c > 0x7e || c == ',' || c == '=')
            return false;
    }
    return value.size > 0 && value.size <= VALUE_MAX && value.data[value.size - 1] != ' ';
}

/* One field of the member "ot": "th:c". */
static bool is_field(struct slice key, struct slice value)
{
    for (size_t i = 0; i < key.size; i++) {
        if (!is_lower(key.data[i]) && (i == 0 || !is_digit(key.data[i])))
            return false;
    }
    for (size_t i = 0; i < value.size; i++) {
        uint8_t c = value.data[i];
        if (!is_lower(c | 0x20) && !is_digit(c) && c != '.' && c != '_' && c != '-')
            return false;
    }
    return key.size > 0;
}

static bool take_field(struct sampling_state *state, struct slice key, struct slice value)
{
    bool good = true;

    if (slice_equal(key, SLICE("th"))) {
        state->has_threshold = good = sampling_parse_threshold(value, &state->threshold);
        state->threshold_text = value;
    } else if (slice_equal(key, SLICE("rv"))) {
        state->has_randomness = good = sampling_parse_randomness(value, &state->randomness);
        state->randomness_text = value;
    }
    return good;
}

static bool parse_ot(struct sampling_state *state, struct slice ot)
{
    struct slice field, rest, key, value;
    bool good = true, more = true;

    state->has_threshold = state->has_randomness = false;
    state->ot = (struct slice){ NULL, 0 };
    for (rest = ot; more;) {
        more = cut(rest, ';', &field, &rest);
        if (!cut(field, ':', &key, &value) || !is_field(key, value))
            return false;
    }
    state->ot = ot;
    for (more = true, rest = ot; more;) {
        more = cut(rest, ';', &field, &rest);
        cut(field, ':', &key, &value);
        good = take_field(state, key, value) && good;
    }
    return good;
}

bool sampling_state_parse(struct slice text, struct sampling_state *state)
{
    struct slice member, rest = text, key, value;
    bool good = true, more = text.size > 0;
    size_t members = 0;

    *state = (struct sampling_state){ .text = text };
    if (text.size > STATE_MAX)
        return false;
    while (more) {
        more = cut(rest, ',', &member, &rest);
        member = slice_trim(member);
        if (member.size > 0 && (!cut(member, '=', &key, &value) || !is_key(key) || !is_value(value)))
            return false;
        if (member.size > 0 || more)
            members++;
    }
    if (members >= MEMBERS_MAX)
        return false;
    for (more = text.size > 0, rest = text; more;) {
        more = cut(rest, ',', &member, &rest);
        if (cut(slice_trim(member), '=', &key, &value) && slice_equal(key, SLICE("ot")))
            good = parse_ot(state, value) && good;
    }
    return good;
}

static void put_field(struct buffer *out, size_t start, const char *key, struct slice value)
{
    buffer_append_string(out, out->size == start ? "ot=" : ";");
    buffer_append_string(out, key);
    buffer_append_slice(out, value);
}

static void put_ot(const struct sampling_state *state, struct buffer *out)
{
    struct slice rest = state->ot, field, key, value;
    char digits[SAMPLING_DIGITS];
    size_t start = out->size;

    if (state->has_randomness && state->randomness_text.data != NULL)
        put_field(out, start, "rv:", state->randomness_text);
    else if (state->has_randomness)
        put_field(out, start, "rv:", slice_of(digits, sampling_write_randomness(state->randomness, digits)));
    if (state->has_threshold && state->threshold_text.data != NULL)
        put_field(out, start, "th:", state->threshold_text);
    else if (state->has_threshold)
        put_field(out, start, "th:", slice_of(digits, sampling_write_threshold(state->threshold, digits)));
    for (bool more = rest.size > 0; more;) {
        more = cut(rest, ';', &field, &rest);
        cut(field, ':', &key, &value);
        if (!slice_equal(key, SLICE("th")) && !slice_equal(key, SLICE("rv")))
            put_field(out, start, "", field);
    }
}

void sampling_state_write(const struct sampling_state *state, struct buffer *out)
{
    struct slice rest = state->text, member, key, value;
    size_t start = out->size;

    put_ot(state, out);
    for (bool more = rest.size > 0; more;) {
        more = cut(rest, ',', &member, &rest);
        member = slice_trim(member);
        if (!cut(member, '=', &key, &value) || slice_equal(key, SLICE("ot")))
            continue;
        if (out->size > start)
            buffer_append_byte(out, ',');
        buffer_append_slice(out, member);
    }
}
