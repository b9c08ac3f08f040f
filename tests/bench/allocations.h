/* Counts malloc, calloc and realloc of the calling thread, in programs that link allocations.c. */
#ifndef WEIR_BENCH_ALLOCATIONS_H
#define WEIR_BENCH_ALLOCATIONS_H

extern __thread unsigned long allocations;

#endif
