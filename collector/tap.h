/*
 * The tap: what passes a pipeline, or one of its processors, and what is dropped there and by which rule, as text for somebody who looks.
 *
 * There is one tap in the process. While nobody looks, the hop pays one relaxed load for each batch and nothing else. What is shown is a sample,
 * so many records a second; text waits in a buffer of TAP_TEXT_MAX bytes, beyond which it is only counted. A tap that nobody asks for
 * TAP_PATIENCE_NS turns itself off.
 * Threads: tap_is_on, tap_saw and tap_dropped on any; the rest on the control loop or the control thread.
 */
#ifndef WEIR_COLLECTOR_TAP_H
#define WEIR_COLLECTOR_TAP_H

#include <stdatomic.h>

#include "collector/base/clock.h"
#include "collector/component.h"
#include "collector/tap_places.h"

enum { TAP_TEXT_MAX = 1 << 20, TAP_RATE_MAX = 10000 };
static const int64_t TAP_PATIENCE_NS = 5 * NANOS_PER_SECOND;

enum tap_side { TAP_IN, TAP_OUT };

extern atomic_bool tap_on;

static inline bool tap_is_on(void)
{
    return __builtin_expect(atomic_load_explicit(&tap_on, memory_order_relaxed), 0);
}

/* A batch that goes into, or comes out of, a component. Only when tap_is_on(). */
void tap_saw(const struct component *component, enum tap_side side, const struct batch *batch);

/* Records that a component drops: how many and why, or one of them and the rule. Only when tap_is_on(). */
struct tap_drop {
    enum signal signal;
    size_t records;
    const char *rule;              /* a reason's word, or the text of a condition */
    const char *what;              /* what it is that is dropped; NULL: the signal's records */
    struct slice resource, record; /* contents of the messages; record empty: only counted */
};
void tap_dropped(const struct component *component, const struct tap_drop *drop);

/* ---- who looks ---- */

struct tap_question {
    struct tap_place place; /* processor "": what enters the pipeline and leaves it, and what is dropped in between */
    uint64_t client;        /* chosen by who asks; another one is refused while this one is there */
    uint64_t rate;          /* records a second */
    int form;               /* given to `show` */
    void (*show)(int form, enum signal signal, struct slice request, struct buffer *out); /* appends a request as text */
};

/* Turns the tap to that place if it is not there yet, and appends what was seen since the last time. False: another client holds it. */
bool tap_ask(const struct tap_question *question, struct buffer *out);
void tap_off(void);

#endif
