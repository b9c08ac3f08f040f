/*
 * Which tag means what in which OTLP message: the table that the border check and the repair are driven by. Internal
 * to collector/wire.
 *
 * A tag is a field's number and wire type as they stand in the bytes, (number << 3 | type). All fields that OTLP defines
 * have tags below 256; whatever is not in the table is an unknown field, or a known one with a wrong wire type.
 */
#ifndef WEIR_WIRE_OTLP_TABLE_H
#define WEIR_WIRE_OTLP_TABLE_H

#include <stdbool.h>
#include <stdint.h>

#include "collector/wire/signal.h"

/* What a field holds. From OTLP_MESSAGES on, the message of that number. */
enum otlp_content {
    CONTENT_UNKNOWN,
    CONTENT_VARINT,
    CONTENT_FIXED64,
    CONTENT_FIXED32,
    CONTENT_BYTES, /* from here on length-delimited */
    CONTENT_STRING,
    CONTENT_ID16,
    CONTENT_ID8,
    CONTENT_PACKED_VARINT,
    CONTENT_PACKED_FIXED64,

    MESSAGE_TRACES_REQUEST,
    MESSAGE_METRICS_REQUEST,
    MESSAGE_LOGS_REQUEST,
    MESSAGE_PROFILES_REQUEST,

    MESSAGE_RESOURCE,
    MESSAGE_ENTITY_REF,
    MESSAGE_SCOPE,
    MESSAGE_KEY_VALUE,
    MESSAGE_ANY_VALUE,
    MESSAGE_ARRAY_VALUE,
    MESSAGE_KEY_VALUE_LIST,

    MESSAGE_RESOURCE_SPANS,
    MESSAGE_SCOPE_SPANS,
    MESSAGE_SPAN,
    MESSAGE_SPAN_EVENT,
    MESSAGE_SPAN_LINK,
    MESSAGE_SPAN_STATUS,

    MESSAGE_RESOURCE_LOGS,
    MESSAGE_SCOPE_LOGS,
    MESSAGE_LOG_RECORD,

    MESSAGE_RESOURCE_METRICS,
    MESSAGE_SCOPE_METRICS,
    MESSAGE_METRIC,
    MESSAGE_GAUGE,
    MESSAGE_SUM,
    MESSAGE_HISTOGRAM,
    MESSAGE_EXPONENTIAL_HISTOGRAM,
    MESSAGE_SUMMARY,
    MESSAGE_NUMBER_POINT,
    MESSAGE_HISTOGRAM_POINT,
    MESSAGE_EXPONENTIAL_POINT,
    MESSAGE_BUCKETS,
    MESSAGE_SUMMARY_POINT,
    MESSAGE_QUANTILE,
    MESSAGE_EXEMPLAR,

    MESSAGE_RESOURCE_PROFILES,
    MESSAGE_SCOPE_PROFILES,
    MESSAGE_PROFILE,
    MESSAGE_PROFILES_DICTIONARY,
    MESSAGE_VALUE_TYPE,
    MESSAGE_SAMPLE,
    MESSAGE_MAPPING,
    MESSAGE_LOCATION,
    MESSAGE_LINE,
    MESSAGE_FUNCTION,
    MESSAGE_PROFILE_LINK,
    MESSAGE_STACK,
    MESSAGE_KEY_VALUE_AND_UNIT,

    OTLP_CONTENTS,
    OTLP_MESSAGES = MESSAGE_TRACES_REQUEST,
    OTLP_MESSAGE_COUNT = OTLP_CONTENTS - OTLP_MESSAGES,
};

enum { OTLP_TAGS = 256 };

/* enum otlp_content by message (counted from OTLP_MESSAGES) and tag. */
extern const uint8_t otlp_contents[OTLP_MESSAGE_COUNT][OTLP_TAGS];

static inline const uint8_t *otlp_contents_of(enum otlp_content message)
{
    return otlp_contents[message - OTLP_MESSAGES];
}

/* The request of a signal. */
enum otlp_content otlp_request_message(enum signal signal);

/* "Span.trace_id": the field of that number, or "Span" when the message has none. Static. */
const char *otlp_field_name(enum otlp_content message, uint32_t number);

/* Whether the message has a field of that number, whatever its type. */
bool otlp_knows_field(enum otlp_content message, uint32_t number);

#endif
