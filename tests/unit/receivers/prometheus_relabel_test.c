/* Relabelling: every action, and rules that make no sense. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>

#include "receivers/prometheus/relabel.h"

#include <cmocka.h>

static const char *const a[] = { "a" };
static const char *const ab[] = { "a", "b" };
static const char *const none[] = { "zz" };

struct row {
    const char *name;
    struct relabel_settings rule;
    const char *before, *after; /* "a=1,b=2"; after NULL: dropped */
};

#define STANDARD .separator = ";", .regex = "(.*)", .replacement = "$1"
#define FROM(list) .source_labels = { list, sizeof(list) / sizeof((list)[0]) }

static const struct row rows[] = {
    { "replace copies", { STANDARD, FROM(a), .target_label = "d" }, "a=foo", "a=foo,d=foo" },
    { "replace joins", { STANDARD, FROM(ab), .target_label = "d" }, "a=foo,b=bar", "a=foo,b=bar,d=foo;bar" },
    { "replace by groups", { FROM(a), .separator = ";", .regex = "f(.*)(?P<last>.)", .replacement = "${last}-$1", .target_label = "d" },
        "a=fabc", "a=fabc,d=c-ab" },
    { "replace is anchored", { FROM(a), .separator = ";", .regex = "f", .replacement = "x", .target_label = "d" }, "a=foo", "a=foo" },
    { "replace matches all of an alternative", { FROM(a), .separator = ";", .regex = "f|foo", .replacement = "x", .target_label = "d" },
        "a=foo", "a=foo,d=x" },
    { "replace spans lines", { FROM(a), .separator = ";", .regex = "f.*o", .replacement = "x", .target_label = "d" }, "a=f\no",
        "a=f\no,d=x" },
    { "replace removes by an empty value", { STANDARD, FROM(none), .target_label = "a" }, "a=foo,b=1", "b=1" },
    { "replace expands its target", { FROM(a), .separator = ";", .regex = "(f)(.*)", .replacement = "$2", .target_label = "${1}x" },
        "a=foo", "a=foo,fx=oo" },
    { "replace without a source", { .separator = ";", .regex = "(.*)", .replacement = "const", .target_label = "d" }, "a=1",
        "a=1,d=const" },
    { "keep", { FROM(a), .separator = ";", .regex = "foo.*", .replacement = "$1", .action = RELABEL_KEEP }, "a=foobar", "a=foobar" },
    { "keep drops others", { FROM(a), .separator = ";", .regex = "foo", .replacement = "$1", .action = RELABEL_KEEP }, "a=foobar", NULL },
    { "drop", { FROM(a), .separator = ";", .regex = "(foo|bar)", .replacement = "$1", .action = RELABEL_DROP }, "a=bar", NULL },
    { "drop keeps others", { FROM(a), .separator = ";", .regex = "f", .replacement = "$1", .action = RELABEL_DROP }, "a=foo", "a=foo" },
    { "keepequal", { STANDARD, FROM(a), .target_label = "b", .action = RELABEL_KEEPEQUAL }, "a=1,b=1", "a=1,b=1" },
    { "keepequal drops", { STANDARD, FROM(a), .target_label = "b", .action = RELABEL_KEEPEQUAL }, "a=1,b=2", NULL },
    { "dropequal", { STANDARD, FROM(a), .target_label = "b", .action = RELABEL_DROPEQUAL }, "a=1,b=1", NULL },
    { "dropequal keeps", { STANDARD, FROM(a), .target_label = "b", .action = RELABEL_DROPEQUAL }, "a=1,b=2", "a=1,b=2" },
    { "hashmod", { STANDARD, FROM(a), .target_label = "d", .modulus = 1000, .action = RELABEL_HASHMOD }, "a=foo\nbar", "a=foo\nbar,d=734" },
    { "labelmap", { .separator = ";", .regex = "__meta_(.*)", .replacement = "$1", .action = RELABEL_LABELMAP }, "__meta_x=1,y=2",
        "__meta_x=1,y=2,x=1" },
    { "labeldrop", { .separator = ";", .regex = "_.*", .replacement = "$1", .action = RELABEL_LABELDROP }, "_x=1,y=2", "y=2" },
    { "labelkeep", { .separator = ";", .regex = "_.*", .replacement = "$1", .action = RELABEL_LABELKEEP }, "_x=1,y=2", "_x=1" },
    { "lowercase", { STANDARD, FROM(a), .target_label = "d", .action = RELABEL_LOWERCASE }, "a=FoO1", "a=FoO1,d=foo1" },
    { "uppercase", { STANDARD, FROM(a), .target_label = "d", .action = RELABEL_UPPERCASE }, "a=FoO1", "a=FoO1,d=FOO1" },
};

static void read_labels(struct labels *labels, const char *text)
{
    while (*text != '\0') {
        size_t name = strcspn(text, "="), value = strcspn(text + name + 1, ",");

        labels_add(labels, slice_of(text, name), slice_of(text + name + 1, value));
        text += name + 1 + value;
        text += *text == ',';
    }
}

static void check_labels(const struct labels *labels, const char *wanted, const char *name)
{
    struct buffer text = { 0 };

    for (size_t i = 0; i < labels->count; i++)
        buffer_printf(&text, "%s%.*s=%.*s", i > 0 ? "," : "", SLICE_PRINT(labels->items[i].name), SLICE_PRINT(labels->items[i].value));
    if (strcmp(buffer_string(&text), wanted) != 0)
        fail_msg("%s: %s wanted, %s came", name, wanted, buffer_string(&text));
    buffer_fini(&text);
}

static void actions(void **state)
{
    struct ottl_matcher *matcher = ottl_matcher_create();
    struct labels labels = { .items = NULL };

    (void)state;
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        struct error err = { "" };
        struct relabel_rules *rules = relabel_create(&(struct option_list){ &rows[i].rule, 1 }, &err);

        if (rules == NULL)
            fail_msg("%s: %s", rows[i].name, err.message);
        labels_clear(&labels);
        read_labels(&labels, rows[i].before);
        bool kept = relabel_apply(rules, matcher, &labels);
        if (kept != (rows[i].after != NULL))
            fail_msg("%s: kept %d", rows[i].name, kept);
        if (kept)
            check_labels(&labels, rows[i].after, rows[i].name);
        relabel_destroy(rules);
    }
    labels_fini(&labels);
    ottl_matcher_destroy(matcher);
}

static void rules_run_in_order(void **state)
{
    static const struct relabel_settings list[] = { { STANDARD, FROM(a), .target_label = "b" }, { STANDARD, FROM(ab), .target_label = "c" },
        { .separator = ";", .regex = "a|b", .replacement = "$1", .action = RELABEL_LABELDROP } };
    struct ottl_matcher *matcher = ottl_matcher_create();
    struct relabel_rules *rules = relabel_create(&(struct option_list){ list, 3 }, NULL);
    struct labels labels = { .items = NULL };

    (void)state;
    read_labels(&labels, "a=1");
    assert_true(relabel_apply(rules, matcher, &labels));
    check_labels(&labels, "c=1;1", "in order");
    labels_fini(&labels);
    relabel_destroy(rules);
    ottl_matcher_destroy(matcher);
}

static void senseless_rules(void **state)
{
    static const struct relabel_settings bad[] = {
        { STANDARD, FROM(a) },
        { STANDARD, FROM(a), .target_label = "d", .action = RELABEL_HASHMOD },
        { STANDARD, FROM(a), .action = RELABEL_KEEPEQUAL },
        { FROM(a), .separator = ";", .regex = "x", .replacement = "$1", .target_label = "d", .action = RELABEL_DROPEQUAL },
        { STANDARD, FROM(a), .action = RELABEL_LABELDROP },
        { .separator = ";", .regex = "(a", .replacement = "$1", .target_label = "d" },
        { .separator = ";", .regex = "(?!a)", .replacement = "$1", .target_label = "d" },
    };

    (void)state;
    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
        struct error err = { "" };

        assert_null(relabel_create(&(struct option_list){ &bad[i], 1 }, &err));
        assert_memory_equal(err.message, "[0]: ", 5);
    }
}

static void sets_of_labels(void **state)
{
    struct labels labels = { .items = NULL };
    char names[200][8];

    (void)state;
    for (int i = 0; i < 200; i++) {
        snprintf(names[i], sizeof(names[i]), "l%03d", 199 - i);
        labels_add(&labels, slice_of_string(names[i]), SLICE("v"));
    }
    labels_sort(&labels);
    for (size_t i = 1; i < labels.count; i++)
        assert_true(slice_compare(labels.items[i - 1].name, labels.items[i].name) < 0);
    assert_null(labels_duplicate(&labels).data);
    labels_add(&labels, SLICE("l100"), SLICE("w"));
    labels_sort(&labels);
    assert_true(slice_equal(labels_duplicate(&labels), SLICE("l100")));
    labels_set(&labels, SLICE("l000"), SLICE(""));
    assert_null(labels_get(&labels, SLICE("l000")).data);
    assert_true(label_name_is_legacy(SLICE("a_B1"), false));
    assert_false(label_name_is_legacy(SLICE("1a"), false));
    assert_false(label_name_is_legacy(SLICE("a:b"), false));
    assert_true(label_name_is_legacy(SLICE("a:b"), true));
    labels_fini(&labels);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(actions),
        cmocka_unit_test(rules_run_in_order),
        cmocka_unit_test(senseless_rules),
        cmocka_unit_test(sets_of_labels),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
