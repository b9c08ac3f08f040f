/* The otlp receiver, started by hand in front of a sink that answers as it is told. For the tests of both protocols. */
#ifndef WEIR_TESTS_OTLP_BENCH_H
#define WEIR_TESTS_OTLP_BENCH_H

#include "collector/accounts.h"
#include "collector/base/clock.h"
#include "collector/instance.h"
#include "collector/net/loop.h"
#include "collector/wire/protobuf.h"
#include "receivers/otlp/otlp.h"

#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>

#include <setjmp.h>
#include <stdarg.h>
#include <cmocka.h>

extern const struct component_type otlp_receiver;

/* ---- the sink ---- */

struct sink {
    struct component base;
    pthread_mutex_t lock;
    struct outcome outcome;
    bool hold; /* keep the batch instead of settling it */
    struct batch *held;
    size_t batches, records;
    struct buffer bytes; /* of the last batch */
    char metadata[64];   /* its "x-tenant" */
};

static inline void sink_consume(struct consumer *consumer, struct batch *batch)
{
    struct sink *sink = (struct sink *)consumer;
    struct slice bytes, tenant = metadata_get(batch->metadata, "x-tenant", 0);
    struct buffer scratch = { 0 };
    struct outcome outcome;

    pthread_mutex_lock(&sink->lock);
    bytes = batch_flatten(batch, &scratch);
    buffer_clear(&sink->bytes);
    buffer_append_slice(&sink->bytes, bytes);
    buffer_fini(&scratch);
    snprintf(sink->metadata, sizeof(sink->metadata), "%.*s", SLICE_PRINT(tenant));
    sink->batches++;
    sink->records += batch->records;
    outcome = sink->outcome;
    if (sink->hold) {
        sink->held = batch;
        batch = NULL;
    }
    pthread_mutex_unlock(&sink->lock);
    batch_settle(batch, outcome);
}

static const struct component_type sink_type = { .name = "sink", .kind = COMPONENT_EXPORTER, .signals = SIGNALS_ALL };

/* ---- a receiver that is running ---- */

struct bench {
    struct otlp *otlp;
    struct instance instance;
    struct arena arena;
    struct sink sink;
};

static inline bool fill(struct bench *bench, const char *yaml)
{
    struct config_errors errors = { .arena = &bench->arena };
    struct config_source source = { arena_printf(&bench->arena, "yaml:%s", yaml), false };
    const struct option_target target = { bench->otlp, &bench->arena, &errors };

    return option_fill(otlp_receiver.options, config_load(&bench->arena, &source, 1, &errors), "receivers.otlp", &target);
}

static inline void bench_begin(struct bench *bench, const char *yaml)
{
    *bench = (struct bench){ .otlp = calloc(1, sizeof(struct otlp)) };
    assert_true(fill(bench, yaml));
    bench->instance.component = &bench->otlp->base;
    bench->otlp->base.type = &otlp_receiver;
    bench->otlp->base.id = "otlp";
    bench->otlp->base.path = "receivers.otlp";
    bench->otlp->base.instance = &bench->instance;
    accounts_create(&bench->otlp->base);
    bench->sink.base.type = &sink_type;
    bench->sink.base.consumer = (struct consumer){ sink_consume, &bench->sink.base };
    pthread_mutex_init(&bench->sink.lock, NULL);
    for (int i = 0; i < SIGNAL_COUNT; i++)
        bench->otlp->base.next[i] = i == SIGNAL_METRICS ? NULL : &bench->sink.base.consumer;
}

static inline void bench_start(struct bench *bench, const char *yaml)
{
    struct error err = { "" };

    bench_begin(bench, yaml);
    if (!otlp_receiver.validate(&bench->otlp->base, &err) || !otlp_receiver.start(&bench->otlp->base, &err))
        print_error("%s\n", err.message);
    assert_string_equal(err.message, "");
}

static inline void bench_end(struct bench *bench)
{
    if (bench->otlp != NULL) {
        otlp_receiver.stop(&bench->otlp->base);
        accounts_destroy(&bench->otlp->base);
        free(bench->otlp);
    }
    buffer_fini(&bench->sink.bytes);
    pthread_mutex_destroy(&bench->sink.lock);
    arena_fini(&bench->arena);
}

static inline int start_loops(void **state)
{
    struct error err;

    (void)state;
    return loops_start(2, &err) ? 0 : -1;
}

static inline int stop_loops(void **state)
{
    (void)state;
    loops_stop();
    return 0;
}

/* ---- an extension that lets pass who says "x-key: open" ---- */

static inline bool check_key(struct component *extension, const struct auth_request *request, struct error *err)
{
    (void)extension;
    return slice_equal_string(request->header(request->context, "x-key", 0), "open") || (fail)(err, "no key");
}

static const struct authenticator key_authenticator = { .check = check_key };
static const struct component_type key_type = { .name = "key", .kind = COMPONENT_EXTENSION, .authenticator = &key_authenticator };
static struct component key_extension = { .type = &key_type };

/* ---- payloads ---- */

/* `count` spans with that name. */
static inline struct buffer traces(size_t count, struct slice name)
{
    struct buffer out = { 0 };
    size_t group = pb_open(&out, 1), scope = pb_open(&out, 2);

    for (size_t i = 0; i < count; i++) {
        size_t span = pb_open(&out, 2);

        pb_put_bytes(&out, 1, SLICE("0123456789abcdef"));
        pb_put_bytes(&out, 2, SLICE("01234567"));
        pb_put_bytes(&out, 5, name);
        pb_close(&out, span);
    }
    pb_close(&out, scope);
    pb_close(&out, group);
    return out;
}

#endif
