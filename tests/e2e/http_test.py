"""OTLP over HTTP: what the specification says about paths, types, codings, status codes and answers."""
import gzip
import json
import subprocess
import zlib

import cramjam
import pytest
from google.rpc import status_pb2

from e2e import harness, messages

PROTOBUF = {"Content-Type": "application/x-protobuf"}
JSON = {"Content-Type": "application/json"}


@pytest.mark.parametrize("signal_name", ["traces", "metrics", "logs"])
def test_json_is_answered_with_json(signal_name, weir_to_file):
    status, headers, body = harness.post_json(weir_to_file.http_port, signal_name, harness.DOCUMENTS[signal_name]())
    assert status == 200
    assert headers["content-type"].split(";")[0] == "application/json"
    assert json.loads(body) in ({}, {"partialSuccess": {}})
    weir_to_file.records(signal_name, 1)


@pytest.mark.parametrize("signal_name", ["traces", "metrics", "logs"])
def test_protobuf_is_answered_with_protobuf(signal_name, weir_to_file):
    message = messages.message_of(harness.DOCUMENTS[signal_name]())
    status, headers, body = harness.post_protobuf(weir_to_file.http_port, signal_name, message.SerializeToString())
    assert status == 200
    assert headers["content-type"].split(";")[0] == "application/x-protobuf"
    messages.response_type(signal_name).FromString(body)
    weir_to_file.records(signal_name, 1)


def test_curl_as_in_the_documentation(weir_to_file):
    done = subprocess.run(["curl", "-sS", "-o", "/dev/null", "-w", "%{http_code}", "-H", "Content-Type: application/json", "--data-binary", "@-",
                           f"http://127.0.0.1:{weir_to_file.http_port}/v1/traces"], input=json.dumps(harness.span_document("from curl")).encode(),
                          capture_output=True, check=True)
    assert done.stdout == b"200"
    assert weir_to_file.records("traces", 1)[0]["record"]["name"] == "from curl"


def test_content_type_with_parameters(weir_to_file):
    status, _, _ = harness.request(weir_to_file.http_port, "/v1/logs", json.dumps(harness.log_document()), {"Content-Type": "application/json; charset=utf-8"})
    assert status == 200


CODINGS = {
    "gzip": gzip.compress,
    "deflate": zlib.compress,
    "zlib": zlib.compress,
    "zstd": lambda data: bytes(cramjam.zstd.compress(data)),
    "snappy": lambda data: bytes(cramjam.snappy.compress_raw(data)),
    "x-snappy-framed": lambda data: bytes(cramjam.snappy.compress(data)),
    "lz4": lambda data: bytes(cramjam.lz4.compress(data)),
    "identity": bytes,
    "": bytes,
}


@pytest.mark.parametrize("coding", CODINGS)
def test_codings_of_the_body(coding, weir_to_file):
    body = CODINGS[coding](messages.message_of(harness.span_document(coding or "none", 300)).SerializeToString())
    status, _, answer = harness.post_protobuf(weir_to_file.http_port, "traces", body, **{"Content-Encoding": coding})
    assert status == 200, answer
    assert len(weir_to_file.records("traces", 300)) == 300


def test_large_bodies_in_many_pieces(weir_to_file):
    body = messages.message_of(harness.span_document("x" * 2000, 5000)).SerializeToString()
    status, _, _ = harness.post_protobuf(weir_to_file.http_port, "traces", body)
    assert status == 200
    assert len(weir_to_file.records("traces", 5000)) == 5000


def test_chunked_body(weir_to_file):
    body = messages.message_of(harness.span_document("chunked", 50)).SerializeToString()
    pieces = (body[at : at + 100] for at in range(0, len(body), 100))
    status, _, _ = harness.request(weir_to_file.http_port, "/v1/traces", pieces, PROTOBUF)
    assert status == 200
    weir_to_file.records("traces", 50)


def test_an_empty_request_is_fine(weir_to_file):
    assert harness.post_protobuf(weir_to_file.http_port, "traces", b"")[0] == 200
    assert harness.post_json(weir_to_file.http_port, "logs", {})[0] == 200


def test_refusals_say_what_is_wrong_in_the_senders_own_encoding(weir_to_file):
    port = weir_to_file.http_port
    status, headers, body = harness.post_json(port, "traces", '{"resourceSpans": 7}')
    assert status == 400
    assert headers["content-type"].split(";")[0] == "application/json"
    assert json.loads(body)["message"]
    status, headers, body = harness.post_protobuf(port, "traces", b"\x0a\x7f\x01")
    assert status == 400
    assert headers["content-type"].split(";")[0] == "application/x-protobuf"
    assert status_pb2.Status.FromString(body).message


@pytest.mark.parametrize("method, path, headers, wanted", [
    ("GET", "/v1/traces", PROTOBUF, 405),
    ("PUT", "/v1/traces", PROTOBUF, 405),
    ("POST", "/v1/nothing", PROTOBUF, 404),
    ("POST", "/", PROTOBUF, 404),
    ("POST", "/v1/traces", {"Content-Type": "text/plain"}, 415),
    ("POST", "/v1/traces", {}, 415),
    ("POST", "/v1/traces", {**PROTOBUF, "Content-Encoding": "compress"}, 415),
])
def test_status_codes(method, path, headers, wanted, weir_to_file):
    status, _, _ = harness.request(weir_to_file.http_port, path, b"" if method == "POST" else None, headers, method=method)
    assert status == wanted


def test_connection_is_kept_alive_after_a_refusal(weir_to_file):
    import http.client
    connection = http.client.HTTPConnection("127.0.0.1", weir_to_file.http_port, timeout=10)
    for body, wanted in ((b"\xff\xff", 400), (b"", 200), (b"\x0a\x01\x02", 400), (b"", 200)):
        connection.request("POST", "/v1/traces", body, PROTOBUF)
        answer = connection.getresponse()
        answer.read()
        assert answer.status == wanted
    connection.close()


def test_cors(start_weir, tmp_path):
    port = harness.free_port()
    cors = {"allowed_origins": ["https://*.example.com", "https://one.test"], "allowed_headers": ["X-Token"], "max_age": 600}
    start_weir(harness.otlp_to_file(tmp_path / "out", port, http={"cors": cors}))
    ask = {"Access-Control-Request-Method": "POST", "Access-Control-Request-Headers": "x-token"}
    status, headers, _ = harness.request(port, "/v1/traces", None, {"Origin": "https://app.example.com", **ask}, method="OPTIONS")
    assert status in (200, 204)
    assert headers["access-control-allow-origin"] == "https://app.example.com"
    assert "POST" in headers["access-control-allow-methods"]
    assert "x-token" in headers["access-control-allow-headers"].lower()
    assert headers["access-control-max-age"] == "600"
    _, headers, _ = harness.request(port, "/v1/traces", None, {"Origin": "https://elsewhere.test", **ask}, method="OPTIONS")
    assert "access-control-allow-origin" not in headers
    _, headers, _ = harness.request(port, "/v1/logs", json.dumps(harness.log_document()), {**JSON, "Origin": "https://one.test"})
    assert headers["access-control-allow-origin"] == "https://one.test"


def test_other_paths_and_response_headers(start_weir, tmp_path):
    port = harness.free_port()
    start_weir(harness.otlp_to_file(tmp_path / "out", port, http={"traces_url_path": "/spans", "response_headers": {"X-Weir": "yes"}}))
    status, headers, _ = harness.request(port, "/spans", json.dumps(harness.span_document()), JSON)
    assert status == 200
    assert headers["x-weir"] == "yes"
    assert harness.request(port, "/v1/traces", json.dumps(harness.span_document()), JSON)[0] == 404


def test_unix_socket(start_weir, tmp_path):
    path = tmp_path / "otlp.sock"
    config = harness.otlp_to_file(tmp_path / "out.jsonl", 1)
    config["receivers"]["otlp"]["protocols"] = {"http": {"transport": "unix", "endpoint": str(path)}}
    start_weir(config)
    subprocess.run(["curl", "-sSf", "--unix-socket", str(path), "-H", "Content-Type: application/json", "-d", json.dumps(harness.span_document("by socket")),
                    "http://weir/v1/traces"], check=True, stdout=subprocess.DEVNULL)
    harness.wait_until(lambda: harness.read_records(tmp_path / "out.jsonl", "traces"), "the span")


def test_text_that_is_not_utf8_is_repaired_and_counted(weir_to_file):
    body = messages.message_of(harness.span_document("NAME")).SerializeToString().replace(b"NAME", b"a\xff\xfeb")
    assert harness.post_protobuf(weir_to_file.http_port, "traces", body)[0] == 200
    assert "\ufffd" in weir_to_file.records("traces", 1)[0]["record"]["name"]
    assert weir_to_file.weir.metric("weir_repaired_strings") >= 1
