"""An Elasticsearch that is not one: takes _bulk requests, remembers what came, and answers as it is told to.

`answer` decides for each request: it gets the request and returns what to do. Without one everything is taken.
"""
import functools
import gzip
import http.server
import json
import socket
import threading
import time
import urllib.parse


class Item:
    """An action line and its document."""

    def __init__(self, action, document):
        self.action_text, self.document_text = action, document

    @functools.cached_property
    def action(self):
        return json.loads(self.action_text)

    @functools.cached_property
    def document(self):
        return json.loads(self.document_text)


class Bulk:
    """One request as it came."""

    def __init__(self, handler, body):
        path = urllib.parse.urlsplit(handler.path)
        self.path, self.query = path.path, urllib.parse.parse_qs(path.query)
        self.headers = {name.lower(): value for name, value in handler.headers.items()}
        self.gzip = self.headers.get("content-encoding") == "gzip"
        body = gzip.decompress(body) if self.gzip else body
        assert body.endswith(b"\n"), "a _bulk request ends with a line break"
        lines = body.decode().split("\n")[:-1]
        self.size = len(body)
        self.items = [Item(action, document) for action, document in zip(lines[::2], lines[1::2])]
        self.time = time.monotonic()


def results(statuses, errors=None):
    """An answer with one result for each document."""
    items = []
    for number, status in enumerate(statuses):
        result = {"status": status}
        if status >= 300:
            result["error"] = (errors or {}).get(number) or {"type": "made_up_exception", "reason": f"status {status}"}
        items.append({"create": result})
    return 200, {}, json.dumps({"errors": any(status >= 300 for status in statuses), "items": items}).encode()


def take_all(bulk):
    return results([201] * len(bulk.items))


def refuse(status, headers=None, body=b'{"error":{"type":"made_up_exception","reason":"as told"}}'):
    return status, headers or {}, body


HANG, RESET, HALF = "hang", "reset", "half"  # instead of an answer


class Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def send(self, status, headers, body):
        self.send_response(status)
        for name, value in {"X-Elastic-Product": "Elasticsearch", "Content-Type": "application/json", **headers}.items():
            self.send_header(name, value)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def do_GET(self):
        self.send(*self.server.stub.get(self.path))

    do_HEAD = do_PUT = do_GET

    def do_POST(self):
        bulk = Bulk(self, self.rfile.read(int(self.headers["Content-Length"])))
        answer = self.server.stub.took(bulk)
        if answer == HANG:
            self.server.stub.closed.wait(60)
        if answer == HALF:
            status, headers, body = take_all(bulk)
            self.send_response(status)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body[: len(body) // 2])
            self.wfile.flush()
        if answer in (HANG, RESET, HALF):
            self.close_connection = True
            self.connection.shutdown(socket.SHUT_RDWR)
            return
        self.send(*answer)

    def log_message(self, *_):
        pass


class Server(http.server.ThreadingHTTPServer):
    daemon_threads = True

    def handle_error(self, request, client_address):
        pass  # clients that go away are part of the tests


class Stub:
    def __init__(self, answer=None, port=0, remember=True):
        self.answer, self.bulks, self.lock, self.closed = answer or take_all, [], threading.Lock(), threading.Event()
        self.remember = remember
        self.nodes = None
        self.server = Server(("127.0.0.1", port), Handler)
        self.server.stub = self
        self.port = self.server.server_port
        self.url = f"http://127.0.0.1:{self.port}"
        threading.Thread(target=self.server.serve_forever, args=(0.05,), daemon=True).start()

    def took(self, bulk):
        with self.lock:
            self.bulks += [bulk] if self.remember else []
        return self.answer(bulk)

    def get(self, path):
        if path.startswith("/_nodes/http") and self.nodes:
            nodes = {str(number): {"http": {"publish_address": address}} for number, address in enumerate(self.nodes)}
            return 200, {}, json.dumps({"nodes": nodes}).encode()
        return 200, {}, json.dumps({"version": {"number": "7.17.7"}}).encode()

    def take(self):
        """The documents that came since the last time."""
        with self.lock:
            bulks, self.bulks = self.bulks, []
        return [item for bulk in bulks for item in bulk.items]

    def close(self):
        self.closed.set()
        self.server.shutdown()
        self.server.server_close()
