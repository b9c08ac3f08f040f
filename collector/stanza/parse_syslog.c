/* syslog_parser: RFC 3164 and RFC 5424. What is found is borrowed from the message, but for escapes in structured data. */
#include "collector/base/clock.h"
#include "collector/ottl/calendar.h"
#include "collector/stanza/operator.h"

struct syslog_parser {
    struct stanza_parser parser;
    int protocol;
    const char *location, *trailer;
    bool octet_counting, skip_priority;
    struct stanza_layout stamp; /* of RFC 3164 */
};

enum { RFC3164, RFC5424 };

#define SYSLOG(field) offsetof(struct syslog_parser, field)
static const struct option options[] = {
    { "", OPTION_INCLUDE, 0, NULL, NULL, NULL, stanza_parser_options },
    { "protocol", OPTION_ENUM, SYSLOG(protocol), NULL, "rfc3164|rfc5424", "how messages are written", .flags = OPTION_REQUIRED },
    { "location", OPTION_STRING, SYSLOG(location), "UTC", NULL, "time zone of RFC 3164's times" },
    { "enable_octet_counting", OPTION_BOOL, SYSLOG(octet_counting), "false", NULL, "the message begins with its length (RFC 6587)" },
    { "allow_skip_pri_header", OPTION_BOOL, SYSLOG(skip_priority), "false", NULL, "a message may have no priority" },
    { "non_transparent_framing_trailer", OPTION_STRING, SYSLOG(trailer), NULL, "|LF|NUL", "what ends the message" },
    { "max_octets", OPTION_IGNORED, 0, NULL, NULL, "whatever carried the message bounds it" },
    { 0 },
};

static bool syslog_init(struct stanza_operator *operator, struct error * err)
{
    struct syslog_parser *self = (struct syslog_parser *)operator;

    self->stamp.type = STANZA_STRPTIME;
    return stanza_parser_init(&self->parser, err) &&
           stanza_layout_init(&self->stamp, operator->arena, "%b %e %H:%M:%S", self->location, err);
}

struct message {
    struct syslog_parser *self;
    struct stanza_record *record;
    struct stanza_map *map;
    struct slice rest;
    int severity; /* -1: none */
};

static bool misfit(struct message *message, const char *what)
{
    stanza_fail(&message->self->parser.base, "%s at \"%.*s\"", what, (int)(message->rest.size < 40 ? message->rest.size : 40),
        (const char *)message->rest.data);
    return false;
}

static void skip(struct message *message, size_t size)
{
    message->rest = slice_of(message->rest.data + size, message->rest.size - size);
}

static bool set(struct message *message, struct slice key, struct stanza_value value)
{
    return stanza_map_set(message->record->memory, message->map, key, value) || misfit(message, "the record is too large");
}

static bool set_text(struct message *message, struct slice key, struct slice text)
{
    return text.size == 0 || set(message, key, stanza_string(text));
}

/* Up to the next space, and that passed over. */
static struct slice take_word(struct message *message)
{
    const uint8_t *space = message->rest.size > 0 ? memchr(message->rest.data, ' ', message->rest.size) : NULL;
    struct slice word = slice_of(message->rest.data, space != NULL ? (size_t)(space - message->rest.data) : message->rest.size);

    skip(message, word.size + (space != NULL));
    return word;
}

static bool read_number(struct message *message, int most, int *value)
{
    size_t digits = 0;

    *value = 0;
    while (digits < message->rest.size && digits < 9 && message->rest.data[digits] >= '0' && message->rest.data[digits] <= '9')
        *value = *value * 10 + message->rest.data[digits++] - '0';
    skip(message, digits);
    return digits > 0 && *value <= most;
}

/* <34> */
static bool read_priority(struct message *message)
{
    int priority;

    message->severity = -1;
    if (message->rest.size > 0 && message->rest.data[0] != '<' && message->self->skip_priority)
        return true;
    if (message->rest.size == 0 || message->rest.data[0] != '<')
        return misfit(message, "expected a priority");
    skip(message, 1);
    if (!read_number(message, 191, &priority) || message->rest.size == 0 || message->rest.data[0] != '>')
        return misfit(message, "expected a priority of 0 to 191");
    skip(message, 1);
    message->severity = priority & 7;
    return set(message, SLICE("priority"), stanza_int(priority)) && set(message, SLICE("facility"), stanza_int(priority >> 3));
}

static bool set_time(struct message *message, uint64_t time_ns)
{
    message->record->time_ns = time_ns;
    return true;
}

/* ---- RFC 3164 ---- */

static bool read_stamp(struct message *message)
{
    struct stanza_value text = stanza_string(slice_of(message->rest.data, 15));
    const char *problem;
    uint64_t time_ns;

    if (message->rest.size >= 16 && message->rest.data[15] == ' ' &&
        stanza_layout_read(&message->self->stamp, &text, message->record->observed_ns, &time_ns, &problem)) {
        skip(message, 16);
        return set_time(message, time_ns);
    }
    struct message ahead = *message; /* many senders write RFC 3339 instead */
    if (stanza_read_rfc3339(take_word(&ahead), &time_ns)) {
        *message = ahead;
        return set_time(message, time_ns);
    }
    return misfit(message, "expected a time (Nov 21 06:07:08)");
}

/* TAG[PID]: text; a message without one is all text. */
static bool read_tag(struct message *message)
{
    struct slice text = message->rest;
    size_t end = 0, bracket;

    while (end < text.size && end < 128 && strchr(" :[", text.data[end]) == NULL)
        end++;
    if (end == 0 || end == text.size || (text.data[end] != ':' && text.data[end] != '['))
        return true;
    bracket = end;
    if (text.data[end] == '[') {
        const uint8_t *closing = memchr(text.data + end, ']', text.size - end);
        if (closing == NULL)
            return true;
        bracket = (size_t)(closing - text.data);
        if (!set_text(message, SLICE("proc_id"), slice_of(text.data + end + 1, bracket - end - 1)))
            return false;
        bracket++;
    }
    skip(message, bracket);
    if (message->rest.size > 0 && message->rest.data[0] == ':')
        skip(message, 1);
    if (message->rest.size > 0 && message->rest.data[0] == ' ')
        skip(message, 1);
    return set_text(message, SLICE("appname"), slice_of(text.data, end));
}

static bool read_3164(struct message *message)
{
    return read_priority(message) && read_stamp(message) && set_text(message, SLICE("hostname"), take_word(message)) && read_tag(message) &&
           set_text(message, SLICE("message"), message->rest);
}

/* ---- RFC 5424 ---- */

static bool set_word(struct message *message, struct slice key, size_t most)
{
    struct slice word = take_word(message);

    if (word.size == 0 || word.size > most)
        return misfit(message, "an empty or too long field");
    return slice_equal(word, SLICE("-")) || set_text(message, key, word);
}

/* "value" behind name=; escapes of ", \ and ] are undone. */
static bool read_parameter(struct message *message, struct slice *value)
{
    size_t end = 1;
    bool escaped = false;
    uint8_t *plain;

    for (; end < message->rest.size && message->rest.data[end] != '"'; end++) {
        if (message->rest.data[end] != '\\' || end + 1 >= message->rest.size)
            continue;
        escaped = true;
        end++;
    }
    if (message->rest.size == 0 || message->rest.data[0] != '"' || end >= message->rest.size)
        return misfit(message, "expected a quoted value");
    *value = slice_of(message->rest.data + 1, end - 1);
    skip(message, end + 1);
    if (!escaped)
        return true;
    plain = stanza_alloc(message->record->memory, value->size);
    if (plain == NULL)
        return misfit(message, "the record is too large");
    size_t size = 0;
    for (size_t i = 0; i < value->size; i++) {
        i += value->data[i] == '\\' && i + 1 < value->size && strchr("\"\\]", value->data[i + 1]) != NULL;
        plain[size++] = value->data[i];
    }
    *value = slice_of(plain, size);
    return true;
}

static size_t name_length(const struct message *message)
{
    size_t i = 0;

    while (i < message->rest.size && message->rest.data[i] > ' ' && message->rest.data[i] < 127 &&
           strchr("=]\"", message->rest.data[i]) == NULL)
        i++;
    return i;
}

static bool read_element(struct message *message, struct stanza_map *all)
{
    struct stanza_value element = stanza_map_create(message->record->memory);
    size_t size = name_length(message);
    struct slice name, value;

    if (size == 0 || size > 255 || element.kind == STANZA_NIL)
        return misfit(message, "expected the name of structured data");
    if (!stanza_map_set(message->record->memory, all, slice_of(message->rest.data, size), element))
        return misfit(message, "the record is too large");
    skip(message, size);
    while (message->rest.size > 0 && message->rest.data[0] == ' ') {
        skip(message, 1);
        size = name_length(message);
        name = slice_of(message->rest.data, size);
        skip(message, size);
        if (size == 0 || message->rest.size == 0 || message->rest.data[0] != '=')
            return misfit(message, "expected NAME=\"VALUE\"");
        skip(message, 1);
        if (!read_parameter(message, &value) || !stanza_map_set(message->record->memory, element.map, name, stanza_string(value)))
            return message->self->parser.base.problem[0] != '\0' ? false : misfit(message, "the record is too large");
    }
    if (message->rest.size == 0 || message->rest.data[0] != ']')
        return misfit(message, "expected \"]\"");
    skip(message, 1);
    return true;
}

static bool read_structured(struct message *message)
{
    struct stanza_value all = stanza_map_create(message->record->memory);

    if (message->rest.size > 0 && message->rest.data[0] == '-') {
        skip(message, 1);
        return true;
    }
    if (message->rest.size == 0 || message->rest.data[0] != '[' || all.kind == STANZA_NIL)
        return misfit(message, "expected structured data, or \"-\"");
    while (message->rest.size > 0 && message->rest.data[0] == '[') {
        skip(message, 1);
        if (!read_element(message, all.map))
            return false;
    }
    return set(message, SLICE("structured_data"), all);
}

static bool read_5424(struct message *message)
{
    struct slice time;
    uint64_t time_ns;
    int version;

    if (!read_priority(message))
        return false;
    if (!read_number(message, 999, &version) || version == 0 || message->rest.size == 0 || message->rest.data[0] != ' ')
        return misfit(message, "expected a version");
    skip(message, 1);
    time = take_word(message);
    if (!slice_equal(time, SLICE("-")) && !stanza_read_rfc3339(time, &time_ns))
        return misfit(message, "expected a time (RFC 3339), before this");
    if (time.size > 1)
        set_time(message, time_ns);
    if (!set(message, SLICE("version"), stanza_int(version)) || !set_word(message, SLICE("hostname"), 255) ||
        !set_word(message, SLICE("appname"), 48) || !set_word(message, SLICE("proc_id"), 128) || !set_word(message, SLICE("msg_id"), 32) ||
        !read_structured(message))
        return false;
    if (message->rest.size > 0 && message->rest.data[0] != ' ')
        return misfit(message, "expected a space before the message");
    if (message->rest.size > 0)
        skip(message, 1);
    if (slice_starts_with(message->rest, SLICE("\xef\xbb\xbf")))
        skip(message, 3);
    return set_text(message, SLICE("message"), message->rest);
}

/* ---- both ---- */

static void set_severity(struct message *message)
{
    static const uint8_t numbers[] = { 21, 19, 18, 17, 13, 10, 9, 5 };
    static const char *const texts[] = { "emerg", "alert", "crit", "err", "warning", "notice", "info", "debug" };

    if (message->severity < 0 || message->self->parser.severity_present)
        return;
    message->record->severity = numbers[message->severity];
    message->record->severity_text = slice_of_string(texts[message->severity]);
}

static bool unframe(struct message *message)
{
    int size;

    if (message->self->octet_counting) {
        if (!read_number(message, 999999999, &size) || message->rest.size == 0 || message->rest.data[0] != ' ')
            return misfit(message, "expected the message's length");
        skip(message, 1);
        if ((size_t)size > message->rest.size)
            return misfit(message, "the message is shorter than its length says");
        message->rest.size = (size_t)size;
    }
    if (message->self->trailer != NULL && *message->self->trailer != '\0' && message->rest.size > 0 &&
        message->rest.data[message->rest.size - 1] == (message->self->trailer[0] == 'L' ? '\n' : '\0'))
        message->rest.size--;
    return true;
}

static enum stanza_step syslog_process(struct stanza_operator *operator, struct stanza_record * record)
{
    struct syslog_parser *self = (struct syslog_parser *)operator;
    struct stanza_value map = stanza_map_create(record->memory);
    struct message message = { .self = self, .record = record, .map = map.map };
    uint64_t time_ns = record->time_ns;
    bool read;

    self->parser.base.problem[0] = '\0';
    if (map.kind == STANZA_NIL)
        return stanza_fail(operator, "the record is too large");
    if (!stanza_parser_text(&self->parser, record, &message.rest))
        return STANZA_FAILED;
    read = unframe(&message) && (self->protocol == RFC3164 ? read_3164(&message) : read_5424(&message));
    if (!read) {
        record->time_ns = time_ns;
        return STANZA_FAILED;
    }
    set_severity(&message);
    return stanza_parser_finish(&self->parser, record, map);
}

const struct stanza_operator_type stanza_syslog_parser = {
    .name = "syslog_parser", .options = options, .size = sizeof(struct syslog_parser), .init = syslog_init, .process = syslog_process
};
