"""The forward protocol: a real client, acknowledgements that wait for the destination, the shared key, TLS, unix sockets, and what is bad."""
import gzip
import hashlib
import pathlib
import socket
import ssl
import time

import msgpack
import pytest
from fluent import event, sender

from conformance import log_streams
from e2e import harness
from e2e.tls_test import certificates, server_tls  # noqa: F401 (a fixture)

PATIENCE = 10


def configuration(path, endpoint, exporter=None, **settings):
    return {"receivers": {"fluent_forward": {"endpoint": endpoint, **settings}},
            "exporters": exporter or {"file": {"path": str(path), "flush_interval": "10ms"}},
            "service": {"pipelines": {"logs": {"receivers": ["fluent_forward"], "exporters": list(exporter or ["file"])}}}}


class Receiving:
    def __init__(self, start_weir, folder, **settings):
        self.port, self.path = harness.free_port(), folder / "out.jsonl"
        self.weir = start_weir(configuration(self.path, f"127.0.0.1:{self.port}", **settings))

    def records(self, count):
        def found():
            records = [one["record"] for one in harness.read_records(self.path, "logs")]
            return records if len(records) >= count else None

        return harness.wait_until(found, f"{count} records; the log is {self.weir.log()[-2000:]}")

    def connect(self):
        return socket.create_connection(("127.0.0.1", self.port), timeout=PATIENCE)


@pytest.fixture
def receiving(start_weir, tmp_path):
    return lambda **settings: Receiving(start_weir, tmp_path, **settings)


def texts(records):
    return [log_streams.plain(record.get("body")) for record in records]


def entries(texts, packed=False):
    parts = [[1700000000, {"message": text}] for text in texts]
    return b"".join(map(msgpack.packb, parts)) if packed else parts


def read_message(connection, unpacker=None):
    unpacker = unpacker or msgpack.Unpacker(raw=False, unicode_errors="surrogateescape")
    while True:
        for message in unpacker:
            return message
        part = connection.recv(65536)
        assert part, "the connection was closed"
        unpacker.feed(part)


def test_a_real_client(receiving):
    ports = receiving()
    with sender.FluentSender("app", host="127.0.0.1", port=ports.port, nanosecond_precision=True) as client:
        for number in range(500):
            assert client.emit("follow", {"message": f"line {number}", "number": number, "nested": {"a": [1, None, 2.5]}}), client.last_error
    records = ports.records(500)
    assert texts(records) == [f"line {number}" for number in range(500)]
    attributes = log_streams.attributes(records[7]["attributes"])
    assert attributes == {"fluent.tag": "app.follow", "number": 7, "nested": {"a": [1, None, 2.5]}}
    assert abs(int(records[0]["timeUnixNano"]) / 1e9 - time.time()) < 60
    assert event.Event  # the other half of the client's interface


@pytest.mark.parametrize("mode", ["message", "forward", "packed", "gzip", "two_gzip_members", "zstd"])
def test_every_mode_is_acknowledged(receiving, mode):
    import cramjam
    ports = receiving()
    lines, options = ["one", "two"], {"chunk": "c" * 40}
    packed = entries(lines, packed=True)
    if mode == "message":
        lines = ["one"]
        message = ["tag", 1700000000, {"log": "one"}, options]
    elif mode == "forward":
        message = ["tag", entries(lines), options]
    elif mode == "packed":
        message = ["tag", packed, {**options, "size": 2}]
    elif mode == "zstd":
        message = ["tag", bytes(cramjam.zstd.compress(packed)), {**options, "compressed": "zstd"}]
    else:
        parts = [packed] if mode == "gzip" else [entries([line], packed=True) for line in lines]
        message = ["tag", b"".join(map(gzip.compress, parts)), {**options, "compressed": "gzip"}]
    with ports.connect() as connection:
        connection.sendall(msgpack.packb(message))
        assert read_message(connection) == {"ack": "c" * 40}
    assert texts(ports.records(len(lines))) == lines


def test_an_acknowledgement_waits_for_the_destination(start_weir, start_sink, tmp_path):
    sink, port = start_sink(track=False), harness.free_port()
    sink.mode("unavailable")
    exporter = {"otlp_http": {"endpoint": f"http://127.0.0.1:{sink.port}", "compression": "none", "retry_on_failure": {"initial_interval": "100ms", "max_interval": "200ms"}}}
    start_weir(configuration(tmp_path / "unused", f"127.0.0.1:{port}", exporter))
    with socket.create_connection(("127.0.0.1", port), timeout=1.5) as connection:
        connection.sendall(msgpack.packb(["tag", entries(["held"]), {"chunk": "x"}]))
        with pytest.raises(TimeoutError):
            connection.recv(100)
        sink.mode("ok")
        connection.settimeout(PATIENCE)
        assert read_message(connection) == {"ack": "x"}


def test_what_is_acknowledged_outlives_a_kill(start_weir, start_sink, tmp_path):
    sink, port = start_sink(track=False), harness.free_port()
    sink.mode("unavailable")
    exporter = {"otlp_http": {"endpoint": f"http://127.0.0.1:{sink.port}", "compression": "none", "sending_queue": {"storage": "file_storage"},
                              "retry_on_failure": {"initial_interval": "100ms", "max_interval": "200ms"}}}
    config = configuration(tmp_path / "unused", f"127.0.0.1:{port}", exporter)
    config["extensions"] = {"file_storage": {"directory": str(tmp_path / "queue"), "create_directory": True}}
    config["service"]["extensions"] = ["file_storage"]
    weir = start_weir(config, "killed")
    with socket.create_connection(("127.0.0.1", port), timeout=PATIENCE) as connection:
        connection.sendall(msgpack.packb(["tag", entries(["one", "two"]), {"chunk": "x"}]))
        assert read_message(connection) == {"ack": "x"}  # on disk, though the destination is away
    weir.kill()
    sink.mode("ok")
    start_weir(config, "again")
    harness.wait_until(lambda: sink.stats()["records"] == 2, "what was acknowledged")


def test_what_the_queue_cannot_take_holds_the_sender_up(start_weir, start_sink, tmp_path):
    sink, port = start_sink(track=False), harness.free_port()
    sink.mode("unavailable")
    exporter = {"otlp_http": {"endpoint": f"http://127.0.0.1:{sink.port}", "compression": "none", "sending_queue": {"queue_size": 1, "num_consumers": 1},
                              "retry_on_failure": {"initial_interval": "100ms", "max_interval": "200ms", "max_elapsed_time": "0s"}}}
    weir = start_weir(configuration(tmp_path / "unused", f"127.0.0.1:{port}", exporter))
    with socket.create_connection(("127.0.0.1", port), timeout=PATIENCE) as connection:
        for number in range(50):
            connection.sendall(msgpack.packb(["tag", 1700000000, {"message": f"line {number}"}]))
            time.sleep(0.002)
        weir.wait_log("held up")
    sink.mode("ok")
    harness.wait_until(lambda: sink.stats()["records"] >= 50, "all records")


def shake_hands(connection, key, user=b"", password=b""):
    unpacker = msgpack.Unpacker(raw=True)
    word, options = read_message(connection, unpacker)
    assert word == b"HELO" and options[b"keepalive"] is True
    salt, host = b"salt", b"client"
    digest = hashlib.sha512(salt + host + options[b"nonce"] + key).hexdigest()
    secret = hashlib.sha512(options[b"auth"] + user + password).hexdigest() if options[b"auth"] else ""
    connection.sendall(msgpack.packb(["PING", host, salt, digest, user, secret]))
    word, passed, reason, server, answer = read_message(connection, unpacker)
    assert word == b"PONG"
    if passed:
        assert answer.decode() == hashlib.sha512(salt + server + options[b"nonce"] + key).hexdigest()
    return passed, reason.decode()


def test_a_shared_key(receiving):
    ports = receiving(security={"shared_key": "secret", "self_hostname": "node"})
    with ports.connect() as connection:
        assert shake_hands(connection, b"secret") == (True, "")
        connection.sendall(msgpack.packb(["tag", entries(["let in"]), {"chunk": "x"}]))
        assert read_message(connection) == {"ack": "x"}
    with ports.connect() as connection:
        assert shake_hands(connection, b"wrong") == (False, "shared_key mismatch")
        assert connection.recv(1) == b""
    with ports.connect() as connection:
        connection.sendall(msgpack.packb(["tag", entries(["no handshake"])]))
        while connection.recv(1000):
            pass
    assert texts(ports.records(1)) == ["let in"]
    assert ports.weir.metric("otelcol_receiver_refused_log_records") in (None, 0)
    assert "secret" not in ports.weir.log()


def test_users(receiving):
    ports = receiving(security={"shared_key": "secret", "users": {"me": "mine"}})
    for user, password, passed in ((b"me", b"mine", True), (b"me", b"other", False), (b"you", b"mine", False)):
        with ports.connect() as connection:
            assert shake_hands(connection, b"secret", user, password)[0] is passed


def test_tls(receiving, certificates):  # noqa: F811
    ports = receiving(tls=server_tls(certificates), security={"shared_key": "secret"})
    context = ssl.create_default_context(cafile=str(certificates / "ca.crt"))
    with context.wrap_socket(ports.connect(), server_hostname="localhost") as connection:
        assert shake_hands(connection, b"secret")[0]
        connection.sendall(msgpack.packb(["tag", entries([f"line {number} " + "x" * 1000 for number in range(2000)]), {"chunk": "x"}]))
        assert read_message(connection) == {"ack": "x"}
    assert len(ports.records(2000)) == 2000


def test_a_unix_socket(start_weir, tmp_path):
    path = tmp_path / "fluent.sock"
    weir = start_weir(configuration(tmp_path / "out.jsonl", f"unix://{path}"))
    with socket.socket(socket.AF_UNIX) as connection:
        connection.settimeout(PATIENCE)
        connection.connect(str(path))
        connection.sendall(msgpack.packb(["tag", entries(["local"]), {"chunk": "x"}]))
        assert read_message(connection) == {"ack": "x"}
    weir.stop()
    assert not path.exists()


def bomb():
    return ["tag", gzip.compress(bytes(200 << 20), 9), {"compressed": "gzip"}]


@pytest.mark.parametrize("data, reason", [
    (lambda: b"GET / HTTP/1.1\r\n\r\n", "malformed"),
    (lambda: b"\x93\xa3tag\xdb\xff\xff\xff\xff", "malformed"),
    (lambda: b"\x91" * 100000, "malformed"),
    (lambda: msgpack.packb(["t" * 900000, b"\x92\x01\x80" * 2000]), "too_large"),
    (lambda: msgpack.packb(bomb()), "too_large"),
    (lambda: msgpack.packb(["tag", b"no gzip", {"compressed": "gzip"}]), "corrupt"),
    (lambda: msgpack.packb(["tag", b"", {"compressed": "rot13"}]), "unknown_compression"),
])
def test_bad_input_is_bounded_and_counted(receiving, data, reason):
    ports = receiving(max_message_size=16 << 20)
    before = ports.weir.memory_kib("VmHWM")
    with ports.connect() as connection:
        try:
            connection.sendall(data())
            assert connection.recv(1) == b""
        except ConnectionError:
            pass
    ports.weir.wait_log(f"ended: {reason}")
    assert ports.weir.memory_kib("VmHWM") - before < (450 << 10) * harness.MEMORY_FACTOR
    with ports.connect() as connection:
        connection.sendall(msgpack.packb(["tag", entries(["well"]), {"chunk": "x"}]))
        assert read_message(connection) == {"ack": "x"}
    assert len(ports.records(1)) == 1
    assert pathlib.Path(ports.path).exists()
