/*
 * resource_detection processor: puts what is known of this machine and its environment into the resources that pass.
 *
 * Everything is detected once, at start: from OTEL_RESOURCE_ATTRIBUTES, and from the operating system. Cost: a batch's bytes once more when a resource
 * changes, else the walk over its groups. Threads: start may wait for the name service; afterwards all is fixed, see batch_rewrite.
 */
#include <arpa/inet.h>
#include <errno.h>
#include <ifaddrs.h>
#include <net/if.h>
#include <netdb.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/utsname.h>
#include <unistd.h>

#include "collector/base/log.h"
#include "collector/processors/batch_rewrite.h"

enum system_attribute { HOST_NAME, HOST_ID, HOST_ARCH, HOST_IP, OS_TYPE, OS_DESCRIPTION, SYSTEM_COUNT };

struct enabled {
    bool enabled;
};

struct resource_detection {
    struct component base;
    struct option_strings detectors;
    bool override;
    struct {
        struct option_strings hostname_sources;
        struct enabled attributes[SYSTEM_COUNT];
    } system;
    struct edit detected; /* what was found, as a Resource; fixed after start */
    bool schema;          /* it follows the semantic conventions below */
    struct batch_rewrite rewrite;
};

#define SCHEMA_URL "https://opentelemetry.io/schemas/1.40.0"

/* ---- settings ---- */

static const struct option enabled_options[] = {
    { "enabled", OPTION_BOOL, offsetof(struct enabled, enabled), "false", NULL, "is it detected?" },
    { 0 },
};

static const struct option enabled_by_default[] = {
    { "enabled", OPTION_BOOL, offsetof(struct enabled, enabled), "true", NULL, "is it detected?" },
    { 0 },
};

#define ATTRIBUTE(key, index, table, help)                                                                                                 \
    {                                                                                                                                      \
        key, OPTION_BLOCK, offsetof(struct resource_detection, system.attributes[index]), NULL, NULL, help, table                          \
    }
#define LATER(key)                                                                                                                         \
    {                                                                                                                                      \
        key, OPTION_UNSUPPORTED, 0, NULL, NULL, "attribute of the processor"                                                               \
    }

static const struct option attribute_options[] = {
    ATTRIBUTE("host.name", HOST_NAME, enabled_by_default, "name of the machine"),
    ATTRIBUTE("host.id", HOST_ID, enabled_options, "/etc/machine-id"),
    ATTRIBUTE("host.arch", HOST_ARCH, enabled_options, "amd64, arm64 ..."),
    ATTRIBUTE("host.ip", HOST_IP, enabled_options, "addresses of all interfaces but loopback"),
    ATTRIBUTE("os.type", OS_TYPE, enabled_by_default, "linux"),
    ATTRIBUTE("os.description", OS_DESCRIPTION, enabled_options, "distribution and kernel"),
    LATER("host.mac"),
    LATER("host.interface"),
    LATER("host.cpu.vendor.id"),
    LATER("host.cpu.family"),
    LATER("host.cpu.model.id"),
    LATER("host.cpu.model.name"),
    LATER("host.cpu.stepping"),
    LATER("host.cpu.cache.l2.size"),
    LATER("os.name"),
    LATER("os.version"),
    LATER("os.build.id"),
    { 0 },
};

static const struct option system_options[] = {
    { "hostname_sources", OPTION_STRINGS, offsetof(struct resource_detection, system.hostname_sources), "dns,os", "dns|os",
        "where host.name comes from: the first that knows one; dns: the full name, os: the kernel's" },
    { "resource_attributes", OPTION_BLOCK, 0, NULL, NULL, "what is detected", attribute_options },
    { 0 },
};

static const struct option options[] = {
    { "detectors", OPTION_STRINGS, offsetof(struct resource_detection, detectors), "env", NULL,
        "who is asked, the first that knows a thing wins: env (OTEL_RESOURCE_ATTRIBUTES), system" },
    { "override", OPTION_BOOL, offsetof(struct resource_detection, override), "true", NULL,
        "what a resource says already is written over" },
    { "system", OPTION_BLOCK, 0, NULL, NULL, "the operating system", system_options },
    { "timeout", OPTION_IGNORED, 0, NULL, NULL, "no detector of weir's asks over the network" },
    { "refresh_interval", OPTION_UNSUPPORTED, 0, "0s", NULL, "what is detected stays as it was at start" },
    { "attributes", OPTION_UNSUPPORTED, 0, NULL, NULL, "name what is wanted below system.resource_attributes" },
    { 0 },
};

static bool detection_validate(struct component *component, struct error *err)
{
    const struct option_strings *detectors = &((const struct resource_detection *)component)->detectors;

    if (detectors->count == 0)
        return fail(err, "detectors: name at least one of env and system");
    for (size_t i = 0; i < detectors->count; i++) {
        if (strcmp(detectors->items[i], "env") != 0 && strcmp(detectors->items[i], "system") != 0)
            return fail(err,
                "detectors: weir has no detector \"%s\" yet, only env and system; put what it would say into OTEL_RESOURCE_ATTRIBUTES",
                detectors->items[i]);
    }
    return true;
}

/* ---- what was found ---- */

static void add(struct resource_detection *self, const char *key, struct slice text)
{
    const struct otlp_value value = { .kind = OTLP_VALUE_STRING, .bytes = text };
    struct otlp_value known;

    if (!edit_get_attribute(&self->detected, slice_of_string(key), &known))
        edit_set_attribute(&self->detected, slice_of_string(key), &value);
}

/* ---- env ---- */

static int hex_digit(char c)
{
    return c >= '0' && c <= '9' ? c - '0' : c >= 'a' && c <= 'f' ? c - 'a' + 10 : c >= 'A' && c <= 'F' ? c - 'A' + 10 : -1;
}

/* In place: "%2C" and "+". */
static bool unescape(char *text)
{
    char *out = text;

    for (; *text != '\0'; text++) {
        if (*text != '%') {
            *out++ = (char)(*text == '+' ? ' ' : *text);
            continue;
        }
        int high = hex_digit(text[1]), low = high >= 0 ? hex_digit(text[2]) : -1;
        if (low < 0)
            return false;
        *out++ = (char)(high << 4 | low);
        text += 2;
    }
    *out = '\0';
    return true;
}

static char *trim(char *text)
{
    char *end = text + strlen(text);

    while (*text == ' ' || *text == '\t')
        text++;
    while (end > text && (end[-1] == ' ' || end[-1] == '\t'))
        *--end = '\0';
    return text;
}

/* "key=value,key=value"; values may be percent-encoded. */
static bool detect_env(struct resource_detection *self, struct error *err)
{
    const char *text = getenv("OTEL_RESOURCE_ATTRIBUTES");
    char *copy, *rest;

    if (text == NULL || text[0] == '\0')
        text = getenv("OTEL_RESOURCE");
    copy = slice_dup_string(slice_of_string(text));
    rest = trim(copy);
    while (rest != NULL && *rest != '\0') {
        char *pair = strsep(&rest, ","), *value = strchr(pair, '=');
        if (value == NULL || value == pair || !unescape(value + 1)) {
            fail(err, "OTEL_RESOURCE_ATTRIBUTES: expected key=value pairs with commas between them, got \"%s\"", pair);
            free(copy);
            return false;
        }
        *value = '\0';
        add(self, trim(pair), slice_of_string(trim(value + 1)));
    }
    free(copy);
    return true;
}

/* ---- system ---- */

static bool full_name(const char *host, char *out, size_t size)
{
    struct addrinfo hints = { .ai_flags = AI_CANONNAME }, *found = NULL;
    bool known = getaddrinfo(host, NULL, &hints, &found) == 0 && found->ai_canonname != NULL && strchr(found->ai_canonname, '.') != NULL;

    if (known)
        snprintf(out, size, "%s", found->ai_canonname);
    if (found != NULL)
        freeaddrinfo(found);
    return known;
}

static void detect_name(struct resource_detection *self, const struct utsname *kernel)
{
    const struct option_strings *sources = &self->system.hostname_sources;
    char name[NI_MAXHOST];

    for (size_t i = 0; i < sources->count; i++) {
        bool dns = strcmp(sources->items[i], "dns") == 0;
        if (dns && !full_name(kernel->nodename, name, sizeof(name)))
            continue;
        add(self, "host.name", slice_of_string(dns ? name : kernel->nodename));
        return;
    }
    log_warn(self->base.path, "no source knows the name of this machine");
}

static const char *architecture(const char *machine)
{
    static const char *const names[][2] = { { "x86_64", "amd64" }, { "aarch64", "arm64" }, { "i386", "x86" }, { "i686", "x86" },
        { "armv7l", "arm32" }, { "armv6l", "arm32" }, { "ppc64le", "ppc64" }, { NULL, NULL } };

    for (size_t i = 0; names[i][0] != NULL; i++) {
        if (strcmp(machine, names[i][0]) == 0)
            return names[i][1];
    }
    return machine;
}

static void detect_id(struct resource_detection *self)
{
    FILE *file = fopen("/etc/machine-id", "re");
    char id[64] = "";

    if (file == NULL || fgets(id, sizeof(id), file) == NULL)
        log_warn(self->base.path, "could not read \"/etc/machine-id\": %s", strerror(errno));
    if (file != NULL)
        fclose(file);
    id[strcspn(id, "\r\n")] = '\0';
    if (id[0] != '\0')
        add(self, "host.id", slice_of_string(id));
}

static void detect_description(struct resource_detection *self, const struct utsname *kernel)
{
    FILE *file = fopen("/etc/os-release", "re");
    char line[512], pretty[256] = "";
    struct buffer text = { .data = NULL };

    while (file != NULL && fgets(line, sizeof(line), file) != NULL) {
        if (strncmp(line, "PRETTY_NAME=", 12) == 0)
            snprintf(pretty, sizeof(pretty), "%.*s ", (int)strcspn(line + 12 + (line[12] == '"'), "\"\n"), line + 12 + (line[12] == '"'));
    }
    if (file != NULL)
        fclose(file);
    buffer_printf(
        &text, "%s(%s %s %s %s %s)", pretty, kernel->sysname, kernel->nodename, kernel->release, kernel->version, kernel->machine);
    add(self, "os.description", buffer_slice(&text));
    buffer_fini(&text);
}

/* All addresses but those of loopback, as a list. */
static void detect_addresses(struct resource_detection *self)
{
    enum { VALUES = 1 };
    struct buffer list = { .data = NULL };
    struct ifaddrs *first = NULL;
    char text[INET6_ADDRSTRLEN];

    if (getifaddrs(&first) != 0)
        return;
    for (const struct ifaddrs *at = first; at != NULL; at = at->ifa_next) {
        int family = at->ifa_addr != NULL ? at->ifa_addr->sa_family : AF_UNSPEC;
        if ((family != AF_INET && family != AF_INET6) || (at->ifa_flags & IFF_LOOPBACK) != 0 || (at->ifa_flags & IFF_UP) == 0)
            continue;
        const void *address = family == AF_INET ? (const void *)&((const struct sockaddr_in *)(const void *)at->ifa_addr)->sin_addr
                                                : (const void *)&((const struct sockaddr_in6 *)(const void *)at->ifa_addr)->sin6_addr;
        if (inet_ntop(family, address, text, sizeof(text)) == NULL)
            continue;
        size_t mark = pb_open(&list, VALUES);
        pb_put_bytes(&list, OTLP_VALUE_STRING, slice_of_string(text));
        pb_close(&list, mark);
    }
    freeifaddrs(first);
    const struct otlp_value value = { .kind = OTLP_VALUE_ARRAY, .bytes = buffer_slice(&list) };
    struct otlp_value known;
    if (!edit_get_attribute(&self->detected, SLICE("host.ip"), &known))
        edit_set_attribute(&self->detected, SLICE("host.ip"), &value);
    buffer_fini(&list);
}

static bool detect_system(struct resource_detection *self, struct error *err)
{
    const struct enabled *wanted = self->system.attributes;
    struct utsname kernel;

    if (uname(&kernel) != 0)
        return fail(err, "could not ask for the system's name: %s", strerror(errno));
    if (wanted[HOST_NAME].enabled)
        detect_name(self, &kernel);
    if (wanted[OS_TYPE].enabled)
        add(self, "os.type", SLICE("linux"));
    if (wanted[HOST_ARCH].enabled)
        add(self, "host.arch", slice_of_string(architecture(kernel.machine)));
    if (wanted[HOST_ID].enabled)
        detect_id(self);
    if (wanted[HOST_IP].enabled)
        detect_addresses(self);
    if (wanted[OS_DESCRIPTION].enabled)
        detect_description(self, &kernel);
    self->schema = true;
    return true;
}

static bool detection_start(struct component *component, struct error *err)
{
    struct resource_detection *self = (struct resource_detection *)component;

    batch_rewrite_init(&self->rewrite);
    edit_open(&self->detected, (struct slice){ NULL, 0 }, OTLP_ATTRIBUTES_OF_RESOURCE);
    for (size_t i = 0; i < self->detectors.count; i++) {
        bool is_env = strcmp(self->detectors.items[i], "env") == 0;
        if (!(is_env ? detect_env(self, err) : detect_system(self, err)))
            return false;
    }
    return !self->detected.failed || fail(err, "out of memory");
}

static void detection_stop(struct component *component)
{
    struct resource_detection *self = (struct resource_detection *)component;

    edit_fini(&self->detected);
    batch_rewrite_fini(&self->rewrite);
}

/* ---- batches ---- */

static bool same(const struct otlp_value *a, const struct otlp_value *b)
{
    return a->kind == b->kind && slice_equal(a->bytes, b->bytes);
}

static bool merge(const struct resource_detection *self, struct rewrite_worker *worker)
{
    struct slice resource = worker->rewrite.group.resource;
    struct otlp_attribute attribute;
    struct otlp_value old;
    bool changed = false;
    size_t cursor = 0;

    while (edit_attribute_at(&self->detected, &cursor, &attribute)) {
        bool known = otlp_find_attribute(resource, OTLP_ATTRIBUTES_OF_RESOURCE, attribute.key, &old);
        if (known && (!self->override || same(&old, &attribute.value)))
            continue;
        if (!changed)
            edit_open(&worker->edit, resource, OTLP_ATTRIBUTES_OF_RESOURCE);
        edit_set_attribute(&worker->edit, attribute.key, &attribute.value);
        changed = true;
    }
    worker->failed = worker->failed || (changed && worker->edit.failed);
    return changed;
}

static void visit(struct component *component, struct rewrite_worker *worker)
{
    const struct resource_detection *self = (const struct resource_detection *)component;

    while (otlp_rewrite_next_group(&worker->rewrite)) {
        if (merge(self, worker))
            otlp_rewrite_set_resource(&worker->rewrite, &worker->edit);
        if (self->schema && worker->rewrite.group.schema_url.size == 0)
            otlp_rewrite_set_group_schema(&worker->rewrite, SLICE(SCHEMA_URL));
    }
}

static void detection_consume(struct component *component, struct batch *batch)
{
    batch_rewrite_run(&((struct resource_detection *)component)->rewrite, component, visit, batch);
}

static const char *const aliases[] = { "resourcedetection", NULL };

const struct component_type resource_detection_processor = {
    .name = "resource_detection",
    .aliases = aliases,
    .kind = COMPONENT_PROCESSOR,
    .signals = SIGNALS_ALL,
    .stability = STABILITY_BETA,
    .summary = "Adds what is known of this machine and its environment to resources.",
    .options = options,
    .instance_size = sizeof(struct resource_detection),
    .validate = detection_validate,
    .start = detection_start,
    .stop = detection_stop,
    .consume = detection_consume,
};
