"""What the rig does to disks: a real small file system that runs full, a preloaded library that fails, and damage to segment files."""
import os
import pathlib
import shlex
import struct
import subprocess

from e2e import harness
from torture.ledger import RECORD

FAULTS_LIBRARY = harness.BUILD / "tests/torture/faults.so"
HEADER = struct.Struct("<4sIQQIBBHII")


class Library:
    """The preloaded library (faults.c); set() says what goes wrong below the folder."""

    def __init__(self, control, under):
        self.control, self.under = pathlib.Path(control), under
        self.set()

    def set(self, **words):
        temporary = self.control.with_suffix(".new")
        temporary.write_text(" ".join(f"{key}={value}" for key, value in words.items()) + "\n")
        temporary.rename(self.control)

    def environment(self):
        environment = {"LD_PRELOAD": str(FAULTS_LIBRARY), "FAULTS_UNDER": str(self.under), "FAULTS_CONTROL": str(self.control)}
        # the sanitizer's library wants to be the first one, and is not
        environment["ASAN_OPTIONS"] = ":".join(filter(None, [os.environ.get("ASAN_OPTIONS", ""), "verify_asan_link_order=0"]))
        return environment


class SmallDisk:
    """A tmpfs of so many MiB, in a mount namespace of its own that lives until close(). `refusal` says why there is none."""

    def __init__(self, folder, mebibytes):
        self.mount = pathlib.Path(folder)
        self.mount.mkdir(parents=True, exist_ok=True)
        self.wrapper = self.mount.parent / f"{self.mount.name}-run"
        self.refusal = self.holder = None
        script = f"mount -t tmpfs -o size={mebibytes}m none {shlex.quote(str(self.mount))} && echo ready && exec cat"
        said = []
        for extra in ([], ["--user", "--map-root-user"]):
            self.holder = subprocess.Popen(["unshare", "--mount", *extra, "sh", "-c", script], stdin=subprocess.PIPE, stdout=subprocess.PIPE,
                                           stderr=subprocess.PIPE, text=True)
            if self.holder.stdout.readline() == "ready\n":
                self.write_wrapper(["--user", "--preserve-credentials"] if extra else [])
                return
            said.append(self.holder.communicate()[1].strip())
        self.holder = None
        self.refusal = "no mount namespace: " + "; ".join(said)

    def write_wrapper(self, extra):
        """nsenter becomes the program, so that its pid is the program's."""
        self.wrapper.write_text(f'#!/bin/sh\nexec nsenter --target {self.holder.pid} --mount {" ".join(extra)} -- {shlex.quote(str(harness.BINARY))} "$@"\n')
        self.wrapper.chmod(0o755)

    def outside(self):
        """The mounted folder as it is seen from here."""
        return pathlib.Path(f"/proc/{self.holder.pid}/root{self.mount}")

    def free(self):
        status = os.statvfs(self.outside())
        return status.f_bavail * status.f_frsize

    def fill(self):
        """Somebody else takes what is left."""
        with open(self.outside() / "filler", "wb", buffering=0) as file:
            try:
                while True:
                    file.write(bytes(4096))
            except OSError:
                pass

    def clear(self):
        (self.outside() / "filler").unlink(missing_ok=True)

    def close(self):
        if self.holder is not None:
            self.holder.communicate("")
            self.holder = None


# ---- damage to segments, while no weir runs ----


def records_of(data):
    """(offset, end, numbers) of each journal record in a segment's bytes."""
    at = 0
    while (at := data.find(b"WEIR", at)) >= 0 and at + HEADER.size <= len(data):
        size = HEADER.unpack_from(data, at)[1]
        end = at + HEADER.size + size
        yield at, end, [int(number) for number, _ in RECORD.findall(data[at:end])]
        at = end


def numbers_of(data):
    return [int(number) for number, _ in RECORD.findall(data)]


class Damage:
    """Each method destroys something of the folder, and returns the numbers of the records that may be lost by it."""

    KINDS = ["tear", "cut", "flip", "flip_ack", "remove", "renumber", "copy", "empty"]

    def __init__(self, storage, random):
        self.storage, self.random = pathlib.Path(storage), random

    def segments(self):
        return sorted(self.storage.glob("*/*.seg"))

    def choose(self):
        return self.random.choice(self.segments())

    def any(self):
        if not self.segments():
            return "nothing", []
        kind = self.random.choice(self.KINDS)
        return kind, getattr(self, kind)()

    def tear(self):
        """What a crash in the middle of a write leaves: bytes of a record that was never acknowledged."""
        if not self.segments():
            return []
        try:
            with open(self.segments()[-1], "ab") as file:
                file.write(self.random.randbytes(self.random.randrange(1, 3000)))
        except OSError:
            pass  # as much as there is room for
        return []

    def cut(self):
        """The end of the last segment never reached the disk."""
        path = self.segments()[-1]
        data = path.read_bytes()
        keep = max(0, len(data) - self.random.randrange(1, 3000))
        os.truncate(path, keep)
        return [number for at, end, numbers in records_of(data) if end > keep for number in numbers]

    def flip(self):
        path = self.choose()
        data = bytearray(path.read_bytes())
        if not data:
            return []
        place = self.random.randrange(len(data))
        hit = [number for at, end, numbers in records_of(bytes(data)) if at <= place < end for number in numbers]
        data[place] ^= 1 << self.random.randrange(8)
        path.write_bytes(data)
        return hit

    def flip_ack(self):
        """Costs records that come twice, none that is lost."""
        for path in self.storage.glob("*/*.ack"):
            data = bytearray(path.read_bytes())
            if data:
                data[self.random.randrange(len(data))] ^= 1 << self.random.randrange(8)
                path.write_bytes(data)
        return []

    def remove(self):
        path = self.choose()
        lost = numbers_of(path.read_bytes())
        path.unlink()
        return lost

    def renumber(self):
        """The segment is whole, its name is not what it was."""
        path = self.choose()
        other = path.with_name(f"{max(0, int(path.stem, 16) + self.random.choice([-3, -1, 1, 2, 1000, 1 << 40])):016x}.seg")
        if not other.exists():
            path.rename(other)
        return []

    def copy(self):
        """A second one of the same content under another name."""
        path = self.choose()
        other = path.with_name(f"{int(path.stem, 16) + self.random.choice([1, 2, 5000]):016x}.seg")
        if not other.exists():
            try:
                other.write_bytes(path.read_bytes())
            except OSError:
                other.unlink()  # there is no room for it
        return []

    def empty(self):
        path = self.choose()
        lost = numbers_of(path.read_bytes())
        os.truncate(path, 0)
        return lost


def quarantined(storage):
    return sum(path.stat().st_size for path in pathlib.Path(storage).glob("*/quarantine"))


