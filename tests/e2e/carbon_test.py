"""Graphite's data points by TCP and UDP, as lines and as pickles that Python's own pickle wrote; programs in pickles are refused."""
import os
import pickle
import socket
import struct

import pytest

from e2e import harness


def config(folder, port, receiver):
    return {"receivers": {"carbon": {"endpoint": f"127.0.0.1:{port}", **receiver}},
            "exporters": {"file": {"path": str(folder / "out.jsonl"), "flush_interval": "50ms"}},
            "service": {"pipelines": {"metrics": {"receivers": ["carbon"], "exporters": ["file"]}}}}


def points(folder):
    for line in harness.read_lines(folder / "out.jsonl"):
        for group in line["resourceMetrics"]:
            for metric in (metric for scope in group["scopeMetrics"] for metric in scope["metrics"]):
                for point in metric.get("gauge", metric.get("sum"))["dataPoints"]:
                    labels = {one["key"]: one["value"].get("stringValue") for one in point.get("attributes", [])}
                    yield metric["name"], labels, float(point["asInt"]) if "asInt" in point else point["asDouble"], int(point["timeUnixNano"])


@pytest.fixture
def start(tmp_path):
    started = []

    def starter(**receiver):
        port = harness.free_port()
        started.append(harness.Weir(config(tmp_path, port, receiver), tmp_path))
        return started[-1], port
    yield starter
    for weir in started:
        weir.kill()


def wait_points(folder, count):
    harness.wait_until(lambda: len(list(points(folder))) == count, f"{count} points; there are {len(list(points(folder)))}")
    return list(points(folder))


def test_lines_over_tcp_and_what_is_refused(tmp_path, start):
    weir, port = start()
    with socket.create_connection(("127.0.0.1", port)) as client:
        for number in range(1000):
            client.sendall(b"shop.orders;host=h%d %d 1582230020\r\n" % (number % 3, number))
        client.sendall(b"no line\nbad x 1\nlast.one 1.5 1582230020.25\n")
        got = wait_points(tmp_path, 1001)
    assert sum(value for name, _, value, _ in got if name == "shop.orders") == sum(range(1000))
    assert got[-1] == ("last.one", {}, 1.5, 1582230020250000000)
    assert all(f'reason="{one}"' in weir.metrics_text() for one in ("not_three_fields", "bad_value"))
    weir.stop()


def test_lines_over_udp(tmp_path, start):
    weir, port = start(transport="udp")
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as client:
        client.sendto(b"a.b 1 1582230020\nc.d 2 1582230020", ("127.0.0.1", port))
    assert {name for name, *_ in wait_points(tmp_path, 2)} == {"a.b", "c.d"}
    weir.stop()


def test_regular_expressions(tmp_path, start):
    rule = {"regexp": "^(?P<key_host>[^.]+)\\.cpu\\.(?P<name_0>.+)$$", "name_prefix": "cpu", "labels": {"team": "x"}, "type": "cumulative"}
    weir, port = start(parser={"type": "regex", "config": {"rules": [rule], "name_separator": "."}})
    with socket.create_connection(("127.0.0.1", port)) as client:
        client.sendall(b"h1.cpu.user.total 5 1582230020\nother;k=v 6 1582230020\n")
        got = wait_points(tmp_path, 2)
    assert got[0][:3] == ("cpu.user.total", {"host": "h1", "team": "x"}, 5)
    assert got[1][:3] == ("other", {"k": "v"}, 6)
    weir.stop()


def frame(body):
    return struct.pack("!L", len(body)) + body


def test_pickles(tmp_path, start):
    weir, port = start(protocol="pickle")
    data = [("a.b", (1582230020, 1.5)), ("c;k=v", (1582230021.5, 7)), ("a.b", (1582230022, "2.5"))]
    with socket.create_connection(("127.0.0.1", port)) as client:
        for protocol in range(pickle.HIGHEST_PROTOCOL + 1):
            for byte in (frame(pickle.dumps(data, protocol=protocol)) if protocol == 0 else b""):
                client.send(bytes([byte]))
            if protocol:
                client.sendall(frame(pickle.dumps([list(one) for one in data] if protocol == 3 else data, protocol=protocol)))
        client.sendall(frame(pickle.dumps([(f"many.{number}", (1582230020, number)) for number in range(2000)], protocol=2)))
        got = wait_points(tmp_path, 3 * (pickle.HIGHEST_PROTOCOL + 1) + 2000)
    assert got[1] == ("c", {"k": "v"}, 7, 1582230021500000000) and got[2][2] == 2.5
    assert sum(value for name, _, value, _ in got if name.startswith("many.")) == sum(range(2000))
    weir.stop()


class Program:
    def __init__(self, path):
        self.path = path

    def __reduce__(self):
        return os.mkdir, (self.path,)


def test_a_pickle_that_is_a_program_is_refused(tmp_path, start):
    weir, port = start(protocol="pickle")
    for body in (pickle.dumps([("a", (1, Program(str(tmp_path / "made"))))], protocol=2), pickle.dumps({"a": 1}), b"\xff" * 50):
        with socket.create_connection(("127.0.0.1", port)) as client:
            client.settimeout(10)
            client.sendall(frame(body))
            try:
                assert client.recv(1) == b""
            except ConnectionError:
                pass
    with socket.create_connection(("127.0.0.1", port)) as client:
        client.sendall(b"\x7f\xff\xff\xff")
        client.settimeout(10)
        assert client.recv(1) == b""
    harness.wait_until(lambda: all(f'reason="{one}"' in weir.metrics_text() for one in ("program", "too_long")), "the reasons are counted")
    assert not (tmp_path / "made").exists() and not list(points(tmp_path))
    weir.stop()


def test_a_silent_connection_is_closed(start):
    weir, port = start(tcp_idle_timeout="200ms")
    with socket.create_connection(("127.0.0.1", port)) as client:
        client.settimeout(10)
        assert client.recv(1) == b""
    weir.stop()
