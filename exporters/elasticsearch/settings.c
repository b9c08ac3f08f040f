/* What the options come to: the mapping mode and those that may be asked for, statuses that are tried again, old keys in the place of new ones. */
#include <stdlib.h>
#include <strings.h>

#include "collector/config/scalar.h"
#include "exporters/elasticsearch/endpoints.h"
#include "exporters/otlp_message.h"

enum { QUEUE_CONSUMERS_DEFAULT = 10, REQUEST_LIMIT_DEFAULT = 5000000 };
static const int64_t batch_max_default = 5000000, flush_timeout_default_ns = INT64_C(10000000000);

static const char *const mode_names[ELASTIC_MODE_COUNT] = {
    [ELASTIC_NONE] = "none",
    [ELASTIC_ECS] = "ecs",
    [ELASTIC_OTEL] = "otel",
    [ELASTIC_RAW] = "raw",
    [ELASTIC_BODYMAP] = "bodymap",
};

const char *elastic_mode_name(enum elastic_mode mode)
{
    return mode_names[mode];
}

enum elastic_mode elastic_mode_of(struct slice name)
{
    if (name.size == 0 || slice_equal_ignoring_case(name, SLICE("no")))
        return ELASTIC_NONE;
    for (size_t i = 0; i < ELASTIC_MODE_COUNT; i++)
        if (slice_equal_ignoring_case(name, slice_of_string(mode_names[i])))
            return (enum elastic_mode)i;
    return ELASTIC_MODE_COUNT;
}

static bool check_modes(struct elastic_settings *settings, struct error *err)
{
    settings->mode = elastic_mode_of(slice_of_string(settings->mapping.mode));
    if (settings->mode == ELASTIC_MODE_COUNT)
        return fail(err, "mapping.mode \"%.100s\" is not known: none, ecs, otel, raw or bodymap", settings->mapping.mode);
    memset(settings->allowed, 0, sizeof(settings->allowed));
    for (size_t i = 0; i < settings->mapping.allowed_modes.count; i++) {
        const char *name = settings->mapping.allowed_modes.items[i];
        enum elastic_mode mode = elastic_mode_of(slice_of_string(name));

        if (mode == ELASTIC_MODE_COUNT)
            return fail(err, "mapping.allowed_modes: \"%.100s\" is not known: none, ecs, otel, raw or bodymap", name);
        settings->allowed[mode] = true;
    }
    return settings->allowed[settings->mode] ||
           fail(err, "mapping.mode \"%s\" is not among mapping.allowed_modes", mode_names[settings->mode]);
}

/* ---- retry ---- */

static bool add_status(struct elastic_settings *settings, const struct config_node *node, struct error *err)
{
    int64_t status;

    if (node->kind != CONFIG_SCALAR || !scalar_parse_int(node->text, &status) || status < 100 || status > 599)
        return fail(err, "retry.retry_on_status: expected a list of HTTP statuses such as [429, 503]");
    if (settings->retry_status_count == ELASTIC_STATUSES_MAX)
        return fail(err, "retry.retry_on_status: more than %d statuses", ELASTIC_STATUSES_MAX);
    settings->retry_statuses[settings->retry_status_count++] = status;
    return true;
}

static bool check_retry(struct elastic_settings *settings, struct error *err)
{
    const struct config_node *list = settings->retry.on_status;

    settings->retry_status_count = 0;
    if (list != NULL && list->kind != CONFIG_LIST && list->kind != CONFIG_NULL)
        return fail(err, "retry.retry_on_status: expected a list of HTTP statuses such as [429, 503]");
    for (const struct config_node *node = list != NULL ? list->children : NULL; node != NULL; node = node->next)
        if (!add_status(settings, node, err))
            return false;
    if (settings->retry.max_requests != 0 && settings->retry.max_retries != 0)
        return fail(err, "retry.max_requests is the old name of max_retries (plus one): set one of them");
    settings->max_retries = settings->retry.max_retries != 0 ? settings->retry.max_retries : 2;
    if (settings->retry.max_requests != 0)
        settings->max_retries = settings->retry.max_requests - 1;
    if (!settings->retry.enabled) {
        settings->max_retries = 0;
        settings->delivery.retry.enabled = false;
    }
    return true;
}

/* ---- the queue ---- */

/* The oldest keys of all: batches by records. */
static void take_batcher(struct elastic_settings *settings)
{
    struct batcher_settings *batch = &settings->delivery.queue.batch;

    settings->delivery.queue.batch_present &= settings->batcher.enabled;
    if (settings->batcher.flush_timeout_ns > 0)
        batch->flush_timeout_ns = settings->batcher.flush_timeout_ns;
    if (settings->batcher.min_size == 0 && settings->batcher.max_size == 0)
        return;
    batch->sizer = SIZER_ITEMS;
    batch->min_size = settings->batcher.min_size;
    batch->max_size = settings->batcher.max_size;
}

/* Old keys count where the new one has its default. */
static bool check_queue(struct elastic_settings *settings, struct error *err)
{
    struct queue_settings *queue = &settings->delivery.queue;
    struct batcher_settings *batch = &queue->batch;

    queue->batch_present = settings->batch_enabled;
    if (settings->num_workers > 0 && queue->num_consumers == QUEUE_CONSUMERS_DEFAULT)
        queue->num_consumers = settings->num_workers;
    if (settings->flush.bytes > 0 && batch->max_size == batch_max_default && batch->sizer == SIZER_BYTES) {
        batch->max_size = settings->flush.bytes;
        if (batch->min_size > batch->max_size)
            batch->min_size = batch->max_size;
    }
    if (settings->flush.interval_ns > 0 && batch->flush_timeout_ns == flush_timeout_default_ns)
        batch->flush_timeout_ns = settings->flush.interval_ns;
    take_batcher(settings);
    if (settings->metadata_keys.count > 0 && batch->metadata_keys.count == 0)
        batch->metadata_keys = settings->metadata_keys;
    if (!delivery_settings_check(&settings->delivery, err))
        return false;
    settings->request_limit = batch->sizer == SIZER_BYTES && batch->max_size > 0 ? (size_t)batch->max_size : REQUEST_LIMIT_DEFAULT;
    return true;
}

bool elastic_settings_check(struct elastic_settings *settings, struct error *err)
{
    const char *compression = settings->http.compression;
    struct elastic_endpoints *endpoints = elastic_endpoints_create(settings, err);
    bool has_way = endpoints != NULL;

    elastic_endpoints_destroy(endpoints);
    if (!has_way || !check_modes(settings, err) || !check_retry(settings, err) || !check_queue(settings, err))
        return false;
    if (compression != NULL && *compression != '\0' && strcmp(compression, "none") != 0 && strcmp(compression, "gzip") != 0)
        return fail(err, "compression must be gzip or none, not \"%.100s\"", compression);
    return otlp_headers_check(&settings->http.headers, err);
}
