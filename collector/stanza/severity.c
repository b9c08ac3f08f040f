/* Severities: a hash table of lower-case words, made when a configuration is read. Cost: one hash a record. Threads: shared once made. */
#include "collector/stanza/severity.h"

#include <ctype.h>
#include <stdio.h>

#include "collector/base/hash.h"
#include "collector/config/scalar.h"
#include "collector/wire/decimal.h"

enum { WORD_MAX = 64, WORDS_MAX = 4096 };

struct word {
    struct slice text;
    uint8_t severity;
};

struct stanza_severities {
    struct arena *arena;
    struct word *words; /* open addressing */
    size_t capacity, count;
};

static const char *const names[] = { "", "TRACE", "TRACE2", "TRACE3", "TRACE4", "DEBUG", "DEBUG2", "DEBUG3", "DEBUG4", "INFO", "INFO2",
    "INFO3", "INFO4", "WARN", "WARN2", "WARN3", "WARN4", "ERROR", "ERROR2", "ERROR3", "ERROR4", "FATAL", "FATAL2", "FATAL3", "FATAL4" };

const char *stanza_severity_name(uint8_t severity)
{
    return severity < sizeof(names) / sizeof(names[0]) ? names[severity] : "";
}

static struct word *slot_of(const struct stanza_severities *table, struct slice text)
{
    size_t at = (size_t)hash_bytes(text) & (table->capacity - 1);

    while (table->words[at].text.data != NULL && !slice_equal(table->words[at].text, text))
        at = (at + 1) & (table->capacity - 1);
    return &table->words[at];
}

static void grow(struct stanza_severities *table)
{
    struct stanza_severities larger = { .arena = table->arena, .capacity = table->capacity * 2 };

    larger.words = arena_alloc(table->arena, larger.capacity * sizeof(*larger.words));
    for (size_t i = 0; i < table->capacity; i++) {
        if (table->words[i].text.data != NULL)
            *slot_of(&larger, table->words[i].text) = table->words[i];
    }
    larger.count = table->count;
    *table = larger;
}

static size_t lower(struct slice text, char out[WORD_MAX])
{
    for (size_t i = 0; i < text.size && i < WORD_MAX; i++)
        out[i] = (char)tolower(text.data[i]);
    return text.size;
}

static bool add(struct stanza_severities *table, struct slice text, uint8_t severity)
{
    char word[WORD_MAX];
    struct word *slot;

    if (text.size > WORD_MAX || table->count == WORDS_MAX)
        return false;
    if (2 * table->count >= table->capacity)
        grow(table);
    slot = slot_of(table, slice_of(word, lower(text, word)));
    if (slot->text.data == NULL) {
        slot->text = slice_of(arena_string(table->arena, slice_of(word, text.size)), text.size);
        table->count++;
    }
    slot->severity = severity;
    return true;
}

static void add_text(struct stanza_severities *table, const char *text, uint8_t severity)
{
    add(table, slice_of_string(text), severity);
}

static void add_preset(struct stanza_severities *table, bool words)
{
    char text[16];

    for (uint8_t i = 1; i <= 24; i++) {
        snprintf(text, sizeof(text), "%u", i);
        add_text(table, text, i);
        add_text(table, names[i], i);
    }
    for (uint8_t i = 0; words && i < 4; i++) {
        snprintf(text, sizeof(text), i == 0 ? "warning" : "warning%u", i + 1U);
        add_text(table, text, 13 + i);
        snprintf(text, sizeof(text), i == 0 ? "err" : "err%u", i + 1U);
        add_text(table, text, 17 + i);
    }
}

/* ---- mapping ---- */

static bool add_range(struct stanza_severities *table, int64_t least, int64_t most, uint8_t severity, struct error *err)
{
    char digits[DECIMAL_SIZE];

    if (least > most) {
        int64_t swap = least;
        least = most;
        most = swap;
    }
    if (most - least >= WORDS_MAX)
        return fail(err, "a range of more than %d numbers", WORDS_MAX);
    for (int64_t i = least; i <= most; i++) {
        if (!add(table, slice_of(digits, decimal_write_int64(i, digits)), severity))
            return fail(err, "more than %d values", WORDS_MAX);
    }
    return true;
}

static bool add_value(struct stanza_severities *table, const struct config_node *node, uint8_t severity, struct error *err)
{
    const struct config_node *least = config_get(node, "min"), *most = config_get(node, "max");
    int64_t from, to;

    if (node->kind == CONFIG_MAP) {
        if (least == NULL || most == NULL || !scalar_parse_int(least->text != NULL ? least->text : "", &from) ||
            !scalar_parse_int(most->text != NULL ? most->text : "", &to))
            return fail(err, "line %d: expected a range, with min and max as integers", node->line);
        return add_range(table, from, to, severity, err);
    }
    if (node->kind != CONFIG_SCALAR)
        return fail(err, "line %d: expected a string, an integer or a range", node->line);
    if (strlen(node->text) == 3 && strchr("2345", node->text[0]) != NULL && strcmp(node->text + 1, "xx") == 0)
        return add_range(table, (node->text[0] - '0') * 100, (node->text[0] - '0') * 100 + 99, severity, err);
    return add(table, slice_of_string(node->text), severity) ||
           fail(err, "line %d: a word longer than %d bytes, or too many", node->line, WORD_MAX);
}

static bool add_mapping(struct stanza_severities *table, const struct config_node *mapping, struct error *err)
{
    struct stanza_severities known = { .arena = table->arena, .capacity = 128 };

    known.words = arena_alloc(table->arena, known.capacity * sizeof(*known.words));
    add_preset(&known, false);
    for (const struct config_node *node = mapping->children; node != NULL; node = node->next) {
        char word[WORD_MAX];
        struct slice key = slice_of_string(node->key);
        uint8_t severity = key.size <= WORD_MAX ? slot_of(&known, slice_of(word, lower(key, word)))->severity : 0;
        if (severity == 0)
            return fail(err,
                "line %d: \"%s\" is no severity; expected trace, debug, info, warn, error, fatal, or one of them with 2, 3 or 4",
                node->key_line, node->key);
        if (node->kind != CONFIG_LIST && !add_value(table, node, severity, err))
            return false;
        for (const struct config_node *item = node->kind == CONFIG_LIST ? node->children : NULL; item != NULL; item = item->next) {
            if (!add_value(table, item, severity, err))
                return false;
        }
    }
    return true;
}

struct stanza_severities *stanza_severities_create(
    struct arena *arena, const char *preset, const struct config_node *mapping, struct error *err)
{
    struct stanza_severities *table = arena_alloc(arena, sizeof(*table));

    table->arena = arena;
    table->capacity = 128;
    table->words = arena_alloc(arena, table->capacity * sizeof(*table->words));
    if (preset == NULL || strcmp(preset, "none") != 0)
        add_preset(table, preset == NULL || *preset == '\0' || strcmp(preset, "default") == 0);
    if (mapping == NULL || mapping->kind == CONFIG_NULL)
        return table;
    if (mapping->kind != CONFIG_MAP) {
        fail(err, "mapping: expected a map of severities");
        return NULL;
    }
    if (add_mapping(table, mapping, err))
        return table;
    fail_within(err, "mapping");
    return NULL;
}

uint8_t stanza_severity_of(const struct stanza_severities *table, const struct stanza_value *value)
{
    char word[WORD_MAX];
    size_t size;

    if (value->kind == STANZA_INT)
        size = decimal_write_int64(value->integer, word);
    else if (value->kind == STANZA_DOUBLE && value->number > -1e9 && value->number < 1e9 && value->number == (double)(int64_t)value->number)
        size = decimal_write_int64((int64_t)value->number, word);
    else if ((value->kind == STANZA_STRING || value->kind == STANZA_BYTES) && value->bytes.size <= WORD_MAX)
        size = lower(value->bytes, word);
    else
        return 0;
    return slot_of(table, slice_of(word, size))->severity;
}
