/* The epoll loop: each connection's callbacks run in its own context, whatever else the thread has open. */
#include "tests/unit/sdk/capture.h"

#include <errno.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

#include "weir/contrib/epoll.h"

WEIR_SCOPE(scope, "test.epoll", "1.0.0");

enum { CONNECTIONS = 8, ROUNDS = 3 };

struct connection {
    weir_epoll_source source;
    weir_span span;
    int client, rounds;
};

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

static void on_ready(weir_epoll_source *source, uint32_t events)
{
    struct connection *connection = (struct connection *)source;
    weir_ctx current = weir_ctx_current();
    char byte;

    assert_true((events & EPOLLIN) != 0);
    assert_int_equal(read(source->fd, &byte, 1), 1);
    if (connection->rounds++ == 0) {
        assert_false(weir_ctx_valid(&current));
        weir_span_opts opts = { .size = sizeof(opts), .kind = WEIR_SERVER, .no_activate = true };
        weir_span_begin(&connection->span, &scope, WEIR_S("connection"), &opts);
        weir_epoll_keep(source, &connection->span.ctx);
        return;
    }
    assert_memory_equal(current.span_id, connection->span.ctx.span_id, 8);
    WEIR_SPAN(span, scope, "event", WEIR_INTERNAL, NULL);
    WEIR_SET(&span, "client", connection->client);
}

static void open_connection(int epoll, struct connection *connection)
{
    int pair[2];

    assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM, 0, pair), 0);
    memset(connection, 0, sizeof(*connection));
    connection->source.fd = pair[0];
    connection->source.ready = on_ready;
    connection->client = pair[1];
    assert_int_equal(weir_epoll_add(epoll, &connection->source, EPOLLIN), 0);
}

static void close_connection(int epoll, struct connection *connection)
{
    weir_span_end(&connection->span);
    weir_epoll_remove(epoll, &connection->source);
    close(connection->source.fd);
    close(connection->client);
}

static Span *connection_span(const struct connection *connection)
{
    for (size_t i = 0; capture_span(i) != NULL; i++) {
        if (memcmp(capture_span(i)->span_id.data, connection->span.ctx.span_id, 8) == 0)
            return capture_span(i);
    }
    return NULL;
}

static void check_spans(const struct connection *connections)
{
    size_t events = 0;

    for (size_t i = 0; capture_span(i) != NULL; i++) {
        Span *event = capture_span(i);
        if (strcmp(event->name, "event") != 0)
            continue;
        events++;
        size_t c = 0;
        while (c < CONNECTIONS && connections[c].client != span_value(event, "client")->int_value)
            c++;
        assert_true(c < CONNECTIONS);
        Span *parent = connection_span(&connections[c]);
        assert_non_null(parent);
        assert_int_equal(parent->parent_span_id.len, 0);
        assert_memory_equal(event->trace_id.data, parent->trace_id.data, 16);
        assert_memory_equal(event->parent_span_id.data, parent->span_id.data, 8);
    }
    assert_int_equal(events, CONNECTIONS * (ROUNDS - 1));
}

static void every_connection_has_its_own_context(void **state)
{
    (void)state;
    struct connection connections[CONNECTIONS];
    int epoll = epoll_create1(EPOLL_CLOEXEC);
    for (int i = 0; i < CONNECTIONS; i++)
        open_connection(epoll, &connections[i]);
    for (int round = 0; round < ROUNDS; round++) {
        for (int i = 0; i < CONNECTIONS; i++)
            assert_int_equal(write(connections[i].client, "x", 1), 1);
        assert_int_equal(weir_epoll_dispatch(epoll, 5000), CONNECTIONS);
        weir_ctx after = weir_ctx_current();
        assert_false(weir_ctx_valid(&after));
    }
    assert_int_equal(weir_epoll_dispatch(epoll, 0), 0);
    for (int i = 0; i < CONNECTIONS; i++)
        close_connection(epoll, &connections[i]);
    close(epoll);
    assert_int_equal(weir_flush(5000), 0);
    assert_int_equal(capture_span_count(), CONNECTIONS * ROUNDS);
    check_spans(connections);
}

static void errors_are_told(void **state)
{
    (void)state;
    weir_epoll_source source = { .fd = -1, .ready = on_ready };
    int epoll = epoll_create1(EPOLL_CLOEXEC);
    assert_int_equal(weir_epoll_add(epoll, &source, EPOLLIN), -EBADF);
    close(epoll);
    assert_int_equal(weir_epoll_dispatch(-1, 0), -EBADF);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(every_connection_has_its_own_context, start, stop),
        cmocka_unit_test_setup_teardown(errors_are_told, start, stop),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
