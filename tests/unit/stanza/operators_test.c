/* Each operator, by what it makes of a line: operators as YAML, the line, the record as text. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include "collector/config/reader.h"
#include "collector/stanza/operator.h"
#include "collector/wire/json.h"

#include <cmocka.h>

struct run {
    struct arena arena;
    struct config_errors errors;
    struct stanza_pipeline *pipeline;
    struct stanza_memory memory;
    struct buffer out;
    struct error err;
};

/* body; attributes; and of the rest what is there, one record a line */
static void write_record(void *context, struct stanza_record *record)
{
    struct run *run = context;
    struct stanza_value attributes = { .kind = STANZA_MAP, .map = &record->attributes },
                        resource = { .kind = STANZA_MAP, .map = &record->resource };

    stanza_value_text(&record->body, &run->out);
    buffer_append_byte(&run->out, ' ');
    stanza_value_text(&attributes, &run->out);
    if (record->resource.count > 0) {
        buffer_append_string(&run->out, " resource=");
        stanza_value_text(&resource, &run->out);
    }
    if (record->time_ns != 0)
        buffer_printf(&run->out, " time=%llu", (unsigned long long)record->time_ns);
    if (record->severity != 0 || record->severity_text.size > 0)
        buffer_printf(&run->out, " severity=%u/%.*s", record->severity, SLICE_PRINT(record->severity_text));
    if (record->scope.size > 0)
        buffer_printf(&run->out, " scope=%.*s", SLICE_PRINT(record->scope));
    if (record->trace_id.size > 0)
        buffer_printf(&run->out, " trace=%02x..%02x/%zu/%u", record->trace_id.data[0], record->trace_id.data[15], record->span_id.size,
            record->trace_flags);
    buffer_append_byte(&run->out, '\n');
}

static void write_event(void *context, enum stanza_event event, const char *id, const char *text)
{
    struct run *run = context;

    buffer_printf(
        &run->out, "[%s %s: %s]", event == STANZA_EVENT_DROPPED ? "dropped by" : "error of", id, event == STANZA_EVENT_DROPPED ? "" : text);
}

static void begin(struct run *run, const char *operators)
{
    struct config_reading reading = { &run->arena, &run->errors, CONFIG_NODES_MAX, 1 << 20 };
    struct config_text text = { slice_of_string(operators), "test", NULL, false };
    struct stanza_sink sink = { write_record, write_event, run };

    *run = (struct run){ .errors = { .arena = &run->arena } };
    run->pipeline = stanza_pipeline_create(config_read_yaml(&reading, &text), &run->err);
    if (run->pipeline != NULL)
        stanza_pipeline_set_sink(run->pipeline, &sink);
}

static void end(struct run *run)
{
    stanza_pipeline_destroy(run->pipeline);
    stanza_memory_fini(&run->memory);
    buffer_fini(&run->out);
    arena_fini(&run->arena);
}

static void feed(struct run *run, const char *line)
{
    struct slice copy =
        slice_of(slice_dup_string(slice_of_string(line)), strlen(line)); /* its own block, so that reading beyond it shows */
    struct stanza_record record = { .memory = &run->memory, .body = stanza_string(copy), .observed_ns = 1763705228000000000 };

    stanza_memory_reset(&run->memory);
    stanza_map_set(&run->memory, &record.attributes, SLICE("log.file.path"), stanza_string(SLICE("/a_b_c0/d/1.log")));
    stanza_pipeline_process(run->pipeline, &record);
    free((void *)(uintptr_t)copy.data);
}

struct row {
    const char *operators, *line, *expected;
};

static void check(const struct row *row)
{
    static const char path[] = "{\"log.file.path\":\"/a_b_c0/d/1.log\"";
    struct run run;
    const char *at;

    begin(&run, row->operators);
    if (run.pipeline == NULL)
        fail_msg("%s: %s", row->operators, run.err.message);
    for (at = row->line; at != NULL; at = strchr(at, '\n') != NULL ? strchr(at, '\n') + 1 : NULL) {
        char *line = slice_dup_string(slice_of(at, strcspn(at, "\n")));
        feed(&run, line);
        free(line);
    }
    stanza_pipeline_flush(run.pipeline, 1, true);
    char *text = strdup(buffer_string(&run.out)), *found;
    while ((found = strstr(text, path)) != NULL) { /* of no interest */
        size_t size = sizeof(path) - 1 + (found[sizeof(path) - 1] == ',');
        memmove(found + 1, found + size, strlen(found + size) + 1);
    }
    if (strcmp(text, row->expected) != 0)
        fail_msg("%s\n%s\nexpected: %s\ngot:      %s", row->operators, row->line, row->expected, text);
    free(text);
    end(&run);
}

#define OPERATOR(text) "[{" text "}]"

static void test_parsers(void **state)
{
    static const struct row rows[] = {
        { "[]", "plain", "plain {}\n" },
        { OPERATOR("type: regex_parser, regex: '^(?P<a>\\w+) (?P<b>\\w*)( (?P<c>x))?$'"), "one two",
            "one two {\"a\":\"one\",\"b\":\"two\",\"c\":\"\"}\n" },
        { OPERATOR("type: regex_parser, regex: '^(?P<a>\\d+)$', on_error: drop"), "x",
            "[error of regex_parser: the pattern does not match][dropped by regex_parser: ]" },
        { OPERATOR("type: regex_parser, id: r, regex: '^(?P<a>\\d+)$'"), "x", "[error of r: the pattern does not match]x {}\n" },
        { OPERATOR("type: json_parser"), "{\"a\":1,\"b\":[true,null,\"x\\u00e9\"],\"c\":{\"d\":2.5}}",
            "{\"a\":1,\"b\":[true,null,\"x\\u00e9\"],\"c\":{\"d\":2.5}} {\"a\":1,\"b\":[true,null,\"x\xc3\xa9\"],\"c\":{\"d\":2.5}}\n" },
        { OPERATOR("type: json_parser, parse_to: body, if: 'body startsWith \"{\"'"), "no", "no {}\n" },
        { OPERATOR("type: json_parser, parse_to: 'attributes[\"x.y\"].z', body: 'attributes[\"x.y\"].z.m'"), "{\"m\":\"text\"}",
            "text {\"x.y\":{\"z\":{\"m\":\"text\"}}}\n" },
        { OPERATOR("type: json_array_parser, header: 'a,b'"), "[1,\"x\"]", "{\"a\":1,\"b\":\"x\"} {}\n" },
        { OPERATOR("type: csv_parser, header: 'a,b,c'"), "1,\"x,\"\"y\"\"\",",
            "1,\"x,\"\"y\"\"\", {\"a\":\"1\",\"b\":\"x,\\\"y\\\"\",\"c\":\"\"}\n" },
        { OPERATOR("type: csv_parser, header: 'a,b'"), "1,2,3",
            "[error of csv_parser: not as many columns as the header has names]1,2,3 {}\n" },
        { OPERATOR("type: csv_parser, header: 'a,b'"), "1", "[error of csv_parser: not as many columns as the header has names]1 {}\n" },
        { OPERATOR("type: csv_parser, header: 'a|b', delimiter: '|', ignore_quotes: true"), "\"1|2\"",
            "\"1|2\" {\"a\":\"\\\"1\",\"b\":\"2\\\"\"}\n" },
        { OPERATOR("type: key_value_parser"), "a=1  b=\"x y\" c='='", "a=1  b=\"x y\" c='=' {\"a\":\"1\",\"b\":\"x y\",\"c\":\"=\"}\n" },
        { OPERATOR("type: key_value_parser, delimiter: ':', pair_delimiter: ';'"), "a:1; b:2", "a:1; b:2 {\"a\":\"1\",\"b\":\"2\"}\n" },
        { OPERATOR("type: key_value_parser"), "a=1 b", "[error of key_value_parser: \"b\" has no \"=\"]a=1 b {}\n" },
        { OPERATOR("type: uri_parser, parse_to: body"), "https://u:p@[::1]:80/a%20b?x=1&x=2&y=%2B#f",
            "{\"scheme\":\"https\",\"user\":\"u\",\"host\":\"::1\",\"port\":\"80\",\"path\":\"/a "
            "b\",\"query\":{\"x\":[\"1\",\"2\"],\"y\":[\"+\"]}} {}\n" },
        { OPERATOR("type: uri_parser, parse_to: body"), "/x?y", "{\"path\":\"/x\",\"query\":{\"y\":[\"\"]}} {}\n" },
    };

    (void)state;
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++)
        check(&rows[i]);
}

static void test_blocks(void **state)
{
    static const struct row rows[] = {
        { OPERATOR("type: time_parser, parse_from: body, layout: '%Y-%m-%dT%H:%M:%S.%LZ'"), "2026-11-21T06:07:08.123Z",
            "2026-11-21T06:07:08.123Z {} time=1795241228123000000\n" },
        { OPERATOR("type: time_parser, parse_from: body, layout_type: gotime, layout: '02/Jan/2006:15:04:05 -0700'"),
            "21/Nov/2026:06:07:08 +0100", "21/Nov/2026:06:07:08 +0100 {} time=1795237628000000000\n" },
        { OPERATOR("type: time_parser, parse_from: body, layout_type: gotime, layout: '2006-01-02T15:04:05.000000Z07:00'"),
            "2026-11-21T06:07:08.123456Z", "2026-11-21T06:07:08.123456Z {} time=1795241228123456000\n" },
        { OPERATOR("type: time_parser, parse_from: body, layout: '%Y-%m-%d %H:%M:%S', location: America/New_York"), "2026-07-01 12:00:00",
            "2026-07-01 12:00:00 {} time=1782921600000000000\n" },
        { OPERATOR("type: time_parser, parse_from: body, layout: '%b %d %H:%M:%S', location: UTC"), "Nov 20 06:07:08",
            "Nov 20 06:07:08 {} time=1763618828000000000\n" },
        { OPERATOR("type: time_parser, parse_from: body, layout: '%b %d %H:%M:%S', location: UTC"), "Dec 31 06:07:08",
            "Dec 31 06:07:08 {} time=1735625228000000000\n" },
        { OPERATOR("type: time_parser, parse_from: body, layout_type: epoch, layout: s.ns"), "1795241228.123456789",
            "1795241228.123456789 {} time=1795241228123456789\n" },
        { OPERATOR("type: time_parser, parse_from: body, layout_type: epoch, layout: ms"), "1795241228123",
            "1795241228123 {} time=1795241228123000000\n" },
        { OPERATOR("type: time_parser, parse_from: body, layout: '%s', on_error: drop_quiet"), "x",
            "[error of time_parser: time \"x\": expected a number][dropped by time_parser: ]" },
        { OPERATOR("type: severity_parser, parse_from: body"), "Warning", "Warning {} severity=13/Warning\n" },
        { OPERATOR("type: severity_parser, parse_from: body, overwrite_text: true"), "err", "err {} severity=17/ERROR\n" },
        { OPERATOR("type: severity_parser, parse_from: body, mapping: {error: [5xx, oops], warn2: 404, info: {min: 200, max: 299}}"), "503",
            "503 {} severity=17/503\n" },
        { OPERATOR("type: severity_parser, parse_from: body, mapping: {error: [5xx, oops], warn2: 404, info: {min: 200, max: 299}}"), "404",
            "404 {} severity=14/404\n" },
        { OPERATOR("type: severity_parser, parse_from: body, mapping: {error: 5xx, info: {min: 200, max: 299}}"), "204",
            "204 {} severity=9/204\n" },
        { OPERATOR("type: json_parser, parse_to: body, trace: {trace_id: {parse_from: body.t}, span_id: {parse_from: body.s}, trace_flags: "
                   "{parse_from: body.f}}"),
            "{\"t\":\"0af7651916cd43dd8448eb211c80319c\",\"s\":\"b7ad6b7169203331\",\"f\":\"01\"}",
            "{\"t\":\"0af7651916cd43dd8448eb211c80319c\",\"s\":\"b7ad6b7169203331\",\"f\":\"01\"} {} trace=0a..9c/8/1\n" },
        { OPERATOR("type: trace_parser, trace_id: {parse_from: body}"), "zz",
            "[error of trace_parser: \"body\" is not of 32 hexadecimal digits]zz {}\n" },
        { OPERATOR("type: regex_parser, regex: '^(?P<l>\\w+) (?P<s>\\w+)$', severity: {parse_from: attributes.l}, scope_name: {parse_from: "
                   "attributes.s}"),
            "info net", "info net {\"l\":\"info\",\"s\":\"net\"} severity=9/info scope=net\n" },
    };

    (void)state;
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++)
        check(&rows[i]);
}

static void test_syslog(void **state)
{
    static const struct row rows[] = {
        { OPERATOR("type: syslog_parser, protocol: rfc3164, parse_to: body"), "<34>Nov 20 06:07:08 host su[12]: failed",
            "{\"priority\":34,\"facility\":4,\"hostname\":\"host\",\"proc_id\":\"12\",\"appname\":\"su\",\"message\":\"failed\"} {} "
            "time=1763618828000000000 severity=18/crit\n" },
        { OPERATOR("type: syslog_parser, protocol: rfc5424, parse_to: body"),
            "<165>1 2026-11-21T06:07:08.123Z host app - ID47 [a@1 x=\"1\\\"\" y=\"\"][b] \xef\xbb\xbftext",
            "{\"priority\":165,\"facility\":20,\"version\":1,\"hostname\":\"host\",\"appname\":\"app\",\"msg_id\":\"ID47\","
            "\"structured_data\":{\"a@1\":{\"x\":\"1\\\"\",\"y\":\"\"},\"b\":{}},\"message\":\"text\"} {} time=1795241228123000000 "
            "severity=10/notice\n" },
        { OPERATOR("type: syslog_parser, protocol: rfc5424, parse_to: body, enable_octet_counting: true"), "20 <165>1 - h a - - - xyz",
            "{\"priority\":165,\"facility\":20,\"version\":1,\"hostname\":\"h\",\"appname\":\"a\",\"message\":\"x\"} {} "
            "severity=10/notice\n" },
        { OPERATOR("type: syslog_parser, protocol: rfc3164, parse_to: body, allow_skip_pri_header: true"), "Nov 20 06:07:08 host text only",
            "{\"hostname\":\"host\",\"message\":\"text only\"} {} time=1763618828000000000\n" },
        { OPERATOR("type: syslog_parser, protocol: rfc5424"), "<165>1 nonsense",
            "[error of syslog_parser: expected a time (RFC 3339), before this at \"\"]<165>1 nonsense {}\n" },
        { OPERATOR("type: syslog_parser, protocol: rfc5424"), "<192>1 - - - - - -",
            "[error of syslog_parser: expected a priority of 0 to 191 at \">1 - - - - - -\"]<192>1 - - - - - - {}\n" },
    };

    (void)state;
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++)
        check(&rows[i]);
}

static void test_container(void **state)
{
#define POD                                                                                                                                \
    " resource={\"k8s.container.name\":\"d\",\"k8s.namespace.name\":\"a\",\"k8s.pod.name\":\"b\",\"k8s.pod.uid\":\"c0\",\"k8s.container."  \
    "restart_count\":\"1\"}"
    static const struct row rows[] = {
        { OPERATOR("type: container"), "{\"log\":\"line\\n\",\"stream\":\"stderr\",\"time\":\"2026-11-21T06:07:08.123Z\",\"extra\":1}",
            "line {\"log.iostream\":\"stderr\",\"extra\":1}" POD " time=1795241228123000000\n" },
        { OPERATOR("type: container, add_metadata_from_filepath: false"),
            "2026-11-21T06:07:08.123Z stdout P one \n2026-11-21T06:07:09+01:00 stdout F two\n2026-11-21T06:07:08Z stderr F",
            "one two {\"log.iostream\":\"stdout\",\"logtag\":\"P\"} time=1795241228123000000\n "
            "{\"log.iostream\":\"stderr\",\"logtag\":\"F\"} time=1795241228000000000\n" },
        { OPERATOR("type: container, format: docker"), "2026-11-21T06:07:08Z stdout F x",
            "[error of container: not a line of Docker: text behind the value]2026-11-21T06:07:08Z stdout F x {}\n" },
        { OPERATOR("type: container, add_metadata_from_filepath: false, on_error: drop"), "{\"log\":1}",
            "[error of container: not a line of Docker: expected log, stream and time as strings][dropped by container: ]" },
    };

    (void)state;
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++)
        check(&rows[i]);
}

static void test_transformers(void **state)
{
#define JSON "{type: json_parser, parse_to: body, parse_ints: true}, "
    static const struct row rows[] = {
        { "[" JSON "{type: move, from: body.a, to: attributes.b}]", "{\"a\":{\"c\":1},\"d\":2}", "{\"d\":2} {\"b\":{\"c\":1}}\n" },
        { "[" JSON "{type: move, from: body.a, to: body}]", "{\"a\":\"x\",\"d\":2}", "x {}\n" },
        { "[" JSON "{type: copy, from: body.a, to: body.e.f}, {type: add, field: body.a.z, value: 1}]", "{\"a\":{\"c\":1}}",
            "{\"a\":{\"c\":1,\"z\":1},\"e\":{\"f\":{\"c\":1}}} {}\n" },
        { "[" JSON "{type: move, from: body.x, to: body.y}]", "{\"a\":1}",
            "[error of move: there is no \"body.x\" to move]{\"a\":1} {}\n" },
        { "[{type: add, field: attributes.n, value: [1, {x: 'y'}, true]}]", "l", "l {\"n\":[1,{\"x\":\"y\"},true]}\n" },
        { "[{type: add, field: resource.n, value: 'EXPR(body + \"-\" + string(len(body)))'}]", "lin",
            "lin {} resource={\"n\":\"lin-3\"}\n" },
        { "[" JSON "{type: remove, field: body.a}]", "{\"a\":1,\"b\":2}", "{\"b\":2} {}\n" },
        { "[{type: remove, field: attributes}]", "l", "l {}\n" },
        { "[" JSON "{type: retain, fields: [body.a.b, body.c]}]", "{\"a\":{\"b\":1,\"x\":2},\"c\":3,\"d\":4}",
            "{\"a\":{\"b\":1},\"c\":3} {}\n" },
        { "[" JSON "{type: flatten, field: body.a}]", "{\"a\":{\"b\":1,\"c\":{\"d\":2}},\"e\":3}",
            "{\"e\":3,\"b\":1,\"c\":{\"d\":2}} {}\n" },
        { "[" JSON "{type: assign_keys, field: body.a, keys: [x, y]}]", "{\"a\":[1,\"z\"]}", "{\"a\":{\"x\":1,\"y\":\"z\"}} {}\n" },
        { "[{type: unquote, field: body}]", "\"a\\tb\\u00e9\\x41\"",
            "a\tb\xc3\xa9"
            "A {}\n" },
        { "[{type: unquote, field: body}]", "\"a\\q\"", "[error of unquote: \"body\" has an escape that is not known]\"a\\q\" {}\n" },
        { "[{type: regex_replace, field: body, regex: '(\\w)(\\d)', replace_with: '$2$1'}]", "a1 b2 cc", "1a 2b cc {}\n" },
        { "[{type: regex_replace, field: body, regex_name: ansi_control_sequences}]", "\x1b[31mred\x1b[0m", "red {}\n" },
        { "[{type: regex_replace, field: body, regex: 'x*', replace_with: '-'}]", "ab", "-a-b- {}\n" },
        { "[{type: noop}]", "l", "l {}\n" },
        { "[{type: filter, expr: 'body contains \"drop\"'}]", "drop me\nkeep me", "keep me {}\n" },
        { "[{type: router, routes: [{expr: 'body == \"a\"', output: [x], attributes: {k: v}}, {expr: 'body == \"b\"', output: y}], "
          "default: y},"
          "{type: add, id: x, field: attributes.x, value: 1, output: [y]}, {type: add, id: y, field: attributes.y, value: 2}]",
            "a\nb\nc", "a {\"k\":\"v\",\"x\":1,\"y\":2}\nb {\"y\":2}\nc {\"y\":2}\n" },
        { "[{type: noop, output: [x, y]}, {type: add, id: x, field: attributes.x, value: 1, output: z}, {type: add, id: y, field: "
          "attributes.y, value: 2}, {type: noop, id: z}]",
            "a", "a {\"x\":1}\na {\"y\":2}\n" },
        { "[{type: recombine, combine_field: body, is_first_entry: 'body matches \"^[^ ]\"'}]", "one\n two\n three\nfour",
            "one\n two\n three {}\nfour {}\n" },
        { "[{type: recombine, combine_field: body, combine_with: '', is_last_entry: 'body endsWith \".\"', overwrite_with: newest}]",
            "a\nb.\nc.\nd", "ab. {}\nc. {}\nd {}\n" },
        { "[{type: recombine, combine_field: body, is_last_entry: 'body == \"x\"', max_unmatched_batch_size: 2}]", "a\nb\nc",
            "a\nb {}\nc {}\n" },
    };

    (void)state;
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++)
        check(&rows[i]);
}

static void test_expressions(void **state)
{
    static const struct {
        const char *text, *expected;
    } rows[] = {
        { "1 + 2 * 3", "7" },
        { "(1 + 2) * 3 - -1", "10" },
        { "7 / 2", "3.5" },
        { "7 % 4", "3" },
        { "body.level == 'warn' && body.code >= 500", "true" },
        { "body.level in ['info', 'warn'] and not (body.code < 500)", "true" },
        { "body.level not in ['info']", "true" },
        { "'level' in body", "true" },
        { "body[\"level\"] matches '^w'", "true" },
        { "body.missing matches '^w' || body.missing == nil", "true" },
        { "body.missing ?? 'none'", "none" },
        { "body?.missing?.more", "" },
        { "body.code > 400 ? 'bad' : 'good'", "bad" },
        { "body.list[1] + body.list[-1]", "5" },
        { "upper(trim('  a ')) + lower('B') + string(int('12'))", "Ab12" },
        { "split('a,b', ',')[1]", "b" },
        { "replace('aXbX', 'X', '-')", "a-b-" },
        { "attributes[\"log.file.path\"]", "/a_b_c0/d/1.log" },
        { "type(body) + type(1) + type(nil)", "mapintnil" },
        { "!(true == false)", "true" },
        { "hasPrefix('abc', 'ab') && hasSuffix('abc', 'bc') && indexOf('abc', 'c') == 2", "true" },
        { "env('WEIR_NOT_THERE') == ''", "true" },
    };
    static const char *const refused[] = { "", "body ==", "any(body, {# > 1})", "let x = 1; x", "body | upper", "unknown",
        "body matches body", "1..3", "foo(1)", "'open", "body[1:2]", "len()", "((1)", "1 2" };
    struct run run;

    (void)state;
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        char operators[512];
        begin(&run, "[]");
        end(&run);
        char quoted[300];
        size_t size = 0;
        for (const char *at = rows[i].text; *at != '\0'; at++) {
            if (*at == '\'')
                quoted[size++] = '\'';
            quoted[size++] = *at;
        }
        quoted[size] = '\0';
        snprintf(operators, sizeof(operators),
            "[{type: json_parser, parse_to: body, parse_ints: true}, {type: add, field: body, value: 'EXPR(%s)'}]", quoted);
        char expected[100];
        snprintf(expected, sizeof(expected), "%s {}\n", rows[i].expected);
        struct row row = { operators, "{\"level\":\"warn\",\"code\":503,\"list\":[1,2,3]}", expected };
        check(&row);
    }
    for (size_t i = 0; i < sizeof(refused) / sizeof(refused[0]); i++) {
        struct arena arena = { 0 };
        struct error err = { "" };
        assert_null(stanza_expression_create(&arena, refused[i], &err));
        assert_string_not_equal(err.message, "");
        arena_fini(&arena);
    }
}

static void test_refused_settings(void **state)
{
    static const struct {
        const char *operators, *word;
    } rows[] = {
        { "{}", "expected a list" },
        { "[{}]", "with its type" },
        { "[{type: regexparser}]", "there is no operator \"regexparser\"" },
        { "[{type: regex_parser}]", "regex" },
        { "[{type: regex_parser, regex: '(a)'}]", "there is no named group" },
        { "[{type: regex_parser, regex: '(?P<a>'}]", "regular expression" },
        { "[{type: regex_parser, regex: '(?P<a>x)', pares_to: body}]", "did you mean \"parse_to\"" },
        { "[{type: noop, output: x}]", "no operator with the id \"x\"" },
        { "[{type: noop, id: x, output: y}, {type: noop, id: y, output: x}]", "comes after itself" },
        { "[{type: router, id: x, routes: [{expr: 'true', output: x}]}]", "comes after itself" },
        { "[{type: noop, id: x}, {type: noop, id: x}]", "two operators have the id \"x\"" },
        { "[{type: move, from: bod, to: body}]", "begin with body, attributes or resource" },
        { "[{type: move, from: 'body[x]', to: body}]", "quoted key" },
        { "[{type: noop, if: 'body =='}]", "expected a value" },
        { "[{type: time_parser, parse_from: body}]", "layout" },
        { "[{type: time_parser, parse_from: body, layout: '%Q'}]", "is not known" },
        { "[{type: time_parser, parse_from: body, layout: '%Y', location: Mars/Olympus}]", "Mars/Olympus" },
        { "[{type: severity_parser, parse_from: body, mapping: {bad: x}}]", "is no severity" },
        { "[{type: recombine, combine_field: body}]", "is_first_entry" },
        { "[{type: csv_parser}]", "header" },
    };
    struct run run;

    (void)state;
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        begin(&run, rows[i].operators);
        if (run.pipeline != NULL || strstr(run.err.message, rows[i].word) == NULL)
            fail_msg("%s: expected \"%s\", got \"%s\"", rows[i].operators, rows[i].word, run.err.message);
        end(&run);
    }
}

/* Every operator over every beginning of a line that it can read: nothing is read beyond it, nothing is lost. */
static void test_cut_everywhere(void **state)
{
    static const struct {
        const char *operators, *line;
    } rows[] = {
        { OPERATOR("type: json_parser"), "{\"a\":[1,{\"b\":\"x\\n\\u0041\"}],\"c\":-1.5e3,\"d\":null}" },
        { OPERATOR("type: csv_parser, header: 'a,b'"), "\"x\"\"y\",z" },
        { OPERATOR("type: key_value_parser"), "a=\"1 2\" b='3'" },
        { OPERATOR("type: uri_parser"), "https://user:pw@host:80/p%20q?x=%41&y" },
        { OPERATOR("type: syslog_parser, protocol: rfc3164"), "<34>Nov 20 06:07:08 host su[12]: failed" },
        { OPERATOR("type: syslog_parser, protocol: rfc5424"), "<165>1 2026-11-21T06:07:08.123Z host app - ID47 [a@1 x=\"1\\\"\"] text" },
        { OPERATOR("type: container"), "2026-11-21T06:07:08.123Z stdout P one" },
        { OPERATOR("type: container"), "{\"log\":\"x\\n\",\"stream\":\"stdout\",\"time\":\"2026-11-21T06:07:08.123Z\"}" },
        { OPERATOR("type: unquote, field: body"), "\"a\\t\\u00e9\\U0001F600\"" },
    };
    struct run run;

    (void)state;
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        begin(&run, rows[i].operators);
        for (size_t size = 0; size <= strlen(rows[i].line); size++) {
            char *line = slice_dup_string(slice_of(rows[i].line, size));
            buffer_clear(&run.out);
            feed(&run, line);
            stanza_pipeline_flush(run.pipeline, 1, true);
            assert_non_null(memchr(run.out.data, '\n', run.out.size)); /* sent, with or without an error */
            free(line);
        }
        end(&run);
    }
}

static void test_held(void **state)
{
    struct run run;
    struct stanza_record record = { .origin = 70 };

    (void)state;
    begin(&run, OPERATOR("type: recombine, combine_field: body, is_last_entry: 'body == \"z\"', force_flush_period: 1s"));
    record.memory = &run.memory;
    record.body = stanza_string(SLICE("a"));
    record.source = &run;
    assert_true(stanza_pipeline_holds(run.pipeline));
    stanza_pipeline_flush(run.pipeline, 5, false);
    stanza_pipeline_process(run.pipeline, &record);
    record.origin = 90;
    stanza_pipeline_process(run.pipeline, &record);
    assert_int_equal(stanza_pipeline_held(run.pipeline, &run), 70);
    assert_true(stanza_pipeline_held(run.pipeline, &record) == UINT64_MAX);
    stanza_pipeline_flush(run.pipeline, 999999999, false);
    assert_int_equal(run.out.size, 0);
    stanza_pipeline_flush(run.pipeline, 1000000005, false);
    assert_string_equal(buffer_string(&run.out), "a\na {}\n");
    assert_true(stanza_pipeline_held(run.pipeline, &run) == UINT64_MAX);
    end(&run);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_parsers),
        cmocka_unit_test(test_blocks),
        cmocka_unit_test(test_syslog),
        cmocka_unit_test(test_container),
        cmocka_unit_test(test_transformers),
        cmocka_unit_test(test_expressions),
        cmocka_unit_test(test_refused_settings),
        cmocka_unit_test(test_cut_everywhere),
        cmocka_unit_test(test_held),
    };

    setenv("TZ", "UTC", 1);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
