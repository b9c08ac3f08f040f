/* hiredis against a real redis-server on a unix socket; where none is installed, only against one that hangs up. */
#include "tests/unit/sdk/capture.h"

#include <signal.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

#include "weir/contrib/hiredis.h"

WEIR_SCOPE(scope, "test.hiredis", "1.0.0");

enum { PATIENCE = 2000 }; /* times 10 ms */

static struct {
    char folder[32], path[64];
    pid_t pid;
    redisContext *redis;
} server;

static void run_server(void)
{
    if (freopen("/dev/null", "w", stdout) == NULL)
        _exit(127);
    execlp("redis-server", "redis-server", "--port", "0", "--unixsocket", server.path, "--save", "", "--dir", server.folder, (char *)NULL);
    _exit(127);
}

/* Skips the test when the server can't be run. */
static void server_start(void)
{
    server.pid = fork();
    assert_true(server.pid >= 0);
    if (server.pid == 0)
        run_server();
    for (int i = 0; i < PATIENCE && server.redis == NULL; i++) {
        if (waitpid(server.pid, NULL, WNOHANG) == server.pid) {
            server.pid = 0;
            skip();
        }
        server.redis = redisConnectUnix(server.path);
        assert_non_null(server.redis);
        if (server.redis->err != 0) {
            redisFree(server.redis);
            server.redis = NULL;
            usleep(10000);
        }
    }
    assert_non_null(server.redis);
}

static int start(void **state)
{
    (void)state;
    memset(&server, 0, sizeof(server));
    strcpy(server.folder, "/tmp/weir-redis-XXXXXX");
    assert_non_null(mkdtemp(server.folder));
    snprintf(server.path, sizeof(server.path), "%s/socket", server.folder);
    capture_start(NULL, 0);
    return 0;
}

static int stop(void **state)
{
    (void)state;
    if (server.redis != NULL)
        redisFree(server.redis);
    if (server.pid > 0) {
        kill(server.pid, SIGKILL);
        waitpid(server.pid, NULL, 0);
    }
    unlink(server.path);
    rmdir(server.folder);
    weir_shutdown(2000);
    capture_clear();
    return 0;
}

static Span *only(const char *name)
{
    assert_int_equal(weir_flush(5000), 0);
    Span *span = capture_span_named(name);
    assert_non_null(span);
    assert_int_equal(span->kind, WEIR_CLIENT + 1);
    assert_text(span_value(span, "db.system.name"), "redis");
    assert_text(span_value(span, "db.operation.name"), name);
    return span;
}

static void assert_fine(Span *span, const char *text)
{
    assert_text(span_value(span, "db.query.text"), text);
    assert_null(span_value(span, "error.type"));
    assert_true(span->status == NULL || span->status->code == 0);
}

static void assert_integer(void *any, long long value)
{
    redisReply *reply = (redisReply *)any;

    assert_non_null(reply);
    assert_int_equal(reply->type, REDIS_REPLY_INTEGER);
    assert_int_equal(reply->integer, value);
    freeReplyObject(reply);
}

static void commands_are_spans_of_the_request(void **state)
{
    (void)state;
    const char *argv[] = { "INCRBY", "counter", "35" };
    const size_t sizes[] = { 6, 7, 2 };
    server_start();
    {
        WEIR_SPAN(parent, scope, "parent", WEIR_SERVER, NULL);
        freeReplyObject(weir_hiredis_command(server.redis, "SET %s %b", "secret key", "a b", (size_t)3));
        assert_integer(weir_hiredis_command(server.redis, " incrby  counter %d ", 7), 7);
        assert_integer(weir_hiredis_command_argv(server.redis, 3, argv, sizes), 42);
        assert_integer(weir_hiredis_command_argv(server.redis, 3, argv, NULL), 77);
    }
    Span *parent = (assert_int_equal(weir_flush(5000), 0), capture_span_named("parent"));
    assert_int_equal(capture_span_count(), 5);
    Span *set = only("SET");
    assert_fine(set, "SET ? ?");
    assert_fine(only("incrby"), "incrby ? ?");
    assert_fine(only("INCRBY"), "INCRBY ? ?");
    assert_memory_equal(set->parent_span_id.data, parent->span_id.data, 8);
    assert_text(span_value(set, "server.address"), server.path);
    assert_text(span_value(set, "network.transport"), "unix");
    assert_null(span_value(set, "server.port"));
}

static void an_error_reply_is_an_error(void **state)
{
    (void)state;
    server_start();
    freeReplyObject(weir_hiredis_command(server.redis, "SET text abc"));
    redisReply *reply = (redisReply *)weir_hiredis_command(server.redis, "LPUSH text secret");
    assert_non_null(reply);
    assert_int_equal(reply->type, REDIS_REPLY_ERROR);
    freeReplyObject(reply);
    freeReplyObject(weir_hiredis_command(server.redis, "pass%s word", "\"word"));
    Span *span = only("LPUSH");
    assert_text(span_value(span, "db.response.status_code"), "WRONGTYPE");
    assert_text(span_value(span, "error.type"), "WRONGTYPE");
    assert_int_equal(span->status->code, WEIR_ERROR);
    assert_true(span->status->message == NULL || span->status->message[0] == '\0');
    span = only("_OTHER"); /* not "pass%s" */
    assert_text(span_value(span, "db.query.text"), "_OTHER ?");
    assert_text(span_value(span, "db.response.status_code"), "ERR");
}

static void pipelines_and_long_commands(void **state)
{
    (void)state;
    weir_span span;
    const char *argv[100] = { "DEL" };
    redisReply *reply = NULL;
    server_start();
    weir_hiredis_begin_pipeline(&span, server.redis, 3, "INCR");
    for (int i = 0; i < 3; i++)
        redisAppendCommand(server.redis, "INCR counter");
    for (int i = 0; i < 3; i++) {
        assert_int_equal(redisGetReply(server.redis, (void **)&reply), REDIS_OK);
        if (i < 2)
            freeReplyObject(reply);
    }
    weir_hiredis_end(&span, server.redis, reply);
    freeReplyObject(reply);
    weir_hiredis_begin_pipeline(&span, server.redis, 0, NULL);
    weir_hiredis_end(&span, server.redis, &(redisReply){ .type = REDIS_REPLY_NIL });
    for (int i = 1; i < 100; i++)
        argv[i] = "x";
    assert_integer(weir_hiredis_command_argv(server.redis, 100, argv, NULL), 0);
    assert_int(span_value(only("PIPELINE INCR"), "db.operation.batch.size"), 3);
    assert_null(span_value(only("PIPELINE INCR"), "db.query.text"));
    assert_null(span_value(only("PIPELINE"), "db.operation.batch.size"));
    AnyValue *text = span_value(only("DEL"), "db.query.text");
    assert_int_equal(strlen(text->string_value), 3 + 64 * 2 + 4);
    assert_string_equal(text->string_value + 3 + 63 * 2, " ? ...");
}

/* A server that closes, and one that never answers. */
static void a_failed_connection_is_an_error(void **state)
{
    (void)state;
    struct sockaddr_un address = { .sun_family = AF_UNIX };
    strcpy(address.sun_path, server.path);
    int listener = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    assert_int_equal(bind(listener, (struct sockaddr *)&address, sizeof(address)), 0);
    assert_int_equal(listen(listener, 2), 0);
    redisContext *silent = redisConnectUnix(server.path), *closing = redisConnectUnix(server.path);
    int first = accept(listener, NULL, NULL), second = accept(listener, NULL, NULL);
    close(second);
    assert_int_equal(redisSetTimeout(silent, (struct timeval){ .tv_usec = 50000 }), REDIS_OK);
    assert_null(weir_hiredis_command(silent, "GET x"));
    assert_null(weir_hiredis_command(closing, "SET x 1"));
    Span *span = only("GET");
    assert_text(span_value(span, "error.type"), "timeout");
    assert_string_equal(span->status->message, silent->errstr);
    span = only("SET");
    assert_non_null(span_value(span, "error.type"));
    assert_int_equal(span->status->code, WEIR_ERROR);
    redisFree(silent);
    redisFree(closing);
    close(first);
    close(listener);
}

int main(void)
{
    signal(SIGPIPE, SIG_IGN);
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(commands_are_spans_of_the_request, start, stop),
        cmocka_unit_test_setup_teardown(an_error_reply_is_an_error, start, stop),
        cmocka_unit_test_setup_teardown(pipelines_and_long_commands, start, stop),
        cmocka_unit_test_setup_teardown(a_failed_connection_is_an_error, start, stop),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
