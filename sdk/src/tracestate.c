/* tracestate parsing and editing. Linear; no allocation. Threads: any; signal-safe. */
#include "sdk/src/tracestate.h"

#include "sdk/src/text.h"

static bool is_lower(char c)
{
    return c >= 'a' && c <= 'z';
}

static bool is_digit(char c)
{
    return c >= '0' && c <= '9';
}

/* A name of at most `max` characters; it begins with a letter, or a digit where that is allowed. */
static bool is_name(weir_str name, size_t max, bool digit_first)
{
    if (name.n == 0 || name.n > max || !(is_lower(name.p[0]) || (digit_first && is_digit(name.p[0]))))
        return false;
    for (size_t i = 1; i < name.n; i++) {
        char c = name.p[i];
        if (!is_lower(c) && !is_digit(c) && c != '_' && c != '-' && c != '*' && c != '/')
            return false;
    }
    return true;
}

/* "vendor" or "tenant@vendor" */
static bool is_key(weir_str key)
{
    weir_str vendor;
    weir_str tenant = text_cut(key, '@', &vendor);

    if (vendor.p == NULL)
        return is_name(key, 256, true);
    return is_name(tenant, 241, true) && is_name(vendor, 14, false);
}

/* Printable ASCII without comma and equals sign, not ending in a space. */
static bool is_value(weir_str value)
{
    if (value.n == 0 || value.n > 256)
        return false;
    for (size_t i = 0; i < value.n; i++) {
        char c = value.p[i];
        if (c < ' ' || c > '~' || c == ',' || c == '=')
            return false;
    }
    return value.p[value.n - 1] != ' ';
}

bool tracestate_check(weir_str header, unsigned *members, size_t *size)
{
    weir_str rest = header;
    unsigned before = *members;

    *size = 0;
    while (rest.p != NULL) {
        weir_str value;
        weir_str member = text_trim(text_cut(rest, ',', &rest));
        if (member.n == 0)
            continue;
        weir_str key = text_cut(member, '=', &value);
        if (value.p == NULL || !is_key(key) || !is_value(value) || ++*members > TRACESTATE_MEMBERS)
            return false;
        *size += member.n;
    }
    if (*members > before)
        *size += *members - before - 1;
    return true;
}

char *tracestate_copy(char *out, weir_str header, bool more)
{
    weir_str rest = header;

    while (rest.p != NULL) {
        weir_str member = text_trim(text_cut(rest, ',', &rest));
        if (member.n == 0)
            continue;
        if (more)
            *out++ = ',';
        memcpy(out, member.p, member.n);
        out += member.n;
        more = true;
    }
    return out;
}

/* The value of the "ot" member. */
static weir_str ot_member(weir_str tracestate)
{
    weir_str rest = tracestate;

    while (rest.p != NULL) {
        weir_str value;
        weir_str member = text_cut(rest, ',', &rest);
        weir_str key = text_cut(member, '=', &value);
        if (text_equal(key, WEIR_S("ot")))
            return value;
    }
    return weir_sn(NULL, 0);
}

bool tracestate_random(weir_str tracestate, uint64_t *value)
{
    weir_str rest = ot_member(tracestate);

    while (rest.p != NULL) {
        weir_str digits;
        uint8_t bytes[7];
        weir_str key = text_cut(text_cut(rest, ';', &rest), ':', &digits);
        if (!text_equal(key, WEIR_S("rv")))
            continue;
        if (digits.n != 14 || !text_unhex(bytes, digits.p, 7, false))
            return false;
        *value = 0;
        for (int i = 0; i < 7; i++)
            *value = *value << 8 | bytes[i];
        return true;
    }
    return false;
}

static char *append(char *out, weir_str text)
{
    if (text.n != 0)
        memcpy(out, text.p, text.n);
    return out + text.n;
}

/* "ot=th:...;others", or nothing when both are empty. A list that would pass 256 characters loses its last items. */
static char *put_ot(char *out, weir_str old, const char *th)
{
    char *start = out;
    char *content;
    weir_str rest = old;

    content = out = append(out, WEIR_S("ot="));
    if (th != NULL) {
        out = append(out, WEIR_S("th:"));
        out = append(out, weir_z(th));
    }
    while (rest.p != NULL) {
        weir_str digits;
        weir_str item = text_cut(rest, ';', &rest);
        weir_str key = text_cut(item, ':', &digits);
        if (item.n == 0 || text_equal(key, WEIR_S("th")) || (size_t)(out - content) + 1 + item.n > 256)
            continue;
        if (out != content)
            *out++ = ';';
        out = append(out, item);
    }
    return out == content ? start : out;
}

size_t tracestate_set_threshold(char *out, weir_str tracestate, const char *th)
{
    char *start = out;
    weir_str rest = tracestate;
    unsigned members;

    out = put_ot(out, ot_member(tracestate), th);
    members = out != start;
    while (rest.p != NULL && members < TRACESTATE_MEMBERS) {
        weir_str value;
        weir_str member = text_cut(rest, ',', &rest);
        if (member.n == 0 || text_equal(text_cut(member, '=', &value), WEIR_S("ot")))
            continue;
        if (out != start)
            *out++ = ',';
        out = append(out, member);
        members++;
    }
    return (size_t)(out - start);
}
