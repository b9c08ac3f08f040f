/* Rewriting requests: what is not touched stays byte for byte, what is dropped is gone and nothing else. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include "collector/wire/otlp_rewrite.h"
#include "tests/unit/wire/otlp_random.h"

#include <cmocka.h>

enum { SEEDS = 400 };

struct sample {
    struct random_otlp random;
    enum signal signal;
    struct buffer packed, out, wanted, got;
    struct slice payload;
};

static void sample_init(struct sample *sample, uint64_t seed)
{
    *sample = (struct sample){ .random = { .state = seed, .max_children = 2 + seed % 5, .with_unknown = seed % 2 == 0 } };
    sample->signal = (enum signal)(seed % SIGNAL_COUNT);
    sample->payload = random_payload(&sample->random, sample->signal, &sample->packed);
}

static void sample_fini(struct sample *sample)
{
    buffer_fini(&sample->packed);
    buffer_fini(&sample->out);
    buffer_fini(&sample->wanted);
    buffer_fini(&sample->got);
    arena_fini(&sample->random.arena);
}

/* A record together with all that stands around it. */
static void sign(struct buffer *out, const struct otlp_group *group, const struct otlp_scope_group *scope, struct slice record)
{
    pb_put_bytes(out, 1, group->resource);
    pb_put_bytes(out, 2, group->schema_url);
    pb_put_bytes(out, 3, scope->scope);
    pb_put_bytes(out, 4, scope->schema_url);
    pb_put_bytes(out, 5, record);
}

static void sign_all(struct buffer *out, struct slice payload)
{
    struct otlp_walk walk = otlp_walk(payload);

    while (otlp_walk_next(&walk))
        sign(out, &walk.group, &walk.scope_group, walk.record.body);
}

static void test_untouched(void **state)
{
    (void)state;
    for (uint64_t seed = 0; seed < SEEDS; seed++) {
        struct otlp_rewrite rewrite;
        struct sample sample;
        sample_init(&sample, seed);
        otlp_rewrite_begin(&rewrite, sample.payload, &sample.out);
        while (otlp_rewrite_next(&rewrite))
            sign(&sample.got, &rewrite.group, &rewrite.scope_group, rewrite.record.body);
        sign_all(&sample.wanted, sample.payload);
        assert_false(otlp_rewrite_end(&rewrite));
        assert_int_equal(sample.out.size, 0);
        assert_true(slice_equal(buffer_slice(&sample.got), buffer_slice(&sample.wanted)));
        sample_fini(&sample);
    }
}

static void test_replaced_by_themselves(void **state)
{
    (void)state;
    for (uint64_t seed = 0; seed < SEEDS; seed++) {
        struct otlp_rewrite rewrite;
        struct sample sample;
        bool any = false;
        sample_init(&sample, seed);
        otlp_rewrite_begin(&rewrite, sample.payload, &sample.out);
        while (otlp_rewrite_next(&rewrite)) {
            if (random_chance(&sample.random, 50))
                continue;
            buffer_append_slice(otlp_rewrite_replace_record(&rewrite), rewrite.record.raw);
            any = true;
        }
        assert_int_equal(otlp_rewrite_end(&rewrite), any);
        if (any)
            assert_true(slice_equal(buffer_slice(&sample.out), sample.payload));
        sample_fini(&sample);
    }
}

static void test_dropped(void **state)
{
    (void)state;
    for (uint64_t seed = 0; seed < SEEDS; seed++) {
        struct otlp_rewrite rewrite;
        struct sample sample;
        size_t dropped = 0;
        sample_init(&sample, seed);
        otlp_rewrite_begin(&rewrite, sample.payload, &sample.out);
        while (otlp_rewrite_next(&rewrite)) {
            if (random_chance(&sample.random, seed % 3 == 0 ? 95 : 40)) {
                otlp_rewrite_drop_record(&rewrite);
                dropped++;
            } else {
                sign(&sample.wanted, &rewrite.group, &rewrite.scope_group, rewrite.record.body);
            }
        }
        assert_int_equal(otlp_rewrite_end(&rewrite), dropped > 0);
        assert_int_equal(rewrite.dropped, dropped);
        sign_all(&sample.got, dropped > 0 ? buffer_slice(&sample.out) : sample.payload);
        assert_true(slice_equal(buffer_slice(&sample.got), buffer_slice(&sample.wanted)));
        if (dropped > 0)
            assert_int_equal(otlp_check(sample.signal, buffer_slice(&sample.out)).fault, OTLP_OK);
        sample_fini(&sample);
    }
}

static void test_nothing_left(void **state)
{
    (void)state;
    struct sample sample;
    struct otlp_rewrite rewrite;

    sample_init(&sample, 4);
    otlp_rewrite_begin(&rewrite, sample.payload, &sample.out);
    while (otlp_rewrite_next(&rewrite))
        otlp_rewrite_drop_record(&rewrite);
    assert_true(otlp_rewrite_end(&rewrite));
    assert_int_equal(otlp_count(sample.signal, buffer_slice(&sample.out)), 0);
    sample_fini(&sample);
}

/* The heads of groups: only what was set changes, whatever follows. */
static void test_heads(void **state)
{
    (void)state;
    for (uint64_t seed = 0; seed < SEEDS; seed++) {
        struct otlp_rewrite rewrite;
        struct sample sample;
        struct edit edit = { .fields = NULL };
        struct otlp_value value = { .kind = OTLP_VALUE_STRING, .bytes = SLICE("x") };
        struct otlp_group group;
        sample_init(&sample, seed);
        otlp_rewrite_begin(&rewrite, sample.payload, &sample.out);
        while (otlp_rewrite_next_group(&rewrite)) {
            edit_open(&edit, rewrite.group.resource, OTLP_ATTRIBUTES_OF_RESOURCE);
            edit_set_attribute(&edit, SLICE("added"), &value);
            otlp_rewrite_set_resource(&rewrite, &edit);
            otlp_rewrite_set_group_schema(&rewrite, SLICE("group"));
            while (otlp_rewrite_next_scope_group(&rewrite))
                otlp_rewrite_set_scope_schema(&rewrite, SLICE("scope"));
        }
        bool changed = otlp_rewrite_end(&rewrite);
        struct slice result = changed ? buffer_slice(&sample.out) : sample.payload;
        assert_int_equal(otlp_check(sample.signal, result).fault, OTLP_OK);
        assert_int_equal(otlp_count(sample.signal, result), otlp_count(sample.signal, sample.payload));
        struct otlp_groups groups = otlp_groups(result);
        while (otlp_next_group(&groups, &group)) {
            struct otlp_scope_groups scopes = otlp_scope_groups(&group);
            struct otlp_scope_group scope;
            assert_true(otlp_find_attribute(group.resource, OTLP_ATTRIBUTES_OF_RESOURCE, SLICE("added"), &value));
            assert_true(slice_equal(group.schema_url, SLICE("group")));
            while (otlp_next_scope_group(&scopes, &scope))
                assert_true(slice_equal(scope.schema_url, SLICE("scope")));
        }
        edit_fini(&edit);
        sample_fini(&sample);
    }
}

/* ---- data points ---- */

struct visits {
    size_t seen;
    size_t change; /* the point that is changed; SIZE_MAX: none */
};

static bool visit(void *context, struct slice point, uint32_t attributes_field, struct buffer *out)
{
    struct visits *visits = context;

    if (visits->seen++ != visits->change)
        return false;
    size_t mark = pb_open(out, 1);
    buffer_append_slice(out, point);
    size_t attribute = pb_open(out, attributes_field);
    pb_put_bytes(out, 1, SLICE("k"));
    pb_close(out, attribute);
    pb_close(out, mark);
    return true;
}

static void test_points(void **state)
{
    (void)state;
    for (uint64_t seed = SIGNAL_METRICS; seed < SEEDS; seed += SIGNAL_COUNT) {
        struct sample sample;
        sample_init(&sample, seed);
        struct otlp_walk walk = otlp_walk(sample.payload);
        while (otlp_walk_next(&walk)) {
            struct visits visits = { .change = SIZE_MAX };
            assert_false(otlp_rewrite_points(walk.record.body, visit, &visits, &sample.out));
            assert_int_equal(sample.out.size, 0);
            size_t points = visits.seen;
            if (points == 0)
                continue;
            visits = (struct visits){ .change = points - 1 };
            assert_true(otlp_rewrite_points(walk.record.body, visit, &visits, &sample.out));
            visits = (struct visits){ .change = SIZE_MAX };
            otlp_rewrite_points(buffer_slice(&sample.out), visit, &visits, &sample.got);
            assert_int_equal(visits.seen, points);
            assert_true(sample.out.size > walk.record.body.size);
            buffer_clear(&sample.out);
        }
        sample_fini(&sample);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_untouched),
        cmocka_unit_test(test_replaced_by_themselves),
        cmocka_unit_test(test_dropped),
        cmocka_unit_test(test_nothing_left),
        cmocka_unit_test(test_heads),
        cmocka_unit_test(test_points),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
