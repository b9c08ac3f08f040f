/* Sizes as configurations write them: 1048576, "1MiB", "1.5kb". */
#ifndef WEIR_STANZA_SIZE_H
#define WEIR_STANZA_SIZE_H

#include <stdint.h>

#include "collector/config/tree.h"

/* What an option of kind OPTION_ANY holds, or `otherwise` where it was not set. The error names the key. */
bool stanza_read_size(const char *key, const struct config_node *node, int64_t otherwise, int64_t *bytes, struct error *err);

#endif
