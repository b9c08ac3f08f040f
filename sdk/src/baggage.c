/* W3C Baggage: checked member by member on the way in, kept as header text, decoded when asked for. Threads: any; signal-safe but for set. */
#include <errno.h>

#include "sdk/src/extra.h"
#include "sdk/src/propagation.h"

enum { BAGGAGE_MEMBERS = 64 };

static bool is_token_character(char c)
{
    return (c >= '0' && c <= '9') || ((c | 32) >= 'a' && (c | 32) <= 'z') || (c != '\0' && strchr("!#$%&'*+-.^_`|~", c) != NULL);
}

/* What may stand for itself in a value. */
static bool is_octet(char c)
{
    return c > ' ' && c <= '~' && c != '"' && c != ',' && c != ';' && c != '\\';
}

static bool is_token(weir_str text)
{
    for (size_t i = 0; text.p != NULL && i < text.n; i++) {
        if (!is_token_character(text.p[i]))
            return false;
    }
    return text.p != NULL && text.n > 0;
}

struct member {
    weir_str name, value;
    weir_str properties; /* behind the first semicolon; p NULL when there is none */
};

/* "name = value ; property ; ..." */
static bool parse_member(weir_str text, struct member *member)
{
    weir_str rest;

    member->name = text_trim(text_cut(text, '=', &rest));
    if (rest.p == NULL || !is_token(member->name))
        return false;
    member->value = text_trim(text_cut(rest, ';', &member->properties));
    for (size_t i = 0; i < member->value.n; i++) {
        if (!is_octet(member->value.p[i]))
            return false;
    }
    for (size_t i = 0; i < member->properties.n; i++) {
        char c = member->properties.p[i];
        if (c != ';' && c != ' ' && c != '\t' && !is_octet(c))
            return false;
    }
    return true;
}

/*
 * Walks the members that are kept; next returns false at the end. The same walk measures and copies, so both agree.
 */
struct walk {
    const struct header_parts *parts;
    unsigned next_part;
    weir_str rest, text;
    unsigned members;
    size_t size;
};

static bool walk_next(struct walk *walk)
{
    struct member member;

    while (walk->rest.p != NULL || walk->next_part < walk->parts->count) {
        if (walk->rest.p == NULL)
            walk->rest = walk->parts->part[walk->next_part++];
        walk->text = text_trim(text_cut(walk->rest, ',', &walk->rest));
        if (walk->text.n == 0 || !parse_member(walk->text, &member))
            continue;
        size_t size = walk->size + (walk->members > 0) + walk->text.n;
        if (walk->members == BAGGAGE_MEMBERS || size > EXTRA_BAGGAGE_MAX)
            return false;
        walk->members++;
        walk->size = size;
        return true;
    }
    return false;
}

void baggage_extract(struct extraction *e)
{
    struct header_parts *parts = &e->baggage;

    parts->count = 0;
    for (size_t nth = 0; nth < HEADER_PARTS; nth++) {
        weir_str part = propagation_header(e, WEIR_S("baggage"), nth);
        if (part.p == NULL)
            break;
        parts->part[parts->count++] = part;
    }
    if (parts->count == 0)
        return;
    struct walk walk = { .parts = parts };
    while (walk_next(&walk))
        continue;
    parts->size = walk.size;
    e->found_baggage = walk.members > 0;
}

char *baggage_copy(char *out, const struct header_parts *parts)
{
    struct walk walk = { .parts = parts };

    while (walk_next(&walk)) {
        if (walk.members > 1)
            *out++ = ',';
        memcpy(out, walk.text.p, walk.text.n);
        out += walk.text.n;
    }
    return out;
}

ptrdiff_t weir_baggage_get(const weir_ctx *ctx, weir_str name, char *out, size_t size)
{
    weir_str rest = extra_baggage(extra_of(ctx));
    ptrdiff_t found = -1;

    while (rest.p != NULL) {
        struct member member;
        if (!parse_member(text_cut(rest, ',', &rest), &member) || !text_equal(member.name, name))
            continue;
        size_t n = text_percent_decode(member.value, out, out != NULL && size != 0 ? size - 1 : 0);
        if (out != NULL && size != 0)
            out[n < size ? n : size - 1] = '\0';
        found = (ptrdiff_t)n;
    }
    return found;
}

static char *put_encoded(char *out, weir_str value)
{
    for (size_t i = 0; i < value.n; i++) {
        if (is_octet(value.p[i]) && value.p[i] != '%') {
            *out++ = value.p[i];
            continue;
        }
        *out++ = '%';
        text_hex(out, (const uint8_t *)&value.p[i], 1);
        out += 2;
    }
    return out;
}

static size_t encoded_size(weir_str value)
{
    size_t size = 0;

    for (size_t i = 0; i < value.n; i++)
        size += is_octet(value.p[i]) && value.p[i] != '%' ? 1 : 3;
    return size;
}

/* Copies all members but those called `name`; out NULL: only measures. Returns the size. */
static size_t copy_others(char *out, weir_str baggage, weir_str name, unsigned *members)
{
    weir_str rest = baggage;
    size_t size = 0;

    *members = 0;
    while (rest.p != NULL) {
        struct member member;
        weir_str text = text_cut(rest, ',', &rest);
        if (!parse_member(text, &member) || text_equal(member.name, name))
            continue;
        if (size > 0 && out != NULL)
            out[size] = ',';
        size += size > 0;
        if (out != NULL)
            memcpy(out + size, text.p, text.n);
        size += text.n;
        ++*members;
    }
    return size;
}

/* Appends the entry at out, which has room. */
static void put_entry(char *out, bool more, const struct member *entry)
{
    if (more)
        *out++ = ',';
    memcpy(out, entry->name.p, entry->name.n);
    out += entry->name.n;
    *out++ = '=';
    out = put_encoded(out, entry->value);
    if (entry->properties.n == 0)
        return;
    *out++ = ';';
    memcpy(out, entry->properties.p, entry->properties.n);
}

/* The entry as it would be written must parse again. */
static bool entry_is_fit(const struct member *entry)
{
    struct member parsed;
    char text[EXTRA_BAGGAGE_MAX + 3];

    if (!is_token(entry->name) || entry->name.n + entry->properties.n > EXTRA_BAGGAGE_MAX)
        return false;
    struct member plain = { entry->name, weir_sn(NULL, 0), entry->properties };
    put_entry(text, false, &plain);
    size_t size = entry->name.n + 1 + (entry->properties.n != 0 ? 1 + entry->properties.n : 0);
    return parse_member(weir_sn(text, size), &parsed) && memchr(text, ',', size) == NULL;
}

static int set_entry(weir_ctx *out, const weir_ctx *ctx, const struct member *entry)
{
    weir_str baggage = extra_baggage(extra_of(ctx));
    weir_str tracestate = extra_tracestate(extra_of(ctx));
    unsigned members;
    size_t others = copy_others(NULL, baggage, entry->name, &members);
    size_t size = others;

    if (entry->value.p != NULL) {
        size += (others > 0) + entry->name.n + 1 + encoded_size(entry->value) + (entry->properties.n != 0 ? 1 + entry->properties.n : 0);
        members++;
    }
    if (members > BAGGAGE_MEMBERS || size > EXTRA_BAGGAGE_MAX)
        return -E2BIG;
    struct extra *extra = extra_create(tracestate.n, size);
    if (extra == NULL)
        return -ENOMEM;
    if (tracestate.n != 0)
        memcpy(extra->text, tracestate.p, tracestate.n);
    char *text = extra->text + tracestate.n;
    copy_others(text, baggage, entry->name, &members);
    if (entry->value.p != NULL)
        put_entry(text + others, others > 0, entry);
    *out = *ctx;
    extra_bind(out, extra);
    return 0;
}

int weir_baggage_set(weir_ctx *out, const weir_ctx *ctx, weir_str name, weir_str value, weir_str metadata)
{
    struct member entry = { name, value, metadata.p != NULL ? metadata : weir_sn(NULL, 0) };
    weir_ctx base;

    if (out == NULL)
        return -EINVAL;
    if (ctx != NULL)
        base = *ctx;
    else
        base = thread_locals.current;
    int result = entry_is_fit(&entry) ? set_entry(out, &base, &entry) : -EINVAL;
    if (result != 0)
        *out = base;
    return result;
}
