/*
 * RE2's regular expressions on PCRE2 with JIT.
 *
 * A pattern is first rewritten: what both spell alike and mean differently (\s, \v, \z, $) is made to mean what RE2 means, and what RE2 has
 * not is refused. A pattern without operators is not matched by PCRE2 at all but searched for.
 * Limits: MATCH_LIMIT steps a match, 64 KiB a pattern, 250 groups. Threads: a regex is shared, a matcher is one thread's.
 */
#define PCRE2_CODE_UNIT_WIDTH 8
#include "collector/ottl/regex.h"

#include <pcre2.h>
#include <stdlib.h>

enum { MATCH_LIMIT = 1000000, HEAP_LIMIT_KIB = 16 << 10, PATTERN_MAX = 64 << 10, GROUPS_MAX = 250, JIT_STACK_MAX = 512 << 10 };

struct ottl_regex {
    pcre2_code *code;
    struct slice literal; /* owned; what is searched for when the pattern is plain text; data NULL: it is not */
    struct slice *names;  /* owned, of each group */
    size_t groups;
};

struct ottl_matcher {
    pcre2_match_data *data;
    pcre2_match_context *context;
    pcre2_jit_stack *stack;
    size_t start, end; /* of a literal that was found */
    bool literal;
};

/* ---- rewriting ---- */

struct rewriter {
    struct slice pattern;
    size_t at;
    struct buffer *out;
    struct error *err;
};

static bool refuse(struct rewriter *rewriter, size_t at, const char *why)
{
    size_t left = rewriter->pattern.size - at;

    return fail(rewriter->err, "regular expression \"%.*s\": %s at \"%.*s\"", SLICE_PRINT(rewriter->pattern), why,
        (int)(left < 20 ? left : 20), (const char *)rewriter->pattern.data + at);
}

static uint8_t at(const struct rewriter *rewriter, size_t offset)
{
    size_t i = rewriter->at + offset;

    return i < rewriter->pattern.size ? rewriter->pattern.data[i] : 0;
}

static void copy(struct rewriter *rewriter, size_t count)
{
    size_t left = rewriter->pattern.size - rewriter->at;

    count = count < left ? count : left;
    buffer_append(rewriter->out, rewriter->pattern.data + rewriter->at, count);
    rewriter->at += count;
}

static void replace(struct rewriter *rewriter, size_t count, const char *text)
{
    buffer_append_string(rewriter->out, text);
    rewriter->at += count;
}

/* \Q...\E, as escaped letters. */
static void rewrite_quote(struct rewriter *rewriter)
{
    rewriter->at += 2;
    while (rewriter->at < rewriter->pattern.size && !(at(rewriter, 0) == '\\' && at(rewriter, 1) == 'E')) {
        if (strchr("\\^$.|?*+()[]{}-", at(rewriter, 0)) != NULL)
            buffer_append_byte(rewriter->out, '\\');
        copy(rewriter, 1);
    }
    rewriter->at += rewriter->at < rewriter->pattern.size ? 2 : 0;
}

static bool rewrite_escape(struct rewriter *rewriter, bool in_class)
{
    uint8_t c = at(rewriter, 1);

    if (c == 0)
        return refuse(rewriter, rewriter->at, "a trailing backslash");
    if (c == 'Q' && !in_class) {
        rewrite_quote(rewriter);
    } else if (c == 's') {
        replace(rewriter, 2, in_class ? "\\t\\n\\f\\r " : "[\\t\\n\\f\\r ]");
    } else if (c == 'S' && !in_class) {
        replace(rewriter, 2, "[^\\t\\n\\f\\r ]");
    } else if (c == 'v') {
        replace(rewriter, 2, "\\x0b");
    } else if (strchr(in_class ? "adDfnpPrStwWx01234567" : "aAbBdDfnpPrStwWxz0", c) != NULL) {
        copy(rewriter, 2);
    } else if ((c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z')) {
        return refuse(rewriter, rewriter->at, "an escape that is not supported");
    } else {
        copy(rewriter, 2);
    }
    return true;
}

/* "[" to "]" */
static bool rewrite_class(struct rewriter *rewriter)
{
    size_t start = rewriter->at;

    copy(rewriter, at(rewriter, 1) == '^' ? 2 : 1);
    if (at(rewriter, 0) == ']')
        copy(rewriter, 1);
    while (rewriter->at < rewriter->pattern.size) {
        if (at(rewriter, 0) == ']') {
            copy(rewriter, 1);
            return true;
        }
        if (at(rewriter, 0) == '[' && at(rewriter, 1) == ':') {
            copy(rewriter, 2);
            while (rewriter->at < rewriter->pattern.size && at(rewriter, 0) != ']')
                copy(rewriter, 1);
            copy(rewriter, 1);
        } else if (at(rewriter, 0) == '[') {
            replace(rewriter, 1, "\\[");
        } else if (at(rewriter, 0) == '\\') {
            if (!rewrite_escape(rewriter, true))
                return false;
        } else {
            copy(rewriter, 1);
        }
    }
    return refuse(rewriter, start, "a missing ]");
}

/* "(?" ...: names and flags only. */
static bool rewrite_group(struct rewriter *rewriter)
{
    size_t i = 2;

    if (at(rewriter, 1) == '*')
        return refuse(rewriter, rewriter->at, "syntax that is not supported");
    if (at(rewriter, 1) != '?') {
        copy(rewriter, 1);
        return true;
    }
    if (at(rewriter, 2) == 'P' && at(rewriter, 3) == '<') {
        copy(rewriter, 4);
        return true;
    }
    if (at(rewriter, 2) == '<' && at(rewriter, 3) != '=' && at(rewriter, 3) != '!') {
        copy(rewriter, 3);
        return true;
    }
    while (at(rewriter, i) != 0 && strchr("imsU-", at(rewriter, i)) != NULL)
        i++;
    if (at(rewriter, i) != ':' && (at(rewriter, i) != ')' || i == 2))
        return refuse(rewriter, rewriter->at, "syntax that is not supported (look-around, recursion and the like)");
    copy(rewriter, i + 1);
    return true;
}

/* {n}, {n,}, {n,m}: its length, or 0 */
static size_t repeat_length(const struct rewriter *rewriter)
{
    size_t i = 1, digits = i;

    while (at(rewriter, i) >= '0' && at(rewriter, i) <= '9')
        i++;
    if (i == digits)
        return 0;
    if (at(rewriter, i) == ',')
        i++;
    while (at(rewriter, i) >= '0' && at(rewriter, i) <= '9')
        i++;
    return at(rewriter, i) == '}' ? i + 1 : 0;
}

static bool rewrite_repeat(struct rewriter *rewriter, size_t length)
{
    size_t start = rewriter->at;

    copy(rewriter, length);
    if (at(rewriter, 0) == '?')
        copy(rewriter, 1);
    if (at(rewriter, 0) == '*' || at(rewriter, 0) == '+' || at(rewriter, 0) == '?' ||
        (at(rewriter, 0) == '{' && repeat_length(rewriter) > 0))
        return refuse(rewriter, start, "a repetition of a repetition");
    return true;
}

static bool rewrite_one(struct rewriter *rewriter)
{
    size_t length = 1;

    switch (at(rewriter, 0)) {
    case '\\':
        return rewrite_escape(rewriter, false);
    case '[':
        return rewrite_class(rewriter);
    case '(':
        return rewrite_group(rewriter);
    case '{':
        length = repeat_length(rewriter);
        if (length == 0) {
            replace(rewriter, 1, "\\{");
            return true;
        }
        return rewrite_repeat(rewriter, length);
    case '*':
    case '+':
    case '?':
        return rewrite_repeat(rewriter, length);
    default:
        copy(rewriter, 1);
        return true;
    }
}

static bool rewrite(struct slice pattern, struct buffer *out, struct error *err)
{
    struct rewriter rewriter = { pattern, 0, out, err };

    if (pattern.size > PATTERN_MAX)
        return fail(err, "regular expression longer than %d bytes", PATTERN_MAX);
    if (pattern.size > 0 && memchr(pattern.data, 0, pattern.size) != NULL)
        return fail(err, "regular expression with a zero byte");
    while (rewriter.at < pattern.size) {
        if (!rewrite_one(&rewriter))
            return false;
    }
    return true;
}

/* ---- compiling ---- */

static pcre2_code *compile(struct slice pattern, struct slice text, struct error *err)
{
    pcre2_compile_context *context = pcre2_compile_context_create(NULL);
    uint32_t flags =
        PCRE2_UTF | PCRE2_MATCH_INVALID_UTF | PCRE2_DOLLAR_ENDONLY | PCRE2_ALT_CIRCUMFLEX | PCRE2_NEVER_BACKSLASH_C | PCRE2_DUPNAMES;
    pcre2_code *code;
    PCRE2_SIZE offset;
    int number;

    pcre2_set_newline(context, PCRE2_NEWLINE_LF);
    pcre2_set_parens_nest_limit(context, 200);
    code = pcre2_compile(text.size > 0 ? text.data : (const uint8_t *)"", text.size, flags, &number, &offset, context);
    pcre2_compile_context_free(context);
    if (code == NULL) {
        unsigned char message[200];
        pcre2_get_error_message(number, message, sizeof(message));
        fail(err, "regular expression \"%.*s\": %s", SLICE_PRINT(pattern), (const char *)message);
        return NULL;
    }
    pcre2_jit_compile(code, PCRE2_JIT_COMPLETE); /* without JIT it is only slower */
    return code;
}

static void read_names(struct ottl_regex *regex)
{
    uint32_t groups = 0, count = 0, size = 0;
    PCRE2_SPTR table = NULL;

    pcre2_pattern_info(regex->code, PCRE2_INFO_CAPTURECOUNT, &groups);
    pcre2_pattern_info(regex->code, PCRE2_INFO_NAMECOUNT, &count);
    pcre2_pattern_info(regex->code, PCRE2_INFO_NAMEENTRYSIZE, &size);
    pcre2_pattern_info(regex->code, PCRE2_INFO_NAMETABLE, &table);
    regex->groups = groups;
    regex->names = calloc(groups + 1, sizeof(*regex->names));
    if (regex->names == NULL)
        abort();
    for (uint32_t i = 0; i < count; i++, table += size) {
        size_t group = (size_t)table[0] << 8 | table[1];
        regex->names[group] = slice_of_string((const char *)table + 2);
    }
}

struct ottl_regex *ottl_regex_create(struct slice pattern, struct error *err)
{
    struct buffer text = { .data = NULL };
    struct ottl_regex *regex = calloc(1, sizeof(*regex));

    if (regex == NULL)
        abort();
    if (rewrite(pattern, &text, err) && !text.failed)
        regex->code = compile(pattern, buffer_slice(&text), err);
    buffer_fini(&text);
    if (regex->code == NULL) {
        free(regex);
        return NULL;
    }
    read_names(regex);
    bool is_plain = pattern.size > 0;
    for (size_t i = 0; i < pattern.size; i++)
        is_plain = is_plain && strchr("\\^$.|?*+()[]{}", pattern.data[i]) == NULL;
    if (is_plain)
        regex->literal = slice_of(slice_dup_string(pattern), pattern.size);
    if (regex->groups > GROUPS_MAX) {
        fail(err, "regular expression with more than %d groups", GROUPS_MAX);
        ottl_regex_destroy(regex);
        return NULL;
    }
    return regex;
}

void ottl_regex_destroy(struct ottl_regex *regex)
{
    if (regex == NULL)
        return;
    pcre2_code_free(regex->code);
    free((void *)(uintptr_t)regex->literal.data);
    free(regex->names);
    free(regex);
}

/* ---- matching ---- */

struct ottl_matcher *ottl_matcher_create(void)
{
    struct ottl_matcher *matcher = calloc(1, sizeof(*matcher));

    if (matcher == NULL)
        return NULL;
    matcher->data = pcre2_match_data_create(GROUPS_MAX + 1, NULL);
    matcher->context = pcre2_match_context_create(NULL);
    matcher->stack = pcre2_jit_stack_create(32 << 10, JIT_STACK_MAX, NULL);
    if (matcher->data == NULL || matcher->context == NULL) {
        ottl_matcher_destroy(matcher);
        return NULL;
    }
    pcre2_set_match_limit(matcher->context, MATCH_LIMIT);
    pcre2_set_heap_limit(matcher->context, HEAP_LIMIT_KIB);
    if (matcher->stack != NULL)
        pcre2_jit_stack_assign(matcher->context, NULL, matcher->stack);
    return matcher;
}

void ottl_matcher_destroy(struct ottl_matcher *matcher)
{
    if (matcher == NULL)
        return;
    pcre2_match_data_free(matcher->data);
    pcre2_match_context_free(matcher->context);
    pcre2_jit_stack_free(matcher->stack);
    free(matcher);
}

static enum ottl_match search(const struct ottl_regex *regex, struct ottl_matcher *matcher, struct slice text, size_t from)
{
    const uint8_t *found = text.size > from ? memmem(text.data + from, text.size - from, regex->literal.data, regex->literal.size) : NULL;

    matcher->literal = true;
    if (found == NULL)
        return OTTL_NO_MATCH;
    matcher->start = (size_t)(found - text.data);
    matcher->end = matcher->start + regex->literal.size;
    return OTTL_MATCH;
}

enum ottl_match ottl_regex_match(const struct ottl_regex *regex, struct ottl_matcher *matcher, struct slice text, size_t from)
{
    int result;

    if (regex->literal.data != NULL)
        return search(regex, matcher, text, from);
    matcher->literal = false;
    result = pcre2_match(regex->code, text.size > 0 ? text.data : (const uint8_t *)"", text.size, from, 0, matcher->data, matcher->context);
    if (result == PCRE2_ERROR_NOMATCH)
        return OTTL_NO_MATCH;
    return result > 0 ? OTTL_MATCH : OTTL_MATCH_FAILED;
}

bool ottl_regex_group(const struct ottl_matcher *matcher, size_t group, size_t *start, size_t *end)
{
    PCRE2_SIZE *bounds;

    if (matcher->literal) {
        *start = matcher->start;
        *end = matcher->end;
        return group == 0;
    }
    bounds = pcre2_get_ovector_pointer(matcher->data);
    if (group >= pcre2_get_ovector_count(matcher->data) || bounds[2 * group] == PCRE2_UNSET)
        return false;
    *start = bounds[2 * group];
    *end = bounds[2 * group + 1];
    return true;
}

size_t ottl_regex_group_count(const struct ottl_regex *regex)
{
    return regex->groups;
}

struct slice ottl_regex_group_name(const struct ottl_regex *regex, size_t group)
{
    return group <= regex->groups ? regex->names[group] : (struct slice){ NULL, 0 };
}

/* ---- replacements ---- */

static bool is_word_byte(uint8_t c)
{
    return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '_';
}

/* The group's number, or -1. */
static int group_of(const struct ottl_regex *regex, struct slice name)
{
    int number = 0;

    for (size_t i = 0; i < name.size && number >= 0; i++)
        number = name.data[i] >= '0' && name.data[i] <= '9' && number < 1000 ? number * 10 + name.data[i] - '0' : -1;
    if (number >= 0)
        return (size_t)number <= regex->groups ? number : -1;
    for (size_t i = 1; i <= regex->groups; i++) {
        if (slice_equal(regex->names[i], name))
            return (int)i;
    }
    return -1;
}

/* The name behind a "$" at `start`, with or without braces; returns the bytes it takes, 0 when there is none. */
static size_t read_name(struct slice text, size_t start, struct slice *name)
{
    bool braces = start < text.size && text.data[start] == '{';
    size_t first = start + braces, end = first;

    while (end < text.size && is_word_byte(text.data[end]))
        end++;
    if (end == first || (braces && (end == text.size || text.data[end] != '}')))
        return 0;
    *name = slice_of(text.data + first, end - first);
    return end - start + braces;
}

void ottl_regex_expand(
    const struct ottl_regex *regex, const struct ottl_matcher *matcher, struct slice text, struct slice replacement, struct buffer *out)
{
    struct slice name;
    size_t start, end;

    for (size_t i = 0; i < replacement.size; i++) {
        if (replacement.data[i] != '$' || i + 1 == replacement.size) {
            buffer_append_byte(out, replacement.data[i]);
            continue;
        }
        if (replacement.data[i + 1] == '$') {
            buffer_append_byte(out, '$');
            i++;
            continue;
        }
        size_t read = read_name(replacement, i + 1, &name);
        if (read == 0) {
            buffer_append_byte(out, '$');
            continue;
        }
        int group = group_of(regex, name);
        if (group >= 0 && ottl_regex_group(matcher, (size_t)group, &start, &end))
            buffer_append(out, text.data + start, end - start);
        i += read;
    }
}
