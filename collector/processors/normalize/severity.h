/* Severities of log records: words of many systems, and OpenTelemetry's numbers. */
#ifndef WEIR_PROCESSORS_NORMALIZE_SEVERITY_H
#define WEIR_PROCESSORS_NORMALIZE_SEVERITY_H

#include "collector/base/slice.h"

/* 1 to 24; 0 when the word is not known. Case does not count, nor what stands around it: "[warning]", "INFO ". */
uint32_t severity_number_of(struct slice text);

/* "INFO", "WARN2"; NULL when the number is none of 1 to 24. */
const char *severity_text_of(uint32_t number);

#endif
