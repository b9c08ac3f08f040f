"""Zipkin in and out: what its clients send, what its server answers, and a real server behind."""
import gzip
import http.server
import json
import threading
import time

import pytest
from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.trace import NonRecordingSpan, SpanContext, SpanKind, TraceFlags, set_span_in_context
from opentelemetry.trace.propagation.tracecontext import TraceContextTextMapPropagator
from py_zipkin import Encoding, Kind
from py_zipkin.transport import SimpleHTTPTransport
from py_zipkin.zipkin import zipkin_span

from e2e import harness, otlp, zipkin_server

SPAN = {"traceId": "000000000000000100000000000000ab", "id": "00000000000000cd", "name": "get", "kind": "CLIENT", "timestamp": 1700000000000000,
        "duration": 1500, "localEndpoint": {"serviceName": "front"}, "tags": {"a": "b", "n": "7"}}


@pytest.fixture(scope="module")
def zipkin(tmp_path_factory):
    reason = zipkin_server.skip_reason()
    if reason:
        pytest.skip(reason)
    server = zipkin_server.Zipkin(tmp_path_factory.mktemp("zipkin"))
    yield server
    server.stop()


class Ports:
    def __init__(self):
        self.zipkin, self.otlp = harness.free_ports(2)

    @property
    def url(self):
        return f"http://127.0.0.1:{self.zipkin}/api/v2/spans"


def to_file(ports, path, **settings):
    return {
        "receivers": {"zipkin": {"endpoint": f"127.0.0.1:{ports.zipkin}", **settings}},
        "exporters": {"file": {"path": str(path), "flush_interval": "10ms"}},
        "service": {"pipelines": {"traces": {"receivers": ["zipkin"], "exporters": ["file"]}}},
    }


@pytest.fixture
def receiving(start_weir, tmp_path):
    def start(**settings):
        ports = Ports()
        ports.path = tmp_path / "out.jsonl"
        ports.weir = start_weir(to_file(ports, ports.path, **settings))
        return ports

    return start


def post(port, path, body, **headers):
    return harness.request(port, path, body, headers)


def spans_in(path, count):
    def found():
        records = harness.read_records(path, "traces")
        return records if len(records) >= count else None

    return harness.wait_until(found, f"{count} spans in {path}")


# ---- the receiver by itself ----

def test_answers_are_those_of_zipkins_server(receiving):
    ports = receiving(max_request_body_size=2000)
    body = json.dumps([SPAN])
    assert post(ports.zipkin, "/api/v2/spans", body)[0] == 202
    assert post(ports.zipkin, "/prefix/api/v2/spans", body)[0] == 202
    assert post(ports.zipkin, "/api/v2/spans", "[]")[0] == 202
    assert post(ports.zipkin, "/api/v2/spans", gzip.compress(body.encode()), **{"Content-Encoding": "gzip"})[0] == 202
    assert post(ports.zipkin, "/api/v1/spans", json.dumps([{"traceId": "1", "id": "2", "timestamp": 5}]))[0] == 202
    status, _, text = post(ports.zipkin, "/api/v2/spans", '[{"traceId":"xyz"}]')
    assert status == 400 and b"span 0: traceId: expected up to 32 hexadecimal digits, at byte 12" in text
    assert post(ports.zipkin, "/api/v2/spans", "")[0] == 400
    assert post(ports.zipkin, "/api/v2/spans", "\x00\x01", **{"Content-Type": "application/x-protobuf"})[0] == 400
    assert post(ports.zipkin, "/api/v1/spans", "\x0c", **{"Content-Type": "application/x-thrift"})[0] == 400
    assert post(ports.zipkin, "/api/v2/spans", "x", **{"Content-Encoding": "gzip"})[0] == 400
    assert post(ports.zipkin, "/api/v2/spans", "x" * 3000)[0] == 413
    assert post(ports.zipkin, "/v1/traces", body)[0] == 404
    status, headers, _ = harness.request(ports.zipkin, "/api/v2/spans", method="GET")
    assert status == 405 and headers["allow"] == "POST"
    assert len(spans_in(ports.path, 4)) == 4
    assert ports.weir.metric("otelcol_receiver_accepted_spans", transport="http_v2_json") == 3
    assert ports.weir.metric("otelcol_receiver_accepted_spans", transport="http_v1_json") == 1
    assert ports.weir.metric("weir_dropped_records", reason="malformed") == 4


def test_tags_become_numbers_when_asked(receiving):
    ports = receiving(parse_string_tags=True)
    assert post(ports.zipkin, "/api/v2/spans", json.dumps([SPAN]))[0] == 202
    record, = spans_in(ports.path, 1)
    assert {attribute["key"]: attribute["value"] for attribute in record["record"]["attributes"]} == {"a": {"stringValue": "b"}, "n": {"intValue": 7}}


def test_a_full_queue_is_told_to_come_again(start_weir):
    ports = Ports()
    config = to_file(ports, "unused")
    config["exporters"] = {"zipkin": {"endpoint": f"http://127.0.0.1:{harness.free_port()}/api/v2/spans", "sending_queue": {"queue_size": 1, "num_consumers": 1}}}
    config["service"]["pipelines"]["traces"]["exporters"] = ["zipkin"]
    weir = start_weir(config)
    answers = [post(ports.zipkin, "/api/v2/spans", json.dumps([SPAN])) for _ in range(10)]
    refused = [headers for status, headers, _ in answers if status == 503]
    assert {status for status, _, _ in answers} == {202, 503}
    assert all(int(headers["retry-after"]) >= 1 for headers in refused)
    assert weir.metric("otelcol_receiver_refused_spans") == len(refused)


# ---- the exporter by itself ----

class Taking(http.server.BaseHTTPRequestHandler):
    def do_POST(self):  # noqa: N802
        body = self.rfile.read(int(self.headers["Content-Length"]))
        self.server.requests.append((dict(self.headers), body))
        self.send_response(self.server.answers.pop(0) if self.server.answers else 202)
        self.send_header("Content-Length", "0")
        self.end_headers()

    def log_message(self, *arguments):
        pass


@pytest.fixture
def taking():
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Taking)
    server.requests, server.answers = [], []
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    yield server
    server.shutdown()
    server.server_close()
    thread.join()


def zipkin_to(ports, server, **settings):
    config = to_file(ports, "unused")
    config["exporters"] = {"zipkin": {"endpoint": f"http://127.0.0.1:{server.server_address[1]}/api/v2/spans",
                                      "retry_on_failure": {"initial_interval": "50ms"}, **settings}}
    config["service"]["pipelines"]["traces"]["exporters"] = ["zipkin"]
    return config


def test_what_comes_in_goes_out(start_weir, taking):
    ports = Ports()
    start_weir(zipkin_to(ports, taking, compression="gzip", headers={"x-team": "a"}))
    assert post(ports.zipkin, "/api/v2/spans", json.dumps([SPAN]))[0] == 202
    harness.wait_until(lambda: taking.requests, "a request")
    headers, body = taking.requests[0]
    assert headers["Content-Type"] == "application/json" and headers["x-team"] == "a"
    assert json.loads(gzip.decompress(body)) == [SPAN]


def test_refusals_are_retried_or_counted(start_weir, taking):
    ports = Ports()
    weir = start_weir(zipkin_to(ports, taking))
    taking.answers = [503, 500, 429, 202, 400]
    for _ in range(2):
        assert post(ports.zipkin, "/api/v2/spans", json.dumps([SPAN]))[0] == 202
        time.sleep(0.5)
    harness.wait_until(lambda: len(taking.requests) >= 5, "four attempts and one")
    harness.wait_until(lambda: weir.metric("otelcol_exporter_send_failed_spans") == 1, "the refused one is counted")
    assert weir.metric("otelcol_exporter_sent_spans") == 1


def test_the_default_name_is_that_of_the_settings(start_weir, taking):
    ports = Ports()
    start_weir(zipkin_to(ports, taking, default_service_name="Somebody"))
    assert post(ports.zipkin, "/api/v2/spans", json.dumps([{**SPAN, "localEndpoint": None}]))[0] == 202
    harness.wait_until(lambda: taking.requests, "a request")
    assert json.loads(taking.requests[0][1])[0]["localEndpoint"] == {"serviceName": "somebody"}


# ---- real clients, and a real server behind ----

def zipkin_to_zipkin(ports, zipkin, **settings):
    return {
        "receivers": {"zipkin": {"endpoint": f"127.0.0.1:{ports.zipkin}"}, "otlp": harness.otlp_receiver(ports.otlp)},
        "exporters": {"zipkin": {"endpoint": zipkin.spans_url, **settings}},
        "service": {"pipelines": {"traces": {"receivers": ["zipkin", "otlp"], "exporters": ["zipkin"]}}},
    }


@pytest.mark.parametrize("encoding", [Encoding.V2_JSON, Encoding.V2_PROTO3, Encoding.V1_JSON])
@pytest.mark.parametrize("form", ["json", "proto"])
def test_spans_of_py_zipkin(start_weir, zipkin, encoding, form):
    ports = Ports()
    start_weir(zipkin_to_zipkin(ports, zipkin, format=form))
    service = f"py-{encoding.value}-{form}".lower().replace("_", "-")
    with zipkin_span(service_name=service, span_name="Outer", transport_handler=SimpleHTTPTransport("127.0.0.1", ports.zipkin), encoding=encoding,
                     kind=Kind.SERVER, sample_rate=100, port=8080, use_128bit_trace_id=True) as outer:
        with zipkin_span(service_name=service, span_name="inner", kind=Kind.CLIENT) as inner:
            inner.update_binary_annotations({"http.path": "/x", "grüße": "\u2713"})
            inner.add_annotation("waited")
        attributes = outer.zipkin_attrs
    spans = {span["name"]: span for span in zipkin.trace(attributes.trace_id, 2)}
    assert set(spans) == {"outer", "inner"}
    assert spans["inner"]["parentId"] == spans["outer"]["id"] == attributes.span_id
    assert spans["outer"]["kind"] == "SERVER" and spans["inner"]["kind"] == "CLIENT"
    assert spans["inner"]["tags"]["http.path"] == "/x" and spans["inner"]["tags"]["grüße"] == "\u2713"
    assert [annotation["value"] for annotation in spans["inner"]["annotations"]] == ["waited"]
    assert spans["outer"]["localEndpoint"]["serviceName"] == service
    assert all(span["duration"] >= 1 and abs(span["timestamp"] / 1e6 - time.time()) < 60 for span in spans.values())
    assert service in zipkin.get("/api/v2/services")


class Stock(http.server.BaseHTTPRequestHandler):
    """A service that knows B3 headers, and calls another one with a traceparent."""

    def do_GET(self):  # noqa: N802
        parent = SpanContext(int(self.headers["X-B3-TraceId"], 16), int(self.headers["X-B3-SpanId"], 16), True,
                             TraceFlags(self.headers["X-B3-Sampled"] == "1"))
        with self.server.stock.start_as_current_span("reserve", set_span_in_context(NonRecordingSpan(parent)), kind=SpanKind.SERVER):
            carrier = {}
            with self.server.stock.start_as_current_span("pay", kind=SpanKind.CLIENT):
                TraceContextTextMapPropagator().inject(carrier)
            context = TraceContextTextMapPropagator().extract(carrier)
            self.server.bank.start_span("charge", context, kind=SpanKind.SERVER, attributes={"amount": 7}).end()
        self.send_response(200)
        self.send_header("Content-Length", "0")
        self.end_headers()

    def log_message(self, *arguments):
        pass


def tracer(service, port):
    provider = TracerProvider(resource=Resource({"service.name": service}))
    provider.add_span_processor(SimpleSpanProcessor(OTLPSpanExporter(f"http://127.0.0.1:{port}/v1/traces")))
    return provider.get_tracer("e2e")


def test_one_transaction_of_b3_and_w3c_services_is_one_trace(start_weir, zipkin):
    ports = Ports()
    start_weir(zipkin_to_zipkin(ports, zipkin))
    stock = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Stock)
    stock.stock, stock.bank = tracer("stock", ports.otlp), tracer("bank", ports.otlp)
    thread = threading.Thread(target=stock.serve_forever)
    thread.start()
    try:
        trace_id = zipkin_server.run_java("Shop.java", ports.url, f"http://127.0.0.1:{stock.server_address[1]}/stock")
    finally:
        stock.shutdown()
        stock.server_close()
        thread.join()
    spans = {span["name"]: span for span in zipkin.trace(trace_id, 5)}
    assert {name: span["localEndpoint"]["serviceName"] for name, span in spans.items()} == {
        "buy": "shop", "post": "shop", "reserve": "stock", "pay": "stock", "charge": "bank"}
    parents = {name: span.get("parentId") for name, span in spans.items()}
    ids = {name: span["id"] for name, span in spans.items()}
    assert parents == {"buy": None, "post": ids["buy"], "reserve": ids["post"], "pay": ids["reserve"], "charge": ids["pay"]}
    assert spans["buy"]["tags"]["error"] == "true" or "sold out" in spans["buy"]["tags"]["error"]
    assert spans["post"]["remoteEndpoint"] == {"serviceName": "stock", "ipv4": "127.0.0.1", "port": 8080}
    assert spans["post"]["annotations"][0]["value"] == "answered" and spans["charge"]["tags"]["amount"] == "7"


def test_thrift_of_zipkins_own_encoder(start_weir, zipkin):
    ports = Ports()
    start_weir(zipkin_to_zipkin(ports, zipkin))
    assert zipkin_server.run_java("Shop.java", f"http://127.0.0.1:{ports.zipkin}/api/v1/spans", "thrift") == "202"
    span, = zipkin.trace("00000000000000aa00000000000000bb", 1)
    assert (span["id"], span["parentId"], span["name"], span["kind"]) == ("00000000000000cc", "00000000000000dd", "old", "SERVER")
    assert span["localEndpoint"]["serviceName"] == "museum" and span["duration"] == 1500
    assert span["tags"]["http.method"] == "GET" and span["annotations"][0]["value"] == "dusted"
