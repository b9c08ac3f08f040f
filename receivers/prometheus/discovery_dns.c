/*
 * DNS discovery: the C library asks the servers of resolv.conf, the answer's records are read here. Limits: ANSWER_MAX bytes an answer; the
 * resolver's own time limits.
 */
#include <arpa/inet.h>
#include <arpa/nameser.h>
#include <netdb.h>
#include <resolv.h>
#include <stdio.h>

#include "receivers/prometheus/discovery.h"

enum { ANSWER_MAX = 65535 };

static ns_type type_of(const char *name)
{
    static const struct {
        const char *name;
        ns_type type;
    } types[] = { { "SRV", ns_t_srv }, { "A", ns_t_a }, { "AAAA", ns_t_aaaa }, { "MX", ns_t_mx }, { "NS", ns_t_ns } };
    size_t i = 0;

    while (i < 4 && strcmp(types[i].name, name) != 0)
        i++;
    return types[i].type;
}

/* A record's target: what stands in front of the port, and the port. */
struct dns_target {
    char host[NS_MAXDNAME + 2]; /* names end with a dot */
    unsigned port;
    ns_type type;
};

/* An answer that is being read (RFC 1035, 4). */
struct message {
    struct slice all;
    const uint8_t *at, *end;
};

static unsigned get16(const uint8_t *at)
{
    return (unsigned)at[0] << 8 | at[1];
}

static bool read_name(const struct message *message, const uint8_t *at, struct dns_target *target)
{
    int length = ns_name_uncompress(message->all.data, message->end, at, target->host, NS_MAXDNAME);
    size_t size;

    if (length < 0)
        return false;
    size = strlen(target->host);
    if (size > 0 && target->host[size - 1] != '.')
        memcpy(target->host + size, ".", 2);
    return true;
}

static bool read_record(const struct message *message, struct slice record, struct dns_target *target)
{
    const uint8_t *data = record.data;
    size_t size = record.size;

    switch (target->type) {
    case ns_t_srv:
        if (size < 7)
            return false;
        target->port = get16(data + 4);
        return read_name(message, data + 6, target);
    case ns_t_mx:
        return size >= 3 && read_name(message, data + 2, target);
    case ns_t_ns:
        return read_name(message, data, target);
    case ns_t_a:
        return size == 4 && inet_ntop(AF_INET, data, target->host, sizeof(target->host)) != NULL;
    case ns_t_aaaa:
        return size == 16 && inet_ntop(AF_INET6, data, target->host, sizeof(target->host)) != NULL;
    default:
        return false;
    }
}

static void add_target(struct discovered *found, const char *name, const struct dns_target *record)
{
    struct discovered_target *target;
    char address[sizeof(record->host) + 16], port[16];

    snprintf(address, sizeof(address), record->type == ns_t_aaaa ? "[%s]:%u" : "%s:%u", record->host, record->port);
    snprintf(port, sizeof(port), "%u", record->port);
    target = discovered_add(found, slice_of_string(address));
    if (target == NULL)
        return;
    discovered_label(found, target, SLICE("__meta_dns_name"), slice_of_string(name));
    if (record->type == ns_t_srv) {
        discovered_label(found, target, SLICE("__meta_dns_srv_record_target"), slice_of_string(record->host));
        discovered_label(found, target, SLICE("__meta_dns_srv_record_port"), slice_of_string(port));
    } else if (record->type == ns_t_mx) {
        discovered_label(found, target, SLICE("__meta_dns_mx_record_target"), slice_of_string(record->host));
    } else if (record->type == ns_t_ns) {
        discovered_label(found, target, SLICE("__meta_dns_ns_record_target"), slice_of_string(record->host));
    }
}

static bool skip_name(struct message *message, size_t behind)
{
    if (message->at >= message->end || ns_name_skip(&message->at, message->end) != 0)
        return false;
    return (size_t)(message->end - message->at) >= behind;
}

/* The next record: its type and data. */
static bool next_record(struct message *message, ns_type *type, struct slice *data)
{
    if (!skip_name(message, 10))
        return false;
    *type = (ns_type)get16(message->at);
    *data = slice_of(message->at + 10, get16(message->at + 8));
    message->at += 10;
    if ((size_t)(message->end - message->at) < data->size)
        return false;
    message->at += data->size;
    return true;
}

bool discovery_read_dns(
    struct slice answer, const char *name, const struct dns_sd_settings *settings, struct discovered *found, struct error *err)
{
    struct message message = { answer, answer.data + NS_HFIXEDSZ, answer.data + answer.size };
    struct dns_target target = { .type = type_of(settings->type) };
    unsigned questions, answers;
    struct slice data;
    ns_type type;

    if (answer.size < NS_HFIXEDSZ)
        return fail(err, "%s: a malformed DNS answer", name);
    questions = get16(answer.data + 4);
    answers = get16(answer.data + 6);
    for (; questions > 0; questions--, message.at += 4)
        if (!skip_name(&message, 4))
            return fail(err, "%s: a malformed DNS answer", name);
    for (; answers > 0; answers--) {
        if (!next_record(&message, &type, &data))
            return fail(err, "%s: a malformed DNS answer", name);
        target.port = (unsigned)settings->port;
        if (type == target.type && read_record(&message, data, &target))
            add_target(found, name, &target);
    }
    return true;
}

static bool look_up(const char *name, const struct dns_sd_settings *settings, struct discovered *found, struct error *err)
{
    static __thread unsigned char answer[ANSWER_MAX];
    struct __res_state resolver = { 0 };
    int size, code;
    bool fine;

    if (res_ninit(&resolver) != 0)
        return fail(err, "could not read resolv.conf");
    size = res_nsearch(&resolver, name, ns_c_in, (int)type_of(settings->type), answer, sizeof(answer));
    code = resolver.res_h_errno;
    if (size >= 0)
        fine =
            discovery_read_dns(slice_of(answer, (size_t)size < sizeof(answer) ? (size_t)size : sizeof(answer)), name, settings, found, err);
    else
        fine = code == HOST_NOT_FOUND || code == NO_DATA || fail(err, "%s: the name could not be looked up: %s", name, hstrerror(code));
    res_nclose(&resolver);
    return fine;
}

bool discover_dns(const struct dns_sd_settings *settings, struct discovered *found, struct error *err)
{
    for (size_t i = 0; i < settings->names.count; i++)
        if (!look_up(settings->names.items[i], settings, found, err))
            return false;
    return true;
}
