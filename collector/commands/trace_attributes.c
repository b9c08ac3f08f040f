/*
 * Which attributes of a record are shown: those that tell what a call was, in the order of this list, but not what the span's name or the
 * URL says already; then others as far as there is room for them. Names: OpenTelemetry's semantic conventions, the stable ones and those that they replaced.
 */
#include "collector/commands/trace_print.h"

#include "collector/commands/print.h"

enum { SHOWN_OTHERS = 4, VALUE_MAX = 60, KEY_MAX = 80, KEPT_MAX = 64 };

static const char *const telling[] = {
    "error.type",
    "exception.type",
    "exception.message",
    "http.request.method",
    "http.method",
    "http.response.status_code",
    "http.status_code",
    "http.route",
    "url.full",
    "http.url",
    "url.path",
    "http.target",
    "rpc.system",
    "rpc.service",
    "rpc.method",
    "rpc.response.status_code",
    "rpc.grpc.status_code",
    "db.system.name",
    "db.system",
    "db.namespace",
    "db.name",
    "db.operation.name",
    "db.operation",
    "db.collection.name",
    "db.query.text",
    "db.statement",
    "messaging.system",
    "messaging.operation.name",
    "messaging.operation",
    "messaging.destination.name",
    "messaging.kafka.message.key",
    "messaging.destination.partition.id",
    "messaging.kafka.offset",
    "messaging.batch.message_count",
    "faas.trigger",
    "graphql.operation.name",
    "peer.service",
    "service.peer.name",
    "server.address",
    "server.port",
    "net.peer.name",
    "net.peer.port",
};

enum { TELLING = sizeof(telling) / sizeof(telling[0]) };

static size_t rank_of(struct slice key)
{
    for (size_t i = 0; i < TELLING; i++)
        if (slice_equal_string(key, telling[i]))
            return i;
    return TELLING;
}

struct kept {
    struct otlp_attribute attribute;
    size_t rank;
};

/* By rank, as they stand within one. Few: insertion. */
static void keep(struct kept *kept, size_t *count, const struct otlp_attribute *attribute)
{
    size_t rank = rank_of(attribute->key), at = *count;

    if (*count == KEPT_MAX && kept[*count - 1].rank <= rank)
        return;
    if (*count == KEPT_MAX)
        at = --*count;
    for (; at > 0 && kept[at - 1].rank > rank; at--)
        kept[at] = kept[at - 1];
    kept[at] = (struct kept){ *attribute, rank };
    ++*count;
}

/* The content of the AnyValue in a KeyValue's field. */
static struct slice value_of(struct slice raw)
{
    struct pb_reader reader = pb_reader_of(raw), inner;
    struct pb_field field;
    struct slice value = { NULL, 0 };

    if (!pb_next(&reader, &field))
        return value;
    inner = pb_reader_of(field.bytes);
    while (pb_next(&inner, &field))
        if (field.number == 2 && field.type == PB_BYTES)
            value = field.bytes;
    return value;
}

/* A run of whole words of the name. */
static bool in_name(struct slice name, struct slice text)
{
    for (const uint8_t *at = name.data; text.size > 0 && at != NULL && name.size >= text.size;) {
        const uint8_t *end;

        at = memmem(at, (size_t)(name.data + name.size - at), text.data, text.size);
        if (at == NULL)
            return false;
        end = at + text.size;
        if ((at == name.data || at[-1] == ' ') && (end == name.data + name.size || *end == ' '))
            return true;
        at++;
    }
    return false;
}

/* Both are shown with the address and the port in them. */
static bool is_url(struct slice key)
{
    return slice_equal_string(key, "url.full") || slice_equal_string(key, "http.url");
}

static bool in_url(struct slice key)
{
    return slice_equal_string(key, "server.address") || slice_equal_string(key, "server.port") ||
           slice_equal_string(key, "net.peer.name") || slice_equal_string(key, "net.peer.port");
}

/* Leaves out what is said elsewhere; returns how many are left. */
static size_t drop_repeated(struct kept *kept, size_t count, struct slice name)
{
    size_t left = 0;
    bool url = false;

    for (size_t i = 0; i < count; i++) {
        const struct otlp_attribute *attribute = &kept[i].attribute;
        url |= is_url(attribute->key);
        if (kept[i].rank < TELLING &&
            ((url && in_url(attribute->key)) || (attribute->value.kind == OTLP_VALUE_STRING && in_name(name, attribute->value.bytes))))
            continue;
        kept[left++] = kept[i];
    }
    return left;
}

void trace_print_attributes(struct trace_attributes attributes, struct buffer *out)
{
    struct otlp_attributes reader = otlp_attributes(attributes.message, attributes.field);
    struct otlp_attribute attribute;
    struct kept kept[KEPT_MAX];
    size_t count = 0, others = 0, shown = 0, all = 0;
    bool full = attributes.style.all_attributes;

    for (; otlp_next_attribute(&reader, &attribute); all++)
        keep(kept, &count, &attribute);
    if (!full) {
        all -= count;
        count = drop_repeated(kept, count, attributes.name);
        all += count;
    }
    for (size_t i = 0; i < count; i++) {
        others += kept[i].rank == TELLING;
        if (!full && others > 0 && shown >= SHOWN_OTHERS)
            break;
        buffer_append_string(out, shown++ == 0 ? " {" : ", ");
        print_text(out, kept[i].attribute.key, KEY_MAX);
        buffer_append_byte(out, '=');
        print_value(out, value_of(kept[i].attribute.raw), full ? 0 : VALUE_MAX);
    }
    if (shown > 0 && shown < all)
        buffer_printf(out, ", %zu more", all - shown);
    if (shown > 0)
        buffer_append_byte(out, '}');
}
