/* Requests as the commands print them: like the debug exporter, or as OTLP/JSON lines. */
#ifndef WEIR_COLLECTOR_COMMANDS_DISPLAY_H
#define WEIR_COLLECTOR_COMMANDS_DISPLAY_H

#include "collector/base/buffer.h"
#include "collector/wire/signal.h"

enum display { DISPLAY_BASIC, DISPLAY_NORMAL, DISPLAY_DETAILED, DISPLAY_JSON };

/* The number of a --verbosity; -1, said on standard error, when the word is none. */
int display_of_word(const char *option, const char *text);

/* Appends one well-formed request, and a line break. */
void display_request(enum display display, enum signal signal, struct slice request, struct buffer *out);

#endif
