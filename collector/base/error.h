/*
 * Errors of the cold path: one sentence for the person who reads it at 3 a.m.
 * Lower case, no full stop, quotes what the user typed, says what to do where one can.
 */
#ifndef WEIR_BASE_ERROR_H
#define WEIR_BASE_ERROR_H

#include <stdbool.h>

struct error {
    char message[1024]; /* empty: no error; a longer message is cut */
};

/* Writes the message and returns false, so that a caller can `return fail(err, ...)`. err may be NULL. */
bool fail(struct error *err, const char *format, ...) __attribute__((format(printf, 2, 3)));

/* Puts "prefix: " before the message that is there, and returns false. err may be NULL. */
bool fail_within(struct error *err, const char *format, ...) __attribute__((format(printf, 2, 3)));

#endif
