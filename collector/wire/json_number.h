/* Numbers of OTLP/JSON: 64-bit integers as numbers or strings, doubles that may be "NaN" or "Infinity". Internal to collector/wire. */
#ifndef WEIR_WIRE_JSON_NUMBER_H
#define WEIR_WIRE_JSON_NUMBER_H

#include "collector/wire/json_text.h"

/* Each reads one JSON value, a number or a string with one; `at` ends behind it. */
bool json_read_unsigned(struct json_text *text, uint64_t maximum, uint64_t *value);
bool json_read_signed(struct json_text *text, unsigned bits, int64_t *value); /* bits: 32 or 64 */
bool json_read_double(struct json_text *text, double *value);

#endif
