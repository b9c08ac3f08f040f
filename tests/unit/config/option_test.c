/* Option tables: every kind, both ends of its range and one step beyond, and each kind of mistake. */
#include "collector/config/option.h"
#include "tests/unit/config/loaded.h"
#include "tests/unit/config/toy_table.h"

struct filled {
    struct loaded loaded;
    struct toy toy;
    bool fine;
};

/* Fills a toy from "endpoint: x" and these lines. */
static void fill_lines(struct filled *self, const char *lines)
{
    char text[2048];

    snprintf(text, sizeof(text), "endpoint: x\n%s\n", lines);
    load_text(&self->loaded, text);
    assert_no_errors(&self->loaded);
    memset(&self->toy, 0, sizeof(self->toy));
    self->fine = option_fill(
        toy_options, self->loaded.tree, "exporters.toy", &(struct option_target){ &self->toy, &self->loaded.arena, &self->loaded.errors });
    assert_true(self->fine == (self->loaded.errors.count == 0));
}

static void assert_accepted(struct filled *self, const char *lines)
{
    fill_lines(self, lines);
    assert_no_errors(&self->loaded);
}

/* One error, whose text after "yaml:2:COLUMN: exporters.toy." begins so. */
static void assert_refused(const char *lines, const char *sentence)
{
    struct filled filled;
    const char *text;

    fill_lines(&filled, lines);
    text = strstr(error_text(&filled.loaded, 0), "exporters.toy");
    if (filled.fine || text == NULL || strncmp(text + 14, sentence, strlen(sentence)) != 0)
        fail_msg("\"%s\": %s", lines, error_text(&filled.loaded, 0));
    unload(&filled.loaded);
}

static void test_defaults(void **state)
{
    struct filled filled;

    (void)state;
    assert_accepted(&filled, "");
    assert_true(filled.toy.flag);
    assert_int_equal(filled.toy.number, 5);
    assert_int_equal(filled.toy.open_number, 0);
    assert_true(filled.toy.ratio > 0.49 && filled.toy.ratio < 0.51);
    assert_int_equal(filled.toy.wait_ns, INT64_C(10000000000));
    assert_string_equal(filled.toy.endpoint, "x");
    assert_null(filled.toy.secret);
    assert_int_equal(filled.toy.mode, 1);
    assert_string_equal(filled.toy.mode_text, "tcp");
    assert_int_equal(filled.toy.words.count, 2);
    assert_string_equal(filled.toy.words.items[1], "b");
    assert_int_equal(filled.toy.allowed.count, 2);
    assert_string_equal(filled.toy.allowed.items[0], "");
    assert_false(filled.toy.block.present);
    assert_int_equal(filled.toy.block.depth, 3);
    assert_int_equal(filled.toy.always, 7);
    assert_int_equal(filled.toy.shared.size, 99);
    assert_int_equal(filled.toy.shared.wait_ns, INT64_C(60000000000));
    assert_false(filled.toy.items_present);
    assert_null(filled.toy.any);
    unload(&filled.loaded);
}

static void test_bools(void **state)
{
    struct filled filled;

    (void)state;
    assert_accepted(&filled, "flag: FALSE");
    assert_false(filled.toy.flag);
    unload(&filled.loaded);
    assert_accepted(&filled, "flag:");
    assert_true(filled.toy.flag);
    unload(&filled.loaded);
    assert_refused("flag: \"true\"", "flag: expected true or false, found the string \"true\"; leave out the quotes");
    assert_refused("flag: yes", "flag: expected true or false, found the string \"yes\"");
    assert_refused("flag: 1", "flag: expected true or false, found the number 1");
    assert_refused("flag: {}", "flag: expected true or false, found a map");
}

static void test_integers(void **state)
{
    static const struct {
        const char *lines;
        int64_t value;
    } cases[] = { { "number: 1", 1 }, { "number: 65535", 65535 }, { "number: 0x10", 16 }, { "number: 1_000", 1000 }, { "number: 010", 8 },
        { "number: 1e3", 1000 } };
    struct filled filled;

    (void)state;
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        assert_accepted(&filled, cases[i].lines);
        assert_int_equal(filled.toy.number, cases[i].value);
        unload(&filled.loaded);
    }
    assert_accepted(&filled, "open_number: 9223372036854775807");
    assert_int_equal(filled.toy.open_number, INT64_MAX);
    unload(&filled.loaded);
    assert_refused("number: 0", "number: must be between 1 and 65535, found 0");
    assert_refused("number: 65536", "number: must be between 1 and 65535, found 65536");
    assert_refused("open_number: -1", "open_number: must be at least 0, found -1");
    assert_refused("open_number: 9223372036854775808", "open_number: expected a whole number, found the number");
    assert_refused("number: \"5\"", "number: expected a whole number, found the string \"5\"; leave out the quotes");
    assert_refused("number: 1.5", "number: expected a whole number, found the number 1.5");
    assert_refused("number: many", "number: expected a whole number, found the string \"many\"");
    assert_refused("number: [1]", "number: expected a whole number, found a list");
}

static void test_doubles(void **state)
{
    struct filled filled;

    (void)state;
    assert_accepted(&filled, "ratio: 0");
    assert_true(filled.toy.ratio < 0.001);
    unload(&filled.loaded);
    assert_accepted(&filled, "ratio: 1.0");
    assert_true(filled.toy.ratio > 0.999);
    unload(&filled.loaded);
    assert_refused("ratio: 1.0001", "ratio: must be between 0 and 1, found 1.0001");
    assert_refused("ratio: -0.1", "ratio: must be between 0 and 1, found -0.1");
    assert_refused("ratio: .inf", "ratio: expected a number, found the number .inf");
    assert_refused("ratio: .nan", "ratio: expected a number");
    assert_refused("ratio: '0.5'", "ratio: expected a number, found the string \"0.5\"");
}

static void test_durations(void **state)
{
    struct filled filled;
    int64_t value = 5;

    (void)state;
    assert_accepted(&filled, "wait: 1s");
    assert_int_equal(filled.toy.wait_ns, 1000000000);
    unload(&filled.loaded);
    assert_accepted(&filled, "wait: '1h'");
    unload(&filled.loaded);
    assert_accepted(&filled, "shared_wait: 0");
    assert_int_equal(filled.toy.shared.wait_ns, 0);
    unload(&filled.loaded);
    assert_refused("wait: 999ms", "wait: must be between 1s and 1h, found 999ms");
    assert_refused("wait: 1h1ns", "wait: must be between 1s and 1h, found 1h1ns");
    assert_refused("wait: -1s", "wait: must not be negative, found -1s");
    assert_refused("wait: 5", "wait: expected a duration, found the number 5, which needs a unit: 5s, 5ms");
    assert_refused("wait: '5'", "wait: expected a duration, found the number 5");
    assert_refused("wait: soon", "wait: expected a duration such as 200ms, 5s or 1h30m, found the string \"soon\"");
    assert_false(option_parse_duration("-1s", &value));
    assert_true(option_parse_duration("0", &value));
    assert_int_equal(value, 0);
}

static void test_strings(void **state)
{
    struct filled filled;

    (void)state;
    setenv("WEIR_NUMBER", "0123", 1);
    assert_accepted(&filled, "secret: ${WEIR_NUMBER}\nid: basicauth/server\nmode_text: UNIX");
    assert_string_equal(filled.toy.secret, "0123");
    assert_string_equal(filled.toy.id, "basicauth/server");
    unload(&filled.loaded);
    assert_accepted(&filled, "secret: '${yaml:{a: 1}}'");
    assert_string_equal(filled.toy.secret, "{a: 1}");
    unload(&filled.loaded);
    assert_accepted(&filled, "secret: 2024-01-01\nid: ''");
    assert_string_equal(filled.toy.secret, "2024-01-01");
    unload(&filled.loaded);
    assert_refused("secret: 5", "secret: expected a string, found the number 5; put it into quotes");
    assert_refused("secret: true", "secret: expected a string, found the boolean true; put it into quotes");
    assert_refused("secret: [x]", "secret: expected a string, found a list");
    assert_refused("id: 'a b'", "id: expected a component's id");
    assert_refused("id: a/", "id: expected a component's id");
    assert_refused("mode_text: udp", "mode_text: expected one of tcp, unix, found \"udp\"");
}

static void test_required(void **state)
{
    static const struct {
        const char *text, *error;
    } cases[] = {
        { "flag: true\n", "e: the key \"endpoint\" is required" },
        { "endpoint:\n", "yaml:1:10: e.endpoint: must not be empty" },
        { "endpoint: ''\n", "yaml:1:11: e.endpoint: must not be empty" },
        { "endpoint: ${env:WEIR_NOT_SET}\n", "yaml:1:11: e.endpoint: must not be empty" },
    };

    (void)state;
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        struct loaded loaded;
        struct toy toy = { 0 };

        load_text(&loaded, cases[i].text);
        loaded.errors.first = loaded.errors.last = NULL;
        assert_false(option_fill(toy_options, loaded.tree, "e", &(struct option_target){ &toy, &loaded.arena, &loaded.errors }));
        assert_error(&loaded, cases[i].error);
        unload(&loaded);
    }
}

static void test_enums(void **state)
{
    struct filled filled;

    (void)state;
    assert_accepted(&filled, "mode: Basic");
    assert_int_equal(filled.toy.mode, 0);
    unload(&filled.loaded);
    assert_accepted(&filled, "mode: 'DETAILED'");
    assert_int_equal(filled.toy.mode, 2);
    unload(&filled.loaded);
    assert_refused("mode: detaild", "mode: expected one of basic, normal, detailed, found \"detaild\", did you mean \"detailed\"?");
    assert_refused("mode: ''", "mode: expected one of basic, normal, detailed, found \"\"");
    assert_refused("mode: 1", "mode: expected one of basic, normal, detailed, found \"1\"");
    assert_refused("mode: []", "mode: expected one of basic, normal, detailed, found a list");
}

static void test_string_lists(void **state)
{
    struct filled filled;

    (void)state;
    assert_accepted(&filled, "words: [x, '5', ]\nallowed: [GZIP, '']");
    assert_int_equal(filled.toy.words.count, 2);
    assert_string_equal(filled.toy.words.items[1], "5");
    assert_int_equal(filled.toy.allowed.count, 2);
    unload(&filled.loaded);
    assert_accepted(&filled, "words: x,y\nallowed: []");
    assert_string_equal(filled.toy.words.items[1], "y");
    assert_int_equal(filled.toy.allowed.count, 0);
    unload(&filled.loaded);
    assert_refused("words: [x, 5]", "words: expected a string, found the number 5; put it into quotes");
    assert_refused("words: [x, [y]]", "words: expected a string, found a list");
    assert_refused("words: {a: b}", "words: expected a list of strings, found a map");
    assert_refused("words: 5", "words: expected a list of strings, found the number 5");
    assert_refused("allowed: [gzip, brotli]", "allowed: expected any of \"\", gzip, zstd, found \"brotli\"");
}

static void test_pairs(void **state)
{
    struct filled filled;

    (void)state;
    assert_accepted(&filled, "headers: {a.b: x, c: , d: ''}");
    assert_int_equal(filled.toy.headers.count, 3);
    assert_string_equal(filled.toy.headers.items[0].key, "a.b");
    assert_string_equal(filled.toy.headers.items[1].value, "");
    unload(&filled.loaded);
    assert_accepted(&filled, "headers: [{name: a, value: x}, {name: a, value: y}]");
    assert_int_equal(filled.toy.headers.count, 2);
    assert_string_equal(filled.toy.headers.items[1].value, "y");
    unload(&filled.loaded);
    assert_refused("headers: {a: 5}", "headers: \"a\": expected a string, found the number 5; put it into quotes");
    assert_refused("headers: {a: {b: c}}", "headers: \"a\": expected a string, found a map");
    assert_refused("headers: [a]", "headers: expected {name: ..., value: ...}, found the string \"a\"");
    assert_refused("headers: [{name: [a]}]", "headers: expected a name, found a list");
    assert_refused("headers: a", "headers: expected a map of strings, found the string \"a\"");
}

static void test_blocks(void **state)
{
    struct filled filled;

    (void)state;
    assert_accepted(&filled, "block: {file: f, depth: 9}\nalways: {count: 8}");
    assert_true(filled.toy.block.present);
    assert_int_equal(filled.toy.block.depth, 9);
    assert_int_equal(filled.toy.always, 8);
    unload(&filled.loaded);
    assert_accepted(&filled, "block: {enabled: false, file: f}");
    assert_false(filled.toy.block.present);
    unload(&filled.loaded);
    assert_accepted(&filled, "block: {enabled: true, file: f}\nalways: {enabled: false}");
    assert_true(filled.toy.block.present);
    unload(&filled.loaded);
    assert_refused("block:", "block: the key \"file\" is required");
    assert_refused("block: {file: f, depth: 10}", "block.depth: must be between 1 and 9, found 10");
    assert_refused("block: {file: f, enabled: maybe}", "block.enabled: expected true or false, found the string \"maybe\"");
    assert_refused("block: 5", "block: expected a map, found the number 5");
    assert_refused("always: {enabled: true}", "always.enabled: weir does not support this key yet, only its default, false");
}

static void test_lists_and_maps(void **state)
{
    struct filled filled;

    (void)state;
    assert_accepted(&filled, "items: [{name: a}, {name: b, weight: 5}]\nviews: {v.1: {on: false}, v2: }");
    assert_int_equal(filled.toy.items.count, 2);
    assert_int_equal(((const struct toy_item *)filled.toy.items.items)[0].weight, 1);
    assert_string_equal(((const struct toy_item *)filled.toy.items.items)[1].name, "b");
    assert_int_equal(filled.toy.views.count, 2);
    assert_string_equal(((const struct toy_view *)filled.toy.views.items)[0].key, "v.1");
    assert_false(((const struct toy_view *)filled.toy.views.items)[0].on);
    assert_true(((const struct toy_view *)filled.toy.views.items)[1].on);
    unload(&filled.loaded);
    assert_accepted(&filled, "items: []");
    assert_true(filled.toy.items_present);
    unload(&filled.loaded);
    assert_refused("items: [{name: a}, {nam: b, name: c}]", "items[1].nam: unknown key, did you mean \"name\"?");
    assert_refused("items: [{weight: 2}]", "items[0]: the key \"name\" is required");
    assert_refused("items: [5]", "items[0]: expected a map, found the number 5");
    assert_refused("items: {a: b}", "items: expected a list, found a map");
    assert_refused("views: [a]", "views: expected a map, found a list");
    assert_refused("views: {a: {on: 5}}", "views.a.on: expected true or false");
}

static void test_other_rows(void **state)
{
    struct filled filled;

    (void)state;
    assert_accepted(&filled, "any: {a: [1, 2]}\nsize: 1\nstorage:\nbalancer: ROUND_ROBIN\nold_wait: 5s\ntuning: 7");
    assert_non_null(config_get(filled.toy.any, "a"));
    assert_int_equal(filled.toy.shared.size, 1);
    assert_int_equal(filled.loaded.errors.warnings, 2);
    assert_string_equal(error_text(&filled.loaded, 0), "yaml:6:1: exporters.toy.old_wait: is deprecated: use wait");
    assert_string_equal(error_text(&filled.loaded, 1), "yaml:7:1: exporters.toy.tuning: is accepted and has no effect: Go only");
    unload(&filled.loaded);
    assert_refused("storage: file_storage", "storage: weir does not support this key yet");
    assert_refused("balancer: pick_first", "balancer: weir does not support this key yet, only its default, round_robin");
    assert_refused("balancer: [a]", "balancer: weir does not support this key yet");
    assert_refused("blocking: true", "blocking: is no longer there: use flag");
}

static void test_unknown_keys_are_all_said(void **state)
{
    struct filled filled;

    (void)state;
    fill_lines(&filled, "endpont: y\nnothing_like_it: 1\nblock: {fil: x, file: y}\nnumber: x");
    assert_int_equal(filled.loaded.errors.count, 4);
    assert_string_equal(error_text(&filled.loaded, 0), "yaml:2:1: exporters.toy.endpont: unknown key, did you mean \"endpoint\"?");
    assert_string_equal(error_text(&filled.loaded, 1), "yaml:3:1: exporters.toy.nothing_like_it: unknown key");
    assert_string_equal(error_text(&filled.loaded, 2), "yaml:4:9: exporters.toy.block.fil: unknown key, did you mean \"file\"?");
    assert_string_equal(error_text(&filled.loaded, 3), "yaml:5:9: exporters.toy.number: expected a whole number, found the string \"x\"");
    unload(&filled.loaded);
    assert_refused("block: {wrong: x, file: y}", "block.wrong: unknown key; known keys are depth, file");
}

static void test_no_table(void **state)
{
    struct loaded loaded;

    (void)state;
    load_text(&loaded, "a: 1");
    assert_true(option_fill(NULL, NULL, "p", &(struct option_target){ NULL, &loaded.arena, &loaded.errors }));
    assert_false(option_fill(NULL, loaded.tree, "p", &(struct option_target){ NULL, &loaded.arena, &loaded.errors }));
    assert_error(&loaded, "yaml:1:1: p.a: unknown key");
    unload(&loaded);
}

static void test_ids(void **state)
{
    static const char *const right[] = { "otlp", "otlp/2", "a_1/some-name.1/y", "k/\xc3\xbc" };
    static const char *const wrong[] = { "", "/", "otlp/", "1a", "a-b", "a/x y", "a/x$y", "a/\x01", " a" };
    struct slice type, name;

    (void)state;
    for (size_t i = 0; i < sizeof(right) / sizeof(right[0]); i++)
        assert_true(option_parse_id(right[i], &type, &name));
    for (size_t i = 0; i < sizeof(wrong) / sizeof(wrong[0]); i++)
        if (option_parse_id(wrong[i], &type, &name))
            fail_msg("\"%s\" is no id", wrong[i]);
    assert_true(option_parse_id("otlp/2", &type, &name));
    assert_true(slice_equal_string(type, "otlp") && slice_equal_string(name, "2"));
    assert_true(option_parse_id("otlp", &type, &name));
    assert_null(name.data);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_defaults),
        cmocka_unit_test(test_bools),
        cmocka_unit_test(test_integers),
        cmocka_unit_test(test_doubles),
        cmocka_unit_test(test_durations),
        cmocka_unit_test(test_strings),
        cmocka_unit_test(test_required),
        cmocka_unit_test(test_enums),
        cmocka_unit_test(test_string_lists),
        cmocka_unit_test(test_pairs),
        cmocka_unit_test(test_blocks),
        cmocka_unit_test(test_lists_and_maps),
        cmocka_unit_test(test_other_rows),
        cmocka_unit_test(test_unknown_keys_are_all_said),
        cmocka_unit_test(test_no_table),
        cmocka_unit_test(test_ids),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
