"""HTTP/2 and gRPC framing from senders that do not keep to it."""
import json
import socket
import struct
import subprocess
import time

import h2.config
import h2.connection
import h2.events
import h2.settings
import hpack
import pytest
from hyperframe import frame as frames

from e2e import harness, messages
from e2e.bad_input_test import still_works

PREFACE = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"


class Call:
    """One gRPC call on a connection of its own, with whatever bytes for a body."""

    def __init__(self, port, path=None, content_type="application/grpc", more=()):
        self.socket = socket.create_connection(("127.0.0.1", port), timeout=20)
        self.h2 = h2.connection.H2Connection(h2.config.H2Configuration(header_encoding="utf-8", validate_outbound_headers=False))
        self.h2.initiate_connection()
        self.h2.send_headers(1, [(":method", "POST"), (":scheme", "http"), (":path", path or messages.method_of("traces")), (":authority", "weir"),
                                 ("content-type", content_type), ("te", "trailers"), *more])
        self.headers, self.body, self.ended, self.reset, self.closed = {}, b"", False, False, False
        self.flush()

    def flush(self):
        data = self.h2.data_to_send()
        if data:
            self.socket.sendall(data)

    def send(self, data, end=True):
        while data and not self.over():
            room = min(self.h2.local_flow_control_window(1), self.h2.max_outbound_frame_size)
            if room == 0:
                self.receive_once()
                continue
            self.h2.send_data(1, data[:room])
            data = data[room:]
            self.flush()
        if end and not self.over():
            self.h2.end_stream(1)
            self.flush()
        return self

    def over(self):
        return self.ended or self.reset or self.closed

    def receive_once(self):
        try:
            data = self.socket.recv(65536)
        except ConnectionError:
            data = b""
        if not data:
            self.closed = True
            return
        for event in self.h2.receive_data(data):
            if isinstance(event, (h2.events.ResponseReceived, h2.events.TrailersReceived)):
                self.headers.update(dict(event.headers))
            elif isinstance(event, h2.events.DataReceived):
                self.body += event.data
                self.h2.acknowledge_received_data(event.flow_controlled_length, event.stream_id)
            elif isinstance(event, h2.events.StreamEnded):
                self.ended = True
            elif isinstance(event, h2.events.StreamReset):
                self.reset = True
            elif isinstance(event, h2.events.ConnectionTerminated):
                self.closed = True
        self.flush()

    def status(self):
        """grpc-status of the answer; None when the stream or the connection was ended instead."""
        while not self.over():
            self.receive_once()
        self.socket.close()
        return int(self.headers["grpc-status"]) if "grpc-status" in self.headers else None


def framed(body, flag=0, size=None):
    return struct.pack(">BI", flag, len(body) if size is None else size) + body


def good_body():
    return messages.message_of(harness.span_document("good")).SerializeToString()


def test_well_formed_call(weir_to_file):
    call = Call(weir_to_file.grpc_port).send(framed(good_body()))
    assert call.status() == 0
    assert call.headers[":status"] == "200"
    assert call.headers["content-type"].startswith("application/grpc")
    assert call.body[:1] == b"\x00"
    messages.response_type("traces").FromString(call.body[5:])


BODIES = [
    ("ends within the prefix", b"\x00\x00", (3, 13, None)),
    ("ends within the message", framed(good_body(), size=len(good_body()) + 100), (3, 13, None)),
    ("no message at all", b"", (3, 12, 13, None)),
    ("two messages", framed(good_body()) * 2, (3, 12, 13, None)),
    ("a flag that is not 0 or 1", framed(good_body(), flag=7), (3, 12, 13, None)),
    ("compressed without saying how", framed(good_body(), flag=1), (3, 12, 13)),
    ("a length beyond all limits", framed(b"x" * 1000, size=0xFFFFFFFF), (8, 3, None)),
]


@pytest.mark.parametrize("what, body, statuses", BODIES, ids=[row[0] for row in BODIES])
def test_bodies_that_are_no_single_message(what, body, statuses, weir_to_file):
    assert Call(weir_to_file.grpc_port).send(body).status() in statuses, what
    still_works(weir_to_file)


def test_unknown_compression(weir_to_file):
    assert Call(weir_to_file.grpc_port, more=[("grpc-encoding", "brotli")]).send(framed(good_body(), flag=1)).status() == 12


def test_broken_compression(weir_to_file):
    assert Call(weir_to_file.grpc_port, more=[("grpc-encoding", "gzip")]).send(framed(good_body(), flag=1)).status() in (3, 13)


def test_other_content_type(weir_to_file):
    call = Call(weir_to_file.grpc_port, content_type="text/plain").send(framed(good_body()))
    assert call.status() is None or call.status() != 0
    assert call.headers.get(":status") in (None, "415", "200")
    still_works(weir_to_file)


def test_deadline_that_is_over(start_weir, start_sink):
    """grpc-timeout is honoured: a call that waits for its destination ends with DEADLINE_EXCEEDED."""
    sink, port = start_sink(), harness.free_port()
    sink.mode("hang")
    start_weir({
        "receivers": {"otlp": harness.otlp_receiver(grpc_port=port)},
        "exporters": {"otlp_http": {"endpoint": f"http://127.0.0.1:{sink.port}", "timeout": "3s", "sending_queue": {"enabled": False},
                                    "retry_on_failure": {"enabled": False}}},
        "service": {"pipelines": harness.pipelines(exporters=["otlp_http"])},
    })
    started = time.monotonic()
    assert Call(port, more=[("grpc-timeout", "200m")]).send(framed(good_body())).status() == 4
    assert time.monotonic() - started < 2.5


def raw(port, data, seconds=5):
    """Sends frames and reads until the other side closes."""
    with socket.create_connection(("127.0.0.1", port), timeout=seconds) as connection:
        try:
            connection.sendall(data)
        except OSError:
            return True
        end = time.monotonic() + seconds
        while time.monotonic() < end:
            try:
                if not connection.recv(65536):
                    return True
            except (TimeoutError, socket.timeout):
                return False
            except OSError:
                return True
    return False


def settings():
    return PREFACE + frames.SettingsFrame(0).serialize()


def headers_block():
    return hpack.Encoder().encode([(":method", "POST"), (":scheme", "http"), (":path", messages.method_of("traces")), (":authority", "weir"),
                                   ("content-type", "application/grpc"), ("te", "trailers")])


def continuation_flood():
    first = frames.HeadersFrame(1, headers_block())
    pieces = [settings(), first.serialize()]
    for _ in range(2000):
        pieces.append(frames.ContinuationFrame(1, hpack.Encoder().encode([("x-" + "a" * 50, "b" * 4000)])).serialize())
    return b"".join(pieces)


def rapid_reset():
    pieces, block = [settings()], headers_block()
    for number in range(1, 20001, 2):
        head = frames.HeadersFrame(number, block)
        head.flags.add("END_HEADERS")
        pieces += [head.serialize(), frames.RstStreamFrame(number, 8).serialize()]
    return b"".join(pieces)


def ping_flood():
    return settings() + frames.PingFrame(0, b"12345678").serialize() * 20000


def settings_flood():
    return settings() + frames.SettingsFrame(0, {1: 4096}).serialize() * 20000


def empty_data_flood():
    head = frames.HeadersFrame(1, headers_block())
    head.flags.add("END_HEADERS")
    return settings() + head.serialize() + frames.DataFrame(1, b"").serialize() * 50000


def header_bomb():
    """One big header in the table, named again and again."""
    encoder = hpack.Encoder()
    block = encoder.encode([(":method", "POST"), (":scheme", "http"), (":path", "/"), (":authority", "w"), ("x-big", "y" * 4000)])
    block += encoder.encode([("x-big", "y" * 4000)]) * 10000
    head = frames.HeadersFrame(1, block[:16000])
    head.flags.add("END_HEADERS")
    return settings() + head.serialize()


FLOODS = [continuation_flood, rapid_reset, ping_flood, settings_flood, empty_data_flood, header_bomb]


@pytest.mark.parametrize("flood", FLOODS, ids=lambda flood: flood.__name__)
def test_floods(flood, weir_to_file):
    before = weir_to_file.weir.memory_kib("VmHWM")
    data = flood()
    for _ in range(3):
        raw(weir_to_file.grpc_port, data, 1)
    assert weir_to_file.weir.memory_kib("VmHWM") - before < 40 * 1024 * harness.MEMORY_FACTOR
    still_works(weir_to_file)


def test_sender_that_never_reads_answers(weir_to_file):
    """Answers that nobody takes do not pile up without end."""
    before = weir_to_file.weir.memory_kib("VmHWM")
    with socket.create_connection(("127.0.0.1", weir_to_file.http_port), timeout=5) as connection:
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        request = b"POST /v1/traces HTTP/1.1\r\nHost: w\r\nContent-Type: application/json\r\nContent-Length: 1\r\n\r\n{"
        connection.settimeout(1)
        try:
            for _ in range(40):
                connection.sendall(request * 500)
        except OSError:
            pass
    assert weir_to_file.weir.memory_kib("VmHWM") - before < 40 * 1024 * harness.MEMORY_FACTOR
    still_works(weir_to_file)


def test_http2_by_prior_knowledge_on_the_http_port(weir_to_file):
    done = subprocess.run(["curl", "-sS", "--http2-prior-knowledge", "-o", "/dev/null", "-w", "%{http_code} %{http_version}", "-H", "Content-Type: application/json",
                           "-d", json.dumps(harness.span_document("h2c")), f"http://127.0.0.1:{weir_to_file.http_port}/v1/traces"], capture_output=True, check=True)
    assert done.stdout == b"200 2"
    weir_to_file.records("traces", 1)
