/*
 * Topics: names, or extended regular expressions (POSIX) when they begin with ^, as librdkafka takes them.
 * Cost: a walk over all names and patterns for each partition that is assigned; nothing for each message.
 */
#include <stdlib.h>

#include "receivers/kafka/kafka.h"

static bool is_pattern(const char *text)
{
    return *text == '^';
}

static bool compile(regex_t *regex, const char *pattern, const char *key, struct error *err)
{
    char text[200];
    int result = regcomp(regex, pattern, REG_EXTENDED | REG_NOSUB);

    if (result == 0)
        return true;
    regerror(result, regex, text, sizeof(text));
    return fail(err, "%s: \"%s\" is not a regular expression: %s", key, pattern, text);
}

/* Names get a regex that is never used, so that both lists have the same places. */
static bool compile_all(const struct option_strings *list, regex_t **regexes, size_t *compiled, const char *key, struct error *err)
{
    *compiled = 0;
    *regexes = calloc(list->count + 1, sizeof(**regexes));
    if (*regexes == NULL)
        abort();
    for (size_t i = 0; i < list->count; i++, ++*compiled) {
        if (!compile(&(*regexes)[i], is_pattern(list->items[i]) ? list->items[i] : "^$", key, err))
            return false;
    }
    return true;
}

static bool fits(const struct option_strings *list, const regex_t *regexes, const char *topic)
{
    for (size_t i = 0; i < list->count; i++) {
        if (is_pattern(list->items[i]) ? regexec(&regexes[i], topic, 0, NULL, 0) == 0 : strcmp(list->items[i], topic) == 0)
            return true;
    }
    return false;
}

static bool rule_init(struct kafka_rule *rule, enum signal signal, const struct kafka_signal_settings *settings, struct error *err)
{
    rule->topics = settings->topics;
    rule->exclude_topics = settings->exclude_topics;
    return (kafka_format_init(&rule->format, signal, settings->encoding, err) || fail_within(err, "%s.encoding", signal_name(signal))) &&
           ((compile_all(&rule->topics, &rule->patterns, &rule->compiled, "topics", err) &&
                compile_all(&rule->exclude_topics, &rule->excludes, &rule->excludes_compiled, "exclude_topics", err)) ||
               fail_within(err, "%s", signal_name(signal)));
}

/* A topic that is named is for one signal, and nobody excludes it: librdkafka knows one exclusion for all. */
static bool check_name(const struct kafka_rule rules[SIGNAL_COUNT], enum signal signal, const char *topic, struct error *err)
{
    for (size_t other = 0; other < SIGNAL_COUNT; other++) {
        if (fits(&rules[other].exclude_topics, rules[other].excludes, topic))
            return fail(
                err, "%s.topics: \"%s\" is excluded by %s.exclude_topics", signal_name(signal), topic, signal_name((enum signal)other));
        for (size_t i = 0; other < signal && i < rules[other].topics.count; i++) {
            if (strcmp(rules[other].topics.items[i], topic) == 0)
                return fail(err, "%s.topics: \"%s\" is read as %s already", signal_name(signal), topic, signal_name((enum signal)other));
        }
    }
    return true;
}

static bool check_excludes(const struct kafka_rule *rule, struct error *err)
{
    for (size_t i = 0; i < rule->exclude_topics.count; i++) {
        const char *text = rule->exclude_topics.items[i];

        if (*text == '\0' || strchr(text, ',') != NULL)
            return fail(err, "%s.exclude_topics: \"%s\" is empty or has a comma in it", signal_name(rule->format.signal), text);
    }
    return true;
}

bool kafka_rules_init(struct kafka_rule rules[SIGNAL_COUNT], const struct kafka_receiver *receiver, struct error *err)
{
    for (size_t signal = 0; signal < SIGNAL_COUNT; signal++) {
        if (!rule_init(&rules[signal], (enum signal)signal, &receiver->signals[signal], err) || !check_excludes(&rules[signal], err))
            return false;
    }
    for (size_t signal = 0; signal < SIGNAL_COUNT; signal++) {
        const struct option_strings *topics = &rules[signal].topics;

        for (size_t i = 0; i < topics->count; i++) {
            if (topics->items[i][0] == '\0')
                return fail(err, "%s.topics: a name is empty", signal_name((enum signal)signal));
            if (!is_pattern(topics->items[i]) && !check_name(rules, (enum signal)signal, topics->items[i], err))
                return false;
        }
    }
    return true;
}

void kafka_rules_fini(struct kafka_rule rules[SIGNAL_COUNT])
{
    for (size_t signal = 0; signal < SIGNAL_COUNT; signal++) {
        struct kafka_rule *rule = &rules[signal];

        for (size_t i = 0; i < rule->compiled; i++)
            regfree(&rule->patterns[i]);
        for (size_t i = 0; i < rule->excludes_compiled; i++)
            regfree(&rule->excludes[i]);
        free(rule->patterns);
        free(rule->excludes);
        kafka_format_fini(&rule->format);
        *rule = (struct kafka_rule){ .patterns = NULL };
    }
}

const struct kafka_rule *kafka_rule_of(const struct kafka_rule rules[SIGNAL_COUNT], const char *topic)
{
    for (size_t signal = 0; signal < SIGNAL_COUNT; signal++) { /* names first: they are meant */
        for (size_t i = 0; i < rules[signal].topics.count; i++) {
            if (strcmp(rules[signal].topics.items[i], topic) == 0)
                return &rules[signal];
        }
    }
    for (size_t signal = 0; signal < SIGNAL_COUNT; signal++) {
        if (fits(&rules[signal].topics, rules[signal].patterns, topic) &&
            !fits(&rules[signal].exclude_topics, rules[signal].excludes, topic))
            return &rules[signal];
    }
    return NULL;
}

static void put_exact(struct buffer *out, const char *name)
{
    buffer_append_byte(out, '^');
    for (; *name != '\0'; name++) {
        if (*name == '.')
            buffer_append_byte(out, '\\');
        buffer_append_byte(out, (uint8_t)*name);
    }
    buffer_append_byte(out, '$');
}

void kafka_rules_blacklist(const struct kafka_receiver *receiver, struct buffer *out)
{
    for (size_t signal = 0; signal < SIGNAL_COUNT; signal++) {
        const struct option_strings *excludes = &receiver->signals[signal].exclude_topics;

        for (size_t i = 0; i < excludes->count; i++) {
            if (out->size > 0)
                buffer_append_byte(out, ',');
            if (is_pattern(excludes->items[i]))
                buffer_append_string(out, excludes->items[i]);
            else
                put_exact(out, excludes->items[i]);
        }
    }
}
