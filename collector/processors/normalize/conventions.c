/*
 * The table of names, and renaming by it.
 *
 * `since` is the minor version of the semantic conventions that brought the present name, or the first of several in a row: a record that follows that version
 * or a later one means something else by the old name. Where a name was given up rather than renamed, how it is told apart stands in the rule.
 * Cost of a record without old names: a few nanoseconds an attribute. Threads: the table is fixed after init.
 */
#include "collector/processors/normalize/conventions.h"

#include "collector/wire/decimal.h"

enum rule {
    RENAME,
    PEER_ADDRESS, /* the server for a client, the client for a server */
    PEER_PORT,
    TRANSPORT, /* ip_tcp is tcp */
    DATABASE,  /* mssql is microsoft.sql_server */
    AS_TEXT,   /* a number becomes a text */
    AS_LIST,   /* a text becomes a list of one */
    TARGET,    /* path and query apart */
};

struct name {
    const char *old_name, *name;
    uint8_t since;
    uint8_t rule;
};

static const struct name names[] = {
    { "android.state", "android.app.state", 31, RENAME },
    { "az.namespace", "azure.resource_provider.namespace", 35, RENAME },
    { "az.service_request_id", "azure.service.request.id", 35, RENAME },
    { "browser.user_agent", "user_agent.original", 19, RENAME },
    { "code.column", "code.column.number", 30, RENAME },
    { "code.filepath", "code.file.path", 30, RENAME },
    { "code.function", "code.function.name", 30, RENAME },
    { "code.lineno", "code.line.number", 30, RENAME },
    { "container.image.tag", "container.image.tags", 22, AS_LIST },
    { "container.runtime", "container.runtime.name", 37, RENAME },
    { "db.cassandra.consistency_level", "cassandra.consistency.level", 30, RENAME },
    { "db.cassandra.coordinator.dc", "cassandra.coordinator.dc", 30, RENAME },
    { "db.cassandra.coordinator.id", "cassandra.coordinator.id", 30, RENAME },
    { "db.cassandra.idempotence", "cassandra.query.idempotent", 30, RENAME },
    { "db.cassandra.keyspace", "db.namespace", 8, RENAME },
    { "db.cassandra.page_size", "cassandra.page.size", 30, RENAME },
    { "db.cassandra.speculative_execution_count", "cassandra.speculative_execution.count", 30, RENAME },
    { "db.cassandra.table", "db.collection.name", 25, RENAME },
    { "db.cosmosdb.client_id", "azure.client.id", 30, RENAME },
    { "db.cosmosdb.connection_mode", "azure.cosmosdb.connection.mode", 30, RENAME },
    { "db.cosmosdb.consistency_level", "azure.cosmosdb.consistency.level", 30, RENAME },
    { "db.cosmosdb.container", "db.collection.name", 25, RENAME },
    { "db.cosmosdb.regions_contacted", "azure.cosmosdb.operation.contacted_regions", 30, RENAME },
    { "db.cosmosdb.request_charge", "azure.cosmosdb.operation.request_charge", 30, RENAME },
    { "db.cosmosdb.request_content_length", "azure.cosmosdb.request.body.size", 30, RENAME },
    { "db.cosmosdb.sub_status_code", "azure.cosmosdb.response.sub_status_code", 30, RENAME },
    { "db.elasticsearch.cluster.name", "db.namespace", 27, RENAME },
    { "db.elasticsearch.node.name", "elasticsearch.node.name", 30, RENAME },
    { "db.hbase.namespace", "db.namespace", 8, RENAME },
    { "db.mongodb.collection", "db.collection.name", 25, RENAME },
    { "db.name", "db.namespace", 25, RENAME },
    { "db.operation", "db.operation.name", 25, RENAME },
    { "db.redis.database_index", "db.namespace", 28, AS_TEXT },
    { "db.sql.table", "db.collection.name", 25, RENAME },
    { "db.statement", "db.query.text", 25, RENAME },
    { "db.system", "db.system.name", 30, DATABASE },
    { "deployment.environment", "deployment.environment.name", 27, RENAME },
    { "enduser.role", "user.roles", 37, AS_LIST },
    { "faas.execution", "faas.invocation_id", 19, RENAME },
    { "faas.id", "cloud.resource_id", 19, RENAME },
    { "feature_flag.provider_name", "feature_flag.provider.name", 33, RENAME },
    { "feature_flag.variant", "feature_flag.result.variant", 32, RENAME },
    { "gen_ai.openai.request.seed", "gen_ai.request.seed", 30, RENAME },
    { "gen_ai.system", "gen_ai.provider.name", 37, RENAME },
    { "gen_ai.usage.completion_tokens", "gen_ai.usage.output_tokens", 27, RENAME },
    { "gen_ai.usage.prompt_tokens", "gen_ai.usage.input_tokens", 27, RENAME },
    { "http.client_ip", "client.address", 21, RENAME },
    { "http.flavor", "network.protocol.version", 20, RENAME },
    { "http.method", "http.request.method", 21, RENAME },
    { "http.request_content_length", "http.request.body.size", 21, RENAME },
    { "http.resend_count", "http.request.resend_count", 22, RENAME },
    { "http.response_content_length", "http.response.body.size", 21, RENAME },
    { "http.retry_count", "http.request.resend_count", 15, RENAME },
    { "http.scheme", "url.scheme", 21, RENAME },
    { "http.status_code", "http.response.status_code", 21, RENAME },
    { "http.target", "url.path", 21, TARGET },
    { "http.url", "url.full", 21, RENAME },
    { "http.user_agent", "user_agent.original", 19, RENAME },
    { "messaging.client_id", "messaging.client.id", 26, RENAME },
    { "messaging.consumer_id", "messaging.consumer.id", 17, RENAME },
    { "messaging.conversation_id", "messaging.message.conversation_id", 17, RENAME },
    { "messaging.destination", "messaging.destination.name", 17, RENAME },
    { "messaging.eventhubs.consumer.group", "messaging.consumer.group.name", 27, RENAME },
    { "messaging.kafka.client_id", "messaging.client.id", 21, RENAME },
    { "messaging.kafka.consumer.group", "messaging.consumer.group.name", 27, RENAME },
    { "messaging.kafka.consumer_group", "messaging.consumer.group.name", 17, RENAME },
    { "messaging.kafka.destination.partition", "messaging.destination.partition.id", 25, AS_TEXT },
    { "messaging.kafka.message.offset", "messaging.kafka.offset", 27, RENAME },
    { "messaging.kafka.message_key", "messaging.kafka.message.key", 17, RENAME },
    { "messaging.kafka.partition", "messaging.destination.partition.id", 17, AS_TEXT },
    { "messaging.kafka.tombstone", "messaging.kafka.message.tombstone", 17, RENAME },
    { "messaging.message.payload_size_bytes", "messaging.message.body.size", 22, RENAME },
    { "messaging.message_id", "messaging.message.id", 17, RENAME },
    { "messaging.message_payload_size_bytes", "messaging.message.body.size", 17, RENAME },
    { "messaging.operation", "messaging.operation.type", 25, RENAME },
    { "messaging.rabbitmq.routing_key", "messaging.rabbitmq.destination.routing_key", 17, RENAME },
    { "messaging.rocketmq.client_group", "messaging.consumer.group.name", 27, RENAME },
    { "messaging.rocketmq.client_id", "messaging.client.id", 21, RENAME },
    { "messaging.servicebus.destination.subscription_name", "messaging.destination.subscription.name", 27, RENAME },
    { "messaging.temp_destination", "messaging.destination.temporary", 17, RENAME },
    { "net.app.protocol.name", "network.protocol.name", 20, RENAME },
    { "net.app.protocol.version", "network.protocol.version", 20, RENAME },
    { "net.host.carrier.name", "network.carrier.name", 21, RENAME },
    { "net.host.connection.subtype", "network.connection.subtype", 21, RENAME },
    { "net.host.connection.type", "network.connection.type", 21, RENAME },
    { "net.host.ip", "network.local.address", 13, RENAME },
    { "net.host.name", "server.address", 21, RENAME },
    { "net.host.port", "server.port", 21, RENAME },
    { "net.peer.ip", "network.peer.address", 13, RENAME },
    { "net.peer.name", "server.address", 21, PEER_ADDRESS },
    { "net.peer.port", "server.port", 21, PEER_PORT },
    { "net.protocol.name", "network.protocol.name", 21, RENAME },
    { "net.protocol.version", "network.protocol.version", 21, RENAME },
    { "net.sock.host.addr", "network.local.address", 21, RENAME },
    { "net.sock.host.port", "network.local.port", 21, RENAME },
    { "net.sock.peer.addr", "network.peer.address", 21, RENAME },
    { "net.sock.peer.port", "network.peer.port", 21, RENAME },
    { "net.transport", "network.transport", 21, TRANSPORT },
    { "otel.library.name", "otel.scope.name", 15, RENAME },
    { "otel.library.version", "otel.scope.version", 15, RENAME },
    { "peer.service", "service.peer.name", 39, RENAME },
    { "process.context_switch_type", "process.context_switch.type", 38, RENAME },
    { "process.paging.fault_type", "system.paging.fault.type", 38, RENAME },
    { "rpc.jsonrpc.request_id", "jsonrpc.request.id", 39, RENAME },
    { "rpc.jsonrpc.version", "jsonrpc.protocol.version", 39, RENAME },
    { "rpc.system", "rpc.system.name", 39, RENAME },
    { "system.network.state", "network.connection.state", 30, RENAME },
    { "telemetry.auto.version", "telemetry.distro.version", 22, RENAME },
    { "tls.client.server_name", "server.address", 27, RENAME },
    { "vcs.repository.change.id", "vcs.change.id", 29, RENAME },
    { "vcs.repository.change.title", "vcs.change.title", 29, RENAME },
    { "vcs.repository.ref.name", "vcs.ref.head.name", 29, RENAME },
    { "vcs.repository.ref.revision", "vcs.ref.head.revision", 29, RENAME },
    { "vcs.repository.ref.type", "vcs.ref.head.type", 29, RENAME },
};

enum { NAME_COUNT = sizeof(names) / sizeof(names[0]) };
_Static_assert(NAME_COUNT < 256, "indices have eight bits");

bool conventions_pair(size_t n, const char **old_name, const char **name, int *since)
{
    if (n >= NAME_COUNT)
        return false;
    *old_name = names[n].old_name;
    *name = names[n].name;
    *since = names[n].since;
    return true;
}

/* ---- finding ---- */

static inline unsigned hash_of(struct slice key)
{
    return ((unsigned)key.size * 131u + key.data[key.size - 1] * 31u + key.data[key.size / 2] * 17u + key.data[key.size * 3 / 4] * 7u) %
           CONVENTIONS_TABLE_SIZE;
}

void conventions_init(struct conventions *conventions)
{
    *conventions = (struct conventions){ .first = { 0 } };
    for (unsigned i = 0; i < NAME_COUNT; i++) {
        uint8_t *first = &conventions->first[hash_of(slice_of_string(names[i].old_name))];
        conventions->next[i + 1] = *first;
        *first = (uint8_t)(i + 1);
    }
}

static inline const struct name *find(const struct conventions *conventions, struct slice key)
{
    if (key.size < 7) /* the shortest is faas.id */
        return NULL;
    for (unsigned i = conventions->first[hash_of(key)]; i != 0; i = conventions->next[i]) {
        if (slice_equal_string(key, names[i - 1].old_name))
            return &names[i - 1];
    }
    return NULL;
}

int conventions_version_of(struct slice schema_url)
{
    const struct slice prefix = SLICE("https://opentelemetry.io/schemas/1.");
    int version = 0;
    size_t i = prefix.size;

    if (schema_url.size == 0)
        return CONVENTIONS_UNKNOWN;
    if (!slice_starts_with(schema_url, prefix))
        return CONVENTIONS_CURRENT;
    while (i < schema_url.size && schema_url.data[i] >= '0' && schema_url.data[i] <= '9' && version < 1000)
        version = version * 10 + schema_url.data[i++] - '0';
    return version > 0 && version < CONVENTIONS_CURRENT ? version : CONVENTIONS_CURRENT;
}

/* ---- renaming ---- */

static struct slice mapped(const char *const (*pairs)[2], size_t count, struct slice text)
{
    for (size_t i = 0; i < count; i++) {
        if (slice_equal_string(text, pairs[i][0]))
            return slice_of_string(pairs[i][1]);
    }
    return text;
}

static struct slice map_transport(struct slice text)
{
    static const char *const pairs[][2] = { { "ip_tcp", "tcp" }, { "ip_udp", "udp" }, { "IP.TCP", "tcp" }, { "IP.UDP", "udp" } };

    return mapped(pairs, sizeof(pairs) / sizeof(pairs[0]), text);
}

static struct slice map_database(struct slice text)
{
    static const char *const pairs[][2] = { { "mssql", "microsoft.sql_server" }, { "oracle", "oracle.db" }, { "db2", "ibm.db2" },
        { "dynamodb", "aws.dynamodb" }, { "redshift", "aws.redshift" }, { "spanner", "gcp.spanner" }, { "cosmosdb", "azure.cosmosdb" },
        { "hanadb", "sap.hana" }, { "maxdb", "sap.maxdb" }, { "informix", "ibm.informix" }, { "netezza", "ibm.netezza" },
        { "h2", "h2database" }, { "firebird", "firebirdsql" }, { "adabas", "softwareag.adabas" }, { "ingres", "actian.ingres" },
        { "intersystems_cache", "intersystems.cache" } };

    return mapped(pairs, sizeof(pairs) / sizeof(pairs[0]), text);
}

static void move_value(struct edit *edit, const struct name *name, const struct otlp_value *value)
{
    edit_set_attribute(edit, slice_of_string(name->name), value);
    edit_remove_attribute(edit, slice_of_string(name->old_name));
}

static void move_as_text(struct edit *edit, const struct name *name, struct otlp_value value)
{
    char text[DECIMAL_SIZE];

    if (value.kind == OTLP_VALUE_INT)
        value = (struct otlp_value){ .kind = OTLP_VALUE_STRING, .bytes = slice_of(text, decimal_write_int64(value.integer, text)) };
    move_value(edit, name, &value);
}

static void move_as_list(struct edit *edit, const struct name *name, struct otlp_value value)
{
    struct buffer list = { .data = NULL };

    if (value.kind == OTLP_VALUE_STRING) {
        size_t mark = pb_open(&list, 1);
        pb_put_bytes(&list, OTLP_VALUE_STRING, value.bytes);
        pb_close(&list, mark);
        value = (struct otlp_value){ .kind = OTLP_VALUE_ARRAY, .bytes = buffer_slice(&list) };
    }
    edit->failed |= list.failed;
    move_value(edit, name, &value);
    buffer_fini(&list);
}

/* "/a?b=c" */
static void move_target(struct edit *edit, const struct name *name, const struct otlp_value *value)
{
    const uint8_t *mark =
        value->kind == OTLP_VALUE_STRING && value->bytes.size > 0 ? memchr(value->bytes.data, '?', value->bytes.size) : NULL;
    size_t path = mark != NULL ? (size_t)(mark - value->bytes.data) : value->bytes.size;
    struct otlp_value part = *value;

    if (mark == NULL) {
        edit_rename_attribute(edit, slice_of_string(name->old_name), slice_of_string(name->name));
        return;
    }
    part.bytes = (struct slice){ mark + 1, value->bytes.size - path - 1 };
    if (part.bytes.size > 0)
        edit_set_attribute(edit, SLICE("url.query"), &part);
    if (!edit_get_attribute(edit, slice_of_string(name->old_name), &part)) /* it may have moved */
        return;
    part.bytes.size = path;
    move_value(edit, name, &part);
}

static bool rename_one(struct edit *edit, const struct name *name, bool is_server)
{
    struct name moved = *name;
    struct otlp_value value, there;

    if (is_server && name->rule == PEER_ADDRESS)
        moved.name = "client.address";
    else if (is_server && name->rule == PEER_PORT)
        moved.name = "client.port";
    if (edit_get_attribute(edit, slice_of_string(moved.name), &there) || !edit_get_attribute(edit, slice_of_string(moved.old_name), &value))
        return false;
    if ((name->rule == TRANSPORT || name->rule == DATABASE) && value.kind == OTLP_VALUE_STRING) {
        value.bytes = name->rule == TRANSPORT ? map_transport(value.bytes) : map_database(value.bytes);
        move_value(edit, &moved, &value);
    } else if (name->rule == AS_TEXT) {
        move_as_text(edit, &moved, value);
    } else if (name->rule == AS_LIST) {
        move_as_list(edit, &moved, value);
    } else if (name->rule == TARGET) {
        move_target(edit, &moved, &value);
    } else {
        edit_rename_attribute(edit, slice_of_string(moved.old_name), slice_of_string(moved.name));
    }
    return true;
}

bool conventions_apply(const struct conventions *conventions, const struct conventions_message *message, struct edit *edit, bool *opened)
{
    struct pb_reader reader = pb_reader_of(message->body);
    struct pb_field field;
    bool renamed = false;

    if (message->version >= CONVENTIONS_CURRENT)
        return false;
    while (pb_next(&reader, &field)) {
        if (field.number != message->attributes_field || field.type != PB_BYTES)
            continue;
        const struct name *name = find(conventions, otlp_key_of(field.bytes));
        if (name == NULL || message->version >= name->since)
            continue;
        if (!*opened)
            edit_open(edit, message->body, message->attributes_field);
        *opened = true;
        renamed = rename_one(edit, name, message->is_server) || renamed;
    }
    return renamed;
}
