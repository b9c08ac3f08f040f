/*
 * SQLite spans from the profile hook. Costs one pass over the statement's text, of which at most 4 KiB is recorded; no allocation.
 * Threads: those of the connection; the hook's state is guarded by the connection's own mutex.
 */
#include "weir/contrib/sqlite.h"

#include <ctype.h>
#include <stdio.h>
#include <time.h>

enum { TEXT_MAX = 4096, WORD_MAX = 16 };

WEIR_SCOPE(scope, "weir.contrib.sqlite", WEIR_VERSION);

static bool word_byte(char c)
{
    return isalnum((unsigned char)c) || c == '_' || c == '$' || (unsigned char)c >= 0x80;
}

/* The end of what is quoted by `quote`, doubled inside, from the opening quote on. */
static const char *skip_quoted(const char *p, char quote)
{
    for (p++; *p != '\0'; p++) {
        if (*p != quote)
            continue;
        if (p[1] != quote)
            return p + 1;
        p++;
    }
    return p;
}

static const char *skip_comment(const char *p)
{
    const char *end = p[0] == '-' ? strchr(p, '\n') : strstr(p + 2, "*/");

    return end == NULL ? p + strlen(p) : p[0] == '-' ? end : end + 2;
}

static const char *skip_number(const char *p)
{
    while (word_byte(*p) || *p == '.' || ((*p == '+' || *p == '-') && (p[-1] == 'e' || p[-1] == 'E')))
        p++;
    return p;
}

/* The end of the token that begins at p; *literal: it is a value. */
static const char *skip_token(const char *p, bool *literal)
{
    *literal = *p == '\'' || isdigit((unsigned char)*p) || (*p == '.' && isdigit((unsigned char)p[1])) ||
               ((*p == 'x' || *p == 'X') && p[1] == '\'');
    if (*literal)
        return isdigit((unsigned char)*p) || *p == '.' ? skip_number(p) : skip_quoted(*p == '\'' ? p : p + 1, '\'');
    if (*p == '"' || *p == '`')
        return skip_quoted(p, *p);
    if (*p == '[')
        return skip_quoted(p, ']');
    if ((p[0] == '-' && p[1] == '-') || (p[0] == '/' && p[1] == '*'))
        return skip_comment(p);
    if (*p == '?' || *p == ':' || *p == '@') /* a parameter, whose digits are no number */
        p++;
    else if (!word_byte(*p))
        return p + 1;
    while (word_byte(*p))
        p++;
    return p;
}

size_t weir_sqlite_query_text(const char *sql, char *out, size_t size)
{
    size_t used = 0;
    bool literal;

    for (const char *p = sql, *end; *p != '\0' && used < size - 1; p = end) {
        end = skip_token(p, &literal);
        size_t n = literal ? 1 : (size_t)(end - p);
        if (n > size - 1 - used)
            n = size - 1 - used;
        memcpy(out + used, literal ? "?" : p, n);
        used += n;
    }
    out[used] = '\0';
    return used;
}

/* The first word, in upper case. */
static void operation(const char *text, char word[WORD_MAX])
{
    size_t n = 0;

    while (*text != '\0' && !isalpha((unsigned char)*text)) {
        bool literal;
        text = skip_token(text, &literal);
    }
    for (; isalpha((unsigned char)text[n]) && n < WORD_MAX - 1; n++)
        word[n] = (char)toupper((unsigned char)text[n]);
    word[n] = '\0';
}

static uint64_t now_ns(void)
{
    struct timespec now;

    clock_gettime(CLOCK_REALTIME, &now);
    return (uint64_t)now.tv_sec * 1000000000u + (uint64_t)now.tv_nsec;
}

static void record(weir_span *span, sqlite3 *db, const char *sql, uint64_t start_ns)
{
    const char *file = sqlite3_db_filename(db, "main");
    const char *base = file != NULL && strrchr(file, '/') != NULL ? strrchr(file, '/') + 1 : file;
    char text[TEXT_MAX], word[WORD_MAX], name[WORD_MAX + 128];
    weir_attr attrs[4] = { WEIR_KV("db.system.name", "sqlite") };
    size_t count = 1, size = weir_sqlite_query_text(sql, text, sizeof(text));

    operation(text, word);
    bool in_file = base != NULL && *base != '\0';
    snprintf(name, sizeof(name), "%s%s%.120s", word[0] != '\0' ? word : "sqlite", in_file ? " " : "", in_file ? base : "");
    attrs[count++] = WEIR_KV("db.query.text", weir_sn(text, size));
    if (word[0] != '\0')
        attrs[count++] = WEIR_KV("db.operation.name", (const char *)word);
    if (in_file)
        attrs[count++] = WEIR_KV("db.namespace", base);
    weir_span_opts opts = { .size = sizeof(opts), .kind = WEIR_CLIENT, .no_activate = true, .start_ns = start_ns };
    opts.attrs = weir_attrs_of(attrs, count);
    weir_span_begin(span, &scope, weir_z(name), &opts);
}

/* A statement that another one interrupted is as long as SQLite says, which is whole milliseconds. */
static uint64_t start_of(weir_sqlite *hook, const void *statement, uint64_t taken_ns)
{
    uint64_t now = now_ns();

    if (hook->begun != statement)
        return now > taken_ns ? now - taken_ns : now;
    hook->begun = NULL;
    return hook->begun_ns;
}

static int on_trace(unsigned type, void *user, void *statement, void *detail)
{
    weir_sqlite *hook = (weir_sqlite *)user;
    const char *sql = sqlite3_sql((sqlite3_stmt *)statement);
    weir_span span;

    if (type == SQLITE_TRACE_STMT && hook->begun != statement) { /* once more for each trigger */
        hook->begun = statement;
        hook->begun_ns = now_ns();
    }
    if (type != SQLITE_TRACE_PROFILE || sql == NULL)
        return 0;
    record(&span, hook->db, sql, start_of(hook, statement, (uint64_t) * (const sqlite3_int64 *)detail));
    if (statement == hook->stepping && !hook->ended) {
        hook->span = span;
        hook->ended = true;
    } else {
        weir_span_end(&span);
    }
    return 0;
}

int weir_sqlite_attach(weir_sqlite *hook, sqlite3 *db)
{
    memset(hook, 0, sizeof(*hook));
    hook->db = db;
    return sqlite3_trace_v2(db, SQLITE_TRACE_STMT | SQLITE_TRACE_PROFILE, on_trace, hook);
}

int weir_sqlite_detach(weir_sqlite *hook)
{
    return sqlite3_trace_v2(hook->db, 0, NULL, NULL);
}

static void set_failure(weir_span *span, sqlite3 *db)
{
    char number[16];

    snprintf(number, sizeof(number), "%d", sqlite3_extended_errcode(db));
    weir_span_set_all(
        span, WEIR_ATTRS(WEIR_KV("db.response.status_code", (const char *)number), WEIR_KV("error.type", (const char *)number)));
    weir_span_status(span, WEIR_ERROR, weir_z(sqlite3_errstr(sqlite3_extended_errcode(db))));
}

int weir_sqlite_step(weir_sqlite *hook, sqlite3_stmt *statement)
{
    sqlite3_mutex *mutex = sqlite3_db_mutex(hook->db); /* recursive; NULL, which is fine, when SQLite is single-threaded */

    sqlite3_mutex_enter(mutex);
    sqlite3_stmt *outer = hook->stepping; /* not NULL within a user-defined function that asks the database itself */
    hook->stepping = statement;
    hook->ended = false;
    int result = sqlite3_step(statement);
    if (hook->ended) {
        if (result != SQLITE_ROW && result != SQLITE_DONE)
            set_failure(&hook->span, hook->db);
        weir_span_end(&hook->span);
    }
    hook->stepping = outer;
    hook->ended = false;
    sqlite3_mutex_leave(mutex);
    return result;
}
