/*
 * hiredis: a client span for each Redis command. OpenTelemetry semantic conventions: database client spans, Redis.
 * Link -lweir_contrib_hiredis -lhiredis -lweir.
 *
 * The arguments of a command are not recorded: db.query.text is "SET ? ?".
 */
#ifndef WEIR_CONTRIB_HIREDIS_H
#define WEIR_CONTRIB_HIREDIS_H

#include <stdarg.h>
#include <hiredis/hiredis.h>

#include "weir/weir.h"

#ifdef __cplusplus
extern "C" {
#endif

/* In place of redisCommand, redisvCommand and redisCommandArgv on a blocking connection, with their results; the span is ended when they return. */
WEIR_API void *weir_hiredis_command(redisContext *redis, const char *format, ...);
WEIR_API void *weir_hiredis_vcommand(redisContext *redis, const char *format, va_list arguments);
WEIR_API void *weir_hiredis_command_argv(redisContext *redis, int argc, const char **argv, const size_t *argvlen);

/*
 * Begins a span for what those do not cover, as a child of the current context, which stays current: a command of the asynchronous
 * interface (redis is &async->c), a pipeline, a script. `text` is a command as redisCommand's format has it: its first word names the span.
 */
WEIR_API void weir_hiredis_begin(weir_span *span, const redisContext *redis, const char *text);

/* The same for `count` commands of a pipeline: "PIPELINE", or with `text`, which may be NULL, "PIPELINE SET". */
WEIR_API void weir_hiredis_begin_pipeline(weir_span *span, const redisContext *redis, size_t count, const char *text);

/* Ends it with the reply, on any thread: NULL is a failed connection, whose error is in `redis`; an error reply becomes the span's. */
WEIR_API void weir_hiredis_end(weir_span *span, const redisContext *redis, const redisReply *reply);

#ifdef __cplusplus
}
#endif
#endif
