"""The syslog exporter: into a second weir, and what a server of its own sees."""
import contextlib
import socket
import threading
import time

import pytest

from conformance import log_streams
from e2e import harness
from e2e.tls_test import certificates, server_tls  # noqa: F401 (a fixture)

LINES = [
    b'<34>1 2003-10-11T22:14:15.003000Z mymachine.example.com su 12 ID47 [a@1 k="v\\"\\]\\\\" l=""][b@1] \'su root\' failed',
    b"<0>1 - - - - - -",
    b"<191>1 2026-01-01T00:00:00.000001Z h a - - - \xc3\xb1 two words",
]


def chain(in_port, out_port, **exporter):
    return {"receivers": {"syslog": {"protocol": "rfc5424", "tcp": {"listen_address": f"127.0.0.1:{in_port}"}}},
            "exporters": {"syslog": {"endpoint": "127.0.0.1", "port": out_port, "tls": {"insecure": True}, **exporter}},
            "service": {"pipelines": {"logs": {"receivers": ["syslog"], "exporters": ["syslog"]}}}}


def send(port, data):
    with socket.create_connection(("127.0.0.1", port), timeout=10) as connection:
        connection.sendall(data)


def to_file(path, receiver):
    return {"receivers": {"syslog": receiver}, "exporters": {"file": {"path": str(path), "flush_interval": "10ms"}},
            "service": {"pipelines": {"logs": {"receivers": ["syslog"], "exporters": ["file"]}}}}


def attributes_in(path, count):
    def found():
        records = [log_streams.attributes(one["record"].get("attributes", [])) for one in harness.read_records(path, "logs")]
        return records if len(records) >= count else None

    return harness.wait_until(found, f"{count} records")


@pytest.mark.parametrize("network, octets, tls", [("tcp", False, False), ("tcp", True, False), ("tcp", True, True), ("udp", False, False)])
def test_what_goes_through_two_weirs_is_the_same(start_weir, tmp_path, certificates, network, octets, tls):  # noqa: F811
    in_port, out_port = harness.free_ports(2)
    listen = {"listen_address": f"127.0.0.1:{out_port}", **({"tls": server_tls(certificates)} if tls else {})}
    start_weir(to_file(tmp_path / "out.jsonl", {"protocol": "rfc5424", **({"enable_octet_counting": True} if octets else {}), network: listen}), "second")
    more = {"tls": {"ca_file": str(certificates / "ca.crt"), "server_name_override": "localhost"}} if tls else {}
    start_weir(chain(in_port, out_port, network=network, enable_octet_counting=octets, **more), "first")
    send(in_port, b"\n".join(LINES) + b"\n")
    got = attributes_in(tmp_path / "out.jsonl", 3)
    assert got == [
        {"priority": 34, "facility": 4, "version": 1, "hostname": "mymachine.example.com", "appname": "su", "proc_id": "12", "msg_id": "ID47",
         "message": "'su root' failed", "structured_data": {"a@1": {"k": 'v"]\\', "l": ""}, "b@1": {}}},
        {"priority": 0, "facility": 0, "version": 1},
        {"priority": 191, "facility": 23, "version": 1, "hostname": "h", "appname": "a", "message": "\xf1 two words"},
    ]


class Server:
    """Takes what comes, until it is closed."""

    def __init__(self, port):
        self.listener = socket.create_server(("127.0.0.1", port))
        self.data = b""
        self.connections = []
        threading.Thread(target=self.accept, daemon=True).start()

    def accept(self):
        with contextlib.suppress(OSError):
            while True:
                connection = self.listener.accept()[0]
                self.connections.append(connection)
                threading.Thread(target=self.read, args=(connection,), daemon=True).start()

    def read(self, connection):
        with contextlib.suppress(OSError):
            while part := connection.recv(65536):
                self.data += part

    def close(self):
        self.listener.shutdown(socket.SHUT_RDWR)
        self.listener.close()
        for connection in self.connections:
            with contextlib.suppress(OSError):
                connection.shutdown(socket.SHUT_RDWR)
            connection.close()


def test_other_logs_and_line_breaks(start_weir):
    http, out = harness.free_ports(2)
    server = Server(out)
    config = chain(0, out, protocol="rfc3164")
    config["receivers"] = {"otlp": harness.otlp_receiver(http)}
    config["service"]["pipelines"]["logs"]["receivers"] = ["otlp"]
    start_weir(config)
    record = {"timeUnixNano": "1767225600000000000", "severityNumber": 17, "body": {"stringValue": "two\nlines"}, "attributes": [
        {"key": "hostname", "value": {"stringValue": "a b"}}, {"key": "appname", "value": {"stringValue": "app"}}, {"key": "proc_id", "value": {"stringValue": "7"}}]}
    bare = {"body": {"kvlistValue": {"values": [{"key": "a", "value": {"intValue": "1"}}]}}, "timeUnixNano": "1767225600000000000"}
    harness.post_json(http, "logs", {"resourceLogs": [{"scopeLogs": [{"logRecords": [record, bare]}]}]})
    harness.wait_until(lambda: server.data.count(b"\n") == 2, "two messages")
    assert server.data == b'<163>Jan  1 00:00:00 a_b app[7]: two#012lines\n<165>Jan  1 00:00:00 - {"a":1}\n'
    server.close()


def test_a_server_that_goes_and_comes_again(start_weir):
    in_port, out_port = harness.free_ports(2)
    start_weir(chain(in_port, out_port, sending_queue={"enabled": True}, retry_on_failure={"initial_interval": "50ms", "max_interval": "100ms"}))
    server = Server(out_port)
    send(in_port, b"<14>1 - h a - - - one\n")
    harness.wait_until(lambda: b"one" in server.data, "the first message")
    server.close()
    time.sleep(0.1)
    send(in_port, b"<14>1 - h a - - - two\n")
    time.sleep(0.3)
    server = Server(out_port)
    harness.wait_until(lambda: b"two" in server.data, "what waited")
    assert server.data.count(b"two") == 1
    server.close()
