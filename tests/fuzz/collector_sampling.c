/* Trace states, and ids in lines of text: what the sampler and normalize read of what applications write. */
#include <stdlib.h>

#include "collector/processors/normalize/severity.h"
#include "collector/processors/normalize/trace_ids.h"
#include "collector/processors/sampling.h"

/* What was written must be read as the same. */
static void check_state(struct slice text)
{
    struct sampling_state state, again;
    struct buffer out = { .data = NULL };

    if (sampling_state_parse(text, &state)) {
        sampling_state_write(&state, &out);
        if (!sampling_state_parse(buffer_slice(&out), &again) || again.has_threshold != state.has_threshold ||
            again.has_randomness != state.has_randomness || (state.has_threshold && again.threshold != state.threshold))
            abort();
    }
    buffer_fini(&out);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct slice text = slice_of(data, size), key = slice_of(data, size / 2), rest = slice_of(data + size / 2, size - size / 2);
    const struct otlp_value value = { .kind = OTLP_VALUE_STRING, .bytes = rest };
    struct trace_ids ids = { .has_trace = false };

    check_state(text);
    trace_ids_of_text(&ids, text);
    trace_ids_of_attribute(&ids, key, &value);
    severity_number_of(text);
    return 0;
}
