#!/usr/bin/env python3
"""File to OTLP/HTTP: MiB per CPU-second and peak memory of the file_log receiver, beside a peer's.

usage: file_log.py [--mib 400] [--weir PROGRAM] [--sink PROGRAM] [--peer PROGRAM] [CASE...]

Cases: raw (140-byte lines of nginx, not parsed), regex (the same, one expression of five groups), container (lines of containerd that hold JSON: container and
json_parser). The peer is an OpenTelemetry Collector with the receiver filelog; without --peer only weir is measured. A run ends when the program is idle;
the sink says how many records came.
"""
import argparse
import json
import os
import pathlib
import subprocess
import tempfile
import time

import yaml

ROOT = pathlib.Path(__file__).resolve().parents[2]
PORT = 14338
NGINX = '10.0.{}.{} - - [21/Nov/2026:06:07:08 +0000] "GET /api/v1/items/{:07d} HTTP/1.1" 200 {} "-" "Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/5"\n'
CRI = '2026-11-21T06:07:08.{:09d}Z stdout F {{"level":"info","msg":"request served {}","status":200,"path":"/api/v1/items/{}","ms":{}.5}}\n'
REGEX = r'^(?P<addr>[^ ]+) [^ ]+ [^ ]+ \[(?P<time>[^\]]+)\] "(?P<request>[^"]*)" (?P<status>\d+) (?P<size>\d+)'
CASES = {
    "raw": ("nginx", []),
    "regex": ("nginx", [{"type": "regex_parser", "regex": REGEX}]),
    "container": ("cri", [{"type": "container", "add_metadata_from_filepath": False}, {"type": "json_parser"}]),
}


def line_of(kind, number):
    if kind == "nginx":
        return NGINX.format(number % 256, number % 251, number, 1000 + number % 8999)
    return CRI.format(number, number, number % 977, number % 83)


def make_file(path, kind, size):
    lines = written = 0
    with open(path, "w") as file:
        while written < size:
            text = "".join(line_of(kind, lines + i) for i in range(5000))
            written += file.write(text)
            lines += 5000
    return lines


def config_of(path, operators):
    return {
        "receivers": {"filelog": {"include": [str(path)], "start_at": "beginning", "operators": operators}},
        "exporters": {"otlphttp": {"endpoint": f"http://127.0.0.1:{PORT}", "compression": "none"}},
        "service": {"telemetry": {"metrics": {"level": "none"}}, "pipelines": {"logs": {"receivers": ["filelog"], "exporters": ["otlphttp"]}}},
    }


def cpu_seconds(process):
    fields = pathlib.Path(f"/proc/{process.pid}/stat").read_text().rsplit(")", 1)[1].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def peak_mib(process):
    lines = pathlib.Path(f"/proc/{process.pid}/status").read_text().splitlines()
    return next(int(line.split()[1]) for line in lines if line.startswith("VmHWM")) / 1024


def wait_idle(process, seconds=90):
    last, still, until = -1.0, 0, time.monotonic() + seconds
    while still < 3 and time.monotonic() < until:
        time.sleep(0.5)
        now = cpu_seconds(process)
        still = still + 1 if now - last < 0.03 and now > 0.1 else 0
        last = now


def run_case(program, sink_program, path, operators, folder):
    (folder / "config.yaml").write_text(yaml.safe_dump(config_of(path, operators)))
    with open(folder / "sink.out", "w") as out, open(folder / "program.log", "w") as log:
        sink = subprocess.Popen([sink_program, "--http", str(PORT)], stdout=out)
        time.sleep(0.3)
        process = subprocess.Popen([program, "--config", str(folder / "config.yaml")], stderr=log, stdout=log)
        try:
            wait_idle(process)
            cpu, peak = cpu_seconds(process), peak_mib(process)
        finally:
            process.kill()
            process.wait()
            sink.terminate()
            sink.wait()
    return cpu, peak, json.loads((folder / "sink.out").read_text().strip().splitlines()[-1])["logs"]


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--mib", type=int, default=400)
    parser.add_argument("--weir", default=str(ROOT / "build/release/weir"))
    parser.add_argument("--sink", default=str(ROOT / "build/release/tests/bench/sink"))
    parser.add_argument("--peer")
    parser.add_argument("cases", nargs="*", default=list(CASES))
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as name:
        folder, lines = pathlib.Path(name), {}
        for case in options.cases:
            kind, operators = CASES[case]
            path = folder / f"{kind}.log"
            if not path.exists():
                lines[kind] = make_file(path, kind, options.mib << 20)
            for label, program in (("weir", options.weir), ("peer", options.peer)):
                if program:
                    cpu, peak, records = run_case(program, options.sink, path, operators, folder)
                    mib = path.stat().st_size / (1 << 20) * records / lines[kind]
                    print(f"{case:10} {label}: {mib / cpu:7.0f} MiB per CPU-second, peak {peak:6.1f} MiB, {records} of {lines[kind]} records", flush=True)


if __name__ == "__main__":
    main()
