/* Rules: prometheus/scrape/target.go. Control path: memory that is out ends the program. */
#include "receivers/prometheus/target.h"

#include <stdio.h>
#include <stdlib.h>

#include "collector/base/hash.h"
#include "collector/net/url.h"
#include "collector/wire/utf8.h"

static const struct slice param_prefix = SLICE_INIT("__param_");

static void set_if_absent(struct labels *labels, struct slice name, struct slice value)
{
    if (labels_get(labels, name).size == 0 && value.size > 0)
        labels_set(labels, name, value);
}

static void set_duration(struct labels *labels, struct slice name, int64_t nanoseconds)
{
    char text[32];
    int size = snprintf(text, sizeof(text), "%lldms", (long long)(nanoseconds / 1000000));

    set_if_absent(labels, name, labels_keep(labels, slice_of(text, (size_t)size)));
}

static struct slice param_label(struct labels *labels, const char *name)
{
    struct buffer text = { .data = NULL };
    struct slice kept;

    buffer_printf(&text, "__param_%s", name);
    kept = labels_keep(labels, buffer_slice(&text));
    buffer_fini(&text);
    return kept;
}

static void add_configured(const struct scrape_settings *scrape, struct labels *labels)
{
    set_if_absent(labels, SLICE("job"), slice_of_string(scrape->job_name));
    set_duration(labels, SLICE("__scrape_interval__"), scrape->interval_ns);
    set_duration(labels, SLICE("__scrape_timeout__"), scrape->timeout_ns);
    set_if_absent(labels, SLICE("__metrics_path__"), slice_of_string(scrape->metrics_path));
    set_if_absent(labels, SLICE("__scheme__"), slice_of_string(scrape->scheme));
    for (const struct config_node *param = scrape->params != NULL ? scrape->params->children : NULL; param != NULL; param = param->next) {
        struct slice first = scrape_list_item(param, 0);

        if (first.size > 0)
            set_if_absent(labels, param_label(labels, param->key), first);
    }
}

/* ---- the URL ---- */

static void encode(struct buffer *out, struct slice text, const char *safe)
{
    for (size_t i = 0; i < text.size; i++) {
        uint8_t c = text.data[i];
        bool plain = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || (c != 0 && strchr(safe, c) != NULL);

        if (plain)
            buffer_append_byte(out, c);
        else
            buffer_printf(out, "%%%02X", c);
    }
}

void target_encode_query(struct buffer *out, struct slice text)
{
    encode(out, text, "-_.~");
}

static void append_param(struct buffer *out, bool *first, struct slice name, struct slice value)
{
    buffer_append_byte(out, *first ? '?' : '&');
    *first = false;
    target_encode_query(out, name);
    buffer_append_byte(out, '=');
    target_encode_query(out, value);
}

/* The configuration's values, the first one replaced by the label's; then the labels that the configuration does not name. */
static void append_params(struct buffer *out, const struct scrape_settings *scrape, const struct labels *labels)
{
    const struct config_node *params = scrape->params;
    bool first = true;

    for (size_t i = 0; i < labels->count; i++) {
        struct slice name = labels->items[i].name, value = labels->items[i].value;
        const struct config_node *param = NULL;
        char key[256];

        if (!slice_starts_with(name, param_prefix))
            continue;
        name = slice_of(name.data + param_prefix.size, name.size - param_prefix.size);
        snprintf(key, sizeof(key), "%.*s", SLICE_PRINT(name));
        append_param(out, &first, name, value);
        if (params != NULL)
            param = config_get(params, key);
        for (size_t n = 1; param != NULL && scrape_list_item(param, n).data != NULL; n++)
            append_param(out, &first, name, scrape_list_item(param, n));
    }
}

static bool make_url(const struct target_maker *maker, const struct labels *labels, struct target *target, struct error *err)
{
    struct slice scheme = labels_get(labels, SLICE("__scheme__")), address = labels_get(labels, SLICE("__address__"));
    struct slice path = labels_get(labels, SLICE("__metrics_path__"));
    struct buffer text = { .data = NULL };
    struct url url;
    bool fine;

    if (address.size == 0)
        return fail(err, "a target without an address");
    if (memchr(address.data, '/', address.size) != NULL)
        return fail(err, "\"%.*s\" is not a target's address, which is host:port", SLICE_PRINT(address));
    if (!slice_equal(scheme, SLICE("http")) && !slice_equal(scheme, SLICE("https")))
        return fail(err, "target %.*s: \"%.*s\" is not a scheme; http and https are", SLICE_PRINT(address), SLICE_PRINT(scheme));
    buffer_printf(&text, "%.*s://%.*s", SLICE_PRINT(scheme), SLICE_PRINT(address));
    if (path.size == 0 || path.data[0] != '/')
        buffer_append_byte(&text, '/');
    encode(&text, path, "-_.~/!$&'()*+,;=:@%");
    append_params(&text, maker->scrape, labels);
    fine = url_parse(buffer_string(&text), &url, err);
    target->url = fine ? slice_dup_string(buffer_slice(&text)) : NULL;
    buffer_fini(&text);
    return fine;
}

/* ---- labels ---- */

static bool is_public(struct slice name)
{
    return !slice_starts_with(name, SLICE("__"));
}

/* What samples get, in memory of the target's own. */
static void keep_labels(const struct labels *labels, struct target *target)
{
    size_t size = 0;
    char *at;

    for (size_t i = 0; i < labels->count; i++)
        size += labels->items[i].name.size + labels->items[i].value.size;
    target->labels = calloc(labels->count + 1, sizeof(*target->labels));
    target->texts = at = malloc(size + 1);
    if (target->labels == NULL || at == NULL)
        abort();
    for (size_t i = 0; i < labels->count; i++) {
        struct label label = labels->items[i];

        if (!is_public(label.name))
            continue;
        memcpy(at, label.name.data, label.name.size);
        memcpy(at + label.name.size, label.value.data, label.value.size);
        target->labels[target->label_count++] =
            (struct label){ slice_of(at, label.name.size), slice_of(at + label.name.size, label.value.size) };
        at += label.name.size + label.value.size;
    }
    target->scheme = strncmp(target->url, "https:", 6) == 0 ? "https" : "http";
}

static uint64_t identity_of(const struct target *target)
{
    uint64_t hash = hash_bytes(slice_of_string(target->url));

    for (size_t i = 0; i < target->label_count; i++)
        hash = hash_combine(hash_combine(hash, hash_bytes(target->labels[i].name)), hash_bytes(target->labels[i].value));
    return hash;
}

static bool read_times(const struct labels *labels, struct target *target, struct error *err)
{
    char interval[64], timeout[64];

    snprintf(interval, sizeof(interval), "%.*s", SLICE_PRINT(labels_get(labels, SLICE("__scrape_interval__"))));
    snprintf(timeout, sizeof(timeout), "%.*s", SLICE_PRINT(labels_get(labels, SLICE("__scrape_timeout__"))));
    if (!scrape_parse_duration(interval, &target->interval_ns) || target->interval_ns < 10000000)
        return fail(err, "__scrape_interval__: \"%s\" is not an interval", interval);
    if (!scrape_parse_duration(timeout, &target->timeout_ns) || target->timeout_ns <= 0)
        return fail(err, "__scrape_timeout__: \"%s\" is not a time", timeout);
    return target->timeout_ns <= target->interval_ns || fail(err, "__scrape_timeout__: longer than the interval");
}

enum target_result target_make(const struct target_maker *maker, struct labels *labels, struct target *target, struct error *err)
{
    *target = (struct target){ .url = NULL };
    add_configured(maker->scrape, labels);
    if (!relabel_apply(maker->rules, maker->matcher, labels))
        return TARGET_DROPPED;
    labels_sort(labels);
    if (labels->failed)
        abort();
    set_if_absent(labels, SLICE("instance"), labels_get(labels, SLICE("__address__")));
    labels_sort(labels);
    for (size_t i = 0; i < labels->count; i++)
        if (!utf8_is_valid(labels->items[i].name) || !utf8_is_valid(labels->items[i].value)) {
            fail(err, "a target's label is not UTF-8");
            return TARGET_BAD;
        }
    if (!read_times(labels, target, err) || !make_url(maker, labels, target, err))
        return TARGET_BAD;
    keep_labels(labels, target);
    target->identity = identity_of(target);
    return TARGET_MADE;
}

void target_fini(struct target *target)
{
    free(target->url);
    free(target->labels);
    free(target->texts);
    *target = (struct target){ .url = NULL };
}
