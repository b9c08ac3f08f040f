/*
 * Numbers of OTLP/JSON.
 *
 * Plain digits, bare or quoted, are read eight at a time; signs, points and exponents take the way through struct decimal. What
 * an integer may look like is a little more than JSON: "1e3" and "1.0" are integers, and in a string "+7" and "007" too.
 * Threads: none of its own; no state.
 */
#include "collector/wire/json_number.h"

#include "collector/wire/decimal.h"

enum { SAFE_DIGITS = 19 }; /* so many always fit into 64 bits */

/* Eight ASCII digits at once; false when not all of them are digits. */
static inline bool read_eight(const uint8_t *at, uint64_t *value)
{
    uint64_t chunk;

    memcpy(&chunk, at, sizeof(chunk));
    uint64_t beyond_nine = chunk + UINT64_C(0x4646464646464646);
    if (((chunk | beyond_nine | (chunk - UINT64_C(0x3030303030303030))) & UINT64_C(0x8080808080808080)) != 0)
        return false;
    chunk -= UINT64_C(0x3030303030303030);
    chunk = chunk * 10 + (chunk >> 8); /* pairs of digits, then fours, then all */
    *value = ((chunk & UINT64_C(0x000000ff000000ff)) * UINT64_C(0x000f424000000064) +
                 (chunk >> 16 & UINT64_C(0x000000ff000000ff)) * UINT64_C(0x0000271000000001)) >>
             32;
    return true;
}

/* Plain digits, at most SAFE_DIGITS of them and no zero in front; returns how many, 0 when there are none or too many. */
static size_t read_digits(const uint8_t *at, const uint8_t *end, uint64_t *value)
{
    const uint8_t *start = at;
    uint64_t sum = 0, eight;

    while (end - at >= 8 && at - start <= SAFE_DIGITS - 8 && read_eight(at, &eight)) {
        sum = sum * UINT64_C(100000000) + eight;
        at += 8;
    }
    for (; at < end && *at >= '0' && *at <= '9'; at++) {
        if (at - start == SAFE_DIGITS)
            return 0;
        sum = sum * 10 + (uint64_t)(*at - '0');
    }
    if (at - start > 1 && *start == '0')
        return 0;
    *value = sum;
    return (size_t)(at - start);
}

/* The way that is nearly always taken: `at` moves only when this was a plain integer without a sign. */
static bool read_plain(struct json_text *text, uint64_t *value)
{
    const uint8_t *at = text->at;
    bool quoted = at < text->end && *at == '"';
    size_t digits = read_digits(at + quoted, text->end, value);

    at += quoted + digits;
    if (digits == 0 || at == text->end)
        return false;
    if (quoted && *at++ != '"')
        return false;
    if (!quoted && (*at == '.' || *at == 'e' || *at == 'E'))
        return false;
    text->at = at;
    return true;
}

/* The content of a string that should be a number: "+7" and "007" are taken too. */
static bool scan_quoted(struct slice text, struct decimal *decimal)
{
    bool negative = text.size > 0 && text.data[0] == '-';
    size_t skip = text.size > 0 && (negative || text.data[0] == '+');

    while (text.size - skip > 1 && text.data[skip] == '0' && text.data[skip + 1] >= '0' && text.data[skip + 1] <= '9')
        skip++;
    struct slice rest = { text.data + skip, text.size - skip };
    if (rest.size == 0 || rest.data[0] == '-' || !decimal_scan(rest, decimal))
        return false;
    decimal->negative = negative;
    return decimal->text.size == rest.size;
}

/* Any number; *word is what a string held that is no number, and empty otherwise. */
static bool scan_number(struct json_text *text, struct decimal *decimal, struct slice *word)
{
    struct json_string string;

    *word = (struct slice){ NULL, 0 };
    if (text->at == text->end || *text->at != '"') {
        if (!decimal_scan((struct slice){ text->at, (size_t)(text->end - text->at) }, decimal))
            return json_fault(text, "expected a number");
        text->at += decimal->text.size;
        return true;
    }
    const uint8_t *start = text->at;
    if (!json_scan_string(text, &string))
        return false;
    if (string.is_plain && scan_quoted(string.raw, decimal))
        return true;
    text->at = start;
    *word = string.raw;
    return json_fault(text, "expected a number");
}

/* Any integer; on failure `at` stays on it. */
static bool scan_integer(struct json_text *text, struct decimal *decimal)
{
    struct slice word;

    return scan_number(text, decimal, &word);
}

bool json_read_unsigned(struct json_text *text, uint64_t maximum, uint64_t *value)
{
    const uint8_t *start = text->at;
    struct decimal decimal;

    if (!read_plain(text, value)) {
        if (!scan_integer(text, &decimal))
            return false;
        if (!decimal_to_uint64(&decimal, value)) {
            text->at = start;
            return json_fault(text, "expected an unsigned integer of 64 bits");
        }
    }
    if (*value > maximum) {
        text->at = start;
        return json_fault(text, "expected an unsigned integer of 32 bits");
    }
    return true;
}

bool json_read_signed(struct json_text *text, unsigned bits, int64_t *value)
{
    const uint8_t *start = text->at;
    struct decimal decimal;
    uint64_t magnitude;
    bool fits;

    if (read_plain(text, &magnitude)) {
        fits = magnitude <= INT64_MAX;
        *value = (int64_t)magnitude;
    } else {
        if (!scan_integer(text, &decimal))
            return false;
        fits = decimal_to_int64(&decimal, value);
    }
    if (fits && bits == 32)
        fits = *value >= INT32_MIN && *value <= INT32_MAX;
    if (fits)
        return true;
    text->at = start;
    return json_fault(text, bits == 32 ? "expected an integer of 32 bits" : "expected an integer of 64 bits");
}

/* The numbers that only words can say, in any case and with the sign that other writers put before them. */
static bool named_double(struct slice word, double *value)
{
    static const struct {
        const char *name;
        double value;
    } names[] = {
        { "nan", __builtin_nan("") },
        { "infinity", __builtin_inf() },
        { "-infinity", -__builtin_inf() },
        { "+infinity", __builtin_inf() },
        { "inf", __builtin_inf() },
        { "-inf", -__builtin_inf() },
        { "+inf", __builtin_inf() },
    };

    for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
        if (slice_equal_ignoring_case(word, slice_of_string(names[i].name))) {
            *value = names[i].value;
            return true;
        }
    }
    return false;
}

bool json_read_double(struct json_text *text, double *value)
{
    const uint8_t *start = text->at;
    struct decimal decimal;
    struct slice word;

    if (!scan_number(text, &decimal, &word)) {
        if (word.size == 0 || !named_double(word, value))
            return false;
        text->at = word.data + word.size + 1;
        return true;
    }
    if (decimal_to_double(&decimal, value))
        return true;
    text->at = start;
    return json_fault(text, "expected a number that a double can hold");
}
