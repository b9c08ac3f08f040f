/* Mapping mode raw: as none, with nothing in front of the names of attributes and events. */
#include "exporters/elasticsearch/documents.h"

static const struct elastic_prefixes prefixes = { SLICE_INIT(""), SLICE_INIT("") };

static bool write_log(struct elastic_documents *documents, const struct otlp_log *log, const struct elastic_route *route)
{
    return elastic_plain_log(documents, log, &prefixes, route);
}

static bool write_span(struct elastic_documents *documents, const struct otlp_span *span, const struct elastic_route *route)
{
    return elastic_plain_span(documents, span, &prefixes, route);
}

const struct elastic_mapping elastic_mapping_raw = { .log = write_log, .span = write_span };
