/*
 * One transaction as a tree: what hangs where, and what is said about parents that are not there, circles, skewed clocks and records that
 * came twice. The expected text stands here as people see it.
 */
#include "tests/unit/collector/command_output.h"

#include "collector/commands.h"
#include "collector/commands/trace_list.h"
#include "collector/commands/trace_print.h"

#define ID "0102030405060708090a0b0c0d0e0f10"

static char path[64];

/* ---- making requests ---- */

struct span_text {
    const char *service, *name;
    unsigned id, parent;
    long start_us, end_us; /* from a second after 1970 */
    unsigned kind;
    const char *more; /* further keys: "'flags':1" */
};

static void append_span(const struct span_text *span, struct buffer *out)
{
    struct buffer json = { 0 };

    buffer_append_string(&json, "{'resourceSpans':[{");
    if (span->service != NULL)
        buffer_printf(&json, "'resource':{'attributes':[{'key':'service.name','value':{'stringValue':'%s'}}]},", span->service);
    buffer_printf(&json,
        "'scopeSpans':[{'spans':[{'traceId':'" ID "','spanId':'%016x','parentSpanId':'%016x','name':'%s','kind':%u,"
        "'startTimeUnixNano':'%lld','endTimeUnixNano':'%lld'%s%s}]}]}]}",
        span->id, span->parent, span->name, span->kind, 1000000000LL + span->start_us * 1000, 1000000000LL + span->end_us * 1000,
        span->more != NULL ? "," : "", span->more != NULL ? span->more : "");
    append_request(SIGNAL_TRACES, buffer_string(&json), out);
    buffer_fini(&json);
}

struct log_text {
    const char *service;
    unsigned span;
    long time_us;
    const char *body;
};

static void append_log(struct log_text log, struct buffer *out)
{
    struct buffer json = { 0 };

    buffer_printf(&json,
        "{'resourceLogs':[{'resource':{'attributes':[{'key':'service.name','value':{'stringValue':'%s'}}]},'scopeLogs':[{'logRecords':["
        "{'traceId':'" ID "','spanId':'%016x','timeUnixNano':'%lld','severityNumber':13,'body':{'stringValue':'%s'},"
        "'attributes':[{'key':'n','value':{'intValue':'7'}}]}]}]}]}",
        log.service, log.span, 1000000000LL + log.time_us * 1000, log.body);
    append_request(SIGNAL_LOGS, buffer_string(&json), out);
    buffer_fini(&json);
}

struct requests {
    struct buffer traces, logs;
};

static void show(struct requests *requests, struct trace_style style, struct buffer *out)
{
    struct trace trace = { .span_count = 0 };
    struct trace_tree tree;

    for (uint8_t i = 0; i < TRACE_ID_SIZE; i++)
        trace.id[i] = (uint8_t)(i + 1);
    trace_gather(&trace, SIGNAL_TRACES, buffer_slice(&requests->traces));
    trace_gather(&trace, SIGNAL_LOGS, buffer_slice(&requests->logs));
    trace_gather(&trace, SIGNAL_METRICS, buffer_slice(&requests->logs)); /* no concern of a trace */
    trace_finish(&trace);
    trace_tree_init(&tree, &trace);
    trace_print(&tree, style, out);
    trace_tree_fini(&tree);
    trace_fini(&trace);
    buffer_fini(&requests->traces);
    buffer_fini(&requests->logs);
}

/* Shows the requests, which are freed, and compares. */
static void expect(struct requests *requests, const char *expected)
{
    struct buffer out = { 0 };

    show(requests, (struct trace_style){ false, false }, &out);
    assert_string_equal(buffer_string(&out), expected);
    buffer_fini(&out);
}

static void add_spans(struct requests *requests, const struct span_text *spans)
{
    for (; spans->name != NULL; spans++)
        append_span(spans, &requests->traces);
}

/* ---- trees ---- */

static void one_transaction(void **state)
{
    struct requests requests = { .traces = { 0 } };

    (void)state;
    add_spans(&requests,
        (const struct span_text[]){ /* in no order */
            { "stock", "POST /reserve", 3, 2, 2000, 70000, 2,
                "'attributes':[{'key':'zone','value':{'stringValue':'b'}},{'key':'http.route','value':{'stringValue':'/reserve'}}]" },
            { "shop", "GET /buy", 1, 0, 0, 132000, 2, "'status':{'code':1}" },
            { "shop", "POST /mail", 4, 1, 90000, 95000, 3, "'status':{'code':2,'message':'re\\nfused'}" },
            { "shop", "POST /reserve", 2, 1, 1000, 80000, 3, NULL },
            { "stock", "check", 5, 3, 3000, 3200, 1,
                "'events':[{'timeUnixNano':'1003100000','name':'cache "
                "miss'}],'links':[{'traceId':'0f000000000000000000000000000000','spanId':'0e00000000000000'}]" },
            { 0 } });
    append_log((struct log_text){ "shop", 1, 131000, "slow" }, &requests.logs);
    append_log((struct log_text){ "stock", 3, 20000, "reserved" }, &requests.logs);
    append_log((struct log_text){ "shop", 0, 40000, "somewhere" }, &requests.logs);
    expect(&requests, "trace " ID "\n"
                      "1970-01-01T00:00:01.000000000Z, 132.0 ms, 5 spans, 3 log records, 2 services: shop, stock\n"
                      "! 1 span has the status error\n"
                      "\n"
                      "      +0 ns   132.0 ms  shop: GET /buy [server] ok\n"
                      "   +1.00 ms   79.00 ms  ├─ shop: POST /reserve [client]\n"
                      "   +2.00 ms   68.00 ms  │  └─ stock: POST /reserve [server] {zone=b}\n"
                      "   +3.00 ms   200.0 us  │     └─ stock: check\n"
                      "                        │          · link to trace 0f000000000000000000000000000000 span 0e00000000000000\n"
                      "   +3.10 ms             │          · event cache miss\n"
                      "  +20.00 ms             │       · WARN reserved {n=7}\n"
                      "  +90.00 ms    5.00 ms  └─ shop: POST /mail [client] ERROR: re\\nfused\n"
                      "  +131.0 ms               · WARN slow {n=7}\n"
                      "  +40.00 ms             · WARN shop: somewhere {n=7}\n");
}

static void missing_parents(void **state)
{
    struct requests requests = { .traces = { 0 } };

    (void)state;
    add_spans(
        &requests, (const struct span_text[]){ { "a", "root", 1, 0, 0, 10000, 1, NULL },
                       { "b", "remote child", 2, 0xdead, 1000, 2000, 2, "'flags':769" },
                       { "b", "local child", 3, 0xbeef, 3000, 4000, 1, "'flags':257" }, { "b", "child", 4, 0xcafe, 5000, 6000, 1, NULL },
                       { "b", "its sister", 5, 0xcafe, 4500, 6000, 1, NULL }, { 0 } });
    append_log((struct log_text){ "c", 0xabba, 6500, "orphan" }, &requests.logs);
    expect(&requests, "trace " ID "\n"
                      "1970-01-01T00:00:01.000000000Z, 10.00 ms, 5 spans, 1 log record, 3 services: a, b, c\n"
                      "! 4 spans have a parent that is not here\n"
                      "\n"
                      "      +0 ns   10.00 ms  a: root\n"
                      "                        ! missing: span 000000000000dead of another service is not here\n"
                      "   +1.00 ms    1.00 ms  └─ b: remote child [server]\n"
                      "                        ! missing: span 000000000000beef of the same service is not here\n"
                      "   +3.00 ms    1.00 ms  └─ b: local child\n"
                      "                        ! missing: span 000000000000cafe is not here\n"
                      "   +4.50 ms    1.50 ms  ├─ b: its sister\n"
                      "   +5.00 ms    1.00 ms  └─ b: child\n"
                      "                        ! missing: span 000000000000abba is not here\n"
                      "   +6.50 ms               · WARN c: orphan {n=7}\n");
}

static void missing_services(void **state)
{
    struct requests requests = { .traces = { 0 } };

    (void)state;
    add_spans(&requests,
        (const struct span_text[]){ { "a", "call b", 1, 0, 0, 10, 3, "'attributes':[{'key':'peer.service','value':{'stringValue':'b'}}]" },
            { "b", "serve", 2, 1, 2, 8, 2, NULL },
            { "a", "call c", 3, 1, 4, 6, 3, "'attributes':[{'key':'service.peer.name','value':{'stringValue':'c'}}]" },
            { NULL, "nameless", 4, 3, 5, 6, 2, NULL }, { 0 } });
    expect(&requests, "trace " ID "\n"
                      "1970-01-01T00:00:01.000000000Z, 10.0 us, 4 spans, 0 log records, 3 services: a, b, (no service.name)\n"
                      "\n"
                      "      +0 ns    10.0 us  a: call b [client]\n"
                      "    +2.0 us     6.0 us  ├─ b: serve [server]\n"
                      "    +4.0 us     2.0 us  └─ a: call c [client]  ! no span of the service \"c\" is here\n"
                      "    +5.0 us     1.0 us     └─ (no service.name): nameless [server]\n");
}

static void skewed_clocks(void **state)
{
    struct requests requests = { .traces = { 0 } };

    (void)state;
    add_spans(&requests, (const struct span_text[]){ { "a", "root", 1, 0, 0, 10000, 1, NULL }, { "b", "early", 2, 1, -3000, 5000, 2, NULL },
                             { "c", "late", 3, 1, 8000, 12000, 2, NULL }, { "d", "longer", 4, 1, 1000, 13000, 2, NULL },
                             { "e", "queued", 5, 1, 20000, 30000, 5, NULL }, { "a", "detached", 6, 1, 2000, 40000, 1, NULL },
                             { "a", "before", 7, 1, -1000, 9000, 1, NULL }, { "a", "backwards", 8, 1, 3000, 2500, 1, NULL },
                             { "a", "endless", 9, 1, 4000, -1000000, 1, NULL }, { 0 } });
    expect(&requests, "trace " ID "\n"
                      "1970-01-01T00:00:00.997000000Z, 43.00 ms, 9 spans, 0 log records, 5 services: a, b, d, c, e\n"
                      "! 2 spans whose times show clock skew\n"
                      "\n"
                      "      +0 ns   10.00 ms  a: root\n"
                      "   -3.00 ms    8.00 ms  ├─ b: early [server]  ! clock skew: starts 3.00 ms before its parent\n"
                      "   -1.00 ms   10.00 ms  ├─ a: before  ! starts 1.00 ms before its parent\n"
                      "   +1.00 ms   12.00 ms  ├─ d: longer [server]  ! ends 3.00 ms after its parent\n"
                      "   +2.00 ms   38.00 ms  ├─ a: detached\n"
                      "   +3.00 ms  -500.0 us  ├─ a: backwards  ! ends before it starts\n"
                      "   +4.00 ms     no end  ├─ a: endless\n"
                      "   +8.00 ms    4.00 ms  ├─ c: late [server]  ! clock skew: ends 2.00 ms after its parent\n"
                      "  +20.00 ms   10.00 ms  └─ e: queued [consumer]\n");
}

#define ON(host) "'}},{'key':'host.name','value':{'stringValue':'" host

/* One machine has one clock; and less than a millisecond is no late end. */
static void skew_needs_two_machines(void **state)
{
    struct requests requests = { .traces = { 0 } };

    (void)state;
    add_spans(&requests,
        (const struct span_text[]){ { "a" ON("m"), "root", 1, 0, 0, 10000, 1, NULL }, { "b" ON("m"), "early", 2, 1, -3000, 5000, 2, NULL },
            { "c" ON("m"), "late", 3, 1, 1000, 10900, 2, NULL }, { "d" ON("m"), "later", 4, 1, 8000, 12000, 2, NULL },
            { "e" ON("n"), "elsewhere", 5, 1, 8100, 12000, 2, NULL }, { "f", "somewhere", 6, 1, 8200, 12000, 2, NULL },
            { "g", "near", 7, 1, 8300, 10900, 2, NULL }, { "h" ON("m"), "here", 8, 1, 8400, 12000, 2, NULL },
            { "l" ON("localhost"), "nowhere", 9, 0, 0, 100, 1, NULL }, { "k" ON("localhost"), "unknown", 10, 9, -1, 90, 1, NULL }, { 0 } });
    expect(&requests, "trace " ID "\n"
                      "1970-01-01T00:00:00.997000000Z, 15.00 ms, 10 spans, 0 log records, 10 services: a, b, c, d, e, f, g, h, l, k\n"
                      "! 2 spans have no parent: this trace has several roots\n"
                      "! 3 spans whose times show clock skew\n"
                      "\n"
                      "      +0 ns   10.00 ms  a: root\n"
                      "   -3.00 ms    8.00 ms  ├─ b: early [server]  ! starts 3.00 ms before its parent\n"
                      "   +1.00 ms    9.90 ms  ├─ c: late [server]\n"
                      "   +8.00 ms    4.00 ms  ├─ d: later [server]\n"
                      "   +8.10 ms    3.90 ms  ├─ e: elsewhere [server]  ! clock skew: ends 2.00 ms after its parent\n"
                      "   +8.20 ms    3.80 ms  ├─ f: somewhere [server]  ! clock skew: ends 2.00 ms after its parent\n"
                      "   +8.30 ms    2.60 ms  ├─ g: near [server]\n"
                      "   +8.40 ms    3.60 ms  └─ h: here [server]\n"
                      "      +0 ns   100.0 us  l: nowhere\n"
                      "    -1.0 us    91.0 us  └─ k: unknown  ! clock skew: starts 1.0 us before its parent\n");
}

static void circles_and_namesakes(void **state)
{
    struct requests requests = { .traces = { 0 } };

    (void)state;
    add_spans(&requests, (const struct span_text[]){ { "a", "root", 1, 0, 0, 100, 1, NULL }, { "a", "second root", 2, 0, 50, 100, 1, NULL },
                             { "a", "b of a-b", 4, 3, 20, 30, 1, NULL }, { "a", "a of a-b", 3, 4, 10, 30, 1, NULL },
                             { "a", "own parent", 5, 5, 40, 50, 1, NULL }, { "a", "client", 6, 1, 60, 90, 3, NULL },
                             { "b", "server", 6, 1, 65, 85, 2, NULL }, { "b", "of the server", 7, 6, 70, 80, 1, NULL },
                             { "a", "root", 1, 0, 0, 100, 1, NULL }, /* twice */
                             { 0 } });
    append_log((struct log_text){ "b", 6, 75, "twice" }, &requests.logs);
    append_log((struct log_text){ "b", 6, 75, "twice" }, &requests.logs);
    expect(&requests, "trace " ID "\n"
                      "1970-01-01T00:00:01.000000000Z, 100.0 us, 8 spans, 1 log record, 2 services: a, b\n"
                      "! 2 spans have no parent: this trace has several roots\n"
                      "! 2 circles of parents\n"
                      "! 2 records were there twice and are shown once\n"
                      "\n"
                      "      +0 ns   100.0 us  a: root\n"
                      "   +60.0 us    30.0 us  ├─ a: client [client]  ! another span has the same id\n"
                      "   +65.0 us    20.0 us  └─ b: server [server]  ! another span has the same id\n"
                      "   +70.0 us    10.0 us     └─ b: of the server\n"
                      "   +75.0 us                  · WARN twice {n=7}\n"
                      "   +10.0 us    20.0 us  a: a of a-b  ! its parents lead back to itself\n"
                      "   +20.0 us    10.0 us  └─ a: b of a-b\n"
                      "   +40.0 us    10.0 us  a: own parent  ! its parents lead back to itself\n"
                      "   +50.0 us    50.0 us  a: second root\n");
}

static void many_attributes(void **state)
{
    static const char more[] = "'attributes':[{'key':'a','value':{'intValue':'1'}},{'key':'b','value':{'boolValue':true}},{'key':'c','"
                               "value':{'arrayValue':{'values':["
                               "{'stringValue':'x'}]}}},{'key':'d','value':{'doubleValue':0.5}},{'key':'e','value':{'stringValue':'"
                               "0123456789012345678901234567890123456789012345678901234567890123456789"
                               "'}},{'key':'http.route','value':{'stringValue':'\\u001b[31m'}}]";
    struct requests requests = { .traces = { 0 } };
    struct buffer out = { 0 };

    (void)state;
    for (int all = 0; all < 2; all++) {
        buffer_clear(&out);
        add_spans(&requests, (const struct span_text[]){ { "a", "x", 1, 0, 0, 1, 1, more }, { 0 } });
        show(&requests, (struct trace_style){ false, all == 1 }, &out);
        assert_non_null(strstr(buffer_string(&out), all ? " {http.route=\\x1b[31m, a=1, b=true, c=[\"x\"], d=0.5, "
                                                          "e=0123456789012345678901234567890123456789012345678901234567890123456789}\n"
                                                        : " {http.route=\\x1b[31m, a=1, b=true, c=[\"x\"], 2 more}\n"));
    }
    add_spans(&requests, (const struct span_text[]){ { "a", "x", 1, 0, 0, 1, 1, more }, { 0 } });
    buffer_clear(&out);
    show(&requests, (struct trace_style){ true, false }, &out);
    assert_non_null(strstr(buffer_string(&out), "\x1b[36ma\x1b[0m: \x1b[1mx\x1b[0m"));
    buffer_fini(&out);
}

/* Not twice in a line: what the name says, and what the URL does; words in part are not said. */
static void repeated_attributes(void **state)
{
    static const char more[] =
        "'attributes':[{'key':'server.port','value':{'intValue':'80'}},{'key':'server.address','value':{'stringValue':'h'}},"
        "{'key':'url.full','value':{'stringValue':'http://h/'}},{'key':'http.request.method','value':{'stringValue':'GET'}},"
        "{'key':'service.peer.name','value':{'stringValue':'stock'}},{'key':'http.route','value':{'stringValue':'/stock'}},"
        "{'key':'db.operation.name','value':{'stringValue':'SELECT'}}]";
    static const char *const names[][2] = {
        { "GET /stock", "GET /stock {url.full=http://h/, db.operation.name=SELECT, service.peer.name=stock}\n" },
        { "GET", "GET {http.route=/stock, url.full=http://h/, db.operation.name=SELECT, service.peer.name=stock}\n" },
        { "SELECTED SELECT",
            "SELECTED SELECT {http.request.method=GET, http.route=/stock, url.full=http://h/, service.peer.name=stock}\n" },
    };

    (void)state;
    for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
        struct requests requests = { .traces = { 0 } };
        struct buffer out = { 0 };

        add_spans(&requests, (const struct span_text[]){ { "stock", names[i][0], 1, 0, 0, 1, 1, more }, { 0 } });
        show(&requests, (struct trace_style){ false, false }, &out);
        assert_non_null(strstr(buffer_string(&out), names[i][1]));
        buffer_fini(&out);
    }
}

/* A chain as deep as one likes: no recursion, and the indentation ends somewhere. */
static void deep_chain(void **state)
{
    struct requests requests = { .traces = { 0 } };
    struct buffer out = { 0 };

    (void)state;
    for (unsigned i = 1; i <= 300; i++)
        append_span(&(struct span_text){ "a", "link", i, i - 1, (long)i, 1000, 1, NULL }, &requests.traces);
    show(&requests, (struct trace_style){ false, false }, &out);
    assert_non_null(strstr(buffer_string(&out), "300 spans"));
    assert_non_null(strstr(buffer_string(&out), "(level 299) └─ a: link\n"));
    assert_null(strstr(buffer_string(&out), "(level 300)"));
    buffer_fini(&out);
}

/* ---- the list ---- */

static void the_list(void **state)
{
    struct trace_list list = { .count = 0 };
    struct buffer request = { 0 }, out = { 0 };

    (void)state;
    append_span(&(struct span_text){ "b", "child", 2, 1, 2000, 5000, 2, "'status':{'code':2}" }, &request);
    append_span(&(struct span_text){ "a", "root", 1, 0, 1000, 4000, 2, NULL }, &request);
    trace_list_add(&list, SIGNAL_TRACES, buffer_slice(&request));
    buffer_clear(&request);
    append_log((struct log_text){ "c", 1, 7000, "x" }, &request);
    append_request(SIGNAL_LOGS,
        "{'resourceLogs':[{'scopeLogs':[{'logRecords':[{'body':{'stringValue':'of no trace'}},"
        "{'traceId':'f1000000000000000000000000000000','timeUnixNano':'1'}]}]}]}",
        &request);
    trace_list_add(&list, SIGNAL_LOGS, buffer_slice(&request));
    buffer_clear(&request);
    append_request(SIGNAL_TRACES,
        "{'resourceSpans':[{'scopeSpans':[{'spans':[{'traceId':'f2000000000000000000000000000000','spanId':'0000000000000001',"
        "'parentSpanId':'0000000000000009','name':'late','startTimeUnixNano':'3000000000','endTimeUnixNano':'3000000001'}]}]}]}",
        &request);
    trace_list_add(&list, SIGNAL_TRACES, buffer_slice(&request));
    trace_list_print(&list, &out);
    assert_string_equal(buffer_string(&out),
        "TRACE                             FIRST                  DURATION   SPANS   LOGS ERRORS  ROOT  [SERVICES]\n"
        "f1000000000000000000000000000000  1970-01-01T00:00:00Z       0 ns       0      1      0  (log records only)  [(no "
        "service.name)]\n" ID "  1970-01-01T00:00:01Z    6.00 ms       2      1      1  a: root  [b,a,c]\n"
        "f2000000000000000000000000000000  1970-01-01T00:00:03Z       1 ns       1      0      0  (no root; earliest: (no service.name): "
        "late)  [(no service.name)]\n");
    trace_list_fini(&list);
    buffer_fini(&request);
    buffer_fini(&out);
}

static void many_traces(void **state)
{
    struct trace_list list = { .count = 0 };

    (void)state;
    for (int round = 0; round < 2; round++) {
        for (unsigned i = 0; i < 3000; i++) {
            struct buffer request = { 0 };
            size_t group = pb_open(&request, 1), scope = pb_open(&request, 2), span = pb_open(&request, 2);
            uint8_t id[TRACE_ID_SIZE] = { (uint8_t)i, (uint8_t)(i >> 8), 1 };
            char name[24];

            pb_put_bytes(&request, 1, slice_of(id, sizeof(id)));
            snprintf(name, sizeof(name), "name %u", i % 700);
            pb_put_bytes(&request, 5, slice_of_string(name));
            pb_close(&request, span);
            pb_close(&request, scope);
            pb_close(&request, group);
            trace_list_add(&list, SIGNAL_TRACES, buffer_slice(&request));
            buffer_fini(&request);
        }
    }
    assert_int_equal(list.count, 3000);
    assert_int_equal(list.name_count, 701); /* and the service's */
    for (size_t i = 0; i < list.count; i++)
        assert_int_equal(list.items[i].spans, 2);
    trace_list_fini(&list);
}

/* ---- the command ---- */

static void write_lines(const char *end)
{
    struct requests requests = { .traces = { 0 } };
    struct buffer text = { 0 };

    append_span(&(struct span_text){ "a", "root", 1, 0, 0, 10, 1, NULL }, &requests.traces);
    append_log((struct log_text){ "a", 1, 5, "line" }, &requests.logs);
    json_write_request(SIGNAL_TRACES, buffer_slice(&requests.traces), &text);
    buffer_append_byte(&text, '\n');
    json_write_request(SIGNAL_LOGS, buffer_slice(&requests.logs), &text);
    buffer_append_string(&text, end);
    write_file(path, buffer_slice(&text));
    buffer_fini(&text);
    buffer_fini(&requests.traces);
    buffer_fini(&requests.logs);
}

static void the_command(void **state)
{
    (void)state;
    write_lines("\n");
    assert_int_equal(RUN(command_trace, "trace", path, ID), 0);
    assert_true(said("1 span, 1 log record, 1 service: a\n"));
    assert_true(said("· WARN line {n=7}\n"));
    assert_false(said("\x1b"));
    assert_int_equal(RUN(command_trace, "trace", "--colour", path, "00-" ID "-0000000000000001-01"), 0);
    assert_true(said("\x1b[1mroot"));
    /* the same file twice: everything came twice */
    assert_int_equal(RUN(command_trace, "trace", path, path, ID), 0);
    assert_true(said("! 2 records were there twice"));
    assert_int_equal(RUN(command_trace, "trace", path), 0);
    assert_true(said(ID "  1970-01-01T00:00:01Z"));
    assert_int_equal(RUN(command_trace, "trace", path, "ffffffffffffffffffffffffffffffff"), 1);
    assert_true(complained("no span"));
    write_lines("\n{\"torn\n");
    assert_int_equal(RUN(command_trace, "trace", path, ID), 1);
    assert_true(said("1 span, 1 log record"));
    assert_true(complained("line 3 (byte "));
}

static void wrong_command_lines(void **state)
{
    (void)state;
    write_lines("\n");
    assert_int_equal(RUN(command_trace, "trace"), 2);
    assert_int_equal(RUN(command_trace, "trace", ID), 2);
    assert_int_equal(RUN(command_trace, "trace", path, "0102"), 2);
    assert_true(complained("neither a file nor a trace id"));
    assert_int_equal(RUN(command_trace, "trace", "--nonsense", path, ID), 2);
    assert_int_equal(RUN(command_trace, "trace", "/no/such/file", ID), 1);
    assert_int_equal(RUN(command_trace, "trace", "--help"), 0);
    assert_true(said("usage: weir trace"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(one_transaction),
        cmocka_unit_test(missing_parents),
        cmocka_unit_test(missing_services),
        cmocka_unit_test(skewed_clocks),
        cmocka_unit_test(skew_needs_two_machines),
        cmocka_unit_test(circles_and_namesakes),
        cmocka_unit_test(many_attributes),
        cmocka_unit_test(repeated_attributes),
        cmocka_unit_test(deep_chain),
        cmocka_unit_test(the_list),
        cmocka_unit_test(many_traces),
        cmocka_unit_test(the_command),
        cmocka_unit_test(wrong_command_lines),
    };
    int failed;

    snprintf(path, sizeof(path), "/tmp/weir-trace-test-%d", (int)getpid());
    failed = cmocka_run_group_tests(tests, NULL, NULL);
    unlink(path);
    forget_output();
    return failed;
}
