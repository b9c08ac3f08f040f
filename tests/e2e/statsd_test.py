"""StatsD over every transport, by sockets and by the clients that people use: what they count is what weir sends on."""
import os
import re
import signal
import socket
import subprocess
import sys
import time

import pytest

from e2e import harness, otlp


def config(folder, receiver, signals=("metrics", "logs")):
    return {
        "receivers": {"statsd": {"aggregation_interval": "200ms", **receiver}},
        "exporters": {"file": {"path": str(folder / "out.jsonl"), "flush_interval": "50ms"}},
        "service": {"pipelines": harness.pipelines(receivers=("statsd",), signals=signals)},
    }


def text_attributes(item):
    return {one["key"]: one["value"].get("stringValue") for one in item.get("attributes", [])}


def points(folder):
    """(metric's name, kind, attributes, point) of all that was written."""
    for line in harness.read_lines(folder / "out.jsonl"):
        for group in line.get("resourceMetrics", []):
            for scope in group["scopeMetrics"]:
                for metric in scope["metrics"]:
                    kind = next(key for key in ("gauge", "sum", "histogram", "exponentialHistogram", "summary") if key in metric)
                    for point in metric[kind]["dataPoints"]:
                        yield metric["name"], kind, text_attributes(point), point


def total(folder, name):
    return sum(int(point.get("asInt", 0)) or float(point.get("asDouble", 0)) for one, _, _, point in points(folder) if one == name)


def wait_total(folder, name, wanted):
    harness.wait_until(lambda: total(folder, name) == wanted, f"{name} is {wanted}, it is {total(folder, name)}")


def logs(folder):
    return [record for line in harness.read_lines(folder / "out.jsonl") for group in line.get("resourceLogs", [])
            for scope in group["scopeLogs"] for record in scope["logRecords"]]


@pytest.fixture
def start(tmp_path):
    started = []

    def starter(**receiver):
        started.append(harness.Weir(config(tmp_path, receiver), tmp_path))
        return started[-1]
    yield starter
    for weir in started:
        weir.kill()


@pytest.mark.parametrize("transport", ["udp", "tcp", "unixgram"])
def test_transports(tmp_path, start, transport):
    endpoint = str(tmp_path / "s.sock") if transport == "unixgram" else f"127.0.0.1:{harness.free_port()}"
    weir = start(endpoint=endpoint, transport=transport, ignore_host=True)
    family, kind = (socket.AF_UNIX if transport == "unixgram" else socket.AF_INET), (socket.SOCK_STREAM if transport == "tcp" else socket.SOCK_DGRAM)
    with socket.socket(family, kind) as client:
        client.connect(endpoint if transport == "unixgram" else ("127.0.0.1", int(endpoint.split(":")[1])))
        for _ in range(50):
            client.send(b"hits:1|c|#where:here\nhits:2|c|#where:here\n")
        client.send(b"bad line\nlast:7|g" + (b"" if transport != "tcp" else b"\n"))
        wait_total(tmp_path, "hits", 150)
        wait_total(tmp_path, "last", 7)
    assert weir.metric("otelcol_receiver_accepted_metric_points", receiver="statsd") >= 2
    weir.stop()
    assert not (tmp_path / "s.sock").exists()


def test_a_line_in_pieces_and_one_without_end(tmp_path, start):
    port = harness.free_port()
    weir = start(endpoint=f"127.0.0.1:{port}", transport="tcp")
    with socket.create_connection(("127.0.0.1", port)) as client:
        for byte in b"slow:4|c\n":
            client.send(bytes([byte]))
            time.sleep(0.002)
        wait_total(tmp_path, "slow", 4)
    with socket.create_connection(("127.0.0.1", port)) as client:
        client.settimeout(10)
        try:
            client.sendall(b"x" * 200_000)
            assert client.recv(1) == b""
        except ConnectionError:
            pass
    weir.stop()


def test_what_is_held_is_sent_at_the_end(tmp_path, start):
    port = harness.free_port()
    weir = start(endpoint=f"127.0.0.1:{port}", aggregation_interval="1h")
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as client:
        for _ in range(3):
            client.sendto(b"held:5|c", ("127.0.0.1", port))
    time.sleep(0.3)
    weir.stop()
    assert total(tmp_path, "held") == 15


def test_refused_lines_are_counted_with_their_reason(tmp_path, start):
    port = harness.free_port()
    weir = start(endpoint=f"127.0.0.1:{port}", max_series=2, ignore_host=True)
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as client:
        for line in (b"a:x|c", b"a:1|zz", b"a" * 60000 + b":1|c", b"m1:1|c\nm2:1|c\nm3:1|c", b"a:1|c|#notag"):
            client.sendto(line, ("127.0.0.1", port))
        wait_total(tmp_path, "m2", 1)

    def text():
        return weir.metrics_text()
    harness.wait_until(lambda: all(f'reason="{one}"' in text() for one in ("bad_value", "unsupported_type", "too_long", "too_many_series", "bad_tag")),
                       "all reasons are counted")
    weir.stop()


def client_of(package, version, tmp_path):
    """A folder with the package in it, or a skipped test."""
    folder = harness.ROOT / "build" / "clients" / f"{package}-{version}"
    if not folder.exists():
        done = subprocess.run([sys.executable, "-m", "pip", "install", "-q", "--no-deps", "--target", str(tmp_path / package), f"{package}=={version}"],
                              capture_output=True, text=True, check=False)
        if done.returncode:
            pytest.skip(f"{package} {version} cannot be had: {done.stderr[-200:]}")
        folder.parent.mkdir(parents=True, exist_ok=True)
        try:
            os.rename(tmp_path / package, folder)
        except OSError:
            return tmp_path / package
    return folder


def test_the_statsd_client(tmp_path, start, monkeypatch):
    monkeypatch.syspath_prepend(str(client_of("statsd", "4.0.1", tmp_path)))
    import statsd  # noqa: PLC0415

    port = harness.free_port()
    weir = start(endpoint=f"127.0.0.1:{port}", timer_histogram_mapping=[{"statsd_type": "timing", "observer_type": "summary"}])
    client = statsd.StatsClient("127.0.0.1", port, prefix="shop")
    with client.pipeline() as pipe:
        for number in range(100):
            pipe.incr("orders", 2)
            pipe.timing("wait", number)
        pipe.decr("orders", 50)
        pipe.gauge("stock", 10)
        pipe.gauge("stock", -3, delta=True)
        pipe.set("users", "ann")
        pipe.set("users", "bob")
        pipe.set("users", "ann")
    client.close()
    wait_total(tmp_path, "shop.orders", 150)
    got = {name: point for name, _, _, point in points(tmp_path)}
    weir.stop()
    got = {name: point for name, _, _, point in points(tmp_path)}
    assert got["shop.stock"]["asDouble"] == 7
    assert int(got["shop.users"]["asInt"]) == 2
    summaries = [point for name, kind, _, point in points(tmp_path) if name == "shop.wait" and kind == "summary"]
    assert sum(int(one["count"]) for one in summaries) == 100
    assert sum(one["sum"] for one in summaries) == sum(range(100))


def test_the_datadog_client(tmp_path, start, monkeypatch):
    monkeypatch.syspath_prepend(str(client_of("datadog", "0.56.0", tmp_path)))
    statsd_base = pytest.importorskip("datadog.dogstatsd.base")

    port = harness.free_port()
    weir = start(endpoint=f"127.0.0.1:{port}", enable_simple_tags=True, socket_buffer_size=4 << 20, timer_histogram_mapping=[
        {"statsd_type": "histogram", "observer_type": "histogram"}, {"statsd_type": "timing", "observer_type": "histogram", "histogram": {
            "explicit_buckets": [{"matcher_pattern": "^dd\\.", "buckets": [10, 100]}]}}])
    client = statsd_base.DogStatsd(host="127.0.0.1", port=port, disable_telemetry=True, disable_aggregation=True, constant_tags=["env:test"])
    for number in range(1, 101):
        client.increment("dd.hits", tags=["path:/a", "path2:b:c"])
        client.distribution("dd.size", number, tags=["simple"])
        client.timing("dd.took", number)
        if number % 20 == 0:
            time.sleep(0.02)  # what the kernel holds for a sanitized reader is not much
    client.gauge("dd.level", 12.5)
    client.set("dd.users", 17)
    client.event("deployed", "line one\nline two", alert_type="warning", tags=["team:x"])
    client.service_check("db.ok", client.CRITICAL, message="down", tags=["a:b"])
    client.flush()
    harness.wait_until(lambda: len(logs(tmp_path)) == 2, "both log records")
    wait_total(tmp_path, "dd.hits", 100)
    weir.stop()
    every = list(points(tmp_path))
    hits = [attributes for name, _, attributes, _ in every if name == "dd.hits"]
    assert all(one["env"] == "test" and one["path2"] == "b:c" for one in hits)
    sizes = [point for name, kind, _, point in every if name == "dd.size" and kind == "exponentialHistogram"]
    assert sum(int(one["count"]) for one in sizes) == 100 and sum(one["sum"] for one in sizes) == 5050
    took = [point for name, kind, _, point in every if name == "dd.took" and kind == "histogram"]
    assert [sum(int(one["bucketCounts"][i]) for one in took) for i in range(3)] == [10, 90, 0]
    event, check = sorted(logs(tmp_path), key=lambda one: one["eventName"])
    assert event["body"]["stringValue"] == "line one\nline two" and event["severityNumber"] in (13, "SEVERITY_NUMBER_WARN")
    assert text_attributes(event)["dogstatsd.event.title"] == "deployed" and text_attributes(event)["team"] == "x"
    assert check["body"]["stringValue"] == "down" and check["severityText"] == "CRITICAL"
    assert otlp.signal_of(harness.read_lines(tmp_path / "out.jsonl")[0]) in ("metrics", "logs")


def test_what_the_kernel_drops_is_counted(tmp_path, start):
    port = harness.free_port()
    weir = start(endpoint=f"127.0.0.1:{port}", ignore_host=True)
    weir.process.send_signal(signal.SIGSTOP)
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as client:
        for _ in range(3000):
            client.sendto(b"flood:1|c", ("127.0.0.1", port))
        weir.process.send_signal(signal.SIGCONT)
        harness.wait_until(lambda: total(tmp_path, "flood") > 0, "some of it arrives")
        client.sendto(b"flood:1|c", ("127.0.0.1", port))  # the count comes with the next datagram
        harness.wait_until(lambda: re.search(r'reason="kernel"[^\n]* (\d+)', weir.metrics_text()), "the kernel's drops are counted")
    harness.wait_until(lambda: total(tmp_path, "flood") + int(re.search(r'reason="kernel"[^\n]* (\d+)', weir.metrics_text()).group(1)) == 3001,
                       "all datagrams are accounted for")
    weir.stop()
