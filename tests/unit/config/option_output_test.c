/* What a table writes: effective YAML that reads back as the same, Markdown, a JSON Schema, a JSON list. */
#include "collector/config/option.h"
#include "tests/unit/config/loaded.h"
#include "tests/unit/config/toy_table.h"

static const char everything[] =
    "endpoint: 'x$$y'\nflag: False\nnumber: 0x10\nwait: 45m\nsecret: hidden\nmode: DETAILED\nid: basicauth/a\n"
    "words: [a, 'b, c', 'true', \"\\u2028\"]\nheaders: {Authorization: Bearer token}\nplain: [{name: n, value: '5'}, {name: m}]\n"
    "block: {file: 'no: yes'}\nitems: [{name: one}, {name: two, weight: 2}]\nviews: {v 1: , v2: {on: false}}\n"
    "any: {a: [1, '2', {b: }, []], c$: {}}\ntuning: {x: 1}\n";

static char *print_tree(const struct loaded *loaded)
{
    struct buffer out = { 0 };

    option_print(toy_options, loaded->tree, 0, &out);
    buffer_append_byte(&out, '\0');
    assert_false(out.failed);
    return (char *)out.data;
}

static bool fill(struct loaded *loaded, struct toy *toy)
{
    memset(toy, 0, sizeof(*toy));
    return option_fill(toy_options, loaded->tree, "toy", &(struct option_target){ toy, &loaded->arena, &loaded->errors });
}

static void test_print(void **state)
{
    struct loaded loaded;
    char *text;

    (void)state;
    load_text(&loaded, everything);
    text = print_tree(&loaded);
    assert_non_null(strstr(text, "endpoint: \"x$$y\"\n"));
    assert_non_null(strstr(text, "\nflag: False\n"));
    assert_non_null(strstr(text, "\nratio: 0.5\n"));
    assert_non_null(strstr(text, "\nsecret: \"[REDACTED]\"\n"));
    assert_non_null(strstr(text, "\n  Authorization: \"[REDACTED]\"\n"));
    assert_null(strstr(text, "hidden"));
    assert_null(strstr(text, "Bearer"));
    assert_non_null(strstr(text, "\nwords: [a, \"b, c\", \"true\", \"\\u2028\"]\n"));
    assert_non_null(strstr(text, "\nplain:\n  - name: n\n    value: \"5\"\n  - name: m\n    value: \"\"\n"));
    assert_non_null(strstr(text, "\nblock:\n  depth: 3\n  file: \"no: yes\"\n"));
    assert_non_null(strstr(text, "\nitems:\n  - name: one\n    weight: 1\n  - name: two\n    weight: 2\n"));
    assert_non_null(strstr(text, "\nviews:\n  \"v 1\":\n    on: true\n  v2:\n    on: false\n"));
    assert_non_null(strstr(text, "\nany:\n  a:\n    - 1\n    - \"2\"\n    -\n      b:\n    - []\n  \"c$\": {}\n"));
    assert_null(strstr(text, "old_wait"));
    assert_null(strstr(text, "storage"));
    free(text);
    unload(&loaded);
}

/* What is printed reads back without an error and is printed the same again. */
static void test_round_trip(void **state)
{
    struct loaded first, second;
    struct toy a, b;
    char *text, *again;

    (void)state;
    load_text(&first, everything);
    assert_true(fill(&first, &a));
    text = print_tree(&first);
    load_text(&second, text);
    assert_no_errors(&second);
    if (!fill(&second, &b))
        fail_msg("%s", error_text(&second, 0));
    again = print_tree(&second);
    assert_string_equal(text, again);
    assert_string_equal(b.endpoint, "x$y");
    assert_string_equal(b.secret, "[REDACTED]");
    assert_int_equal(b.mode, 2);
    assert_int_equal(b.words.count, 4);
    assert_string_equal(b.words.items[1], "b, c");
    assert_string_equal(b.words.items[3], "\xe2\x80\xa8");
    assert_true(config_equal(a.any, b.any));
    assert_int_equal(b.items.count, 2);
    assert_int_equal(b.wait_ns, a.wait_ns);
    free(text);
    free(again);
    unload(&first);
    unload(&second);
}

static void test_print_defaults(void **state)
{
    struct loaded first, second;
    struct toy a, b;
    char *text;

    (void)state;
    load_text(&first, "endpoint: x");
    assert_true(fill(&first, &a));
    text = print_tree(&first);
    assert_null(strstr(text, "block:"));
    assert_null(strstr(text, "items"));
    load_text(&second, text);
    assert_true(fill(&second, &b));
    assert_int_equal(a.number, b.number);
    assert_int_equal(a.words.count, b.words.count);
    assert_int_equal(a.allowed.count, b.allowed.count);
    assert_false(b.block.present);
    assert_false(b.items_present);
    assert_int_equal(b.shared.size, 99);
    free(text);
    unload(&first);
    unload(&second);
}

static void test_switched_off_blocks_are_left_out(void **state)
{
    struct loaded loaded;
    char *text;

    (void)state;
    load_text(&loaded, "endpoint: x\nblock: {enabled: false, file: f}");
    text = print_tree(&loaded);
    assert_null(strstr(text, "block"));
    free(text);
    unload(&loaded);
}

static void test_docs(void **state)
{
    struct buffer out = { 0 };
    const char *text;

    (void)state;
    option_docs(toy_options, &out);
    text = buffer_string(&out);
    assert_non_null(strstr(
        text, "| Key | Type | Default | Meaning |\n| --- | --- | --- | --- |\n| `endpoint` | string | required | where to \\| send |\n"));
    assert_non_null(strstr(text, "\n| `flag` | boolean | `true` | a switch |\n"));
    assert_non_null(strstr(text, "\n| `number` | integer, 1..65535 | `5` | a number |\n"));
    assert_non_null(strstr(text, "\n| `wait` | duration, 1s..1h | `10s` | *weir's own.* a time |\n"));
    assert_non_null(strstr(text, "\n| `mode` | word: `basic`, `normal`, `detailed` | `normal` | how much |\n"));
    assert_non_null(strstr(text, "\n| `allowed` | list of strings, any of `\"\"`, `gzip`, `zstd` | `,gzip` | some of these words |\n"));
    assert_non_null(strstr(text, "\n| `block` | block | off | may be there |\n| `block.depth` |"));
    assert_non_null(strstr(text, "\n| `items[].name` | string | required | who |\n"));
    assert_non_null(strstr(text, "\n| `views.<name>.on` |"));
    assert_non_null(strstr(text, "\n| `size` | integer | `99` | own default |\n"));
    assert_null(strstr(text, "shared size"));
    assert_non_null(strstr(text, "\n## Not supported yet\n"));
    assert_non_null(strstr(text, "\n| `always.enabled` | cookies; only `false` |\n"));
    assert_non_null(strstr(text, "\n| `balancer` | which address; only `round_robin` |\n"));
    assert_non_null(strstr(text, "\n| `tuning` | Go only |\n"));
    assert_non_null(strstr(text, "\n| `blocking` | use flag |\n"));
    assert_non_null(strstr(text, "*Deprecated.* use wait |\n"));
    buffer_clear(&out);
    option_docs(NULL, &out);
    assert_string_equal(buffer_string(&out), "It has no keys.\n");
    buffer_fini(&out);
}

/* JSON is YAML: the reader checks that it is well formed and that no key is doubled. */
static void assert_json(const struct buffer *json, struct loaded *loaded)
{
    struct buffer text = { 0 };

    buffer_append_string(&text, "json: ");
    buffer_append_slice(&text, buffer_slice(json));
    for (size_t i = 0; i < text.size; i++)
        if (text.data[i] == '$')
            text.data[i] = '_';
    load_text(loaded, buffer_string(&text));
    assert_no_errors(loaded);
    buffer_fini(&text);
}

static void test_schema(void **state)
{
    struct buffer out = { 0 };
    struct loaded loaded;

    (void)state;
    option_schema(toy_options, &out);
    assert_json(&out, &loaded);
    assert_scalar(&loaded, "json.required.0", "endpoint");
    assert_scalar(&loaded, "json.additionalProperties", "false");
    assert_scalar(&loaded, "json.properties.number.anyOf.0.minimum", "1");
    assert_scalar(&loaded, "json.properties.number.anyOf.0.maximum", "65535");
    assert_scalar(&loaded, "json.properties.number.default", "5");
    assert_false(at(&loaded, "json.properties.number.default")->quoted);
    assert_scalar(&loaded, "json.properties.mode.anyOf.0.anyOf.0.enum.2", "detailed");
    assert_scalar(&loaded, "json.properties.block.anyOf.0.properties.enabled.type", "boolean");
    assert_scalar(&loaded, "json.properties.items.anyOf.0.items.required.0", "name");
    assert_scalar(&loaded, "json.properties.views.anyOf.0.additionalProperties.properties.on.anyOf.0.type", "boolean");
    assert_scalar(&loaded, "json.properties.size.description", "own default");
    assert_non_null(at(&loaded, "json.properties.blocking.not"));
    unload(&loaded);
    buffer_fini(&out);
}

static void test_json(void **state)
{
    struct buffer out = { 0 };
    struct loaded loaded;

    (void)state;
    option_json(toy_options, &out);
    assert_json(&out, &loaded);
    assert_scalar(&loaded, "json.0.key", "endpoint");
    assert_scalar(&loaded, "json.0.required", "true");
    assert_scalar(&loaded, "json.2.default", "5");
    assert_scalar(&loaded, "json.2.range", "1..65535");
    assert_scalar(&loaded, "json.14.keys.0.key", "depth");
    unload(&loaded);
    buffer_fini(&out);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_print),
        cmocka_unit_test(test_round_trip),
        cmocka_unit_test(test_print_defaults),
        cmocka_unit_test(test_switched_off_blocks_are_left_out),
        cmocka_unit_test(test_docs),
        cmocka_unit_test(test_schema),
        cmocka_unit_test(test_json),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
