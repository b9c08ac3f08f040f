/* Context hand-over between threads: links, restored contexts, tracestate and baggage that outlive the span. */
#include "tests/unit/sdk/capture.h"

#include "weir/contrib/thread.h"

WEIR_SCOPE(scope, "test.thread", "1.0.0");

static int start(void **state)
{
    (void)state;
    capture_start(NULL, 0);
    return 0;
}

static int stop(void **state)
{
    (void)state;
    weir_shutdown(2000);
    capture_clear();
    return 0;
}

static void work(void *argument)
{
    char tenant[16] = "";

    WEIR_SPAN(span, scope, "work", WEIR_INTERNAL, NULL);
    weir_baggage_get(&span.ctx, WEIR_S("tenant"), tenant, sizeof(tenant));
    WEIR_SET(&span, "tenant", tenant);
    snprintf((char *)argument, 16, "%s", tenant);
}

static void *run_tasks(void *argument)
{
    weir_task *tasks = (weir_task *)argument;

    for (int i = 0; i < 2; i++)
        weir_task_run(&tasks[i]);
    weir_ctx after = weir_ctx_current();
    assert_false(weir_ctx_valid(&after));
    return NULL;
}

static Span *span_of(const char *name, const char *tenant)
{
    for (size_t i = 0; capture_span(i) != NULL; i++) {
        if (strcmp(capture_span(i)->name, name) == 0 && strcmp(span_value(capture_span(i), "tenant")->string_value, tenant) == 0)
            return capture_span(i);
    }
    fail_msg("no span \"%s\" of %s", name, tenant);
    return NULL;
}

static void a_pool_thread_works_for_two_requests(void **state)
{
    (void)state;
    char tenants[2][16] = { "", "" };
    weir_task tasks[2];
    for (int i = 0; i < 2; i++) {
        weir_ctx ctx = weir_ctx_current();
        assert_int_equal(weir_baggage_set(&ctx, &ctx, WEIR_S("tenant"), weir_z(i == 0 ? "red" : "blue"), weir_z(NULL)), 0);
        weir_ctx previous = weir_ctx_attach(&ctx);
        {
            WEIR_SPAN(span, scope, "request", WEIR_SERVER, NULL);
            WEIR_SET(&span, "tenant", i == 0 ? "red" : "blue");
            tasks[i] = weir_task_make(work, tenants[i]);
        }
        weir_ctx_detach(&previous);
        weir_ctx_unref(&ctx);
    }
    pthread_t worker;
    assert_int_equal(pthread_create(&worker, NULL, run_tasks, tasks), 0);
    pthread_join(worker, NULL);
    assert_string_equal(tenants[0], "red");
    assert_string_equal(tenants[1], "blue");
    assert_int_equal(weir_flush(5000), 0);
    assert_int_equal(capture_span_count(), 4);
    for (size_t i = 0; i < 2; i++) {
        Span *request = span_of("request", tenants[i]), *done = span_of("work", tenants[i]);
        assert_memory_equal(done->trace_id.data, request->trace_id.data, 16);
        assert_memory_equal(done->parent_span_id.data, request->span_id.data, 8);
    }
    assert_memory_not_equal(span_of("work", "red")->trace_id.data, span_of("work", "blue")->trace_id.data, 16);
}

static void *thread_work(void *argument)
{
    work(argument);
    return argument;
}

static void *leave_early(void *argument)
{
    work(argument);
    pthread_exit(argument);
}

static void a_new_thread_begins_in_the_context(void **state)
{
    (void)state;
    void *(*const starts[])(void *) = { thread_work, leave_early };
    char text[16];
    for (size_t i = 0; i < 2; i++) {
        void *result = NULL;
        pthread_t thread;
        capture_clear();
        {
            WEIR_SPAN(span, scope, "request", WEIR_SERVER, NULL);
            assert_int_equal(weir_pthread_create(&thread, NULL, starts[i], text), 0);
            pthread_join(thread, &result);
        }
        assert_ptr_equal(result, text);
        assert_int_equal(weir_flush(5000), 0);
        assert_memory_equal(capture_span_named("work")->parent_span_id.data, capture_span_named("request")->span_id.data, 8);
    }
}

static void dropped_and_empty_tasks(void **state)
{
    (void)state;
    weir_task none = { 0 }, task = weir_task_make(NULL, NULL);
    weir_task_drop(&none);
    weir_task_run(&none);
    weir_task_run(&task);
    task = weir_task_make(work, NULL);
    weir_task_drop(&task);
    assert_int_equal(weir_flush(5000), 0);
    assert_int_equal(capture_span_count(), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(a_pool_thread_works_for_two_requests, start, stop),
        cmocka_unit_test_setup_teardown(a_new_thread_begins_in_the_context, start, stop),
        cmocka_unit_test_setup_teardown(dropped_and_empty_tasks, start, stop),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
