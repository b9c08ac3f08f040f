/*
 * OTLP/JSON from anybody. What is read must pass the border check; written and read again it must say the same. The first
 * byte chooses the signal; with its highest bit set the rest is wire bytes, which the writer must survive.
 */
#include <assert.h>

#include "collector/wire/json.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void write_then_read(enum signal signal, struct slice payload, struct buffer *text, struct buffer *again)
{
    struct json_error err;

    buffer_clear(text);
    buffer_clear(again);
    json_write_request(signal, payload, text);
    bool is_read = json_read_request(signal, buffer_slice(text), again, &err);
    assert(is_read);
    struct otlp_check check = otlp_check(signal, buffer_slice(again));
    assert(check.fault == OTLP_OK);
}

/* Once written, a request has each key once and in place: writing what was read of that must give the same text and bytes. */
static void check_round_trip(enum signal signal, struct slice payload)
{
    struct buffer text = { 0 }, again = { 0 }, second_text = { 0 }, second = { 0 };

    write_then_read(signal, payload, &text, &again);
    write_then_read(signal, buffer_slice(&again), &second_text, &second);
    assert(slice_equal(buffer_slice(&text), buffer_slice(&second_text)));
    assert(slice_equal(buffer_slice(&again), buffer_slice(&second)));
    buffer_fini(&text);
    buffer_fini(&again);
    buffer_fini(&second_text);
    buffer_fini(&second);
}

static void fuzz_text(enum signal signal, struct slice text)
{
    struct buffer wire = { 0 };
    struct json_error err = { .offset = 0 };

    if (json_read_request(signal, text, &wire, &err)) {
        assert(otlp_check(signal, buffer_slice(&wire)).fault == OTLP_OK);
        check_round_trip(signal, buffer_slice(&wire));
    } else {
        assert(wire.size == 0 && err.offset <= text.size);
        assert(memchr(err.message, '\0', sizeof(err.message)) != NULL && err.message[0] != '\0');
    }
    buffer_fini(&wire);
}

static void fuzz_wire(enum signal signal, struct slice payload)
{
    struct buffer text = { 0 };

    json_write_request(signal, payload, &text);
    buffer_clear(&text);
    json_write_value(payload, &text);
    json_write_attributes(payload, OTLP_ATTRIBUTES_OF_MAP, &text);
    buffer_fini(&text);
    enum otlp_fault fault = otlp_check(signal, payload).fault;
    if (fault == OTLP_OK || fault == OTLP_BAD_UTF8)
        check_round_trip(signal, payload);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    if (size == 0)
        return 0;
    enum signal signal = (enum signal)((data[0] & 0x7f) % SIGNAL_COUNT);
    if (data[0] < 0x80)
        fuzz_text(signal, slice_of(data + 1, size - 1));
    else
        fuzz_wire(signal, slice_of(data + 1, size - 1));
    return 0;
}
