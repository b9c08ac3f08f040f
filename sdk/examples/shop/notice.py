"""The shop's letters to customers, in Python with the OpenTelemetry SDK: POST /notices. Variables: PORT, and those of the SDK."""
import http.server
import json
import logging
import os
import signal
import threading

from opentelemetry import propagate, trace
from opentelemetry.exporter.otlp.proto.http._log_exporter import OTLPLogExporter
from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
from opentelemetry.sdk._logs import LoggerProvider, LoggingHandler
from opentelemetry.sdk._logs.export import BatchLogRecordProcessor
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import BatchSpanProcessor

tracer = trace.get_tracer("shop.notice", "1.0.0")
log = logging.getLogger("shop.notice")


def start_sdk():
    """Endpoint, service name and delays come from the OTEL_* variables, as in the C services."""
    spans, logs = TracerProvider(), LoggerProvider()
    spans.add_span_processor(BatchSpanProcessor(OTLPSpanExporter()))
    logs.add_log_record_processor(BatchLogRecordProcessor(OTLPLogExporter()))
    trace.set_tracer_provider(spans)
    log.addHandler(LoggingHandler(logger_provider=logs))
    log.setLevel(logging.INFO)
    return spans, logs


class Handler(http.server.BaseHTTPRequestHandler):
    def do_POST(self):
        parent = propagate.extract({name.lower(): value for name, value in self.headers.items()})
        attributes = {"http.request.method": "POST", "http.route": "/notices", "url.path": self.path}
        with tracer.start_as_current_span("POST /notices", parent, trace.SpanKind.SERVER, attributes) as span:
            order = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
            with tracer.start_as_current_span("write", attributes={"shop.sku": order["sku"]}):
                log.info("wrote to the customer: %s is paid with %d cents", order["sku"], order["cents"])
            span.set_attribute("http.response.status_code", 202)
            self.send_response(202)
            self.send_header("Content-Length", "0")
            self.end_headers()

    def log_message(self, *arguments):
        """Nothing to standard error."""


def main():
    providers = start_sdk()
    server = http.server.ThreadingHTTPServer(("127.0.0.1", int(os.environ["PORT"])), Handler)
    signal.signal(signal.SIGTERM, lambda *_: threading.Thread(target=server.shutdown).start())
    server.serve_forever()
    for provider in providers:
        provider.shutdown()


if __name__ == "__main__":
    main()
