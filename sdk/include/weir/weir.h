/*
 * weir.h - instrument C and C++ programs with OpenTelemetry. Link with -lweir (pkg-config weir).
 *
 * This header includes the others: value.h (strings, attributes), context.h (context and propagation), trace.h
 * (spans), log.h (log records), metrics.h (instruments), setup.h (start, flush, stop). C++ programs may
 * include weir.hpp besides, which adds RAII types.
 *
 * What holds for every function, unless its own comment says otherwise:
 *
 *   Units      Times are nanoseconds since 1970-01-01 UTC (uint64_t), 0 meaning "now". Timeouts are milliseconds (int).
 *   Ownership  Arguments are borrowed for the call; what is to be kept is copied. Nothing returned is to be freed.
 *   Errors     Recording functions return nothing and never fail loudly: what cannot be recorded is dropped and
 *              counted (weir_stats). Life-cycle functions return 0 or a negative errno value.
 *   Arguments  NULL handles and zeroed structs are allowed everywhere and make the call do nothing. Text that is not
 *              UTF-8 is recorded with U+FFFD in place of each bad byte, and counted.
 *   Threads    Every function may be called from any thread at any time, before weir_init and after weir_shutdown too.
 *   Signals    A function marked "signal-safe" may be called from a signal handler, on a thread that called any function
 *              of its group before (the first call of a thread allocates its state). When the handler interrupted another
 *              call on the same thread, nothing is recorded, and the loss is counted.
 *   Cost       No function marked "hot" allocates memory, takes a contended lock, makes a system call, or waits;
 *              but for those of a thread's first call.
 *
 * ABI: structs that the caller fills begin with their size, grow only at the end, and mean their defaults when
 * zeroed. Sizes of the others are fixed. Names that end in an underscore belong to the library.
 */
#ifndef WEIR_WEIR_H
#define WEIR_WEIR_H

#include "weir/value.h"
#include "weir/context.h"
#include "weir/trace.h"
#include "weir/log.h"
#include "weir/metrics.h"
#include "weir/setup.h"

#endif
