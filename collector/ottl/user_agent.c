/*
 * The rules: a list of regular expressions in order; the first that matches says the name (or its first group does) and up to three
 * parts of the version. Some 400 matches for a user agent that none knows. Threads: any, once loaded.
 */
#include "collector/ottl/user_agent.h"

#include <stdio.h>
#include <stdlib.h>
#include <yaml.h>

#include "collector/ottl/program.h"

enum { RULES_MAX = 4096, VERSION_PARTS = 3, REPLACEMENTS = 1 + VERSION_PARTS };

static const char *const file_name = "/usr/share/uap-core/regexes.yaml";

struct rule {
    struct ottl_regex *regex;
    char *replacements[REPLACEMENTS]; /* of the name and of the parts; NULL: what the group holds */
};

static struct rule *rules;
static size_t rule_count;

/* ---- reading: user_agent_parsers: [{regex: ..., family_replacement: ..., v1_replacement: ...}, ...] ---- */

static char **replacement_of(struct rule *rule, const char *key)
{
    static const char *const keys[REPLACEMENTS] = { "family_replacement", "v1_replacement", "v2_replacement", "v3_replacement" };

    for (size_t i = 0; i < REPLACEMENTS; i++) {
        if (strcmp(key, keys[i]) == 0)
            return &rule->replacements[i];
    }
    return NULL;
}

static struct slice scalar_of(const yaml_node_t *node)
{
    return node != NULL && node->type == YAML_SCALAR_NODE ? slice_of(node->data.scalar.value, node->data.scalar.length)
                                                          : (struct slice){ NULL, 0 };
}

static bool read_rule(yaml_document_t *document, const yaml_node_t *node, struct rule *rule, struct error *err)
{
    for (const yaml_node_pair_t *pair = node->data.mapping.pairs.start; pair < node->data.mapping.pairs.top; pair++) {
        struct slice key = scalar_of(yaml_document_get_node(document, pair->key));
        struct slice value = scalar_of(yaml_document_get_node(document, pair->value));
        char **replacement = key.data != NULL ? replacement_of(rule, (const char *)key.data) : NULL;
        if (slice_equal_string(key, "regex")) {
            rule->regex = ottl_regex_create(value, err);
            if (rule->regex == NULL)
                return false;
        } else if (replacement != NULL && value.data != NULL) {
            *replacement = strndup((const char *)value.data, value.size);
        }
    }
    return rule->regex != NULL || fail(err, "a rule without a regular expression");
}

static const yaml_node_t *find_list(yaml_document_t *document)
{
    const yaml_node_t *root = yaml_document_get_root_node(document);

    if (root == NULL || root->type != YAML_MAPPING_NODE)
        return NULL;
    for (const yaml_node_pair_t *pair = root->data.mapping.pairs.start; pair < root->data.mapping.pairs.top; pair++) {
        const yaml_node_t *value = yaml_document_get_node(document, pair->value);
        bool is_list = slice_equal_string(scalar_of(yaml_document_get_node(document, pair->key)), "user_agent_parsers");
        if (is_list && value != NULL && value->type == YAML_SEQUENCE_NODE)
            return value;
    }
    return NULL;
}

static bool read_rules(yaml_document_t *document, struct error *err)
{
    const yaml_node_t *list = find_list(document);
    size_t count = list != NULL ? (size_t)(list->data.sequence.items.top - list->data.sequence.items.start) : 0;

    if (count == 0 || count > RULES_MAX)
        return fail(err, "expected a list of 1 to %d rules at user_agent_parsers", RULES_MAX);
    rules = calloc(count, sizeof(*rules));
    if (rules == NULL)
        abort();
    for (size_t i = 0; i < count; i++) {
        const yaml_node_t *node = yaml_document_get_node(document, list->data.sequence.items.start[i]);
        if (node == NULL || node->type != YAML_MAPPING_NODE || !read_rule(document, node, &rules[i], err))
            return fail_within(err, "rule %zu", i + 1);
    }
    rule_count = count;
    return true;
}

static bool read_file(FILE *file, struct error *err)
{
    yaml_document_t document;
    yaml_parser_t parser;
    bool ok;

    if (!yaml_parser_initialize(&parser))
        abort();
    yaml_parser_set_input_file(&parser, file);
    ok = yaml_parser_load(&parser, &document);
    if (!ok)
        fail(err, "line %zu: %s", parser.problem_mark.line + 1, parser.problem != NULL ? parser.problem : "not YAML");
    if (ok) {
        ok = read_rules(&document, err);
        yaml_document_delete(&document);
    }
    yaml_parser_delete(&parser);
    return ok;
}

bool ottl_user_agent_load(struct error *err)
{
    FILE *file;
    bool ok;

    if (rule_count > 0)
        return true;
    file = fopen(file_name, "re");
    if (file == NULL)
        return fail(err, "its rules are not installed: expected %s, of the package uap-core", file_name);
    ok = read_file(file, err);
    fclose(file);
    return ok || fail_within(err, "%s", file_name);
}

/* ---- matching ---- */

static struct slice group_of(const struct ottl_machine *machine, struct slice text, const struct rule *rule, size_t group)
{
    size_t start, end;

    if (group > ottl_regex_group_count(rule->regex) || !ottl_regex_group(machine->matcher, group, &start, &end))
        return SLICE("");
    return slice_of(text.data + start, end - start);
}

/* "$1" in a name is the first group, the only one that names refer to. */
static void put_name(struct slice first, const char *replacement, struct buffer *name)
{
    const char *reference = replacement != NULL ? strstr(replacement, "$1") : NULL;

    if (replacement == NULL) {
        buffer_append_slice(name, first);
    } else if (reference == NULL) {
        buffer_append_string(name, replacement);
    } else {
        buffer_append(name, replacement, (size_t)(reference - replacement));
        buffer_append_slice(name, first);
        buffer_append_string(name, reference + 2);
    }
}

static void put_version(const struct ottl_machine *machine, struct slice text, const struct rule *rule, struct buffer *version)
{
    for (size_t i = 1; i <= VERSION_PARTS; i++) {
        struct slice part = rule->replacements[i] != NULL ? slice_of_string(rule->replacements[i]) : group_of(machine, text, rule, i + 1);
        if (part.size == 0)
            return;
        if (i > 1)
            buffer_append_byte(version, '.');
        buffer_append_slice(version, part);
    }
}

bool ottl_user_agent_of(struct ottl_machine *machine, struct slice text, struct buffer *name, struct buffer *version)
{
    for (size_t i = 0; i < rule_count; i++) {
        enum ottl_match match = ottl_match(machine, rules[i].regex, text, 0);
        if (match == OTTL_MATCH_FAILED)
            return false;
        if (match == OTTL_NO_MATCH)
            continue;
        put_name(group_of(machine, text, &rules[i], 1), rules[i].replacements[0], name);
        put_version(machine, text, &rules[i], version);
        return true;
    }
    buffer_append_string(name, "Other");
    return true;
}
