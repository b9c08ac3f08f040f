"""The OpenTelemetry SDK for Python sends three signals over both protocols; every field arrives."""
import logging

import pytest
from opentelemetry.exporter.otlp.proto.common._log_encoder import encode_logs
from opentelemetry.exporter.otlp.proto.common.metrics_encoder import encode_metrics
from opentelemetry.exporter.otlp.proto.common.trace_encoder import encode_spans
from opentelemetry.exporter.otlp.proto.grpc._log_exporter import OTLPLogExporter as GrpcLogs
from opentelemetry.exporter.otlp.proto.grpc.metric_exporter import OTLPMetricExporter as GrpcMetrics
from opentelemetry.exporter.otlp.proto.grpc.trace_exporter import OTLPSpanExporter as GrpcSpans
from opentelemetry.exporter.otlp.proto.http import Compression
from opentelemetry.exporter.otlp.proto.http._log_exporter import OTLPLogExporter as HttpLogs
from opentelemetry.exporter.otlp.proto.http.metric_exporter import OTLPMetricExporter as HttpMetrics
from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter as HttpSpans
from opentelemetry.sdk._logs import LoggerProvider, LoggingHandler
from opentelemetry.sdk._logs.export import BatchLogRecordProcessor
from opentelemetry.sdk.metrics import MeterProvider
from opentelemetry.sdk.metrics.export import PeriodicExportingMetricReader
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import BatchSpanProcessor
from opentelemetry.trace import Link, SpanKind, Status, StatusCode

from e2e import harness, messages, otlp

RESOURCE = Resource({"service.name": "weir-e2e", "service.version": "1.2.3", "numbers": [1, 2, 3], "ratio": 0.25, "enabled": True})


def exporters(protocol, receiving):
    if protocol == "grpc":
        endpoint = f"http://127.0.0.1:{receiving.grpc_port}"
        return [kind(endpoint=endpoint, insecure=True) for kind in (GrpcSpans, GrpcMetrics, GrpcLogs)]
    compression = Compression.Gzip if protocol == "http-gzip" else Compression.NoCompression
    base = f"http://127.0.0.1:{receiving.http_port}"
    return [kind(endpoint=base + path, compression=compression) for kind, path in
            ((HttpSpans, "/v1/traces"), (HttpMetrics, "/v1/metrics"), (HttpLogs, "/v1/logs"))]


def keep_copies(exporter, encode, copies):
    """What the SDK hands to its exporter is also kept, as the OTLP document that it stands for."""
    send = exporter.export

    def export(batch, *arguments, **options):
        copies.append(messages.document_of(encode(batch)))
        return send(batch, *arguments, **options)

    exporter.export = export
    return exporter


def make_spans(exporter):
    provider = TracerProvider(resource=RESOURCE)
    provider.add_span_processor(BatchSpanProcessor(exporter))
    tracer = provider.get_tracer("e2e.tracer", "0.1", attributes={"scope.key": "scope.value"})
    with tracer.start_as_current_span("parent", kind=SpanKind.SERVER) as parent:
        parent.set_attributes({"http.request.method": "GET", "http.response.status_code": 200, "sizes": [1, 2], "load": 0.5, "cached": False,
                               "text": "grüße \u2713 \U0001f600", "empty": ""})
        parent.add_event("checked", {"step": 1})
        for number in range(50):
            with tracer.start_as_current_span(f"child {number}", kind=SpanKind.CLIENT, links=[Link(parent.get_span_context(), {"why": "test"})]) as child:
                child.set_status(Status(StatusCode.ERROR, "it broke") if number % 7 == 0 else Status(StatusCode.OK))
    provider.shutdown()


def make_metrics(exporter):
    provider = MeterProvider(resource=RESOURCE, metric_readers=[PeriodicExportingMetricReader(exporter, export_interval_millis=3600000)])
    meter = provider.get_meter("e2e.meter", "0.2")
    for number in range(20):
        meter.create_counter("requests", unit="{request}", description="all").add(number, {"route": f"/{number % 4}"})
        meter.create_up_down_counter("active").add(-number, {"route": f"/{number % 4}"})
        meter.create_histogram("latency", unit="ms").record(number * 1.5, {"route": "/"})
    provider.shutdown()


def make_logs(exporter):
    provider = LoggerProvider(resource=RESOURCE)
    provider.add_log_record_processor(BatchLogRecordProcessor(exporter))
    handler = LoggingHandler(logger_provider=provider)
    logger = logging.Logger("e2e.logger", level=logging.DEBUG)
    logger.addHandler(handler)
    for number in range(50):
        logger.warning("line %d \u2713", number, extra={"number": number, "ratio": number / 3})
    provider.shutdown()


MAKE = {"traces": (make_spans, encode_spans), "metrics": (make_metrics, encode_metrics), "logs": (make_logs, encode_logs)}


@pytest.mark.parametrize("protocol", ["http", "http-gzip", "grpc"])
def test_every_field_of_three_signals_arrives(protocol, weir_to_file):
    for exporter, (signal_name, (make, encode)) in zip(exporters(protocol, weir_to_file), MAKE.items()):
        copies = []
        make(keep_copies(exporter, encode, copies))
        sent = otlp.records_of(signal_name, copies)
        assert sent, signal_name
        arrived = weir_to_file.records(signal_name, len(sent))
        assert harness.as_multiset(arrived) == harness.as_multiset(sent), signal_name
