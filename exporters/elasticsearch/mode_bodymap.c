/* Mapping mode bodymap: a log's body, which has to be a map, is the document. Nothing else has one. */
#include "exporters/elasticsearch/documents.h"

static bool write_log(struct elastic_documents *documents, const struct otlp_log *log, const struct elastic_route *route)
{
    struct otlp_value body = otlp_value_of(log->value);

    (void)route;
    if (body.kind != OTLP_VALUE_MAP)
        return false;
    elastic_json_map(body.bytes, &documents->bulk.text);
    return true;
}

const struct elastic_mapping elastic_mapping_bodymap = { .log = write_log };
