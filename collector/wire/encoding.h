/* Bytes as text: hexadecimal and base64 (RFC 4648). */
#ifndef WEIR_WIRE_ENCODING_H
#define WEIR_WIRE_ENCODING_H

#include "collector/base/buffer.h"
#include "collector/base/slice.h"

/* Reads text.size / 2 bytes, digits in either case; false when the size is odd or something is no digit. */
bool encoding_read_hex(struct slice text, uint8_t *out);

/* Writes 2 * bytes.size lower-case digits. */
void encoding_write_hex(struct slice bytes, char *out);

/*
 * Appends the bytes; false, with nothing appended, when the text is not base64. Both alphabets are
 * taken ("+/" and "-_"); padding may be left out, but what is there must be right.
 */
bool encoding_read_base64(struct slice text, struct buffer *out);

/* Appends standard base64 with padding. */
void encoding_write_base64(struct slice bytes, struct buffer *out);

#endif
