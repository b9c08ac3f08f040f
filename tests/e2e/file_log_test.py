"""The file_log receiver against real files: every kind of rotation, kills in the midst of it, odd bytes, places over restarts."""
import collections
import gzip
import json
import os
import shutil
import threading
import time

import pytest

from e2e import harness

LINES_A_WRITE = 20


def config_of(folder, storage=True, **receiver):
    config = {
        "receivers": {"file_log": {"include": [str(folder / "logs" / "app.log*")], "start_at": "beginning", **receiver}},
        "exporters": {"file": {"path": str(folder / "out.jsonl"), "flush_interval": "50ms", "append": True}},
        "service": {"pipelines": {"logs": {"receivers": ["file_log"], "exporters": ["file"]}}},
    }
    if storage:
        config["extensions"] = {"file_storage": {"directory": str(folder / "store"), "create_directory": True}}
        config["service"]["extensions"] = ["file_storage"]
        config["receivers"]["file_log"]["storage"] = "file_storage"
    return config


@pytest.fixture
def logs(tmp_path):
    (tmp_path / "logs").mkdir()
    return tmp_path / "logs" / "app.log"


def records(folder):
    """A line that a kill cut off is not one."""

    path = folder / "out.jsonl"
    for line in path.read_text(errors="replace").splitlines() if path.exists() else []:
        try:
            document = json.loads(line)
        except ValueError:
            continue
        for group in document["resourceLogs"]:
            for scope in group["scopeLogs"]:
                yield from scope["logRecords"]


def bodies(folder):
    return [next(iter(record["body"].values())) for record in records(folder)]


def wait_for(folder, expected):
    harness.wait_until(lambda: len(bodies(folder)) >= len(expected), f"{len(expected)} records")
    assert bodies(folder) == expected


# ---- rotation under load ----

class Writer:
    """Numbered lines at full speed, with a rotation now and then."""

    def __init__(self, path, rotate, gap):
        self.path, self.rotate, self.gap = path, rotate, gap
        self.count = self.rotations = 0
        self.file = open(path, "ab", buffering=0)

    def write(self, number=LINES_A_WRITE):
        self.file.write(b"".join(b"line %d %s\n" % (self.count + i, b"x" * 80) for i in range(number)))
        self.count += number

    def reopen(self):
        self.file.close()
        self.file = open(self.path, "ab", buffering=0)

    def shift(self):
        for number in range(8, 0, -1):
            if os.path.exists(f"{self.path}.{number}"):
                os.rename(f"{self.path}.{number}", f"{self.path}.{number + 1}")

    def run(self, seconds):
        until, last = time.monotonic() + seconds, time.monotonic()
        while time.monotonic() < until:
            self.write()
            time.sleep(0.0005)
            if time.monotonic() - last > self.gap:
                self.rotate(self)
                self.rotations += 1
                last = time.monotonic()


def by_rename(writer):
    writer.shift()
    os.rename(writer.path, f"{writer.path}.1")
    writer.reopen()


def by_rename_late(writer):
    """The writer learns of it later, and goes on in the renamed file."""
    writer.shift()
    os.rename(writer.path, f"{writer.path}.1")
    writer.write(3)
    writer.reopen()


def by_copy(writer):
    writer.shift()
    shutil.copyfile(writer.path, f"{writer.path}.1")
    os.truncate(writer.path, 0)


def by_removal(writer):
    os.unlink(writer.path)
    writer.reopen()


def numbers(folder):
    return collections.Counter(int(body.split()[1]) for body in bodies(folder))


@pytest.mark.parametrize("rotate", [by_rename, by_rename_late, by_copy, by_removal])
def test_rotation_under_load(tmp_path, logs, rotate):
    weir = harness.Weir(config_of(tmp_path), tmp_path)
    writer = Writer(logs, rotate, 0.05)
    writer.run(3)
    harness.wait_until(lambda: len(numbers(tmp_path)) >= writer.count, "all lines")
    weir.stop()
    assert writer.rotations > 10
    found = numbers(tmp_path)
    assert set(found) == set(range(writer.count))
    if rotate is by_copy:  # a copy that is read while it is being made looks like a file of its own
        print(f"{sum(found.values()) - writer.count} of {writer.count} lines twice")
    else:
        assert max(found.values()) == 1


# Removal is not among them: what is removed while nobody runs is gone.
@pytest.mark.parametrize("rotate", [by_rename, by_rename_late, by_copy])
def test_rotation_with_kills(tmp_path, logs, rotate):
    state = {"weir": harness.Weir(config_of(tmp_path), tmp_path)}

    def kill():
        for _ in range(3):
            time.sleep(1)
            state["weir"].kill()
            state["weir"] = harness.Weir(config_of(tmp_path), tmp_path)

    killer = threading.Thread(target=kill)
    writer = Writer(logs, rotate, 0.1)
    killer.start()
    writer.run(4)
    killer.join()
    harness.wait_until(lambda: len(numbers(tmp_path)) >= writer.count, "all lines")
    state["weir"].stop()
    seen = numbers(tmp_path)
    assert [number for number in range(writer.count) if number not in seen] == []
    doubles = sum(seen.values()) - len(seen)
    assert doubles * 100 < 3 * (8 << 20)  # what may be under way at a kill, three times


# ---- places ----

def test_places_survive_a_restart(tmp_path, logs):
    logs.write_text("one\ntwo\n")
    weir = harness.Weir(config_of(tmp_path), tmp_path)
    wait_for(tmp_path, ["one", "two"])
    weir.stop()
    with open(logs, "a") as file:
        file.write("three\n")
    os.rename(logs, f"{logs}.1")
    logs.write_text("four\n")
    weir = harness.Weir(config_of(tmp_path), tmp_path)
    harness.wait_until(lambda: len(bodies(tmp_path)) >= 4, "four records")
    weir.stop()
    assert sorted(bodies(tmp_path)) == sorted(["one", "two", "three", "four"])


def test_a_place_waits_for_the_destination(tmp_path, logs):
    port = harness.free_port()
    config = config_of(tmp_path)
    config["exporters"] = {"otlp_http": {"endpoint": f"http://127.0.0.1:{port}", "retry_on_failure": {"max_elapsed_time": 0}}}
    config["service"]["pipelines"]["logs"]["exporters"] = ["otlp_http"]
    logs.write_text("one\ntwo\n")
    weir = harness.Weir(config, tmp_path)
    time.sleep(1)
    weir.kill()
    weir = harness.Weir(config_of(tmp_path), tmp_path)
    wait_for(tmp_path, ["one", "two"])
    weir.stop()


def test_start_at_the_end(tmp_path, logs):
    logs.write_text("old\n")
    weir = harness.Weir(config_of(tmp_path, storage=False, start_at="end"), tmp_path)
    time.sleep(0.5)
    with open(logs, "a") as file:
        file.write("new\n")
    (tmp_path / "logs" / "app.log.other").write_text("other\n")
    harness.wait_until(lambda: len(bodies(tmp_path)) >= 2, "two records")
    weir.stop()
    assert sorted(bodies(tmp_path)) == ["new", "other"]


def test_what_is_joined_holds_back_the_place(tmp_path, logs):
    operators = [{"type": "recombine", "combine_field": "body", "is_first_entry": "body matches '^[^+]'", "source_identifier": 'attributes["log.file.name"]', "force_flush_period": "1h"}]
    logs.write_text("one\n+a\ntwo\n+b\n")
    weir = harness.Weir(config_of(tmp_path, operators=operators), tmp_path)
    harness.wait_until(lambda: bodies(tmp_path) == ["one\n+a"], "the first record")
    time.sleep(0.5)
    weir.kill()
    with open(logs, "a") as file:
        file.write("three\n")
    weir = harness.Weir(config_of(tmp_path, operators=operators), tmp_path)
    wait_for(tmp_path, ["one\n+a", "two\n+b"])
    weir.stop()


# ---- kinds of files ----

def test_symbolic_links_and_attributes(tmp_path, logs):
    (tmp_path / "elsewhere").mkdir()
    real = tmp_path / "elsewhere" / "real.log"
    real.write_text("one\n")
    logs.symlink_to(real)
    weir = harness.Weir(config_of(tmp_path, storage=False, include_file_path=True, include_file_path_resolved=True, include_file_record_number=True,
                                  include_file_record_offset=True, attributes={"k": "v"}, resource={"r": "s"}), tmp_path)
    harness.wait_until(lambda: bodies(tmp_path) == ["one"], "one record")
    with open(real, "a") as file:
        file.write("two\n")
    wait_for(tmp_path, ["one", "two"])
    weir.stop()
    attributes = {pair["key"]: next(iter(pair["value"].values())) for pair in list(records(tmp_path))[1]["attributes"]}
    assert attributes == {"log.file.name": "app.log", "log.file.path": str(logs), "log.file.path_resolved": str(real), "log.file.record_number": "2",
                          "log.file.record_offset": "4", "k": "v"}


def test_gzip_of_what_was_read_is_not_read_again(tmp_path, logs):
    text = "".join(f"line {number}\n" for number in range(200))
    logs.write_text(text)
    weir = harness.Weir(config_of(tmp_path, compression="auto"), tmp_path)
    harness.wait_until(lambda: len(bodies(tmp_path)) == 200, "the file")
    with gzip.open(f"{logs}.1.gz", "wt") as file:
        file.write(text)
    logs.write_text("next\n")
    with gzip.open(f"{logs}.0.gz", "wt") as file:
        file.write("packed one\npacked two\n")
    harness.wait_until(lambda: len(bodies(tmp_path)) >= 203, "what is new")
    time.sleep(0.5)
    weir.stop()
    assert sorted(bodies(tmp_path)[200:]) == ["next", "packed one", "packed two"]


def test_header(tmp_path, logs):
    logs.write_text("#host: a\n#app: b\none\ntwo\n")
    header = {"pattern": "^#", "metadata_operators": [{"type": "key_value_parser", "delimiter": ":", "pair_delimiter": "#"}]}
    weir = harness.Weir(config_of(tmp_path, storage=False, header=header), tmp_path)
    wait_for(tmp_path, ["one", "two"])
    weir.stop()
    keys = {pair["key"]: pair["value"]["stringValue"] for pair in list(records(tmp_path))[0]["attributes"]}
    assert keys == {"log.file.name": "app.log", "host": "a", "app": "b"}


def test_delete_after_read(tmp_path, logs):
    logs.write_text("one\ntwo\n")
    weir = harness.Weir(config_of(tmp_path, delete_after_read=True), tmp_path)
    harness.wait_until(lambda: not logs.exists(), "the file's removal")
    weir.stop()
    assert bodies(tmp_path) == ["one", "two"]


def test_ordering_criteria(tmp_path, logs):
    for number in (1, 2, 10):
        (tmp_path / "logs" / f"app.log.{number}").write_text(f"of {number}\n")
    ordering = {"regex": r"app\.log\.(?P<number>\d+)$", "top_n": 2, "sort_by": [{"regex_key": "number", "sort_type": "numeric"}]}
    weir = harness.Weir(config_of(tmp_path, storage=False, ordering_criteria=ordering), tmp_path)
    harness.wait_until(lambda: len(bodies(tmp_path)) >= 2, "two records")
    time.sleep(0.5)
    weir.stop()
    assert bodies(tmp_path) == ["of 10", "of 2"]


def test_multiline(tmp_path, logs):
    logs.write_text("2026 one\n  at a\n  at b\n2026 two\n")
    weir = harness.Weir(config_of(tmp_path, storage=False, multiline={"line_start_pattern": r"^\d{4} "}), tmp_path)
    wait_for(tmp_path, ["2026 one\n  at a\n  at b", "2026 two"])
    weir.stop()


# ---- bad input ----

def test_odd_bytes(tmp_path, logs):
    logs.write_bytes(b"nul \0 here\nbad \xff\xfe utf\n" + b"y" * 3000 + b"\nlast")
    weir = harness.Weir(config_of(tmp_path, storage=False, max_log_size=1000), tmp_path)
    wait_for(tmp_path, ["nul \0 here", "bad �� utf", "y" * 1000, "y" * 1000, "y" * 1000, "last"])
    weir.stop()


def test_bytes_that_are_kept(tmp_path, logs):
    logs.write_bytes(b"bad \xff\nfine\n")
    weir = harness.Weir(config_of(tmp_path, storage=False, encoding="utf-8-raw"), tmp_path)
    harness.wait_until(lambda: len(bodies(tmp_path)) == 2, "two records")
    weir.stop()
    assert [next(iter(record["body"])) for record in records(tmp_path)] == ["bytesValue", "stringValue"]


def test_a_line_of_a_hundred_megabytes(tmp_path, logs):
    with open(logs, "wb") as file:
        for _ in range(100):
            file.write(b"z" * (1 << 20))
        file.write(b"\nafter\n")
    config = config_of(tmp_path, storage=False, max_log_size_behavior="truncate")
    weir = harness.Weir(config, tmp_path)
    harness.wait_until(lambda: len(bodies(tmp_path)) >= 2, "two records")
    peak = weir.memory_kib("VmHWM")
    weir.stop()
    assert [len(body) for body in bodies(tmp_path)] == [1 << 20, 5]
    assert peak < 40 << 10 or "asan" in str(harness.BINARY)


def test_utf_16(tmp_path, logs):
    logs.write_bytes("grün\nzwei\n".encode("utf-16-le"))
    weir = harness.Weir(config_of(tmp_path, storage=False, encoding="utf-16le"), tmp_path)
    wait_for(tmp_path, ["grün", "zwei"])
    weir.stop()


def test_back_pressure(tmp_path, logs):
    """A destination that is not there: reading stops, memory stays, nothing is lost."""
    port = harness.free_port()
    config = config_of(tmp_path)
    config["exporters"] = {"otlp_http": {"endpoint": f"http://127.0.0.1:{port}", "sending_queue": {"queue_size": 5}}}
    config["service"]["pipelines"]["logs"]["exporters"] = ["otlp_http"]
    with open(logs, "w") as file:
        for number in range(400000):
            file.write(f"line {number} {'x' * 80}\n")
    weir = harness.Weir(config, tmp_path)
    time.sleep(2)
    assert weir.memory_kib("VmHWM") < 40 << 10 or "asan" in str(harness.BINARY)
    weir.kill()
    weir = harness.Weir(config_of(tmp_path), tmp_path)
    harness.wait_until(lambda: len(numbers(tmp_path)) >= 400000, "all lines", seconds=60)
    weir.stop()
