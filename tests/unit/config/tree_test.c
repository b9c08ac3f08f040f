/* Reading and merging: positions, aliases, merge keys, duplicates, several sources, bounds. */
#include "tests/unit/config/loaded.h"

#include <unistd.h>

static void test_positions(void **state)
{
    struct loaded loaded;
    const struct config_node *node;

    (void)state;
    load_text(&loaded, "receivers:\n  otlp:\n    protocols: {grpc: , http: 'x'}\n  list:\n  - a\n  - b: 1\n");
    assert_no_errors(&loaded);
    node = at(&loaded, "receivers.otlp.protocols.http");
    assert_string_equal(node->file, "yaml");
    assert_int_equal(node->line, 3);
    assert_int_equal(node->column, 31);
    assert_int_equal(node->key_line, 3);
    assert_int_equal(node->key_column, 25);
    assert_true(node->quoted);
    assert_int_equal(at(&loaded, "receivers.otlp.protocols.grpc")->kind, CONFIG_NULL);
    node = at(&loaded, "receivers.list.1.b");
    assert_string_equal(node->text, "1");
    assert_false(node->quoted);
    assert_int_equal(node->line, 6);
    unload(&loaded);
}

static void test_scalars(void **state)
{
    struct loaded loaded;

    (void)state;
    load_text(&loaded, "a: null\nb: ~\nc:\nd: \"null\"\ne: !!str 5\nf: !!int \"5\"\ng: |\n  two\n  lines\nh: 'it''s'\n");
    assert_no_errors(&loaded);
    assert_int_equal(at(&loaded, "a")->kind, CONFIG_NULL);
    assert_int_equal(at(&loaded, "b")->kind, CONFIG_NULL);
    assert_int_equal(at(&loaded, "c")->kind, CONFIG_NULL);
    assert_scalar(&loaded, "d", "null");
    assert_true(at(&loaded, "e")->quoted);
    assert_false(at(&loaded, "f")->quoted);
    assert_scalar(&loaded, "g", "two\nlines\n");
    assert_scalar(&loaded, "h", "it's");
    unload(&loaded);
}

static void test_empty_and_wrong_roots(void **state)
{
    struct loaded loaded;

    (void)state;
    load_text(&loaded, "");
    assert_no_errors(&loaded);
    assert_int_equal(loaded.tree->kind, CONFIG_MAP);
    unload(&loaded);
    load_text(&loaded, "# nothing but a comment\n");
    assert_no_errors(&loaded);
    unload(&loaded);
    load_text(&loaded, "- a\n");
    assert_null(loaded.tree);
    assert_error(&loaded, "yaml:1:1: a configuration is a map that begins with receivers:, exporters: and service:");
    unload(&loaded);
}

static void test_second_document(void **state)
{
    struct loaded loaded;

    (void)state;
    load_text(&loaded, "a: 1\n---\nb: 2\n");
    assert_no_errors(&loaded);
    assert_int_equal(loaded.errors.warnings, 1);
    assert_string_equal(error_text(&loaded, 0), "yaml:2:1: only the first YAML document is read; this one is left out");
    assert_null(at(&loaded, "b"));
    unload(&loaded);
}

static void test_syntax_errors(void **state)
{
    struct loaded loaded;

    (void)state;
    load_text(&loaded, "a: [1, 2\nb: 3\n");
    assert_null(loaded.tree);
    assert_int_equal(loaded.errors.count, 1);
    assert_memory_equal(error_text(&loaded, 0), "yaml:2:", 7);
    unload(&loaded);
    load_text(&loaded, "a: 1\nb: \"\xff\"\n");
    assert_memory_equal(error_text(&loaded, 0), "yaml:2:5: not YAML: ", 20);
    unload(&loaded);
    load_text(&loaded, "a: \"x\\0y\"\n");
    assert_error(&loaded, "yaml:1:4: a value must not contain a NUL character");
    unload(&loaded);
    load_text(&loaded, "[a]: 1\n");
    assert_error(&loaded, "yaml:1:1: a key must be a word");
    unload(&loaded);
}

static void test_duplicate_keys(void **state)
{
    struct loaded loaded;

    (void)state;
    load_text(&loaded, "a:\n  x: 1\n  y: 2\n  x: 3\n");
    assert_null(loaded.tree);
    assert_error(&loaded, "yaml:4:3: the key \"x\" was already given in line 2, column 3");
    unload(&loaded);
}

static void test_aliases(void **state)
{
    struct loaded loaded;

    (void)state;
    load_text(&loaded, "a: &one {x: 1, y: [2]}\nb: *one\nc: &s word\nd: *s\n");
    assert_no_errors(&loaded);
    assert_scalar(&loaded, "b.y.0", "2");
    assert_scalar(&loaded, "d", "word");
    assert_int_equal(at(&loaded, "b.x")->line, 1);
    unload(&loaded);
    load_text(&loaded, "a: *nobody\n");
    assert_error(&loaded, "yaml:1:4: unknown alias \"*nobody\"");
    unload(&loaded);
    load_text(&loaded, "a: &a [*a]\n");
    assert_null(loaded.tree);
    unload(&loaded);
}

static void test_merge_keys(void **state)
{
    struct loaded loaded;

    (void)state;
    load_text(&loaded, "base: &b {x: 1, y: 1}\nmore: &m {y: 2, z: 2}\none:\n  <<: *b\n  x: 9\nboth:\n  w: 0\n  <<: [*b, *m]\n");
    assert_no_errors(&loaded);
    assert_scalar(&loaded, "one.x", "9");
    assert_scalar(&loaded, "one.y", "1");
    assert_scalar(&loaded, "both.y", "1");
    assert_scalar(&loaded, "both.z", "2");
    assert_null(at(&loaded, "both.<<"));
    unload(&loaded);
    load_text(&loaded, "a:\n  <<: 5\n");
    assert_error(&loaded, "yaml:2:7: \"<<\" takes a map or a list of maps");
    unload(&loaded);
}

static void test_alias_bomb(void **state)
{
    struct loaded loaded;

    (void)state;
    load_text(&loaded,
        "a: &a [x,x,x,x,x,x,x,x,x,x]\nb: &b [*a,*a,*a,*a,*a,*a,*a,*a,*a,*a]\nc: &c [*b,*b,*b,*b,*b,*b,*b,*b,*b,*b]\n"
        "d: &d [*c,*c,*c,*c,*c,*c,*c,*c,*c,*c]\ne: &e [*d,*d,*d,*d,*d,*d,*d,*d,*d,*d]\nf: [*e,*e,*e,*e,*e,*e,*e,*e,*e,*e]\n");
    assert_null(loaded.tree);
    assert_int_equal(loaded.errors.count, 1);
    assert_non_null(strstr(error_text(&loaded, 0), "more than 100,000 values"));
    unload(&loaded);
}

static void test_depth(void **state)
{
    char deep[512];
    struct loaded loaded;

    (void)state;
    strcpy(deep, "a: ");
    memset(deep + 3, '[', 200);
    memset(deep + 203, ']', 200);
    deep[403] = '\0';
    load_text(&loaded, deep);
    assert_error(&loaded, "yaml:1:103: nested more than 100 levels deep");
    unload(&loaded);
}

static void test_merging_sources(void **state)
{
    struct config_source sources[] = {
        { "--nothing", true },
        { "yaml:receivers: {otlp: {grpc: {a: 1, b: 1}, list: [1, 2]}}\nx: 1\n", false },
        { "yaml:receivers: {otlp: {grpc: {b: 2}, list: [3]}, nop: }\nx: {y: 2}\n", false },
        { "yaml:receivers::otlp::grpc::c: 3", false },
        { "receivers.otlp.grpc.d=[4, 5]", true },
        { "x.y= z ", true },
    };
    struct loaded loaded;

    (void)state;
    load_sources(&loaded, sources + 1, 5);
    assert_no_errors(&loaded);
    assert_scalar(&loaded, "receivers.otlp.grpc.a", "1");
    assert_scalar(&loaded, "receivers.otlp.grpc.b", "2");
    assert_scalar(&loaded, "receivers.otlp.grpc.c", "3");
    assert_scalar(&loaded, "receivers.otlp.grpc.d.1", "5");
    assert_scalar(&loaded, "receivers.otlp.list.0", "3");
    assert_null(at(&loaded, "receivers.otlp.list.1"));
    assert_int_equal(at(&loaded, "receivers.nop")->kind, CONFIG_NULL);
    assert_scalar(&loaded, "x.y", "z");
    assert_string_equal(at(&loaded, "x.y")->file, "--set");
    unload(&loaded);
    load_sources(&loaded, sources, 1);
    assert_error(&loaded, "--set: \"--nothing\" is not of the form a.b=c");
    unload(&loaded);
}

static void test_null_replaces(void **state)
{
    struct config_source sources[] = { { "yaml:a: {b: 1}\nc: {d: 1}", false }, { "yaml:a:\nc: {}", false } };
    struct loaded loaded;

    (void)state;
    load_sources(&loaded, sources, 2);
    assert_int_equal(at(&loaded, "a")->kind, CONFIG_NULL);
    assert_scalar(&loaded, "c.d", "1");
    unload(&loaded);
}

static void test_kinds_of_sources(void **state)
{
    char path[] = "/tmp/weir_tree_test_XXXXXX", uri[64];
    int fd = mkstemp(path);
    struct config_source sources[] = { { path, false }, { uri, false }, { "env:WEIR_TREE_TEST", false } };
    struct loaded loaded;

    (void)state;
    assert_true(fd >= 0);
    assert_int_equal(write(fd, "a: 1\nb: {c: 2}\n", 15), 15);
    close(fd);
    snprintf(uri, sizeof(uri), "file:%s", path);
    setenv("WEIR_TREE_TEST", "b: {d: 3}", 1);
    load_sources(&loaded, sources, 3);
    assert_no_errors(&loaded);
    assert_scalar(&loaded, "b.c", "2");
    assert_scalar(&loaded, "b.d", "3");
    assert_string_equal(at(&loaded, "b.c")->file, path);
    unload(&loaded);
    unlink(path);
    unsetenv("WEIR_TREE_TEST");
    load_sources(&loaded, sources, 3);
    assert_null(loaded.tree);
    assert_int_equal(loaded.errors.count, 3);
    unload(&loaded);
}

static void test_sources_that_are_refused(void **state)
{
    static const char *const texts[] = { "http://x/y", "https://x/y", "s3:bucket", "/nonexistent/weir.yaml", "/", "env:not a name" };
    struct loaded loaded;

    (void)state;
    for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++) {
        load_sources(&loaded, &(struct config_source){ texts[i], false }, 1);
        assert_null(loaded.tree);
        assert_int_equal(loaded.errors.count, 1);
        unload(&loaded);
    }
}

static void test_many_segments_in_a_key(void **state)
{
    char *text = calloc(1, 30000);
    struct loaded loaded;

    (void)state;
    for (int i = 0; i < 5000; i++)
        strcpy(text + 3 * i, "a::");
    strcpy(text + 15000, "b: 1");
    load_text(&loaded, text);
    unload(&loaded);
    free(text);
}

static void test_equality(void **state)
{
    struct loaded loaded;

    (void)state;
    load_text(&loaded, "a: {x: 1, y: [1, 2]}\nb: {y: [1, 2], x: 1}\nc: {x: 1, y: [2, 1]}\nd: {x: '1', y: [1, 2]}\ne: {x: 1}\nf:\n");
    assert_true(config_equal(at(&loaded, "a"), at(&loaded, "b")));
    assert_false(config_equal(at(&loaded, "a"), at(&loaded, "c")));
    assert_false(config_equal(at(&loaded, "a"), at(&loaded, "d")));
    assert_false(config_equal(at(&loaded, "a"), at(&loaded, "e")));
    assert_true(config_equal(at(&loaded, "f"), NULL));
    unload(&loaded);
}

static void test_error_order(void **state)
{
    struct arena arena = { 0 };
    struct config_errors errors = { .arena = &arena };
    struct config_node a = { .file = "a", .line = 5, .column = 1 }, b = { .file = "b", .line = 1, .column = 1 };
    struct loaded loaded = { .errors = errors };

    (void)state;
    config_error_add(&errors, &a, "x", "third");
    config_error_add(&errors, &b, "x", "last");
    a.line = 2;
    config_warning_add(&errors, &a, "x", "first");
    a.column = 7;
    config_error_add(&errors, &a, "", "second");
    config_error_add(&errors, NULL, "y", "nowhere");
    loaded.errors = errors;
    assert_string_equal(error_text(&loaded, 0), "a:2:1: x: first");
    assert_string_equal(error_text(&loaded, 1), "a:2:7: second");
    assert_string_equal(error_text(&loaded, 2), "a:5:1: x: third");
    assert_string_equal(error_text(&loaded, 3), "b:1:1: x: last");
    assert_string_equal(error_text(&loaded, 4), "y: nowhere");
    assert_int_equal(errors.count, 4);
    assert_int_equal(errors.warnings, 1);
    for (int i = 0; i < 2000; i++)
        config_error_add(&errors, &a, "x", "again");
    assert_int_equal(errors.count, 2004);
    assert_int_equal(errors.kept, 1000);
    arena_fini(&arena);
}

static void test_nearest(void **state)
{
    static const char *const words[] = { "endpoint", "topic", "tls", "num_consumers", NULL };

    (void)state;
    assert_string_equal(config_nearest("endpont", words), "endpoint");
    assert_string_equal(config_nearest("topci", words), "topic");
    assert_string_equal(config_nearest("numConsumers", words), "num_consumers");
    assert_string_equal(config_nearest("TLS", words), "tls");
    assert_null(config_nearest("verbosity", words));
    assert_null(config_nearest("", words));
    assert_null(config_nearest("xy", words));
}

/* Whatever is cut off: no crash, no leak, an error or a tree. */
static void test_cut_at_every_byte(void **state)
{
    static const char text[] =
        "a: &x {b: [1, \"two\", 'three'], c: |\n    text\n  }\nd: *x\ne:\n  <<: *x\n  f: !!str ${env:X:-${yaml:{g: 1}}} $$\n"
        "? key\n: >-\n  folded\n  text\n---\nz: 1\n";
    struct loaded loaded;
    char cut[sizeof(text)];

    (void)state;
    for (size_t length = 0; length < sizeof(text); length++) {
        memcpy(cut, text, length);
        cut[length] = '\0';
        load_text(&loaded, cut);
        assert_true((loaded.tree == NULL) == (loaded.errors.count > 0));
        unload(&loaded);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_positions),
        cmocka_unit_test(test_scalars),
        cmocka_unit_test(test_empty_and_wrong_roots),
        cmocka_unit_test(test_second_document),
        cmocka_unit_test(test_syntax_errors),
        cmocka_unit_test(test_duplicate_keys),
        cmocka_unit_test(test_aliases),
        cmocka_unit_test(test_merge_keys),
        cmocka_unit_test(test_alias_bomb),
        cmocka_unit_test(test_depth),
        cmocka_unit_test(test_merging_sources),
        cmocka_unit_test(test_null_replaces),
        cmocka_unit_test(test_kinds_of_sources),
        cmocka_unit_test(test_sources_that_are_refused),
        cmocka_unit_test(test_many_segments_in_a_key),
        cmocka_unit_test(test_equality),
        cmocka_unit_test(test_error_order),
        cmocka_unit_test(test_nearest),
        cmocka_unit_test(test_cut_at_every_byte),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
