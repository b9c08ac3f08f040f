#!/usr/bin/env python3
"""StatsD lines for each second of the collector's CPU time: ./dev bench statsd [--seconds N] [--only weir].

Lines of counters, gauges and timings (as exponential histograms) of 1,000 series, with three tags each, over UDP, many in a datagram as
DogStatsD's clients send them, and one in a datagram as etsy's do. A run counts what the counters add up to: lines that the kernel dropped are not in it.
The peer is the OpenTelemetry Collector with its statsd receiver, when build/peer/otelcol has one.
"""
import argparse
import os
import pathlib
import random
import signal
import socket
import subprocess
import sys
import tempfile
import time

HERE = pathlib.Path(__file__).resolve().parent
ROOT = HERE.parents[1]
sys.path.insert(0, str(HERE.parent))

import yaml  # noqa: E402

from e2e import harness  # noqa: E402

TICKS = os.sysconf("SC_CLK_TCK")
PACKED = 1400


def lines(chance):
    out = []
    for number in range(1000):
        tags = f"env:prod,service:shop-{number % 20},path:/api/v1/orders/{number}"
        out.append((f"shop.requests.count:1|c|#{tags}\n", f"shop.queue.depth:{chance.randrange(500)}|g|#{tags}\n",
                    f"shop.request.duration:{chance.randrange(1, 9000) / 10}|h|#{tags}\n")[number % 3].encode())
    return out


def datagrams(packed):
    """(datagrams, lines in all of them, counters in them)"""
    every = lines(random.Random(7))
    if not packed:
        return every, len(every), sum(b"|c" in line for line in every)
    out, one = [], b""
    for line in every * 10:
        if len(one) + len(line) > PACKED:
            out.append(one)
            one = b""
        one += line
    return out + [one], len(every) * 10, sum(line.count(b"|c|") for line in out + [one])


def cpu_seconds(pid):
    fields = pathlib.Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()
    return (int(fields[11]) + int(fields[12])) / TICKS


def send(port, batch, seconds):
    """Rounds sent."""
    rounds, end = 0, time.monotonic() + seconds
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as client:
        client.connect(("127.0.0.1", port))
        while time.monotonic() < end:
            for one in batch:
                client.send(one)
            rounds += 1
    return rounds


def counted(path):
    total = 0
    for line in harness.read_lines(path):
        for group in line.get("resourceMetrics", []):
            for metric in (metric for scope in group["scopeMetrics"] for metric in scope["metrics"]):
                total += sum(int(point.get("asInt", 0)) for point in metric.get("sum", {}).get("dataPoints", []))
    return total


def run(binary, packed, seconds):
    """Lines per CPU-second, the share that arrived, resident MiB."""
    batch, all_lines, counters = datagrams(packed)
    port = harness.free_port()
    with tempfile.TemporaryDirectory() as place:
        folder = pathlib.Path(place)
        config = {"receivers": {"statsd": {"endpoint": f"127.0.0.1:{port}", "aggregation_interval": "1s", "timer_histogram_mapping": [
                      {"statsd_type": "histogram", "observer_type": "histogram"}]}},
                  "exporters": {"file": {"path": str(folder / "out.jsonl")}},
                  "service": {"telemetry": {"metrics": {"level": "none"}},
                              "pipelines": {"metrics": {"receivers": ["statsd"], "exporters": ["file"]}}}}
        (folder / "c.yaml").write_text(yaml.safe_dump(config))
        with open(folder / "log", "wb") as log:
            process = subprocess.Popen([binary, "--config", folder / "c.yaml"], stdout=log, stderr=log)
        time.sleep(1.5)
        assert process.poll() is None, (folder / "log").read_text()[-2000:]
        before, rounds = cpu_seconds(process.pid), send(port, batch, seconds)
        time.sleep(1.5)
        used = cpu_seconds(process.pid) - before
        resident = next(int(line.split()[1]) for line in pathlib.Path(f"/proc/{process.pid}/status").read_text().splitlines() if line.startswith("VmHWM"))
        process.send_signal(signal.SIGTERM)
        process.wait(30)
        share = counted(folder / "out.jsonl") / (counters * rounds)
    return all_lines * rounds * share / used, share, resident / 1024


def main():
    parser = argparse.ArgumentParser(prog="./dev bench statsd", description=__doc__.splitlines()[0])
    parser.add_argument("--seconds", type=float, default=4)
    parser.add_argument("--only", choices=["weir", "peer"])
    parser.add_argument("--binary", default=str(ROOT / "build/release/weir"))
    arguments = parser.parse_args()
    peer = ROOT / "build/peer/otelcol"
    has_peer = peer.exists() and "name: statsd" in subprocess.run([peer, "components"], capture_output=True, text=True, check=False).stdout
    for packed in (True, False):
        for name, binary in (("weir", arguments.binary), ("peer", peer)):
            if arguments.only not in (None, name) or (name == "peer" and not has_peer):
                continue
            rate, share, resident = run(binary, packed, arguments.seconds)
            print(f"{name:5} {'many lines' if packed else 'one line  '} in a datagram: {rate / 1e6:6.2f} M lines per CPU-second, "
                  f"{share:5.1%} of them arrived, {resident:.1f} MiB")


if __name__ == "__main__":
    main()
