/*
 * Decimal text of numbers.
 *
 * Writing doubles is Raffaello Giulietti's Schubfach ("The Schubfach way to render doubles"): three 64x128-bit products
 * with a rounded power of ten. Reading is exact by one multiplication or division where both operands are exact
 * (Clinger), by Lemire's 128-bit product ("Number parsing at a gigabyte per second") elsewhere, and by strtod for the
 * few numbers that lie too near to the middle between two doubles.
 *
 * Cost: 20 to 60 ns a double. The powers of ten, 10 KiB, are computed when they are first needed, in less than a millisecond.
 * Threads: any; the table is made once.
 */
#include "collector/wire/decimal.h"

#include <float.h>
#include <locale.h>
#include <pthread.h>
#include <stdlib.h>

__extension__ typedef unsigned __int128 uint128;

/* ---- powers of ten ---- */

enum { MIN_POWER = -342, MAX_POWER = 324, EXACT_POWERS = 55, LIMBS = 42, RECIPROCAL_LIMB = 40 };

/* The leading 128 bits of 10^k, cut off behind them. */
struct power {
    uint64_t high, low;
};

static struct power powers[MAX_POWER - MIN_POWER + 1];
static pthread_once_t powers_once = PTHREAD_ONCE_INIT;

static struct power leading_bits(const uint32_t limbs[LIMBS])
{
    int top = LIMBS - 1;
    uint128 bits;

    while (limbs[top] == 0)
        top--;
    bits = 0;
    for (int i = 0; i < 4; i++)
        bits = bits << 32 | (top - i >= 0 ? limbs[top - i] : 0);
    int shift = __builtin_clz(limbs[top]);
    if (shift > 0)
        bits = bits << shift | (top >= 4 ? limbs[top - 4] >> (32 - shift) : 0);
    return (struct power){ (uint64_t)(bits >> 64), (uint64_t)bits };
}

static void make_powers(void)
{
    uint32_t limbs[LIMBS] = { 1 };

    for (int k = 0; k <= MAX_POWER; k++) {
        powers[k - MIN_POWER] = leading_bits(limbs);
        uint64_t carry = 0;
        for (int i = 0; i < LIMBS; i++) {
            carry += (uint64_t)limbs[i] * 10;
            limbs[i] = (uint32_t)carry;
            carry >>= 32;
        }
    }
    /* Dividing 2^1280 by ten again and again, cut off each time, gives the same as one division by 10^k. */
    memset(limbs, 0, sizeof(limbs));
    limbs[RECIPROCAL_LIMB] = 1;
    for (int k = -1; k >= MIN_POWER; k--) {
        uint64_t rest = 0;
        for (int i = LIMBS - 1; i >= 0; i--) {
            rest = rest << 32 | limbs[i];
            limbs[i] = (uint32_t)(rest / 10);
            rest %= 10;
        }
        powers[k - MIN_POWER] = leading_bits(limbs);
    }
}

static struct power power_of_ten(int k)
{
    pthread_once(&powers_once, make_powers);
    return powers[k - MIN_POWER];
}

/* ---- writing integers ---- */

static const char two_digits[] = "0001020304050607080910111213141516171819202122232425262728293031323334353637383940414243444546474849"
                                 "5051525354555657585960616263646566676869707172737475767778798081828384858687888990919293949596979899";

static size_t count_digits(uint64_t value)
{
    size_t count = 1;

    while (value >= 10000) {
        value /= 10000;
        count += 4;
    }
    return count + (value >= 10) + (value >= 100) + (value >= 1000);
}

size_t decimal_write_uint64(uint64_t value, char *out)
{
    size_t size = count_digits(value);
    char *at = out + size;

    while (value >= 100) {
        at -= 2;
        memcpy(at, two_digits + value % 100 * 2, 2);
        value /= 100;
    }
    if (value >= 10)
        memcpy(out, two_digits + value * 2, 2);
    else
        out[0] = (char)('0' + value);
    return size;
}

size_t decimal_write_int64(int64_t value, char *out)
{
    if (value >= 0)
        return decimal_write_uint64((uint64_t)value, out);
    out[0] = '-';
    return decimal_write_uint64(-(uint64_t)value, out + 1) + 1;
}

/* ---- writing doubles ---- */

enum { FRACTION_BITS = 52, EXPONENT_BIAS = 1075 }; /* value = significand * 2^(exponent field - bias) */

struct shortest {
    uint64_t digits;
    int exponent;
};

/* Where x * 10^k / 2^64 is not whole, the lowest bit says so: enough to compare with, and to round. */
static uint64_t round_to_odd(struct power power, uint64_t x)
{
    uint64_t carried = (uint64_t)((uint128)power.low * x >> 64);
    uint128 product = (uint128)power.high * x + carried;

    return (uint64_t)(product >> 64) | ((uint64_t)product > 1);
}

static int floor_log2_of_power(int k)
{
    return (k * 1741647) >> 19;
}

/* The power for Schubfach: rounded up where it is not exact. */
static struct power power_rounded_up(int k)
{
    struct power power = power_of_ten(k);

    if (k < 0 || k > EXACT_POWERS) {
        power.low++;
        power.high += power.low == 0;
    }
    return power;
}

/* significand * 2^exponent, not zero; is_narrow: the neighbour below is nearer, being of the binade below. */
static struct shortest shortest_of(uint64_t significand, int exponent, bool is_narrow)
{
    int k = (exponent * 1262611 - (is_narrow ? 524031 : 0)) >> 22;
    int shift = exponent + floor_log2_of_power(-k) + 1;
    struct power power = power_rounded_up(-k);
    uint64_t odd = significand & 1; /* an odd significand does not own the ends of its interval */
    uint64_t lower = round_to_odd(power, (4 * significand - 2 + is_narrow) << shift) + odd;
    uint64_t middle = round_to_odd(power, (4 * significand) << shift);
    uint64_t upper = round_to_odd(power, (4 * significand + 2) << shift) - odd;
    uint64_t s = middle / 4;

    if (s >= 10) {
        uint64_t tens = s / 10;
        bool below_fits = lower <= 40 * tens;
        bool above_fits = 40 * tens + 40 <= upper;
        if (below_fits != above_fits)
            return (struct shortest){ tens + above_fits, k + 1 };
    }
    bool below_fits = lower <= 4 * s;
    bool above_fits = 4 * s + 4 <= upper;
    if (below_fits != above_fits)
        return (struct shortest){ s + above_fits, k };
    uint64_t half = 4 * s + 2;
    return (struct shortest){ s + (middle > half || (middle == half && (s & 1) != 0)), k };
}

static struct shortest decompose(uint64_t bits)
{
    uint64_t fraction = bits & ((UINT64_C(1) << FRACTION_BITS) - 1);
    int field = (int)(bits >> FRACTION_BITS & 0x7ff);
    struct shortest shortest;

    if (field == 0)
        shortest = shortest_of(fraction, 1 - EXPONENT_BIAS, false);
    else
        shortest = shortest_of(fraction | UINT64_C(1) << FRACTION_BITS, field - EXPONENT_BIAS, fraction == 0 && field > 1);
    while (shortest.digits % 10 == 0) {
        shortest.digits /= 10;
        shortest.exponent++;
    }
    return shortest;
}

/* 1.234e-7 */
static size_t write_scientific(const char *digits, size_t count, int point, char *out)
{
    char *at = out;

    *at++ = digits[0];
    if (count > 1) {
        *at++ = '.';
        memcpy(at, digits + 1, count - 1);
        at += count - 1;
    }
    *at++ = 'e';
    if (point < 1)
        *at++ = '-';
    return (size_t)(at - out) + decimal_write_uint64((uint64_t)(point < 1 ? 1 - point : point - 1), at);
}

/* `point` digits stand before the decimal point: 1234.5, 120000, 0.00012 */
static size_t write_plain(const char *digits, size_t count, int point, char *out)
{
    if (point <= 0) {
        size_t zeros = (size_t)-point;
        memcpy(out, "0.00000", 2 + zeros);
        memcpy(out + 2 + zeros, digits, count);
        return 2 + zeros + count;
    }
    size_t whole = (size_t)point;
    if (whole >= count) {
        memcpy(out, digits, count);
        memset(out + count, '0', whole - count);
        return whole;
    }
    memcpy(out, digits, whole);
    out[whole] = '.';
    memcpy(out + whole + 1, digits + whole, count - whole);
    return count + 1;
}

size_t decimal_write_double(double value, char *out)
{
    char digits[DECIMAL_SIZE];
    uint64_t bits;
    size_t sign = 0;

    memcpy(&bits, &value, sizeof(bits));
    if (bits >> 63 != 0)
        out[sign++] = '-';
    bits &= UINT64_MAX >> 1;
    if (bits == 0) {
        out[sign] = '0';
        return sign + 1;
    }
    if (value > -9007199254740992.0 && value < 9007199254740992.0 && (double)(int64_t)value == value)
        return sign + decimal_write_uint64((uint64_t)(int64_t)(sign ? -value : value), out + sign);

    struct shortest shortest = decompose(bits);
    size_t count = decimal_write_uint64(shortest.digits, digits);
    int point = (int)count + shortest.exponent;
    if (point > -5 && point <= 21)
        return sign + write_plain(digits, count, point, out + sign);
    return sign + write_scientific(digits, count, point, out + sign);
}

/* ---- reading ---- */

enum { MAX_DIGITS = 19, MAX_EXPONENT = 100000 };

/* Digits from `at` on are added to the number; those behind the 19th only move the point. */
static const uint8_t *scan_digits(const uint8_t *at, const uint8_t *end, bool is_fraction, struct decimal *decimal)
{
    for (; at < end && *at >= '0' && *at <= '9'; at++) {
        uint8_t digit = (uint8_t)(*at - '0');
        if (decimal->digits >= UINT64_C(1000000000000000000)) {
            decimal->truncated |= digit != 0;
            decimal->exponent += !is_fraction;
            continue;
        }
        decimal->digits = decimal->digits * 10 + digit;
        decimal->exponent -= is_fraction;
    }
    return at;
}

/* Reads the exponent behind "e"; NULL when it has no digits. */
static const uint8_t *scan_exponent(const uint8_t *at, const uint8_t *end, struct decimal *decimal)
{
    bool negative = at < end && *at == '-';
    int exponent = 0;

    if (at < end && (*at == '-' || *at == '+'))
        at++;
    const uint8_t *first = at;
    for (; at < end && *at >= '0' && *at <= '9'; at++) {
        if (exponent < MAX_EXPONENT)
            exponent = exponent * 10 + (*at - '0');
    }
    decimal->exponent += negative ? -exponent : exponent;
    return at == first ? NULL : at;
}

bool decimal_scan(struct slice text, struct decimal *decimal)
{
    const uint8_t *at = text.data;
    const uint8_t *end = text.data + (text.size < DECIMAL_MAX_TEXT ? text.size : DECIMAL_MAX_TEXT);

    *decimal = (struct decimal){ .negative = at < end && *at == '-' };
    at += decimal->negative;
    const uint8_t *first = at;
    at = scan_digits(at, end, false, decimal);
    if (at == first || (*first == '0' && at - first > 1))
        return false;
    if (at < end && *at == '.') {
        first = ++at;
        at = scan_digits(at, end, true, decimal);
        if (at == first)
            return false;
    }
    if (at < end && (*at == 'e' || *at == 'E')) {
        at = scan_exponent(at + 1, end, decimal);
        if (at == NULL)
            return false;
    }
    decimal->text = (struct slice){ text.data, (size_t)(at - text.data) };
    return decimal->text.size < DECIMAL_MAX_TEXT;
}

/* The absolute value, when it is whole and fits. */
static bool whole_value(const struct decimal *decimal, uint64_t *value)
{
    uint64_t digits = decimal->digits;
    int exponent = decimal->exponent;

    for (; exponent < 0 && digits % 10 == 0 && digits != 0; exponent++)
        digits /= 10;
    if (digits == 0)
        exponent = 0;
    for (; exponent > 0; exponent--) {
        if (__builtin_mul_overflow(digits, UINT64_C(10), &digits))
            return false;
    }
    *value = digits;
    return exponent == 0;
}

/* Nineteen digits hold every int64 but not every uint64: the twentieth is read from the text, which then is plain digits. */
static bool long_whole_value(const struct decimal *decimal, uint64_t *value)
{
    uint64_t sum = 0;

    for (size_t i = decimal->text.data[0] == '-'; i < decimal->text.size; i++) {
        uint8_t c = decimal->text.data[i];
        if (c < '0' || c > '9')
            return false;
        if (__builtin_mul_overflow(sum, UINT64_C(10), &sum) || __builtin_add_overflow(sum, (uint64_t)(c - '0'), &sum))
            return false;
    }
    *value = sum;
    return true;
}

bool decimal_to_uint64(const struct decimal *decimal, uint64_t *value)
{
    bool fits = decimal->truncated ? long_whole_value(decimal, value) : whole_value(decimal, value);

    return fits && (!decimal->negative || *value == 0);
}

bool decimal_to_int64(const struct decimal *decimal, int64_t *value)
{
    struct decimal absolute = *decimal;
    uint64_t magnitude;
    uint64_t limit = (uint64_t)INT64_MAX + decimal->negative;

    if (!(decimal->truncated ? long_whole_value(&absolute, &magnitude) : whole_value(&absolute, &magnitude)) || magnitude > limit)
        return false;
    *value = (int64_t)(decimal->negative ? -magnitude : magnitude);
    return true;
}

static double exact_power(int k)
{
    static const double table[] = {
        1e0,
        1e1,
        1e2,
        1e3,
        1e4,
        1e5,
        1e6,
        1e7,
        1e8,
        1e9,
        1e10,
        1e11,
        1e12,
        1e13,
        1e14,
        1e15,
        1e16,
        1e17,
        1e18,
        1e19,
        1e20,
        1e21,
        1e22,
    };
    return table[k];
}

/* Lemire's product; false when its bits cannot decide how to round, or the double is subnormal or infinite. */
static bool round_product(uint64_t digits, int exponent, double *value)
{
    if (exponent < MIN_POWER || exponent > 308)
        return false;
    struct power power = power_of_ten(exponent);
    int zeros = __builtin_clzll(digits);
    digits <<= zeros;
    uint128 product = (uint128)digits * power.high;
    if (((uint64_t)(product >> 64) & 0x1ff) == 0x1ff) {
        uint128 rest = (uint128)digits * power.low;
        product += (uint64_t)(rest >> 64);
        if (((uint64_t)(product >> 64) & 0x1ff) == 0x1ff && (uint64_t)product >= UINT64_MAX - 1)
            return false;
    }
    uint64_t high = (uint64_t)(product >> 64);
    int top = (int)(high >> 63);
    uint64_t significand = high >> (top + 9); /* 54 bits: one more than fits, to round with */
    int field = floor_log2_of_power(exponent) + 64 + 1023 - zeros - (1 - top);
    if ((uint64_t)product <= 1 && (high & 0x1ff) == 0 && (significand & 3) == 1)
        return false;
    significand = (significand + (significand & 1)) >> 1;
    if (significand >> 53 != 0) {
        significand >>= 1;
        field++;
    }
    if (field < 1 || field > 2046)
        return false;
    uint64_t bits = (uint64_t)field << FRACTION_BITS | (significand & ((UINT64_C(1) << FRACTION_BITS) - 1));
    memcpy(value, &bits, sizeof(bits));
    return true;
}

static locale_t c_locale;
static pthread_once_t c_locale_once = PTHREAD_ONCE_INIT;

static void make_c_locale(void)
{
    c_locale = newlocale(LC_ALL_MASK, "C", (locale_t)0);
}

/* The absolute value. */
static double slow_double(struct slice text)
{
    char copy[DECIMAL_MAX_TEXT + 1];
    size_t sign = text.data[0] == '-';

    memcpy(copy, text.data + sign, text.size - sign);
    copy[text.size - sign] = '\0';
    pthread_once(&c_locale_once, make_c_locale);
    return c_locale != (locale_t)0 ? strtod_l(copy, NULL, c_locale) : strtod(copy, NULL);
}

bool decimal_to_double(const struct decimal *decimal, double *value)
{
    uint64_t digits = decimal->digits;
    int exponent = decimal->exponent;

    if (digits == 0) {
        *value = decimal->negative ? -0.0 : 0.0;
        return true;
    }
    if (digits <= UINT64_C(1) << 53 && exponent >= -22 && exponent <= 22 && !decimal->truncated) {
        *value = exponent < 0 ? (double)digits / exact_power(-exponent) : (double)digits * exact_power(exponent);
    } else if (decimal->truncated || !round_product(digits, exponent, value)) {
        *value = slow_double(decimal->text);
        if (*value > DBL_MAX)
            return false;
    }
    if (decimal->negative)
        *value = -*value;
    return true;
}
