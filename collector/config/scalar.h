/* What a plain scalar means, as YAML's core schema and Go's YAML reader have it. */
#ifndef WEIR_CONFIG_SCALAR_H
#define WEIR_CONFIG_SCALAR_H

#include <stdbool.h>
#include <stdint.h>

#include "collector/base/buffer.h"

enum scalar_type { SCALAR_STRING, SCALAR_NULL, SCALAR_BOOL, SCALAR_INT, SCALAR_FLOAT };

/* Of unquoted text. */
enum scalar_type scalar_type_of(const char *text);

/* true, True, TRUE, false, False, FALSE; nothing else. */
bool scalar_parse_bool(const char *text, bool *value);

/* Decimal, 0x, 0o, 0b, 0 (octal); "_" between digits; within 64 bits. */
bool scalar_parse_int(const char *text, int64_t *value);

/* Decimal and exponent; never infinite, never NaN; integers too. */
bool scalar_parse_float(const char *text, double *value);

/* Go's durations with a sign: "1h30m", "-1.5s", "0". */
bool scalar_parse_duration(const char *text, int64_t *nanoseconds);

/* Appends the text so that loading it as a configuration gives this string again: quoted where needed, "$" doubled. Not UTF-8: U+FFFD. */
void scalar_write_string(struct buffer *out, const char *text);

/* Appends a JSON string with its quotes; bytes that are not UTF-8 become U+FFFD. */
void scalar_write_json(struct buffer *out, const char *text);

#endif
