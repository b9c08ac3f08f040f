"""The torture rig: numbered records, a diary of what was acknowledged, and faults by chance.

A round puts one to three faults in, ends them, and then asks the oracle: all that was acknowledged is delivered (but for records that
a fault destroyed on purpose, which are known), payloads are equal, a fresh record passes, memory is within its bound. Duplicates are
counted, not forbidden.

A destination is a module torture/NAME_faults.py (see otlp_faults.py, the plainest) with

    create(ledger, folder, random) -> an object with
        FAULTS        {"method": weight}: each method puts one fault in; it may come back while the fault lasts
        exporter()    (name, settings) of the exporter, with short waits between attempts; the rig adds what sending_queue does not say
        refuse()      makes the exporter keep what it has, until heal(); breaks nothing
        heal()        ends every fault
        close()

It tells ledger.deliver(number, word) of each record that arrived (ledger.deliver_all(bytes) finds those whose text stands in the bytes
unbroken), and ledger.excuse(numbers) of those that it refused for good and that are in a dead-letter file. A destination that is read
behind the broker, or by searching, does so on a thread of its own.
"""
import importlib
import pathlib
import random
import signal
import time

from e2e import harness
from torture import disk_faults
from torture.ledger import Ledger
from torture.sender import Sender

# Sanitizers keep shadows and what was freed.
MEMORY_LIMIT_KIB = {"release": 128 * 1024, "tsan": 1024 * 1024}.get(harness.BUILD.name, 768 * 1024)


def configuration(port, exporter, storage, fsync):
    name, settings = exporter
    return {
        "extensions": {"file_storage": {"directory": str(storage), "create_directory": True, "fsync": fsync}},
        "receivers": {"otlp": harness.otlp_receiver(port)},
        "exporters": {name: {
            **settings,
            "sending_queue": {"storage": "file_storage", "num_consumers": 4, "queue_size": 1000000, **settings.get("sending_queue", {})}}},
        "service": {"extensions": ["file_storage"], "pipelines": {"logs": {"receivers": ["otlp"], "exporters": [name]}}},
    }


class Rig:
    """`disk`: "plain"; "faulty", with the preloaded library; "small", a real file system that runs full."""

    FAULTS = {"kill": 6, "freeze": 1, "restart": 1, "damage": 2}
    DISK_FAULTS = {"plain": {}, "faulty": {"fail_writes": 6, "fail_syncs": 2, "jump_clock": 1}, "small": {"fill": 4, "overflow": 4}}

    def __init__(self, folder, seed, fsync=False, disk="plain", destination="otlp", padding=0, pause=0.002):
        self.folder = pathlib.Path(folder)
        self.random = random.Random(seed)
        self.port = harness.free_port()
        self.ledger = Ledger()
        self.destination = importlib.import_module(f"torture.{destination}_faults").create(self.ledger, self.folder, self.random)
        self.storage = self.folder / "storage"
        self.library = disk_faults.Library(self.folder / "control", self.storage) if disk == "faulty" else None
        self.small = disk_faults.SmallDisk(self.storage, 6) if disk == "small" else None
        self.refusal = self.small.refusal if self.small is not None else None  # why this rig can't run here
        self.weir = self.sender = None
        self.counts, self.peak_kib, self.damaged = {}, 0, 0
        self.corrupt_before = 0
        if self.refusal is None:
            self.config = configuration(self.port, self.destination.exporter(), self.storage, fsync)
            self.start()
            self.sender = Sender(self.port, self.ledger, padding or (3000 if disk == "small" else 0), pause)

    def start(self):
        self.weir = harness.Weir(self.config, self.folder, arguments=["--drain-timeout", "1s"], binary=self.small.wrapper if self.small else harness.BINARY,
                                 environment=self.library.environment() if self.library else None)

    def storage_outside(self):
        return self.small.outside() if self.small else self.storage

    # ---- faults of weir and its disk; each ends by itself, or in heal() ----

    def end_by_force(self):
        self.note_memory()
        self.corrupt_before += self.corrupt()
        self.weir.process.send_signal(signal.SIGKILL)
        self.weir.process.wait()
        self.weir.log_file.close()
        self.weir.check_log()

    def kill(self):
        self.end_by_force()
        if self.random.random() < 0.3:
            disk_faults.Damage(self.storage_outside(), self.random).tear()
        self.start()

    def damage(self):
        """A backlog, and something of it destroyed while weir is down."""
        self.destination.refuse()
        time.sleep(self.random.uniform(0.1, 0.4))
        self.end_by_force()
        kind, lost = disk_faults.Damage(self.storage_outside(), self.random).any()
        self.counts[kind] = self.counts.get(kind, 0) + 1
        self.ledger.excuse(lost)
        self.start()

    def freeze(self):
        self.weir.process.send_signal(signal.SIGSTOP)
        time.sleep(self.random.uniform(0.05, 0.5))
        self.weir.process.send_signal(signal.SIGCONT)

    def restart(self):
        self.note_memory()
        self.corrupt_before += self.corrupt()
        self.weir.stop()
        self.start()

    def fail_writes(self):
        self.library.set(short=30, **{self.random.choice(["eio", "enospc"]): self.random.choice([10, 50, 100])}, truncate=self.random.choice([0, 50]))

    def fail_syncs(self):
        self.library.set(sync=self.random.choice([20, 100]), short=30)

    def jump_clock(self):
        self.library.set(clock=self.random.choice([-1000000, -3600, -1, 1, 3600, 100000000]))

    def fill(self):
        """Another program takes all room."""
        self.destination.refuse()
        self.small.fill()
        self.wait_refused()

    def overflow(self):
        """The backlog itself takes all room."""
        self.destination.refuse()
        self.wait_refused()

    def wait_refused(self):
        before = self.sender.refused
        harness.wait_until(lambda: self.sender.refused > before, "a full disk refuses", 30)

    def heal(self):
        if self.library:
            self.library.set()
        if self.small:
            self.small.clear()
        self.destination.heal()

    # ---- rounds ----

    def put_in(self):
        faults = {**self.FAULTS, **self.DISK_FAULTS["small" if self.small else "faulty" if self.library else "plain"]}
        of_destination = self.destination.FAULTS
        name = self.random.choices([*faults, *of_destination], [*faults.values(), *of_destination.values()])[0]
        getattr(self.destination if name in of_destination else self, name)()
        self.counts[name] = self.counts.get(name, 0) + 1
        time.sleep(self.random.uniform(0.02, 0.3))

    def round(self):
        for _ in range(self.random.choice([1, 2, 2, 3])):
            self.put_in()
        self.heal()
        self.check()

    # ---- the oracle ----

    def note_memory(self):
        self.peak_kib = max(self.peak_kib, self.weir.memory_kib("VmHWM"))
        assert self.peak_kib < MEMORY_LIMIT_KIB, f"{self.peak_kib} KiB resident"

    def corrupt(self):
        return int(self.weir.metric("weir_disk_queue_corrupt_records") or 0)

    def check(self, seconds=60):
        owed = self.ledger.missing()
        before = self.ledger.newest
        harness.wait_until(lambda: self.ledger.newest > before or not self.weir.alive(), "a fresh record is acknowledged", seconds)
        assert self.weir.alive(), f"weir has ended:\n{self.weir.log()[-6000:]}"
        fresh = self.ledger.newest
        self.wait_delivered(owed | {fresh}, seconds)
        assert self.ledger.wrong == 0, "a payload was changed"
        assert self.sender.without_delay == 0, "a refusal does not say when to come again"
        self.note_memory()
        self.check_damage()

    def wait_delivered(self, wanted, seconds):
        """A backlog takes its time; what counts is that it moves."""
        left, end = wanted & self.ledger.missing(), time.monotonic() + seconds
        while left:
            time.sleep(0.05)
            now = left & self.ledger.missing()
            if len(now) < len(left):
                left, end = now, time.monotonic() + seconds
            assert time.monotonic() < end, f"{len(left)} acknowledged records are not delivered, and none came for {seconds} s: {sorted(left)[:5]} ..."

    def check_damage(self):
        """What a fault destroyed and what is missing because of it was counted. A file that is gone can't be."""
        destroyed = len(self.ledger.destroyed())
        flips = sum(self.counts.get(kind, 0) for kind in ("flip",))
        if destroyed > self.damaged and flips and not any(self.counts.get(kind) for kind in ("cut", "remove", "empty")):
            assert self.corrupt_before + self.corrupt() > 0 and disk_faults.quarantined(self.storage_outside()) > 0, "damage is not counted"
        self.damaged = destroyed

    def settle(self, seconds=60):
        """Faults stop; returns the report."""
        self.heal()
        self.check(seconds)
        self.sender.stop()
        self.wait_delivered(self.ledger.missing(), seconds)
        self.note_memory()
        return {
            "faults": self.counts, "sent": self.sender.next, "acknowledged": self.ledger.acknowledged, "refused": self.sender.refused,
            "delivered": len(self.ledger.seen), "missing": len(self.ledger.missing()), "destroyed": len(self.ledger.destroyed()),
            "corrupt": self.corrupt_before + self.corrupt(), "doubled": self.ledger.doubled(), "wrong": self.ledger.wrong,
            "peak_rss_kib": self.peak_kib,
        }

    def __enter__(self):
        return self

    def __exit__(self, kind, *_):
        """weir must stop cleanly, but for a run that already failed."""
        if self.sender is not None:
            self.sender.stop()
        if self.weir is not None and kind is None:
            self.weir.stop()
        elif self.weir is not None:
            self.weir.kill()
        if self.small is not None:
            self.small.close()
        self.destination.close()
