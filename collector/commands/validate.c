/* weir validate: reads and checks a configuration; opens nothing. */
#include <stdio.h>

#include "collector/commands.h"
#include "collector/configuration.h"

int command_validate(int argc, char **argv)
{
    struct command_sources sources;
    struct arena arena = { 0 };
    struct config_errors errors = { .arena = &arena };
    struct configuration *configuration;
    bool fine;

    if (!command_parse_sources(argc, argv, &sources))
        return 2;
    configuration = configuration_load(sources.items, sources.count, &errors);
    fine = configuration != NULL;
    command_print_errors(&errors);
    if (fine)
        puts("ok");
    configuration_destroy(configuration);
    arena_fini(&arena);
    return fine ? 0 : 1;
}
