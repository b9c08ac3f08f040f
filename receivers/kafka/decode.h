/*
 * From a Kafka message to an OTLP payload. I/O-free.
 * Threads: one struct kafka_decoder per thread; it keeps memory from message to message.
 */
#ifndef WEIR_RECEIVERS_KAFKA_DECODE_H
#define WEIR_RECEIVERS_KAFKA_DECODE_H

#include <iconv.h>

#include "collector/base/error.h"
#include "collector/base/payload.h"
#include "collector/wire/edit.h"
#include "collector/wire/signal.h"
#include "collector/wire/zipkin.h"

enum kafka_encoding { KAFKA_OTLP_PROTO, KAFKA_OTLP_JSON, KAFKA_RAW, KAFKA_TEXT, KAFKA_JSON, KAFKA_ZIPKIN };

struct kafka_format {
    enum signal signal;
    enum kafka_encoding encoding;
    enum zipkin_format zipkin; /* KAFKA_ZIPKIN */
    bool converts;             /* KAFKA_TEXT in another character set than UTF-8 */
    iconv_t charset;           /* owned, when it converts */
};

/* "otlp_proto", "text_shift_jis" ...; false with an error that says what there is instead. */
bool kafka_format_init(struct kafka_format *format, enum signal signal, const char *encoding, struct error *err);
void kafka_format_fini(struct kafka_format *format);

/* A resource attribute that every resource of the message gets. */
struct kafka_extra {
    const char *key;
    struct slice value; /* repaired where it is not UTF-8 */
};

struct kafka_decoder {
    struct buffer wire, repaired, extended, text;
    struct edit edit;
};
void kafka_decoder_fini(struct kafka_decoder *decoder);

enum kafka_decoding { KAFKA_DECODED, KAFKA_MALFORMED, KAFKA_NO_MEMORY };

struct kafka_decode {
    const struct kafka_format *format;
    struct slice message;
    const struct kafka_extra *extras;
    size_t extra_count;
    uint64_t now_ns; /* wall clock: when a log record that has no time of its own was observed */
    /* what came of it */
    struct payload *payload; /* the caller's; NULL when there are no records in it */
    size_t records, repaired;
    char fault[256]; /* KAFKA_MALFORMED */
};
enum kafka_decoding kafka_decode(struct kafka_decoder *decoder, struct kafka_decode *decode);

#endif
