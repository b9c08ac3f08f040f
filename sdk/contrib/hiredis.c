/*
 * Redis commands of hiredis. Costs one pass over the command's format; no allocation. db.namespace is left out: the connection does not
 * know which database it has selected. Threads: those of the connection; ends on any.
 */
#include "weir/contrib/hiredis.h"

#include <errno.h>
#include <stdio.h>

enum { WORD_MAX = 32, TEXT_MAX = 256, NUMBERED_ARGUMENTS = 64 };

WEIR_SCOPE(scope, "weir.contrib.hiredis", WEIR_VERSION);

struct command {
    weir_str name;
    size_t arguments; /* behind the name */
    size_t batch;     /* commands of a pipeline; 0: none */
};

static size_t word_size(const char *text)
{
    return strcspn(text, " ");
}

/* Spaces separate arguments in a format, and never stand in one. */
static struct command command_of(const char *text)
{
    struct command command = { .name = { "", 0 } };

    text += strspn(text, " ");
    command.name = weir_sn(text, word_size(text));
    for (text += command.name.n; *(text += strspn(text, " ")) != '\0'; text += word_size(text))
        command.arguments++;
    return command;
}

/* A name that is no word may be anything, so it is not shown. */
static bool is_word(weir_str name)
{
    for (size_t i = 0; i < name.n; i++) {
        char c = name.p[i];
        if (!((c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '_' || c == '.' || c == '-'))
            return false;
    }
    return name.n != 0 && name.n <= WORD_MAX;
}

/* "SET ? ?" */
static size_t query_text(const struct command *command, char out[TEXT_MAX])
{
    size_t used = (size_t)snprintf(out, TEXT_MAX, "%.*s", (int)command->name.n, command->name.p);

    for (size_t i = 0; i < command->arguments && i < NUMBERED_ARGUMENTS; i++) {
        out[used++] = ' ';
        out[used++] = '?';
    }
    if (command->arguments > NUMBERED_ARGUMENTS)
        used += (size_t)snprintf(out + used, TEXT_MAX - used, " ...");
    return used;
}

static size_t set_server(weir_attr *attrs, const redisContext *redis)
{
    if (redis->connection_type == REDIS_CONN_UNIX && redis->unix_sock.path != NULL) {
        attrs[0] = WEIR_KV("server.address", (const char *)redis->unix_sock.path);
        attrs[1] = WEIR_KV("network.transport", "unix");
        return 2;
    }
    if (redis->connection_type != REDIS_CONN_TCP || redis->tcp.host == NULL)
        return 0;
    attrs[0] = WEIR_KV("server.address", (const char *)redis->tcp.host);
    attrs[1] = WEIR_KV("server.port", redis->tcp.port);
    return 2;
}

static void begin(weir_span *span, const redisContext *redis, struct command command)
{
    char operation[WORD_MAX + 16], text[TEXT_MAX];
    weir_attr attrs[6] = { WEIR_KV("db.system.name", "redis") };
    size_t count = 1;
    weir_span_opts opts = { .size = sizeof(opts), .kind = WEIR_CLIENT, .no_activate = true };

    if (!is_word(command.name))
        command.name = command.batch != 0 ? weir_z("") : WEIR_S("_OTHER");
    snprintf(operation, sizeof(operation), "%s%s%.*s", command.batch != 0 ? "PIPELINE" : "",
        command.batch != 0 && command.name.n != 0 ? " " : "", (int)command.name.n, command.name.p);
    attrs[count++] = WEIR_KV("db.operation.name", (const char *)operation);
    if (command.batch == 0)
        attrs[count++] = WEIR_KV("db.query.text", weir_sn(text, query_text(&command, text)));
    else if (command.batch > 1)
        attrs[count++] = WEIR_KV("db.operation.batch.size", command.batch);
    count += set_server(attrs + count, redis);
    opts.attrs = weir_attrs_of(attrs, count);
    weir_span_begin(span, &scope, weir_z(operation), &opts);
}

void weir_hiredis_begin(weir_span *span, const redisContext *redis, const char *text)
{
    begin(span, redis, command_of(text));
}

void weir_hiredis_begin_pipeline(weir_span *span, const redisContext *redis, size_t count, const char *text)
{
    struct command command = text != NULL ? command_of(text) : (struct command){ .name = { "", 0 } };

    command.batch = count != 0 ? count : 1;
    begin(span, redis, command);
}

/* ---- ends ---- */

static const char *failure_of(const redisContext *redis)
{
    switch (redis->err) {
#ifdef REDIS_ERR_TIMEOUT /* from 1.0 on */
    case REDIS_ERR_TIMEOUT:
        return "timeout";
#endif
    case REDIS_ERR_IO:
        return errno == EAGAIN || errno == ETIMEDOUT ? "timeout" : "REDIS_ERR_IO";
    case REDIS_ERR_EOF:
        return "REDIS_ERR_EOF";
    case REDIS_ERR_PROTOCOL:
        return "REDIS_ERR_PROTOCOL";
    case REDIS_ERR_OOM:
        return "REDIS_ERR_OOM";
    default:
        return "_OTHER";
    }
}

void weir_hiredis_end(weir_span *span, const redisContext *redis, const redisReply *reply)
{
    if (reply == NULL) {
        WEIR_SET(span, "error.type", failure_of(redis));
        weir_span_status(span, WEIR_ERROR, weir_z(redis->errstr));
    } else if (reply->type == REDIS_REPLY_ERROR) {
        weir_str code = weir_sn(reply->str, word_size(reply->str)); /* the rest of the text may quote arguments */
        if (!is_word(code))
            code = WEIR_S("_OTHER");
        weir_span_set_all(span, WEIR_ATTRS(WEIR_KV("db.response.status_code", code), WEIR_KV("error.type", code)));
        weir_span_status(span, WEIR_ERROR, weir_z(NULL));
    }
    weir_span_end(span);
}

/* ---- commands ---- */

void *weir_hiredis_vcommand(redisContext *redis, const char *format, va_list arguments)
{
    weir_span span;

    begin(&span, redis, command_of(format));
    void *reply = redisvCommand(redis, format, arguments);
    weir_hiredis_end(&span, redis, (const redisReply *)reply);
    return reply;
}

void *weir_hiredis_command(redisContext *redis, const char *format, ...)
{
    va_list arguments;

    va_start(arguments, format);
    void *reply = weir_hiredis_vcommand(redis, format, arguments);
    va_end(arguments);
    return reply;
}

void *weir_hiredis_command_argv(redisContext *redis, int argc, const char **argv, const size_t *argvlen)
{
    struct command command = { .name = { "", 0 }, .arguments = argc > 1 ? (size_t)argc - 1 : 0 };
    weir_span span;

    if (argc > 0)
        command.name = argvlen != NULL ? weir_sn(argv[0], argvlen[0]) : weir_z(argv[0]);
    begin(&span, redis, command);
    void *reply = redisCommandArgv(redis, argc, argv, argvlen);
    weir_hiredis_end(&span, redis, (const redisReply *)reply);
    return reply;
}
