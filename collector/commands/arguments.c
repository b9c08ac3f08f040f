/* Command lines: options anywhere among the operands. */
#include "collector/commands/arguments.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const struct command_option *find(const struct command_option *options, const char *argument)
{
    size_t length = strcspn(argument, "=");

    for (; options->name != NULL; options++)
        if (strlen(options->name) == length && memcmp(options->name, argument, length) == 0)
            return options;
    return NULL;
}

static bool set_value(const struct command_option *option, const char *value)
{
    if (option->value != NULL) {
        *option->value = value;
        return true;
    }
    if (option->values->count == COMMAND_VALUES_MAX) {
        fprintf(stderr, "weir: %s: more than %d of them\n", option->name, COMMAND_VALUES_MAX);
        return false;
    }
    option->values->items[option->values->count++] = value;
    return true;
}

/* argv[*at] is an option. */
static bool set_option(int argc, char **argv, int *at, const struct command_option *options)
{
    const struct command_option *option = find(options, argv[*at]);
    const char *equals = strchr(argv[*at], '=');

    if (option == NULL) {
        fprintf(stderr, "weir %s: \"%s\" is not an option\n", argv[0], argv[*at]);
        return false;
    }
    if (option->flag != NULL && equals != NULL) {
        fprintf(stderr, "weir %s: %s takes no value\n", argv[0], option->name);
        return false;
    }
    if (option->flag != NULL) {
        *option->flag = true;
        return true;
    }
    if (equals == NULL && *at + 1 == argc) {
        fprintf(stderr, "weir %s: %s needs a value\n", argv[0], option->name);
        return false;
    }
    return set_value(option, equals != NULL ? equals + 1 : argv[++*at]);
}

int command_arguments(int argc, char **argv, const struct command_option *options)
{
    bool only_operands = false;
    int operands = 0;

    for (int at = 1; at < argc; at++) {
        bool is_option = !only_operands && argv[at][0] == '-' && argv[at][1] != '\0';

        if (!is_option) {
            argv[++operands] = argv[at];
            continue;
        }
        if (strcmp(argv[at], "--help") == 0 || strcmp(argv[at], "-h") == 0)
            return ARGUMENTS_HELP;
        if (strcmp(argv[at], "--") == 0)
            only_operands = true;
        else if (!set_option(argc, argv, &at, options))
            return ARGUMENTS_WRONG;
    }
    return operands;
}

int command_word(const char *option, const char *text, const char *const *words)
{
    for (int i = 0; words[i] != NULL; i++)
        if (strcmp(words[i], text) == 0)
            return i;
    fprintf(stderr, "weir: %s: \"%s\" is none of", option, text);
    for (int i = 0; words[i] != NULL; i++)
        fprintf(stderr, "%s %s", i > 0 ? "," : "", words[i]);
    fputc('\n', stderr);
    return -1;
}

bool command_signal(const char *option, const char *text, enum signal *signal)
{
    static const char *const words[] = { "traces", "metrics", "logs", "profiles", NULL };
    int number = command_word(option, text, words);

    if (number >= 0)
        *signal = (enum signal)number;
    return number >= 0;
}

bool command_number(const char *option, const char *text, uint64_t *number)
{
    char *end;

    errno = 0;
    *number = strtoull(text, &end, 10);
    if (errno == 0 && *text >= '0' && *text <= '9' && *end == '\0' && *number > 0)
        return true;
    fprintf(stderr, "weir: %s: expected a number from 1 up, not \"%s\"\n", option, text);
    return false;
}
