/*
 * Zipkin's ListOfSpans (zipkin.proto, package zipkin.proto3), in which each span already is what is mapped.
 * Cost: no copy. Threads: none of its own; no state.
 */
#include "collector/wire/zipkin_span.h"

bool zipkin_read_proto(struct zipkin_mapper *mapper, struct slice message)
{
    struct pb_reader reader = pb_reader_of(message);
    struct pb_field field;

    while (pb_next(&reader, &field)) {
        mapper->reading->offset = (size_t)(field.raw.data - message.data);
        if (field.number != ZIPKIN_LIST_SPANS)
            continue;
        if (field.type != PB_BYTES)
            return zipkin_fault(mapper->reading, "a field of another type than its own");
        if (!zipkin_map_span(mapper, field.bytes))
            return false;
    }
    if (!reader.failed)
        return true;
    return zipkin_fault(mapper->reading, "not well-formed");
}
