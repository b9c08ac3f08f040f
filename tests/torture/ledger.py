"""The books of a torture run: which numbered records were acknowledged, which arrived, how often, and whether they arrived as sent."""
import json
import random
import re
import threading

FILLER = random.Random(1).randbytes(1 << 18).hex()  # half of it is what zstd leaves
RECORD = re.compile(rb"id-(\d+)-([0-9a-f]{8})-end")


def check_word(number):
    """What stands beside each number, so that a payload that was changed is seen."""
    return f"{(number * 2654435761) & 0xffffffff:08x}"


def text_of(number):
    return f"id-{number}-{check_word(number)}-end"


def document(numbers, padding=0):
    """A request of log records with these numbers, each as much longer as `padding` says."""
    records = [{"timeUnixNano": "1700000000000000000", "body": {"stringValue": text_of(number)}} for number in numbers]
    for number, record in zip(numbers, records):
        if padding:
            start = number * 7919 % (len(FILLER) - padding)
            record["attributes"] = [{"key": "filler", "value": {"stringValue": FILLER[start : start + padding]}}]
    return json.dumps({"resourceLogs": [{"scopeLogs": [{"logRecords": records}]}]})


class Ledger:
    """Threads: any."""

    def __init__(self):
        self.lock = threading.Lock()
        self.seen = {}  # how often each number arrived
        self.acknowledged = 0
        self.newest = -1  # the last number that was acknowledged
        self.wrong = 0
        self.owed = set()  # acknowledged and not arrived
        self.excused = set()  # a fault destroyed them: they may be missing

    def acknowledge(self, numbers):
        with self.lock:
            self.acknowledged += len(numbers)
            self.newest = max(self.newest, max(numbers))
            self.owed.update(number for number in numbers if number not in self.seen)

    def deliver(self, number, word):
        with self.lock:
            self.wrong += word != check_word(number)
            self.seen[number] = self.seen.get(number, 0) + 1
            self.owed.discard(number)

    def deliver_all(self, body):
        """Notes every record in the bytes, of whatever form, that carry the texts unbroken."""
        for number, word in RECORD.findall(body):
            self.deliver(int(number), word.decode())

    def excuse(self, numbers):
        with self.lock:
            self.excused.update(numbers)

    def missing(self):
        """Acknowledged, not arrived, and no fault is known that destroyed them."""
        with self.lock:
            return self.owed - self.excused

    def destroyed(self):
        """Acknowledged, not arrived, and a fault took them."""
        with self.lock:
            return self.owed & self.excused

    def doubled(self):
        with self.lock:
            return sum(count - 1 for count in self.seen.values())
