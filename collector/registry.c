/* All components of this build. A new one is a line here, beside its file. */
#include "collector/registry.h"

#ifdef WEIR_KAFKA
extern const struct component_type kafka_receiver;
extern const struct component_type kafka_exporter;
#endif
extern const struct component_type fluent_forward_receiver;
extern const struct component_type lumberjack_receiver;
extern const struct component_type syslog_receiver;
extern const struct component_type tcp_log_receiver;
extern const struct component_type udp_log_receiver;
extern const struct component_type file_log_receiver;
extern const struct component_type otlp_receiver;
extern const struct component_type attributes_processor;
extern const struct component_type carbon_receiver;
extern const struct component_type host_metrics_receiver;
extern const struct component_type statsd_receiver;
extern const struct component_type zipkin_receiver;
extern const struct component_type prometheus_receiver;
extern const struct component_type batch_processor;
extern const struct component_type filter_processor;
extern const struct component_type memory_limiter_processor;
extern const struct component_type normalize_processor;
extern const struct component_type probabilistic_sampler_processor;
extern const struct component_type resource_processor;
extern const struct component_type resource_detection_processor;
extern const struct component_type tail_sampling_processor;
extern const struct component_type transform_processor;
extern const struct component_type forward_connector;
extern const struct component_type debug_exporter;
extern const struct component_type elasticsearch_exporter;
extern const struct component_type file_exporter;
extern const struct component_type nop_exporter;
extern const struct component_type otlp_grpc_exporter;
extern const struct component_type otlp_http_exporter;
extern const struct component_type syslog_exporter;
extern const struct component_type zipkin_exporter;
extern const struct component_type basicauth_extension;
extern const struct component_type bearertokenauth_extension;
extern const struct component_type file_storage_extension;
extern const struct component_type health_check_extension;
extern const struct component_type tap_extension;

const struct component_type *const registry[] = {
#ifdef WEIR_KAFKA
    &kafka_receiver,
    &kafka_exporter,
#endif
    &fluent_forward_receiver,
    &lumberjack_receiver,
    &syslog_receiver,
    &tcp_log_receiver,
    &udp_log_receiver,
    &file_log_receiver,
    &otlp_receiver,
    &attributes_processor,
    &carbon_receiver,
    &host_metrics_receiver,
    &statsd_receiver,
    &zipkin_receiver,
    &prometheus_receiver,
    &batch_processor,
    &filter_processor,
    &memory_limiter_processor,
    &normalize_processor,
    &probabilistic_sampler_processor,
    &resource_processor,
    &resource_detection_processor,
    &tail_sampling_processor,
    &transform_processor,
    &forward_connector,
    &debug_exporter,
    &elasticsearch_exporter,
    &file_exporter,
    &nop_exporter,
    &otlp_grpc_exporter,
    &otlp_http_exporter,
    &syslog_exporter,
    &zipkin_exporter,
    &basicauth_extension,
    &bearertokenauth_extension,
    &file_storage_extension,
    &health_check_extension,
    &tap_extension,
    NULL,
};
