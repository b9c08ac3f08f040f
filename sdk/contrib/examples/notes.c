/* A table in memory; every statement is a span of the request that needed it. */
#include <weir/contrib/sqlite.h>

WEIR_SCOPE(scope, "example.notes", "1.0.0");

static int note(weir_sqlite *hook, const char *text)
{
    sqlite3_stmt *statement;

    WEIR_SPAN(span, scope, "note", WEIR_SERVER, NULL);
    int result = sqlite3_prepare_v2(hook->db, "INSERT INTO notes VALUES (?1)", -1, &statement, NULL);
    if (result != SQLITE_OK)
        return result;
    sqlite3_bind_text(statement, 1, text, -1, SQLITE_STATIC);
    result = weir_sqlite_step(hook, statement);
    sqlite3_finalize(statement);
    return result;
}

int main(void)
{
    sqlite3 *db;
    weir_sqlite hook;

    if (weir_init(NULL) != 0 || sqlite3_open(":memory:", &db) != SQLITE_OK || weir_sqlite_attach(&hook, db) != SQLITE_OK)
        return 1;
    int result = sqlite3_exec(db, "CREATE TABLE notes (text TEXT UNIQUE)", NULL, NULL, NULL);
    if (result == SQLITE_OK)
        result = note(&hook, "milk");
    if (result == SQLITE_DONE)
        result = note(&hook, "milk"); /* refused: the span has an error status */
    sqlite3_close(db);
    return weir_shutdown(5000) == 0 && result == SQLITE_CONSTRAINT ? 0 : 2;
}
