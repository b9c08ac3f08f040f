"""The same kills, the same load and the same destination that comes and goes, for weir and the OpenTelemetry Collector side by side."""
import contextlib
import pathlib
import random
import signal
import statistics
import subprocess
import tempfile
import threading
import time

from e2e import harness
from torture import otlp_faults
from torture.ledger import Ledger
from torture.rig import configuration
from torture.sender import Sender

MODES = ["ok", "ok", "503", "429", "hang", "reset", "half", "lost-reply", "away"]
STUCK_SECONDS = 45  # nothing arrived for so long: what is missing then is lost


def has_file_storage(binary):
    try:
        return "file_storage" in subprocess.run([str(binary), "components"], capture_output=True, text=True, check=True).stdout
    except (OSError, subprocess.CalledProcessError):
        return False


class Side:
    """One collector with its own ports, folder, destination, load and books."""

    def __init__(self, name, binary, folder, fsync):
        self.name, self.binary, self.folder = name, binary, pathlib.Path(folder)
        self.ledger, self.port = Ledger(), harness.free_port()
        self.destination = otlp_faults.Destination(self.ledger, random)
        storage = self.folder / "storage"
        self.config = configuration(self.port, self.destination.exporter(), storage, fsync)
        (exporter,) = self.config["exporters"].values()
        exporter["retry_on_failure"]["max_elapsed_time"] = 0  # else the collector gives up by itself
        self.ready_ms, self.failed_starts, self.peak_kib = [], 0, 0
        self.process = None
        self.start()
        self.sender = Sender(self.port, self.ledger, pause=0.004)

    def start(self):
        started = time.monotonic()
        self.process = harness.Weir(self.config, self.folder, binary=self.binary, wait=False)
        while not self.process.healthy():
            if not self.process.alive() or time.monotonic() - started > 60:
                self.failed_starts += 1
                self.process.kill()
                started = time.monotonic()
                self.process = harness.Weir(self.config, self.folder, binary=self.binary, wait=False)
                assert self.failed_starts < 20, f"{self.name} does not start:\n{self.process.log()[-2000:]}"
            time.sleep(0.002)
        self.ready_ms.append((time.monotonic() - started) * 1000)

    def kill(self):
        self.peak_kib = max(self.peak_kib, self.process.memory_kib("VmHWM"))
        self.process.process.send_signal(signal.SIGKILL)
        self.process.process.wait()
        self.process.log_file.close()
        self.start()

    def set_mode(self, mode):
        if mode == "away":
            self.destination.stop()
        else:
            self.destination.start()
            self.destination.mode = mode

    def finish(self):
        """The destination is back for good; waits until all has arrived, or nothing comes any more."""
        self.set_mode("ok")
        self.sender.stop()
        left, end = len(self.ledger.missing()), time.monotonic() + STUCK_SECONDS
        while left and time.monotonic() < end:
            time.sleep(0.2)
            now = len(self.ledger.missing())
            if now < left:
                left, end = now, time.monotonic() + STUCK_SECONDS
        self.peak_kib = max(self.peak_kib, self.process.memory_kib("VmHWM"))

    def close(self):
        self.sender.stop()
        self.process.kill()
        self.destination.close()

    def report(self):
        return {
            "acknowledged": self.ledger.acknowledged, "missing": len(self.ledger.missing()), "doubled": self.ledger.doubled(),
            "wrong": self.ledger.wrong, "refused": self.sender.refused, "failed_starts": self.failed_starts,
            "ready_ms": round(statistics.median(self.ready_ms), 1), "peak_rss_kib": self.peak_kib,
        }


def together(sides, method):
    threads = [threading.Thread(target=getattr(side, method)) for side in sides]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()


def kill_all(sides, kills, chance):
    for number in range(kills):
        mode = chance.choice(MODES)
        for side in sides:
            side.set_mode(mode)
        time.sleep(chance.uniform(0.05, 0.8))
        together(sides, "kill")
        if number % 50 == 49:
            print(f"torture: {number + 1} kills: " + "; ".join(f"{side.name} {side.ledger.acknowledged} acknowledged" for side in sides), flush=True)


def compare(kills, seed, fsync, peer_folder):
    """The report of both sides; raises SystemExit when there is no peer with file_storage."""
    peer = pathlib.Path(peer_folder) / "otelcol"
    if not has_file_storage(peer):
        raise SystemExit(f"torture: {peer} is no collector with file_storage; tests/bench/peer/build.sh {peer_folder} builds one (needs Go)")
    with tempfile.TemporaryDirectory() as folder, contextlib.ExitStack() as stack:
        sides = [stack.enter_context(contextlib.closing(Side(name, binary, pathlib.Path(folder) / name.split()[0], fsync)))
                 for name, binary in (("weir", harness.BINARY), ("OpenTelemetry Collector", peer))]
        kill_all(sides, kills, random.Random(seed))
        together(sides, "finish")
        return {"kills": kills, "seed": seed, "fsync": fsync, **{side.name: side.report() for side in sides}}
