"""Targets to scrape, and what weir made of them as Prometheus' series."""
import collections
import http.server
import socket
import threading

from e2e import harness

TEXT = "text/plain; version=0.0.4"
OPENMETRICS = "application/openmetrics-text; version=1.0.0; charset=utf-8"
STALE = "stale"


class Pages:
    """An HTTP server of pages: path -> (content type, body), or a function of the request handler. Counts requests and keeps their headers."""

    def __init__(self, pages=None):
        self.pages = dict(pages or {})
        self.seen = collections.defaultdict(list)
        self.connections = []
        owner = self

        class Handler(http.server.BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def setup(self):
                super().setup()
                owner.connections.append(self.connection)

            def do_GET(self):
                owner.serve(self)

            do_POST = do_GET

            def log_message(self, *_):
                pass

        self.server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.server.daemon_threads = True
        self.port = self.server.server_address[1]
        threading.Thread(target=self.server.serve_forever, daemon=True).start()

    def serve(self, handler):
        path = handler.path.partition("?")[0]
        self.seen[path].append((handler.path, dict(handler.headers.items())))
        page = self.pages.get(path)
        if callable(page):
            page(handler)
        elif page is None:
            self.answer(handler, b"no such page", "text/plain", 404)
        else:
            self.answer(handler, page[1], page[0])

    @staticmethod
    def answer(handler, body, content_type=TEXT, status=200, **headers):
        body = body.encode() if isinstance(body, str) else body
        handler.send_response(status)
        if content_type is not None:
            handler.send_header("Content-Type", content_type)
        handler.send_header("Content-Length", str(len(body)))
        for name, value in headers.items():
            handler.send_header(name.replace("_", "-"), value)
        handler.end_headers()
        handler.wfile.write(body)

    @property
    def address(self):
        return f"127.0.0.1:{self.port}"

    def stop(self):
        self.server.shutdown()
        self.server.server_close()
        for connection in self.connections:
            try:
                connection.shutdown(socket.SHUT_RDWR)
            except OSError:
                pass


def scraping(scrape_configs, output, **config):
    """A weir that scrapes into a file of JSON lines."""
    return {
        "receivers": {"prometheus": {"config": {"scrape_configs": scrape_configs, **config}}},
        "exporters": {"file": {"path": str(output), "flush_interval": "50ms"}},
        "service": {"pipelines": {"metrics": {"receivers": ["prometheus"], "exporters": ["file"]}}},
    }


def attributes(items):
    return {item["key"]: next(iter(item["value"].values()), "") for item in items or []}


def number(value):
    return float(value) if value is not None else 0.0


def bound(value):
    return repr(float(value))


Sample = collections.namedtuple("Sample", "name labels value time start")


def _number_samples(name, point, labels):
    value = STALE if point.get("flags") else number(point.get("asDouble", point.get("asInt")))
    yield name, labels, value


def _histogram_samples(name, point, labels):
    stale = point.get("flags")
    total = 0
    for count, edge in zip(point.get("bucketCounts", []), [*point.get("explicitBounds", []), "inf"]):
        total += int(count)
        yield f"{name}_bucket", {**labels, "le": bound(edge)}, STALE if stale else float(total)
    yield f"{name}_count", labels, STALE if stale else number(point.get("count"))
    if "sum" in point or stale:
        yield f"{name}_sum", labels, STALE if stale else number(point.get("sum"))


def _summary_samples(name, point, labels):
    stale = point.get("flags")
    for quantile in point.get("quantileValues", []):
        yield name, {**labels, "quantile": bound(quantile.get("quantile", 0))}, STALE if stale else number(quantile.get("value"))
    yield f"{name}_count", labels, STALE if stale else number(point.get("count"))
    yield f"{name}_sum", labels, STALE if stale else number(point.get("sum"))


KINDS = {"gauge": _number_samples, "sum": _number_samples, "histogram": _histogram_samples, "summary": _summary_samples}


def _metric_samples(metric, resource):
    name = metric["name"]
    for kind, expand in KINDS.items():
        for point in metric.get(kind, {}).get("dataPoints", []):
            labels = {**attributes(point.get("attributes")), "job": resource.get("service.name", ""), "instance": resource.get("service.instance.id", "")}
            for one, own, value in expand(name, point, labels):
                yield Sample(one, own, value, int(point.get("timeUnixNano", 0)), int(point.get("startTimeUnixNano", 0)))


def samples_of(line):
    """One line of the file, which is one scrape, as Prometheus' samples."""
    for group in line["resourceMetrics"]:
        resource = attributes(group.get("resource", {}).get("attributes"))
        for scope in group["scopeMetrics"]:
            for metric in scope["metrics"]:
                yield from _metric_samples(metric, resource)


def scrapes(path, instance=None, job=None):
    """The samples of each scrape, oldest first."""
    out = []
    for line in harness.read_lines(path):
        samples = list(samples_of(line))
        own = next((sample.labels for sample in samples if sample.name == "up"), {})
        if (instance is None or own.get("instance") == instance) and (job is None or own.get("job") == job):
            out.append(samples)
    return out


def value(samples, name, **labels):
    """The one sample of that name with these labels; None when there is none."""
    found = [sample.value for sample in samples if sample.name == name and all(sample.labels.get(key) == wanted for key, wanted in labels.items())]
    assert len(found) <= 1, found
    return found[0] if found else None
