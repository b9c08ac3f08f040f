/*
 * Actions on attributes.
 *
 * A message is opened as an edit only when an action has something to do with the keys that it has. Cost: a scan of the
 * attributes; then that of the edit. Threads: compiled at start, read by any number of workers.
 */
#include "collector/processors/attribute_actions.h"

#include <openssl/evp.h>
#include <stdlib.h>

#include "collector/processors/any_value.h"
#include "collector/wire/encoding.h"

enum action_kind { ACTION_INSERT, ACTION_UPDATE, ACTION_UPSERT, ACTION_DELETE, ACTION_HASH, ACTION_EXTRACT, ACTION_CONVERT, ACTION_COUNT };

static const char *const action_names[] = { "insert", "update", "upsert", "delete", "hash", "extract", "convert" };

#define ACTION(field) offsetof(struct attribute_action_settings, field)

const struct option attribute_action_options[] = {
    { "key", OPTION_STRING, ACTION(key), NULL, NULL, "of the attribute; delete and hash may have a pattern instead" },
    { "action", OPTION_STRING, ACTION(action), NULL, NULL,
        "insert: where there is none; update: where there is one; upsert: both; delete; hash: SHA-256 in the place of the value; "
        "extract: what the named groups of `pattern` match in the value, as attributes of these names; convert: to another type",
        .flags = OPTION_REQUIRED },
    { "value", OPTION_ANY, ACTION(value), NULL, NULL, "insert, update, upsert: the value, with the type that YAML gives it" },
    { "from_attribute", OPTION_STRING, ACTION(from_attribute), NULL, NULL,
        "insert, update, upsert: the value of another attribute; nothing happens when there is none" },
    { "from_context", OPTION_STRING, ACTION(from_context), NULL, NULL,
        "insert, update, upsert: `metadata.NAME`, a header of the request, several joined by \";\"; `client.address`, who sent it. "
        "The receiver needs `include_metadata: true`" },
    { "default_value", OPTION_ANY, ACTION(default_value), NULL, NULL,
        "insert, update, upsert: the value when from_attribute or from_context give none" },
    { "pattern", OPTION_STRING, ACTION(pattern), NULL, NULL,
        "extract: a regular expression; delete, hash: all attributes whose key it matches too" },
    { "converted_type", OPTION_STRING, ACTION(converted_type), NULL, NULL,
        "convert: int, double or string; a value that does not convert stays" },
    { 0 },
};

struct attribute_action {
    enum action_kind kind;
    struct slice key; /* data NULL: only a pattern */
    size_t place;     /* of the key among those of the splice */
    bool has_value, has_default;
    struct otlp_value value, default_value;
    struct slice from_attribute;
    const char *from_context; /* a key of the metadata; NULL: none */
    struct ottl_regex *regex; /* owned */
    const EVP_MD *sha256;     /* HASH; borrowed from the actions */
    enum otlp_value_kind converted_type;
};

/* ---- settings ---- */

static bool is_set(const char *text)
{
    return text != NULL && text[0] != '\0';
}

static bool has_node(const struct config_node *node)
{
    return node != NULL && node->kind != CONFIG_NULL;
}

static bool refuse(const struct attribute_action_settings *settings, bool given, const char *key, struct error *err)
{
    return !given || fail(err, "%s does not use \"%s\"; leave it out", settings->action, key);
}

static bool find_kind(const char *name, enum action_kind *kind, struct error *err)
{
    for (int i = 0; i < ACTION_COUNT; i++) {
        if (strcasecmp(name, action_names[i]) == 0) {
            *kind = (enum action_kind)i;
            return true;
        }
    }
    return fail(err, "action: unknown action \"%s\", must be insert, update, upsert, delete, hash, extract or convert", name);
}

static bool compile(struct attribute_action *action, const char *pattern, struct error *err)
{
    if (!is_set(pattern))
        return true;
    action->regex = ottl_regex_create(slice_of_string(pattern), err);
    return action->regex != NULL || fail_within(err, "pattern");
}

/* "metadata.x-tenant" and "x-tenant" are the header, "client.address" is what receivers note of the peer. */
static bool set_context(struct attribute_action *action, const char *from, struct error *err)
{
    if (!is_set(from))
        return true;
    if (strncmp(from, "auth.", 5) == 0)
        return fail(err, "from_context: \"%s\" is not supported yet: what an authenticator knows is not passed on", from);
    action->from_context = strcmp(from, "client.address") == 0 ? ":peer" : strncmp(from, "metadata.", 9) == 0 ? from + 9 : from;
    return true;
}

static bool set_source(
    struct attribute_actions *actions, struct attribute_action *action, const struct attribute_action_settings *settings, struct error *err)
{
    int sources = has_node(settings->value) + is_set(settings->from_attribute) + is_set(settings->from_context);

    if (sources == 0 && !has_node(settings->default_value))
        return fail(err, "%s needs one of value, from_attribute, from_context and default_value", settings->action);
    if (sources > 1)
        return fail(err, "%s takes only one of value, from_attribute and from_context", settings->action);
    if (!refuse(settings, is_set(settings->pattern), "pattern", err) ||
        !refuse(settings, is_set(settings->converted_type), "converted_type", err) || !set_context(action, settings->from_context, err))
        return false;
    action->has_value = has_node(settings->value);
    if (action->has_value)
        action->value = any_value_of(&actions->arena, settings->value);
    action->has_default = has_node(settings->default_value);
    if (action->has_default)
        action->default_value = any_value_of(&actions->arena, settings->default_value);
    if (is_set(settings->from_attribute))
        action->from_attribute = slice_of_string(settings->from_attribute);
    return true;
}

static bool set_extract(struct attribute_action *action, const struct attribute_action_settings *settings, struct error *err)
{
    if (!is_set(settings->pattern))
        return fail(err, "extract needs a pattern");
    if (!compile(action, settings->pattern, err))
        return false;
    if (ottl_regex_group_count(action->regex) == 0)
        return fail(err, "pattern: needs at least one named group, (?P<name>...)");
    for (size_t i = 1; i <= ottl_regex_group_count(action->regex); i++) {
        if (ottl_regex_group_name(action->regex, i).size == 0)
            return fail(err, "pattern: group %zu has no name; write (?P<name>...), or (?:...) for a group that is not taken", i);
    }
    return true;
}

static bool set_conversion(struct attribute_action *action, const struct attribute_action_settings *settings, struct error *err)
{
    const char *type = settings->converted_type;

    if (!is_set(type))
        return fail(err, "convert needs converted_type: int, double or string");
    if (strcmp(type, "int") == 0)
        action->converted_type = OTLP_VALUE_INT;
    else if (strcmp(type, "double") == 0)
        action->converted_type = OTLP_VALUE_DOUBLE;
    else if (strcmp(type, "string") == 0)
        action->converted_type = OTLP_VALUE_STRING;
    else
        return fail(err, "converted_type: unknown type \"%s\", must be int, double or string", type);
    return refuse(settings, is_set(settings->pattern), "pattern", err);
}

/* Fetched once: asking OpenSSL by name for each value would cost more than the digest. */
static bool set_hash(struct attribute_actions *actions, struct attribute_action *action, struct error *err)
{
    if (action->kind == ACTION_HASH && actions->sha256 == NULL)
        actions->sha256 = EVP_MD_fetch(NULL, "SHA256", NULL);
    action->sha256 = actions->sha256;
    return action->kind != ACTION_HASH || action->sha256 != NULL || fail(err, "hash: this OpenSSL has no SHA-256");
}

static bool refuse_sources(const struct attribute_action_settings *settings, struct error *err)
{
    return refuse(settings, has_node(settings->value), "value", err) &&
           refuse(settings, is_set(settings->from_attribute), "from_attribute", err);
}

static bool make(
    struct attribute_actions *actions, struct attribute_action *action, const struct attribute_action_settings *settings, struct error *err)
{
    bool has_type = is_set(settings->converted_type);

    if (!find_kind(settings->action, &action->kind, err))
        return false;
    bool by_pattern = (action->kind == ACTION_DELETE || action->kind == ACTION_HASH) && is_set(settings->pattern);
    if (!is_set(settings->key) && !by_pattern)
        return fail(err, "%s needs a key%s", settings->action,
            action->kind == ACTION_DELETE || action->kind == ACTION_HASH ? ", or a pattern of keys" : "");
    if (is_set(settings->key))
        action->key = slice_of_string(settings->key);
    switch (action->kind) {
    case ACTION_DELETE:
    case ACTION_HASH:
        return refuse_sources(settings, err) && refuse(settings, has_type, "converted_type", err) &&
               compile(action, settings->pattern, err) && set_hash(actions, action, err);
    case ACTION_EXTRACT:
        return refuse_sources(settings, err) && refuse(settings, is_set(settings->from_context), "from_context", err) &&
               refuse(settings, has_type, "converted_type", err) && set_extract(action, settings, err);
    case ACTION_CONVERT:
        return refuse_sources(settings, err) && refuse(settings, is_set(settings->from_context), "from_context", err) &&
               set_conversion(action, settings, err);
    default:
        return set_source(actions, action, settings, err);
    }
}

/* What can be done by one scan. */
static void plan(struct attribute_actions *actions)
{
    static const enum splice_kind kinds[] = {
        [ACTION_INSERT] = SPLICE_INSERT, [ACTION_UPDATE] = SPLICE_UPDATE, [ACTION_UPSERT] = SPLICE_UPSERT, [ACTION_DELETE] = SPLICE_DELETE
    };

    actions->splice.arena = &actions->arena;
    actions->finds = actions->splices = true;
    for (size_t i = 0; i < actions->count; i++) {
        struct attribute_action *action = &actions->items[i];
        bool known = action->kind == ACTION_DELETE ? action->regex == NULL : action->kind < ACTION_DELETE && action->has_value;
        if (action->key.data != NULL)
            action->place = attribute_splice_key(&actions->splice, action->key);
        actions->finds = actions->finds && action->place < SPLICE_KEYS_MAX;
        actions->splices =
            actions->splices && known && attribute_splice_add(&actions->splice, kinds[action->kind], action->key, &action->value);
    }
    actions->splices = actions->splices && actions->finds;
}

bool attribute_actions_init(struct attribute_actions *actions, const struct option_list *list, const char *key, struct error *err)
{
    const struct attribute_action_settings *settings = list->items;

    *actions = (struct attribute_actions){ .count = 0 };
    if (list->count == 0)
        return fail(err, "%s: is required and must hold at least one action", key);
    actions->items = arena_alloc(&actions->arena, list->count * sizeof(*actions->items));
    for (size_t i = 0; i < list->count; i++) {
        struct attribute_action *action = &actions->items[actions->count++];
        if (!make(actions, action, &settings[i], err))
            return fail_within(err, "%s[%zu]", key, i);
    }
    plan(actions);
    return true;
}

void attribute_actions_fini(struct attribute_actions *actions)
{
    for (size_t i = 0; i < actions->count; i++)
        ottl_regex_destroy(actions->items[i].regex);
    EVP_MD_free(actions->sha256);
    arena_fini(&actions->arena);
    *actions = (struct attribute_actions){ .count = 0 };
}

/* ---- what there is to do ---- */

/* Has the action anything to do, as far as keys tell? Patterns are taken to match. */
static bool concerns(const struct attribute_actions *actions, const struct attribute_action *action, const struct splice_found *found)
{
    bool there;

    if (!actions->finds || (action->regex != NULL && action->kind != ACTION_EXTRACT) || action->kind == ACTION_UPSERT)
        return true;
    there = found->fields[action->place].data != NULL;
    return there == (action->kind != ACTION_INSERT);
}

/* ---- running ---- */

static bool join_context(const struct attribute_action *action, struct rewrite_worker *worker, struct otlp_value *value)
{
    struct buffer *text = &worker->value;

    buffer_clear(text);
    for (size_t i = 0;; i++) {
        struct slice one = metadata_get(worker->metadata, action->from_context, i);
        if (one.data == NULL) {
            *value = (struct otlp_value){ .kind = OTLP_VALUE_STRING, .bytes = buffer_slice(text) };
            return i > 0;
        }
        if (i > 0)
            buffer_append_byte(text, ';');
        buffer_append_slice(text, one);
    }
}

static bool find_source(const struct attribute_action *action, struct rewrite_worker *worker, struct otlp_value *value)
{
    if (action->has_value)
        *value = action->value;
    if (action->has_value || (action->from_context != NULL && join_context(action, worker, value)))
        return true;
    if (action->from_attribute.size > 0 && edit_get_attribute(&worker->edit, action->from_attribute, value))
        return true;
    *value = action->default_value;
    return action->has_default;
}

static void put(const struct attribute_action *action, struct rewrite_worker *worker)
{
    struct otlp_value value, old;

    if (!find_source(action, worker, &value))
        return;
    if (action->kind != ACTION_UPSERT && edit_get_attribute(&worker->edit, action->key, &old) != (action->kind == ACTION_UPDATE))
        return;
    edit_set_attribute(&worker->edit, action->key, &value);
}

static void erase(const struct attribute_action *action, struct rewrite_worker *worker)
{
    struct otlp_attribute attribute;
    size_t cursor = 0;

    if (action->key.data != NULL)
        edit_remove_attribute(&worker->edit, action->key);
    while (action->regex != NULL && edit_attribute_at(&worker->edit, &cursor, &attribute)) {
        if (ottl_regex_match(action->regex, worker->matcher, attribute.key, 0) == OTTL_MATCH)
            edit_remove_attribute(&worker->edit, attribute.key);
    }
}

/* Little-endian bytes of numbers, one byte of a bool; nothing of what is no scalar. */
static struct slice bytes_to_hash(const struct otlp_value *value, uint64_t *room)
{
    *room = value->kind == OTLP_VALUE_DOUBLE ? pb_double_bits(value->number) : (uint64_t)value->integer;
    if (value->kind == OTLP_VALUE_STRING)
        return value->bytes.size > 0 ? value->bytes : SLICE("");
    return slice_of(room, value->kind == OTLP_VALUE_BOOL ? 1 : sizeof(*room));
}

static void hash_value(
    const struct attribute_action *action, struct rewrite_worker *worker, struct slice key, const struct otlp_value *value)
{
    struct otlp_value hashed = { .kind = OTLP_VALUE_STRING };
    uint8_t digest[EVP_MAX_MD_SIZE];
    char hex[2 * EVP_MAX_MD_SIZE];
    unsigned size = 0;
    uint64_t room;
    struct slice bytes = bytes_to_hash(value, &room);

    if (value->kind >= OTLP_VALUE_STRING && value->kind <= OTLP_VALUE_DOUBLE) {
        if (EVP_Digest(bytes.data, bytes.size, digest, &size, action->sha256, NULL) != 1) {
            worker->failed = true;
            return;
        }
        encoding_write_hex(slice_of(digest, size), hex);
        hashed.bytes = slice_of(hex, 2 * (size_t)size);
    }
    edit_set_attribute(&worker->edit, key, &hashed);
}

static void hash(const struct attribute_action *action, struct rewrite_worker *worker)
{
    struct otlp_attribute attribute;
    struct otlp_value value;
    size_t cursor = 0;

    if (action->key.data != NULL && edit_get_attribute(&worker->edit, action->key, &value))
        hash_value(action, worker, action->key, &value);
    while (action->regex != NULL && edit_attribute_at(&worker->edit, &cursor, &attribute)) {
        if (ottl_regex_match(action->regex, worker->matcher, attribute.key, 0) == OTTL_MATCH)
            hash_value(action, worker, attribute.key, &attribute.value);
    }
}

static void extract(const struct attribute_action *action, struct rewrite_worker *worker)
{
    struct otlp_value value, part = { .kind = OTLP_VALUE_STRING };

    if (!edit_get_attribute(&worker->edit, action->key, &value) || value.kind != OTLP_VALUE_STRING)
        return;
    buffer_clear(&worker->value); /* the value may be written over by one of its parts */
    buffer_append_slice(&worker->value, value.bytes);
    struct slice text = buffer_slice(&worker->value);
    if (worker->value.failed || ottl_regex_match(action->regex, worker->matcher, text, 0) != OTTL_MATCH)
        return;
    for (size_t i = 1; i <= ottl_regex_group_count(action->regex); i++) {
        size_t start = 0, end = 0;
        ottl_regex_group(worker->matcher, i, &start, &end);
        part.bytes = end > start ? slice_of(text.data + start, end - start) : SLICE("");
        edit_set_attribute(&worker->edit, ottl_regex_group_name(action->regex, i), &part);
    }
}

/* What Go's conversion on amd64 gives beyond the range. */
static int64_t truncate_double(double number)
{
    return number >= -9223372036854775808.0 && number < 9223372036854775808.0 ? (int64_t)number : INT64_MIN;
}

static bool to_int(const struct otlp_value *value, struct otlp_value *out)
{
    *out = (struct otlp_value){ .kind = OTLP_VALUE_INT, .integer = value->integer };
    if (value->kind == OTLP_VALUE_DOUBLE)
        out->integer = truncate_double(value->number);
    return value->kind == OTLP_VALUE_DOUBLE || value->kind == OTLP_VALUE_BOOL ||
           (value->kind == OTLP_VALUE_STRING && any_value_parse_int(value->bytes, &out->integer));
}

static bool to_double(const struct otlp_value *value, struct otlp_value *out)
{
    *out = (struct otlp_value){ .kind = OTLP_VALUE_DOUBLE, .number = (double)value->integer };
    return value->kind == OTLP_VALUE_INT || value->kind == OTLP_VALUE_BOOL ||
           (value->kind == OTLP_VALUE_STRING && any_value_parse_double(value->bytes, &out->number));
}

static bool to_string(struct rewrite_worker *worker, const struct otlp_value *value, struct otlp_value *out)
{
    if (value->kind == OTLP_VALUE_STRING)
        return false;
    buffer_clear(&worker->value);
    any_value_put_text(value, &worker->value);
    worker->failed = worker->failed || worker->value.failed;
    *out = (struct otlp_value){ .kind = OTLP_VALUE_STRING, .bytes = buffer_slice(&worker->value) };
    return true;
}

static void convert(const struct attribute_action *action, struct rewrite_worker *worker)
{
    struct otlp_value value, converted;
    bool done;

    if (!edit_get_attribute(&worker->edit, action->key, &value) || value.kind == action->converted_type)
        return;
    if (action->converted_type == OTLP_VALUE_INT)
        done = to_int(&value, &converted);
    else if (action->converted_type == OTLP_VALUE_DOUBLE)
        done = to_double(&value, &converted);
    else
        done = to_string(worker, &value, &converted);
    if (done)
        edit_set_attribute(&worker->edit, action->key, &converted);
}

static void run_one(const struct attribute_action *action, struct rewrite_worker *worker)
{
    switch (action->kind) {
    case ACTION_DELETE:
        erase(action, worker);
        break;
    case ACTION_HASH:
        hash(action, worker);
        break;
    case ACTION_EXTRACT:
        extract(action, worker);
        break;
    case ACTION_CONVERT:
        convert(action, worker);
        break;
    default:
        put(action, worker);
    }
}

bool attribute_actions_run(const struct attribute_actions *actions, struct rewrite_worker *worker, const struct attribute_target *target,
    struct attribute_change *change)
{
    struct splice_found found = { .twice = true };
    size_t i = 0;

    if (actions->finds)
        attribute_splice_find(&actions->splice, target->message, target->attributes_field, &found);
    change->spliced = actions->splices && !found.twice;
    if (change->spliced) {
        change->splice.tag = (uint8_t)(target->attributes_field << 3 | PB_BYTES);
        return attribute_splice_run(&actions->splice, target->message, &found, &change->splice);
    }
    while (i < actions->count && !concerns(actions, &actions->items[i], &found))
        i++;
    if (i == actions->count)
        return false;
    edit_open(&worker->edit, target->message, target->attributes_field);
    for (; i < actions->count; i++)
        run_one(&actions->items[i], worker);
    worker->failed = worker->failed || worker->edit.failed;
    return worker->edit.changed;
}

void attribute_change_write(const struct attribute_change *change, const struct rewrite_worker *worker, uint32_t number, struct buffer *out)
{
    if (change->spliced)
        attribute_splice_write(&change->splice, number, out);
    else
        edit_write(&worker->edit, number, out);
}
