"""One weir with one receiver of log streams, and what comes of bytes that are written to its port."""
import contextlib
import socket
import tempfile
import time

from e2e import harness


def plain(value):
    """An attribute value in the one spelling of e2e.otlp as an ordinary one."""
    if not value:
        return None
    kind, content = next(iter(value.items()))
    if kind == "intValue":
        return int(content)
    if kind == "arrayValue":
        return [plain(one) for one in content.get("values", [])]
    if kind == "kvlistValue":
        return attributes(content.get("values", []))
    return bytes.fromhex(content) if kind == "bytesValue" else content


def attributes(pairs):
    return {pair["key"]: plain(pair.get("value")) for pair in pairs}


class LogStreams:
    """`settings` of the receiver; PORT in them is the port that it listens on."""

    def __init__(self, receiver, settings, folder, binary):
        self.port = harness.free_port()
        self.path = f"{folder}/out.jsonl"
        self.weir = harness.Weir(
            {"receivers": {receiver: self.with_port(settings)}, "exporters": {"file": {"path": self.path, "flush_interval": "10ms"}},
             "service": {"pipelines": {"logs": {"receivers": [receiver], "exporters": ["file"]}}}}, folder, binary=binary)

    def with_port(self, settings):
        if isinstance(settings, dict):
            return {key: self.with_port(value) for key, value in settings.items()}
        return settings.replace("PORT", str(self.port)) if isinstance(settings, str) else settings

    def records(self):
        return [one["record"] for one in harness.read_records(self.path, "logs")]

    def wait_records(self, count):
        """That many records; fewer when they do not come."""
        with contextlib.suppress(AssertionError):
            harness.wait_until(lambda: len(self.records()) >= count, "records", 5)
        return self.records()

    def connect(self):
        return socket.create_connection(("127.0.0.1", self.port), timeout=10)

    def send(self, data, reply=0):
        """Writes the bytes, ends, and returns what came back until weir ended too, or `reply` bytes."""
        answer = b""
        with self.connect() as connection, contextlib.suppress(ConnectionError):
            connection.sendall(data)
            if not reply:
                connection.shutdown(socket.SHUT_WR)
            while not reply or len(answer) < reply:
                part = connection.recv(65536)
                if not part:
                    break
                answer += part
        return answer

    def is_closed_after(self, data):
        """Does weir end the connection by itself?"""
        with self.connect() as connection:
            try:
                connection.sendall(data)
                return connection.recv(1) == b""
            except ConnectionError:
                return True
            except TimeoutError:
                return False


@contextlib.contextmanager
def running(receiver, settings, binary):
    with tempfile.TemporaryDirectory() as folder:
        streams = LogStreams(receiver, settings, folder, binary)
        try:
            yield streams
            streams.weir.stop()
        finally:
            streams.weir.kill()


def seen_after(streams, seconds=0.3):
    """What has come although nothing should."""
    time.sleep(seconds)
    return streams.records()
