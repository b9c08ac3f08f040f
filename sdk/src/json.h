/* The requests that this library writes, as OTLP/JSON (https://opentelemetry.io/docs/specs/otlp/#json-protobuf-encoding). I/O-free. */
#ifndef WEIR_SDK_JSON_H
#define WEIR_SDK_JSON_H

#include "collector/base/buffer.h"
#include "sdk/include/weir/setup.h"

/* Appends the JSON, without a line break. The bytes must be well-formed. */
void json_write(weir_signal signal, struct slice request, struct buffer *out);

#endif
