/* Zipkin's protobuf from anybody. The first byte: with its highest bit the rest is OTLP, which the writer must survive. */
#include "tests/fuzz/zipkin_checks.h"

static void write_anything(struct slice payload)
{
    enum otlp_fault fault = otlp_check(SIGNAL_TRACES, payload).fault;

    if (fault == OTLP_OK || fault == OTLP_BAD_UTF8)
        zipkin_check_written(payload);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    if (size == 0)
        return 0;
    if (data[0] >= 0x80)
        write_anything(slice_of(data + 1, size - 1));
    else
        zipkin_check_message(ZIPKIN_PROTO, (data[0] & 1) != 0, slice_of(data + 1, size - 1));
    return 0;
}
