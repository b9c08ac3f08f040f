/* The Lumberjack protocol from anybody. Frames lie within the bytes; events that are read pass the border check. */
#include <stdlib.h>

#include "collector/wire/lumberjack.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct buffer out = { .limit = 1 << 22 }, scratch = { .limit = 1 << 22 };
    struct lumberjack_frame frame;
    struct otlp_logs logs;
    size_t used = 0, length = 0;

    otlp_logs_begin(&logs, &out, slice_of(NULL, 0));
    while (used < size && lumberjack_read_frame(slice_of(data + used, size - used), 1 << 16, &frame, &length) == LUMBERJACK_WHOLE) {
        if (length == 0 || length > size - used)
            abort();
        if (frame.kind == LUMBERJACK_PAIRS || frame.kind == LUMBERJACK_JSON)
            lumberjack_append_event(&frame, 1, &scratch, &logs);
        used += length;
    }
    otlp_logs_end(&logs);
    if (!out.failed) {
        struct otlp_check check = otlp_check(SIGNAL_LOGS, buffer_slice(&out));

        if (check.fault != OTLP_OK || check.records != logs.records)
            abort();
    }
    buffer_fini(&out);
    buffer_fini(&scratch);
    return 0;
}
