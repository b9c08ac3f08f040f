/* The OpenTelemetry Collector's component types by kind, and those that it has given up with what took their place. Tables only. */
#include "collector/component_names.h"

#include <string.h>

static const struct removed {
    enum component_kind kind;
    const char *type, *hint;
} removed[] = {
    { COMPONENT_RECEIVER, "opencensus", "send OTLP to the otlp receiver" },
    { COMPONENT_RECEIVER, "sapm", "send OTLP to the otlp receiver" },
    { COMPONENT_PROCESSOR, "routing", "it is a connector now: move it to connectors" },
    { COMPONENT_PROCESSOR, "spanmetrics", "it is a connector now: span_metrics under connectors" },
    { COMPONENT_PROCESSOR, "servicegraph", "it is a connector now: service_graph under connectors" },
    { COMPONENT_PROCESSOR, "datadog", "it is a connector now: move it to connectors" },
    { COMPONENT_PROCESSOR, "queued_retry", "every exporter has sending_queue and retry_on_failure" },
    { COMPONENT_EXPORTER, "logging", "use debug" },
    { COMPONENT_EXPORTER, "jaeger", "Jaeger takes OTLP: use otlp_grpc" },
    { COMPONENT_EXPORTER, "jaeger_thrift", "Jaeger takes OTLP: use otlp_http" },
    { COMPONENT_EXPORTER, "opencensus", "use otlp_grpc" },
    { COMPONENT_EXPORTER, "sapm", "use otlp_http" },
    { COMPONENT_EXPORTER, "loki", "Loki takes OTLP: use otlp_http with the endpoint http://HOST:3100/otlp" },
    { COMPONENT_EXPORTER, "dynatrace", "Dynatrace takes OTLP: use otlp_http" },
    { COMPONENT_EXPORTER, "tanzuobservability", "use otlp_grpc" },
    { COMPONENT_EXPORTER, "skywalking", "SkyWalking takes OTLP: use otlp_grpc" },
    { COMPONENT_EXPORTER, "parquet", "use file" },
    { COMPONENT_EXTENSION, "memory_ballast", "leave it out: weir needs none" },
    { COMPONENT_EXTENSION, "ballast", "leave it out: weir needs none" },
    { COMPONENT_EXTENSION, "fluentbit", "run Fluent Bit as a service of its own" },
};

/* One space before and after each name, so that a name is found whole. */
static const char *const elsewhere[COMPONENT_KIND_COUNT] = {
    [COMPONENT_RECEIVER] =
        " otlp active_directory_ds aerospike apache apache_spark apachespark aws_cloudwatch awscloudwatch awscontainerinsightreceiver "
        "awsecscontainermetrics awsfirehose awslambda awss3 awsxray azureblob azure_event_hub azureeventhub azure_monitor azuremonitor "
        "bigip carbon chrony cisco_os ciscoos cloud_foundry cloudflare cloudfoundry collectd couchdb datadog docker_stats dockerstats "
        "elasticsearch envoyals expvar faro file_log file_stats filelog filestats flinkmetrics fluent_forward fluentforward github gitlab "
        "googlecloudmonitoring googlecloudpubsub googlecloudpubsub_push googlecloudspanner haproxy host_metrics hostmetrics http_check "
        "httpcheck huaweicloudces icmpcheck iis influxdb jaeger jmx journald k8s_cluster k8s_events k8s_objects k8slog k8sobjects kafka "
        "kafka_metrics kafkametrics kubelet_stats kubeletstats libhoney loki macosunifiedlogging memcached mongodb mongodb_atlas "
        "mongodbatlas mysql named_pipe namedpipe netflow netscaler nginx nop nsxt ntp oracledb osquery otelarrow otlp_json_file "
        "otlpjsonfile "
        "podman_stats postgresql prometheus prometheus_remote_write prometheus_simple prometheusremotewrite pulsar purefa purefb rabbitmq "
        "receiver_creator redfish redis riak saphana signalfx simple_prometheus skywalking snmp snowflake solace splunk_enterprise "
        "splunk_hec splunkenterprise sql_query sqlquery sqlserver ssh_check sshcheck statsd stef syslog systemd tcp_check tcp_log tcpcheck "
        "tcplog tls_check tlscheck udp_log udplog vcenter wavefront webhookevent windows_event_log windows_service "
        "windowseventlog windowsperfcounters windowsservice yanggrpc zipkin zookeeper ",
    [COMPONENT_PROCESSOR] =
        " batch memory_limiter attributes coralogix cumulative_to_delta cumulativetodelta deltatocumulative deltatorate dns_lookup "
        "dnslookup "
        "experimental_metricsgeneration filter geoip groupbyattrs groupbytrace interval isolation_forest isolationforest k8s_attributes "
        "k8sattributes log_dedup logdedup logstransform lookup metric_start_time metrics_transform metricsgeneration metricstarttime "
        "metricstransform nop probabilistic_sampler queuebatch redaction remotetap resource resource_detection resourcedetection schema "
        "span sumologic tail_sampling transform unroll ",
    [COMPONENT_CONNECTOR] =
        " count datadog exceptions failover forward grafanacloud metricsaslogs nop otlp_json otlpjson roundrobin routing service_graph "
        "servicegraph signal_to_metrics signaltometrics slowsql span_metrics spanmetrics spanmetricsconnector sum ",
    [COMPONENT_EXPORTER] =
        " debug file nop otlp otlp_grpc otlp_http otlphttp alertmanager alibabacloud_logservice awscloudwatchlogs awsemf awskinesis awss3 "
        "awsxray azureblob azuredataexplorer azuremonitor "
        "bmchelix carbon cassandra clickhouse coralogix datadog dataset doris elasticsearch f5cloud faro googlecloud googlecloudpubsub "
        "googlecloudstorage googlemanagedprometheus honeycombmarker influxdb instana kafka kinetica load_balancing loadbalancing "
        "logicmonitor "
        "logzio mezmo opensearch otelarrow prometheus prometheus_remote_write prometheusremotewrite pulsar rabbitmq sematext sentry "
        "signalfx "
        "splunk_hec stef sumologic syslog tencentcloud_logservice tinybird zipkin ",
    [COMPONENT_EXTENSION] =
        " basicauth bearertokenauth health_check ack asapauth avro_log_encoding awscloudwatchmetricstreams_encoding awslogs_encoding "
        "awsproxy azure_auth azureauth azure_encoding "
        "cfgarden_observer cgroupruntime db_storage docker_observer ecs_observer ecs_task_observer file_storage googleclientauth "
        "googlecloudlogentry_encoding headers_setter healthcheckv2 host_observer http_forwarder jaeger_encoding jaegerremotesampling "
        "json_log_encoding k8s_leader_elector k8s_observer kafkatopics_observer memory_limiter nop oauth2client oidc opamp "
        "opampcustommessages "
        "otlp_encoding pprof redis_storage remotetap rate_limiter ratelimiter sigv4auth skywalking_encoding solarwindsapmsettings "
        "sumologic text_encoding zipkin_encoding zpages ",
};

const char *component_removed_hint(enum component_kind kind, const char *type)
{
    for (size_t i = 0; i < sizeof(removed) / sizeof(removed[0]); i++)
        if (removed[i].kind == kind && strcmp(removed[i].type, type) == 0)
            return removed[i].hint;
    return NULL;
}

bool component_known_elsewhere(enum component_kind kind, const char *type)
{
    size_t length = strlen(type);

    for (const char *p = elsewhere[kind]; length > 0 && (p = strstr(p, type)) != NULL; p += length)
        if (p[-1] == ' ' && p[length] == ' ')
            return true;
    return false;
}
