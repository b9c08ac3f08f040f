/*
 * The commands of the weir program that need no running collector. argv[0] is the command's own name; the result is the
 * process's exit status: 0, 1 when the configuration (or what is looked at) has errors, 2 when the command line is wrong.
 */
#ifndef WEIR_COLLECTOR_COMMANDS_H
#define WEIR_COLLECTOR_COMMANDS_H

#include "collector/config/tree.h"

int command_validate(int argc, char **argv);     /* validate --config F... [--set a.b=c...] */
int command_components(int argc, char **argv);   /* components [--json] */
int command_print_config(int argc, char **argv); /* print-config --config F... [--set a.b=c...] */
int command_schema(int argc, char **argv);       /* schema */
int command_docs(int argc, char **argv);         /* docs FOLDER: writes FOLDER/KIND-NAME.md and FOLDER/README.md */

int command_test(int argc, char **argv);         /* test [--config F]... FILE...: runs the tests of rules */

int command_tap(int argc, char **argv);          /* tap [--endpoint URL] PIPELINE[/PROCESSOR]: looks into a running weir */

int command_queue(int argc, char **argv);        /* queue ls|stat|cat|replay|drop FOLDER... */
int command_cat(int argc, char **argv);          /* cat [--verbosity V] [--json] [--signal S] FILE... */
int command_trace(int argc, char **argv);        /* trace [--all] FILE... [TRACE_ID] */
/* elasticsearch setup --config F... [--set a.b=c...] */
int command_elasticsearch(int argc, char **argv);
int command_check(int argc, char **argv);        /* check scrape URL */
int command_elasticsearch(int argc, char **argv); /* elasticsearch setup --config F... [--set a.b=c...] */

/* ---- what they share ---- */

enum { COMMAND_SOURCES_MAX = 64 };

struct command_sources {
    struct config_source items[COMMAND_SOURCES_MAX];
    size_t count;
};

/* --config F, --config=F, F, --set a.b=c; at least one source. false: the command line is wrong, which was said on standard error. */
bool command_parse_sources(int argc, char **argv, struct command_sources *sources);

/* All errors and warnings, one a line, to standard error. */
void command_print_errors(const struct config_errors *errors);

#endif
