/* weir queue on folders as a disk queue leaves them: looking at them, sending what waits, throwing it away; in use, damaged, and wrong. */
#include "tests/unit/collector/command_output.h"

#include <sys/stat.h>

#include "collector/commands.h"
#include "collector/storage/journal.h"
#include "tests/unit/net/scripted_server.h"

enum { REQUESTS = 6 };

static const char ok[] = "HTTP/1.1 200 OK\r\nContent-Type: application/x-protobuf\r\nContent-Length: 0\r\n\r\n";

struct fixture {
    char storage[64]; /* the file_storage directory */
    char client[128]; /* "exporter_otlp_http_traces" in it */
    char other[128];
    struct folder *folder;
    struct journal *journal;
};

static void open_journal(struct fixture *fixture, const char *path)
{
    const struct journal_settings settings = { .segment_bytes = 200 };

    fixture->folder = folder_open(path, NULL);
    assert_non_null(fixture->folder);
    fixture->journal = journal_open(folder_filesystem(fixture->folder), &settings, NULL);
    assert_non_null(fixture->journal);
}

static void close_journal(struct fixture *fixture)
{
    journal_close(fixture->journal);
    folder_close(fixture->folder);
    fixture->journal = NULL;
    fixture->folder = NULL;
}

static void append_one(struct fixture *fixture, enum signal signal, const char *json)
{
    struct buffer wire = { 0 };
    struct slice part;

    append_request(signal, json, &wire);
    part = buffer_slice(&wire);
    assert_int_equal(journal_append(fixture->journal, &(struct journal_item){ &part, 1, 2, (uint8_t)signal }, 1), 0);
    buffer_fini(&wire);
}

/* Requests with two spans each, named "span NUMBER". */
static void append_spans(struct fixture *fixture, int from, int to)
{
    for (int i = from; i < to; i++) {
        char json[512];

        snprintf(json, sizeof(json),
            "{'resourceSpans':[{'scopeSpans':[{'spans':[{'name':'span %d','startTimeUnixNano':'1000000000'},{'name':'twin'}]}]}]}", i);
        append_one(fixture, SIGNAL_TRACES, json);
    }
}

/* Two clients: one with traces that wait, the other with a log record. */
static int set_up(void **state)
{
    struct fixture *fixture = calloc(1, sizeof(*fixture));

    snprintf(fixture->storage, sizeof(fixture->storage), "/tmp/weir-queue-XXXXXX");
    assert_non_null(mkdtemp(fixture->storage));
    snprintf(fixture->client, sizeof(fixture->client), "%s/exporter_otlp_http_traces", fixture->storage);
    snprintf(fixture->other, sizeof(fixture->other), "%s/exporter_otlp_http_logs", fixture->storage);
    assert_int_equal(mkdir(fixture->client, 0700) + mkdir(fixture->other, 0700), 0);
    open_journal(fixture, fixture->client);
    append_spans(fixture, 0, REQUESTS);
    close_journal(fixture);
    open_journal(fixture, fixture->other);
    append_one(
        fixture, SIGNAL_LOGS, "{'resourceLogs':[{'scopeLogs':[{'logRecords':[{'timeUnixNano':'1','body':{'stringValue':'line'}}]}]}]}");
    close_journal(fixture);
    *state = fixture;
    return 0;
}

static int tear_down(void **state)
{
    struct fixture *fixture = *state;
    char command[128];

    close_journal(fixture);
    snprintf(command, sizeof(command), "rm -r %s", fixture->storage);
    assert_int_equal(system(command), 0);
    free(fixture);
    return 0;
}

static size_t count_of(const char *text, const char *word)
{
    size_t count = 0;

    for (const char *at = strstr(text, word); at != NULL; at = strstr(at + 1, word))
        count++;
    return count;
}

/* How many requests wait in the client's folder, by queue cat. */
static size_t waiting(const char *folder)
{
    RUN(command_queue, "queue", "cat", folder);
    return count_of(buffer_string(&command_out), "\n");
}

/* ---- looking ---- */

static void listed(void **state)
{
    struct fixture *fixture = *state;

    assert_int_equal(RUN(command_queue, "queue", "ls", fixture->storage), 0);
    assert_true(said("SEGMENT "));
    assert_true(said("exporter_otlp_http_logs/0000000000000000.seg"));
    assert_true(said("exporter_otlp_http_traces/0000000000000000.seg"));
    assert_true(count_of(buffer_string(&command_out), "exporter_otlp_http_traces/") >= 2);
    assert_int_equal(RUN(command_queue, "queue", "ls", fixture->client), 0);
    assert_false(said("exporter_otlp_http_logs"));
}

static void counted(void **state)
{
    struct fixture *fixture = *state;

    assert_int_equal(RUN(command_queue, "queue", "stat", fixture->storage), 0);
    assert_true(said("waiting     6 requests, 12 spans, "));
    assert_true(said("waiting     1 request, 2 log records, "));
    assert_true(said("its first span is of 1970-01-01T00:00:01Z"));
    assert_true(said("in use      by nobody"));
    assert_true(said("damage      none"));
    assert_true(said("quarantine  empty"));
    assert_true(said("all 2\n"));
}

static void printed(void **state)
{
    struct fixture *fixture = *state;

    assert_int_equal(RUN(command_queue, "queue", "cat", fixture->storage), 0);
    assert_int_equal(count_of(buffer_string(&command_out), "\n"), REQUESTS + 1);
    assert_true(said("{\"resourceSpans\":[{\"scopeSpans\":[{\"spans\":[{\"name\":\"span 5\""));
    assert_int_equal(RUN(command_queue, "queue", "cat", "--verbosity", "detailed", fixture->other), 0);
    assert_true(said("Body: Str(line)"));
    assert_int_equal(RUN(command_queue, "queue", "cat", "--segment", "0000000000000000", fixture->client), 0);
    assert_true(said("span 0") && !said("span 5"));
    assert_int_equal(RUN(command_queue, "queue", "cat", "--segment", "77", fixture->client), 1);
    assert_true(complained("no segment \"77\""));
}

static void while_it_is_in_use(void **state)
{
    struct fixture *fixture = *state;
    struct journal_record record;
    char number[32];

    open_journal(fixture, fixture->client);
    assert_int_equal(journal_read(fixture->journal, &record), 1);
    journal_settle(fixture->journal, record.sequence);
    journal_flush(fixture->journal);
    payload_unref(record.payload);
    append_spans(fixture, REQUESTS, REQUESTS + 1);
    assert_int_equal(waiting(fixture->client), REQUESTS);
    assert_false(said("span 0"));
    assert_true(said("span 6"));
    RUN(command_queue, "queue", "stat", fixture->client);
    assert_true(said("waiting     6 requests"));
    snprintf(number, sizeof(number), "in use by process %d (", (int)getpid());
    assert_int_equal(RUN(command_queue, "queue", "replay", "--endpoint", "http://127.0.0.1:1", fixture->client), 1);
    assert_true(complained(number));
    assert_int_equal(RUN(command_queue, "queue", "drop", "--all", "--yes", fixture->storage), 1);
    assert_true(complained(number));
    close_journal(fixture);
    assert_int_equal(waiting(fixture->other), 1); /* nothing went as long as not all could */
}

/* ---- damage ---- */

static void damage_first_segment(const struct fixture *fixture, off_t offset)
{
    char path[256];
    int fd;

    snprintf(path, sizeof(path), "%s/0000000000000000.seg", fixture->client);
    fd = open(path, O_RDWR);
    assert_int_equal(pwrite(fd, "\xff\xff", 2, offset), 2);
    close(fd);
}

static void damage_is_said(void **state)
{
    struct fixture *fixture = *state;

    damage_first_segment(fixture, JOURNAL_HEADER_SIZE + 3);
    assert_int_equal(RUN(command_queue, "queue", "stat", fixture->client), 1);
    assert_true(said("1 request whose checksum is wrong"));
    assert_true(said("waiting     5 requests"));
    assert_int_equal(RUN(command_queue, "queue", "cat", fixture->client), 1);
    assert_int_equal(count_of(buffer_string(&command_out), "\n"), REQUESTS - 1);
    assert_true(complained("byte 0 is left out: its checksum is wrong"));
    damage_first_segment(fixture, 5);
    assert_int_equal(RUN(command_queue, "queue", "ls", fixture->client), 1);
    assert_true(said("damaged in 1 place\n"));
    assert_int_equal(RUN(command_queue, "queue", "stat", fixture->client), 1);
    assert_true(said("1 place with bytes that are no request"));
}

/* ---- replay ---- */

static int replay(const char *folder, const struct scripted_step *steps, size_t count, struct scripted_server *server)
{
    char endpoint[64];
    int status;

    *server = (struct scripted_server){ .listener = -1 };
    scripted_start(server, steps, count);
    snprintf(endpoint, sizeof(endpoint), "http://127.0.0.1:%d/", server->port);
    status = RUN(command_queue, "queue", "replay", "--endpoint", endpoint, "--header", "X-Who: me", "--retry-for", "3s", folder);
    scripted_stop(server);
    return status;
}

static void replayed(void **state)
{
    static const struct scripted_step steps[] = { { .answer = ok } };
    struct fixture *fixture = *state;
    struct scripted_server server;
    struct stat status;
    char path[256];

    assert_int_equal(replay(fixture->storage, steps, 1, &server), 0);
    assert_int_equal(atomic_load(&server.requests), REQUESTS + 1);
    assert_true(said("exporter_otlp_http_traces: 6 requests with 12 records sent, 0 requests left\n"));
    assert_int_equal(waiting(fixture->storage), 0);
    snprintf(path, sizeof(path), "%s/0000000000000000.seg", fixture->client);
    assert_int_equal(stat(path, &status), -1); /* a settled segment goes */
}

static void what_is_sent(void **state)
{
    static const struct scripted_step steps[] = { { .answer = ok } };
    struct fixture *fixture = *state;
    struct scripted_server server = { .listener = -1 };
    struct buffer expected = { 0 };
    char endpoint[64];

    scripted_start(&server, steps, 1);
    snprintf(endpoint, sizeof(endpoint), "http://127.0.0.1:%d", server.port);
    assert_int_equal(RUN(command_queue, "queue", "replay", "--endpoint", endpoint, "--header", "X-Who: me", fixture->other), 0);
    assert_true(scripted_head_has(&server, "POST /v1/logs HTTP/1.1\r\n"));
    assert_true(scripted_head_has(&server, "X-Who: me\r\n"));
    assert_true(scripted_head_has(&server, "application/x-protobuf"));
    append_request(
        SIGNAL_LOGS, "{'resourceLogs':[{'scopeLogs':[{'logRecords':[{'timeUnixNano':'1','body':{'stringValue':'line'}}]}]}]}", &expected);
    assert_true(slice_equal(buffer_slice(&server.body), buffer_slice(&expected)));
    scripted_stop(&server);
    buffer_fini(&expected);
}

static void refusals(void **state)
{
    static const struct scripted_step steps[] = {
        { .answer = ok },
        { .answer = "HTTP/1.1 503 No\r\nContent-Length: 0\r\n\r\n" },
        { .answer = ok }, /* the same one again */
        { .answer = "HTTP/1.1 400 Bad\r\nContent-Length: 9\r\n\r\nbad bytes" },
        { .answer =
                "HTTP/1.1 200 OK\r\nContent-Type: application/x-protobuf\r\nContent-Length: 4\r\n\r\n\x0a\x02\x08\x01" }, /* one rejected */
        { .answer = ok },
    };
    struct fixture *fixture = *state;
    struct scripted_server server;

    assert_int_equal(replay(fixture->client, steps, 6, &server), 1);
    assert_int_equal(atomic_load(&server.requests), REQUESTS + 1);
    assert_true(complained("request 2 (2 spans) was refused and stays: status 400: bad bytes"));
    assert_true(
        said("5 requests with 10 records sent, 1 request left, 1 of them refused; of those sent the server refused 1 record for good"));
    assert_int_equal(waiting(fixture->client), 1);
    assert_true(said("span 2"));
}

static void hopeless(void **state)
{
    static const struct scripted_step steps[] = { { .answer = ok }, { .answer = "HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\n\r\n" } };
    struct fixture *fixture = *state;
    struct scripted_server server;

    assert_int_equal(replay(fixture->client, steps, 2, &server), 1);
    assert_int_equal(atomic_load(&server.requests), 2);
    assert_true(complained("/v1/traces: status 404"));
    assert_int_equal(waiting(fixture->client), REQUESTS - 1);
    assert_int_equal(RUN(command_queue, "queue", "replay", "--endpoint", "http://127.0.0.1:1", "--retry-for", "1ms", fixture->client), 1);
    assert_true(complained("127.0.0.1:1"));
    assert_int_equal(waiting(fixture->client), REQUESTS - 1);
}

/* ---- drop ---- */

static void dropped(void **state)
{
    struct fixture *fixture = *state;
    size_t before, after;
    int saved = dup(STDIN_FILENO), nobody = open("/dev/null", O_RDONLY);

    dup2(nobody, STDIN_FILENO);
    assert_int_equal(RUN(command_queue, "queue", "drop", "--all", fixture->client), 1);
    dup2(saved, STDIN_FILENO);
    close(saved);
    close(nobody);
    assert_true(complained("--yes"));
    before = waiting(fixture->client);
    assert_int_equal(before, REQUESTS);
    assert_int_equal(RUN(command_queue, "queue", "drop", "--segment", "0000000000000000.seg", "--yes", fixture->client), 0);
    assert_true(said("thrown away: 1 segment ("));
    after = waiting(fixture->client);
    assert_true(after > 0 && after < before);
    assert_int_equal(RUN(command_queue, "queue", "drop", "--segment", "0000000000000000", "--yes", fixture->client), 1);
    assert_int_equal(RUN(command_queue, "queue", "drop", "--segment", "0000000000000000", "--yes", fixture->storage), 2);
    /* what is left is still a queue */
    open_journal(fixture, fixture->client);
    append_spans(fixture, 90, 91);
    close_journal(fixture);
    assert_int_equal(waiting(fixture->client), after + 1);
    assert_int_equal(RUN(command_queue, "queue", "drop", "--all", "--yes", fixture->storage), 0);
    assert_int_equal(waiting(fixture->storage), 0);
    assert_int_equal(RUN(command_queue, "queue", "drop", "--all", "--yes", fixture->storage), 0);
    assert_true(said("nothing to throw away"));
}

/* ---- command lines ---- */

static void wrong_command_lines(void **state)
{
    struct fixture *fixture = *state;

    assert_int_equal(RUN(command_queue, "queue"), 2);
    assert_int_equal(RUN(command_queue, "queue", "lose", fixture->client), 2);
    assert_int_equal(RUN(command_queue, "queue", "ls"), 2);
    assert_int_equal(RUN(command_queue, "queue", "ls", "--nonsense", fixture->client), 2);
    assert_int_equal(RUN(command_queue, "queue", "cat", "--verbosity", "loud", fixture->client), 2);
    assert_int_equal(RUN(command_queue, "queue", "replay", fixture->client), 2);
    assert_int_equal(RUN(command_queue, "queue", "replay", "--endpoint", "nowhere", fixture->client), 2);
    assert_int_equal(RUN(command_queue, "queue", "replay", "--endpoint", "http://x", "--compression", "rar", fixture->client), 2);
    assert_int_equal(RUN(command_queue, "queue", "replay", "--endpoint", "http://x", "--header", "nothing", fixture->client), 2);
    assert_int_equal(RUN(command_queue, "queue", "replay", "--endpoint", "http://x", "--timeout", "soon", fixture->client), 2);
    assert_int_equal(RUN(command_queue, "queue", "drop", fixture->client), 2);
    assert_int_equal(RUN(command_queue, "queue", "drop", "--all", "--segment", "0", fixture->client), 2);
    assert_int_equal(waiting(fixture->client), REQUESTS);
    assert_int_equal(RUN(command_queue, "queue", "ls", "/no/such/folder"), 1);
    assert_true(complained("/no/such/folder"));
    assert_int_equal(RUN(command_queue, "queue", "ls", "/proc/self/fd"), 1);
    assert_true(complained("no disk queue in"));
    assert_int_equal(RUN(command_queue, "queue", "--help"), 0);
    assert_true(said("usage: weir queue ls"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(listed, set_up, tear_down),
        cmocka_unit_test_setup_teardown(counted, set_up, tear_down),
        cmocka_unit_test_setup_teardown(printed, set_up, tear_down),
        cmocka_unit_test_setup_teardown(while_it_is_in_use, set_up, tear_down),
        cmocka_unit_test_setup_teardown(damage_is_said, set_up, tear_down),
        cmocka_unit_test_setup_teardown(replayed, set_up, tear_down),
        cmocka_unit_test_setup_teardown(what_is_sent, set_up, tear_down),
        cmocka_unit_test_setup_teardown(refusals, set_up, tear_down),
        cmocka_unit_test_setup_teardown(hopeless, set_up, tear_down),
        cmocka_unit_test_setup_teardown(dropped, set_up, tear_down),
        cmocka_unit_test_setup_teardown(wrong_command_lines, set_up, tear_down),
    };
    int failed = cmocka_run_group_tests(tests, NULL, NULL);

    forget_output();
    return failed;
}
