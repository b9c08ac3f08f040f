/* Error messages: formatted into the caller's struct, cut when too long. */
#include "collector/base/error.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

bool fail(struct error *err, const char *format, ...)
{
    va_list arguments;

    if (err == NULL)
        return false;
    va_start(arguments, format);
    vsnprintf(err->message, sizeof(err->message), format, arguments);
    va_end(arguments);
    return false;
}

bool fail_within(struct error *err, const char *format, ...)
{
    struct error inner;
    va_list arguments;
    size_t used;

    if (err == NULL)
        return false;
    inner = *err;
    va_start(arguments, format);
    vsnprintf(err->message, sizeof(err->message), format, arguments);
    va_end(arguments);
    used = strlen(err->message);
    snprintf(err->message + used, sizeof(err->message) - used, ": %.*s", (int)sizeof(inner.message), inner.message);
    return false;
}
