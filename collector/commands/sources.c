/* The command line of the commands that read a configuration, and how they say what is wrong with it. */
#include <stdio.h>
#include <string.h>

#include "collector/commands.h"

static bool add_source(struct command_sources *sources, const char *text, bool is_set)
{
    if (sources->count == COMMAND_SOURCES_MAX) {
        fprintf(stderr, "weir: more than %d sources\n", COMMAND_SOURCES_MAX);
        return false;
    }
    sources->items[sources->count++] = (struct config_source){ text, is_set };
    return true;
}

/* The value of "--name value" or "--name=value"; NULL: this is not that option. "" and *missing: it has none. */
static const char *option_value(int argc, char **argv, int *i, const char *name)
{
    size_t length = strlen(name);

    if (strncmp(argv[*i], name, length) != 0)
        return NULL;
    if (argv[*i][length] == '=')
        return argv[*i] + length + 1;
    if (argv[*i][length] != '\0' || *i + 1 == argc)
        return NULL;
    return argv[++*i];
}

bool command_parse_sources(int argc, char **argv, struct command_sources *sources)
{
    *sources = (struct command_sources){ .count = 0 };
    for (int i = 1; i < argc; i++) {
        const char *config = option_value(argc, argv, &i, "--config");
        const char *set = config == NULL ? option_value(argc, argv, &i, "--set") : NULL;

        if (config == NULL && set == NULL && argv[i][0] == '-') {
            fprintf(stderr, "weir %s: \"%s\" is not an option, or has no value\n", argv[0], argv[i]);
            return false;
        }
        if (!add_source(sources, config != NULL ? config : set != NULL ? set : argv[i], set != NULL))
            return false;
    }
    if (sources->count == 0)
        fprintf(stderr, "usage: weir %s --config FILE [--config FILE ...] [--set KEY.KEY=VALUE ...]\n", argv[0]);
    return sources->count > 0;
}

void command_print_errors(const struct config_errors *errors)
{
    for (const struct config_error *error = errors->first; error != NULL; error = error->next)
        fprintf(stderr, "%s%s\n", error->warning ? "warning: " : "", error->text);
    if (errors->kept < errors->count + errors->warnings)
        fprintf(stderr, "and %zu more\n", errors->count + errors->warnings - errors->kept);
}
