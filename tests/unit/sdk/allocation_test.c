/* No allocation where none is promised: malloc and its kin are counted for this thread. */
#include "tests/unit/sdk/capture.h"

#include <dlfcn.h>
#include <errno.h>

#if !defined(__SANITIZE_ADDRESS__) && !defined(__SANITIZE_THREAD__)

extern void *__libc_malloc(size_t size);
extern void *__libc_calloc(size_t count, size_t size);
extern void *__libc_realloc(void *old, size_t size);
extern void *__libc_memalign(size_t alignment, size_t size);

static __thread unsigned long allocations;

void *malloc(size_t size)
{
    allocations++;
    return __libc_malloc(size);
}

void *calloc(size_t count, size_t size)
{
    allocations++;
    return __libc_calloc(count, size);
}

void *realloc(void *old, size_t size)
{
    allocations++;
    return __libc_realloc(old, size);
}

void *aligned_alloc(size_t alignment, size_t size)
{
    allocations++;
    return __libc_memalign(alignment, size);
}

WEIR_SCOPE(scope, "allocation", "1");
WEIR_INSTRUMENT(counter, WEIR_COUNTER, scope, "a.counter", "1");
WEIR_INSTRUMENT(histogram, WEIR_HISTOGRAM, scope, "a.histogram", "1");

static int drop_all(weir_signal signal, const void *otlp, size_t size, void *user)
{
    (void)signal;
    (void)otlp;
    (void)size;
    (void)user;
    return 0;
}

static void start(const char *sampler)
{
    weir_setting settings[] = { { "OTEL_TRACES_SAMPLER", sampler }, { "OTEL_BSP_MAX_QUEUE_SIZE", "20000" },
        { "OTEL_PROPAGATORS", "tracecontext,baggage,b3" } };
    weir_config config = weir_config_default();
    config.no_environment = true;
    config.export_fn = drop_all;
    config.settings = settings;
    config.setting_count = 3;
    assert_int_equal(weir_init(&config), 0);
}

/* Runs the body until warm, then counts over a thousand times. */
#define ASSERT_NONE(...)                                                                                                                   \
    do {                                                                                                                                   \
        for (int round_ = 0; round_ < 2; round_++) {                                                                                       \
            unsigned long before_ = allocations;                                                                                           \
            for (int i = 0; i < 1000; i++) {                                                                                               \
                __VA_ARGS__;                                                                                                               \
            }                                                                                                                              \
            if (round_ > 0)                                                                                                                \
                assert_int_equal(allocations - before_, 0);                                                                                \
            assert_int_equal(weir_flush(5000), 0);                                                                                         \
        }                                                                                                                                  \
    } while (0)

static void the_count_works(void **state)
{
    (void)state;
    unsigned long before = allocations;
    free(malloc(10));
    assert_int_equal(allocations - before, 1);
}

static void disabled(void **state)
{
    (void)state;
    ASSERT_NONE(WEIR_SPAN(span, scope, "x", WEIR_INTERNAL, NULL); WEIR_SET(&span, "i", i);
                weir_log(&scope, WEIR_INFO, WEIR_S("x"), WEIR_NO_ATTRS));
}

static void unsampled(void **state)
{
    (void)state;
    start("always_off");
    ASSERT_NONE(WEIR_SPAN(span, scope, "x", WEIR_INTERNAL, NULL); WEIR_SET(&span, "i", i));
    weir_shutdown(1000);
}

static void spans(void **state)
{
    (void)state;
    start("always_on");
    ASSERT_NONE(WEIR_SPAN(span, scope, "x", WEIR_INTERNAL, NULL));
    ASSERT_NONE(WEIR_SPAN(span, scope, "sixteen", WEIR_SERVER, NULL); char key[24]; for (int k = 0; k < 16; k++) {
        int size = snprintf(key, sizeof(key), "attribute.number.%d", k);
        weir_span_set(&span, weir_kv_z(weir_sn(key, (size_t)size), "a value of 20 chars."));
    } weir_span_event(&span, WEIR_S("e"), WEIR_ATTRS(WEIR_KV("k", i)), 0);
                weir_span_status(&span, WEIR_ERROR, WEIR_S("why")));
    weir_shutdown(1000);
}

static void logs(void **state)
{
    (void)state;
    start("always_on");
    ASSERT_NONE(weir_log(&scope, WEIR_INFO, WEIR_S("message"), WEIR_ATTRS(WEIR_KV("a", 1), WEIR_KV("b", "two"))));
    ASSERT_NONE(weir_logf(&scope, WEIR_INFO, "message %d %s", i, "text"));
    weir_shutdown(1000);
}

static void metrics(void **state)
{
    (void)state;
    start("always_on");
    weir_series *added = weir_bind(&counter, WEIR_ATTRS(WEIR_KV("a", 1)));
    weir_series *recorded = weir_bind(&histogram, WEIR_NO_ATTRS);
    ASSERT_NONE(weir_add(added, 1); weir_record(recorded, i));
    ASSERT_NONE(weir_add_attrs(&counter, 1, WEIR_ATTRS(WEIR_KV("x", i % 7), WEIR_KV("y", "z"))));
    WEIR_SPAN(span, scope, "x", WEIR_INTERNAL, NULL);
    ASSERT_NONE(weir_add(added, 1); weir_record(recorded, i));
    weir_span_end(&span);
    weir_shutdown(1000);
}

static weir_str get(const void *carrier, weir_str name, size_t nth)
{
    const char *const *pairs = carrier;
    for (; *pairs != NULL && nth == 0; pairs += 2) {
        if (strlen(pairs[0]) == name.n && memcmp(pairs[0], name.p, name.n) == 0)
            return weir_z(pairs[1]);
    }
    return weir_z(NULL);
}

static int set(void *carrier, weir_str name, weir_str value)
{
    *(size_t *)carrier += name.n + value.n;
    return 0;
}

static void propagation(void **state)
{
    (void)state;
    static const char *const pairs[] = { "traceparent", "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01", "tracestate", "a=1,b=2",
        "baggage", "user=x,k=%20", NULL };
    size_t sum = 0;
    start("always_on");
    ASSERT_NONE(weir_ctx ctx; weir_extract(&ctx, get, pairs); WEIR_SPAN(span, scope, "x", WEIR_SERVER, &ctx);
                weir_inject(&span.ctx, set, &sum); char value[16]; weir_baggage_get(&span.ctx, WEIR_S("user"), value, sizeof(value)));
    assert_true(sum > 1000);
    weir_shutdown(1000);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_count_works),
        cmocka_unit_test(disabled),
        cmocka_unit_test(unsampled),
        cmocka_unit_test(spans),
        cmocka_unit_test(logs),
        cmocka_unit_test(metrics),
        cmocka_unit_test(propagation),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
#else
int main(void)
{
    return 0; /* a sanitizer has its own malloc */
}
#endif
