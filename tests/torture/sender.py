"""Sends numbered log records over OTLP/HTTP and keeps the diary of what was acknowledged; a number is never sent twice."""
import http.client
import threading
import time

from torture.ledger import document

BATCH = 20


class Sender:
    def __init__(self, port, ledger, padding=0, pause=0.0, first=0):
        self.port, self.ledger, self.padding, self.pause = port, ledger, padding, pause
        self.next = first
        self.refused = 0
        self.without_delay = 0  # refusals that do not say when to come again
        self.statuses = {}
        self.running = True
        self.thread = threading.Thread(target=self.run, daemon=True)
        self.thread.start()

    def run(self):
        connection = None
        while self.running:
            numbers = range(self.next, self.next + BATCH)
            self.next += BATCH
            try:
                if connection is None:
                    connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=10)
                connection.request("POST", "/v1/logs", document(numbers, self.padding), {"Content-Type": "application/json"})
                self.note(connection.getresponse(), numbers)
                time.sleep(self.pause)
            except (OSError, http.client.HTTPException):
                connection = None
                time.sleep(0.02)

    def note(self, answer, numbers):
        answer.read()
        self.statuses[answer.status] = self.statuses.get(answer.status, 0) + 1
        if answer.status == 200:
            self.ledger.acknowledge(numbers)
            return
        self.refused += BATCH
        self.without_delay += answer.getheader("Retry-After") is None
        time.sleep(0.01)

    def stop(self):
        self.running = False
        self.thread.join(15)
