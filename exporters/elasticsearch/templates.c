/*
 * Bodies of index templates. In the texts $a, $s and $r stand for the attributes of record, scope and resource, $m for the metrics, $d for the dynamic
 * templates that metrics ask for by name; what becomes of them depends on what types the server has.
 */
#include "exporters/elasticsearch/setup.h"

#define KEYWORD "{\"type\":\"keyword\",\"ignore_above\":1024}"
#define LONG "{\"type\":\"long\"}"

/* What all documents of mode otel have. Strings that nothing else is said about are keywords. */
#define OTEL_COMMON                                                                                                                        \
    "\"@timestamp\":{\"type\":\"date_nanos\"},"                                                                                            \
    "\"data_stream\":{\"properties\":{\"type\":" KEYWORD ",\"dataset\":" KEYWORD ",\"namespace\":" KEYWORD "}},"                           \
    "\"attributes\":$a,"                                                                                                                   \
    "\"dropped_attributes_count\":" LONG ","                                                                                               \
    "\"resource\":{\"properties\":{\"schema_url\":" KEYWORD ",\"attributes\":$r,\"dropped_attributes_count\":" LONG "}},"                  \
    "\"scope\":{\"properties\":{\"schema_url\":" KEYWORD ",\"name\":" KEYWORD ",\"version\":" KEYWORD ",\"attributes\":$s,"                \
    "\"dropped_attributes_count\":" LONG "}}"

#define STRINGS_AS_KEYWORDS "{\"strings\":{\"match_mapping_type\":\"string\",\"mapping\":" KEYWORD "}}"

#define TEMPLATE(pattern, priority, dynamic, properties)                                                                                   \
    "{\"index_patterns\":[\"" pattern "\"],\"priority\":" priority ",\"data_stream\":{},\"_meta\":{\"managed_by\":\"weir\"},"              \
    "\"template\":{\"mappings\":{\"date_detection\":false,\"dynamic_templates\":[" dynamic STRINGS_AS_KEYWORDS "],"                        \
    "\"properties\":{" properties "}}}}"

static const char logs_otel[] = TEMPLATE("logs-*.otel-*", "150", "",
    OTEL_COMMON ",\"observed_timestamp\":{\"type\":\"date_nanos\"},\"severity_text\":" KEYWORD ",\"severity_number\":" LONG
                ",\"trace_id\":" KEYWORD ",\"span_id\":" KEYWORD ",\"event_name\":" KEYWORD
                ",\"body\":{\"properties\":{\"text\":{\"type\":\"text\"},\"structured\":$f}}");

static const char traces_otel[] = TEMPLATE("traces-*.otel-*", "150", "",
    OTEL_COMMON ",\"trace_id\":" KEYWORD ",\"span_id\":" KEYWORD ",\"parent_span_id\":" KEYWORD ",\"trace_state\":" KEYWORD
                ",\"name\":" KEYWORD ",\"kind\":" KEYWORD ",\"duration\":" LONG ",\"dropped_events_count\":" LONG
                ",\"dropped_links_count\":" LONG ",\"status\":{\"properties\":{\"code\":" KEYWORD ",\"message\":" KEYWORD "}}"
                ",\"links\":{\"properties\":{\"trace_id\":" KEYWORD ",\"span_id\":" KEYWORD ",\"trace_state\":" KEYWORD
                ",\"attributes\":$f,\"dropped_attributes_count\":" LONG "}}");

static const char metrics_otel[] = TEMPLATE("metrics-*.otel-*", "150", "$d",
    OTEL_COMMON ",\"start_timestamp\":{\"type\":\"date_nanos\"},\"unit\":" KEYWORD ",\"_metric_names_hash\":" KEYWORD ",\"metrics\":$m");

#define TIMESTAMP "\"@timestamp\":{\"type\":\"date\"}"

const struct elastic_template elastic_templates[] = {
    { "weir-logs-otel", "logs-otel@template", logs_otel },
    { "weir-traces-otel", "traces-otel@template", traces_otel },
    { "weir-metrics-otel", "metrics-otel@template", metrics_otel },
    { "weir-logs", "logs", TEMPLATE("logs-*-*", "90", "", TIMESTAMP) },
    { "weir-traces", "traces", TEMPLATE("traces-*-*", "90", "", TIMESTAMP) },
    { "weir-metrics", "metrics", TEMPLATE("metrics-*-*", "90", "", TIMESTAMP) },
    { NULL, NULL, NULL },
};

const struct elastic_template elastic_probe = { "weir-probe", NULL,
    "{\"index_patterns\":[\"weir-probe\"],\"template\":{\"mappings\":{\"properties\":{\"a\":{\"type\":\"histogram\"},"
    "\"b\":{\"type\":\"aggregate_metric_double\",\"metrics\":[\"sum\",\"value_count\"],\"default_metric\":\"value_count\"}}}}}" };

/* ---- variants ---- */

#define NUMBERS                                                                                                                            \
    "{\"gauge_long\":{\"mapping\":{\"type\":\"long\"}}},{\"gauge_double\":{\"mapping\":{\"type\":\"double\"}}},"                           \
    "{\"counter_long\":{\"mapping\":{\"type\":\"long\"}}},{\"counter_double\":{\"mapping\":{\"type\":\"double\"}}},"

struct variant {
    const char *attributes[3]; /* of record, scope and resource */
    const char *metrics, *dynamic, *flattened;
};

#define PASS_THROUGH(priority) "{\"type\":\"passthrough\",\"dynamic\":true,\"priority\":" priority "}"
#define PASS_THROUGHS                                                                                                                      \
    {                                                                                                                                      \
        PASS_THROUGH("30"), PASS_THROUGH("20"), PASS_THROUGH("10")                                                                         \
    }
#define FLAT "{\"type\":\"object\",\"dynamic\":true,\"subobjects\":false}"
#define FLAT_OBJECT "{\"type\":\"flat_object\"}"
#define FLATTENED "{\"type\":\"flattened\",\"ignore_above\":1024}"

static const struct variant variants[ELASTIC_TEMPLATE_VARIANTS] = {
    /* Elasticsearch with histograms */
    { PASS_THROUGHS, PASS_THROUGH("1"),
        NUMBERS "{\"histogram\":{\"mapping\":{\"type\":\"histogram\"}}},"
                "{\"summary\":{\"mapping\":{\"type\":\"aggregate_metric_double\",\"metrics\":[\"sum\",\"value_count\"],\"default_metric\":"
                "\"value_count\"}}},",
        FLATTENED },
    /* without: their counts and values, or sum and value_count, become fields of their own */
    { PASS_THROUGHS, PASS_THROUGH("1"),
        NUMBERS "{\"histogram\":{\"mapping\":{\"type\":\"object\"}}},{\"summary\":{\"mapping\":{\"type\":\"object\"}}},", FLATTENED },
    /* Elasticsearch before 8.13 */
    { { FLAT, FLAT, FLAT }, FLAT,
        NUMBERS "{\"histogram\":{\"mapping\":{\"type\":\"object\"}}},{\"summary\":{\"mapping\":{\"type\":\"object\"}}},", FLATTENED },
    /* OpenSearch, whose requests can't name templates */
    { { FLAT_OBJECT, FLAT_OBJECT, FLAT_OBJECT }, "{\"type\":\"object\",\"dynamic\":true}", "", FLAT_OBJECT },
};

static const char *meaning_of(char letter, const struct variant *variant)
{
    switch (letter) {
    case 'a':
        return variant->attributes[0];
    case 's':
        return variant->attributes[1];
    case 'r':
        return variant->attributes[2];
    case 'm':
        return variant->metrics;
    case 'd':
        return variant->dynamic;
    default:
        return variant->flattened;
    }
}

void elastic_template_write(const struct elastic_template *entry, size_t variant, struct buffer *out)
{
    for (const char *at = entry->text; *at != '\0';) {
        size_t plain = strcspn(at, "$");

        buffer_append(out, at, plain);
        at += plain;
        if (*at == '\0')
            return;
        buffer_append_string(out, meaning_of(at[1], &variants[variant]));
        at += 2;
    }
}
