/*
 * OpenTelemetry's consistent probability sampling: thresholds and randomness of 56 bits, and the trace state that carries them
 * (`ot=rv:...;th:...`). An item is sampled when its randomness is at least the threshold. I/O-free.
 */
#ifndef WEIR_PROCESSORS_SAMPLING_H
#define WEIR_PROCESSORS_SAMPLING_H

#include "collector/base/buffer.h"

#define SAMPLING_ALWAYS UINT64_C(0)
#define SAMPLING_NEVER (UINT64_C(1) << 56)       /* a threshold that nothing reaches */
#define SAMPLING_RANDOM_MAX (SAMPLING_NEVER - 1) /* reaches every other */

enum { SAMPLING_DIGITS = 14 };

/* The threshold of a probability, rounded to that many significant hexadecimal digits; false when it is not within 2^-56 and 1. */
bool sampling_threshold_of(double probability, int precision, uint64_t *threshold);
double sampling_probability_of(uint64_t threshold);

/* Hexadecimal: 1 to 14 digits, zeros left out at the end; exactly 14 digits. */
bool sampling_parse_threshold(struct slice text, uint64_t *threshold);
bool sampling_parse_randomness(struct slice text, uint64_t *randomness);
/* Each returns how many were written; a threshold of NEVER has no text. */
size_t sampling_write_threshold(uint64_t threshold, char out[SAMPLING_DIGITS]);
size_t sampling_write_randomness(uint64_t randomness, char out[SAMPLING_DIGITS]);

/* The last 56 bits of a trace id of 16 bytes. */
uint64_t sampling_randomness_of_trace(const uint8_t trace_id[16]);

/* The OpenTelemetry Collector's hash_seed mode: FNV-1a, 32 bits, over the seed and the bytes. The seed is hashed once. */
uint32_t sampling_hash_seed(uint32_t seed);
uint64_t sampling_randomness_of_bytes(struct slice bytes, uint32_t hashed_seed);

/* What a trace state says about sampling. Slices are borrowed from the text. */
struct sampling_state {
    struct slice text, ot; /* the whole, and the value of its member "ot" */
    bool has_threshold, has_randomness;
    uint64_t threshold, randomness;
    struct slice threshold_text, randomness_text; /* as they came; data NULL: to be written anew */
};

/* False when it is malformed, or beyond the limits of the W3C; what could be read is in `state` all the same. */
bool sampling_state_parse(struct slice text, struct sampling_state *state);
/* Appends it as it is now: "ot" in front, the others in their order. */
void sampling_state_write(const struct sampling_state *state, struct buffer *out);

#endif
