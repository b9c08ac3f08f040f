/*
 * Actions on attributes: the OpenTelemetry Collector's insert, update, upsert, delete, hash, extract and convert, for the
 * processors attributes and resource.
 */
#ifndef WEIR_PROCESSORS_ATTRIBUTE_ACTIONS_H
#define WEIR_PROCESSORS_ATTRIBUTE_ACTIONS_H

#include "collector/base/arena.h"
#include "collector/processors/attribute_splice.h"
#include "collector/processors/batch_rewrite.h"

struct attribute_action_settings {
    const char *key, *action;
    const struct config_node *value, *default_value;
    const char *from_attribute, *from_context, *pattern, *converted_type;
};

extern const struct option attribute_action_options[];

struct attribute_action;

struct attribute_actions {
    struct arena arena;
    struct attribute_action *items;
    size_t count;
    struct attribute_splice splice; /* the keys of all actions; their steps, when all are constants and deletions */
    bool finds, splices;            /* does it know all keys? all steps? */
    struct evp_md_st *sha256;       /* owned; NULL until an action needs it */
};

/* What became of a message. */
struct attribute_change {
    bool spliced; /* else it is in worker->edit */
    struct splice_result splice;
};

/* The settings' list (struct attribute_action_settings); `key` is what it is called there. False with the error. Start-up only. */
bool attribute_actions_init(struct attribute_actions *actions, const struct option_list *list, const char *key, struct error *err);
/* Fini of a zeroed one is fine. */
void attribute_actions_fini(struct attribute_actions *actions);

/* A message that the actions are run on. */
struct attribute_target {
    struct slice message;
    uint32_t attributes_field;
};

/* Runs the actions; true when they change the message. `change` borrows from it, and from worker->edit, until the next run. */
bool attribute_actions_run(const struct attribute_actions *actions, struct rewrite_worker *worker, const struct attribute_target *target,
    struct attribute_change *change);
/* Appends the changed message as field `number`. */
void attribute_change_write(
    const struct attribute_change *change, const struct rewrite_worker *worker, uint32_t number, struct buffer *out);

#endif
