#!/usr/bin/env python3
"""The benches: weir and the OpenTelemetry Collector run the same configuration in turn, on a processor of their own.

A case is one row of CASES. Each run starts the collector and the counting sink, warms them up, sends, waits until
everything has come through, and takes the collector's user and system time over that span. Rounds are
interleaved and the median counts. The table goes to the terminal and into docs/benchmarks.md.
"""
import argparse
import atexit
import dataclasses
import datetime
import http.client
import json
import os
import pathlib
import random
import re
import shutil
import signal
import socket
import statistics
import subprocess
import sys
import tempfile
import time

import disk_queue

ROOT = pathlib.Path(__file__).resolve().parents[2]
HERE = pathlib.Path(__file__).resolve().parent
BUILD = ROOT / "build" / "release"
PEER = pathlib.Path(os.environ.get("WEIR_PEER", ROOT / "build" / "peer"))
DOCUMENT = ROOT / "docs" / "benchmarks.md"
COLLECTOR_CORE, DRIVER_CORE = 0, 1
TICKS = os.sysconf("SC_CLK_TCK")


@dataclasses.dataclass(frozen=True)
class Case:
    name: str
    what: str
    config: str
    load: tuple = ()
    grpc: bool = False
    compression: str = "none"
    rate: int = 0
    idle: bool = False
    sink: str = "sink"  # the program that counts; "": none
    peer: bool = True  # the peer has what the case needs
    processor: str = ""  # of processors/: merged over the configuration
    drops: bool = False  # what it drops has been worked on too: accepted records count
    holds: bool = False  # everything is kept: what that takes counts
    kafka: bool = False


# A batch of 8,192 records answers its senders when it is full (or after 200 ms): so many senders must be waiting.
HUNDRED = ("--records", "100", "--connections", "128")
THOUSAND = ("--records", "1000", "--connections", "32")

CASES = [
    Case("passthrough-http-100", "OTLP/HTTP to OTLP/HTTP, 100 spans a request", "http-http", HUNDRED),
    Case("passthrough-http-1000", "OTLP/HTTP to OTLP/HTTP, 1,000 spans a request", "http-http", THOUSAND),
    Case("passthrough-grpc-100", "gRPC to gRPC, 100 spans a request", "grpc-grpc", ("--grpc", *HUNDRED), grpc=True),
    Case("passthrough-grpc-1000", "gRPC to gRPC, 1,000 spans a request", "grpc-grpc", ("--grpc", *THOUSAND), grpc=True),
    Case("gzip-out", "OTLP/HTTP to OTLP/HTTP with gzip, 100 spans a request", "http-http", HUNDRED, compression="gzip"),
    Case("gzip-in", "OTLP/HTTP with gzip to OTLP/HTTP, 100 spans a request", "http-http", (*HUNDRED, "--gzip")),
    Case("file-json", "OTLP/HTTP to JSON lines in a file, 100 spans a request", "http-file", HUNDRED, sink=""),
    Case("elasticsearch-logs", "OTLP/HTTP to Elasticsearch, mode otel, 1,000 log records a request", "http-elasticsearch", ("--signal", "logs", *THOUSAND),
         sink="bulk_sink", peer=False),
    Case("elasticsearch-spans", "OTLP/HTTP to Elasticsearch, mode otel, 1,000 spans a request", "http-elasticsearch", THOUSAND, sink="bulk_sink", peer=False),
    Case("elasticsearch-gzip", "the same with gzip, the exporter's default", "http-elasticsearch", THOUSAND, compression="gzip", sink="bulk_sink", peer=False),
    Case("kafka-http-100", "OTLP/HTTP to Kafka, 100 spans a request", "http-kafka", HUNDRED, sink="", kafka=True),
    Case("kafka-http-1000", "OTLP/HTTP to Kafka, 1,000 spans a request", "http-kafka", THOUSAND, sink="", kafka=True),
    Case("kafka-http-100-lz4", "OTLP/HTTP to Kafka with lz4, 100 spans a request", "http-kafka", HUNDRED, compression="lz4", sink="", kafka=True),
    Case("kafka-http-1000-lz4", "OTLP/HTTP to Kafka with lz4, 1,000 spans a request", "http-kafka", THOUSAND, compression="lz4", sink="", kafka=True),
    Case("rate-100k", "OTLP/HTTP to OTLP/HTTP at 100,000 spans a second, 100 a request", "http-http", HUNDRED, rate=100000),
    Case("edit-100", "one attribute edit on every span, 100 a request", "http-http", HUNDRED, processor="edit"),
    Case("edit-1000", "one attribute edit on every span, 1,000 a request", "http-http", THOUSAND, processor="edit"),
    Case("filter-97", "a filter that drops 97 % on one attribute, 100 spans a request", "http-http", HUNDRED, processor="filter", drops=True),
    Case("transform-5", "a transform of five statements, 100 spans a request", "http-http", HUNDRED, processor="transform"),
    Case("regexp", "a regular expression as a filter's condition, 100 spans a request", "http-http", HUNDRED, processor="regexp"),
    Case("sampler", "a probabilistic sampler that keeps 10 %, 100 spans a request", "http-http", HUNDRED, processor="sampler", drops=True),
    Case("tail-sampling", "OTLP/HTTP to tail_sampling with seven policies that keep a tenth, traces of 8 spans in 8 requests, 100 spans a request", "tail-speed",
         (*HUNDRED, "--trace-spans", "8"), drops=True),
    Case("tail-held", "1,000,000 open traces of one span in tail_sampling", "tail-held",
         ("--records", "100", "--connections", "32", "--count", "1000000", "--trace-spans", "1", "--retry"), holds=True),
    Case("idle", "started, nothing sent", "http-http", idle=True),
]


@dataclasses.dataclass
class Collector:
    name: str
    binary: pathlib.Path
    version: str


@dataclasses.dataclass
class Result:
    records: int = 0
    accepted: int = 0
    refused: int = 0
    cpu_seconds: float = 0.0
    seconds: float = 0.0
    idle_kib: int = 0
    peak_kib: int = 0
    ready_ms: float = 0.0
    held_kib: int = 0
    span_bytes: float = 0.0

    @property
    def records_per_cpu_second(self):
        return self.records / self.cpu_seconds if self.cpu_seconds > 0 else 0.0

    @property
    def cpu_share(self):
        return self.cpu_seconds / self.seconds if self.seconds > 0 else 0.0


def free_port():
    """Below the range that the kernel gives to outgoing connections."""
    while True:
        port = random.randint(10000, 30000)
        with socket.socket() as probe:
            try:
                probe.bind(("127.0.0.1", port))
                return port
            except OSError:
                continue


def get(port, path):
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=10)
    try:
        connection.request("GET", path)
        answer = connection.getresponse()
        return answer.status, answer.read()
    finally:
        connection.close()


def pinned(core, *command, **options):
    return subprocess.Popen(["taskset", "-c", str(core), *map(str, command)], **options)


def cpu_seconds(pid):
    fields = pathlib.Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()
    return (int(fields[11]) + int(fields[12])) / TICKS


def memory_kib(pid, word):
    found = re.search(rf"^{word}:\s+(\d+) kB", pathlib.Path(f"/proc/{pid}/status").read_text(), re.M)
    return int(found.group(1))


class Stage:
    """One collector and one sink, running."""

    def __init__(self, case, collector, folder):
        self.case, self.folder = case, folder
        self.ports = {name: free_port() for name in ("IN", "OUT", "HEALTH", "METRICS")}
        self.stats_port = free_port()
        self.processes = []
        self.broker = start_broker(folder) if case.kafka else None
        if case.kafka:
            self.ports["KAFKA"] = self.broker.ports["PLAINTEXT"]
        if case.sink:
            self.start_sink()
        environment = dict(os.environ, BENCH_COMPRESSION=case.compression, BENCH_FILE=str(folder / "out.json"))
        environment.update({f"BENCH_{name}": str(port) for name, port in self.ports.items()})
        with open(folder / f"{collector.name}.log", "wb") as log:
            started = time.monotonic()
            configs = ["--config", HERE / f"{case.config}.yaml"]
            if case.processor:
                configs += ["--config", HERE / "processors" / f"{case.processor}.yaml"]
            self.process = pinned(COLLECTOR_CORE, collector.binary, *configs, env=environment, stdout=log, stderr=log)
        self.processes.append(self.process)
        self.wait_ready(collector)
        self.ready_ms = (time.monotonic() - started) * 1000

    def start_sink(self):
        protocol = ("--grpc", self.ports["OUT"], "--http", self.stats_port) if self.case.grpc else ("--http", self.ports["OUT"])
        if not self.case.grpc:
            self.stats_port = self.ports["OUT"]
        if self.case.sink == "bulk_sink":
            protocol = (self.ports["OUT"],)
        self.processes.append(pinned(DRIVER_CORE, BUILD / "tests/bench" / self.case.sink, *protocol, stdout=subprocess.DEVNULL))
        for _ in range(200):
            try:
                return get(self.stats_port, "/stats")
            except OSError:
                time.sleep(0.01)
        raise SystemExit("bench: the sink did not start")

    def wait_ready(self, collector):
        for _ in range(20000):
            try:
                if get(self.ports["HEALTH"], "/")[0] == 200:
                    return
            except (OSError, http.client.HTTPException):
                pass
            if self.process.poll() is not None:
                text = (self.folder / f"{collector.name}.log").read_text(errors="replace")
                raise SystemExit(f"bench: {collector.name} ended at its start:\n{text[-2000:]}")
            time.sleep(0.0005)
        raise SystemExit(f"bench: {collector.name} is not ready after {20000 * 0.0005:.0f} s")

    def counted(self):
        """What the sink has; with Kafka, what the collector says that was confirmed."""
        if self.case.kafka:
            text = get(self.ports["METRICS"], "/metrics")[1].decode()
            return int(sum(float(value) for value in re.findall(r"^otelcol_exporter_sent_spans\S* (\S+)", text, re.M)))
        return json.loads(get(self.stats_port, "/stats")[1])["records"] if self.case.sink else 0

    def drain(self):
        """Waits until neither the sink's count nor the collector's time moves."""
        before = (self.counted(), round(cpu_seconds(self.process.pid), 1))
        for _ in range(200):
            time.sleep(0.4)
            now = (self.counted(), round(cpu_seconds(self.process.pid), 1))
            if now == before:
                return
            before = now

    def send(self, seconds):
        command = ["--port", self.ports["IN"], *self.case.load]
        if not self.case.holds:
            command += ["--duration", seconds]
        if self.case.rate:
            command += ["--rate", self.case.rate]
        process = pinned(DRIVER_CORE, BUILD / "tests/bench/load", *command, stdout=subprocess.PIPE)
        self.processes.append(process)
        return json.loads(process.communicate(timeout=seconds + 60)[0])

    def close(self):
        for process in reversed(self.processes):
            if process.poll() is None:
                process.send_signal(signal.SIGTERM)
                try:
                    process.wait(20)
                except subprocess.TimeoutExpired:
                    process.kill()
                    process.wait()
        if self.broker is not None:
            self.broker.stop()


def start_broker(folder):
    """On the processor of the load generator; its data goes with the folder."""
    everywhere = os.sched_getaffinity(0)
    os.sched_setaffinity(0, {DRIVER_CORE})
    try:
        broker = broker_of_tests().Broker(folder / "broker", partitions=8)
        atexit.register(broker.stop)
        broker.create("otlp_spans")
        return broker
    finally:
        os.sched_setaffinity(0, everywhere)


def broker_of_tests():
    sys.path.insert(0, str(ROOT / "tests"))
    from e2e import kafka_server  # has needs of its own, which the other cases do without

    return kafka_server


def broker_is_missing():
    """Why there can be no broker; None when there can."""
    try:
        return broker_of_tests().skip_reason(broker_of_tests().NEWEST)
    except ImportError as error:
        return f"the tests' Python packages are missing: {error}"


def measure(case, collector, seconds):
    with tempfile.TemporaryDirectory(dir=ROOT / "build") as name:
        stage = Stage(case, collector, pathlib.Path(name))
        try:
            return measure_on(stage, case, seconds)
        finally:
            stage.close()


def measure_on(stage, case, seconds):
    pid = stage.process.pid
    result = Result(ready_ms=stage.ready_ms)
    time.sleep(1.0)
    result.idle_kib = memory_kib(pid, "VmRSS")
    if case.holds:
        hold_on(stage, result)
    elif not case.idle:
        stage.send(1)
        stage.drain()
        counted, cpu = stage.counted(), cpu_seconds(pid)
        answer = stage.send(seconds)
        stage.drain()
        result.cpu_seconds = cpu_seconds(pid) - cpu
        result.accepted, result.refused = answer["accepted"], answer["refused"]
        result.records = stage.counted() - counted if (case.sink or case.kafka) and not case.drops else answer["accepted"]
        result.seconds = answer["seconds"]
    result.peak_kib = memory_kib(pid, "VmHWM")
    return result


def hold_on(stage, result):
    """Sends what is to be held, and looks at the memory beyond that of the idle process."""
    pid = stage.process.pid
    cpu = cpu_seconds(pid)
    answer = stage.send(120)
    time.sleep(2)
    result.cpu_seconds, result.seconds = cpu_seconds(pid) - cpu, answer["seconds"]
    result.records = result.accepted = answer["accepted"]
    result.held_kib = memory_kib(pid, "VmRSS") - result.idle_kib
    result.span_bytes = answer["body_bytes"] / 100


def median_of(results):
    out = Result()
    for field in dataclasses.fields(Result):
        setattr(out, field.name, statistics.median(getattr(result, field.name) for result in results))
    rates = [result.records_per_cpu_second for result in results]
    out.cpu_seconds = out.records / statistics.median(rates) if out.records and statistics.median(rates) else out.cpu_seconds
    return out


# ---- what was measured, and where ----


def output_of(*command):
    try:
        return subprocess.run(command, capture_output=True, text=True, check=True).stdout.strip()
    except (OSError, subprocess.CalledProcessError):
        return ""


def machine():
    model = re.search(r"model name\s*: (.*)", pathlib.Path("/proc/cpuinfo").read_text())
    memory = re.search(r"MemTotal:\s+(\d+)", pathlib.Path("/proc/meminfo").read_text())
    system = re.search(r'PRETTY_NAME="(.*)"', pathlib.Path("/etc/os-release").read_text())
    return (f"{os.cpu_count()} x {model.group(1).strip() if model else os.uname().machine}, {int(memory.group(1)) // 1048576} GiB, "
            f"{system.group(1)}, Linux {os.uname().release}")


def collectors(only):
    found = []
    if (BUILD / "weir").exists():
        commit = output_of("git", "-C", str(ROOT), "rev-parse", "--short=12", "HEAD")
        version = output_of(BUILD / "weir", "--version").split()[-1]
        found.append(Collector("weir", BUILD / "weir", f"{version} ({commit})" if commit else version))
    if (PEER / "otelcol").exists():
        found.append(Collector("OpenTelemetry Collector", PEER / "otelcol", output_of(PEER / "otelcol", "--version").split()[-1]))
    return [one for one in found if not only or one.name.startswith(only)]


def able(found, case):
    return [one for one in found if case.peer or one.name == "weir"]


def stripped_size(binary):
    with tempfile.NamedTemporaryFile() as copy:
        shutil.copy(binary, copy.name)
        subprocess.run(["strip", copy.name], check=False)
        return os.path.getsize(copy.name)


def bare_inflate():
    answer = output_of("taskset", "-c", str(COLLECTOR_CORE), str(BUILD / "tests/bench/load"), "--port", "1", "--duration", "1", "--records", "100", "--gzip",
                       "--bare-inflate")
    return json.loads(answer)["records_per_second"] if answer else 0


def bare_documents():
    """What a document of the elasticsearch cases costs piece by piece."""
    text = output_of("taskset", "-c", str(COLLECTOR_CORE), str(BUILD / "tests/bench/elasticsearch_bench"))
    found = re.search(r"logs +otel +(\d+) B/document +build +([\d.]+) +copy +([\d.]+) +write +([\d.]+) +gzip +([\d.]+)", text)
    if not found:
        return []
    size, build, copy, write, gzip = (float(one) for one in found.groups())
    return ["", f"One log record as a document of mode otel, {size:.0f} bytes with its action line, in one thread: built in {build:.0f} ns; a straight copy of the same JSON in "
            f"memory {copy:.0f} ns, written to a socket {write:.0f} ns, compressed with gzip {gzip:.0f} ns."]


def millions(value):
    return f"{value / 1e6:.2f} M" if value >= 1e5 else f"{value:,.0f}"


def mebibytes(kib):
    return f"{kib / 1024:.1f}"


def speed_row(case, results):
    cells = [f"`{case.name}`", case.what]
    ours, peer = results.get("weir"), results.get("OpenTelemetry Collector")
    for one in (ours, peer):
        cells.append("-" if one is None else f"{one.cpu_share * 100:.1f} % of a core" if case.rate else millions(one.records_per_cpu_second))
    if ours and peer and peer.records_per_cpu_second:
        cells.append(f"{ours.records_per_cpu_second / peer.records_per_cpu_second:.1f} x")
    else:
        cells.append("-")
    cells += ["-" if one is None else mebibytes(one.peak_kib) for one in (ours, peer)]
    return "| " + " | ".join(cells) + " |"


def speed_table(measured):
    rows = ["| case | what | weir | peer | ratio | weir MiB | peer MiB |", "| --- | --- | ---: | ---: | ---: | ---: | ---: |"]
    rows += [speed_row(case, results) for case, results in measured if not case.idle and not case.holds]
    return rows


def idle_table(measured, found):
    rows = ["| idle | resident MiB | start to ready, ms | stripped binary, MiB |", "| --- | ---: | ---: | ---: |"]
    for case, results in measured:
        for one in found:
            if case.idle and one.name in results:
                result = results[one.name]
                rows.append(f"| {one.name} | {mebibytes(result.idle_kib)} | {result.ready_ms:.1f} | {stripped_size(one.binary) / 1048576:.2f} |")
    return rows if len(rows) > 2 else []


def held_table(measured):
    rows = ["| held | spans | bytes a span, as sent | resident bytes a span | ratio | spans per CPU-second in |", "| --- | ---: | ---: | ---: | ---: | ---: |"]
    for case, results in measured:
        for name, result in results.items():
            if case.holds and result.records:
                resident = result.held_kib * 1024 / result.records
                rows.append(f"| {name}, `{case.name}` | {result.records:,.0f} | {result.span_bytes:.0f} | {resident:.0f} | "
                            f"{resident / result.span_bytes:.2f} x | {millions(result.records_per_cpu_second)} |")
    return ["", *rows] if len(rows) > 2 else []


def lost(measured):
    """Says so when a run did not deliver all that it had accepted."""
    lines = []
    for case, results in measured:
        for name, result in results.items():
            if result.records != result.accepted:
                lines.append(f"- {name}, `{case.name}`: {result.accepted:,.0f} accepted, {result.records:,.0f} arrived")
    return ["", "Accepted and arrived differ (medians):", ""] + lines if lines else []


def report(measured, found, arguments):
    lines = [f"Machine: {machine()}. Date: {datetime.date.today().isoformat()}. " + ", ".join(f"{one.name} {one.version}" for one in found) +
             f". {output_of('gcc', '--version').splitlines()[0]}. {arguments.rounds} rounds of {arguments.seconds} s, interleaved; medians.", "",
             "Records per CPU-second of the collector's process (user and system), and its peak resident memory:", ""]
    lines += speed_table(measured)
    idle = idle_table(measured, found)
    lines += [""] + idle if idle else []
    lines += held_table(measured)
    if any("--gzip" in case.load for case, _ in measured):
        lines += ["", f"Bare inflating of `gzip-in`'s bodies (libdeflate, nothing else): {millions(bare_inflate())} records per CPU-second."]
    if any(case.config == "http-elasticsearch" for case, _ in measured):
        lines += bare_documents()
    return "\n".join(lines + lost(measured)) + "\n"


def write_document(text):
    begin, end = "<!-- bench: begin -->", "<!-- bench: end -->"
    old = DOCUMENT.read_text()
    head, rest = old.split(begin, 1)
    tail = rest.split(end, 1)[1]
    DOCUMENT.write_text(f"{head}{begin}\n{text}{end}{tail}")


def is_peer_stale():
    """Built from another manifest, or not at all."""
    built = PEER / "otelcol.manifest"
    return not built.exists() or built.read_bytes() != (HERE / "peer" / "manifest.yaml").read_bytes()


def build_peer():
    subprocess.run([str(HERE / "peer" / "build.sh"), str(PEER)], check=True)


def parse():
    parser = argparse.ArgumentParser(prog="./dev bench", description=__doc__.splitlines()[0])
    parser.add_argument("cases", nargs="*", metavar="CASE", help=", ".join(case.name for case in CASES) + ", queue; default: all")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--seconds", type=int, default=5, help="of sending, in each run")
    parser.add_argument("--only", help="weir or OpenTelemetry")
    parser.add_argument("--peer-build", action="store_true", help="build the peer into build/peer and stop (needs Go)")
    parser.add_argument("--no-peer", action="store_true", help="do not build the peer when it is missing")
    parser.add_argument("--no-document", action="store_true", help="leave docs/benchmarks.md as it is")
    arguments = parser.parse_args()
    unknown = set(arguments.cases) - {case.name for case in CASES} - {"queue"}
    if unknown:
        parser.error(f"no case {', '.join(sorted(unknown))}")
    return arguments


def main():
    arguments = parse()
    if arguments.peer_build:
        return build_peer()
    if is_peer_stale() and not arguments.no_peer and not arguments.only:
        if shutil.which("go"):
            build_peer()
        else:
            print("bench: no peer, or one without some components: it needs Go (./dev bench --peer-build)", file=sys.stderr)
    found = collectors(arguments.only)
    cases = [case for case in CASES if not arguments.cases or case.name in arguments.cases]
    if any(case.kafka for case in cases) and broker_is_missing():
        print(f"bench: no Kafka: {broker_is_missing()}", file=sys.stderr)
        cases = [case for case in cases if not case.kafka]
    runs = {(case.name, one.name): [] for case in cases for one in able(found, case)}
    for round_number in range(arguments.rounds):
        for case in cases:
            for one in able(found, case):
                result = measure(case, one, arguments.seconds)
                runs[case.name, one.name].append(result)
                print(f"bench: round {round_number + 1}, {case.name}, {one.name}: {millions(result.records_per_cpu_second)} records per CPU-second, "
                      f"{result.cpu_share * 100:.0f} % of a core, peak {mebibytes(result.peak_kib)} MiB", file=sys.stderr)
    measured = [(case, {one.name: median_of(runs[case.name, one.name]) for one in able(found, case)}) for case in cases]
    text = report(measured, found, arguments) if cases else ""
    if not arguments.cases or "queue" in arguments.cases:
        text += "\n".join(["", *disk_queue.lines(BUILD, arguments.rounds)]) + "\n"
    print(text)
    if not arguments.cases and not arguments.no_document and not arguments.only:
        write_document(text)


if __name__ == "__main__":
    main()
