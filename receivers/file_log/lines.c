/* Records out of bytes. Cost: one memchr a line; patterns are searched in windows that grow, since a search looks at all it is given. */
#include "receivers/file_log/lines.h"

#include <errno.h>
#include <stdlib.h>
#include <strings.h>

#include "collector/ottl/regex.h"
#include "collector/wire/utf8.h"

enum { WINDOW = 4 << 10 };

static const struct {
    const char *name;
    enum lines_charset charset;
} charsets[] = { { "utf-8", LINES_UTF8 }, { "utf8", LINES_UTF8 }, { "ascii", LINES_UTF8 }, { "us-ascii", LINES_UTF8 },
    { "utf-8-raw", LINES_RAW }, { "nop", LINES_BYTES }, { "utf-16le", LINES_UTF16_LE }, { "utf-16be", LINES_UTF16_BE },
    { "utf-16", LINES_UTF16_BE } };

static bool init_charset(struct lines_reader *reader, const char *name, struct error *err)
{
    reader->charset = LINES_ICONV;
    for (size_t i = 0; i < sizeof(charsets) / sizeof(charsets[0]); i++) {
        if (strcasecmp(name, charsets[i].name) == 0)
            reader->charset = charsets[i].charset;
    }
    if (reader->charset < LINES_UTF16_LE)
        return true;
    if (strncasecmp(name, "utf-32", 6) == 0 || strncasecmp(name, "ucs", 3) == 0)
        return fail(err, "encoding \"%s\" is not supported", name);
    if (reader->charset != LINES_ICONV)
        name = reader->charset == LINES_UTF16_LE ? "UTF-16LE" : "UTF-16BE";
    reader->conversion = iconv_open("UTF-8", name);
    return reader->conversion != (iconv_t)-1 ||
           fail(
               err, "encoding \"%s\" is not known; there are utf-8, utf-8-raw, nop, ascii, utf-16le, utf-16be and those of iconv -l", name);
}

static bool init_pattern(struct lines_reader *reader, struct error *err)
{
    const char *pattern = reader->settings.start_pattern != NULL ? reader->settings.start_pattern : reader->settings.end_pattern;
    struct buffer text = { 0 };

    if (pattern == NULL)
        return true;
    if (reader->charset == LINES_UTF16_LE || reader->charset == LINES_UTF16_BE)
        return fail(err, "multiline does not work with UTF-16");
    buffer_printf(&text, "(?m)%s", pattern);
    reader->pattern = ottl_regex_create(buffer_slice(&text), err);
    buffer_fini(&text);
    reader->matcher = ottl_matcher_create();
    return (reader->pattern != NULL && reader->matcher != NULL) || fail_within(err, "multiline");
}

bool lines_init(struct lines_reader *reader, const struct lines_settings *settings, struct error *err)
{
    *reader = (struct lines_reader){ .settings = *settings, .conversion = (iconv_t)-1 };
    if (settings->start_pattern != NULL && settings->end_pattern != NULL)
        return fail(err, "multiline: set either line_start_pattern or line_end_pattern");
    return init_charset(reader, settings->encoding, err) && init_pattern(reader, err);
}

void lines_fini(struct lines_reader *reader)
{
    if (reader->conversion != (iconv_t)-1 && reader->conversion != NULL)
        iconv_close(reader->conversion);
    ottl_regex_destroy(reader->pattern);
    ottl_matcher_destroy(reader->matcher);
    buffer_fini(&reader->text);
    *reader = (struct lines_reader){ .conversion = (iconv_t)-1 };
}

/* ---- where records end ---- */

struct ending {
    size_t record, used; /* bytes of the record, and with what ends it */
};

/* The bytes of a line's end at the two-byte letters of UTF-16. */
static bool find_wide(struct slice bytes, bool big, struct ending *ending)
{
    for (size_t i = 0; i + 1 < bytes.size; i += 2) {
        if (bytes.data[i + !big] != 0 || bytes.data[i + big] != '\n')
            continue;
        *ending = (struct ending){ i, i + 2 };
        return true;
    }
    return false;
}

static bool find_newline(const struct lines_reader *reader, struct slice bytes, struct ending *ending)
{
    const uint8_t *end;

    if (reader->charset == LINES_UTF16_LE || reader->charset == LINES_UTF16_BE)
        return find_wide(bytes, reader->charset == LINES_UTF16_BE, ending);
    end = bytes.size > 0 ? memchr(bytes.data, '\n', bytes.size) : NULL;
    if (end == NULL)
        return false;
    *ending = (struct ending){ (size_t)(end - bytes.data), (size_t)(end - bytes.data) + 1 };
    return true;
}

/* The first match at or behind `from`, in a window of whole lines that grows until there is one. */
static bool search(struct lines_reader *reader, struct slice bytes, size_t from, size_t *start, size_t *end)
{
    for (size_t window = WINDOW; from <= bytes.size; window *= 4) {
        size_t size = bytes.size;
        if (bytes.size - from > window) {
            const uint8_t *line = memchr(bytes.data + from + window, '\n', bytes.size - from - window);
            size = line != NULL ? (size_t)(line - bytes.data) + 1 : bytes.size;
        }
        if (ottl_regex_match(reader->pattern, reader->matcher, slice_of(bytes.data, size), from) == OTTL_MATCH)
            return ottl_regex_group(reader->matcher, 0, start, end);
        if (size == bytes.size)
            return false;
    }
    return false;
}

/* Up to the next beginning; what stands before the first one is a record too. */
static bool find_start(struct lines_reader *reader, struct slice bytes, struct ending *ending)
{
    size_t start, end;

    if (!search(reader, bytes, 0, &start, &end))
        return false;
    if (start == 0 && !search(reader, bytes, end > 0 ? end : 1, &start, &end))
        return false;
    *ending = (struct ending){ start, start };
    return start < bytes.size;
}

static bool find_end(struct lines_reader *reader, struct slice bytes, struct ending *ending)
{
    size_t start, end;

    if (!search(reader, bytes, 0, &start, &end) || end == 0)
        return false;
    *ending = (struct ending){ reader->settings.omit_pattern ? start : end, end };
    return true;
}

static bool find_ending(struct lines_reader *reader, struct slice bytes, struct ending *ending)
{
    if (reader->settings.start_pattern != NULL)
        return find_start(reader, bytes, ending);
    if (reader->settings.end_pattern != NULL)
        return find_end(reader, bytes, ending);
    return find_newline(reader, bytes, ending);
}

/* ---- records ---- */

static bool is_white(uint8_t c)
{
    return c == ' ' || c == '\t' || c == '\r' || c == '\n';
}

static struct slice trimmed(const struct lines_reader *reader, struct slice record)
{
    if (reader->charset >= LINES_UTF16_LE && reader->charset != LINES_ICONV)
        return record;
    while (!reader->settings.keep_leading && record.size > 0 && is_white(record.data[0])) {
        record.data++;
        record.size--;
    }
    if (reader->settings.keep_trailing && record.size > 0 && record.data[record.size - 1] == '\r' && reader->pattern == NULL)
        record.size--;
    while (!reader->settings.keep_trailing && record.size > 0 && is_white(record.data[record.size - 1]))
        record.size--;
    return record;
}

/* Passes over the rest of a record that was cut off. */
static void skip_rest(struct lines_reader *reader, struct slice bytes, bool all, struct lines_cut *cut)
{
    struct ending ending;

    cut->none = true;
    if (find_ending(reader, bytes, &ending)) {
        cut->used = ending.used;
        cut->skipping = false;
    } else if (all || bytes.size > reader->settings.max_size) {
        cut->used = bytes.size;
    }
}

void lines_next(struct lines_reader *reader, struct slice bytes, bool all, struct lines_cut *cut)
{
    size_t most = reader->settings.max_size & ~(size_t)(reader->charset == LINES_UTF16_LE || reader->charset == LINES_UTF16_BE);
    struct slice ahead = slice_of(bytes.data, bytes.size > most + 2 ? most + 2 : bytes.size);
    struct ending ending = { 0, 0 };
    bool found;

    *cut = (struct lines_cut){ .skipping = cut->skipping };
    if (bytes.size == 0)
        return;
    if (cut->skipping) {
        skip_rest(reader, bytes, all, cut);
        return;
    }
    found = find_ending(reader, ahead, &ending);
    if ((!found && bytes.size > most) || ending.record > most) {
        ending = (struct ending){ most, most };
        cut->skipping = reader->settings.truncate;
    } else if (!found) {
        if (!all)
            return;
        ending = (struct ending){ bytes.size, bytes.size };
    }
    cut->record = trimmed(reader, slice_of(bytes.data, ending.record));
    cut->used = ending.used;
}

/* ---- text ---- */

/* What does not convert becomes U+FFFD, a byte at a time. */
static struct slice convert(struct lines_reader *reader, struct slice record, bool *repaired)
{
    char *in = (char *)(uintptr_t)record.data, *out;
    size_t in_left = record.size, out_left;

    buffer_clear(&reader->text);
    iconv(reader->conversion, NULL, NULL, NULL, NULL);
    while (in_left > 0 && buffer_reserve(&reader->text, 4 * in_left + 4)) {
        out = (char *)reader->text.data + reader->text.size;
        out_left = reader->text.capacity - reader->text.size;
        size_t result = iconv(reader->conversion, &in, &in_left, &out, &out_left);
        reader->text.size = reader->text.capacity - out_left;
        if (result != (size_t)-1 || in_left == 0)
            break;
        if (errno == E2BIG)
            continue;
        buffer_append_string(&reader->text, "\xef\xbf\xbd");
        *repaired = true;
        in++;
        in_left--;
    }
    return buffer_slice(&reader->text);
}

struct slice lines_text(struct lines_reader *reader, struct slice record, bool valid, bool *bytes, bool *repaired)
{
    *repaired = false;
    *bytes = reader->charset == LINES_BYTES;
    if (*bytes || (reader->charset < LINES_UTF16_LE && (valid || utf8_is_valid(record))))
        return record;
    if (reader->charset == LINES_RAW) {
        *bytes = true;
        return record;
    }
    if (reader->charset != LINES_UTF8) {
        struct slice text = convert(reader, record, repaired);
        return reader->charset == LINES_ICONV
                   ? text
                   : slice_trim(slice_of(text.data, text.size - (text.size > 0 && text.data[text.size - 1] == '\r')));
    }
    *repaired = true;
    buffer_clear(&reader->text);
    utf8_append_repaired(&reader->text, record);
    return buffer_slice(&reader->text);
}
