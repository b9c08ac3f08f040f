/* Fields: `body`, `body.message`, `attributes["log.file.name"]`, `resource.host`. Where operators read and write. */
#ifndef WEIR_STANZA_FIELD_H
#define WEIR_STANZA_FIELD_H

#include "collector/base/arena.h"
#include "collector/base/error.h"
#include "collector/stanza/value.h"

enum stanza_root { STANZA_BODY, STANZA_ATTRIBUTES, STANZA_RESOURCE };

struct stanza_field {
    enum stanza_root root;
    const struct slice *keys; /* in the arena */
    size_t count;
};

bool stanza_field_parse(struct arena *arena, const char *text, struct stanza_field *field, struct error *err);

/* False when there is nothing. The value is the record's own. */
bool stanza_field_get(const struct stanza_record *record, const struct stanza_field *field, struct stanza_value *value);
/* Maps are merged into what is there; maps on the way are made, in the place of other values too. `problem` (static) says why not. */
bool stanza_field_set(struct stanza_record *record, const struct stanza_field *field, struct stanza_value value, const char **problem);
bool stanza_field_remove(struct stanza_record *record, const struct stanza_field *field, struct stanza_value *removed);

#endif
