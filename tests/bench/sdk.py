#!/usr/bin/env python3
"""./dev bench sdk: what libweir costs, beside the floor and beside the OpenTelemetry SDKs of Rust and Go.

Two parts. sdk_bench has the figures of libweir alone, with their budgets. Then sdk_peers/weir, /rust and /go run the same operations in
turn, each with its batch processors and its OTLP/HTTP exporter to one counting sink, configured by the same OTEL_* variables;
and then the same steady rates of spans. Rounds are interleaved and the median counts. A span that was sent and did not arrive is a drop.
The tables go to the terminal and into docs/benchmarks.md.
"""
import argparse
import datetime
import json
import os
import pathlib
import re
import shutil
import statistics
import subprocess
import sys
import time

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent))
import run  # noqa: E402: the collector's benches; machine(), get(), ...

PEERS = run.HERE / "sdk_peers"
BUILT = run.ROOT / "build" / "sdk_peers"
NAMES = {"weir": "weir", "rust": "Rust", "go": "Go"}
OPERATIONS = {
    "span": "span: start, end",
    "span_current": "span: start, make current, end",
    "span_4": "span with 4 attributes",
    "unsampled": "span, not sampled",
    "log_2": "log record with 2 attributes",
    "counter_bound": "counter, bound, 4 attributes",
    "counter_4": "counter, 4 attributes given",
}
RATES = [(10000, None), (200000, None), (200000, 16384)]


# ---- the programs ----


def build_rust():
    if not shutil.which("cargo"):
        return "it needs cargo and rustc 1.75 or newer (rustup, or Debian's packages when they are new enough)"
    environment = dict(os.environ, CARGO_TARGET_DIR=str(BUILT / "rust"))
    subprocess.run(["cargo", "build", "--quiet", "--release", "--locked"], cwd=PEERS / "rust", env=environment, check=True)
    return None


def build_go():
    if not shutil.which("go"):
        return "it needs Go 1.26 or newer"
    subprocess.run(["go", "build", "-trimpath", "-o", str(BUILT / "go")], cwd=PEERS / "go", check=True)
    return None


def programs(only):
    """Name to program, of those that can be built here."""
    BUILT.mkdir(parents=True, exist_ok=True)
    found = {"weir": run.BUILD / "tests/bench/sdk_weir"}
    for name, build, program in (("rust", build_rust, BUILT / "rust/release/sdk_peer"), ("go", build_go, BUILT / "go")):
        if only and name not in only:
            continue
        missing = build()
        if missing:
            print(f"bench: {NAMES[name]} is left out: {missing}", file=sys.stderr)
        else:
            found[name] = program
    return found


def versions():
    rust = re.search(r'^opentelemetry_sdk = .*"=([0-9.]+)"', (PEERS / "rust/Cargo.toml").read_text(), re.M).group(1)
    go = re.search(r"go.opentelemetry.io/otel/sdk v(\S+)", (PEERS / "go/go.mod").read_text()).group(1)
    return (f"weir {run.output_of('git', '-C', str(run.ROOT), 'rev-parse', '--short=12', 'HEAD')}, {run.output_of('gcc', '--version').splitlines()[0]}; "
            f"opentelemetry_sdk {rust}, {run.output_of('rustc', '--version')}; go.opentelemetry.io/otel/sdk {go}, {run.output_of('go', 'version')}")


# ---- measuring ----


def alone(bursts):
    """Rows of sdk_bench: name to (median, p10, p90, mallocs, budget or None); and its other lines."""
    text = subprocess.run([run.BUILD / "tests/bench/sdk_bench", str(bursts)], stdout=subprocess.PIPE, text=True, check=True).stdout
    rows, other = {}, []
    for line in text.splitlines()[1:]:
        numbers = line[34:].split()
        if len(numbers) >= 4 and re.fullmatch(r"[0-9.]+", numbers[0]):
            rows[line[:34].strip()] = (*map(float, numbers[:4]), float(numbers[4]) if len(numbers) > 4 else None)
        else:
            other.append(line)
    return rows, other


class Sink:
    def __enter__(self):
        self.port = run.free_port()
        self.process = subprocess.Popen([run.BUILD / "tests/bench/sink", "--http", str(self.port)], stdout=subprocess.DEVNULL)
        for _ in range(200):
            try:
                run.get(self.port, "/stats")
                return self
            except OSError:
                time.sleep(0.01)
        raise SystemExit("bench: the sink did not start")

    def __exit__(self, *_):
        self.process.terminate()
        self.process.wait()

    def run(self, program, *words, queue=None):
        """The lines that a program prints, and how many spans arrived from it."""
        run.get(self.port, "/reset")
        environment = {name: value for name, value in os.environ.items() if not name.startswith("OTEL_")}
        environment.update(OTEL_EXPORTER_OTLP_ENDPOINT=f"http://127.0.0.1:{self.port}", OTEL_SERVICE_NAME="bench", OTEL_LOG_LEVEL="none")
        if queue:
            environment["OTEL_BSP_MAX_QUEUE_SIZE"] = str(queue)
        answer = subprocess.run([program, *map(str, words)], env=environment, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True, check=True)
        return [json.loads(line) for line in answer.stdout.splitlines()], json.loads(run.get(self.port, "/stats")[1])["traces"]


def measure(found, arguments):
    operations = {(case, name): [] for case in OPERATIONS for name in found}
    rates = {(rate, name): [] for rate in RATES for name in found}
    ours, scalings = {}, []
    with Sink() as sink:
        for number in range(arguments.rounds):
            print(f"bench: round {number + 1}", file=sys.stderr)
            rows, other = alone(arguments.bursts)
            for name, row in rows.items():
                ours.setdefault(name, []).append(row)
            scalings += [line for line in other if line.startswith("scaling")]
            for name, program in found.items():
                for row in sink.run(program, "ops", arguments.bursts)[0]:
                    operations[row["case"], name].append(row)
            for rate, queue in RATES:
                for name, program in found.items():
                    (row,), arrived = sink.run(program, "rate", rate, arguments.seconds, queue=queue)
                    rates[(rate, queue), name].append(dict(row, dropped=row["sent"] - arrived))
    return ours, scalings, operations, rates


# ---- tables ----


def middle(rows, key):
    return statistics.median(row[key] for row in rows)


def own_table(ours):
    lines = ["| operation | ns | p10 | p90 | mallocs | budget, ns |", "| --- | ---: | ---: | ---: | ---: | ---: |"]
    for name, rows in ours.items():
        median, p10, p90, mallocs, budget = (rows[0][4] if i == 4 else statistics.median(row[i] for row in rows) for i in range(5))
        lines.append(f"| {name} | {median:.1f} | {p10:.1f} | {p90:.1f} | {mallocs:.2f} | {'' if budget is None else f'{budget:.0f}'} |")
    return lines


def operation_table(found, operations):
    lines = ["| operation | " + " | ".join(f"{NAMES[name]}, ns | mallocs" for name in found) + " |", "| --- |" + " ---: | ---: |" * len(found)]
    for case, what in OPERATIONS.items():
        cells = [f"{middle(operations[case, name], 'median'):.1f} | {middle(operations[case, name], 'mallocs'):.1f}" for name in found]
        lines.append(f"| {what} | " + " | ".join(cells) + " |")
    return lines


def rate_table(found, rates):
    lines = ["| spans a second | queue | SDK | CPU of a core | at rest, MiB | at most, MiB | dropped |", "| ---: | ---: | --- | ---: | ---: | ---: | ---: |"]
    for rate in RATES:
        for name in found:
            rows = rates[rate, name]
            share = statistics.median(row["cpu_seconds"] / row["seconds"] for row in rows)
            dropped = statistics.median(row["dropped"] / row["sent"] for row in rows)
            lines.append(f"| {rate[0]:,} | {rate[1] or 2048:,} | {NAMES[name]} | {share * 100:.1f} % | {middle(rows, 'rest_kib') / 1024:.1f} | "
                         f"{middle(rows, 'peak_kib') / 1024:.1f} | {f'{dropped * 100:.1f} %' if dropped else '0'} |")
    return lines


def report(found, measured, arguments):
    ours, scalings, operations, rates = measured
    rest = statistics.median(row["rest_kib"] - row["empty_kib"] for rate in RATES for row in rates[rate, "weir"])
    library = run.stripped_size(run.BUILD / "sdk/libweir.so")
    lines = [f"Machine: {run.machine()}. Date: {datetime.date.today().isoformat()}. {versions()}. {arguments.rounds} rounds, interleaved; medians.", "",
             "libweir alone, its exporter a function that throws away:", "", *own_table(ours), "", sorted(scalings)[len(scalings) // 2] + ".", "",
             f"libweir.so, stripped: {library / 1000:.0f} kB (budget 150). Resident at rest above the program without it: {rest / 1024:.2f} MiB (budget 1).", "",
             "The same operations in each SDK, with its batch processors and its OTLP/HTTP exporter to one sink. Go has no bound instruments (a set of "
             "attributes made before stands in), and its allocations are counted for the whole process:", "", *operation_table(found, operations), "",
             f"Spans with 4 attributes at a steady rate for {arguments.seconds} s, worker and export included:", "", *rate_table(found, rates)]
    return "\n".join(lines) + "\n"


def write_document(text):
    begin, end = "<!-- sdk: begin -->", "<!-- sdk: end -->"
    head, rest = run.DOCUMENT.read_text().split(begin, 1)
    run.DOCUMENT.write_text(f"{head}{begin}\n{text}{end}{rest.split(end, 1)[1]}")


def main():
    parser = argparse.ArgumentParser(prog="./dev bench sdk", description=__doc__.splitlines()[0])
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--bursts", type=int, default=200, help="of 1,000 operations, in each row of a round")
    parser.add_argument("--seconds", type=int, default=4, help="of each steady rate")
    parser.add_argument("--peer", action="append", choices=["rust", "go", "none"], help="only these beside weir; default: both")
    parser.add_argument("--no-document", action="store_true", help="leave docs/benchmarks.md as it is")
    arguments = parser.parse_args()
    found = programs(arguments.peer)
    text = report(found, measure(found, arguments), arguments)
    print(text)
    if not arguments.no_document and not arguments.peer:
        write_document(text)


if __name__ == "__main__":
    main()
