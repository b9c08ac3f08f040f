/* csv_parser and uri_parser. What needs no unescaping is borrowed from the text. */
#include "collector/stanza/operator.h"

#define PARSER_OPTIONS                                                                                                                     \
    {                                                                                                                                      \
        "", OPTION_INCLUDE, 0, NULL, NULL, NULL, stanza_parser_options                                                                     \
    }

/* ---- csv_parser ---- */

struct csv_parser {
    struct stanza_parser parser;
    const char *header, *header_attribute, *delimiter, *header_delimiter;
    bool lazy_quotes, ignore_quotes;
    struct stanza_field header_field;
};

#define CSV(field) offsetof(struct csv_parser, field)
static const struct option csv_options[] = {
    PARSER_OPTIONS,
    { "header", OPTION_STRING, CSV(header), NULL, NULL, "names of the columns, with the delimiter between" },
    { "header_attribute", OPTION_STRING, CSV(header_attribute), NULL, NULL, "attribute that holds the header" },
    { "delimiter", OPTION_STRING, CSV(delimiter), ",", "nonempty", "between columns: one character" },
    { "header_delimiter", OPTION_STRING, CSV(header_delimiter), NULL, NULL, "between the header's names; without it, the delimiter" },
    { "lazy_quotes", OPTION_BOOL, CSV(lazy_quotes), "false", NULL, "a quote may stand within a column" },
    { "ignore_quotes", OPTION_BOOL, CSV(ignore_quotes), "false", NULL, "quotes mean nothing" },
    { 0 },
};

static bool csv_init(struct stanza_operator *operator, struct error * err)
{
    struct csv_parser *self = (struct csv_parser *)operator;
    bool has_header = self->header != NULL && *self->header != '\0',
         has_attribute = self->header_attribute != NULL && *self->header_attribute != '\0';

    if (has_header == has_attribute)
        return fail(err, "set either header or header_attribute");
    if (self->header_delimiter == NULL || *self->header_delimiter == '\0')
        self->header_delimiter = self->delimiter;
    if (strlen(self->delimiter) != 1 || strlen(self->header_delimiter) != 1)
        return fail(err, "delimiter: expected one character");
    if (self->lazy_quotes && self->ignore_quotes)
        return fail(err, "set only one of lazy_quotes and ignore_quotes");
    if (has_header && strchr(self->header, self->header_delimiter[0]) == NULL)
        return fail(err, "header \"%s\": there is no \"%s\" in it", self->header, self->header_delimiter);
    return stanza_parser_init(&self->parser, err);
}

struct csv_row {
    struct csv_parser *self;
    struct stanza_memory *memory;
    struct slice text;
    size_t at;
};

/* A column in quotes, from behind the first one; doubled quotes stand for one. */
static bool read_quoted(struct csv_row *row, struct slice *column)
{
    uint8_t *out = stanza_alloc(row->memory, row->text.size - row->at + 1);
    size_t size = 0;
    char delimiter = row->self->delimiter[0];

    for (; out != NULL && row->at < row->text.size; row->at++) {
        uint8_t c = row->text.data[row->at];
        if (c == '"' && row->at + 1 < row->text.size && row->text.data[row->at + 1] == '"') {
            row->at++;
        } else if (c == '"' && (row->at + 1 == row->text.size || row->text.data[row->at + 1] == (uint8_t)delimiter)) {
            row->at++;
            *column = slice_of(out, size);
            return true;
        } else if (c == '"' && !row->self->lazy_quotes) {
            stanza_fail(&row->self->parser.base, "a quote within a column");
            return false;
        }
        out[size++] = row->text.data[row->at];
    }
    if (out != NULL && row->self->lazy_quotes) {
        *column = slice_of(out, size);
        return true;
    }
    stanza_fail(&row->self->parser.base, "a quote is missing");
    return false;
}

/* The next column; behind it `at` is on the delimiter, or at the end. */
static bool read_column(struct csv_row *row, struct slice *column)
{
    const uint8_t *start = row->text.data + row->at, *end;

    if (!row->self->ignore_quotes && row->at < row->text.size && *start == '"') {
        row->at++;
        return read_quoted(row, column);
    }
    end = row->at < row->text.size ? memchr(start, row->self->delimiter[0], row->text.size - row->at) : NULL;
    *column = slice_of(start, end != NULL ? (size_t)(end - start) : row->text.size - row->at);
    row->at += column->size;
    if (row->self->ignore_quotes || row->self->lazy_quotes || column->size == 0 || memchr(column->data, '"', column->size) == NULL)
        return true;
    stanza_fail(&row->self->parser.base, "a quote within a column");
    return false;
}

static bool header_of(struct csv_parser *self, const struct stanza_record *record, struct slice *header)
{
    const struct stanza_value *value;

    *header = slice_of_string(self->header);
    if (self->header != NULL && *self->header != '\0')
        return true;
    value = stanza_map_get(&record->attributes, slice_of_string(self->header_attribute));
    if (value == NULL || value->kind != STANZA_STRING) {
        stanza_fail(&self->parser.base, "there is no attribute \"%s\" with the header", self->header_attribute);
        return false;
    }
    *header = value->bytes;
    return true;
}

static bool read_row(struct csv_row *row, struct slice header, struct stanza_map *map)
{
    struct slice column;
    size_t columns = 0;
    bool more = true;

    while (more) {
        const uint8_t *end = header.data != NULL ? memchr(header.data, row->self->header_delimiter[0], header.size) : NULL;
        struct slice name = slice_of(header.data, end != NULL ? (size_t)(end - header.data) : header.size);
        if (header.data == NULL || (columns++ > 0 && row->at > row->text.size)) {
            stanza_fail(&row->self->parser.base, "not as many columns as the header has names");
            return false;
        }
        if (!read_column(row, &column))
            return false;
        if (!stanza_map_set(row->memory, map, slice_trim(name), stanza_string(column))) {
            stanza_fail(&row->self->parser.base, "the record is too large");
            return false;
        }
        more = row->at < row->text.size;
        row->at += more;
        header = end != NULL ? slice_of(end + 1, header.size - name.size - 1) : slice_of(NULL, 0);
    }
    if (header.data == NULL)
        return true;
    stanza_fail(&row->self->parser.base, "not as many columns as the header has names");
    return false;
}

static enum stanza_step csv_process(struct stanza_operator *operator, struct stanza_record * record)
{
    struct csv_parser *self = (struct csv_parser *)operator;
    struct csv_row row = { .self = self, .memory = record->memory };
    struct stanza_value map = stanza_map_create(record->memory);
    struct slice header;

    if (map.kind == STANZA_NIL)
        return stanza_fail(operator, "the record is too large");
    if (!stanza_parser_text(&self->parser, record, &row.text) || !header_of(self, record, &header) || !read_row(&row, header, map.map))
        return STANZA_FAILED;
    return stanza_parser_finish(&self->parser, record, map);
}

const struct stanza_operator_type stanza_csv_parser = {
    .name = "csv_parser", .options = csv_options, .size = sizeof(struct csv_parser), .init = csv_init, .process = csv_process
};

/* ---- uri_parser ---- */

static const struct option uri_options[] = { PARSER_OPTIONS, { 0 } };

static int digit(uint8_t c)
{
    if (c >= '0' && c <= '9')
        return c - '0';
    c |= 0x20;
    return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

static bool decode(struct stanza_record *record, struct slice text, bool plus, struct slice *out)
{
    uint8_t *plain = stanza_alloc(record->memory, text.size + 1);
    size_t size = 0;

    for (size_t i = 0; plain != NULL && i < text.size; i++) {
        plain[size] = plus && text.data[i] == '+' ? ' ' : text.data[i];
        if (text.data[i] == '%') {
            if (i + 2 >= text.size || digit(text.data[i + 1]) < 0 || digit(text.data[i + 2]) < 0)
                return false;
            plain[size] = (uint8_t)(digit(text.data[i + 1]) << 4 | digit(text.data[i + 2]));
            i += 2;
        }
        size++;
    }
    *out = slice_of(plain, size);
    return plain != NULL;
}

static bool put_query_value(struct stanza_record *record, struct stanza_map *query, struct slice pair)
{
    const uint8_t *equal = memchr(pair.data, '=', pair.size);
    struct slice key = slice_of(pair.data, equal != NULL ? (size_t)(equal - pair.data) : pair.size), value = SLICE("");
    struct stanza_value *there, list;

    if (!decode(record, key, true, &key) ||
        (equal != NULL && !decode(record, slice_of(equal + 1, (size_t)(pair.data + pair.size - equal - 1)), true, &value)))
        return false;
    there = stanza_map_get(query, key);
    list = there != NULL ? *there : stanza_list_create(record->memory);
    return list.kind == STANZA_LIST && stanza_list_add(record->memory, list.list, stanza_string(value)) &&
           stanza_map_set(record->memory, query, key, list);
}

static bool put_query(struct stanza_record *record, struct stanza_map *map, struct slice text)
{
    struct stanza_value query = stanza_map_create(record->memory);

    while (query.kind == STANZA_MAP && text.size > 0) {
        const uint8_t *end = memchr(text.data, '&', text.size);
        size_t size = end != NULL ? (size_t)(end - text.data) : text.size;
        if (size > 0 && !put_query_value(record, query.map, slice_of(text.data, size)))
            return false;
        text = slice_of(text.data + size + (end != NULL), text.size - size - (end != NULL));
    }
    return query.kind == STANZA_MAP && (query.map->count == 0 || stanza_map_set(record->memory, map, SLICE("query"), query));
}

static bool put_part(struct stanza_record *record, struct stanza_map *map, struct slice key, struct slice value)
{
    return value.size == 0 || stanza_map_set(record->memory, map, key, stanza_string(value));
}

/* user@host:port */
static bool put_authority(struct stanza_record *record, struct stanza_map *map, struct slice text)
{
    const uint8_t *at = text.size > 0 ? memrchr(text.data, '@', text.size) : NULL, *colon;
    struct slice user, host = text, port = { NULL, 0 };

    if (at != NULL) {
        user = slice_of(text.data, (size_t)(at - text.data));
        colon = user.size > 0 ? memchr(user.data, ':', user.size) : NULL;
        if (colon != NULL)
            user.size = (size_t)(colon - user.data);
        if (!put_part(record, map, SLICE("user"), user))
            return false;
        host = slice_of(at + 1, text.size - (size_t)(at - text.data) - 1);
    }
    colon = host.size > 0 ? memrchr(host.data, ':', host.size) : NULL;
    if (colon != NULL && memchr(colon, ']', (size_t)(host.data + host.size - colon)) == NULL) {
        port = slice_of(colon + 1, (size_t)(host.data + host.size - colon) - 1);
        host.size = (size_t)(colon - host.data);
    }
    if (host.size >= 2 && host.data[0] == '[' && host.data[host.size - 1] == ']')
        host = slice_of(host.data + 1, host.size - 2);
    for (size_t i = 0; i < port.size; i++) {
        if (port.data[i] < '0' || port.data[i] > '9')
            return false;
    }
    return put_part(record, map, SLICE("host"), host) && put_part(record, map, SLICE("port"), port);
}

static size_t scheme_length(struct slice text)
{
    size_t i = 0;

    while (i < text.size && ((text.data[i] | 0x20) >= 'a' && (text.data[i] | 0x20) <= 'z'
                                    ? true
                                    : i > 0 && text.data[i] != 0 && strchr("0123456789+-.", text.data[i]) != NULL))
        i++;
    return i > 0 && i < text.size && text.data[i] == ':' ? i : 0;
}

static bool read_uri(struct stanza_record *record, struct slice text, struct stanza_map *map)
{
    const uint8_t *end = text.size > 0 ? memchr(text.data, '#', text.size) : NULL;
    struct slice query = { NULL, 0 }, path;
    size_t size = scheme_length(text);

    text.size = end != NULL ? (size_t)(end - text.data) : text.size;
    if (size > 0) {
        if (!put_part(record, map, SLICE("scheme"), slice_of(text.data, size)))
            return false;
        text = slice_of(text.data + size + 1, text.size - size - 1);
    }
    end = text.size > 0 ? memchr(text.data, '?', text.size) : NULL;
    if (end != NULL) {
        query = slice_of(end + 1, text.size - (size_t)(end - text.data) - 1);
        text.size = (size_t)(end - text.data);
    }
    if (text.size >= 2 && text.data[0] == '/' && text.data[1] == '/') {
        text = slice_of(text.data + 2, text.size - 2);
        end = text.size > 0 ? memchr(text.data, '/', text.size) : NULL;
        size = end != NULL ? (size_t)(end - text.data) : text.size;
        if (!put_authority(record, map, slice_of(text.data, size)))
            return false;
        text = slice_of(text.data + size, text.size - size);
    }
    return decode(record, text, false, &path) && put_part(record, map, SLICE("path"), path) && put_query(record, map, query);
}

static bool uri_init(struct stanza_operator *operator, struct error * err)
{
    return stanza_parser_init((struct stanza_parser *)operator, err);
}

static enum stanza_step uri_process(struct stanza_operator *operator, struct stanza_record * record)
{
    struct stanza_parser *self = (struct stanza_parser *)operator;
    struct stanza_value map = stanza_map_create(record->memory);
    struct slice text;

    if (!stanza_parser_text(self, record, &text))
        return STANZA_FAILED;
    for (size_t i = 0; i < text.size; i++) {
        if (text.data[i] < 0x20 || text.data[i] == 0x7f)
            return stanza_fail(operator, "a control character in a URI");
    }
    if (map.kind == STANZA_NIL || !read_uri(record, text, map.map))
        return stanza_fail(operator, "not a URI");
    return stanza_parser_finish(self, record, map);
}

const struct stanza_operator_type stanza_uri_parser = {
    .name = "uri_parser", .options = uri_options, .size = sizeof(struct stanza_parser), .init = uri_init, .process = uri_process
};
