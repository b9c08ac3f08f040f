/* Any JSON value as an attribute value: the other direction of json_write_value(). I/O-free. */
#ifndef WEIR_WIRE_JSON_VALUE_H
#define WEIR_WIRE_JSON_VALUE_H

#include "collector/wire/json.h"

/*
 * Appends the content of an AnyValue. Objects become maps, whole numbers that fit 64 bits integers, other numbers doubles, null an empty value;
 * a key that is there twice is there twice. Nesting beyond OTLP_MAX_DEPTH is an error, as is anything behind the value. On
 * failure `out` is as long as before; when memory ran out, or out's limit was reached, out->failed is set too. err may be NULL.
 */
bool json_read_value(struct slice text, struct buffer *out, struct json_error *err);

#endif
