/* The switch that instrumented code reads first. */
#ifndef WEIR_SDK_CONTEXT_H
#define WEIR_SDK_CONTEXT_H

#include "sdk/include/weir/trace.h"

enum { CONTEXT_RECORDING = 1, CONTEXT_ATTACHED = 2 };

void context_set_recording(bool on);

/* Some thread has a context: from now on spans look for a parent, even while nothing records. */
void context_note_attached(void);

static inline bool context_recording(void)
{
    return (__atomic_load_n(&weir_on_, __ATOMIC_RELAXED) & CONTEXT_RECORDING) != 0;
}

#endif
