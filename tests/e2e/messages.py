"""OTLP requests as protobuf messages: made from JSON documents, turned into them, and sent over gRPC."""
import base64

import grpc
from google.protobuf import json_format
from opentelemetry.proto.collector.logs.v1 import logs_service_pb2
from opentelemetry.proto.collector.metrics.v1 import metrics_service_pb2
from opentelemetry.proto.collector.trace.v1 import trace_service_pb2

from e2e import otlp

SERVICES = {"traces": (trace_service_pb2, "Trace", "trace"), "metrics": (metrics_service_pb2, "Metrics", "metrics"), "logs": (logs_service_pb2, "Logs", "logs")}
IDS = ("traceId", "spanId", "parentSpanId")


def request_type(signal_name):
    module, word, _ = SERVICES[signal_name]
    return getattr(module, f"Export{word}ServiceRequest")


def response_type(signal_name):
    module, word, _ = SERVICES[signal_name]
    return getattr(module, f"Export{word}ServiceResponse")


def method_of(signal_name):
    _, word, package = SERVICES[signal_name]
    return f"/opentelemetry.proto.collector.{package}.v1.{word}Service/Export"


def change_ids(value, change):
    if isinstance(value, dict):
        return {key: change(item) if key in IDS and isinstance(item, str) else change_ids(item, change) for key, item in value.items()}
    return [change_ids(item, change) for item in value] if isinstance(value, list) else value


def message_of(document):
    """The request message of an OTLP/JSON document."""
    plain = change_ids(document, lambda text: base64.b64encode(bytes.fromhex(text)).decode())
    return json_format.ParseDict(plain, request_type(otlp.signal_of(document))())


def document_of(message):
    return change_ids(json_format.MessageToDict(message), lambda text: base64.b64decode(text).hex())


def channel_to(port, **options):
    return grpc.insecure_channel(f"127.0.0.1:{port}", options=list(options.items()))


def export(channel, signal_name, body, timeout=20, metadata=None, compression=None):
    """Sends bytes as a unary call and returns the response's bytes; grpc.RpcError when it is refused."""
    return channel.unary_unary(method_of(signal_name))(body, timeout=timeout, metadata=metadata, compression=compression)


def export_status(channel, signal_name, body, **options):
    """The gRPC status that the call ends with, as a grpc.StatusCode, and the error or None."""
    try:
        export(channel, signal_name, body, **options)
        return grpc.StatusCode.OK, None
    except grpc.RpcError as error:
        return error.code(), error
