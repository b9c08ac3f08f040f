/*
 * Apache's htpasswd: lines of "user:hash", where the hash is bcrypt ($2y$...), Apache's MD5 ($apr1$...), {SHA}, another of
 * crypt(3) ($5$, $6$ ...), or the password itself. I/O-free; any thread.
 */
#ifndef WEIR_COLLECTOR_EXTENSIONS_HTPASSWD_H
#define WEIR_COLLECTOR_EXTENSIONS_HTPASSWD_H

#include "collector/base/error.h"
#include "collector/base/slice.h"

enum { HTPASSWD_PASSWORD_MAX = 256 }; /* longer ones never match */

/* Says which line is neither empty, a comment nor user:hash, or has a hash that cannot be checked. */
bool htpasswd_check(struct slice text, struct error *err);

/* The hash of the user's last line, borrowed from the text; false when there is none. */
bool htpasswd_find(struct slice text, struct slice user, struct slice *hash);

/* Does checking it take milliseconds (bcrypt and its like)? */
bool htpasswd_is_slow(struct slice hash);

/* Is that the password? The time does not tell by how much it is wrong. */
bool htpasswd_verify(struct slice hash, struct slice password);

#endif
