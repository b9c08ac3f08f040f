"""Faults of a search server for the torture rig: away, 429, 413, 503, hanging, half a reply, for whole requests and for single documents.

The server plays Elasticsearch. One record in POISON is one that a mapping would refuse: it has to be in the dead-letter file, and
counts as delivered there.
"""
import json
import threading
import time

from e2e import harness, search_stub
from torture.ledger import RECORD

POISON = 97
LIMIT = 300  # documents that a server takes at once that is in mode 413


def create(ledger, folder, random):
    return Destination(ledger, folder, random)


class Destination:
    FAULTS = {"misbehave": 4, "take_away": 1}
    MODES = ("429", "503", "413", "hang", "half", "lost-reply", "429 for some", "503 for some", "cut answer")

    def __init__(self, ledger, folder, random):
        self.ledger, self.random = ledger, random
        self.port = harness.free_port()
        self.dead_letters, self.read = folder / "dead.jsonl", 0
        self.mode = "ok"
        self.stub, self.open = None, True
        self.start()
        self.reader = threading.Thread(target=self.read_dead_letters, daemon=True)
        self.reader.start()

    def exporter(self):
        """The queue holds what this destination takes in a second or two: weir is much the faster of them."""
        return "elasticsearch", {
            "endpoint": f"http://127.0.0.1:{self.port}", "timeout": "1s", "dead_letter": {"path": str(self.dead_letters)},
            "sending_queue": {"queue_size": 2000, "batch": {"flush_timeout": "100ms"}},
            "retry": {"initial_interval": "10ms", "max_interval": "100ms"}, "retry_on_failure": {"initial_interval": "20ms", "max_interval": "200ms"}}

    # ---- faults ----

    def misbehave(self):
        self.mode = self.random.choice(self.MODES)

    def take_away(self):
        self.stop()
        time.sleep(self.random.uniform(0.1, 0.6))
        self.start()

    def refuse(self):
        self.mode = "503"

    def heal(self):
        self.mode = "ok"
        self.start()

    def close(self):
        self.open = False
        self.reader.join()
        self.stop()

    def start(self):
        if self.stub is None:
            self.stub = search_stub.Stub(self.answer, port=self.port, remember=False)

    def stop(self):
        if self.stub is not None:
            self.stub.close()
            self.stub = None

    # ---- one request ----

    def answer(self, bulk):
        mode = self.mode
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
        """fault: (status, of every so many documents). What is not refused has arrived."""
        statuses = []
        for place, item in enumerate(bulk.items):
            number, word = RECORD.search(item.document_text.encode()).groups()
            status = 400 if int(number) % POISON == 0 else fault[0] if fault and place % fault[1] == 0 else 201
            statuses.append(status)
            if status == 201:
                self.ledger.deliver(int(number), word.decode())
        return search_stub.results(statuses)

    # ---- what will never be taken ----

    def read_dead_letters(self):
        while self.open:
            self.note_dead_letters()
            time.sleep(0.05)

    def note_dead_letters(self):
        """Each whole line once. The last one may be what a killed weir left of a line, before its documents counted as dealt with."""
        if not self.dead_letters.exists():
            return
        with open(self.dead_letters, "rb") as file:
            file.seek(self.read)
            for line in file:
                if not line.endswith(b"\n"):
                    break
                self.read += len(line)
                self.note_dead_letter(line)

    def note_dead_letter(self, line):
        found = RECORD.search(line)
        if found is None:
            return  # a part of a line that was ended at the next start
        number, word = found.groups()
        assert int(number) % POISON == 0 and json.loads(line)["status"] == 400, line
        self.ledger.deliver(int(number), word.decode())
