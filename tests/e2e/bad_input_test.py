"""What a bad sender sends: a clear answer to that sender, a reason counted, nothing lost of anybody else's, bounded memory and time."""
import gzip
import json
import resource
import select
import socket
import threading
import time

import pytest

from e2e import harness, messages

HEAD = b"POST /v1/traces HTTP/1.1\r\nHost: weir\r\nContent-Type: application/x-protobuf\r\n"
MIB = 1024 * harness.MEMORY_FACTOR  # KiB


def connect(port):
    return socket.create_connection(("127.0.0.1", port), timeout=20)


def read_all(connection, seconds=20):
    """Everything until the other side closes, or until time is up."""
    out, end = b"", time.monotonic() + seconds
    while time.monotonic() < end:
        if not select.select([connection], [], [], max(0.0, end - time.monotonic()))[0]:
            break
        try:
            piece = connection.recv(65536)
        except OSError:
            break
        if not piece:
            break
        out += piece
    return out


def status_of(answer):
    return int(answer.split(b" ", 2)[1]) if answer.startswith(b"HTTP/1.") else 0


def send_raw(port, data, close_writing=False):
    with connect(port) as connection:
        try:
            connection.sendall(data)
            if close_writing:
                connection.shutdown(socket.SHUT_WR)
        except OSError:
            pass  # it was closed while we were sending
        return read_all(connection, 5)


def still_works(receiving, name="still works"):
    """Others are served as before."""
    assert harness.post_json(receiving.http_port, "traces", harness.span_document(name))[0] == 200
    assert any(one["record"]["name"] == name for one in receiving.records("traces", 1))


def dropped(weir, **labels):
    return weir.metric("weir_dropped_records", **labels) or 0


MALFORMED = {
    "cut off": b"\x0a\x10\x12\x05",
    "length beyond the end": b"\x0a\xff\xff\xff\xff\x0f",
    "over-long varint": b"\x0a" + b"\x80" * 11 + b"\x01",
    "field number 0": b"\x02\x00",
    "group": b"\x0b\x0c",
    "wire type 7": b"\x0f",
    "known field of another type": b"\x08\x01",
    "text": b'{"resourceSpans": []}',
}


@pytest.mark.parametrize("what", MALFORMED)
def test_malformed_protobuf(what, weir_to_file):
    status, _, body = harness.post_protobuf(weir_to_file.http_port, "traces", MALFORMED[what])
    assert status == 400, body
    assert dropped(weir_to_file.weir, receiver="otlp") >= 1
    still_works(weir_to_file)


BAD_JSON = ['', '{', '[', '{"resourceSpans": [}', '{"resourceSpans": {}}', '"text"', '[]', 'nul', '{"resourceSpans": [{"scopeSpans": [{"spans": [{"kind": {}}]}]}]}',
            '{"resourceSpans": [{"scopeSpans": [{"spans": [{"startTimeUnixNano": "12x"}]}]}]}', '{"resourceSpans": []} trailing', '{"a": "\\ud8"}']


@pytest.mark.parametrize("text", BAD_JSON)
def test_malformed_json(text, weir_to_file):
    status, _, body = harness.post_json(weir_to_file.http_port, "traces", text)
    assert status == 400, body
    still_works(weir_to_file)


@pytest.mark.parametrize("field, length", [("trace_id", 15), ("trace_id", 17), ("trace_id", 1), ("span_id", 7), ("span_id", 16), ("parent_span_id", 9)])
def test_ids_of_a_wrong_length(field, length, weir_to_file):
    message = messages.message_of(harness.span_document())
    setattr(message.resource_spans[0].scope_spans[0].spans[0], field, b"\x01" * length)
    status, _, body = harness.post_protobuf(weir_to_file.http_port, "traces", message.SerializeToString())
    assert status == 400, body
    assert harness.post_json(weir_to_file.http_port, "traces", harness.span_document(traceId="01" * length if field == "trace_id" else "01"))[0] == 400
    still_works(weir_to_file)


def nested(depth):
    value = {"stringValue": "innermost"}
    for _ in range(depth):
        value = {"arrayValue": {"values": [value]}}
    return value


def nested_protobuf(depth):
    content = b"\x0a\x01x"
    for _ in range(depth):
        for _ in range(2):  # an ArrayValue in an AnyValue
            tag = b"\x0a" if _ == 0 else b"\x2a"
            content = tag + varint(len(content)) + content
    for tag in (b"\x2a", b"\x12", b"\x12", b"\x0a"):  # body, record, scope group, resource group
        content = tag + varint(len(content)) + content
    return content


def varint(value):
    out = bytearray()
    while value >= 0x80:
        out.append(value & 0x7F | 0x80)
        value >>= 7
    return bytes(out + bytes([value]))


def test_nesting_bombs(weir_to_file):
    port = weir_to_file.http_port
    assert harness.post_protobuf(port, "logs", nested_protobuf(20))[0] == 200
    assert harness.post_protobuf(port, "logs", nested_protobuf(150))[0] == 400
    assert harness.post_protobuf(port, "logs", nested_protobuf(5000))[0] == 400
    deep = '{"resourceLogs":[{"scopeLogs":[{"logRecords":[{"body":' + '{"arrayValue":{"values":[' * 100000 + "]}}" * 100000 + "}]}]}]}"
    assert harness.post_json(port, "logs", deep)[0] == 400
    assert harness.post_json(port, "logs", '{"unknown":' + "[" * 200000 + "]" * 200000 + "}")[0] == 400
    assert harness.post_json(port, "logs", {"resourceLogs": [{"scopeLogs": [{"logRecords": [{"body": nested(20)}]}]}]})[0] == 200
    still_works(weir_to_file)


@pytest.fixture
def small_weir(start_weir, tmp_path):
    """Small limits and short time-outs."""
    from e2e.conftest import Receiving
    path = tmp_path / "out.jsonl"
    port, grpc_port = harness.free_port(), harness.free_port()
    http = {"max_request_body_size": 1000000, "read_timeout": "2s", "read_header_timeout": "1s", "idle_timeout": "2s"}
    return Receiving(start_weir(harness.otlp_to_file(path, port, grpc_port, http=http)), port, grpc_port, path)


def test_body_that_is_too_large(small_weir):
    assert harness.post_protobuf(small_weir.http_port, "traces", b"\x00" * 999000)[0] == 400
    answer = send_raw(small_weir.http_port, HEAD + b"Content-Length: 2000000\r\n\r\n" + b"\x00" * 100000)
    assert status_of(answer) == 413
    assert dropped(small_weir.weir, receiver="otlp") >= 1
    answer = send_raw(small_weir.http_port, HEAD + b"Content-Length: 99999999999999999999999\r\n\r\n")
    assert status_of(answer) in (400, 413)
    still_works(small_weir)


def test_chunked_body_that_is_too_large(small_weir):
    pieces = (b"\x00" * 50000 for _ in range(100))
    try:
        status, _, _ = harness.request(small_weir.http_port, "/v1/traces", pieces, {"Content-Type": "application/x-protobuf"})
        assert status == 413
    except ConnectionError:
        pass  # it answered, and closed while we were still sending
    still_works(small_weir)


@pytest.mark.parametrize("coding", ["gzip", "deflate", "zstd", "snappy", "x-snappy-framed", "lz4"])
def test_decompression_bomb(coding, small_weir):
    from e2e.http_test import CODINGS
    before = small_weir.weir.memory_kib("VmHWM")
    bomb = CODINGS[coding](b"\x00" * (200 << 20))
    if len(bomb) > 1000000:
        bomb = CODINGS[coding](b"\x00" * (10 << 20))
    status, _, _ = harness.post_protobuf(small_weir.http_port, "traces", bomb, **{"Content-Encoding": coding})
    assert status == 413
    assert small_weir.weir.memory_kib("VmHWM") - before < 40 * MIB
    still_works(small_weir)


@pytest.mark.parametrize("coding", ["gzip", "deflate", "zstd", "snappy", "x-snappy-framed", "lz4"])
def test_compressed_body_that_is_broken(coding, weir_to_file):
    from e2e.http_test import CODINGS
    body = bytearray(CODINGS[coding](messages.message_of(harness.span_document("x", 50)).SerializeToString()))
    for broken in (bytes(body[: len(body) // 2]), b"no such thing", b"\x00" * 20):
        status, _, answer = harness.post_protobuf(weir_to_file.http_port, "traces", broken, **{"Content-Encoding": coding})
        assert status == 400, (broken[:20], answer)
    still_works(weir_to_file)


def test_header_floods(small_weir):
    port = small_weir.http_port
    one_long = HEAD + b"X-Long: " + b"a" * 1000000 + b"\r\n\r\n"
    many = HEAD + b"".join(b"X-%d: value\r\n" % number for number in range(100000)) + b"\r\n"
    endless_line = b"POST /" + b"a" * 1000000
    for flood in (one_long, many, endless_line):
        assert status_of(send_raw(port, flood)) in (0, 400, 414, 431)
    still_works(small_weir)


GARBAGE = [b"\x00" * 100, b"GET\r\n\r\n", b"POST /v1/traces HTTP/9.9\r\n\r\n", b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03" + b"\x00" * 200, HEAD + b"Content-Length: -5\r\n\r\n",
           HEAD + b"Content-Length: 5\r\nContent-Length: 6\r\n\r\nhello", HEAD + b"Content-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\nhello",
           HEAD + b"Transfer-Encoding: chunked\r\n\r\nzz\r\n", HEAD + b"Transfer-Encoding: chunked\r\n\r\nffffffffffffffffff\r\n", HEAD + b"X y: z\r\n\r\n",
           b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n" + b"\xff" * 200]


@pytest.mark.parametrize("number", range(len(GARBAGE)))
def test_garbage_instead_of_http(number, small_weir):
    answer = send_raw(small_weir.http_port, GARBAGE[number], close_writing=True)
    assert status_of(answer) == 0 or 400 <= status_of(answer) < 600, answer[:200]
    assert status_of(send_raw(small_weir.grpc_port, GARBAGE[number], close_writing=True)) in (0, 400, 404, 405, 415, 426, 501, 505)
    still_works(small_weir)


def test_slow_head_is_given_up(small_weir):
    with connect(small_weir.http_port) as connection:
        started = time.monotonic()
        connection.sendall(b"POST /v1/traces HTTP/1.1\r\nHost: w")
        answer = read_all(connection, 15)
        took = time.monotonic() - started
    assert status_of(answer) in (0, 408)
    assert took < 10
    still_works(small_weir)


def test_slow_body_is_given_up(small_weir):
    with connect(small_weir.http_port) as connection:
        started = time.monotonic()
        connection.sendall(HEAD + b"Content-Length: 1000\r\n\r\n")
        try:
            for _ in range(60):
                connection.sendall(b"\x00")
                if select.select([connection], [], [], 0.2)[0]:
                    break
        except ConnectionError:
            pass
        answer = read_all(connection, 15)
        took = time.monotonic() - started
    assert status_of(answer) in (0, 408)
    assert took < 10
    still_works(small_weir)


def test_idle_connection_is_closed(small_weir):
    with connect(small_weir.http_port) as connection:
        connection.sendall(HEAD + b"Content-Length: 0\r\n\r\n")
        started = time.monotonic()
        answer = read_all(connection, 15)
        assert status_of(answer) == 200
        assert time.monotonic() - started < 10


def test_half_closed_connection_is_answered(weir_to_file):
    body = messages.message_of(harness.span_document("half closed")).SerializeToString()
    answer = send_raw(weir_to_file.http_port, HEAD + b"Content-Length: %d\r\n\r\n" % len(body) + body, close_writing=True)
    assert status_of(answer) == 200
    assert weir_to_file.records("traces", 1)


def test_cut_off_body_is_not_taken(weir_to_file):
    body = messages.message_of(harness.span_document("cut off", 100)).SerializeToString()
    answer = send_raw(weir_to_file.http_port, HEAD + b"Content-Length: %d\r\n\r\n" % len(body) + body[:-1], close_writing=True)
    assert status_of(answer) in (0, 400, 408)
    still_works(weir_to_file)
    assert all(one["record"]["name"] != "cut off" for one in harness.read_records(weir_to_file.path, "traces"))


def test_one_senders_bytes_do_not_spoil_the_batch_of_others(start_weir, start_sink):
    """Good and bad senders at once, through batch: every good record arrives."""
    sink, port = start_sink(), harness.free_port()
    weir = start_weir({
        "receivers": {"otlp": harness.otlp_receiver(port)},
        "processors": {"batch": {"timeout": "100ms"}},
        "exporters": {"otlp_http": {"endpoint": f"http://127.0.0.1:{sink.port}"}},
        "service": {"pipelines": harness.pipelines(processors=["batch"], exporters=["otlp_http"])},
    })
    stop = threading.Event()

    def be_bad():
        while not stop.is_set():
            for bad in MALFORMED.values():
                harness.post_protobuf(port, "traces", bad)

    bad = threading.Thread(target=be_bad)
    bad.start()
    answer = harness.run_load(port, "--count", 50000, "--records", 20, "--stamp", "--retry", "--connections", 100)
    stop.set()
    bad.join()
    assert answer["accepted"] == 50000
    harness.wait_until(lambda: sink.stats()["records"] >= 50000, "all records")
    weir.stop()
    stats = sink.stop()
    assert (stats["distinct"], stats["doubled"], stats["broken"]) == (50000, 0, 0)


@pytest.fixture
def many_files():
    """Raises the limit of open files, for this process and what it starts."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    yield hard - 200
    resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))


@pytest.mark.parametrize("connections", [1000, 10000])
def test_many_idle_connections(connections, many_files, weir_to_file):
    """They cost little each and disturb nobody."""
    if many_files < connections:
        pytest.skip(f"only {many_files} files may be open")
    before = weir_to_file.weir.memory_kib()
    idle = []
    try:
        for number in range(connections):
            idle.append(connect(weir_to_file.http_port if number % 2 else weir_to_file.grpc_port))
        still_works(weir_to_file)
        assert (weir_to_file.weir.memory_kib() - before) / len(idle) < 64 * harness.MEMORY_FACTOR
    finally:
        for connection in idle:
            connection.close()
    still_works(weir_to_file, "after all")


def test_gzip_of_many_members_and_trailing_bytes(weir_to_file):
    body = messages.message_of(harness.span_document("first")).SerializeToString()
    status, _, _ = harness.post_protobuf(weir_to_file.http_port, "traces", gzip.compress(body) + b"garbage", **{"Content-Encoding": "gzip"})
    assert status in (200, 400)
    still_works(weir_to_file)


def test_memory_limiter_refuses_and_recovers(start_weir, start_sink, tmp_path):
    """A destination that hangs: memory stays at the limit, every refused request is told so, and it goes on afterwards."""
    sink, port = start_sink(), harness.free_port()
    sink.mode("hang")
    weir = start_weir({
        "receivers": {"otlp": harness.otlp_receiver(port)},
        "processors": {"memory_limiter": {"check_interval": "100ms", "limit_mib": 32, "spike_limit_mib": 8}},
        "exporters": {"otlp_http": {"endpoint": f"http://127.0.0.1:{sink.port}", "timeout": "2s", "sending_queue": {"queue_size": 100000},
                                    "retry_on_failure": {"initial_interval": "100ms", "max_interval": "500ms"}}},
        "service": {"pipelines": harness.pipelines(processors=["memory_limiter"], exporters=["otlp_http"])},
    }, arguments=["--drain-timeout", "20s"])
    before = weir.memory_kib("VmHWM")
    answer = harness.run_load(port, "--duration", 4, "--records", 1000, "--stamp")
    assert answer["refused"] > 0
    assert answer["lost"] == 0
    assert answer["accepted"] * 400 < 34 << 20
    # Refused before they are read, so that their records are not known: requests are counted.
    assert weir.metric("weir_dropped_records", receiver="otlp") * 1000 == answer["refused"]
    assert weir.memory_kib("VmHWM") - before < 100 * MIB
    sink.mode("ok")
    harness.wait_until(lambda: sink.stats()["distinct"] >= answer["accepted"], "what was accepted arrives", 30)
    assert harness.run_load(port, "--count", 1000, "--records", 100)["accepted"] == 1000
    assert json.dumps(sink.stats())
