/*
 * HTTP/1.1 request reader. A head is searched for its end, then parsed once, in place; its cost is linear in its length.
 * RFC 9112 leaves some leniencies to the server; none is taken but one empty line before the request: no bare LF, no
 * folded lines, no space before a colon, no repeated or list-valued Content-Length, no Content-Length beside Transfer-Encoding.
 */
#include "collector/net/http1.h"

enum { CHUNK_OVERHEAD_MAX = 16384, CHUNK_DIGITS_MAX = 15 };

/* token characters (RFC 9110, 5.6.2), upper-case letters mapped to lower; 0: not one */
static const uint8_t token_bytes[256] = {
    ['!'] = '!',
    ['#'] = '#',
    ['$'] = '$',
    ['%'] = '%',
    ['&'] = '&',
    ['\''] = '\'',
    ['*'] = '*',
    ['+'] = '+',
    ['-'] = '-',
    ['.'] = '.',
    ['^'] = '^',
    ['_'] = '_',
    ['`'] = '`',
    ['|'] = '|',
    ['~'] = '~',
    ['0'] = '0',
    ['1'] = '1',
    ['2'] = '2',
    ['3'] = '3',
    ['4'] = '4',
    ['5'] = '5',
    ['6'] = '6',
    ['7'] = '7',
    ['8'] = '8',
    ['9'] = '9',
    ['a'] = 'a',
    ['b'] = 'b',
    ['c'] = 'c',
    ['d'] = 'd',
    ['e'] = 'e',
    ['f'] = 'f',
    ['g'] = 'g',
    ['h'] = 'h',
    ['i'] = 'i',
    ['j'] = 'j',
    ['k'] = 'k',
    ['l'] = 'l',
    ['m'] = 'm',
    ['n'] = 'n',
    ['o'] = 'o',
    ['p'] = 'p',
    ['q'] = 'q',
    ['r'] = 'r',
    ['s'] = 's',
    ['t'] = 't',
    ['u'] = 'u',
    ['v'] = 'v',
    ['w'] = 'w',
    ['x'] = 'x',
    ['y'] = 'y',
    ['z'] = 'z',
    ['A'] = 'a',
    ['B'] = 'b',
    ['C'] = 'c',
    ['D'] = 'd',
    ['E'] = 'e',
    ['F'] = 'f',
    ['G'] = 'g',
    ['H'] = 'h',
    ['I'] = 'i',
    ['J'] = 'j',
    ['K'] = 'k',
    ['L'] = 'l',
    ['M'] = 'm',
    ['N'] = 'n',
    ['O'] = 'o',
    ['P'] = 'p',
    ['Q'] = 'q',
    ['R'] = 'r',
    ['S'] = 's',
    ['T'] = 't',
    ['U'] = 'u',
    ['V'] = 'v',
    ['W'] = 'w',
    ['X'] = 'x',
    ['Y'] = 'y',
    ['Z'] = 'z',
};

static const struct slice preface = SLICE_INIT("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n");

enum http1_preface http1_preface(struct slice bytes)
{
    size_t length = bytes.size < preface.size ? bytes.size : preface.size;

    if (memcmp(bytes.data, preface.data, length) != 0)
        return HTTP1_NO_PREFACE;
    return length == preface.size ? HTTP1_PREFACE : HTTP1_PREFACE_PART;
}

size_t http1_find_end(struct slice bytes, size_t *scanned)
{
    size_t at = *scanned;

    while (at < bytes.size) {
        const uint8_t *newline = memchr(bytes.data + at, '\n', bytes.size - at);
        size_t end;

        if (newline == NULL)
            break;
        end = (size_t)(newline - bytes.data) + 1;
        /* an empty line that comes first is not the end; bare LFs end a head too, for the parser to refuse */
        if ((end >= 3 && memcmp(newline - 2, "\n\r\n", 3) == 0) || (end >= 2 && newline[-1] == '\n'))
            return end;
        at = end;
    }
    *scanned = bytes.size;
    return 0;
}

/* ---- the request line ---- */

struct reading {
    uint8_t *at, *end; /* what is left of the head */
    uint8_t *line;     /* where the last line began */
    const char *reason;
};

static int refuse(struct reading *reading, int status, const char *reason)
{
    reading->reason = reason;
    return status;
}

/* Up to the next CRLF, which is skipped; data NULL: none, or a bare CR, LF or NUL. */
static struct slice next_line(struct reading *reading)
{
    uint8_t *line = reading->at;
    uint8_t *newline = memchr(line, '\n', (size_t)(reading->end - line));

    if (newline == NULL || newline == line || newline[-1] != '\r')
        return (struct slice){ NULL, 0 };
    reading->line = line;
    reading->at = newline + 1;
    return slice_of(line, (size_t)(newline - 1 - line));
}

static struct slice next_word(struct slice *line)
{
    const uint8_t *space = memchr(line->data, ' ', line->size);
    size_t length = space != NULL ? (size_t)(space - line->data) : line->size;
    struct slice word = slice_of(line->data, length);

    length += space != NULL;
    *line = slice_of(line->data + length, line->size - length);
    return word;
}

static bool is_token(struct slice word)
{
    for (size_t i = 0; i < word.size; i++)
        if (token_bytes[word.data[i]] == 0)
            return false;
    return word.size > 0;
}

static bool is_visible(struct slice text)
{
    for (size_t i = 0; i < text.size; i++)
        if (text.data[i] <= ' ' || text.data[i] >= 0x7f)
            return false;
    return true;
}

/* "http://host/path" as proxies send it: the host is left to the Host header, which must be there anyway. */
static struct slice without_scheme(struct slice target)
{
    struct slice rest;
    const uint8_t *slash;

    if (slice_starts_with(target, SLICE("http://")))
        rest = slice_of(target.data + 7, target.size - 7);
    else if (slice_starts_with(target, SLICE("https://")))
        rest = slice_of(target.data + 8, target.size - 8);
    else
        return target;
    slash = rest.size > 0 ? memchr(rest.data, '/', rest.size) : NULL;
    if (slash == NULL)
        return SLICE("/");
    return slice_of(slash, rest.size - (size_t)(slash - rest.data));
}

static int parse_version(struct http1_head *out, struct reading *reading, struct slice version)
{
    if (version.size != 8 || memcmp(version.data, "HTTP/", 5) != 0 || version.data[6] != '.')
        return refuse(reading, 400, "bad_request_line");
    if (!slice_equal(version, SLICE("HTTP/1.1")) && !slice_equal(version, SLICE("HTTP/1.0")))
        return refuse(reading, 505, "bad_version");
    out->http10 = version.data[7] == '0';
    out->keep_alive = !out->http10;
    return 0;
}

static int parse_request_line(struct http1_head *out, struct reading *reading)
{
    struct slice line, target;

    if (reading->end - reading->at >= 2 && memcmp(reading->at, "\r\n", 2) == 0)
        reading->at += 2;
    line = next_line(reading);
    if (line.data == NULL)
        return refuse(reading, 400, "bad_request_line");
    out->head.method = next_word(&line);
    target = next_word(&line);
    if (!is_token(out->head.method) || out->head.method.size > 32)
        return refuse(reading, 400, "bad_method");
    if (target.size > HTTP1_TARGET_MAX)
        return refuse(reading, 414, "long_target");
    if (target.size == 0 || !is_visible(target))
        return refuse(reading, 400, "bad_target");
    target = without_scheme(target);
    if (target.data[0] != '/' && !slice_equal(target, SLICE("*")))
        return refuse(reading, 400, "bad_target");
    http_head_set_target(&out->head, target);
    return parse_version(out, reading, line);
}

/* ---- header lines ---- */

static bool is_value(struct slice value)
{
    for (size_t i = 0; i < value.size; i++)
        if ((value.data[i] < ' ' && value.data[i] != '\t') || value.data[i] == 0x7f)
            return false;
    return true;
}

/* Lower case in place; false when it is not a token. */
static bool lower_name(uint8_t *name, size_t size)
{
    uint8_t all = 0xff;

    for (size_t i = 0; i < size; i++) {
        name[i] = token_bytes[name[i]];
        all &= (uint8_t)(name[i] != 0 ? 0xff : 0);
    }
    return all != 0 && size > 0;
}

static int parse_header(struct http1_head *out, struct reading *reading, struct slice line)
{
    const uint8_t *colon = memchr(line.data, ':', line.size);
    struct http_header *header;
    size_t length;

    if (line.data[0] == ' ' || line.data[0] == '\t')
        return refuse(reading, 400, "folded_header");
    if (colon == NULL)
        return refuse(reading, 400, "bad_header");
    if (out->head.header_count == HTTP_HEADERS_MAX)
        return refuse(reading, 431, "too_many_headers");
    length = (size_t)(colon - line.data);
    header = &out->head.headers[out->head.header_count++];
    header->name = slice_of(reading->line, length);
    header->value = slice_trim(slice_of(colon + 1, line.size - length - 1));
    if (!lower_name(reading->line, length) || !is_value(header->value))
        return refuse(reading, 400, "bad_header");
    return 0;
}

/* ---- headers that decide how the request is framed ---- */

struct framing {
    unsigned hosts, lengths, encodings;
    struct slice transfer_encoding, connection, expect;
};

static int note_header(struct http1_head *out, struct framing *framing, const struct http_header *header)
{
    switch (header->name.size) {
    case 4:
        if (slice_equal(header->name, SLICE("host"))) {
            out->head.authority = header->value;
            framing->hosts++;
        }
        return 0;
    case 6:
        if (slice_equal(header->name, SLICE("expect")))
            framing->expect = header->value;
        return 0;
    case 10:
        if (slice_equal(header->name, SLICE("connection"))) {
            bool closes = http_list_has(header->value, "close");

            out->keep_alive = !closes && (out->keep_alive || http_list_has(header->value, "keep-alive"));
        }
        return 0;
    case 14:
        if (!slice_equal(header->name, SLICE("content-length")))
            return 0;
        framing->lengths++;
        out->has_length = true;
        return http_parse_length(header->value, &out->content_length) ? 0 : 400;
    case 17:
        if (slice_equal(header->name, SLICE("transfer-encoding"))) {
            framing->encodings++;
            framing->transfer_encoding = header->value;
        }
        return 0;
    default:
        return 0;
    }
}

static int decide_framing(struct http1_head *out, struct reading *reading, const struct framing *framing)
{
    if (framing->hosts > 1 || (framing->hosts == 0 && !out->http10))
        return refuse(reading, 400, "bad_host");
    if (framing->lengths > 1)
        return refuse(reading, 400, "bad_content_length");
    if (framing->encodings > 0) {
        if (framing->lengths > 0 || out->http10)
            return refuse(reading, 400, "bad_transfer_encoding");
        if (framing->encodings > 1 || !slice_equal_ignoring_case(framing->transfer_encoding, SLICE("chunked")))
            return refuse(reading, 501, "bad_transfer_encoding");
        out->chunked = true;
    }
    if (framing->expect.size > 0 && !out->http10) {
        if (!slice_equal_ignoring_case(framing->expect, SLICE("100-continue")))
            return refuse(reading, 417, "bad_expectation");
        out->expects_continue = true;
    }
    return 0;
}

static int parse_headers(struct http1_head *out, struct reading *reading)
{
    struct framing framing = { 0 };
    int status;

    for (;;) {
        struct slice line = next_line(reading);

        if (line.data == NULL)
            return refuse(reading, 400, "bad_header");
        if (line.size == 0)
            break;
        status = parse_header(out, reading, line);
        if (status != 0)
            return status;
        if (note_header(out, &framing, &out->head.headers[out->head.header_count - 1]) != 0)
            return refuse(reading, 400, "bad_content_length");
    }
    if (reading->at != reading->end)
        return refuse(reading, 400, "bad_header");
    return decide_framing(out, reading, &framing);
}

int http1_parse_head(struct http1_head *out, uint8_t *bytes, size_t size, const char **reason)
{
    struct reading reading = { .at = bytes, .end = bytes + size };
    int status;

    memset(out, 0, offsetof(struct http1_head, head.headers));
    out->head.header_count = 0;
    out->keep_alive = out->chunked = out->expects_continue = out->has_length = false;
    out->content_length = 0;
    out->head.bytes = slice_of(bytes, size);
    status = parse_request_line(out, &reading);
    if (status == 0)
        status = parse_headers(out, &reading);
    *reason = reading.reason;
    return status;
}

/* ---- chunked bodies ---- */

static int hex_digit(uint8_t byte)
{
    if (byte >= '0' && byte <= '9')
        return byte - '0';
    if ((byte | 0x20) >= 'a' && (byte | 0x20) <= 'f')
        return (byte | 0x20) - 'a' + 10;
    return -1;
}

static enum http1_chunk_state chunk_size_byte(struct http1_chunks *chunks, uint8_t byte)
{
    int digit = hex_digit(byte);

    if (digit >= 0) {
        if (++chunks->digits > CHUNK_DIGITS_MAX)
            return HTTP1_CHUNKS_BAD;
        chunks->left = chunks->left << 4 | (uint64_t)digit;
        return HTTP1_CHUNK_SIZE;
    }
    if (chunks->digits == 0)
        return HTTP1_CHUNKS_BAD;
    if (byte == '\r')
        return HTTP1_CHUNK_SIZE_END;
    return byte == ';' || byte == ' ' || byte == '\t' ? HTTP1_CHUNK_EXTENSION : HTTP1_CHUNKS_BAD;
}

/* A byte of an extension or of a trailer, both skipped but bounded. */
static enum http1_chunk_state skipped_byte(struct http1_chunks *chunks, uint8_t byte, enum http1_chunk_state at_end)
{
    if (byte == '\r')
        return at_end;
    if (byte == '\n' || byte == '\0' || ++chunks->overhead > CHUNK_OVERHEAD_MAX)
        return HTTP1_CHUNKS_BAD;
    return chunks->state;
}

static enum http1_chunk_state after_size(struct http1_chunks *chunks)
{
    chunks->digits = 0;
    return chunks->left > 0 ? HTTP1_CHUNK_DATA : HTTP1_TRAILER_START;
}

static enum http1_chunk_state trailer_start(struct http1_chunks *chunks, uint8_t byte)
{
    if (byte == '\r')
        return HTTP1_TRAILERS_END;
    chunks->state = HTTP1_TRAILER_LINE;
    return skipped_byte(chunks, byte, HTTP1_TRAILER_LF);
}

static enum http1_chunk_state expected(uint8_t byte, uint8_t wanted, enum http1_chunk_state next)
{
    return byte == wanted ? next : HTTP1_CHUNKS_BAD;
}

static enum http1_chunk_state chunk_byte(struct http1_chunks *chunks, uint8_t byte)
{
    switch (chunks->state) {
    case HTTP1_CHUNK_SIZE:
        return chunk_size_byte(chunks, byte);
    case HTTP1_CHUNK_EXTENSION:
        return skipped_byte(chunks, byte, HTTP1_CHUNK_SIZE_END);
    case HTTP1_CHUNK_SIZE_END:
        return byte == '\n' ? after_size(chunks) : HTTP1_CHUNKS_BAD;
    case HTTP1_CHUNK_DATA_CR:
        return expected(byte, '\r', HTTP1_CHUNK_DATA_LF);
    case HTTP1_CHUNK_DATA_LF:
        return expected(byte, '\n', HTTP1_CHUNK_SIZE);
    case HTTP1_TRAILER_START:
        return trailer_start(chunks, byte);
    case HTTP1_TRAILER_LINE:
        return skipped_byte(chunks, byte, HTTP1_TRAILER_LF);
    case HTTP1_TRAILER_LF:
        return expected(byte, '\n', HTTP1_TRAILER_START);
    case HTTP1_TRAILERS_END:
        return expected(byte, '\n', HTTP1_CHUNKS_DONE);
    default:
        return HTTP1_CHUNKS_BAD;
    }
}

struct slice http1_chunks_next(struct http1_chunks *chunks, struct slice *in)
{
    while (in->size > 0 && chunks->state != HTTP1_CHUNKS_DONE && chunks->state != HTTP1_CHUNKS_BAD) {
        if (chunks->state == HTTP1_CHUNK_DATA) {
            size_t length = chunks->left < in->size ? (size_t)chunks->left : in->size;
            struct slice run = slice_of(in->data, length);

            chunks->left -= length;
            if (chunks->left == 0)
                chunks->state = HTTP1_CHUNK_DATA_CR;
            *in = slice_of(in->data + length, in->size - length);
            return run;
        }
        chunks->state = chunk_byte(chunks, in->data[0]);
        *in = slice_of(in->data + 1, in->size - 1);
    }
    return (struct slice){ NULL, 0 };
}
