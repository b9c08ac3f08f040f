/* Single values of options: from a node to a field, with the sentence that says what is wrong. */
#ifndef WEIR_CONFIG_OPTION_VALUE_H
#define WEIR_CONFIG_OPTION_VALUE_H

#include "collector/config/option.h"

/* Where a value stands, for errors; put together only when there is one. */
struct option_spot {
    struct config_errors *errors;
    struct arena *arena;
    const char *path; /* of what is around it */
    const char *key;  /* NULL: path is the whole */
};

/* Adds an error at the value; returns false. */
bool option_refuse(const struct option_spot *spot, const struct config_node *node, const char *format, ...)
    __attribute__((format(printf, 3, 4)));

/* "the number 5", "a map", "nothing" */
const char *option_describe(struct arena *arena, const struct config_node *node);

/* What a string option takes of the value; NULL when that is no string. */
const char *option_string_of(const struct config_node *node);

/* BOOL, INT, DOUBLE, DURATION, STRING, SECRET, ENUM, ID: parses, checks the range, stores. */
bool option_set_value(const struct option *option, const struct config_node *node, void *field, const struct option_spot *spot);

/* The index of a word in "a|b|c", in any case; -1: none. */
int option_word_index(const char *words, const char *word);

/* "a|b|c" as a NULL-terminated array, and as text: "a, b, c". */
const char *const *option_words(struct arena *arena, const char *words);
const char *option_words_text(struct arena *arena, const char *words);

/* Is this the value of `def`, whatever way it is written? For keys that have nothing but their default. */
bool option_is_default(const char *def, const struct config_node *node);

#endif
