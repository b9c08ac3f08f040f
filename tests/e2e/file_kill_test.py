"""The file exporter, killed at random moments and in the middle of rotations: what was acknowledged is in the files, once."""
import random
import signal
import subprocess
import time

import pytest

from e2e import harness
from torture.disk_faults import Library
from torture.ledger import RECORD, Ledger
from torture.sender import BATCH, Sender

@pytest.fixture
def start_writing(tmp_path):
    """Makes a Writing; its weir does not outlive the test."""
    made = []

    def start(**settings):
        made.append(Writing(tmp_path, **settings))
        return made[-1]

    yield start
    for writing in made:
        writing.sender.stop()
        writing.weir.kill()


FORMS = {"json": {}, "proto": {"format": "proto"}, "zstd": {"compression": "zstd"}, "proto-zstd": {"format": "proto", "compression": "zstd"}}


class Writing:
    """A weir with a file exporter that rotates all the time, a sender, and faults below its folder."""

    def __init__(self, folder, **settings):
        self.folder, self.out = folder, folder / "out"
        self.out.mkdir()
        self.port, self.ledger = harness.free_port(), Ledger()
        self.library = Library(folder / "control", self.out)
        self.config = {
            "receivers": {"otlp": harness.otlp_receiver(self.port)},
            "exporters": {"file": {"path": str(self.out / "out.data"), "rotation": {"max_megabytes": 1, "max_backups": 0}, **settings}},
            "service": {"pipelines": harness.pipelines(signals=("logs",))},
        }
        self.start()
        self.sender = Sender(self.port, self.ledger, padding=2500)

    def start(self):
        self.weir = harness.Weir(self.config, self.folder, environment=self.library.environment())

    def gone(self):
        self.weir.process.wait()
        self.weir.log_file.close()

    def die_at_a_rotation(self, when):
        self.library.set(die_rename=when)
        harness.wait_until(lambda: not self.weir.alive(), "it rotates, and dies", 60)
        assert self.weir.process.returncode == -signal.SIGKILL
        self.library.set()
        self.gone()
        self.start()

    def kill(self):
        self.weir.process.send_signal(signal.SIGKILL)
        self.gone()
        self.start()

    def acknowledged_more(self):
        before = self.ledger.acknowledged
        harness.wait_until(lambda: self.ledger.acknowledged > before + 200, "more is acknowledged", 60)

    def finish(self):
        """Everything as weir cat reads it; returns how many messages were damaged."""
        self.sender.stop()
        self.weir.stop()
        files = sorted(self.out.glob("out*"))
        cat = subprocess.run([str(harness.BINARY), "cat", "--json", "--signal", "logs", *map(str, files)], capture_output=True, check=False)
        self.ledger.deliver_all(cat.stdout)
        assert len(files) > 1
        return cat.stderr.decode().splitlines()


@pytest.mark.parametrize("form", FORMS)
def test_kills_during_rotation(form, start_writing):
    chance, kills = random.Random(form), 0
    writing = start_writing(fsync=form in ("json", "proto-zstd"), **FORMS[form])
    for when in (1, 2, 0, 0):
        writing.acknowledged_more()
        if when:
            writing.die_at_a_rotation(when)
        else:
            time.sleep(chance.uniform(0.0, 0.2))
            writing.kill()
        kills += 1
    writing.acknowledged_more()
    damaged = writing.finish()
    assert len(damaged) <= kills, damaged  # the message that was being written
    assert writing.ledger.missing() == set()
    assert (writing.ledger.wrong, writing.ledger.doubled()) == (0, 0)


@pytest.mark.parametrize("form", ["json", "proto-zstd"])
def test_kills_in_the_middle_of_a_message(form, start_writing):
    writing = start_writing(fsync=True, **FORMS[form])
    for _ in range(3):
        writing.acknowledged_more()
        writing.library.set(die=2)
        harness.wait_until(lambda: not writing.weir.alive(), "it writes a part, and dies", 60)
        writing.library.set()
        writing.gone()
        writing.start()
    writing.acknowledged_more()
    assert len(writing.finish()) <= 3
    assert writing.ledger.missing() == set()
    assert (writing.ledger.wrong, writing.ledger.doubled()) == (0, 0)


@pytest.mark.parametrize("fsync", [False, True])
def test_a_failing_disk_is_a_retry(fsync, start_writing):
    """Short writes are carried on; a message that could not be written or synced is cut off again, and refused."""
    writing = start_writing(fsync=fsync)
    writing.library.set(short=20, eio=10, enospc=10, sync=10)
    writing.acknowledged_more()
    harness.wait_until(lambda: writing.sender.refused > 0, "something is refused", 30)
    assert writing.sender.without_delay == 0
    writing.library.set(truncate=50, eio=20)  # what is left of a message can't be cut off at once
    writing.acknowledged_more()
    writing.library.set()
    writing.acknowledged_more()
    assert writing.finish() == []
    assert writing.ledger.missing() == set()
    assert (writing.ledger.wrong, writing.ledger.doubled()) == (0, 0)


def test_backups_survive_a_clock_that_goes_back(start_writing):
    """A rotation whose name was given before, at that time of the clock, overwrites nothing."""
    writing = start_writing()
    for seconds in (0, -3600, 3600, -3600, -3601):
        writing.library.set(clock=seconds)
        count = len(list(writing.out.iterdir()))
        harness.wait_until(lambda: len(list(writing.out.iterdir())) >= count + 2, "it rotates", 60)
    writing.library.set()
    assert writing.finish() == []
    assert writing.ledger.missing() == set()
    assert (writing.ledger.wrong, writing.ledger.doubled()) == (0, 0)


def test_an_answer_waits_for_the_sync(start_writing):
    writing = start_writing(fsync=True)
    writing.acknowledged_more()
    writing.library.set(hold=1)

    def one_waits():
        written = sum(len(RECORD.findall(path.read_bytes())) for path in writing.out.iterdir())
        return written == writing.ledger.acknowledged + BATCH

    harness.wait_until(one_waits, "a message is written and not answered", 30)
    time.sleep(0.3)
    assert one_waits()
    writing.library.set()
    writing.acknowledged_more()
    assert writing.finish() == []
    assert writing.ledger.missing() == set()
