"""The rig's plainest destination: an OTLP/HTTP server that misbehaves when told to."""
import http.server
import socketserver
import threading
import time

from e2e import harness


def create(ledger, folder, random):
    return Destination(ledger, random)


class Destination:
    FAULTS = {"misbehave": 4, "take_away": 1}
    MODES = ["429", "503", "hang", "silent", "half", "reset", "lost-reply", "slow", "trickle"]
    """silent: the connection stays open, as after a cable was cut, and nothing comes; trickle: it reads slowly."""

    def __init__(self, ledger, random):
        self.ledger, self.random = ledger, random
        self.port = harness.free_port()
        self.mode = "ok"
        self.server = None
        self.start()

    def exporter(self):
        return "otlp_http", {"endpoint": f"http://127.0.0.1:{self.port}", "timeout": "1s", "compression": "none",
                             "retry_on_failure": {"initial_interval": "20ms", "max_interval": "200ms"}}

    # ---- faults ----

    def misbehave(self):
        self.mode = self.random.choice(self.MODES)

    def take_away(self):
        self.stop()
        time.sleep(self.random.uniform(0.1, 0.6))
        self.start()

    def refuse(self):
        """Until heal: what is sent stays with the sender, but nothing breaks."""
        self.mode = "503"

    def heal(self):
        self.mode = "ok"
        self.start()

    def close(self):
        self.stop()

    # ---- the server ----

    def start(self):
        if self.server is not None:
            return
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
        mode, size = self.mode, int(handler.headers.get("Content-Length", 0))
        if mode == "trickle":
            time.sleep(0.3)
        if mode == "reset":  # in the middle of the body
            handler.rfile.read(size // 2)
            handler.close_connection = True
            return
        body = handler.rfile.read(size)
        if mode == "hang":
            time.sleep(1.5)
            handler.close_connection = True
        elif mode == "silent":
            end = time.monotonic() + 20
            while self.mode == mode and time.monotonic() < end:
                time.sleep(0.02)
            handler.close_connection = True
        elif mode == "half":
            handler.wfile.write(b"HTTP/1.1 200 OK\r\nContent-Le")
            handler.close_connection = True
        elif mode in ("429", "503"):
            self.answer(handler, int(mode), {"Retry-After": "0"})
        else:
            if mode == "slow":
                time.sleep(0.2)
            self.ledger.deliver_all(body)
            if mode == "lost-reply":
                handler.close_connection = True
            else:
                self.answer(handler, 200, {"Content-Type": "application/x-protobuf"})

    @staticmethod
    def answer(handler, status, headers):
        handler.send_response(status)
        for name, value in headers.items():
            handler.send_header(name, value)
        handler.send_header("Content-Length", "0")
        handler.end_headers()
