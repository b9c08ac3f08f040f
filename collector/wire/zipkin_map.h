/* The OTLP span as the mapping of Zipkin's spans needs it: field numbers of Span, Event and Link. Internal to collector/wire. */
#ifndef WEIR_WIRE_ZIPKIN_MAP_H
#define WEIR_WIRE_ZIPKIN_MAP_H

#include "collector/wire/zipkin_span.h"

enum {
    SPAN_TRACE_ID = 1,
    SPAN_SPAN_ID = 2,
    SPAN_TRACE_STATE = 3,
    SPAN_PARENT_ID = 4,
    SPAN_NAME = 5,
    SPAN_KIND = 6,
    SPAN_START = 7,
    SPAN_END = 8,
    SPAN_EVENT = 11,
    SPAN_LINK = 13,
    SPAN_STATUS = 15,
};

enum { EVENT_TIME = 1, EVENT_NAME = 2, EVENT_ATTRIBUTE = 3, EVENT_DROPPED = 4 };
enum { LINK_TRACE_ID = 1, LINK_SPAN_ID = 2, LINK_TRACE_STATE = 3, LINK_ATTRIBUTE = 4, LINK_DROPPED = 5 };
enum { KIND_INTERNAL = 1, KIND_SERVER = 2, KIND_CLIENT = 3, KIND_PRODUCER = 4, KIND_CONSUMER = 5 };
enum { STATUS_UNSET = 0, STATUS_OK = 1, STATUS_ERROR = 2 };

#endif
