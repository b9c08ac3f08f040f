/* What holds for every message in Zipkin's formats; shared by the fuzz targets. */
#ifndef WEIR_TESTS_FUZZ_ZIPKIN_CHECKS_H
#define WEIR_TESTS_FUZZ_ZIPKIN_CHECKS_H

#include <assert.h>

#include "collector/wire/otlp.h"
#include "collector/wire/zipkin.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* What is written can be read, and has as many spans. */
static inline void zipkin_check_written(struct slice payload)
{
    static const enum zipkin_format formats[] = { ZIPKIN_JSON, ZIPKIN_PROTO };

    for (size_t i = 0; i < 2; i++) {
        struct zipkin_writer writer = { .format = formats[i], .default_service_name = SLICE("nobody") };
        struct zipkin_reading reading = { .format = formats[i] };
        struct buffer message = { 0 }, wire = { 0 };
        zipkin_writer_begin(&writer, &message);
        bool written = zipkin_writer_add(&writer, payload, &message);
        zipkin_writer_end(&writer, &message);
        assert(written);
        bool read = zipkin_read(&reading, buffer_slice(&message), &wire);
        assert(read && reading.spans == writer.spans);
        assert(writer.spans + writer.skipped == otlp_count(SIGNAL_TRACES, payload));
        zipkin_writer_fini(&writer);
        buffer_fini(&message);
        buffer_fini(&wire);
    }
}

static inline void zipkin_check_message(enum zipkin_format format, bool parse_tags, struct slice message)
{
    struct zipkin_reading reading = { .format = format, .parse_string_tags = parse_tags, .now_ns = 1 };
    struct buffer wire = { .limit = message.size * ZIPKIN_MAX_GROWTH + ZIPKIN_EXTRA };

    if (zipkin_read(&reading, message, &wire)) {
        struct otlp_check found = otlp_check(SIGNAL_TRACES, buffer_slice(&wire));
        assert(found.fault == OTLP_OK && found.records == reading.spans);
        zipkin_check_written(buffer_slice(&wire));
    } else {
        assert(!wire.failed && wire.size == 0); /* the limit is never what is in the way */
        assert(reading.message[0] != '\0' && reading.offset <= message.size);
    }
    buffer_fini(&wire);
}

#endif
