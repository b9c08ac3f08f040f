"""Syslog and plain lines: logger(1) and rsyslog where they are, TCP, TLS, UDP and unix sockets, and what is bad."""
import contextlib
import datetime
import pathlib
import shutil
import socket
import ssl
import subprocess
import time

import pytest

from conformance import log_streams
from e2e import harness
from e2e.tls_test import certificates, server_tls  # noqa: F401 (a fixture)

PATIENCE = 10


class Receiving:
    def __init__(self, start_weir, folder, receiver, settings, exporter=None):
        self.path = folder / "out.jsonl"
        self.port = harness.free_port()
        self.weir = start_weir({
            "receivers": {receiver: self.with_port(settings)},
            "exporters": exporter or {"file": {"path": str(self.path), "flush_interval": "10ms"}},
            "service": {"pipelines": {"logs": {"receivers": [receiver], "exporters": list(exporter or ["file"])}}}})

    def with_port(self, settings):
        if isinstance(settings, dict):
            return {key: self.with_port(value) for key, value in settings.items()}
        return settings.replace("PORT", str(self.port)) if isinstance(settings, str) else settings

    def records(self, count):
        def found():
            records = [one["record"] for one in harness.read_records(self.path, "logs")]
            return records if len(records) >= count else None

        return harness.wait_until(found, f"{count} records; the log is {self.weir.log()[-2000:]}")

    def connect(self):
        return socket.create_connection(("127.0.0.1", self.port), timeout=PATIENCE)

    def send(self, data):
        with self.connect() as connection:
            connection.sendall(data)

    def send_datagrams(self, *datagrams):
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sender:
            for data in datagrams:
                sender.sendto(data, ("127.0.0.1", self.port))


@pytest.fixture
def receiving(start_weir, tmp_path):
    return lambda receiver, settings, exporter=None: Receiving(start_weir, tmp_path, receiver, settings, exporter)


def tcp(**more):
    return {"listen_address": "127.0.0.1:PORT", **more}


def bodies(records):
    return [log_streams.plain(record.get("body")) for record in records]


def attributes(record):
    return log_streams.attributes(record.get("attributes", []))


# ---- real clients ----

@pytest.mark.parametrize("arguments, settings", [
    (["--tcp", "--rfc5424"], {"protocol": "rfc5424", "tcp": tcp()}),
    (["--tcp", "--rfc5424", "--octet-count"], {"protocol": "rfc5424", "enable_octet_counting": True, "tcp": tcp()}),
    (["--udp", "--rfc5424"], {"protocol": "rfc5424", "udp": tcp()}),
    (["--udp", "--rfc3164"], {"protocol": "rfc3164", "udp": tcp()}),
    (["--tcp", "--rfc3164"], {"protocol": "rfc3164", "tcp": tcp()}),
])
@pytest.mark.skipif(shutil.which("logger") is None, reason="logger(1) is not here")
def test_logger(receiving, arguments, settings):
    ports = receiving("syslog", settings)
    for number in range(3):
        subprocess.run(["logger", "--server", "127.0.0.1", "--port", str(ports.port), "--priority", "local3.warning", "--tag", "app", "--id=77", *arguments,
                        f"line {number}"], check=True, timeout=20)
    for number, record in enumerate(sorted(ports.records(3), key=lambda record: attributes(record)["message"])):
        found = attributes(record)
        assert (found["facility"], found["appname"], found["proc_id"], found["message"]) == (19, "app", "77", f"line {number}")
        assert record["severityText"] == "warning" and record["severityNumber"] == 13
        assert abs(int(record["timeUnixNano"]) / 1e9 - time.time()) < 60


@pytest.mark.parametrize("stream", [True, False])
@pytest.mark.skipif(shutil.which("logger") is None, reason="logger(1) is not here")
def test_logger_on_a_unix_socket(receiving, tmp_path, stream):
    path = tmp_path / "log"
    ports = receiving("syslog", {"protocol": "rfc3164", "tcp" if stream else "udp": {"listen_address": f"unix://{path}"}})
    subprocess.run(["logger", "--socket", str(path), "--tcp" if stream else "--udp", "--tag", "app", "local"], check=True, timeout=20)
    found = attributes(ports.records(1)[0])
    assert (found["appname"], found["message"]) == ("app", "local")
    ports.weir.stop()
    assert not path.exists()


RSYSLOG = """
module(load="imuxsock" SysSock.Use="off")
module(load="imfile")
global(workDirectory="{folder}")
input(type="imfile" File="{folder}/in.log" Tag="app:" Severity="error" Facility="local1")
*.* action(type="omfwd" target="127.0.0.1" port="{port}" protocol="tcp" {more} action.resumeRetryCount="-1")
"""


@pytest.mark.parametrize("protocol, more", [
    ("rfc3164", 'template="RSYSLOG_TraditionalForwardFormat"'),
    ("rfc3164", 'template="RSYSLOG_ForwardFormat"'),
    ("rfc5424", 'template="RSYSLOG_SyslogProtocol23Format" TCP_Framing="octet-counted"'),
])
def test_rsyslog(receiving, tmp_path, protocol, more):
    rsyslogd = shutil.which("rsyslogd") or next((path for path in ("/usr/sbin/rsyslogd",) if pathlib.Path(path).exists()), None)
    if rsyslogd is None:
        pytest.skip("rsyslog is not here")
    ports = receiving("syslog", {"protocol": protocol, "enable_octet_counting": True, "tcp": tcp()})
    (tmp_path / "in.log").write_text("".join(f"line {number}\n" for number in range(2000)))
    (tmp_path / "rsyslog.conf").write_text(RSYSLOG.format(folder=tmp_path, port=ports.port, more=more))
    process = subprocess.Popen([rsyslogd, "-n", "-f", str(tmp_path / "rsyslog.conf"), "-i", str(tmp_path / "pid")], stderr=subprocess.DEVNULL)
    try:
        records = ports.records(2000)
    finally:
        process.terminate()
        process.wait()
    found = [attributes(record) for record in records if attributes(record).get("appname") == "app"]
    assert [one["message"].strip() for one in found] == [f"line {number}" for number in range(2000)]
    assert found[0]["facility"] == 17 and found[0]["hostname"]


# ---- transports ----

def test_lines_over_tcp(receiving):
    ports = receiving("tcp_log", tcp(add_attributes=True, attributes={"a": "b"}, resource={"service.name": "lines"}))
    ports.send(b"one\r\n\n  two  \n" + b"x" * 3000000 + b"\nlast without an end")
    records = ports.records(6)
    assert bodies(records)[:2] == ["one", "two"] and bodies(records)[-1] == "last without an end"
    assert [len(body) for body in bodies(records)[2:5]] == [1 << 20, 1 << 20, 3000000 - (2 << 20)]
    found = attributes(records[0])
    assert found["net.transport"] == "IP.TCP" and found["net.peer.ip"] == "127.0.0.1" and found["net.peer.port"].isdigit() and found["a"] == "b"
    assert harness.read_records(ports.path, "logs")[0]["resource"]


def test_datagrams(receiving):
    ports = receiving("udp_log", tcp(encoding="nop"))
    ports.send_datagrams(*[b"one %d\ntwo %d" % (number, number) for number in range(300)], b"\xff\n")
    records = ports.records(601)
    assert sorted(bodies(records)) == sorted([word % number for number in range(300) for word in (b"one %d", b"two %d")] + [b"\xff"])


def test_the_former_names_and_whole_datagrams(receiving):
    ports = receiving("udplog", tcp(one_log_per_packet=True))
    ports.send_datagrams(b"one\ntwo\n")
    assert bodies(ports.records(1)) == ["one\ntwo"]


def test_tls(receiving, certificates):  # noqa: F811
    ports = receiving("syslog", {"protocol": "rfc5424", "enable_octet_counting": True, "tcp": tcp(tls=server_tls(certificates))})
    context = ssl.create_default_context(cafile=str(certificates / "ca.crt"))
    with context.wrap_socket(ports.connect(), server_hostname="localhost") as connection:
        for number in range(5000):
            text = b"<14>1 - host app - - - line %d" % number
            connection.sendall(b"%d %s" % (len(text), text))
    assert [attributes(record)["message"] for record in ports.records(5000)] == [f"line {number}" for number in range(5000)]


def test_times_are_in_the_location(receiving):
    ports = receiving("syslog", {"protocol": "rfc3164", "location": "Europe/Athens", "tcp": tcp()})
    now = datetime.datetime.now(datetime.timezone.utc).replace(microsecond=0)
    winter = now.replace(month=1, day=15, hour=10, minute=0, second=0)
    ports.send(winter.strftime("<13>%b %d %H:%M:%S host app: x\n").encode())
    got = datetime.datetime.fromtimestamp(int(ports.records(1)[0]["timeUnixNano"]) / 1e9, datetime.timezone.utc)
    assert got == winter - datetime.timedelta(hours=2)


def test_a_sender_is_held_up_while_nothing_is_taken(receiving, start_sink):
    sink = start_sink(track=False)
    sink.mode("unavailable")
    exporter = {"otlp_http": {"endpoint": f"http://127.0.0.1:{sink.port}", "compression": "none", "sending_queue": {"queue_size": 1, "num_consumers": 1},
                              "retry_on_failure": {"initial_interval": "100ms", "max_interval": "200ms", "max_elapsed_time": "0s"}}}
    ports = receiving("tcp_log", tcp(), exporter)
    with ports.connect() as connection:
        for number in range(100):
            connection.sendall(b"line %d\n" % number)
            time.sleep(0.001)
        ports.weir.wait_log("held up")
    sink.mode("ok")
    harness.wait_until(lambda: sink.stats()["records"] == 100, "all records")


# ---- bad input ----

@pytest.mark.parametrize("data, octets", [(b"99999999999999 <13>x", True), (b"70000 <13>x", True), (b"12x", True)])
def test_counts_that_lie_end_the_connection(receiving, data, octets):
    ports = receiving("syslog", {"protocol": "rfc5424", "enable_octet_counting": octets, "tcp": tcp()})
    with ports.connect() as connection, contextlib.suppress(ConnectionError):
        connection.sendall(b"22 <14>1 - h a - - - fine" + data)
        while connection.recv(100):
            pass
    ports.weir.wait_log("ended: octet_count")
    assert attributes(ports.records(1)[0])["message"] == "fine"


def test_what_is_no_syslog_is_kept_or_dropped(receiving):
    ports = receiving("syslog", {"protocol": "rfc5424", "tcp": tcp()})
    ports.send(b"no priority\n\0\xff\xfe rubbish \0\n<14>1 - h a - - - fine\n")
    assert bodies(ports.records(3)) == ["no priority", "\0\ufffd\ufffd rubbish \0", "<14>1 - h a - - - fine"]
    assert ports.weir.log().count("no syslog message") == 2


def test_what_is_dropped_is_counted(receiving):
    ports = receiving("syslog", {"protocol": "rfc5424", "on_error": "drop_quiet", "tcp": tcp()})
    ports.send(b"no priority\n" * 5 + b"<14>1 - h a - - - fine\n")
    assert len(ports.records(1)) == 1
    assert ports.weir.metric("weir_dropped_total", reason="malformed") in (5, None)
    assert "no syslog message" not in ports.weir.log()


def test_a_line_of_a_hundred_megabytes_is_bounded(receiving):
    ports = receiving("tcp_log", tcp())
    with ports.connect() as connection:
        for _ in range(100):
            connection.sendall(b"\0" * (1 << 20))
        connection.sendall(b"\nwell\n")
    assert bodies(ports.records(101))[-1] == "well"
    assert ports.weir.memory_kib("VmHWM") < (400 << 10) * harness.MEMORY_FACTOR
