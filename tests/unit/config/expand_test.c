/* Expressions: what is expanded where, what stays a string, what is escaped, and what is bounded. */
#include "tests/unit/config/loaded.h"

#include <unistd.h>

static int set_environment(void **state)
{
    (void)state;
    setenv("VALUE", "some value", 1);
    setenv("NUMBER", "0123", 1);
    setenv("QUOTED", "\"0123\"", 1);
    setenv("EMPTY", "", 1);
    setenv("NAME", "VALUE", 1);
    setenv("TRUTH", "true # ${env:hello.world}", 1);
    setenv("LIST", "['$$ESCAPE','$${ESCAPE}','${env:NUMBER}']", 1);
    setenv("MAP", "{value: \"${env:NUMBER}\", inner: {text: 'a ${VALUE}'}}", 1);
    setenv("NOT_YAML", "{a: [", 1);
    setenv("ADDRESS", "[::]:4317", 1);
    setenv("NESTED", "${env:VALUE} nested", 1);
    setenv("DOLLARS", "here $$ and $$$", 1);
    setenv("LOOP", "${env:LOOP}", 1);
    setenv("TREE", "{a: '${env:TREE}'}", 1);
    setenv("BUSH", "['${env:BUSH}', '${env:BUSH}']", 1);
    setenv("GROWING", "x${env:GROWING}${env:GROWING}", 1);
    unsetenv("UNSET");
    return 0;
}

struct expected {
    const char *text, *result;
};

static void assert_expansions(const struct expected *cases, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        struct loaded loaded;
        char text[512];

        snprintf(text, sizeof(text), "key: '%s'", cases[i].text);
        load_text(&loaded, text);
        assert_no_errors(&loaded);
        assert_scalar(&loaded, "key", cases[i].result);
        unload(&loaded);
    }
}

static void test_text(void **state)
{
    static const struct expected cases[] = {
        { "${env:VALUE}", "some value" },
        { "${VALUE}", "some value" },
        { "a ${VALUE} b ${NAME}", "a some value b VALUE" },
        { "${env:${env:NAME}}", "some value" },
        { "${env:${NAME}}!", "some value!" },
        { "${env:UNSET:-default}", "default" },
        { "${env:UNSET:-}x", "x" },
        { "${env:EMPTY:-default}x", "x" },
        { "${env:UNSET:-${env:VALUE}}", "some value" },
        { "${env:UNSET:-a:-b}", "a:-b" },
        { "${yaml:plain text}", "plain text" },
        { "inline ${NUMBER}", "inline 0123" },
        { "inline ${QUOTED}", "inline \"0123\"" },
        { "inline ${MAP}", "inline {value: \"0123\", inner: {text: 'a some value'}}" },
        { "${NESTED}", "some value nested" },
        { "${NOT_YAML}", "{a: [" },
        { "x${env:EMPTY}y", "xy" },
        { "no } expression ${ here", "no } expression ${ here" },
        { "$VALUE and $1", "$VALUE and $1" },
    };

    (void)state;
    assert_expansions(cases, sizeof(cases) / sizeof(cases[0]));
}

/* As the OpenTelemetry Collector's own table of escapes has it. */
static void test_escapes(void **state)
{
    static const struct expected cases[] = {
        { "$$VALUE", "$VALUE" },
        { "$$$$VALUE", "$$VALUE" },
        { "$$${VALUE}", "$some value" },
        { "some$${VALUE}text", "some${VALUE}text" },
        { "$${ONE}$${TWO}", "${ONE}${TWO}" },
        { "text$$", "text$" },
        { "$${1}$${env:2}", "${1}${env:2}" },
        { "$${env:${VALUE}}", "${env:some value}" },
        { "$${env:$${VALUE}}", "${env:${VALUE}}" },
        { "env:MAP_VALUE_2}$${VALUE}{", "env:MAP_VALUE_2}${VALUE}{" },
        { "${DOLLARS}", "here $ and $$" },
        { "${env:UNSET:-$${env:UNSET}}", "${env:UNSET}" },
        { "$${VALUE} ${VALUE}", "${VALUE} some value" },
    };

    (void)state;
    assert_expansions(cases, sizeof(cases) / sizeof(cases[0]));
}

static void test_types(void **state)
{
    struct loaded loaded;

    (void)state;
    load_text(&loaded, "n: ${NUMBER}\nq: ${QUOTED}\ns: '${env:VALUE}'\ne: ${EMPTY}\nt: ${TRUTH}\na: ${ADDRESS}\ni: ${NUMBER}${NUMBER}\n");
    assert_no_errors(&loaded);
    assert_scalar(&loaded, "n", "0123");
    assert_false(at(&loaded, "n")->quoted);
    assert_string_equal(at(&loaded, "n")->original, "0123");
    assert_scalar(&loaded, "q", "\"0123\"");
    assert_true(at(&loaded, "q")->quoted);
    assert_true(at(&loaded, "s")->quoted);
    assert_int_equal(at(&loaded, "e")->kind, CONFIG_NULL);
    assert_string_equal(at(&loaded, "e")->original, "");
    assert_scalar(&loaded, "t", "true");
    assert_null(at(&loaded, "t")->original);
    assert_string_equal(at(&loaded, "a")->original, "[::]:4317");
    assert_scalar(&loaded, "i", "01230123");
    assert_true(at(&loaded, "i")->quoted);
    unload(&loaded);
}

static void test_lists_and_maps(void **state)
{
    struct loaded loaded;

    (void)state;
    load_text(&loaded, "l: ${env:LIST}\nm: ${env:MAP}\ny: '${yaml:{a: {b: [1]}}}'\n");
    assert_no_errors(&loaded);
    assert_scalar(&loaded, "l.0", "$ESCAPE");
    assert_scalar(&loaded, "l.1", "${ESCAPE}");
    assert_scalar(&loaded, "l.2", "0123");
    assert_scalar(&loaded, "m.value", "0123");
    assert_scalar(&loaded, "m.inner.text", "a some value");
    assert_int_equal(at(&loaded, "m.inner")->line, 2);
    unload(&loaded);
}

static void test_files(void **state)
{
    char path[] = "/tmp/weir_expand_test_XXXXXX", text[256];
    int fd = mkstemp(path);
    struct loaded loaded;

    (void)state;
    assert_true(fd >= 0);
    assert_int_equal(write(fd, "a: 1\nb: ${VALUE}\n", 17), 17);
    snprintf(text, sizeof(text), "x: ${file:%s}\ny: 'has ${file:%s}!'", path, path);
    load_text(&loaded, text);
    assert_no_errors(&loaded);
    assert_scalar(&loaded, "x.a", "1");
    assert_scalar(&loaded, "x.b", "some value");
    assert_string_equal(at(&loaded, "x.b")->file, path);
    assert_int_equal(at(&loaded, "x.b")->line, 2);
    assert_scalar(&loaded, "y", "has a: 1\nb: some value!");
    unload(&loaded);
    assert_int_equal(ftruncate(fd, 0), 0);
    assert_int_equal(pwrite(fd, "secret\n", 7, 0), 7);
    load_text(&loaded, text);
    assert_scalar(&loaded, "x", "secret");
    unload(&loaded);
    close(fd);
    unlink(path);
    load_text(&loaded, text);
    assert_int_equal(loaded.errors.count, 2);
    assert_non_null(strstr(error_text(&loaded, 0), "yaml:1:4: x: could not open"));
    unload(&loaded);
}

static void test_unset_warns(void **state)
{
    struct loaded loaded;

    (void)state;
    load_text(&loaded, "a: {b: [x, '${env:UNSET}']}");
    assert_no_errors(&loaded);
    assert_int_equal(at(&loaded, "a.b.1")->kind, CONFIG_NULL);
    assert_int_equal(loaded.errors.warnings, 1);
    assert_string_equal(
        error_text(&loaded, 0), "yaml:1:12: a.b[1]: the environment variable UNSET is not set; nothing is put in its place");
    unload(&loaded);
}

static void assert_refused(const char *text, const char *part)
{
    struct loaded loaded;

    load_text(&loaded, text);
    assert_null(loaded.tree);
    if (strstr(error_text(&loaded, 0), part) == NULL)
        fail_msg("\"%s\": %s", text, error_text(&loaded, 0));
    unload(&loaded);
}

static void test_refusals(void **state)
{
    (void)state;
    assert_refused("a: ${http://x}", "yaml:1:4: a: weir does not fetch configuration by HTTP");
    assert_refused("a: ${https://x}", "weir does not fetch configuration by HTTP");
    assert_refused("a: ${VALUE:-x}", "a default is written ${env:VALUE:-...}");
    assert_refused("a: ${s3:x}", "known are env:, file: and yaml:");
    assert_refused("a: ${1}", "\"1\" is not the name of an environment variable");
    assert_refused("a: ${env:hello.world}", "\"hello.world\" is not the name");
    assert_refused("a: b ${TRUTH}", "\"hello.world\" is not the name");
    assert_refused("a: ${}", "is not the name");
}

static void test_bounds(void **state)
{
    (void)state;
    assert_refused("a: ${LOOP}", "more than 1,000 expressions");
    assert_refused("a: ${TREE}", "more than 100 levels");
    assert_refused("a: ${GROWING}", "does one contain itself");
    assert_refused("a: ${BUSH}", "more than 100 levels");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_text),
        cmocka_unit_test(test_escapes),
        cmocka_unit_test(test_types),
        cmocka_unit_test(test_lists_and_maps),
        cmocka_unit_test(test_files),
        cmocka_unit_test(test_unset_warns),
        cmocka_unit_test(test_refusals),
        cmocka_unit_test(test_bounds),
    };

    return cmocka_run_group_tests(tests, set_environment, NULL);
}
