/* weir print-config: the effective configuration: merged, expanded, with all defaults, without secrets. Reads back as valid. */
#include <stdio.h>

#include "collector/commands.h"
#include "collector/config/scalar.h"
#include "collector/configuration.h"

static void print_components(const struct configuration *configuration, enum component_kind kind, const char *section, struct buffer *out)
{
    bool first = true;

    for (size_t i = 0; i < configuration->component_count; i++) {
        const struct configuration_component *component = &configuration->components[i];

        if (component->type->kind != kind)
            continue;
        if (first)
            buffer_printf(out, "%s:\n", section);
        first = false;
        buffer_append_string(out, "  ");
        scalar_write_string(out, component->id);
        buffer_append_string(out, ":\n");
        option_print(component->type->options, component->node, 4, out);
    }
}

static void print_references(const struct configuration_references *references, struct buffer *out)
{
    buffer_append_string(out, " [");
    for (size_t i = 0; i < references->count; i++) {
        buffer_append_string(out, i > 0 ? ", " : "");
        scalar_write_string(out, references->items[i]->id);
    }
    buffer_append_string(out, "]\n");
}

static void print_service(const struct configuration *configuration, struct buffer *out)
{
    buffer_append_string(out, "service:\n  extensions:");
    print_references(&configuration->extensions, out);
    buffer_append_string(out, "  pipelines:\n");
    for (size_t i = 0; i < configuration->pipeline_count; i++) {
        const struct configuration_pipeline *pipeline = &configuration->pipelines[i];

        buffer_append_string(out, "    ");
        scalar_write_string(out, pipeline->id);
        buffer_append_string(out, ":\n      receivers:");
        print_references(&pipeline->receivers, out);
        buffer_append_string(out, "      processors:");
        print_references(&pipeline->processors, out);
        buffer_append_string(out, "      exporters:");
        print_references(&pipeline->exporters, out);
    }
    buffer_append_string(out, "  telemetry:\n");
    option_print(telemetry_options, config_get(config_get(configuration->tree, "service"), "telemetry"), 4, out);
}

static bool print_configuration(const struct configuration *configuration)
{
    struct buffer out = { 0 };
    bool fine;

    print_components(configuration, COMPONENT_RECEIVER, "receivers", &out);
    print_components(configuration, COMPONENT_PROCESSOR, "processors", &out);
    print_components(configuration, COMPONENT_CONNECTOR, "connectors", &out);
    print_components(configuration, COMPONENT_EXPORTER, "exporters", &out);
    print_components(configuration, COMPONENT_EXTENSION, "extensions", &out);
    print_service(configuration, &out);
    fine = !out.failed && fwrite(out.data, 1, out.size, stdout) == out.size;
    buffer_fini(&out);
    return fine;
}

int command_print_config(int argc, char **argv)
{
    struct command_sources sources;
    struct arena arena = { 0 };
    struct config_errors errors = { .arena = &arena };
    struct configuration *configuration;
    bool fine;

    if (!command_parse_sources(argc, argv, &sources))
        return 2;
    configuration = configuration_load(sources.items, sources.count, &errors);
    command_print_errors(&errors);
    fine = configuration != NULL && print_configuration(configuration);
    configuration_destroy(configuration);
    arena_fini(&arena);
    return fine ? 0 : 1;
}
