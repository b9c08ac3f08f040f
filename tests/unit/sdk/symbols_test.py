#!/usr/bin/env python3
"""libweir from a language that sees no C header: its plain symbols, called through ctypes; delivery over IPv6 as OTLP/JSON.

usage: symbols_test.py LIBRARY
"""
import ctypes
import http.server
import json
import os
import socket
import sys
import threading

received = []


class Server(http.server.ThreadingHTTPServer):
    address_family = socket.AF_INET6


class Collector(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def do_POST(self):
        received.append((self.path, json.loads(self.rfile.read(int(self.headers["Content-Length"])))))
        self.send_response(200)
        self.send_header("Content-Length", "0")
        self.end_headers()

    def log_message(self, *_):
        pass


class Text(ctypes.Structure):
    _fields_ = [("p", ctypes.c_char_p), ("n", ctypes.c_size_t)]


class Attributes(ctypes.Structure):
    _fields_ = [("data", ctypes.c_void_p), ("count", ctypes.c_size_t)]


class Attribute(ctypes.Structure):
    _fields_ = [("key", Text), ("type", ctypes.c_uint32), ("n", ctypes.c_uint32), ("integer", ctypes.c_int64), ("rest", ctypes.c_uint64)]


class Scope(ctypes.Structure):
    _fields_ = [("size", ctypes.c_uint32), ("pad", ctypes.c_uint32), ("name", Text), ("version", Text), ("schema_url", Text), ("attrs", Attributes),
                ("bound", ctypes.c_void_p)]


class Instrument(ctypes.Structure):
    _fields_ = [("size", ctypes.c_uint32), ("kind", ctypes.c_uint32), ("scope", ctypes.POINTER(Scope)), ("name", Text), ("unit", Text),
                ("description", Text), ("floating", ctypes.c_bool), ("exponential", ctypes.c_bool), ("bound_count", ctypes.c_uint32),
                ("bounds", ctypes.c_void_p), ("bound", ctypes.c_void_p)]


class Span(ctypes.Structure):
    _fields_ = [("opaque", ctypes.c_uint64 * 14)]


def text(value):
    raw = value.encode()
    return Text(raw, len(raw))


def main():
    server = Server(("::1", 0), Collector)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    os.environ.update(OTEL_EXPORTER_OTLP_ENDPOINT=f"http://[::1]:{server.server_port}", OTEL_EXPORTER_OTLP_PROTOCOL="http/json", OTEL_SERVICE_NAME="other")
    weir = ctypes.CDLL(sys.argv[1])
    weir.weir_span_start_.argtypes = [ctypes.POINTER(Span), ctypes.POINTER(Scope), Text, ctypes.c_void_p]
    weir.weir_span_set_.argtypes = [ctypes.POINTER(Span), ctypes.POINTER(Attribute), ctypes.c_size_t]
    weir.weir_span_end_.argtypes = [ctypes.POINTER(Span), ctypes.c_uint64]
    weir.weir_log.argtypes = [ctypes.POINTER(Scope), ctypes.c_int, Text, Attributes]
    weir.weir_add_attrs.argtypes = [ctypes.POINTER(Instrument), ctypes.c_int64, Attributes]

    assert weir.weir_init(None) == 0
    scope = Scope(size=ctypes.sizeof(Scope), name=text("another language"))
    counter = Instrument(size=ctypes.sizeof(Instrument), kind=0, scope=ctypes.pointer(scope), name=text("other.calls"))
    span, attribute = Span(), Attribute(text("answer"), 3, 0, 42, 0)
    weir.weir_span_start_(span, scope, text("a span"), None)
    weir.weir_span_set_(span, attribute, 1)
    weir.weir_log(scope, 9, text("a line"), Attributes())
    weir.weir_add_attrs(counter, 3, Attributes())
    weir.weir_span_end_(span, 0)
    assert weir.weir_shutdown(10000) == 0

    documents = dict(received)
    got = documents["/v1/traces"]["resourceSpans"][0]["scopeSpans"][0]
    assert got["scope"]["name"] == "another language", got
    assert got["spans"][0]["name"] == "a span"
    assert got["spans"][0]["attributes"] == [{"key": "answer", "value": {"intValue": "42"}}], got
    line = documents["/v1/logs"]["resourceLogs"][0]["scopeLogs"][0]["logRecords"][0]
    assert line["body"]["stringValue"] == "a line" and line["spanId"] == got["spans"][0]["spanId"], line
    metric = documents["/v1/metrics"]["resourceMetrics"][0]["scopeMetrics"][0]["metrics"][0]
    assert metric["name"] == "other.calls" and metric["sum"]["dataPoints"][0]["asInt"] == "3", metric
    print("3 signals arrived over IPv6")


main()
