"""basicauth and bearertokenauth, as servers and as clients, over both protocols."""
import base64
import time

import grpc
import pytest

from e2e import harness, messages


def basic(user, password):
    return "Basic " + base64.b64encode(f"{user}:{password}".encode()).decode()


def guarded(path, ports, authenticator, extension):
    auth = {"auth": {"authenticator": authenticator}}
    config = harness.otlp_to_file(path, *ports, http=auth, grpc=auth)
    config["extensions"] = {authenticator: extension}
    config["service"]["extensions"] = [authenticator]
    return config


def http_status(port, authorization):
    headers = {"Authorization": authorization} if authorization else {}
    return harness.post_json(port, "traces", harness.span_document(), **headers)[0]


def grpc_code(port, authorization):
    body = messages.message_of(harness.span_document()).SerializeToString()
    with messages.channel_to(port) as channel:
        return messages.export_status(channel, "traces", body, metadata=[("authorization", authorization)] if authorization else None)[0]


CASES = {
    "basicauth": ({"htpasswd": {"inline": "weir:secret\nother:word\n"}}, basic("weir", "secret"),
                  [None, basic("weir", "wrong"), basic("nobody", "secret"), basic("weir", ""), "Basic !!!", "Bearer secret", basic("weir", "secretx")]),
    "bearertokenauth": ({"token": "abc123"}, "Bearer abc123", [None, "Bearer abc124", "Bearer abc12", "abc123", "Basic abc123", "Bearer x"]),
}


@pytest.mark.parametrize("name", CASES)
def test_only_who_may_gets_in(name, start_weir, tmp_path):
    extension, right, wrong = CASES[name]
    ports = harness.free_port(), harness.free_port()
    weir = start_weir(guarded(tmp_path / "out.jsonl", ports, name, extension))
    assert http_status(ports[0], right) == 200
    assert grpc_code(ports[1], right) == grpc.StatusCode.OK
    assert harness.post_json(ports[0], "traces", harness.span_document())[1]["www-authenticate"].split()[0].lower() in name
    for one in wrong:
        assert http_status(ports[0], one) == 401, one
        assert grpc_code(ports[1], one) == grpc.StatusCode.UNAUTHENTICATED, one
    harness.wait_until(lambda: len(harness.read_records(tmp_path / "out.jsonl", "traces")) == 2, "the two that may")
    assert "secret" not in weir.log() and "abc123" not in weir.log()


def test_files_are_read_again(start_weir, tmp_path):
    ports = harness.free_port(), harness.free_port()
    token = tmp_path / "token"
    token.write_text("first\n")
    start_weir(guarded(tmp_path / "out.jsonl", ports, "bearertokenauth", {"filename": str(token)}))
    assert http_status(ports[0], "Bearer first") == 200
    time.sleep(0.1)
    token.write_text("second\n")
    harness.wait_until(lambda: http_status(ports[0], "Bearer second") == 200, "the new token", 15, 0.2)
    assert http_status(ports[0], "Bearer first") == 401


@pytest.mark.parametrize("exporter", ["otlp_http", "otlp_grpc"])
@pytest.mark.parametrize("name, client", [("basicauth", {"client_auth": {"username": "weir", "password": "secret"}}), ("bearertokenauth", {"token": "abc123"})])
def test_weir_authenticates_itself(exporter, name, client, start_weir, tmp_path):
    first, ports = harness.free_port(), (harness.free_port(), harness.free_port())
    path = tmp_path / "out.jsonl"
    start_weir(guarded(path, ports, name, CASES[name][0]), "second")
    endpoint = f"http://127.0.0.1:{ports[0]}" if exporter == "otlp_http" else f"127.0.0.1:{ports[1]}"
    authenticator = f"{name}/client"
    start_weir({
        "extensions": {authenticator: client},
        "receivers": {"otlp": harness.otlp_receiver(first)},
        "exporters": {exporter: {"endpoint": endpoint, "tls": {"insecure": True}, "auth": {"authenticator": authenticator}}},
        "service": {"extensions": [authenticator], "pipelines": harness.pipelines(exporters=[exporter])},
    }, "first")
    assert harness.post_json(first, "traces", harness.span_document("signed"))[0] == 200
    harness.wait_until(lambda: harness.read_records(path, "traces"), "the span")
