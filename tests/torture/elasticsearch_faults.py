"""Faults of a search server for the torture rig: away, 429, 413, 503, hanging, half a reply, for whole requests and for single documents.

ElasticsearchRig is a Rig whose weir sends to a server that plays Elasticsearch. One record in POISON is one that a mapping would refuse: it has to be in
the dead-letter file, and counts as delivered there.
"""
import json
import threading
from unittest import mock

from e2e import harness, search_stub
from torture import rig

POISON = 97
LIMIT = 300  # documents that a server takes at once that is in mode 413
MODES = ("ok", "429", "503", "413", "hang", "half", "lost-reply", "429 for some", "503 for some", "cut answer")


class SearchDestination:
    """Stands where rig.Destination stands: port, mode, seen, wrong, lock, start, stop."""

    def __init__(self):
        self.port = harness.free_port()
        self.mode = "ok"
        self.seen = {}
        self.wrong = 0
        self.counts = {}
        self.lock = threading.Lock()
        self.stub = None
        self.start()

    def start(self):
        self.stub = search_stub.Stub(self.answer, port=self.port, remember=False)

    def stop(self):
        if self.stub is not None:
            self.stub.close()
            self.stub = None

    # ---- one request ----

    def answer(self, bulk):
        mode = self.mode
        with self.lock:
            self.counts[mode] = self.counts.get(mode, 0) + 1
        if mode in ("429", "503"):
            return search_stub.refuse(int(mode), {"Retry-After": "0"})
        if mode == "413" and len(bulk.items) > LIMIT:
            return search_stub.refuse(413)
        if mode == "hang":
            return search_stub.HANG
        if mode in ("lost-reply", "half"):
            self.take(bulk, ())
            return search_stub.RESET if mode == "lost-reply" else search_stub.HALF
        status, headers, body = self.take(bulk, (int(mode[:3]), 3) if mode.endswith("for some") else ())
        return status, headers, body[: len(body) // 2] if mode == "cut answer" else body

    def take(self, bulk, fault):
        """fault: (status, of every so many documents). What is not refused is noted."""
        statuses = []
        for place, item in enumerate(bulk.items):
            number, word = rig.RECORD.search(item.document_text.encode()).groups()
            status = 400 if int(number) % POISON == 0 else fault[0] if fault and place % fault[1] == 0 else 201
            statuses.append(status)
            if status == 201:
                self.note(int(number), word.decode())
        return search_stub.results(statuses)

    def note(self, number, word):
        with self.lock:
            self.wrong += word != rig.check_word(number)
            self.seen[number] = self.seen.get(number, 0) + 1

    # ---- what will never be taken ----

    def note_dead_letters(self, path):
        """Counts each line once, whenever it is called."""
        lines = path.read_bytes().splitlines(keepends=True) if path.exists() else []
        with self.lock:
            for line in lines:
                if not line.endswith(b"\n"):
                    continue  # weir was killed within it, before its documents counted as dealt with
                number, word = rig.RECORD.search(line).groups()
                assert int(number) % POISON == 0 and json.loads(line)["status"] == 400, line
                self.wrong += word.decode() != rig.check_word(int(number))
                self.seen.setdefault(int(number), 1)


def exporter(destination, folder):
    """The exporter's settings, for `exporters:`."""
    return {"elasticsearch": {
        "endpoint": f"http://127.0.0.1:{destination.port}", "timeout": "1s", "dead_letter": {"path": str(folder / "dead.jsonl")},
        "sending_queue": {"storage": "file_storage", "num_consumers": 4, "queue_size": 100000, "batch": {"flush_timeout": "100ms"}},
        "retry": {"initial_interval": "10ms", "max_interval": "100ms"}, "retry_on_failure": {"initial_interval": "20ms", "max_interval": "200ms"}}}


class ElasticsearchRig(rig.Rig):
    def __init__(self, folder, seed, fsync=False, **options):
        ordinary = rig.configuration

        def configuration(port, destination, storage, fsync):
            config = ordinary(port, destination, storage, fsync)
            config["exporters"] = exporter(destination, storage.parent)
            config["service"]["pipelines"]["logs"]["exporters"] = ["elasticsearch"]
            return config

        with mock.patch.object(rig, "Destination", SearchDestination), mock.patch.object(rig, "configuration", configuration):
            super().__init__(folder, seed, fsync, **options)

    def start(self):
        self.weir = harness.Weir(self.config, self.folder, binary=self.binary, arguments=["--drain-timeout", "1s"])

    def misbehave(self):
        self.destination.mode = self.random.choice(MODES)

    def missing(self):
        self.destination.note_dead_letters(self.folder / "dead.jsonl")
        return super().missing()

    def settle(self, seconds=60):
        return {**super().settle(seconds), "requests": dict(self.destination.counts)}
