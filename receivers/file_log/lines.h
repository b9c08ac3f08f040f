/*
 * From bytes of a file to its records: lines, or what patterns of beginnings or ends make of them; and from a record's bytes to text. I/O-free.
 * Threads: one struct lines_reader per thread.
 */
#ifndef WEIR_RECEIVERS_FILE_LOG_LINES_H
#define WEIR_RECEIVERS_FILE_LOG_LINES_H

#include <iconv.h>

#include "collector/base/buffer.h"
#include "collector/base/error.h"

struct ottl_regex;
struct ottl_matcher;

enum lines_charset { LINES_UTF8, LINES_RAW, LINES_BYTES, LINES_UTF16_LE, LINES_UTF16_BE, LINES_ICONV };

struct lines_settings {
    const char *encoding;
    const char *start_pattern, *end_pattern; /* at most one; NULL: each line is one */
    bool omit_pattern;
    bool keep_leading, keep_trailing; /* white space */
    bool truncate;                    /* what is too long loses its end; else it is cut in pieces */
    size_t max_size;
};

struct lines_reader {
    struct lines_settings settings;
    enum lines_charset charset;
    iconv_t conversion;         /* owned, with LINES_ICONV and UTF-16 */
    struct ottl_regex *pattern; /* owned; NULL: none */
    struct ottl_matcher *matcher;
    struct buffer text;
};

bool lines_init(struct lines_reader *reader, const struct lines_settings *settings, struct error *err);
void lines_fini(struct lines_reader *reader);

struct lines_cut {
    struct slice record; /* without what ends it, and trimmed as the settings say; still in the file's encoding */
    size_t used;         /* bytes that are dealt with; 0: more are needed */
    bool skipping;       /* in and out: the rest of a record that was cut off is being passed over; there is no record then */
    bool none;           /* the bytes were passed over */
};
/* The next record that `bytes` begins with. all: nothing comes behind them, what there is is a record. */
void lines_next(struct lines_reader *reader, struct slice bytes, bool all, struct lines_cut *cut);

/* The record as it goes on; valid until the next call. *bytes: it is no text. valid: it is known to be UTF-8. *repaired: some of it was not. */
struct slice lines_text(struct lines_reader *reader, struct slice record, bool valid, bool *bytes, bool *repaired);

#endif
