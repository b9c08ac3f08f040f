/* The SQLite hook, on a database in memory and one in a file. */
#include "tests/unit/sdk/capture.h"

#include <unistd.h>

#include "weir/contrib/sqlite.h"

WEIR_SCOPE(scope, "test.sqlite", "1.0.0");

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

static void exec(sqlite3 *db, const char *sql)
{
    assert_int_equal(sqlite3_exec(db, sql, NULL, NULL, NULL), SQLITE_OK);
}

static Span *only(const char *name)
{
    assert_int_equal(weir_flush(5000), 0);
    Span *span = capture_span_named(name);
    assert_non_null(span);
    assert_int_equal(span->kind, OPENTELEMETRY__PROTO__TRACE__V1__SPAN__SPAN_KIND__SPAN_KIND_CLIENT);
    assert_text(span_value(span, "db.system.name"), "sqlite");
    return span;
}

static void statements_are_spans_of_the_request(void **state)
{
    (void)state;
    weir_sqlite hook;
    sqlite3 *db;
    assert_int_equal(sqlite3_open(":memory:", &db), SQLITE_OK);
    assert_int_equal(weir_sqlite_attach(&hook, db), SQLITE_OK);
    {
        WEIR_SPAN(parent, scope, "parent", WEIR_SERVER, NULL);
        exec(db, "create table t (a, b); INSERT INTO t VALUES (1, 'Anna''s'), (2, x'00ff'); SELECT * FROM t WHERE b = 'secret'");
    }
    assert_int_equal(weir_sqlite_detach(&hook), SQLITE_OK);
    exec(db, "DELETE FROM t");
    sqlite3_close(db);
    Span *insert = only("INSERT"), *parent = capture_span_named("parent");
    assert_int_equal(capture_span_count(), 4);
    assert_text(span_value(insert, "db.query.text"), "INSERT INTO t VALUES (?, ?), (?, ?);");
    assert_text(span_value(insert, "db.operation.name"), "INSERT");
    assert_null(span_value(insert, "db.namespace"));
    assert_text(span_value(only("CREATE"), "db.query.text"), "create table t (a, b);");
    assert_text(span_value(only("SELECT"), "db.query.text"), "SELECT * FROM t WHERE b = ?");
    const char *const names[] = { "CREATE", "INSERT", "SELECT" };
    for (size_t i = 0; i < 3; i++) {
        Span *span = only(names[i]);
        assert_memory_equal(span->trace_id.data, parent->trace_id.data, 16);
        assert_memory_equal(span->parent_span_id.data, parent->span_id.data, 8);
        assert_true(span->end_time_unix_nano >= span->start_time_unix_nano);
        assert_true(span->start_time_unix_nano >= parent->start_time_unix_nano);
        assert_true(span->status == NULL || span->status->code == 0);
    }
}

static int step(weir_sqlite *hook, const char *sql)
{
    sqlite3_stmt *statement;
    int result;

    assert_int_equal(sqlite3_prepare_v2(hook->db, sql, -1, &statement, NULL), SQLITE_OK);
    while ((result = weir_sqlite_step(hook, statement)) == SQLITE_ROW)
        continue;
    sqlite3_finalize(statement);
    return result;
}

static void a_failed_statement_is_an_error(void **state)
{
    (void)state;
    char path[] = "/tmp/weir-sqlite-XXXXXX", name[64];
    weir_sqlite hook;
    sqlite3 *db;
    int fd = mkstemp(path);
    assert_true(fd >= 0);
    close(fd);
    assert_int_equal(sqlite3_open(path, &db), SQLITE_OK);
    exec(db, "CREATE TABLE t (a UNIQUE); INSERT INTO t VALUES (1)");
    assert_int_equal(weir_sqlite_attach(&hook, db), SQLITE_OK);
    assert_int_equal(step(&hook, "INSERT INTO t VALUES (1)"), SQLITE_CONSTRAINT);
    assert_int_equal(step(&hook, "SELECT a FROM t UNION SELECT 5"), SQLITE_DONE);
    sqlite3_close(db);
    unlink(path);
    snprintf(name, sizeof(name), "INSERT %s", path + 5);
    Span *span = only(name);
    assert_text(span_value(span, "db.namespace"), path + 5);
    assert_text(span_value(span, "db.response.status_code"), "2067");
    assert_text(span_value(span, "error.type"), "2067");
    assert_int_equal(span->status->code, WEIR_ERROR);
    snprintf(name, sizeof(name), "SELECT %s", path + 5);
    span = only(name);
    assert_null(span_value(span, "error.type"));
    assert_true(span->status == NULL || span->status->code == 0);
    assert_int_equal(capture_span_count(), 2);
}

static void literals_are_not_recorded(void **state)
{
    (void)state;
    static const char *const cases[][2] = {
        { "SELECT 'a''b', 1.5e-3, .5, 0xff, t1.c2, \"x'1\" FROM t1", "SELECT ?, ?, ?, ?, t1.c2, \"x'1\" FROM t1" },
        { "SELECT ?1, :p2, @q3, $r4, [a'b], `c'd`, x'00', X'01'", "SELECT ?1, :p2, @q3, $r4, [a'b], `c'd`, ?, ?" },
        { "-- it's 5\nSELECT/* 'b' */ -7", "-- it's 5\nSELECT/* 'b' */ -?" },
        { "SELECT 'open", "SELECT ?" },
        { "SELECT \"open", "SELECT \"open" },
        { "/*/ open 1", "/*/ open 1" },
        { "", "" },
    };
    char out[128];
    for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
        assert_int_equal(weir_sqlite_query_text(cases[i][0], out, sizeof(out)), strlen(cases[i][1]));
        assert_string_equal(out, cases[i][1]);
    }
    for (size_t cut = 0; cut <= strlen(cases[0][0]); cut++) {
        char *part = strndup(cases[0][0], cut);
        size_t whole = weir_sqlite_query_text(part, out, sizeof(out));
        assert_true(whole <= cut);
        assert_int_equal(whole, strlen(out));
        assert_null(strstr(out, "b'"));
        assert_int_equal(weir_sqlite_query_text(part, out, 8), whole < 7 ? whole : 7);
        free(part);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(statements_are_spans_of_the_request, start, stop),
        cmocka_unit_test_setup_teardown(a_failed_statement_is_an_error, start, stop),
        cmocka_unit_test(literals_are_not_recorded),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
