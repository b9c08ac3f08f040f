/* Syslog messages from anybody, by both RFCs and by every framing. What is read passes the border check. */
#include <stdlib.h>

#include "collector/wire/syslog.h"
#include "receivers/syslog/framing.h"

static void check_message(const struct syslog_rules *rules, struct slice text)
{
    struct buffer out = { .limit = 1 << 22 };
    struct syslog_message message;
    struct otlp_logs logs;
    const char *problem;
    size_t record;

    if (!syslog_parse(rules, text, &message, &problem))
        return;
    syslog_complete_time(&message, 1795000000);
    otlp_logs_begin(&logs, &out, slice_of(NULL, 0));
    record = otlp_log_open(&logs, timestamp_nanos(&message.time), 1);
    syslog_append_attributes(&message, &logs);
    pb_close(&out, record);
    otlp_logs_end(&logs);
    if (!out.failed && otlp_check(SIGNAL_LOGS, buffer_slice(&out)).fault != OTLP_OK)
        abort();
    buffer_fini(&out);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct framing framing = { .max_size = 64, .max_octets = 100 };
    size_t used = 1, scanned = 0;
    struct frame frame;

    if (size == 0)
        return 0;
    check_message(
        &(struct syslog_rules){ data[0] & 1 ? SYSLOG_RFC5424 : SYSLOG_RFC3164, (data[0] & 2) != 0 }, slice_of(data + 1, size - 1));
    framing.kind = (enum framing_kind)(data[0] % 3);
    while (used < size && frame_read(&framing, slice_of(data + used, size - used), &scanned, &frame) == FRAME_WHOLE) {
        if (frame.size == 0 || frame.size > size - used)
            abort();
        check_message(&(struct syslog_rules){ SYSLOG_RFC5424, false }, frame.message);
        used += frame.size;
    }
    return 0;
}
