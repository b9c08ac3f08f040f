/*
 * OTLP/JSON to wire bytes and back, straight, no tree between. I/O-free.
 *
 * Reading (https://opentelemetry.io/docs/specs/otlp/#json-protobuf-encoding): hex ids in any case, 64-bit integers as
 * strings or numbers, enums as numbers or names, base64 bytes (standard and URL alphabets), "NaN", "Infinity",
 * "-Infinity", unknown keys ignored, lowerCamelCase and snake_case names, null as absent. A key that is given
 * twice: arrays are joined, of all else the last one counts.
 * Writing: lowerCamelCase, 64-bit integers as strings, enums as numbers, hex ids, defaults left out (but members
 * of a oneof and optional fields), no white space. Text that is read is checked as UTF-8; a lone surrogate becomes U+FFFD.
 */
#ifndef WEIR_WIRE_JSON_H
#define WEIR_WIRE_JSON_H

#include "collector/wire/otlp.h"

struct json_error {
    size_t offset;
    char message[200]; /* "resourceSpans[0].scopeSpans[0].spans[3].startTimeUnixNano: expected ..." */
};

/*
 * Appends the Export*ServiceRequest of `signal` that `text` spells: what otlp_check calls OTLP_OK. On failure `out` is
 * as long as before; when memory ran out, or out's limit was reached, out->failed is set too. err may be NULL.
 */
bool json_read_request(enum signal signal, struct slice text, struct buffer *out, struct json_error *err);

/*
 * Appends the JSON of a request that is well-formed (no line break at the end). `payload` may be several requests
 * one behind the other. Unknown fields are left out.
 */
void json_write_request(enum signal signal, struct slice payload, struct buffer *out);

/* Appends a JSON string, quotes included; bytes that are not UTF-8 become U+FFFD. */
void json_write_string(struct slice text, struct buffer *out);

/*
 * Attribute values as ordinary JSON: {"a":1,"b":["x"]}. Integers are numbers, bytes base64 strings, an empty
 * value is null, NaN and the infinities are strings. A key that is there twice is written twice.
 */
void json_write_value(struct slice any_value, struct buffer *out);
void json_write_attributes(struct slice message, enum otlp_attributes_field field, struct buffer *out);

#endif
