"""The torture rig: numbered records, a diary of what was acknowledged, and faults by chance.

What must hold after every round: all that was acknowledged is delivered, payloads are equal, a fresh record passes, and memory
stays within bounds. Duplicates are counted, not forbidden.
"""
import http.client
import http.server
import json
import pathlib
import random
import re
import signal
import socketserver
import threading
import time

from e2e import harness

RECORD = re.compile(rb"id-(\d+)-([0-9a-f]{8})-end")
BATCH = 20


def check_word(number):
    """What stands beside each number, so that a payload that was changed is seen."""
    return f"{(number * 2654435761) & 0xffffffff:08x}"


class Destination:
    """An OTLP/HTTP server that writes down which records came, and misbehaves when told to."""

    def __init__(self):
        self.port = harness.free_port()
        self.mode = "ok"
        self.seen = {}
        self.wrong = 0
        self.lock = threading.Lock()
        self.server = None
        self.start()

    def start(self):
        destination = self

        class Handler(http.server.BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_POST(self):
                destination.serve(self)

            def log_message(self, *_):
                pass

        class Server(socketserver.ThreadingMixIn, http.server.HTTPServer):
            daemon_threads = True
            allow_reuse_address = True
            request_queue_size = 128

            def handle_error(self, *_):
                pass  # connections that break are what the rig is for

        self.server = Server(("127.0.0.1", self.port), Handler)
        threading.Thread(target=self.server.serve_forever, args=(0.05,), daemon=True).start()

    def stop(self):
        if self.server is not None:
            self.server.shutdown()
            self.server.server_close()
            self.server = None

    def serve(self, handler):
        body = handler.rfile.read(int(handler.headers.get("Content-Length", 0)))
        mode = self.mode
        if mode == "hang":
            time.sleep(1.5)
            handler.close_connection = True
            return
        if mode == "half":
            handler.wfile.write(b"HTTP/1.1 200 OK\r\nContent-Le")
            handler.close_connection = True
            return
        if mode in ("429", "503"):
            handler.send_response(int(mode))
            handler.send_header("Retry-After", "0")
            handler.send_header("Content-Length", "0")
            handler.end_headers()
            return
        self.note(body)
        if mode == "lost-reply":
            handler.close_connection = True
            return
        handler.send_response(200)
        handler.send_header("Content-Type", "application/x-protobuf")
        handler.send_header("Content-Length", "0")
        handler.end_headers()

    def note(self, body):
        with self.lock:
            for number, word in RECORD.findall(body):
                number = int(number)
                self.wrong += word.decode() != check_word(number)
                self.seen[number] = self.seen.get(number, 0) + 1


class Sender:
    """Sends numbered log records and keeps the diary."""

    def __init__(self, port):
        self.port = port
        self.next = 0
        self.acknowledged = set()
        self.refused = 0
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
                connection.request("POST", "/v1/logs", document(numbers), {"Content-Type": "application/json"})
                answer = connection.getresponse()
                answer.read()
                if answer.status == 200:
                    self.acknowledged.update(numbers)
                else:
                    self.refused += BATCH
                    time.sleep(0.01)
            except (OSError, http.client.HTTPException):
                connection = None
                time.sleep(0.02)

    def stop(self):
        self.running = False
        self.thread.join(15)


def document(numbers):
    records = [{"timeUnixNano": "1700000000000000000", "body": {"stringValue": f"id-{n}-{check_word(n)}-end"}} for n in numbers]
    return json.dumps({"resourceLogs": [{"scopeLogs": [{"logRecords": records}]}]})


def configuration(port, destination, storage, fsync):
    return {
        "extensions": {"file_storage": {"directory": str(storage), "create_directory": True, "fsync": fsync}},
        "receivers": {"otlp": harness.otlp_receiver(port)},
        "exporters": {"otlp_http": {
            "endpoint": f"http://127.0.0.1:{destination.port}", "timeout": "1s", "compression": "none",
            "sending_queue": {"storage": "file_storage", "num_consumers": 4, "queue_size": 100000},
            "retry_on_failure": {"initial_interval": "20ms", "max_interval": "200ms"}}},
        "service": {"extensions": ["file_storage"],
                    "pipelines": {"logs": {"receivers": ["otlp"], "exporters": ["otlp_http"]}}},
    }


class Rig:
    def __init__(self, folder, seed, fsync=False, binary=harness.BINARY):
        self.folder = pathlib.Path(folder)
        self.random = random.Random(seed)
        self.binary = binary
        self.port = harness.free_port()
        self.destination = Destination()
        self.storage = self.folder / "storage"
        self.config = configuration(self.port, self.destination, self.storage, fsync)
        self.weir = None
        self.counts = {}
        self.start()
        self.sender = Sender(self.port)

    def start(self):
        self.weir = harness.Weir(self.config, self.folder, binary=self.binary)

    # ---- faults ----

    def kill(self):
        self.weir.process.send_signal(signal.SIGKILL)
        self.weir.process.wait()
        self.weir.log_file.close()
        if self.random.random() < 0.3:
            self.tear_tail()
        self.start()

    def tear_tail(self):
        """What a crash in the middle of a write leaves: bytes of a record that was never acknowledged."""
        segments = sorted(self.storage.glob("*/*.seg"))
        if segments:
            with open(segments[-1], "ab") as file:
                file.write(self.random.randbytes(self.random.randrange(1, 3000)))

    def freeze(self):
        self.weir.process.send_signal(signal.SIGSTOP)
        time.sleep(self.random.uniform(0.05, 0.5))
        self.weir.process.send_signal(signal.SIGCONT)

    def misbehave(self):
        self.destination.mode = self.random.choice(["ok", "429", "503", "hang", "half", "lost-reply"])

    def take_away(self):
        self.destination.stop()
        time.sleep(self.random.uniform(0.1, 0.6))
        self.destination.start()

    def restart(self):
        self.weir.stop()
        self.start()

    def round(self):
        name = self.random.choices(["kill", "freeze", "misbehave", "take_away", "restart"], [6, 1, 4, 1, 1])[0]
        getattr(self, name)()
        self.counts[name] = self.counts.get(name, 0) + 1
        time.sleep(self.random.uniform(0.02, 0.3))

    # ---- the oracle ----

    def missing(self):
        with self.destination.lock:
            return self.sender.acknowledged.difference(self.destination.seen)

    def wait_delivered(self, seconds):
        """A backlog takes its time; what counts is that it moves."""
        least, end = len(self.missing()), time.monotonic() + seconds
        while least > 0:
            time.sleep(0.2)
            now = len(self.missing())
            if now < least:
                least, end = now, time.monotonic() + seconds
            assert time.monotonic() < end, f"{least} acknowledged records are not delivered, and none came for {seconds} s"

    def settle(self, seconds=60):
        """Faults stop; returns the report."""
        self.destination.mode = "ok"
        before = len(self.sender.acknowledged)
        harness.wait_until(lambda: len(self.sender.acknowledged) > before, "a fresh record is acknowledged", seconds)
        self.sender.stop()
        self.wait_delivered(seconds)
        seen = self.destination.seen
        return {
            "faults": self.counts, "sent": self.sender.next, "acknowledged": len(self.sender.acknowledged), "refused": self.sender.refused,
            "delivered": len(seen), "missing": len(self.missing()), "doubled": sum(count - 1 for count in seen.values()),
            "wrong": self.destination.wrong, "peak_rss_kib": self.weir.memory_kib("VmHWM"),
        }

    def close(self):
        self.sender.stop()
        self.weir.stop()
        self.destination.stop()
