/*
 * Rules one after the other. A match that takes too many steps (collector/ottl/regex.h) counts as none.
 * Cost: 100 to 500 ns a rule with a regular expression; results are kept by those who call this (layout.h).
 */
#include "receivers/prometheus/relabel.h"

#include <openssl/evp.h>
#include <stdio.h>
#include <stdlib.h>

#include "collector/wire/utf8.h"

#define FIELD(field) offsetof(struct relabel_settings, field)

const struct option relabel_options[] = {
    { "source_labels", OPTION_STRINGS, FIELD(source_labels), NULL, NULL, "labels whose values, joined, are looked at" },
    { "separator", OPTION_STRING, FIELD(separator), ";", NULL, "between the joined values" },
    { "target_label", OPTION_STRING, FIELD(target_label), NULL, NULL, "label that is written" },
    { "regex", OPTION_STRING, FIELD(regex), "(.*)", NULL, "RE2 expression that must match as a whole" },
    { "replacement", OPTION_STRING, FIELD(replacement), "$1", NULL, "what is written; $1 or ${name} stand for what groups matched" },
    { "modulus", OPTION_INT, FIELD(modulus), "0", "0..", "for hashmod" },
    { "action", OPTION_ENUM, FIELD(action), "replace", RELABEL_ACTIONS, "what to do" },
    { 0 },
};

struct rule {
    const struct relabel_settings *settings;
    struct ottl_regex *regex; /* owned; NULL: matches everything, as one group */
};

struct relabel_rules {
    size_t count;
    struct rule rules[];
};

/* ---- compiling ---- */

static bool is_unchanged(const char *text, const char *standard)
{
    return text == NULL || strcmp(text, standard) == 0;
}

static bool has_text(const char *text)
{
    return text != NULL && text[0] != '\0';
}

static bool check(const struct relabel_settings *rule, struct error *err)
{
    enum relabel_action action = (enum relabel_action)rule->action;
    bool writes = action == RELABEL_REPLACE || action == RELABEL_HASHMOD || action == RELABEL_LOWERCASE || action == RELABEL_UPPERCASE;
    bool compares = action == RELABEL_KEEPEQUAL || action == RELABEL_DROPEQUAL;
    bool by_name = action == RELABEL_LABELDROP || action == RELABEL_LABELKEEP;

    if ((writes || compares) && !has_text(rule->target_label))
        return fail(err, "this action needs target_label");
    if (action == RELABEL_HASHMOD && rule->modulus == 0)
        return fail(err, "hashmod needs a modulus above 0");
    if (compares && (!is_unchanged(rule->regex, "(.*)") || !is_unchanged(rule->separator, ";") || rule->modulus != 0))
        return fail(err, "keepequal and dropequal take source_labels and target_label only");
    if (by_name && (rule->source_labels.count > 0 || has_text(rule->target_label) || rule->modulus != 0))
        return fail(err, "labeldrop and labelkeep take a regex only");
    return true;
}

static bool compile(struct rule *rule, struct error *err)
{
    const char *pattern = rule->settings->regex;
    struct buffer text = { .data = NULL };
    bool compiled;

    if (!check(rule->settings, err))
        return false;
    if (is_unchanged(pattern, "(.*)"))
        return true;
    buffer_printf(&text, "^(?s:%s)$", pattern);
    rule->regex = ottl_regex_create(buffer_slice(&text), err);
    compiled = rule->regex != NULL;
    buffer_fini(&text);
    return compiled;
}

struct relabel_rules *relabel_create(const struct option_list *settings, struct error *err)
{
    const struct relabel_settings *items = settings->items;
    struct relabel_rules *rules = calloc(1, sizeof(*rules) + settings->count * sizeof(rules->rules[0]));

    if (rules == NULL)
        abort();
    rules->count = settings->count;
    for (size_t i = 0; i < settings->count; i++) {
        rules->rules[i].settings = &items[i];
        if (!compile(&rules->rules[i], err)) {
            fail_within(err, "[%zu]", i);
            relabel_destroy(rules);
            return NULL;
        }
    }
    return rules;
}

void relabel_destroy(struct relabel_rules *rules)
{
    for (size_t i = 0; rules != NULL && i < rules->count; i++)
        ottl_regex_destroy(rules->rules[i].regex);
    free(rules);
}

/* ---- running ---- */

struct run {
    const struct rule *rule;
    struct ottl_matcher *matcher;
    struct labels *labels;
    struct slice source; /* joined source values */
};

static struct slice joined(const struct relabel_settings *rule, struct labels *labels)
{
    struct slice separator = slice_of_string(rule->separator);
    size_t size = 0;
    uint8_t *out, *at;

    if (rule->source_labels.count == 1) {
        struct slice only = labels_get(labels, slice_of_string(rule->source_labels.items[0]));
        return only.data != NULL ? only : SLICE("");
    }
    for (size_t i = 0; i < rule->source_labels.count; i++)
        size += labels_get(labels, slice_of_string(rule->source_labels.items[i])).size + (i > 0 ? separator.size : 0);
    out = at = labels_room(labels, size);
    if (out == NULL || size == 0)
        return SLICE("");
    for (size_t i = 0; i < rule->source_labels.count; i++) {
        struct slice value = labels_get(labels, slice_of_string(rule->source_labels.items[i]));

        if (i > 0 && separator.size > 0)
            at = (uint8_t *)mempcpy(at, separator.data, separator.size);
        if (value.size > 0)
            at = (uint8_t *)mempcpy(at, value.data, value.size);
    }
    return slice_of(out, size);
}

static bool matches(const struct run *run, struct slice text)
{
    return run->rule->regex == NULL || ottl_regex_match(run->rule->regex, run->matcher, text, 0) == OTTL_MATCH;
}

/* `template` with the groups of the last match in `text`. */
static struct slice expanded(const struct run *run, struct slice text, struct slice template)
{
    struct buffer out = { .data = NULL };
    struct slice kept;

    if (template.size == 0 || memchr(template.data, '$', template.size) == NULL)
        return template;
    if (run->rule->regex == NULL && (slice_equal(template, SLICE("$1")) || slice_equal(template, SLICE("${1}"))))
        return text;
    if (run->rule->regex == NULL) {
        struct ottl_regex *all = ottl_regex_create(SLICE("^(?s:(.*))$"), NULL);

        if (ottl_regex_match(all, run->matcher, text, 0) == OTTL_MATCH)
            ottl_regex_expand(all, run->matcher, text, template, &out);
        ottl_regex_destroy(all);
    } else {
        ottl_regex_expand(run->rule->regex, run->matcher, text, template, &out);
    }
    kept = labels_keep(run->labels, buffer_slice(&out));
    run->labels->failed = run->labels->failed || out.failed;
    buffer_fini(&out);
    return kept;
}

static void replace(const struct run *run)
{
    const struct relabel_settings *rule = run->rule->settings;
    struct slice target;

    if (!matches(run, run->source))
        return;
    target = expanded(run, run->source, slice_of_string(rule->target_label));
    if (target.size == 0 || !utf8_is_valid(target))
        return;
    labels_set(run->labels, target, expanded(run, run->source, slice_of_string(rule->replacement)));
}

/* The last eight bytes of the MD5, as Prometheus has it. */
static void hash_modulo(const struct run *run)
{
    uint8_t digest[EVP_MAX_MD_SIZE];
    char text[24];
    uint64_t hash = 0;

    if (EVP_Digest(run->source.data, run->source.size, digest, NULL, EVP_md5(), NULL) != 1)
        return;
    for (int i = 8; i < 16; i++)
        hash = hash << 8 | digest[i];
    snprintf(text, sizeof(text), "%llu", (unsigned long long)(hash % (uint64_t)run->rule->settings->modulus));
    labels_set(run->labels, slice_of_string(run->rule->settings->target_label), labels_keep(run->labels, slice_of_string(text)));
}

/* ASCII letters; others stay as they are. */
static void change_case(const struct run *run, bool upper)
{
    struct slice kept = labels_keep(run->labels, run->source);
    uint8_t *text = (uint8_t *)(uintptr_t)kept.data;
    uint8_t first = upper ? 'a' : 'A', last = upper ? 'z' : 'Z';

    for (size_t i = 0; i < kept.size; i++)
        text[i] = text[i] >= first && text[i] <= last ? text[i] ^ 0x20 : text[i];
    labels_set(run->labels, slice_of_string(run->rule->settings->target_label), kept);
}

static void map_names(const struct run *run)
{
    size_t count = run->labels->count;

    for (size_t i = 0; i < count && i < run->labels->count; i++) {
        struct label label = run->labels->items[i];

        if (matches(run, label.name))
            labels_set(run->labels, expanded(run, label.name, slice_of_string(run->rule->settings->replacement)), label.value);
    }
}

/* Drops the labels whose names match, or those that don't. */
static void drop_names(const struct run *run, bool matching)
{
    size_t kept = 0;

    for (size_t i = 0; i < run->labels->count; i++)
        if (matches(run, run->labels->items[i].name) != matching)
            run->labels->items[kept++] = run->labels->items[i];
    run->labels->count = kept;
}

static bool equals_target(const struct run *run)
{
    return slice_equal(run->source, labels_get(run->labels, slice_of_string(run->rule->settings->target_label)));
}

/* false: dropped. */
static bool apply(const struct run *run)
{
    switch ((enum relabel_action)run->rule->settings->action) {
    case RELABEL_KEEP:
        return matches(run, run->source);
    case RELABEL_DROP:
        return !matches(run, run->source);
    case RELABEL_KEEPEQUAL:
        return equals_target(run);
    case RELABEL_DROPEQUAL:
        return !equals_target(run);
    case RELABEL_REPLACE:
        replace(run);
        break;
    case RELABEL_HASHMOD:
        hash_modulo(run);
        break;
    case RELABEL_LABELMAP:
        map_names(run);
        break;
    case RELABEL_LABELDROP:
    case RELABEL_LABELKEEP:
        drop_names(run, run->rule->settings->action == RELABEL_LABELDROP);
        break;
    case RELABEL_LOWERCASE:
    case RELABEL_UPPERCASE:
        change_case(run, run->rule->settings->action == RELABEL_UPPERCASE);
        break;
    }
    return true;
}

bool relabel_apply(const struct relabel_rules *rules, struct ottl_matcher *matcher, struct labels *labels)
{
    for (size_t i = 0; rules != NULL && i < rules->count; i++) {
        struct run run = { &rules->rules[i], matcher, labels, SLICE("") };

        run.source = joined(rules->rules[i].settings, labels);
        if (!apply(&run))
            return false;
    }
    return true;
}
