"""The Lumberjack protocol: go-lumber's own client where Go is there, acknowledgements that wait for the destination, TLS, and what is bad."""
import json
import os
import pathlib
import shutil
import socket
import ssl
import struct
import subprocess
import time
import zlib

import pytest

from conformance import log_streams
from e2e import harness
from e2e.tls_test import certificates, server_tls  # noqa: F401 (a fixture)

PATIENCE = 10
CLIENT = "github.com/elastic/go-lumber/cmd/tst-send@v0.1.0"


def configuration(path, port, exporter=None, **settings):
    return {"receivers": {"lumberjack": {"endpoint": f"127.0.0.1:{port}", **settings}},
            "exporters": exporter or {"file": {"path": str(path), "flush_interval": "10ms"}},
            "service": {"pipelines": {"logs": {"receivers": ["lumberjack"], "exporters": list(exporter or ["file"])}}}}


def to_sink(sink):
    return {"otlp_http": {"endpoint": f"http://127.0.0.1:{sink.port}", "compression": "none",
                          "retry_on_failure": {"initial_interval": "100ms", "max_interval": "200ms"}}}


def window(size, version=b"2"):
    return version + b"W" + struct.pack(">I", size)


def event(number, document):
    body = json.dumps(document).encode() if not isinstance(document, bytes) else document
    return b"2J" + struct.pack(">II", number, len(body)) + body


def pairs(number, document):
    texts = b"".join(struct.pack(">I", len(text)) + text for pair in document.items() for text in map(str.encode, pair))
    return b"1D" + struct.pack(">II", number, len(document)) + texts


def compressed(data, version=b"2", level=6):
    body = zlib.compress(data, level)
    return version + b"C" + struct.pack(">I", len(body)) + body


def ack(number, version=b"2"):
    return version + b"A" + struct.pack(">I", number)


def acks_until(connection, wanted):
    got = []
    while not got or got[-1] != wanted:
        got.append(connection.recv(6, socket.MSG_WAITALL))
        assert len(got[-1]) == 6, f"the connection ended after {got}"
    return got


class Receiving:
    def __init__(self, start_weir, folder, **settings):
        self.port, self.path = harness.free_port(), folder / "out.jsonl"
        self.weir = start_weir(configuration(self.path, self.port, **settings))

    def connect(self):
        return socket.create_connection(("127.0.0.1", self.port), timeout=PATIENCE)

    def events(self):
        return [log_streams.attributes(one["record"].get("attributes", [])) | {"message": log_streams.plain(one["record"].get("body"))}
                for one in harness.read_records(self.path, "logs")]


@pytest.fixture
def receiving(start_weir, tmp_path):
    return lambda **settings: Receiving(start_weir, tmp_path, **settings)


def go_client():
    """go-lumber's load tool, built once; None without Go or its modules."""
    program = pathlib.Path(harness.ROOT) / "build/go/tst-send"
    go = shutil.which("go")
    if not program.exists() and go:
        subprocess.run([go, "install", CLIENT], env=dict(os.environ, GOBIN=str(program.parent)), capture_output=True, timeout=300, check=False)
    return program if program.exists() else None


@pytest.mark.parametrize("arguments", [["-compress", "3"], ["-compress", "0"], ["-compress", "3", "-pipeline", "4"]])
def test_go_lumbers_client(start_weir, start_sink, tmp_path, arguments):
    client = go_client()
    if client is None:
        pytest.skip("go-lumber's client cannot be built here: it needs Go and its modules")
    sink, port = start_sink(track=False), harness.free_port()
    weir = start_weir(configuration(tmp_path / "unused", port, to_sink(sink)))
    process = subprocess.Popen([str(client), "-c", f"127.0.0.1:{port}", "-batch", "100", "-httpprof", "127.0.0.1:0", *arguments],
                               stdout=subprocess.DEVNULL, stderr=subprocess.PIPE)
    try:
        harness.wait_until(lambda: sink.stats()["records"] >= 2000, "events of the client")
        assert process.poll() is None, process.stderr.read().decode()
    finally:
        process.terminate()
        process.wait()
    assert not weir.metric("otelcol_receiver_refused_log_records")


def test_both_versions_and_windows_in_a_row(receiving):
    ports = receiving()
    with ports.connect() as connection:
        connection.sendall(window(0) + window(2) + event(1, {"message": "a"}) + event(2, {"message": "b", "n": {"x": [1, True]}}))
        acks_until(connection, ack(2))
        data = window(1) + event(1, {"message": "c"}) + window(1) + compressed(event(1, {"message": "d"})) + window(3, b"1")
        connection.sendall(data + compressed(pairs(7, {"line": "e", "host": "h"}) + pairs(8, {"line": "f"}), b"1") + pairs(9, {"line": "g"}))
        assert acks_until(connection, ack(9, b"1"))[:2] == [ack(1), ack(1)]
    events = ports.events()
    assert [one["message"] for one in events] == list("abcdefg")
    assert events[1]["n"] == {"x": [1, True]} and events[4]["host"] == "h"


def test_bytes_that_come_one_by_one(receiving):
    ports = receiving()
    with ports.connect() as connection:
        connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        for byte in window(2) + compressed(event(1, {"message": "a"})) + event(2, {"message": "b"}):
            connection.sendall(bytes([byte]))
        acks_until(connection, ack(2))
    assert [one["message"] for one in ports.events()] == ["a", "b"]


def test_an_acknowledgement_waits_for_the_destination_and_the_client_hears_of_it(start_weir, start_sink, tmp_path):
    sink, port = start_sink(track=False), harness.free_port()
    sink.mode("unavailable")
    start_weir(configuration(tmp_path / "unused", port, to_sink(sink), keepalive="300ms"))
    with socket.create_connection(("127.0.0.1", port), timeout=PATIENCE) as connection:
        connection.sendall(window(1) + event(1, {"message": "held"}))
        began = time.monotonic()
        assert [connection.recv(6, socket.MSG_WAITALL) for _ in range(3)] == [ack(0)] * 3
        assert time.monotonic() - began > 0.5
        sink.mode("ok")
        acks_until(connection, ack(1))
    assert sink.stats()["records"] == 1


def test_an_event_that_is_no_json_is_kept(receiving):
    ports = receiving()
    with ports.connect() as connection:
        connection.sendall(window(2) + event(1, b'{"message": \xff') + event(2, b"[1]"))
        acks_until(connection, ack(2))
    assert [one["message"] for one in ports.events()] == ['{"message": \ufffd', "[1]"]


def test_tls(receiving, certificates):  # noqa: F811
    ports = receiving(tls=server_tls(certificates))
    context = ssl.create_default_context(cafile=str(certificates / "ca.crt"))
    with context.wrap_socket(ports.connect(), server_hostname="localhost") as connection:
        connection.sendall(window(3000) + compressed(b"".join(event(1 + number, {"message": "x" * 500}) for number in range(3000)), level=0))
        got = b""
        while not got.endswith(ack(3000)):
            got += connection.recv(4096)
    assert len(ports.events()) == 3000


@pytest.mark.parametrize("data, reason", [
    (b"3W\0\0\0\1", "malformed"),
    (event(1, {"message": "no window"}), "malformed"),
    (window(1) + b"2J\0\0\0\1\xff\xff\xff\xff", "malformed"),
    (window(1) + compressed(compressed(event(1, {"message": "x"}))), "malformed"),
    (window(1) + compressed(event(1, {"message": "x"}) + b"2"), "malformed"),
    (window(1) + b"2C\0\0\0\4rot!", "corrupt"),
    (window(1) + compressed(bytes(100 << 20), level=9), "too_large"),
])
def test_bad_input_is_bounded_and_counted(receiving, data, reason):
    ports = receiving(max_message_size=8 << 20)
    with ports.connect() as connection:
        try:
            connection.sendall(data)
            assert connection.recv(1) == b""
        except ConnectionError:
            pass
    ports.weir.wait_log(f"ended: {reason}")
    with ports.connect() as connection:
        connection.sendall(window(1) + event(1, {"message": "well"}))
        acks_until(connection, ack(1))
    assert len(ports.events()) == 1
