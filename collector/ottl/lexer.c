/*
 * OTTL's text to tokens.
 *
 * Numbers take a sign where a value may begin; behind a value it is an operator. Cost: linear. Threads: none; no state.
 */
#include "collector/ottl/lexer.h"

struct lexer {
    struct slice text;
    size_t at;
    struct arena *arena;
    struct error *err;
};

static bool is_digit(uint8_t c)
{
    return c >= '0' && c <= '9';
}

static bool is_hex_digit(uint8_t c)
{
    return is_digit(c) || (c >= 'a' && c <= 'f') || (c >= 'A' && c <= 'F');
}

static bool is_letter(uint8_t c)
{
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '_';
}

static uint8_t byte_at(const struct lexer *lexer, size_t at)
{
    return at < lexer->text.size ? lexer->text.data[at] : 0;
}

static size_t skip_digits(const struct lexer *lexer, size_t at)
{
    while (is_digit(byte_at(lexer, at)))
        at++;
    return at;
}

/* Where a number that begins at `at` ends; `at` when there is none. */
static size_t number_end(const struct lexer *lexer, size_t at, enum ottl_token_kind *kind)
{
    size_t start = at, digits, end;

    if (byte_at(lexer, at) == '+' || byte_at(lexer, at) == '-')
        at++;
    digits = at;
    end = skip_digits(lexer, at);
    *kind = TOKEN_INT;
    if (byte_at(lexer, end) == '.' && is_digit(byte_at(lexer, end + 1))) {
        *kind = TOKEN_FLOAT;
        end = skip_digits(lexer, end + 1);
        size_t exponent = end;
        if (byte_at(lexer, exponent) == 'e' || byte_at(lexer, exponent) == 'E') {
            exponent++;
            if (byte_at(lexer, exponent) == '+' || byte_at(lexer, exponent) == '-')
                exponent++;
            if (is_digit(byte_at(lexer, exponent)))
                end = skip_digits(lexer, exponent);
        }
    }
    return end == digits ? start : end;
}

static uint8_t unescaped(uint8_t c)
{
    static const char from[] = "abfnrtv", to[] = "\a\b\f\n\r\t\v";
    const char *found = c != 0 ? strchr(from, c) : NULL;

    return found != NULL ? (uint8_t)to[found - from] : c;
}

static int hex_value(uint8_t c)
{
    return is_digit(c) ? c - '0' : (c | 0x20) - 'a' + 10;
}

static char *put_utf8(char *out, uint32_t c)
{
    if (c < 0x80) {
        *out++ = (char)c;
    } else if (c < 0x800) {
        *out++ = (char)(0xc0 | c >> 6);
        *out++ = (char)(0x80 | (c & 0x3f));
    } else if (c < 0x10000) {
        *out++ = (char)(0xe0 | c >> 12);
        *out++ = (char)(0x80 | (c >> 6 & 0x3f));
        *out++ = (char)(0x80 | (c & 0x3f));
    } else {
        *out++ = (char)(0xf0 | c >> 18);
        *out++ = (char)(0x80 | (c >> 12 & 0x3f));
        *out++ = (char)(0x80 | (c >> 6 & 0x3f));
        *out++ = (char)(0x80 | (c & 0x3f));
    }
    return out;
}

/* \x41, \u00e9, \U0001f600: the bytes read behind the letter, or 0 when it is none of them. */
static size_t unescape_code(struct slice raw, size_t at, char **out)
{
    uint8_t letter = raw.data[at];
    size_t digits = letter == 'x' ? 2 : letter == 'u' ? 4 : letter == 'U' ? 8 : 0;
    uint32_t code = 0;

    if (digits == 0 || raw.size - at - 1 < digits)
        return 0;
    for (size_t i = 1; i <= digits; i++) {
        if (!is_hex_digit(raw.data[at + i]))
            return 0;
        code = code << 4 | (uint32_t)hex_value(raw.data[at + i]);
    }
    if (code > 0x10ffff || (code >= 0xd800 && code < 0xe000))
        return 0;
    *out = put_utf8(*out, code);
    return digits;
}

static struct slice unescape(struct lexer *lexer, struct slice raw)
{
    char *text = arena_alloc(lexer->arena, raw.size + 1), *out = text;

    for (size_t i = 0; i < raw.size; i++) {
        if (raw.data[i] != '\\' || i + 1 == raw.size) {
            *out++ = (char)raw.data[i];
            continue;
        }
        i++;
        size_t read = unescape_code(raw, i, &out);
        if (read == 0)
            *out++ = (char)unescaped(raw.data[i]);
        i += read;
    }
    return slice_of(text, (size_t)(out - text));
}

static bool lex_string(struct lexer *lexer, struct ottl_token *token)
{
    size_t start = lexer->at + 1, at = start;

    while (at < lexer->text.size && lexer->text.data[at] != '"')
        at += lexer->text.data[at] == '\\' ? 2 : 1;
    if (at >= lexer->text.size)
        return fail(lexer->err, "at %zu: a string that has no end; expected \"", lexer->at + 1);
    token->kind = TOKEN_STRING;
    token->text = unescape(lexer, slice_of(lexer->text.data + start, at - start));
    lexer->at = at + 1;
    return true;
}

static void lex_run(struct lexer *lexer, struct ottl_token *token, enum ottl_token_kind kind, size_t end)
{
    token->kind = kind;
    token->text = slice_of(lexer->text.data + lexer->at, end - lexer->at);
    lexer->at = end;
}

static bool ends_value(const struct ottl_token *token)
{
    if (token == NULL)
        return false;
    if (token->kind == TOKEN_NAME)
        return !slice_equal_string(token->text, "where") && !slice_equal_string(token->text, "and") &&
               !slice_equal_string(token->text, "or") && !slice_equal_string(token->text, "not");
    if (token->kind == TOKEN_MARK)
        return token->text.data[0] == ')' || token->text.data[0] == ']' || token->text.data[0] == '}';
    return token->kind != TOKEN_COMPARISON;
}

static bool lex_other(struct lexer *lexer, struct ottl_token *token)
{
    uint8_t c = byte_at(lexer, lexer->at), next = byte_at(lexer, lexer->at + 1);

    if ((c == '<' || c == '>') || ((c == '=' || c == '!') && next == '=')) {
        lex_run(lexer, token, TOKEN_COMPARISON, lexer->at + (next == '=' ? 2 : 1));
        return true;
    }
    if (c == 0 || strchr("(),.[]{}:=+-*/", c) == NULL)
        return fail(lexer->err, "at %zu: unexpected character '%c'", lexer->at + 1, c >= 0x20 && c < 0x7f ? c : '?');
    lex_run(lexer, token, TOKEN_MARK, lexer->at + 1);
    return true;
}

static bool lex_one(struct lexer *lexer, struct ottl_token *token, const struct ottl_token *previous)
{
    uint8_t c = byte_at(lexer, lexer->at);
    size_t end = lexer->at;
    enum ottl_token_kind kind;

    if (c == '"')
        return lex_string(lexer, token);
    if (is_letter(c)) {
        while (is_letter(byte_at(lexer, end)) || is_digit(byte_at(lexer, end)))
            end++;
        lex_run(lexer, token, TOKEN_NAME, end);
        return true;
    }
    if (c == '0' && byte_at(lexer, end + 1) == 'x' && is_hex_digit(byte_at(lexer, end + 2))) {
        for (end += 2; is_hex_digit(byte_at(lexer, end)); end++)
            ;
        lex_run(lexer, token, TOKEN_BYTES, end);
        return true;
    }
    if (!((c == '+' || c == '-' || c == '.') && ends_value(previous)) && (end = number_end(lexer, lexer->at, &kind)) != lexer->at) {
        lex_run(lexer, token, kind, end);
        return true;
    }
    return lex_other(lexer, token);
}

struct ottl_token *ottl_lex(struct slice text, struct arena *arena, size_t *count, struct error *err)
{
    struct lexer lexer = { text, 0, arena, err };
    struct ottl_token *tokens, *previous = NULL;

    if (text.size > OTTL_TEXT_MAX) {
        fail(err, "longer than %d bytes", OTTL_TEXT_MAX);
        return NULL;
    }
    tokens = arena_alloc(arena, (text.size + 1) * sizeof(*tokens));
    for (*count = 0;; (*count)++) {
        while (lexer.at < text.size && (memchr(" \t\r\n", text.data[lexer.at], 4) != NULL))
            lexer.at++;
        struct ottl_token *token = &tokens[*count];
        token->offset = lexer.at;
        if (lexer.at == text.size)
            break;
        if (!lex_one(&lexer, token, previous))
            return NULL;
        token->source = slice_of(text.data + token->offset, lexer.at - token->offset);
        previous = token;
    }
    return tokens;
}
