/* Go's notation is scanned here; the rounding is decimal.c's. Cost: 5 to 15 ns. */
#include "receivers/prometheus/number.h"

#include <math.h>

#include "collector/wire/decimal.h"

enum { MOST_DIGITS = 19, EXPONENT_MAX = 100000 };

double number_of_bits(uint64_t bits)
{
    double value;

    memcpy(&value, &bits, sizeof(value));
    return value;
}

bool number_is_stale(double value)
{
    uint64_t bits;

    memcpy(&bits, &value, sizeof(bits));
    return bits == NUMBER_STALE_BITS;
}

static bool parse_word(struct slice text, bool has_sign, bool negative, double *value)
{
    if (slice_equal_ignoring_case(text, SLICE("inf")) || slice_equal_ignoring_case(text, SLICE("infinity")))
        *value = negative ? -(double)INFINITY : (double)INFINITY;
    else if (!has_sign && slice_equal_ignoring_case(text, SLICE("nan")))
        *value = number_of_bits(NUMBER_NAN_BITS);
    else
        return false;
    return true;
}

struct scan {
    const uint8_t *at, *end;
    struct decimal decimal;
    int digits;
    bool any;
};

/* shift: -1 behind the point. */
static void scan_digits(struct scan *scan, int shift)
{
    struct decimal *decimal = &scan->decimal;

    for (; scan->at < scan->end && *scan->at >= '0' && *scan->at <= '9'; scan->at++) {
        unsigned digit = (unsigned)(*scan->at - '0');

        scan->any = true;
        if (scan->digits < MOST_DIGITS) {
            decimal->digits = decimal->digits * 10 + digit;
            scan->digits += decimal->digits != 0;
            decimal->exponent += shift;
        } else {
            decimal->truncated = decimal->truncated || digit != 0;
            decimal->exponent += 1 + shift;
        }
    }
}

static bool scan_exponent(struct scan *scan)
{
    int exponent = 0;
    bool negative;

    if (scan->at == scan->end || (*scan->at | 0x20) != 'e')
        return true;
    scan->at++;
    negative = scan->at < scan->end && *scan->at == '-';
    if (scan->at < scan->end && (*scan->at == '-' || *scan->at == '+'))
        scan->at++;
    if (scan->at == scan->end)
        return false;
    for (; scan->at < scan->end && *scan->at >= '0' && *scan->at <= '9'; scan->at++)
        exponent = exponent < EXPONENT_MAX ? exponent * 10 + (*scan->at - '0') : exponent;
    scan->decimal.exponent += negative ? -exponent : exponent;
    return true;
}

bool number_parse(struct slice text, double *value)
{
    struct scan scan = { .at = text.data, .end = text.data + text.size };
    struct decimal *decimal = &scan.decimal;
    bool has_sign = text.size > 0 && (text.data[0] == '-' || text.data[0] == '+');

    decimal->negative = has_sign && text.data[0] == '-';
    scan.at += has_sign;
    decimal->text = slice_of(scan.at, (size_t)(scan.end - scan.at));
    scan_digits(&scan, 0);
    if (scan.at < scan.end && *scan.at == '.') {
        scan.at++;
        scan_digits(&scan, -1);
    }
    if (!scan.any)
        return parse_word(decimal->text, has_sign, decimal->negative, value);
    if (!scan_exponent(&scan) || scan.at != scan.end || text.size >= DECIMAL_MAX_TEXT)
        return false;
    return decimal_to_double(decimal, value);
}
