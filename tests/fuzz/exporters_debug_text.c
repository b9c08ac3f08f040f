/* Every request that the border lets in can be told in each verbosity. The first byte chooses the signal. */
#include "exporters/debug/text.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct text_counts counts = { 0 };
    struct buffer text = { 0 };
    struct otlp_check check;
    enum signal signal;
    struct slice request;

    if (size == 0)
        return 0;
    signal = (enum signal)(data[0] % SIGNAL_COUNT);
    request = slice_of(data + 1, size - 1);
    check = otlp_check(signal, request);
    if (check.fault != OTLP_OK)
        return 0;
    text.limit = 1 << 24;
    text_count(signal, request, &counts);
    text_summary(signal, &counts, &text);
    text_normal(signal, request, &text);
    text_detailed(signal, request, &text);
    buffer_fini(&text);
    return 0;
}
