/*
 * Names, keys and addresses of Zipkin's spans.
 *
 * Zipkin has no resources: the collector puts a resource's attributes among the tags of each span, and takes those of known names out of them
 * again. The names are the resource conventions of OpenTelemetry that it knows, and three of OpenCensus.
 * Cost: a lookup by length first, then by bytes. Threads: any; no state.
 */
#include <arpa/inet.h>
#include <stdlib.h>

#include "collector/wire/decimal.h"
#include "collector/wire/zipkin_span.h"

#define KEY(text) SLICE_INIT(text)
/* clang-format off */
/* By length, then by bytes. */
static const struct slice resource_keys[] = {
    KEY("faas.id"), KEY("host.id"), KEY("os.name"), KEY("os.type"), KEY("device.id"), KEY("faas.name"), KEY("host.arch"), KEY("host.name"),
    KEY("host.type"), KEY("os.version"), KEY("k8s.job.uid"), KEY("k8s.pod.uid"), KEY("process.pid"), KEY("cloud.region"), KEY("container.id"),
    KEY("faas.version"), KEY("k8s.job.name"), KEY("k8s.node.uid"), KEY("k8s.pod.name"), KEY("service.name"), KEY("faas.instance"),
    KEY("host.image.id"), KEY("k8s.node.name"), KEY("process.owner"), KEY("cloud.platform"), KEY("cloud.provider"), KEY("container.name"),
    KEY("os.description"), KEY("webengine.name"), KEY("faas.max_memory"), KEY("host.image.name"), KEY("k8s.cronjob.uid"), KEY("process.command"),
    KEY("service.version"), KEY("aws.ecs.task.arn"), KEY("cloud.account.id"), KEY("k8s.cluster.name"), KEY("k8s.cronjob.name"),
    KEY("cloud.resource_id"), KEY("container.runtime"), KEY("device.model.name"), KEY("k8s.daemonset.uid"), KEY("service.namespace"),
    KEY("webengine.version"), KEY("aws.ecs.launchtype"), KEY("aws.log.group.arns"), KEY("host.image.version"), KEY("k8s.container.name"),
    KEY("k8s.daemonset.name"), KEY("k8s.deployment.uid"), KEY("k8s.namespace.name"), KEY("k8s.replicaset.uid"), KEY("telemetry.sdk.name"),
    KEY("aws.ecs.cluster.arn"), KEY("aws.ecs.task.family"), KEY("aws.eks.cluster.arn"), KEY("aws.log.group.names"), KEY("aws.log.stream.arns"),
    KEY("container.image.tag"), KEY("device.manufacturer"), KEY("k8s.deployment.name"), KEY("k8s.replicaset.name"), KEY("k8s.statefulset.uid"),
    KEY("service.instance.id"), KEY("aws.log.stream.names"), KEY("container.image.name"), KEY("k8s.statefulset.name"), KEY("opencensus.starttime"),
    KEY("process.command_args"), KEY("process.command_line"), KEY("process.runtime.name"), KEY("aws.ecs.container.arn"), KEY("aws.ecs.task.revision"),
    KEY("telemetry.sdk.version"), KEY("webengine.description"), KEY("deployment.environment"), KEY("telemetry.auto.version"),
    KEY("telemetry.sdk.language"), KEY("cloud.availability_zone"), KEY("device.model.identifier"), KEY("opencensus.resourcetype"),
    KEY("process.executable.name"), KEY("process.executable.path"), KEY("process.runtime.version"), KEY("opencensus.exporterversion"),
    KEY("k8s.container.restart_count"), KEY("process.runtime.description"),
};
/* clang-format on */
#undef KEY

static int compare_keys(const void *left, const void *right)
{
    const struct slice *a = left, *b = right;

    if (a->size != b->size)
        return a->size < b->size ? -1 : 1;
    return memcmp(a->data, b->data, a->size);
}

bool zipkin_is_resource_key(struct slice key)
{
    const size_t count = sizeof(resource_keys) / sizeof(resource_keys[0]);

    if (key.size < resource_keys[0].size || key.size > resource_keys[count - 1].size)
        return false;
    return bsearch(&key, resource_keys, count, sizeof(resource_keys[0]), compare_keys) != NULL;
}

struct slice zipkin_link_key(size_t index, char out[ZIPKIN_LINK_KEY_SIZE])
{
    static const char prefix[] = "otlp.link.";
    char digits[DECIMAL_SIZE];
    size_t size = decimal_write_uint64(index % 10000000, digits);

    memcpy(out, prefix, sizeof(prefix) - 1);
    memcpy(out + sizeof(prefix) - 1, digits, size);
    return slice_of(out, sizeof(prefix) - 1 + size);
}

/* ---- addresses ---- */

/* ::ffff:1.2.3.4 */
static bool is_mapped(const uint8_t address[16])
{
    static const uint8_t prefix[12] = { [10] = 0xff, [11] = 0xff };

    return memcmp(address, prefix, sizeof(prefix)) == 0;
}

static struct slice ipv4_text(const uint8_t address[4], char *out)
{
    size_t size = 0;

    for (int i = 0; i < 4; i++) {
        if (i > 0)
            out[size++] = '.';
        size += decimal_write_uint64(address[i], out + size);
    }
    return slice_of(out, size);
}

struct slice zipkin_address_text(struct slice address, char out[ZIPKIN_ADDRESS_SIZE])
{
    if (address.size == 16 && is_mapped(address.data))
        address = slice_of(address.data + 12, 4);
    if (address.size == 4)
        return ipv4_text(address.data, out);
    return slice_of_string(address.size == 16 ? inet_ntop(AF_INET6, address.data, out, ZIPKIN_ADDRESS_SIZE) : NULL);
}

size_t zipkin_address_of(struct slice text, uint8_t out[16])
{
    char copy[ZIPKIN_ADDRESS_SIZE];

    if (text.size == 0 || text.size >= sizeof(copy) || memchr(text.data, '\0', text.size) != NULL)
        return 0;
    memcpy(copy, text.data, text.size);
    copy[text.size] = '\0';
    if (inet_pton(AF_INET, copy, out) == 1)
        return 4;
    if (inet_pton(AF_INET6, copy, out) != 1)
        return 0;
    if (!is_mapped(out))
        return 16;
    memmove(out, out + 12, 4);
    return 4;
}
