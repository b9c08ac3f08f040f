"""A destination that is dead for minutes under a steady load: memory stays flat, the disk queue grows, then all arrives."""
import pathlib
import subprocess
import tempfile
import time

from e2e import harness

RATE, RECORDS = 20000, 100
SAMPLE_SECONDS = 10


def configuration(port, sink, storage):
    return {
        "extensions": {"file_storage": {"directory": str(storage), "create_directory": True, "fsync": True}},
        "receivers": {"otlp": harness.otlp_receiver(port)},
        "exporters": {"otlp_http": {"endpoint": f"http://127.0.0.1:{sink.port}", "compression": "none",
                                    "sending_queue": {"storage": "file_storage", "queue_size": 10000000},
                                    "retry_on_failure": {"initial_interval": "100ms", "max_interval": "1s"}}},
        "service": {"extensions": ["file_storage"], "pipelines": {"traces": {"receivers": ["otlp"], "exporters": ["otlp_http"]}}},
    }


class Outage:
    def __init__(self, folder):
        self.folder, self.port = pathlib.Path(folder), harness.free_port()
        self.sink = harness.Sink()
        self.weir = harness.Weir(configuration(self.port, self.sink, self.folder / "storage"), self.folder)
        self.started, self.samples = time.monotonic(), []

    def sample(self, phase):
        disk = sum(path.stat().st_size for path in (self.folder / "storage").rglob("*.seg"))
        one = {"seconds": round(time.monotonic() - self.started), "phase": phase, "rss_kib": self.weir.memory_kib(),
               "disk_mib": disk >> 20, "queued": int(self.weir.metric("otelcol_exporter_queue_size") or 0)}
        self.samples.append(one)
        print("torture: " + ", ".join(f"{key} {value}" for key, value in one.items()), flush=True)

    def watch(self, phase, load):
        while load.poll() is None:
            self.sample(phase)
            try:
                load.wait(SAMPLE_SECONDS)
            except subprocess.TimeoutExpired:
                pass

    def load(self, seconds):
        return harness.start_load(self.port, "--rate", RATE, "--records", RECORDS, "--duration", seconds, "--stamp", "--retry", "--connections", 16)

    def drain(self, wanted):
        """The destination is back: seconds until all has arrived, or nothing came for a minute."""
        self.sink.start()
        back = moved = time.monotonic()
        seen = 0
        while seen < wanted and time.monotonic() - moved < 60:
            time.sleep(0.5)
            now = self.sink.stats()["distinct"]
            if now > seen:
                seen, moved = now, time.monotonic()
            if time.monotonic() - self.started > self.samples[-1]["seconds"] + SAMPLE_SECONDS:
                self.sample("drain")
        return time.monotonic() - back

    def run(self, minutes):
        self.sink.stop()  # nobody listens there any more
        load = self.load(minutes * 60)
        self.watch("dead", load)
        answer = harness.finish_load(load)
        self.sample("back")
        drained = self.drain(answer["accepted"])
        self.sample("empty")
        stats = self.sink.stats()
        dead = [one["rss_kib"] for one in self.samples if one["phase"] == "dead"]
        return {
            "minutes": minutes, "rate": RATE, "accepted": answer["accepted"], "refused": answer["refused"], "arrived": stats["distinct"],
            "missing": answer["accepted"] - stats["distinct"], "doubled": stats["doubled"],
            "rss_kib_first": dead[0], "rss_kib_half": dead[len(dead) // 2], "rss_kib_last": dead[-1], "rss_kib_peak": self.weir.memory_kib("VmHWM"),
            "disk_mib_peak": max(one["disk_mib"] for one in self.samples), "drain_seconds": round(drained, 1), "samples": self.samples,
        }

    def __enter__(self):
        return self

    def __exit__(self, kind, *_):
        if kind is None:
            self.weir.stop(60)
        else:
            self.weir.kill()
        self.sink.stop()


def run(minutes):
    with tempfile.TemporaryDirectory(dir=harness.ROOT / "build") as folder, Outage(folder) as outage:
        return outage.run(minutes)
