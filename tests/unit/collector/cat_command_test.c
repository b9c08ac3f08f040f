/*
 * Reading what the file exporter writes, in each of its forms: whole, cut off at every byte, with damage in the middle, appended to after a
 * kill; and the command's output and exit status.
 */
#include "tests/unit/collector/command_output.h"

#include "collector/commands.h"
#include "collector/commands/telemetry_file.h"
#include "collector/net/compress.h"
#include "exporters/file/form.h"

enum { MESSAGES = 4 };

static const struct {
    enum signal signal;
    const char *json;
} messages[MESSAGES] = {
    { SIGNAL_TRACES,
        "{'resourceSpans':[{'resource':{'attributes':[{'key':'service.name','value':{'stringValue':'shop'}}]},'scopeSpans':[{'spans':[{"
        "'traceId':'0102030405060708090a0b0c0d0e0f10','spanId':'0102030405060708','name':'buy','kind':2,'startTimeUnixNano':'1000','"
        "endTimeUnixNano':'2000'}]}]}]}" },
    { SIGNAL_LOGS, "{'resourceLogs':[{'scopeLogs':[{'logRecords':[{'timeUnixNano':'5','severityNumber':9,'body':{'stringValue':'a "
                   "{\\u0022resourceSpans\\u0022 line'}}]}]}]}" },
    /* a name of 16 bytes could be a span's trace id */
    { SIGNAL_METRICS, "{'resourceMetrics':[{'scopeMetrics':[{'metrics':[{'name':'sixteen.bytes...','unit':'s','gauge':{'dataPoints':[{'"
                      "timeUnixNano':'7','asInt':'3'}]}}]}]}]}" },
    { SIGNAL_TRACES, "{'resourceSpans':[{'scopeSpans':[{'spans':[{'traceId':'0102030405060708090a0b0c0d0e0f10','spanId':'1102030405060708',"
                     "'name':'pay','startTimeUnixNano':'1200'}]}]}]}" },
};

static const struct file_form forms[] = { { false, false }, { true, false }, { true, true }, { false, true } };

enum { FORMS = sizeof(forms) / sizeof(forms[0]) };

static char path[64];

struct content {
    struct buffer bytes;
    size_t ends[MESSAGES]; /* where each message ends */
};

static void append_message(const struct file_form *form, size_t number, struct buffer *out)
{
    struct buffer wire = { 0 };
    struct file_message message = { 0 };
    struct slice piece;

    append_request(messages[number].signal, messages[number].json, &wire);
    piece = buffer_slice(&wire);
    assert_true(file_message_build(&message, &(struct file_request){ messages[number].signal, &piece, 1 }, form));
    for (size_t i = 0; i < message.part_count; i++)
        buffer_append_slice(out, message.parts[i]);
    file_message_fini(&message);
    buffer_fini(&wire);
}

static void make_content(const struct file_form *form, struct content *content)
{
    *content = (struct content){ .bytes = { 0 } };
    for (size_t i = 0; i < MESSAGES; i++) {
        append_message(form, i, &content->bytes);
        content->ends[i] = content->bytes.size;
    }
}

/* What came out of a file: which messages, in order, and the faults. */
struct result {
    size_t numbers[64], count, faults;
    uint64_t offsets[64];
    struct error last_fault;
};

static size_t number_of(const struct telemetry_message *message)
{
    for (size_t i = 0; i < MESSAGES; i++) {
        struct buffer wire = { 0 };
        bool equal;

        append_request(messages[i].signal, messages[i].json, &wire);
        equal = message->signal == messages[i].signal && slice_equal(buffer_slice(&wire), message->request);
        buffer_fini(&wire);
        if (equal)
            return i;
    }
    return MESSAGES; /* never went in */
}

static void read_with(const struct telemetry_file_settings *settings, struct result *result)
{
    struct telemetry_file *file = telemetry_file_open(path, settings, NULL);
    struct telemetry_message message;
    struct error err;
    enum telemetry_next next;

    *result = (struct result){ .count = 0 };
    assert_non_null(file);
    while ((next = telemetry_file_next(file, &message, &err)) != TELEMETRY_END) {
        if (next == TELEMETRY_FAULT) {
            assert_true(err.message[0] != '\0');
            assert_true(result->faults++ < 64);
            result->last_fault = err;
            continue;
        }
        assert_true(result->count < 64);
        result->offsets[result->count] = message.offset;
        result->numbers[result->count++] = number_of(&message);
    }
    assert_int_equal(telemetry_file_next(file, &message, &err), TELEMETRY_END);
    telemetry_file_close(file);
}

static void read_content(struct slice bytes, struct result *result)
{
    write_file(path, bytes);
    read_with(&(struct telemetry_file_settings){ .signal_given = false }, result);
}

/* ---- tests ---- */

static void whole_files(void **state)
{
    (void)state;
    for (size_t form = 0; form < FORMS; form++) {
        struct content content;
        struct result result;

        make_content(&forms[form], &content);
        read_content(buffer_slice(&content.bytes), &result);
        assert_int_equal(result.faults, 0);
        assert_int_equal(result.count, MESSAGES);
        for (size_t i = 0; i < MESSAGES; i++) {
            assert_int_equal(result.numbers[i], i);
            assert_int_equal(result.offsets[i], i == 0 ? 0 : content.ends[i - 1]);
        }
        buffer_fini(&content.bytes);
    }
}

static void cut_at_every_byte(void **state)
{
    (void)state;
    for (size_t form = 0; form < FORMS; form++) {
        struct content content;
        struct result result;

        make_content(&forms[form], &content);
        for (size_t size = 0; size < content.bytes.size; size++) {
            size_t whole = 0;
            bool line_without_break = false, boundary = size == 0;

            for (; content.ends[whole] <= size; whole++)
                boundary |= content.ends[whole] == size;
            /* a line that lacks nothing but its break is a message too */
            line_without_break = form == 0 && content.ends[whole] == size + 1;
            read_content(slice_of(content.bytes.data, size), &result);
            assert_int_equal(result.count, whole + line_without_break);
            for (size_t i = 0; i < result.count; i++)
                assert_int_equal(result.numbers[i], i);
            assert_int_equal(result.faults, boundary || line_without_break ? 0 : 1);
        }
        buffer_fini(&content.bytes);
    }
}

/*
 * An exporter that was killed within its first message and appended later: at every byte of the kill. Frames have no checksum: the
 * torn message may take in as many bytes of the next one as it lacks, and be well-formed; what is behind them is found all the same.
 */
static void appended_after_a_kill(void **state)
{
    (void)state;
    for (size_t form = 0; form < FORMS; form++) {
        struct content content;
        struct buffer bytes = { 0 };
        struct result result;

        make_content(&forms[form], &content);
        for (size_t size = 1; size < content.ends[0] - 1; size++) {
            buffer_clear(&bytes);
            buffer_append(&bytes, content.bytes.data, size);
            buffer_append(&bytes, content.bytes.data + content.ends[0], content.bytes.size - content.ends[0]);
            read_content(buffer_slice(&bytes), &result);
            assert_true(result.faults > 0);
            if (form > 0)
                result.numbers[0] = 1;
            assert_int_equal(result.count, MESSAGES - 1);
            for (size_t i = 0; i < result.count; i++)
                assert_int_equal(result.numbers[i], i + 1);
        }
        buffer_fini(&bytes);
        buffer_fini(&content.bytes);
    }
}

/* Bytes that are nothing, between two messages and before the first. */
static void garbage(void **state)
{
    uint8_t noise[300];
    uint32_t random = 1;

    (void)state;
    for (size_t i = 0; i < sizeof(noise); i++) {
        random = random * 1103515245 + 12345;
        noise[i] = (uint8_t)(random >> 16);
    }
    noise[sizeof(noise) - 1] = '\n';
    for (size_t form = 0; form < FORMS; form++) {
        struct content content;

        make_content(&forms[form], &content);
        for (size_t where = 0; where < 2; where++) {
            size_t before = where == 0 ? 0 : content.ends[0];
            struct buffer bytes = { 0 };
            struct result result;

            buffer_append(&bytes, content.bytes.data, before);
            buffer_append(&bytes, noise, sizeof(noise));
            buffer_append(&bytes, content.bytes.data + before, content.bytes.size - before);
            read_content(buffer_slice(&bytes), &result);
            assert_int_equal(result.count, MESSAGES);
            assert_true(result.faults > 0);
            buffer_fini(&bytes);
        }
        buffer_fini(&content.bytes);
    }
}

static void places_are_said(void **state)
{
    struct buffer bytes = { 0 };
    struct result result;

    (void)state;
    append_message(&forms[0], 0, &bytes);
    buffer_append_string(&bytes, "\n  \r\n{\"resourceLogs\": 7}\n");
    append_message(&forms[0], 1, &bytes);
    read_content(buffer_slice(&bytes), &result);
    assert_int_equal(result.count, 2);
    assert_int_equal(result.faults, 1);
    assert_memory_equal(result.last_fault.message, "line 4 (byte ", 13);
    assert_non_null(strstr(result.last_fault.message, "resourceLogs"));
    buffer_fini(&bytes);
}

static void long_lines_are_passed_over(void **state)
{
    struct buffer bytes = { 0 };
    struct result result;

    (void)state;
    append_message(&forms[0], 0, &bytes);
    for (size_t i = 0; i < 3000000; i++)
        buffer_append_byte(&bytes, 'x');
    buffer_append_byte(&bytes, '\n');
    append_message(&forms[0], 1, &bytes);
    write_file(path, buffer_slice(&bytes));
    read_with(&(struct telemetry_file_settings){ .message_max = 1 << 20 }, &result);
    assert_int_equal(result.count, 2);
    assert_int_equal(result.faults, 1);
    assert_non_null(strstr(result.last_fault.message, "longer than 1 MiB"));
    buffer_fini(&bytes);
}

/* A whole file that was compressed, in two frames, and cut off. */
static void compressed_files(void **state)
{
    (void)state;
    for (size_t form = 0; form < 2; form++) {
        struct content content;
        struct buffer bytes = { 0 };
        struct result result;
        struct slice half;

        make_content(&forms[form], &content);
        half = slice_of(content.bytes.data, content.ends[1]);
        assert_true(deflate_parts(CODING_ZSTD, 0, &half, 1, &bytes));
        half = slice_of(content.bytes.data + content.ends[1], content.bytes.size - content.ends[1]);
        assert_true(deflate_parts(CODING_ZSTD, 0, &half, 1, &bytes));
        read_content(buffer_slice(&bytes), &result);
        assert_int_equal(result.count, MESSAGES);
        assert_int_equal(result.faults, 0);
        read_content(slice_of(bytes.data, bytes.size - 5), &result);
        assert_true(result.count >= 2 && result.count < MESSAGES);
        assert_true(result.faults > 0);
        buffer_fini(&bytes);
        buffer_fini(&content.bytes);
    }
}

static void the_command(void **state)
{
    struct content content;
    struct buffer expected = { 0 };

    (void)state;
    make_content(&forms[2], &content);
    write_file(path, buffer_slice(&content.bytes));
    assert_int_equal(RUN(command_cat, "cat", "--json", path), 0);
    for (size_t i = 0; i < MESSAGES; i++)
        append_message(&forms[0], i, &expected);
    assert_string_equal(buffer_string(&command_out), buffer_string(&expected));
    assert_int_equal(RUN(command_cat, "cat", path, "--verbosity", "basic"), 0);
    assert_string_equal(buffer_string(&command_out), "Traces {\"resource spans\": 1, \"spans\": 1}\n"
                                                     "Logs {\"resource logs\": 1, \"log records\": 1}\n"
                                                     "Metrics {\"resource metrics\": 1, \"metrics\": 1, \"data points\": 1}\n"
                                                     "Traces {\"resource spans\": 1, \"spans\": 1}\n");
    assert_int_equal(RUN(command_cat, "cat", path), 0);
    assert_true(said("buy 0102030405060708090a0b0c0d0e0f10 0102030405060708"));
    assert_int_equal(RUN(command_cat, "cat", "--verbosity=detailed", path), 0);
    assert_true(said("service.name: Str(shop)"));
    write_file(path, slice_of(content.bytes.data, content.bytes.size - 1));
    assert_int_equal(RUN(command_cat, "cat", "--json", path), 1);
    assert_true(complained("incomplete"));
    buffer_fini(&expected);
    buffer_fini(&content.bytes);
}

static void a_signal_may_be_given(void **state)
{
    struct buffer bytes = { 0 };
    struct telemetry_file_settings settings = { .signal_given = true, .signal = SIGNAL_LOGS };
    struct result result;

    (void)state;
    append_message(&forms[1], 1, &bytes);
    append_message(&forms[1], 0, &bytes);
    write_file(path, buffer_slice(&bytes));
    read_with(&settings, &result);
    assert_int_equal(result.count, 1);
    assert_int_equal(result.faults, 1);
    assert_int_equal(RUN(command_cat, "cat", "--signal", "logs", path), 1);
    assert_int_equal(RUN(command_cat, "cat", "--signal", "lags", path), 2);
    buffer_fini(&bytes);
}

static void text_is_harmless(void **state)
{
    static const char line[] =
        "{\"resourceLogs\":[{\"scopeLogs\":[{\"logRecords\":[{\"body\":{\"stringValue\":\"red \\u001b[31m \\u009b31m\"}}]}]}]}\n";

    (void)state;
    write_file(path, slice_of_string(line));
    assert_int_equal(RUN(command_cat, "cat", path), 0);
    assert_true(said("red \\x1b[31m \\x9b31m"));
    assert_false(said("\x1b"));
}

static void wrong_command_lines(void **state)
{
    (void)state;
    assert_int_equal(RUN(command_cat, "cat"), 2);
    assert_int_equal(RUN(command_cat, "cat", "--verbosity", "loud", path), 2);
    assert_int_equal(RUN(command_cat, "cat", "--nonsense", path), 2);
    assert_int_equal(RUN(command_cat, "cat", "--json=1", path), 2);
    assert_int_equal(RUN(command_cat, "cat", path, "--verbosity"), 2);
    assert_int_equal(RUN(command_cat, "cat", "--help"), 0);
    assert_true(said("usage: weir cat"));
    assert_int_equal(RUN(command_cat, "cat", "/no/such/file"), 1);
    assert_true(complained("/no/such/file"));
    assert_int_equal(RUN(command_cat, "cat", "/"), 1);
    assert_true(complained("could not read"));
    write_file(path, SLICE("\x1f\x8b\x08\x00"));
    assert_int_equal(RUN(command_cat, "cat", path), 1);
    assert_true(complained("gzip"));
    write_file(path, SLICE(""));
    assert_int_equal(RUN(command_cat, "cat", path), 0);
    assert_int_equal(command_out.size, 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(whole_files),
        cmocka_unit_test(cut_at_every_byte),
        cmocka_unit_test(appended_after_a_kill),
        cmocka_unit_test(garbage),
        cmocka_unit_test(places_are_said),
        cmocka_unit_test(long_lines_are_passed_over),
        cmocka_unit_test(compressed_files),
        cmocka_unit_test(the_command),
        cmocka_unit_test(a_signal_may_be_given),
        cmocka_unit_test(text_is_harmless),
        cmocka_unit_test(wrong_command_lines),
    };
    int failed;

    snprintf(path, sizeof(path), "/tmp/weir-cat-test-%d", (int)getpid());
    failed = cmocka_run_group_tests(tests, NULL, NULL);
    unlink(path);
    forget_output();
    return failed;
}
