/* Event loops: posting, timers, watches, start and stop. */
#include <pthread.h>
#include <semaphore.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/epoll.h>
#include <unistd.h>

#include "collector/base/clock.h"
#include "collector/net/loop.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

static int start(void **state)
{
    struct error err = { 0 };

    (void)state;
    return loops_start(2, &err) ? 0 : -1;
}

static int stop(void **state)
{
    (void)state;
    loops_stop();
    return 0;
}

static void nothing(void *context)
{
    (void)context;
}

/* ---- posts ---- */

struct order {
    int next;
    bool wrong;
};

struct step {
    struct order *order;
    int number;
};

static void take_step(void *context)
{
    struct step *step = context;

    step->order->wrong |= step->number != step->order->next++ || !loop_is_current(loop_data(0));
}

static void posts_run_in_order(void **state)
{
    struct order order = { 0 };
    struct step steps[500];

    (void)state;
    for (int i = 0; i < 500; i++) {
        steps[i] = (struct step){ &order, i };
        loop_post(loop_data(0), take_step, &steps[i]);
    }
    loop_call(loop_data(0), nothing, NULL);
    assert_int_equal(order.next, 500);
    assert_false(order.wrong);
}

struct counted {
    struct loop_task task;
    atomic_int *count;
};

static void count_task(struct loop_task *task)
{
    atomic_fetch_add(((struct counted *)task)->count, 1);
}

enum { POSTERS = 4, POSTS = 2000 };
static struct counted counted[POSTERS][POSTS];
static atomic_int count;

static void *post_many(void *argument)
{
    struct counted *mine = argument;

    for (int i = 0; i < POSTS; i++) {
        mine[i] = (struct counted){ .task = { .run = count_task }, .count = &count };
        loop_post_task(loop_data(1), &mine[i].task);
    }
    return NULL;
}

static void posts_of_several_threads_all_run(void **state)
{
    pthread_t threads[POSTERS];

    (void)state;
    atomic_store(&count, 0);
    for (int i = 0; i < POSTERS; i++)
        pthread_create(&threads[i], NULL, post_many, counted[i]);
    for (int i = 0; i < POSTERS; i++)
        pthread_join(threads[i], NULL);
    loop_call(loop_data(1), nothing, NULL);
    assert_int_equal(atomic_load(&count), POSTERS * POSTS);
}

static void post_again(void *context)
{
    int *left = context;

    if (--*left > 0)
        loop_post(loop_control(), post_again, left);
}

static void a_post_may_post(void **state)
{
    int left = 50;

    (void)state;
    loop_call(loop_control(), post_again, &left);
    for (int i = 0; i < 50; i++)
        loop_call(loop_control(), nothing, NULL);
    assert_int_equal(left, 0);
}

static void call_within(void *context)
{
    loop_call(loop_data(0), nothing, NULL);
    *(bool *)context = true;
}

static void a_call_from_its_own_thread_runs_at_once(void **state)
{
    bool ran = false;

    (void)state;
    loop_call(loop_data(0), call_within, &ran);
    assert_true(ran);
}

static void look_at_thread(void *context)
{
    sigset_t blocked;
    char name[16] = "";

    pthread_sigmask(SIG_BLOCK, NULL, &blocked);
    pthread_getname_np(pthread_self(), name, sizeof(name));
    *(bool *)context = sigismember(&blocked, SIGTERM) == 1 && sigismember(&blocked, SIGPIPE) == 1 && strcmp(name, "weir-control") == 0;
}

static void threads_have_names_and_block_signals(void **state)
{
    bool right = false;

    (void)state;
    loop_call(loop_control(), look_at_thread, &right);
    assert_true(right);
}

/* ---- timers ---- */

static void post_semaphore(void *context)
{
    sem_post(context);
}

static void a_timer_fires_once(void **state)
{
    sem_t fired;
    struct loop_timer *timer;

    (void)state;
    sem_init(&fired, 0, 0);
    timer = loop_timer_start(loop_data(0), NANOS_PER_MILLI, 0, post_semaphore, &fired);
    sem_wait(&fired);
    loop_call(loop_data(0), nothing, NULL);
    assert_int_equal(sem_trywait(&fired), -1);
    loop_timer_move(timer, 0);
    sem_wait(&fired);
    loop_timer_stop(timer);
    sem_destroy(&fired);
}

static void a_periodic_timer_fires_until_it_is_stopped(void **state)
{
    sem_t fired;
    struct loop_timer *timer;

    (void)state;
    sem_init(&fired, 0, 0);
    timer = loop_timer_start(loop_control(), 0, NANOS_PER_MILLI, post_semaphore, &fired);
    for (int i = 0; i < 5; i++)
        sem_wait(&fired);
    loop_timer_stop(timer);
    while (sem_trywait(&fired) == 0)
        ;
    usleep(5000);
    assert_int_equal(sem_trywait(&fired), -1);
    sem_destroy(&fired);
}

static void append_letter(void *context)
{
    char *text = context;

    text[strlen(text)] = (char)('a' + strlen(text));
}

static void timers_fire_in_the_order_they_are_due(void **state)
{
    struct order order = { 0 };
    struct step steps[20];
    struct loop_timer *timers[20];
    char text[64] = "";

    (void)state;
    for (int i = 0; i < 20; i++) {
        int place = i * 7 % 20;

        steps[i] = (struct step){ &order, place };
        timers[i] = loop_timer_start(loop_data(0), (place + 1) * 2 * NANOS_PER_MILLI, 0, take_step, &steps[i]);
    }
    while (true) {
        struct loop_timer *last = loop_timer_start(loop_data(0), 60 * NANOS_PER_MILLI, 0, append_letter, text);

        usleep(80000);
        loop_timer_stop(last);
        if (text[0] != '\0')
            break;
    }
    assert_int_equal(order.next, 20);
    for (int i = 0; i < 20; i++)
        loop_timer_stop(timers[i]);
}

struct slow {
    sem_t entered;
    atomic_bool left;
};

static void be_slow(void *context)
{
    struct slow *slow = context;

    sem_post(&slow->entered);
    usleep(20000);
    atomic_store(&slow->left, true);
}

static void stop_waits_for_a_callback_that_runs(void **state)
{
    struct slow slow;
    struct loop_timer *timer;

    (void)state;
    sem_init(&slow.entered, 0, 0);
    atomic_init(&slow.left, false);
    timer = loop_timer_start(loop_data(0), 0, NANOS_PER_MILLI, be_slow, &slow);
    sem_wait(&slow.entered);
    loop_timer_stop(timer);
    assert_true(atomic_load(&slow.left));
    sem_destroy(&slow.entered);
}

struct own {
    struct loop_timer *timer;
    sem_t set, fired;
    int times;
};

static void stop_own_timer(void *context)
{
    struct own *own = context;

    sem_wait(&own->set);
    own->times++;
    loop_timer_stop(own->timer);
    sem_post(&own->fired);
}

static void a_callback_may_stop_its_timer(void **state)
{
    struct own own = { 0 };

    (void)state;
    sem_init(&own.set, 0, 0);
    sem_init(&own.fired, 0, 0);
    own.timer = loop_timer_start(loop_data(0), 0, NANOS_PER_MILLI, stop_own_timer, &own);
    sem_post(&own.set);
    sem_wait(&own.fired);
    loop_call(loop_data(0), nothing, NULL);
    usleep(5000);
    loop_call(loop_data(0), nothing, NULL);
    assert_int_equal(own.times, 1);
    loop_timer_stop(NULL);
}

/* ---- watches ---- */

struct pair {
    struct loop_watch watch; /* first */
    struct pair *other;
    int called;
    int write_fd;
};

static void on_readable(struct loop_watch *watch, uint32_t events)
{
    struct pair *pair = (struct pair *)watch;

    assert_true((events & EPOLLIN) != 0);
    pair->called++;
    loop_remove(loop_data(0), &pair->watch);
    loop_remove(loop_data(0), &pair->other->watch);
}

static void watch_both(void *context)
{
    struct pair *pairs = context;

    for (int i = 0; i < 2; i++)
        assert_true(loop_add(loop_data(0), &pairs[i].watch, EPOLLIN, NULL));
}

static void a_removed_watch_is_not_called_for_events_already_read(void **state)
{
    struct pair pairs[2] = { 0 };

    (void)state;
    for (int i = 0; i < 2; i++) {
        int fds[2];

        assert_int_equal(pipe(fds), 0);
        assert_int_equal(write(fds[1], "x", 1), 1);
        pairs[i].watch = (struct loop_watch){ fds[0], on_readable };
        pairs[i].write_fd = fds[1];
        pairs[i].other = &pairs[1 - i];
    }
    loop_call(loop_data(0), watch_both, pairs); /* both are ready in the same round */
    while (true) {
        int called;

        loop_call(loop_data(0), nothing, NULL);
        called = pairs[0].called + pairs[1].called;
        if (called > 0) {
            assert_int_equal(called, 1);
            break;
        }
    }
    for (int i = 0; i < 2; i++) {
        close(pairs[i].watch.fd);
        close(pairs[i].write_fd);
    }
}

/* ---- stopped loops ---- */

static void set_true(void *context)
{
    *(bool *)context = true;
}

static void without_loops_posts_run_at_once(void **state)
{
    bool ran = false, called = false;

    (void)state;
    loop_post(loop_control(), set_true, &ran);
    loop_call(loop_control(), set_true, &called);
    assert_true(ran && called);
    loops_stop();
}

static void what_was_posted_before_the_stop_runs(void **state)
{
    struct error err = { 0 };
    bool ran[100] = { false };

    (void)state;
    for (int round = 0; round < 10; round++) {
        assert_true(loops_start(1, &err));
        memset(ran, 0, sizeof(ran));
        for (int i = 0; i < 100; i++)
            loop_post(loop_data(0), set_true, &ran[i]);
        loops_stop();
        for (int i = 0; i < 100; i++)
            assert_true(ran[i]);
    }
}

static void too_many_loops_are_an_error(void **state)
{
    struct error err = { 0 };

    (void)state;
    assert_false(loops_start(100000, &err));
    assert_string_not_equal(err.message, "");
}

int main(void)
{
    const struct CMUnitTest running[] = {
        cmocka_unit_test(posts_run_in_order),
        cmocka_unit_test(posts_of_several_threads_all_run),
        cmocka_unit_test(a_post_may_post),
        cmocka_unit_test(a_call_from_its_own_thread_runs_at_once),
        cmocka_unit_test(threads_have_names_and_block_signals),
        cmocka_unit_test(a_timer_fires_once),
        cmocka_unit_test(a_periodic_timer_fires_until_it_is_stopped),
        cmocka_unit_test(timers_fire_in_the_order_they_are_due),
        cmocka_unit_test(stop_waits_for_a_callback_that_runs),
        cmocka_unit_test(a_callback_may_stop_its_timer),
        cmocka_unit_test(a_removed_watch_is_not_called_for_events_already_read),
    };
    const struct CMUnitTest stopped[] = {
        cmocka_unit_test(without_loops_posts_run_at_once),
        cmocka_unit_test(what_was_posted_before_the_stop_runs),
        cmocka_unit_test(too_many_loops_are_an_error),
    };
    int failed = cmocka_run_group_tests(running, start, stop);

    return failed + cmocka_run_group_tests(stopped, NULL, NULL);
}
