/* weir schema: a JSON Schema (draft 2020-12) of the whole configuration, for editors. */
#include <stdio.h>

#include "collector/commands.h"
#include "collector/config/scalar.h"
#include "collector/configuration.h"
#include "collector/registry.h"

static const char definitions[] =
    "\"$defs\": {\n"
    "\"expression\": {\"description\": \"${env:NAME:-default}, ${file:path}, ${yaml:text}\", \"type\": \"string\", \"pattern\": "
    "\"\\\\$\\\\{.*\\\\}\"},\n"
    "\"duration\": {\"description\": \"Go's notation: 200ms, 5s, 1h30m\", \"anyOf\": [{\"type\": \"string\", "
    "\"pattern\": \"^\\\\+?(0|([0-9]+(\\\\.[0-9]*)?|\\\\.[0-9]+)(ns|us|\\u00b5s|\\u03bcs|ms|s|m|h))+$\"}, {\"const\": 0}]},\n"
    "\"pairs\": {\"anyOf\": [{\"type\": \"object\", \"additionalProperties\": {\"type\": [\"string\", \"null\"]}}, "
    "{\"type\": \"array\", \"items\": {\"type\": \"object\", \"properties\": {\"name\": {\"type\": \"string\"}, \"value\": {\"type\": "
    "[\"string\", \"null\"]}}, "
    "\"required\": [\"name\"]}}]},\n"
    "\"ids\": {\"type\": [\"array\", \"null\"], \"items\": {\"type\": \"string\"}}\n"
    "}";

static const char pipelines[] = "{\"type\": \"object\", \"minProperties\": 1, \"additionalProperties\": false, \"patternProperties\": "
                                "{\"^(traces|metrics|logs|profiles)(/.+)?$\": {\"type\": \"object\", \"additionalProperties\": false, "
                                "\"required\": [\"receivers\", \"exporters\"], "
                                "\"properties\": {\"receivers\": {\"$ref\": \"#/$defs/ids\"}, \"processors\": {\"$ref\": \"#/$defs/ids\"}, "
                                "\"exporters\": {\"$ref\": \"#/$defs/ids\"}}}}}";

static void write_type(struct buffer *out, const struct component_type *type, const char *name, bool former)
{
    buffer_printf(out, "\"^%s(/.+)?$\": {\"description\": ", name);
    scalar_write_json(out, type->summary != NULL ? type->summary : "");
    buffer_append_string(out, former ? ", \"deprecated\": true" : "");
    buffer_append_string(out, ", \"allOf\": [");
    option_schema(type->options, out);
    buffer_append_string(out, "]}");
}

static void write_section(struct buffer *out, const char *section, enum component_kind kind)
{
    bool first = true;

    buffer_printf(out, "\"%s\": {\"type\": [\"object\", \"null\"], \"additionalProperties\": false, \"patternProperties\": {\n", section);
    for (const struct component_type *const *type = registry; *type != NULL; type++) {
        if ((*type)->kind != kind)
            continue;
        buffer_append_string(out, first ? "" : ",\n");
        first = false;
        write_type(out, *type, (*type)->name, false);
        for (const char *const *alias = (*type)->aliases; alias != NULL && *alias != NULL; alias++) {
            buffer_append_string(out, ",\n");
            write_type(out, *type, *alias, true);
        }
    }
    buffer_append_string(out, "\n}},\n");
}

static void write_schema(struct buffer *out)
{
    buffer_append_string(out, "{\n\"$schema\": \"https://json-schema.org/draft/2020-12/schema\",\n\"title\": \"weir configuration\",\n"
                              "\"type\": \"object\",\n\"additionalProperties\": false,\n\"required\": [\"service\"],\n\"properties\": {\n");
    write_section(out, "receivers", COMPONENT_RECEIVER);
    write_section(out, "processors", COMPONENT_PROCESSOR);
    write_section(out, "connectors", COMPONENT_CONNECTOR);
    write_section(out, "exporters", COMPONENT_EXPORTER);
    write_section(out, "extensions", COMPONENT_EXTENSION);
    buffer_append_string(out,
        "\"service\": {\"type\": \"object\", \"additionalProperties\": false, \"required\": [\"pipelines\"], \"properties\": {\n"
        "\"extensions\": {\"$ref\": \"#/$defs/ids\"},\n\"pipelines\": ");
    buffer_append_string(out, pipelines);
    buffer_append_string(out, ",\n\"telemetry\": ");
    option_schema(telemetry_options, out);
    buffer_append_string(out, "}},\n\"tests\": {\"description\": \"what weir test runs\", ");
    buffer_append_string(out, "\"type\": \"array\", \"items\": {\"type\": \"object\"}}\n},\n");
    buffer_append_string(out, definitions);
    buffer_append_string(out, "\n}\n");
}

int command_schema(int argc, char **argv)
{
    struct buffer out = { 0 };
    bool fine;

    (void)argv;
    if (argc > 1) {
        fputs("usage: weir schema\n", stderr);
        return 2;
    }
    write_schema(&out);
    fine = !out.failed && fwrite(out.data, 1, out.size, stdout) == out.size;
    buffer_fini(&out);
    return fine ? 0 : 1;
}
