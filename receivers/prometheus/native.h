/* io.prometheus.client.Histogram: its scalars, and a native one as OTLP's exponential histogram. I/O-free. */
#ifndef WEIR_RECEIVERS_PROMETHEUS_NATIVE_H
#define WEIR_RECEIVERS_PROMETHEUS_NATIVE_H

#include "collector/base/buffer.h"

struct histogram_message {
    struct slice body;
    struct slice created; /* a Timestamp; data NULL: none */
    double count, sum, zero_threshold, zero_count;
    int64_t schema;
    bool native, floating;
};

/* Of a message that is known to be well-formed. */
struct histogram_message native_read(struct slice body);

/* Appends an ExponentialHistogramDataPoint's fields but times and attributes. false: its spans and counts do not fit, or a count is negative. */
bool native_write(const struct histogram_message *histogram, struct buffer *out);

#endif
