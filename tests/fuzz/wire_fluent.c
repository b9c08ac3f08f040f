/*
 * Fluent's forward protocol from anybody. A message that the scan calls whole ends there; what is read as records passes the border check.
 */
#include <stdlib.h>

#include "collector/wire/fluent.h"

static void read_records(struct slice bytes)
{
    struct buffer out = { .limit = 1 << 22 };
    struct fluent_message message;
    struct otlp_logs logs;

    otlp_logs_begin(&logs, &out, slice_of(NULL, 0));
    if (fluent_read_message(bytes, &message) && fluent_append_records(&message, message.entries, 1, &logs)) {
        otlp_logs_end(&logs);
        if (!out.failed) {
            struct otlp_check check = otlp_check(SIGNAL_LOGS, buffer_slice(&out));

            if (check.fault != OTLP_OK || check.records != logs.records)
                abort();
        }
    }
    buffer_fini(&out);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct msgpack_scan whole = { 0 }, stepwise = { 0 };
    struct slice bytes = slice_of(data, size);
    struct fluent_ping ping;

    read_records(bytes);
    fluent_read_ping(bytes, &ping);
    if (msgpack_scan(&whole, bytes, 1 << 16) == MSGPACK_WHOLE) {
        size_t seen = 0;

        while (msgpack_scan(&stepwise, slice_of(data, seen), 1 << 16) == MSGPACK_MORE && seen < size)
            seen++;
        if (stepwise.offset != whole.offset)
            abort();
        read_records(slice_of(data, whole.offset));
    }
    return 0;
}
