/*
 * Cost: a scan and a copy. A field that says something this receiver does not know is refused with the line.
 * Field numbers: opentelemetry-proto 1.9, logs/v1.
 */
#include "receivers/statsd/event.h"

#include "collector/wire/metric_write.h"
#include "collector/wire/utf8.h"
#include "receivers/statsd/line.h"

enum { LOG_TIME = 1, LOG_SEVERITY = 2, LOG_SEVERITY_TEXT = 3, LOG_BODY = 5, LOG_OBSERVED = 11, LOG_EVENT_NAME = 12 };
enum { SEVERITY_INFO = 9, SEVERITY_WARN = 13, SEVERITY_ERROR = 17 };
enum { MAX_DIGITS = 10, FIELDS = 16 };

struct record {
    struct slice title, text; /* of an event */
    struct slice check, message;
    struct slice date, host, key, priority, source, alert, tags, container;
    int64_t status; /* of a service check; -1: an event */
};

bool statsd_is_event(struct slice line)
{
    return slice_starts_with(line, SLICE("_e{")) || slice_starts_with(line, SLICE("_sc|"));
}

static bool digits(struct slice text, uint64_t *value)
{
    *value = 0;
    if (text.size == 0 || text.size > MAX_DIGITS)
        return false;
    for (size_t i = 0; i < text.size; i++) {
        if (text.data[i] < '0' || text.data[i] > '9')
            return false;
        *value = *value * 10 + (uint64_t)(text.data[i] - '0');
    }
    return true;
}

static bool field(struct slice part, struct record *record)
{
    const struct {
        char letter;
        struct slice *to;
    } fields[] = { { 'd', &record->date }, { 'h', &record->host }, { 'k', &record->key }, { 'p', &record->priority },
        { 's', &record->source }, { 't', &record->alert }, { 'm', &record->message }, { 'c', &record->container }, { 'e', NULL } };

    if (part.size > 0 && part.data[0] == '#') {
        record->tags = slice_of(part.data + 1, part.size - 1);
        return true;
    }
    if (part.size < 2 || part.data[1] != ':')
        return false;
    for (size_t i = 0; i < sizeof(fields) / sizeof(fields[0]); i++) {
        if (part.data[0] != (uint8_t)fields[i].letter)
            continue;
        if (fields[i].to != NULL)
            *fields[i].to = slice_of(part.data + 2, part.size - 2);
        return true;
    }
    return false;
}

static bool fields_of(struct slice rest, struct record *record)
{
    struct slice part;

    for (int i = 0; i < FIELDS && statsd_next_item(&rest, '|', &part); i++) {
        /* A service check's message is the last field, and may hold anything. */
        if (record->status >= 0 && slice_starts_with(part, SLICE("m:"))) {
            record->message = slice_of(part.data + 2, part.size - 2 + (rest.data != NULL ? rest.size + 1 : 0));
            return true;
        }
        if (!field(part, record))
            return false;
    }
    return rest.data == NULL;
}

/* "_e{5,4}:title|text" and what is behind it; the sizes are bytes. */
static const char *parse_event(struct slice line, struct record *record)
{
    struct slice rest = slice_of(line.data + 3, line.size - 3), first, second;
    uint64_t title, text;

    record->status = -1;
    if (!statsd_next_item(&rest, ',', &first) || !statsd_next_item(&rest, '}', &second) || rest.data == NULL)
        return "bad_event";
    if (!digits(first, &title) || !digits(second, &text) || title == 0 || rest.size < 1 || rest.data[0] != ':')
        return "bad_event";
    rest = slice_of(rest.data + 1, rest.size - 1);
    if (rest.size < title + 1 + text || rest.data[title] != '|')
        return "bad_event";
    record->title = slice_of(rest.data, title);
    record->text = slice_of(rest.data + title + 1, text);
    rest = slice_of(rest.data + title + 1 + text, rest.size - title - 1 - text);
    if (rest.size == 0)
        return NULL;
    return rest.data[0] == '|' && fields_of(slice_of(rest.data + 1, rest.size - 1), record) ? NULL : "bad_event";
}

static const char *parse_check(struct slice line, struct record *record)
{
    struct slice rest = slice_of(line.data + 4, line.size - 4), status;

    if (!statsd_next_item(&rest, '|', &record->check) || record->check.size == 0 || rest.data == NULL)
        return "bad_service_check";
    statsd_next_item(&rest, '|', &status);
    if (status.size != 1 || status.data[0] < '0' || status.data[0] > '3')
        return "bad_service_check";
    record->status = status.data[0] - '0';
    return rest.data == NULL || fields_of(rest, record) ? NULL : "bad_service_check";
}

/* ---- writing ---- */

static void put(struct buffer *out, struct slice key, struct slice value)
{
    if (value.size > 0)
        metric_write_attribute(out, OTLP_ATTRIBUTES_OF_LOG, key, value);
}

static const char *put_tags(struct buffer *out, struct slice list)
{
    struct slice item, key;

    for (int i = 0; statsd_next_item(&list, ',', &item); i++) {
        if (i >= STATSD_MAX_TAGS)
            return "too_many_tags";
        if (item.size == 0)
            continue;
        statsd_next_item(&item, ':', &key);
        if (key.size > 0)
            metric_write_attribute(out, OTLP_ATTRIBUTES_OF_LOG, key, item);
    }
    return NULL;
}

static unsigned severity(const struct record *record)
{
    static const uint8_t of_status[] = { SEVERITY_INFO, SEVERITY_WARN, SEVERITY_ERROR, 0 };

    if (record->status >= 0)
        return of_status[record->status];
    if (slice_equal(record->alert, SLICE("error")))
        return SEVERITY_ERROR;
    return slice_equal(record->alert, SLICE("warning")) ? SEVERITY_WARN : SEVERITY_INFO;
}

static struct slice severity_text(const struct record *record)
{
    static const struct slice of_status[] = { SLICE_INIT("OK"), SLICE_INIT("WARNING"), SLICE_INIT("CRITICAL"), SLICE_INIT("UNKNOWN") };

    return record->status >= 0 ? of_status[record->status] : record->alert;
}

/* A text's line breaks are written as "\n". */
static void put_body(struct buffer *out, struct slice text)
{
    size_t body = pb_open(out, LOG_BODY), string = pb_open(out, OTLP_VALUE_STRING);

    for (size_t i = 0; i < text.size; i++) {
        bool is_break = text.data[i] == '\\' && i + 1 < text.size && text.data[i + 1] == 'n';

        buffer_append_byte(out, is_break ? '\n' : text.data[i]);
        i += is_break;
    }
    pb_close(out, string);
    pb_close(out, body);
}

static const char *put_attributes(struct buffer *out, const struct record *record)
{
    put(out, SLICE("host.name"), record->host);
    put(out, SLICE("container.id"), record->container);
    put(out, SLICE("dogstatsd.event.title"), record->title);
    put(out, SLICE("dogstatsd.event.aggregation_key"), record->key);
    put(out, SLICE("dogstatsd.event.priority"), record->priority);
    put(out, SLICE("dogstatsd.event.source_type"), record->source);
    put(out, SLICE("dogstatsd.event.alert_type"), record->alert);
    put(out, SLICE("dogstatsd.service_check.name"), record->check);
    if (record->status >= 0)
        metric_write_int_attribute(out, OTLP_ATTRIBUTES_OF_LOG, SLICE("dogstatsd.service_check.status"), record->status);
    return put_tags(out, record->tags);
}

const char *statsd_event(struct slice line, uint64_t now_ns, struct buffer *records)
{
    struct record record = { .status = 0 };
    size_t before = records->size, mark;
    uint64_t seconds = 0;
    const char *fault;

    if (line.size > STATSD_MAX_LINE)
        return "too_long";
    if (!utf8_is_valid(line))
        return "not_utf8";
    fault = slice_starts_with(line, SLICE("_sc|")) ? parse_check(line, &record) : parse_event(line, &record);
    if (fault == NULL && record.date.size > 0 && !digits(record.date, &seconds))
        fault = "bad_timestamp";
    if (fault != NULL)
        return fault;
    mark = pb_open(records, 2);
    pb_put_fixed64(records, LOG_TIME, seconds > 0 ? seconds * 1000000000U : now_ns);
    pb_put_varint(records, LOG_SEVERITY, severity(&record));
    pb_put_bytes(records, LOG_SEVERITY_TEXT, severity_text(&record));
    put_body(records, record.status >= 0 ? record.message : record.text);
    fault = put_attributes(records, &record);
    pb_put_fixed64(records, LOG_OBSERVED, now_ns);
    pb_put_bytes(records, LOG_EVENT_NAME, record.status >= 0 ? SLICE("dogstatsd.service_check") : SLICE("dogstatsd.event"));
    pb_close(records, mark);
    if (fault != NULL)
        records->size = before;
    return records->failed ? "memory" : fault;
}

void statsd_events_request(struct slice records, struct buffer *out)
{
    size_t group = pb_open(out, 1), scopes = pb_open(out, 2), scope = pb_open(out, 1);

    pb_put_bytes(out, 1, SLICE("weir/statsd"));
    pb_put_bytes(out, 2, SLICE(WEIR_VERSION));
    pb_close(out, scope);
    buffer_append_slice(out, records);
    pb_close(out, scopes);
    pb_close(out, group);
}
