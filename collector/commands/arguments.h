/* The command lines of the commands that take operands and options: "--name value", "--name=value", "--flag", "--" ends them. */
#ifndef WEIR_COLLECTOR_COMMANDS_ARGUMENTS_H
#define WEIR_COLLECTOR_COMMANDS_ARGUMENTS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "collector/wire/signal.h"

enum { COMMAND_VALUES_MAX = 32 };

/* Of an option that may be given several times. */
struct command_values {
    const char *items[COMMAND_VALUES_MAX];
    size_t count;
};

/* One of the three tells what is to be set. A table ends with a NULL name. */
struct command_option {
    const char *name; /* "--format" */
    const char **value;
    bool *flag;
    struct command_values *values;
};

enum { ARGUMENTS_HELP = -1, ARGUMENTS_WRONG = -2 };

/*
 * Sets what the options say and moves the operands to argv[1]..., whose number is returned. ARGUMENTS_HELP: --help was
 * asked for. ARGUMENTS_WRONG: what is wrong was said on standard error.
 */
int command_arguments(int argc, char **argv, const struct command_option *options);

/* The number of `text` in a NULL-terminated list of words; -1, said on standard error, when it is none of them. */
int command_word(const char *option, const char *text, const char *const *words);

/* "traces", "metrics", "logs", "profiles"; as above. */
bool command_signal(const char *option, const char *text, enum signal *signal);

/* A whole number from 1 up; as above. */
bool command_number(const char *option, const char *text, uint64_t *number);

#endif
