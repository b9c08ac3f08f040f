"""Payloads of Zipkin's clients, versions 1 and 2: zipkin receiver -> zipkin exporter -> a server that keeps what comes.

Version 2 must come out as it went in, in both of the exporter's formats, but for what the mapping to OTLP adds or drops by rule (see
normal()); version 1 as the span of version 2 that it stands for. Each file is one request; rows are its spans, or the file when
it must be refused. The file that is a Thrift struct in JSON is sent as Thrift.
"""
import base64
import http.server
import ipaddress
import json
import struct
import tempfile
import threading

from conformance.outcome import failed, judge
from e2e import harness

FOLDER = "zipkin"
KINDS = {"cs": "CLIENT", "cr": "CLIENT", "ss": "SERVER", "sr": "SERVER", "ms": "PRODUCER", "mr": "CONSUMER"}
MISSING = "<missing service name>"
TYPES = {"STRING": 6}


class Keeping(http.server.BaseHTTPRequestHandler):
    def do_POST(self):  # noqa: N802
        body = self.rfile.read(int(self.headers["Content-Length"]))
        self.server.spans.extend(json.loads(body))
        self.send_response(202)
        self.send_header("Content-Length", "0")
        self.end_headers()

    def log_message(self, *arguments):
        pass


# ---- what is expected ----

def endpoint_of(endpoint):
    out = {key: value for key, value in (endpoint or {}).items() if value}
    if "serviceName" in out:
        out["serviceName"] = out["serviceName"].lower()
    if "ipv6" in out:
        out["ipv6"] = str(ipaddress.ip_address(out["ipv6"]))
    return out


def normal(span):
    """A span of version 2 as it is when it has been a span of OTLP."""
    out = {key: span[key] for key in ("id", "kind", "timestamp", "duration", "annotations") if span.get(key)}
    out["traceId"] = span["traceId"].removeprefix("0" * 16) if len(span["traceId"]) == 32 else span["traceId"]
    out["name"] = span.get("name", "").lower()
    if span.get("parentId") not in (None, span["id"]):
        out["parentId"] = span["parentId"]
    out["localEndpoint"] = {"serviceName": MISSING, **endpoint_of(span.get("localEndpoint"))}
    if endpoint_of(span.get("remoteEndpoint")):
        out["remoteEndpoint"] = endpoint_of(span["remoteEndpoint"])
    tags = dict(span.get("tags") or {})
    if "http.status_code" in tags:
        tags["http.response.status_code"] = tags["http.status_code"]
    if "error" in tags:
        tags.update({"error": "true", "otel.status_code": "STATUS_CODE_ERROR"})
    if "timestamp" not in out:
        tags["otel.zipkin.absentField.startTime"] = "true"
    if tags:
        out["tags"] = tags
    return out


def version_2(span):
    """The span of version 2 that one of version 1 stands for, as the collector maps it."""
    annotations = [one for one in span.get("annotations") or [] if one.get("value")]
    core = [one for one in annotations if one["value"] in KINDS]
    named = [one["endpoint"] for one in core if (one.get("endpoint") or {}).get("serviceName")]
    binary = span.get("binaryAnnotations") or []
    out = {"traceId": span["traceId"], "id": span["id"], "parentId": span.get("parentId"), "name": span.get("name", "")}
    if core:
        out["kind"] = KINDS[core[0]["value"]]
    times = [one["timestamp"] for one in annotations]
    out["timestamp"] = span.get("timestamp") or (min(times) if times else 0)
    out["duration"] = span["duration"] if span.get("timestamp") else (max(times) - min(times) if times else 0)
    out["annotations"] = [{"timestamp": one["timestamp"], "value": one["value"]} for one in annotations if one["value"] not in KINDS]
    tags = {"component" if one["key"] == "lc" else one["key"]: one["value"] for one in binary}
    services = [one["endpoint"]["serviceName"] for one in binary if (one.get("endpoint") or {}).get("serviceName")] + [
        one["value"] for one in binary if one["key"] == "lc"]
    service = named[0]["serviceName"] if named else (services or ["unknown-service"])[0]
    for key in ("ipv4", "ipv6", "port"):
        if named and named[0].get(key):
            tags[key] = str(named[0][key])
    return {**out, "localEndpoint": {"serviceName": service}, "tags": tags}


# ---- Thrift ----

def text(value):
    data = value.encode()
    return struct.pack(">I", len(data)) + data


def field(kind, number, data):
    return struct.pack(">BH", kind, number) + data


def thrift_span(span):
    def host(endpoint):
        return field(8, 1, struct.pack(">i", endpoint["ipv4"])) + field(6, 2, struct.pack(">h", endpoint["port"])) + field(11, 3, text(endpoint["service_name"])) + b"\0"

    def binary(one):
        value = base64.b64decode(one["value"])
        return (field(11, 1, text(one["key"])) + field(11, 2, struct.pack(">I", len(value)) + value) + field(8, 3, struct.pack(">i", TYPES[one["annotation_type"]]))
                + (field(12, 4, host(one["host"])) if one.get("host") else b"") + b"\0")

    out = field(10, 1, struct.pack(">q", span["trace_id"])) + field(11, 3, text(span["name"])) + field(10, 4, struct.pack(">q", span["id"]))
    out += field(10, 5, struct.pack(">q", span["parent_id"])) + field(15, 6, struct.pack(">BI", 12, 0))
    out += field(15, 8, struct.pack(">BI", 12, len(span["binary_annotations"])) + b"".join(map(binary, span["binary_annotations"])))
    return out + field(10, 10, struct.pack(">q", span["timestamp"])) + field(10, 11, struct.pack(">q", span["duration"])) + b"\0"


def json_of_thrift(span):
    """The same span in version 1's JSON."""
    def host(endpoint):
        return {"serviceName": endpoint["service_name"], "ipv4": str(ipaddress.ip_address(endpoint["ipv4"] & 0xffffffff)), "port": endpoint["port"]}

    return {
        "traceId": f"{span['trace_id'] & 0xffffffffffffffff:016x}", "id": f"{span['id'] & 0xffffffffffffffff:016x}",
        "parentId": f"{span['parent_id'] & 0xffffffffffffffff:016x}", "name": span["name"], "timestamp": span["timestamp"], "duration": span["duration"],
        "binaryAnnotations": [{"key": one["key"], "value": base64.b64decode(one["value"]).decode(), "endpoint": host(one["host"]) if one.get("host") else None}
                              for one in span["binary_annotations"]],
    }


# ---- running ----

class Request:
    def __init__(self, path):
        spans = json.loads(path.read_text())
        self.name, self.body, self.headers, self.path = path.name, path.read_bytes(), {"Content-Type": "application/json"}, "/api/v2/spans"
        self.refused = "error" in path.name
        if "thrift" in path.name:
            self.body = struct.pack(">BI", 12, len(spans)) + b"".join(map(thrift_span, spans))
            self.headers = {"Content-Type": "application/x-thrift"}
            spans = [json_of_thrift(span) for span in spans]
        if path.name.startswith("zipkinv1"):
            self.path = "/api/v1/spans"
            spans = [] if self.refused else list(map(version_2, spans))
        self.expected = list(map(normal, spans))


def chain(receiver, middle, sink):
    """zipkin in -> zipkin out as protobuf -> zipkin in -> zipkin out as JSON: both formats are written and read."""
    return {
        "receivers": {"zipkin": {"endpoint": f"127.0.0.1:{receiver}"}, "zipkin/2": {"endpoint": f"127.0.0.1:{middle}"}},
        "exporters": {"zipkin": {"endpoint": f"http://127.0.0.1:{middle}/api/v2/spans", "format": "proto"}, "zipkin/2": {"endpoint": f"http://127.0.0.1:{sink}/api/v2/spans"}},
        "service": {"pipelines": {"traces": {"receivers": ["zipkin"], "exporters": ["zipkin"]}, "traces/2": {"receivers": ["zipkin/2"], "exporters": ["zipkin/2"]}}},
    }


def outcomes_of(request, port, kept):
    kept.clear()
    status, _, answer = harness.request(port, request.path, request.body, request.headers)
    if request.refused:
        return [judge(request.name, "" if status == 400 else f"must be refused with 400, got {status}")]
    if status != 202:
        return [failed(request.name, f"status {status}: {answer[:200]!r}")]
    harness.wait_until(lambda: len(kept) >= len(request.expected), f"the spans of {request.name}")
    return [judge(f"{request.name}#{number}", "" if got == wanted else f"expected {wanted}, got {got}")
            for number, (wanted, got) in enumerate(zip(request.expected, kept, strict=True))]


def run_chain(folder, binary, server):
    receiver, middle = harness.free_ports(2)
    with tempfile.TemporaryDirectory() as work:
        weir = harness.Weir(chain(receiver, middle, server.server_address[1]), work, binary=binary)
        try:
            out = [one for path in sorted(folder.glob("*.json")) for one in outcomes_of(Request(path), receiver, server.spans)]
            weir.stop()
            return out
        finally:
            weir.kill()


def run(folder, binary):
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Keeping)
    server.spans = []
    threading.Thread(target=server.serve_forever, daemon=True).start()
    try:
        return run_chain(folder, binary, server)
    finally:
        server.shutdown()
        server.server_close()
