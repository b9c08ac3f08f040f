/* Kafka messages: the first byte chooses signal, encoding and whether headers become attributes. What is decoded has to be OTLP. */
#include <assert.h>

#include "collector/wire/otlp.h"
#include "receivers/kafka/decode.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static const char *const encodings[] = { "otlp_proto", "otlp_json", "raw", "text", "text_shift_jis", "text_utf-16", "json" };
enum { OTLP_ENCODINGS = 2, ENCODINGS = sizeof(encodings) / sizeof(encodings[0]) };

static void check_decoded(const struct kafka_decode *decode)
{
    struct otlp_check found;

    if (decode->payload == NULL)
        return;
    found = otlp_check(decode->format->signal, payload_slice(decode->payload));
    assert(found.fault == OTLP_OK);
    assert(found.records == decode->records);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static struct kafka_decoder decoder;
    struct kafka_extra extra = { "kafka.header.tenant", { data, size < 8 ? size : 8 } };
    struct kafka_decode decode = { .now_ns = 1 };
    struct kafka_format format;
    struct error err = { "" };
    const char *encoding;
    enum signal signal;

    if (size == 0)
        return 0;
    encoding = encodings[data[0] / SIGNAL_COUNT % ENCODINGS];
    signal = data[0] / SIGNAL_COUNT % ENCODINGS < OTLP_ENCODINGS ? (enum signal)(data[0] % SIGNAL_COUNT) : SIGNAL_LOGS;
    if (!kafka_format_init(&format, signal, encoding, &err))
        return 0;
    decode.format = &format;
    decode.message = slice_of(data + 1, size - 1);
    decode.extras = &extra;
    decode.extra_count = data[0] >= 128;
    if (kafka_decode(&decoder, &decode) == KAFKA_DECODED)
        check_decoded(&decode);
    payload_unref(decode.payload);
    kafka_format_fini(&format);
    return 0;
}
