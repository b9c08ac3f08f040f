/*
 * User agents by the rules of uap-core, which are read when the first statement of a configuration asks for them, and kept.
 * Internal to collector/ottl.
 */
#ifndef WEIR_OTTL_USER_AGENT_H
#define WEIR_OTTL_USER_AGENT_H

#include "collector/ottl/machine.h"

/* Start-up; false when the rules are not installed, or are not what they should be. */
bool ottl_user_agent_load(struct error *err);

/* Appends the name, "Other" when no rule fits, and "major.minor.patch" as far as it is known. False when a rule took too many steps. */
bool ottl_user_agent_of(struct ottl_machine *machine, struct slice text, struct buffer *name, struct buffer *version);

#endif
