/* An echo server on an epoll loop: a connection's span lasts from its first to its last event, among those of other connections. */
#include <stdlib.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>
#include <weir/contrib/epoll.h>

WEIR_SCOPE(scope, "example.loop", "1.0.0");

struct connection {
    weir_epoll_source source; /* first, so that a source is a connection */
    weir_span span;
};

static int loop, open_connections;

static void finish(struct connection *connection)
{
    weir_span_end(&connection->span);
    weir_epoll_remove(loop, &connection->source);
    close(connection->source.fd);
    free(connection);
    open_connections--;
}

static void on_ready(weir_epoll_source *source, uint32_t events)
{
    struct connection *connection = (struct connection *)source;
    char text[64];
    ssize_t got = (events & EPOLLIN) != 0 ? read(source->fd, text, sizeof(text)) : 0;

    if (got <= 0) {
        finish(connection);
        return;
    }
    WEIR_SPAN(span, scope, "reply", WEIR_INTERNAL, NULL); /* a child of the connection's */
    if (write(source->fd, text, (size_t)got) != got)
        weir_span_status(&span, WEIR_ERROR, WEIR_S("short write"));
}

static bool serve(int fd)
{
    struct connection *connection = calloc(1, sizeof(*connection));
    weir_span_opts opts = { .size = sizeof(opts), .kind = WEIR_SERVER, .root = true, .no_activate = true };

    if (connection == NULL)
        return false;
    weir_span_begin(&connection->span, &scope, WEIR_S("echo"), &opts);
    connection->source.fd = fd;
    connection->source.ready = on_ready;
    open_connections++;
    if (weir_epoll_add(loop, &connection->source, EPOLLIN) != 0)
        return false;
    weir_epoll_keep(&connection->source, &connection->span.ctx);
    return true;
}

int main(void)
{
    int pairs[2][2];
    char text[64];

    loop = epoll_create1(EPOLL_CLOEXEC);
    if (loop < 0 || weir_init(NULL) != 0)
        return 1;
    for (int i = 0; i < 2; i++) {
        if (socketpair(AF_UNIX, SOCK_STREAM, 0, pairs[i]) != 0 || !serve(pairs[i][0]) || write(pairs[i][1], "hello", 5) != 5)
            return 1;
    }
    weir_epoll_dispatch(loop, 1000);
    for (int i = 0; i < 2; i++) {
        if (read(pairs[i][1], text, sizeof(text)) != 5)
            return 1;
        close(pairs[i][1]);
    }
    while (open_connections > 0)
        weir_epoll_dispatch(loop, 1000);
    close(loop);
    return weir_shutdown(5000) == 0 ? 0 : 2;
}
