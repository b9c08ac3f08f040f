/*
 * One message as the file exporter writes them, whatever its form: OTLP/JSON or protobuf, plain or zstd; told apart by what is
 * in it. I/O-free.
 */
#ifndef WEIR_COLLECTOR_COMMANDS_TELEMETRY_MESSAGE_H
#define WEIR_COLLECTOR_COMMANDS_TELEMETRY_MESSAGE_H

#include "collector/base/buffer.h"
#include "collector/base/error.h"
#include "collector/base/payload.h"
#include "collector/wire/signal.h"

struct telemetry_decoder {
    bool signal_given;        /* the user says which signal protobuf messages are of */
    enum signal signal;       /* that; else the last one found, which is tried first */
    size_t limit;             /* most bytes of a message, inflated */
    struct buffer wire;       /* owned; what was JSON */
    struct payload *inflated; /* owned */
};

void telemetry_decoder_fini(struct telemetry_decoder *decoder);

/*
 * The well-formed request (its strings may hold bytes that are not UTF-8) that the bytes are; it lies in them or in
 * the decoder, until the next call. False with the error, when they are none.
 */
bool telemetry_decode(struct telemetry_decoder *decoder, struct slice bytes, struct slice *request, struct error *err);

/* Whether the bytes can be the beginning of a message of `size` bytes: a quick look, for finding one among damage. */
bool telemetry_may_begin(struct slice bytes, size_t size);

#endif
