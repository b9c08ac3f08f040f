/*
 * SQLite: a client span for each statement that ran, by the profile hook of a connection; nothing else in the program changes.
 * OpenTelemetry semantic conventions: database client spans. Link -lweir_contrib_sqlite -lsqlite3 -lweir.
 */
#ifndef WEIR_CONTRIB_SQLITE_H
#define WEIR_CONTRIB_SQLITE_H

#include <sqlite3.h>

#include "weir/weir.h"

#ifdef __cplusplus
extern "C" {
#endif

/* A connection's hook. Zeroed, in the caller's storage; must stay until weir_sqlite_detach or sqlite3_close. */
typedef struct weir_sqlite {
    sqlite3 *db;
    sqlite3_stmt *stepping; /* in weir_sqlite_step, and its span */
    weir_span span;
    bool ended;
    const void *begun; /* the statement that began last, and when: SQLite's own measure is in whole milliseconds */
    uint64_t begun_ns;
} weir_sqlite;

/*
 * Takes the connection's trace hook (sqlite3_trace_v2, of which there is one). From then on each statement's first to last step is a span, a child of
 * the context that is current when it ends, with the text of the statement in which literals are replaced by "?". Returns SQLite's result.
 */
WEIR_API int weir_sqlite_attach(weir_sqlite *hook, sqlite3 *db);
WEIR_API int weir_sqlite_detach(weir_sqlite *hook);

/* In place of sqlite3_step on this connection, and with its result: the hook alone is not told whether a statement failed, this tells the span. */
WEIR_API int weir_sqlite_step(weir_sqlite *hook, sqlite3_stmt *statement);

/*
 * Writes `sql` with its strings, blobs and numbers replaced by "?" to out, NUL-terminated, cut to `size` (at least 1); returns what was
 * written without the NUL. Names and comments stay as they are, and "..." counts as a name. Signal-safe.
 */
WEIR_API size_t weir_sqlite_query_text(const char *sql, char *out, size_t size);

#ifdef __cplusplus
}
#endif
#endif
