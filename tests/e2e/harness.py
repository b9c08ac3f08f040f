"""Starts the built weir from outside and looks at what it does: through its ports, its files and its log."""
import http.client
import json
import os
import pathlib
import random
import re
import signal
import socket
import subprocess
import time

import yaml

from e2e import otlp

ROOT = pathlib.Path(__file__).resolve().parents[2]
BUILD = pathlib.Path(os.environ.get("WEIR_BUILD", ROOT / "build" / "debug-asan"))
BINARY = pathlib.Path(os.environ.get("WEIR_BINARY", BUILD / "weir"))
SINK = BUILD / "tests/bench/sink"
LOAD = BUILD / "tests/bench/load"
PATHS = {"traces": "/v1/traces", "metrics": "/v1/metrics", "logs": "/v1/logs", "profiles": "/v1development/profiles"}
# TSan keeps about five bytes beside each byte of the program's.
MEMORY_FACTOR = 6 if BUILD.name == "tsan" else 1
SANITIZER = re.compile(r"(AddressSanitizer|LeakSanitizer|ThreadSanitizer|UndefinedBehaviorSanitizer|runtime error:|Assertion .* failed).*")


def free_port():
    """Below the range that the kernel gives to outgoing connections, so that nobody takes it before weir does."""
    while True:
        port = random.randint(10000, 30000)
        with socket.socket() as probe:
            try:
                probe.bind(("127.0.0.1", port))
                return port
            except OSError:
                continue


def free_ports(count):
    """That many different ones."""
    ports = set()
    while len(ports) < count:
        ports.add(free_port())
    return list(ports)


def wait_until(condition, what, seconds=20.0, step=0.02):
    """Returns the first true value of condition(); fails with `what` when there is none in time."""
    end = time.monotonic() + seconds
    while True:
        value = condition()
        if value:
            return value
        if time.monotonic() > end:
            raise AssertionError(f"not within {seconds} s: {what}")
        time.sleep(step)


def request(port, path, body=b"", headers=None, method="POST", timeout=20):
    """One HTTP request on a connection of its own: (status, headers in lower case, body)."""
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=timeout)
    try:
        connection.request(method, path, body=body, headers=headers or {})
        answer = connection.getresponse()
        return answer.status, {name.lower(): value for name, value in answer.getheaders()}, answer.read()
    finally:
        connection.close()


def post_json(port, signal_name, document, **headers):
    body = document if isinstance(document, (str, bytes)) else json.dumps(document)
    return request(port, PATHS[signal_name], body, {"Content-Type": "application/json", **headers})


def post_protobuf(port, signal_name, body, **headers):
    return request(port, PATHS[signal_name], body, {"Content-Type": "application/x-protobuf", **headers})


class Weir:
    """One running weir. `config` is a whole configuration without health check and telemetry port, which are added."""

    def __init__(self, config, folder, arguments=(), environment=None, binary=BINARY, wait=True):
        self.folder = pathlib.Path(folder)
        self.folder.mkdir(parents=True, exist_ok=True)
        self.config_path = self.folder / "weir.yaml"
        self.log_path = self.folder / "weir.log"
        self.health_port, self.metrics_port = free_port(), free_port()
        self.write_config(config)
        self.log_file = open(self.log_path, "ab")
        self.process = subprocess.Popen([str(binary), "--config", str(self.config_path), *arguments], cwd=self.folder, stdout=self.log_file,
                                        stderr=subprocess.STDOUT, env=dict(os.environ, **(environment or {})))
        if wait:
            self.wait_ready()

    def write_config(self, config):
        config = json.loads(json.dumps(config))  # a copy, and what YAML calls anchors is gone
        service = config.setdefault("service", {})
        config.setdefault("extensions", {})["health_check"] = {"endpoint": f"127.0.0.1:{self.health_port}"}
        service.setdefault("extensions", []).append("health_check")
        telemetry = service.setdefault("telemetry", {})
        telemetry.setdefault("metrics", {})["readers"] = [
            {"pull": {"exporter": {"prometheus": {"host": "127.0.0.1", "port": self.metrics_port}}}}]
        temporary = self.config_path.with_suffix(".new")
        temporary.write_text(yaml.safe_dump(config, sort_keys=False))
        temporary.rename(self.config_path)

    def healthy(self):
        try:
            return request(self.health_port, "/", method="GET", timeout=2)[0] == 200
        except (OSError, http.client.HTTPException):
            return False

    def wait_ready(self):
        wait_until(lambda: self.healthy() or self.process.poll() is not None, "weir is ready", 30)
        assert self.process.poll() is None, f"weir ended at its start:\n{self.log()}"

    def log(self):
        return self.log_path.read_text(errors="replace")

    def wait_log(self, pattern, seconds=20):
        return wait_until(lambda: re.search(pattern, self.log()), f"log line {pattern!r}; the log is:\n{self.log()[-3000:]}", seconds)

    def metrics_text(self):
        return request(self.metrics_port, "/metrics", method="GET")[2].decode()

    def metric(self, name, **labels):
        """The sum of all series of that name that carry these labels; None when there is none."""
        found = None
        for series, value in parse_metrics(self.metrics_text()):
            if series[0] == name and all(series[1].get(key) == wanted for key, wanted in labels.items()):
                found = (found or 0) + value
        return found

    def reload(self):
        self.process.send_signal(signal.SIGHUP)

    def memory_kib(self, word="VmRSS"):
        text = pathlib.Path(f"/proc/{self.process.pid}/status").read_text()
        return int(re.search(rf"^{word}:\s+(\d+) kB", text, re.M).group(1))

    def alive(self):
        return self.process.poll() is None

    def stop(self, seconds=30):
        """SIGTERM; weir must end by itself with 0 and no sanitizer's finding."""
        if self.alive():
            self.process.send_signal(signal.SIGTERM)
        try:
            code = self.process.wait(seconds)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()
            raise AssertionError(f"weir did not stop within {seconds} s of SIGTERM:\n{self.log()[-3000:]}") from None
        self.log_file.close()
        self.check_log()
        assert code == 0, f"weir ended with {code}:\n{self.log()[-3000:]}"

    def check_log(self):
        finding = SANITIZER.search(self.log())
        assert finding is None, f"a sanitizer's finding:\n{self.log()[finding.start():][:6000]}"

    def kill(self):
        """For the end of a test that already failed."""
        if self.alive():
            self.process.kill()
            self.process.wait()
        self.log_file.close()


def parse_metrics(text):
    """Prometheus text: pairs of (name, labels) and value."""
    for line in text.splitlines():
        found = re.fullmatch(r"([a-zA-Z_:][\w:]*)(?:\{(.*)\})? (\S+)(?: \d+)?", line)
        if found and not line.startswith("#"):
            labels = {name: re.sub(r"\\(.)", lambda escaped: {"n": "\n"}.get(escaped[1], escaped[1]), value)
                      for name, value in re.findall(r'(\w+)="((?:[^"\\]|\\.)*)"', found.group(2) or "")}
            yield (found.group(1), labels), float(found.group(3))


class Sink:
    """The counting sink of the benches: numbers, and modes that refuse, hang and so on."""

    def __init__(self, port=None, grpc_port=None, track=True, arguments=()):
        self.port, self.grpc_port = port or free_port(), grpc_port or free_port()
        self.arguments = ["--http", str(self.port), "--grpc", str(self.grpc_port), *(["--track"] if track else []), *arguments]
        self.process = None
        self.start()

    def start(self):
        self.process = subprocess.Popen([str(SINK), *self.arguments], stdout=subprocess.PIPE)
        wait_until(self.reachable, "the sink is there", 10)

    def reachable(self):
        try:
            return bool(self.stats())
        except OSError:
            return False

    def stats(self):
        return json.loads(request(self.port, "/stats", method="GET")[2])

    def mode(self, word):
        status = request(self.port, f"/mode/{word}", method="GET")[0]
        assert status == 200, word

    def stop(self):
        """Ends it and returns its last numbers."""
        if self.process.poll() is None:
            self.process.send_signal(signal.SIGTERM)
        return json.loads(self.process.communicate(timeout=10)[0])


def start_load(port, *arguments):
    return subprocess.Popen([str(LOAD), "--port", str(port), *map(str, arguments)], stdout=subprocess.PIPE)


def finish_load(process, seconds=120):
    return json.loads(process.communicate(timeout=seconds)[0])


def run_load(port, *arguments, seconds=120):
    return finish_load(start_load(port, *arguments), seconds)


# ---- configurations and what they write ----


def pipelines(receivers=("otlp",), processors=(), exporters=("file",), signals=("traces", "metrics", "logs")):
    return {one: {"receivers": list(receivers), "processors": list(processors), "exporters": list(exporters)} for one in signals}


def otlp_receiver(http_port=None, grpc_port=None, http=None, grpc=None):
    protocols = {}
    if http_port:
        protocols["http"] = {"endpoint": f"127.0.0.1:{http_port}", **(http or {})}
    if grpc_port:
        protocols["grpc"] = {"endpoint": f"127.0.0.1:{grpc_port}", **(grpc or {})}
    return {"protocols": protocols}


def otlp_to_file(path, http_port=None, grpc_port=None, http=None, grpc=None):
    """The commonest configuration of these tests: OTLP in, JSON lines out."""
    return {
        "receivers": {"otlp": otlp_receiver(http_port, grpc_port, http, grpc)},
        "exporters": {"file": {"path": str(path), "flush_interval": "100ms"}},
        "service": {"pipelines": pipelines()},
    }


def read_lines(path):
    """Every whole JSON line of a file that weir writes."""
    path = pathlib.Path(path)
    if not path.exists():
        return []
    text = path.read_bytes()
    return [json.loads(line) for line in text[: text.rfind(b"\n") + 1].splitlines()]


def read_records(path, signal_name):
    return otlp.records_of(signal_name, [line for line in read_lines(path) if otlp.signal_of(line) == signal_name])


def as_multiset(records):
    """For comparing two lists of records whatever their order."""
    return sorted(json.dumps(record, sort_keys=True) for record in records)


def span_document(name="span", count=1, **fields):
    spans = [{"traceId": f"{index + 1:032x}", "spanId": f"{index + 1:016x}", "name": name, "kind": 2, "startTimeUnixNano": "1700000000000000000",
              "endTimeUnixNano": "1700000001000000000", **fields} for index in range(count)]
    return {"resourceSpans": [{"resource": {"attributes": [{"key": "service.name", "value": {"stringValue": "test"}}]},
                               "scopeSpans": [{"scope": {"name": "e2e"}, "spans": spans}]}]}


def log_document(text="line", count=1):
    return {"resourceLogs": [{"scopeLogs": [{"logRecords": [{"timeUnixNano": "1700000000000000000", "severityNumber": 9, "body": {"stringValue": text}}
                                                            for _ in range(count)]}]}]}


def gauge_document(name="gauge", count=1):
    return {"resourceMetrics": [{"scopeMetrics": [{"metrics": [{"name": name, "gauge": {"dataPoints": [
        {"timeUnixNano": "1700000000000000000", "asInt": str(number)} for number in range(count)]}}]}]}]}


DOCUMENTS = {"traces": span_document, "metrics": gauge_document, "logs": log_document}
