/*
 * Zipkin's JSON from anybody. What is read must pass the border check, and be written as Zipkin's so that it can be read again. The first
 * byte says the version, and whether tags become numbers.
 */
#include "tests/fuzz/zipkin_checks.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    if (size == 0)
        return 0;
    zipkin_check_message((data[0] & 1) != 0 ? ZIPKIN_JSON_V1 : ZIPKIN_JSON, (data[0] & 2) != 0, slice_of(data + 1, size - 1));
    return 0;
}
