/* What the SDK says about itself: to the application's function, else one line on standard error. */
#ifndef WEIR_SDK_DIAG_H
#define WEIR_SDK_DIAG_H

#include "sdk/include/weir/setup.h"

/* Where messages go and from which level on; before the first call: standard error, info. */
void diag_configure(weir_level level, weir_diag_fn function, void *user);

/* Cut at 500 bytes. Callers limit their own rate. */
void diag(weir_level level, const char *format, ...) __attribute__((format(printf, 2, 3)));

void diag_after_fork_child(void);

#endif
