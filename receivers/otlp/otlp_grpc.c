/* OTLP over gRPC: four services, each with its one method, which is there when a pipeline takes the signal. */
#include "receivers/otlp/otlp.h"

static const struct {
    struct slice method;
    enum signal signal;
} methods[] = {
    { SLICE_INIT("/opentelemetry.proto.collector.trace.v1.TraceService/Export"), SIGNAL_TRACES },
    { SLICE_INIT("/opentelemetry.proto.collector.metrics.v1.MetricsService/Export"), SIGNAL_METRICS },
    { SLICE_INIT("/opentelemetry.proto.collector.logs.v1.LogsService/Export"), SIGNAL_LOGS },
    { SLICE_INIT("/opentelemetry.proto.collector.profiles.v1development.ProfilesService/Export"), SIGNAL_PROFILES },
};

static enum signal signal_of_method(struct slice method)
{
    for (size_t i = 0; i < sizeof(methods) / sizeof(methods[0]); i++)
        if (slice_equal(method, methods[i].method))
            return methods[i].signal;
    return SIGNAL_COUNT;
}

void otlp_grpc_answer(const struct otlp_request *request, const struct otlp_status *status)
{
    struct grpc_reply reply = { .status = status->code, .message = status->message, .retry_delay_ns = status->retry_delay_ns };

    grpc_reply(request->call, &reply);
}

static bool accept_call(void *context, struct grpc_call *call, struct error *err)
{
    struct otlp *self = context;
    enum signal signal = signal_of_method(grpc_call_method(call));

    if (!authenticator_check(self->grpc_authenticator, grpc_call_exchange(call), err)) {
        otlp_count_refused(self, signal < SIGNAL_COUNT ? signal : SIGNAL_TRACES, "unauthenticated");
        return false;
    }
    return signal < SIGNAL_COUNT && component_takes(&self->base, signal);
}

static void serve_call(void *context, struct grpc_call *call)
{
    struct otlp_request request = {
        .self = context, .signal = signal_of_method(grpc_call_method(call)), .encoding = OTLP_ENCODING_PROTOBUF, .call = call
    };

    otlp_take(&request, grpc_call_take_message(call));
}

static void refused(void *context, const char *method, const char *reason)
{
    enum signal signal = signal_of_method(slice_of_string(method));

    otlp_count_refused(context, signal < SIGNAL_COUNT ? signal : SIGNAL_TRACES, reason);
}

static void fault(void *context, const char *peer, const char *reason)
{
    otlp_count_fault(context, "grpc", peer, reason);
}

bool otlp_grpc_start(struct otlp *self, struct error *err)
{
    struct grpc_service service = {
        .context = self, .admission = { otlp_admit, self }, .accept = accept_call, .call = serve_call, .refused = refused, .fault = fault
    };
    struct grpc_server_settings settings;

    if (!authenticator_find(&self->base, self->grpc.auth.authenticator, &self->grpc_authenticator, err))
        return false;
    if (!grpc_listen_to_net(&self->grpc, &settings, err))
        return false;
    self->grpc_server = grpc_server_start(&settings, &service, err);
    return self->grpc_server != NULL;
}
