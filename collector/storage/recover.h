/* What a journal does when it is opened. Private to the journal. */
#ifndef WEIR_STORAGE_RECOVER_H
#define WEIR_STORAGE_RECOVER_H

#include "collector/storage/segment.h"

/* Lists the segments, cuts the torn tail of the last one, sets the reader to the first. False only when the folder cannot be read. */
bool journal_recover(struct journal *journal, struct error *err);

/* Keeps damaged bytes for a person to look at; the file is bounded. */
void journal_quarantine(struct journal *journal, const struct segment *segment, uint64_t offset, struct slice bytes);

#endif
