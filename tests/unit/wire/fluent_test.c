/* The forward protocol's four modes, acknowledgements, the handshake's texts, and messages that are cut or wrong. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>

#include "collector/wire/fluent.h"

#include <cmocka.h>

#define ENTRY "\x92\xd7\x00\x5e\xf3\xbe\xb9\x00\x00\x00\x07\x82\xa7message\xa2hi\xa1n\x2a"
static const char plain[] = "\x94\xa3tag\xce\x5e\xf3\xbe\xb9\x81\xa3log\xa2hi\x81\xa5"
                            "chunk\xa2id";
static const char forward[] = "\x92\xa3tag\x92" ENTRY ENTRY;
static const char packed[] = "\x93\xa3tag\xc4\x1a" ENTRY "\x82\xa4size\x01\xaa"
                             "compressed\xa4gzip";
static const char metadata[] = "\x92\xa3tag\x91\x92\x92\x05\x80\x81\xa1k\xa1v";

static struct slice bytes_of(const char *text, size_t size)
{
    return slice_of(text, size - 1);
}

/* The request that the message becomes; data NULL: it was refused. */
static struct slice read(struct slice bytes, struct buffer *out)
{
    struct fluent_message message;
    struct otlp_logs logs;

    buffer_clear(out);
    otlp_logs_begin(&logs, out, slice_of(NULL, 0));
    if (!fluent_read_message(bytes, &message) || !fluent_append_records(&message, message.entries, 9, &logs))
        return slice_of(NULL, 0);
    otlp_logs_end(&logs);
    return buffer_slice(out);
}

static struct otlp_log first_log(struct slice request)
{
    struct otlp_walk walk = otlp_walk(request);
    struct otlp_log log = { 0 };

    assert_int_equal(otlp_check(SIGNAL_LOGS, request).fault, OTLP_OK);
    assert_true(otlp_walk_next(&walk));
    otlp_log_view(walk.record.body, &log);
    return log;
}

static void a_record_is_mapped_as_the_collector_does(void **state)
{
    struct buffer out = { 0 };
    struct slice request = read(bytes_of(forward, sizeof(forward)), &out);
    struct otlp_log log = first_log(request);
    struct otlp_value value;

    (void)state;
    assert_int_equal(otlp_count(SIGNAL_LOGS, request), 2);
    assert_int_equal(log.time, 0x5ef3beb9 * UINT64_C(1000000000) + 7);
    assert_int_equal(log.observed_time, 9);
    assert_true(slice_equal_string(otlp_value_of(log.value).bytes, "hi"));
    assert_true(otlp_find_attribute(log.body, OTLP_ATTRIBUTES_OF_LOG, SLICE("n"), &value));
    assert_int_equal(value.integer, 42);
    assert_true(otlp_find_attribute(log.body, OTLP_ATTRIBUTES_OF_LOG, SLICE("fluent.tag"), &value));
    assert_true(slice_equal_string(value.bytes, "tag"));
    buffer_fini(&out);
}

static void modes_and_options_are_told_apart(void **state)
{
    struct fluent_message message;
    struct buffer out = { 0 };

    (void)state;
    assert_true(fluent_read_message(bytes_of(plain, sizeof(plain)), &message));
    assert_int_equal(message.mode, FLUENT_MESSAGE);
    assert_true(slice_equal_string(message.chunk, "id"));
    assert_int_equal(first_log(read(bytes_of(plain, sizeof(plain)), &out)).time, 0x5ef3beb9 * UINT64_C(1000000000));
    assert_true(fluent_read_message(bytes_of(packed, sizeof(packed)), &message));
    assert_int_equal(message.mode, FLUENT_PACKED);
    assert_int_equal(message.compression, FLUENT_GZIP);
    assert_null(message.chunk.data);
    assert_int_equal(otlp_count(SIGNAL_LOGS, read(bytes_of(packed, sizeof(packed)), &out)), 1);
    assert_int_equal(first_log(read(bytes_of(metadata, sizeof(metadata)), &out)).time, UINT64_C(5000000000));
    buffer_fini(&out);
}

static void what_is_cut_is_refused(void **state)
{
    const struct slice whole[] = { bytes_of(plain, sizeof(plain)), bytes_of(forward, sizeof(forward)), bytes_of(packed, sizeof(packed)),
        bytes_of(metadata, sizeof(metadata)) };
    struct buffer out = { 0 };

    (void)state;
    for (size_t i = 0; i < sizeof(whole) / sizeof(whole[0]); i++) {
        for (size_t size = 0; size < whole[i].size; size++) {
            uint8_t *copy = malloc(size > 0 ? size : 1);

            memcpy(copy, whole[i].data, size);
            assert_null(read(slice_of(copy, size), &out).data);
            free(copy);
        }
    }
    buffer_fini(&out);
}

static void what_is_wrong_is_refused(void **state)
{
    static const struct {
        const char *bytes;
        size_t size;
    } cases[] = {
        { "\x95\xa3tag\x05\x80\x80\x80", 8 },     /* five parts */
        { "\x93\xa3tag\xa1x\x80", 8 },            /* packed entries that are no entries */
        { "\x93\x07\x05\x80", 4 },                /* a tag that is a number */
        { "\x93\xa3tag\x05\x90", 7 },             /* a record that is no map */
        { "\x93\xa3tag\xc3\x80", 7 },             /* a time that is true */
        { "\x92\xa3tag\x91\x93\x05\x80\x80", 9 }, /* an entry of three */
        { "\x93\xa3tag\x05\x81\xc0\xc0", 9 },     /* a key that is nil */
    };
    struct buffer out = { 0 };

    (void)state;
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++)
        assert_null(read(slice_of(cases[i].bytes, cases[i].size), &out).data);
    buffer_fini(&out);
}

static void answers_are_messages(void **state)
{
    static const char ping[] = "\x96\xa4PING\xa4host\xa4salt\xa6"
                               "digest\xa4user\xa4pass";
    struct fluent_ping read = { 0 };
    struct buffer out = { 0 };
    struct msgpack_reader reader;

    (void)state;
    fluent_append_ack(SLICE("id"), &out);
    assert_true(slice_equal(buffer_slice(&out), SLICE("\x81\xa3"
                                                      "ack\xa2id")));
    assert_true(fluent_read_ping(bytes_of(ping, sizeof(ping)), &read));
    assert_true(slice_equal_string(read.hostname, "host") && slice_equal_string(read.password, "pass"));
    for (size_t size = 0; size + 1 < sizeof(ping) - 1; size++)
        assert_false(fluent_read_ping(slice_of(ping, size), &read));
    buffer_clear(&out);
    fluent_append_helo(SLICE("0123456789abcdef"), SLICE(""), &out);
    fluent_append_pong(&(struct fluent_pong){ true, SLICE(""), SLICE("host"), SLICE("digest") }, &out);
    reader = msgpack_reader_of(buffer_slice(&out));
    assert_true(msgpack_skip(&reader) && msgpack_skip(&reader));
    assert_ptr_equal(reader.at, reader.end);
    buffer_fini(&out);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_record_is_mapped_as_the_collector_does),
        cmocka_unit_test(modes_and_options_are_told_apart),
        cmocka_unit_test(what_is_cut_is_refused),
        cmocka_unit_test(what_is_wrong_is_refused),
        cmocka_unit_test(answers_are_messages),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
