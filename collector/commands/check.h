/* What `weir check scrape` asks of the receiver that scrapes. */
#ifndef WEIR_COLLECTOR_COMMANDS_CHECK_H
#define WEIR_COLLECTOR_COMMANDS_CHECK_H

#include "collector/base/buffer.h"
#include "collector/base/error.h"

/* Scrapes the URL once, and appends what it gives and what is wrong with it. false with the error when a scrape of it would fail. */
bool scrape_check(const char *url, struct buffer *report, struct error *err);

#endif
