/* A component's options with one of each kind, for the tests of this folder. */
#ifndef WEIR_TESTS_UNIT_CONFIG_TOY_TABLE_H
#define WEIR_TESTS_UNIT_CONFIG_TOY_TABLE_H

#include "collector/config/option.h"

struct toy_item {
    const char *name;
    int64_t weight;
};

struct toy_view {
    const char *key;
    bool on;
};

struct toy_shared {
    int64_t size;
    int64_t wait_ns;
};

struct toy {
    bool flag;
    int64_t number, open_number;
    double ratio;
    int64_t wait_ns;
    const char *endpoint, *secret, *mode_text, *id;
    int mode;
    struct option_strings words, allowed;
    struct option_pairs headers, plain;
    struct {
        bool present;
        int64_t depth;
        const char *file;
    } block;
    int64_t always;
    struct toy_shared shared;
    struct option_list items;
    bool items_present;
    struct option_list views;
    const struct config_node *any;
};

#define TOY(field) offsetof(struct toy, field)

static const struct option toy_block_options[] = {
    { "depth", OPTION_INT, TOY(block.depth), "3", "1..9", "how deep" },
    { "file", OPTION_STRING, TOY(block.file), NULL, NULL, "which file", .flags = OPTION_REQUIRED },
    { 0 },
};

static const struct option toy_always_options[] = {
    { "enabled", OPTION_UNSUPPORTED, 0, "false", NULL, "cookies" },
    { "count", OPTION_INT, TOY(always), "7", NULL, "how often" },
    { 0 },
};

static const struct option toy_item_options[] = {
    { "name", OPTION_STRING, offsetof(struct toy_item, name), NULL, "nonempty", "who", .flags = OPTION_REQUIRED },
    { "weight", OPTION_INT, offsetof(struct toy_item, weight), "1", NULL, "how heavy" },
    { 0 },
};

static const struct option toy_view_options[] = {
    { "on", OPTION_BOOL, offsetof(struct toy_view, on), "true", NULL, "shown" },
    { 0 },
};

static const struct option toy_shared_options[] = {
    { "size", OPTION_INT, offsetof(struct toy_shared, size), "10", "0..", "shared size" },
    { "shared_wait", OPTION_DURATION, offsetof(struct toy_shared, wait_ns), "1m", NULL, "shared wait" },
    { 0 },
};

static const struct option toy_options[] = {
    { "endpoint", OPTION_STRING, TOY(endpoint), NULL, "nonempty", "where to | send", .flags = OPTION_REQUIRED },
    { "flag", OPTION_BOOL, TOY(flag), "true", NULL, "a switch" },
    { "number", OPTION_INT, TOY(number), "5", "1..65535", "a number" },
    { "open_number", OPTION_INT, TOY(open_number), NULL, "0..", "no upper end" },
    { "ratio", OPTION_DOUBLE, TOY(ratio), "0.5", "0..1", "a share" },
    { "wait", OPTION_DURATION, TOY(wait_ns), "10s", "1s..1h", "a time", .flags = OPTION_WEIR },
    { "secret", OPTION_SECRET, TOY(secret), NULL, NULL, "a password" },
    { "mode", OPTION_ENUM, TOY(mode), "normal", "basic|normal|detailed", "how much" },
    { "mode_text", OPTION_STRING, TOY(mode_text), "tcp", "tcp|unix", "how" },
    { "id", OPTION_ID, TOY(id), NULL, NULL, "an extension" },
    { "words", OPTION_STRINGS, TOY(words), "a, b", NULL, "some words" },
    { "allowed", OPTION_STRINGS, TOY(allowed), ",gzip", "|gzip|zstd", "some of these words" },
    { "headers", OPTION_PAIRS, TOY(headers), NULL, NULL, "secret pairs", .flags = OPTION_HIDDEN },
    { "plain", OPTION_PAIRS, TOY(plain), NULL, NULL, "pairs" },
    { "block", OPTION_BLOCK, 0, NULL, NULL, "may be there", toy_block_options, .present = TOY(block.present) },
    { "always", OPTION_BLOCK, 0, NULL, NULL, "is always there", toy_always_options },
    { "size", OPTION_INT, TOY(shared.size), "99", NULL, "own default" },
    { "", OPTION_INCLUDE, TOY(shared), NULL, NULL, NULL, toy_shared_options },
    { "items", OPTION_LIST, TOY(items), NULL, NULL, "a list", toy_item_options, sizeof(struct toy_item), .present = TOY(items_present) },
    { "views", OPTION_MAP, TOY(views), NULL, NULL, "a map", toy_view_options, sizeof(struct toy_view) },
    { "any", OPTION_ANY, TOY(any), NULL, NULL, "anything" },
    { "old_wait", OPTION_DURATION, TOY(wait_ns), NULL, NULL, "use wait", .flags = OPTION_DEPRECATED },
    { "storage", OPTION_UNSUPPORTED, 0, NULL, NULL, "where to keep" },
    { "balancer", OPTION_UNSUPPORTED, 0, "round_robin", NULL, "which address" },
    { "blocking", OPTION_REMOVED, 0, NULL, NULL, "use flag" },
    { "tuning", OPTION_IGNORED, 0, NULL, NULL, "Go only" },
    { 0 },
};

#endif
