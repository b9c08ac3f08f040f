/* Zipkin's Thrift from anybody. */
#include "tests/fuzz/zipkin_checks.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    zipkin_check_message(ZIPKIN_THRIFT, false, slice_of(data, size));
    return 0;
}
