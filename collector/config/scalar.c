/* Plain scalars: types, numbers, durations. No state; cost is linear in the text, which the reader bounds. */
#include "collector/config/scalar.h"

#include <ctype.h>
#include <errno.h>
#include <math.h>
#include <stdlib.h>

static bool is_one_of(const char *text, const char *const words[3])
{
    return strcmp(text, words[0]) == 0 || strcmp(text, words[1]) == 0 || strcmp(text, words[2]) == 0;
}

bool scalar_parse_bool(const char *text, bool *value)
{
    static const char *const yes[] = { "true", "True", "TRUE" };
    static const char *const no[] = { "false", "False", "FALSE" };

    *value = is_one_of(text, yes);
    return *value || is_one_of(text, no);
}

static bool is_null(const char *text)
{
    static const char *const words[] = { "null", "Null", "NULL" };

    return text[0] == '\0' || strcmp(text, "~") == 0 || is_one_of(text, words);
}

/* The base that a number's prefix says; moves past the prefix. */
static unsigned take_base(const char **text)
{
    const char *p = *text;

    if (p[0] != '0' || p[1] == '\0')
        return 10;
    *text = p + 2;
    switch (p[1]) {
    case 'x':
    case 'X':
        return 16;
    case 'o':
    case 'O':
        return 8;
    case 'b':
    case 'B':
        return 2;
    default:
        *text = p + 1;
        return 8;
    }
}

static unsigned digit_value(char c)
{
    if (c >= '0' && c <= '9')
        return (unsigned)(c - '0');
    if (c >= 'a' && c <= 'f')
        return (unsigned)(c - 'a') + 10;
    if (c >= 'A' && c <= 'F')
        return (unsigned)(c - 'A') + 10;
    return 16;
}

bool scalar_parse_int(const char *text, int64_t *value)
{
    bool negative = text[0] == '-';
    uint64_t limit = negative ? (uint64_t)1 << 63 : ((uint64_t)1 << 63) - 1;
    uint64_t sum = 0;
    size_t digits = 0;
    unsigned base;

    if (text[0] == '-' || text[0] == '+')
        text++;
    if (!isdigit((unsigned char)text[0]))
        return false;
    base = take_base(&text);
    for (; *text != '\0'; text++) {
        unsigned digit = digit_value(*text);

        if (*text == '_')
            continue;
        if (digit >= base || sum > (limit - digit) / base)
            return false;
        sum = sum * base + digit;
        digits++;
    }
    if (digits == 0)
        return false;
    *value = negative ? (int64_t)(0 - sum) : (int64_t)sum;
    return true;
}

static const char *skip_digits(const char *text, size_t *count)
{
    for (; isdigit((unsigned char)*text) || (*text == '_' && *count > 0); text++)
        if (*text != '_')
            ++*count;
    return text;
}

static bool is_decimal(const char *text)
{
    size_t digits = 0, exponent = 0;

    if (*text == '-' || *text == '+')
        text++;
    text = skip_digits(text, &digits);
    if (*text == '.')
        text = skip_digits(text + 1, &digits);
    if (digits == 0)
        return false;
    if (*text != 'e' && *text != 'E')
        return *text == '\0';
    text++;
    if (*text == '-' || *text == '+')
        text++;
    text = skip_digits(text, &exponent);
    return exponent > 0 && *text == '\0';
}

bool scalar_parse_float(const char *text, double *value)
{
    char copy[128];
    size_t used = 0;
    int64_t integer;

    if (scalar_parse_int(text, &integer)) {
        *value = (double)integer;
        return true;
    }
    if (!is_decimal(text))
        return false;
    for (; *text != '\0' && used < sizeof(copy) - 1; text++)
        if (*text != '_')
            copy[used++] = *text;
    copy[used] = '\0';
    if (*text != '\0')
        return false;
    *value = strtod(copy, NULL);
    return isfinite(*value);
}

enum scalar_type scalar_type_of(const char *text)
{
    int64_t integer;
    bool boolean;

    if (is_null(text))
        return SCALAR_NULL;
    if (scalar_parse_bool(text, &boolean))
        return SCALAR_BOOL;
    if (scalar_parse_int(text, &integer))
        return SCALAR_INT;
    if (is_decimal(text))
        return SCALAR_FLOAT;
    if (*text == '-' || *text == '+')
        text++;
    return is_one_of(text, (const char *const[3]){ ".inf", ".Inf", ".INF" }) ||
                   is_one_of(text, (const char *const[3]){ ".nan", ".NaN", ".NAN" })
               ? SCALAR_FLOAT
               : SCALAR_STRING;
}

/* ---- durations ---- */

static const struct unit {
    const char *name;
    int64_t nanoseconds;
} units[] = {
    { "ns", 1 },
    { "us", 1000 },
    { "\xc2\xb5s", 1000 }, /* micro sign */
    { "\xce\xbcs", 1000 }, /* Greek mu */
    { "ms", 1000000 },
    { "s", INT64_C(1000000000) },
    { "m", INT64_C(60000000000) },
    { "h", INT64_C(3600000000000) },
};

static int64_t take_unit(const char **text)
{
    size_t length = strcspn(*text, "0123456789.");

    for (size_t i = 0; i < sizeof(units) / sizeof(units[0]); i++)
        if (strlen(units[i].name) == length && strncmp(*text, units[i].name, length) == 0) {
            *text += length;
            return units[i].nanoseconds;
        }
    return 0;
}

/* One "1.5h" of a duration, added to the sum. */
static bool take_term(const char **text, int64_t *sum)
{
    int64_t whole = 0, unit, part;
    double fraction = 0, scale = 1;
    const char *start = *text, *p = *text;

    for (; isdigit((unsigned char)*p); p++)
        if (__builtin_mul_overflow(whole, (int64_t)10, &whole) || __builtin_add_overflow(whole, (int64_t)(*p - '0'), &whole))
            return false;
    if (*p == '.') {
        for (p++; isdigit((unsigned char)*p); p++) {
            scale /= 10;
            fraction += (*p - '0') * scale;
        }
    }
    if (p == start || (p == start + 1 && *start == '.'))
        return false;
    *text = p;
    unit = take_unit(text);
    if (unit == 0 || __builtin_mul_overflow(whole, unit, &part))
        return false;
    return !__builtin_add_overflow(part, (int64_t)(fraction * (double)unit + 0.5), &part) && !__builtin_add_overflow(*sum, part, sum);
}

bool scalar_parse_duration(const char *text, int64_t *nanoseconds)
{
    bool negative = text[0] == '-';
    int64_t sum = 0;

    if (text[0] == '-' || text[0] == '+')
        text++;
    if (text[0] == '\0')
        return false;
    if (strcmp(text, "0") != 0)
        while (*text != '\0')
            if (!take_term(&text, &sum))
                return false;
    *nanoseconds = negative ? -sum : sum;
    return true;
}
