/*
 * Where the tap can be turned to: the pipelines that run and their processors, kept here for whoever asks from another thread than the one that
 * reloads. Threads: any; a lock of its own.
 */
#ifndef WEIR_COLLECTOR_TAP_PLACES_H
#define WEIR_COLLECTOR_TAP_PLACES_H

#include "collector/configuration.h"

enum { TAP_NAME_MAX = 256 };

struct tap_place {
    char pipeline[TAP_NAME_MAX], processor[TAP_NAME_MAX]; /* processor "": the whole pipeline */
    char first[TAP_NAME_MAX], last[TAP_NAME_MAX];         /* processors of the pipeline */
};

/* These run now; NULL: none do. Copies what it needs. */
void tap_places_set(const struct configuration *configuration);

/* "traces/2" or "traces/2/filter/a". False: there is no such pipeline with processors, or no such processor in it. */
bool tap_places_find(struct slice target, struct tap_place *place);

/* Appends all of them, a line each, indented. */
void tap_places_list(struct buffer *out);

#endif
