/* weir elasticsearch setup: installs index templates on the server of every elasticsearch exporter of a configuration. */
#include "collector/commands/elasticsearch.h"

#include <stdio.h>
#include <stdlib.h>

#include "collector/commands.h"
#include "collector/configuration.h"

/* True when the server has what it needs. */
static bool set_up(const struct configuration_component *exporter)
{
    struct arena arena = { 0 };
    struct buffer report = { 0 };
    struct error err = { "" };
    struct component *instance = configuration_instance(exporter, &arena, &err);
    bool fine = instance != NULL && elasticsearch_set_up(instance, &report, &err);

    fputs(buffer_string(&report), stdout);
    if (!fine)
        fprintf(stderr, "weir: %s: %s\n", exporter->path, err.message);
    free(instance);
    buffer_fini(&report);
    arena_fini(&arena);
    return fine;
}

static int set_up_all(const struct configuration *configuration)
{
    size_t found = 0;
    bool fine = true;

    for (size_t i = 0; i < configuration->component_count; i++) {
        const struct configuration_component *component = &configuration->components[i];

        if (component->type->kind != COMPONENT_EXPORTER || strcmp(component->type->name, "elasticsearch") != 0)
            continue;
        found++;
        fine &= set_up(component);
    }
    if (found == 0)
        fputs("weir: there is no elasticsearch exporter in the configuration\n", stderr);
    return fine && found > 0 ? 0 : 1;
}

int command_elasticsearch(int argc, char **argv)
{
    struct command_sources sources;
    struct arena arena = { 0 };
    struct config_errors errors = { .arena = &arena };
    struct configuration *configuration;
    int status = 1;

    if (argc < 2 || strcmp(argv[1], "setup") != 0) {
        fputs("usage: weir elasticsearch setup --config FILE ...\n", stderr);
        return 2;
    }
    if (!command_parse_sources(argc - 1, argv + 1, &sources))
        return 2;
    configuration = configuration_load(sources.items, sources.count, &errors);
    command_print_errors(&errors);
    if (configuration != NULL)
        status = set_up_all(configuration);
    configuration_destroy(configuration);
    arena_fini(&arena);
    return status;
}
