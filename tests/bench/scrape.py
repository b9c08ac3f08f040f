#!/usr/bin/env python3
"""The scrape benches: what reading pages costs beside Prometheus' own parser, and 200 targets of 1,000 series every 5 s beside other scrapers.

usage: scrape.py [--parser TEXTPARSE] [--collector OTELCOL] [--prometheus PROMETHEUS] [--seconds 30]
TEXTPARSE is what tests/bench/textparse builds, OTELCOL a collector with the prometheus receiver and the nop exporter. What is not named is left out.
"""
import argparse
import http.server
import json
import os
import pathlib
import random
import signal
import socketserver
import subprocess
import sys
import tempfile
import threading
import time

import scrape_pages
import yaml

ROOT = pathlib.Path(__file__).resolve().parents[2]
BUILD = ROOT / "build" / "release"
TICKS = os.sysconf("SC_CLK_TCK")
TARGETS, SERIES, INTERVAL = 200, 1000, 5


def lines_of(command):
    return [json.loads(line) for line in subprocess.run(command, check=True, capture_output=True, text=True).stdout.splitlines()]


def parsers(textparse, folder):
    files = []
    for number, (name, make) in enumerate(scrape_pages.PAGES.items()):
        files.append(folder / f"{number}.txt")
        files[-1].write_text(make())
    ours = lines_of([str(BUILD / "tests/bench/scrape_bench"), *map(str, files)])
    theirs = lines_of([textparse, *map(str, files)]) if textparse else [{} for _ in files]
    print("| page | first read | unchanged page | with OTLP written | Prometheus' parser | with labels | state, bytes a series |\n| --- | ---: | ---: | ---: | ---: | ---: | ---: |")
    for name, one, other in zip(scrape_pages.PAGES, ours, theirs):
        print(f"| {name} | {one['first_mb_s']} MB/s | {one['again_mb_s']} MB/s | {one['written_mb_s']} MB/s | {other.get('parse_mb_s', '-')} MB/s | "
              f"{other.get('labels_mb_s', '-')} MB/s | {one['state_bytes_per_series']} |")


class Targets(socketserver.ThreadingMixIn, http.server.HTTPServer):
    daemon_threads = True
    request_queue_size = 256


class Page(http.server.BaseHTTPRequestHandler):
    """Counters that go on from scrape to scrape; made before, so that serving costs little."""
    protocol_version = "HTTP/1.1"
    bodies = [scrape_pages.many_series(SERIES, random.Random(seed)).encode() for seed in range(8)]

    def do_GET(self):
        body = random.choice(self.bodies)
        self.send_response(200)
        self.send_header("Content-Type", scrape_pages.TEXT)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_):
        pass


def scrape_config(port):
    targets = [{"targets": [f"127.0.0.1:{port}"], "labels": {"instance": f"target-{number}"}} for number in range(TARGETS)]
    return {"global": {"scrape_interval": f"{INTERVAL}s"}, "scrape_configs": [{"job_name": "bench", "static_configs": targets}]}


def collector_config(port):
    return {"receivers": {"prometheus": {"config": scrape_config(port)}}, "exporters": {"nop": {}},
            "service": {"telemetry": {"metrics": {"level": "none"}}, "pipelines": {"metrics": {"receivers": ["prometheus"], "exporters": ["nop"]}}}}


def cpu_seconds(pid):
    fields = pathlib.Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / TICKS


def memory_mb(pid, word="VmHWM"):
    return next(int(line.split()[1]) / 1024 for line in pathlib.Path(f"/proc/{pid}/status").read_text().splitlines() if line.startswith(word))


def measure(name, command, folder, seconds):
    """CPU over `seconds` after two intervals, and peak memory."""
    with open(folder / f"{name}.log", "wb") as log:
        process = subprocess.Popen(command, stdout=log, stderr=subprocess.STDOUT, cwd=folder)
    try:
        time.sleep(2 * INTERVAL + 1)
        before = cpu_seconds(process.pid)
        time.sleep(seconds)
        used = (cpu_seconds(process.pid) - before) / seconds
        print(f"| {name} | {used * 1000:.1f} ms/s | {memory_mb(process.pid):.0f} MB | {memory_mb(process.pid) * 1e6 / (TARGETS * SERIES):.0f} |", flush=True)
    finally:
        process.send_signal(signal.SIGTERM)
        process.wait(30)


def engines(arguments, folder):
    server = Targets(("127.0.0.1", 0), Page)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    port = server.server_address[1]
    config, prometheus = folder / "collector.yaml", folder / "prometheus.yml"
    config.write_text(yaml.safe_dump(collector_config(port)))
    prometheus.write_text(yaml.safe_dump({**scrape_config(port), "remote_write": [{"url": "http://127.0.0.1:1/"}]}))
    print(f"\n{TARGETS} targets of {SERIES} series every {INTERVAL} s, {arguments.seconds} s:\n\n| scraper | CPU | peak memory | bytes a series |\n| --- | ---: | ---: | ---: |", flush=True)
    measure("weir", [str(BUILD / "weir"), "--config", str(config)], folder, arguments.seconds)
    if arguments.collector:
        measure("OpenTelemetry Collector", [arguments.collector, "--config", f"file:{config}"], folder, arguments.seconds)
    if arguments.prometheus:
        measure("Prometheus, agent mode", [arguments.prometheus, "--enable-feature=agent", f"--config.file={prometheus}", f"--storage.agent.path={folder / 'agent'}",
                                           "--web.listen-address=127.0.0.1:0"], folder, arguments.seconds)
    server.shutdown()


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--parser")
    parser.add_argument("--collector")
    parser.add_argument("--prometheus")
    parser.add_argument("--seconds", type=int, default=30)
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        parsers(arguments.parser, pathlib.Path(folder))
        sys.stdout.flush()
        engines(arguments, pathlib.Path(folder))


if __name__ == "__main__":
    main()
