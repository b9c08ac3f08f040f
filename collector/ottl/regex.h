/*
 * Regular expressions with RE2's syntax and meaning, matched by PCRE2. What RE2 refuses (back references, look-around, recursion
 * ...) is refused; a match that takes too many steps is an error and not a hang. For collector/ottl, and for components with
 * settings in RE2's syntax.
 */
#ifndef WEIR_OTTL_REGEX_H
#define WEIR_OTTL_REGEX_H

#include "collector/base/buffer.h"
#include "collector/base/error.h"

struct ottl_regex;   /* compiled; immutable */
struct ottl_matcher; /* what one thread needs to match */

struct ottl_regex *ottl_regex_create(struct slice pattern, struct error *err);
void ottl_regex_destroy(struct ottl_regex *regex);

/* NULL when memory is out. */
struct ottl_matcher *ottl_matcher_create(void);
void ottl_matcher_destroy(struct ottl_matcher *matcher);

enum ottl_match { OTTL_NO_MATCH, OTTL_MATCH, OTTL_MATCH_FAILED };
enum ottl_match ottl_regex_match(const struct ottl_regex *regex, struct ottl_matcher *matcher, struct slice text, size_t from);

/* Of the last match: the group's bounds within the text; false when it took no part. Group 0 is the whole. */
bool ottl_regex_group(const struct ottl_matcher *matcher, size_t group, size_t *start, size_t *end);

size_t ottl_regex_group_count(const struct ottl_regex *regex); /* without the whole */
/* "" when the group has no name. */
struct slice ottl_regex_group_name(const struct ottl_regex *regex, size_t group);

/* Appends `replacement` with $1, ${1}, $name and ${name} replaced by what the groups of the last match in `text` hold; $$ is $. */
void ottl_regex_expand(
    const struct ottl_regex *regex, const struct ottl_matcher *matcher, struct slice text, struct slice replacement, struct buffer *out);

#endif
