/* Tokens of OTTL. Internal to collector/ottl. */
#ifndef WEIR_OTTL_LEXER_H
#define WEIR_OTTL_LEXER_H

#include "collector/base/arena.h"
#include "collector/base/error.h"
#include "collector/base/slice.h"

enum ottl_token_kind {
    TOKEN_END,
    TOKEN_BYTES, /* 0x1f */
    TOKEN_FLOAT,
    TOKEN_INT,
    TOKEN_STRING, /* `text` without its quotes, escapes undone */
    TOKEN_NAME,
    TOKEN_COMPARISON,
    TOKEN_MARK, /* one of ( ) , . [ ] { } : = + - * / */
};

struct ottl_token {
    enum ottl_token_kind kind;
    struct slice text;
    struct slice source; /* as it was written */
    size_t offset;       /* in the text, in bytes */
};

enum { OTTL_TEXT_MAX = 64 << 10 };

/* All tokens, the last one TOKEN_END, in the arena. NULL with an error. */
struct ottl_token *ottl_lex(struct slice text, struct arena *arena, size_t *count, struct error *err);

#endif
