#!/usr/bin/env python3
"""Drives the forwarding service as the W3C's trace context test suite does (its cases, by its names): real HTTP in, real HTTP out.

usage: w3c_test.py FORWARD_PROGRAM
"""
import http.server, json, os, re, socket, subprocess, sys, threading, time

TRACE, SPAN = "12345678901234567890123456789012", "1234567890123456"
GOOD = f"00-{TRACE}-{SPAN}-01"
received = []


class Callback(http.server.BaseHTTPRequestHandler):
    def do_POST(self):
        body = self.rfile.read(int(self.headers["content-length"]))
        received.append((self.headers, body))
        self.send_response(200)
        self.send_header("Content-Length", "0")
        self.end_headers()

    def log_message(self, *_):
        pass


def send(port, target, headers, count=1):
    """Posts to the service with exactly these header lines; returns the headers of what it forwarded."""
    body = json.dumps([{"url": target, "arguments": [{"k": 'a "quoted" ]}'}]} for _ in range(count)])
    head = "".join(f"{name}: {value}\r\n" for name, value in headers)
    received.clear()
    with socket.create_connection(("127.0.0.1", port), 5) as s:
        s.sendall(f"POST /test HTTP/1.1\r\nHost: x\r\nContent-Length: {len(body)}\r\n{head}\r\n{body}".encode())
        while s.recv(4096):
            pass
    assert len(received) == count, (headers, len(received))
    for _, got in received:
        assert json.loads(got) == [{"k": 'a "quoted" ]}'}]
    return [h for h, _ in received]


def parse(headers):
    parents = headers.get_all("traceparent")
    assert parents is not None and len(parents) == 1, parents
    match = re.fullmatch("00-([0-9a-f]{32})-([0-9a-f]{16})-([0-9a-f]{2})", parents[0])
    assert match, parents
    assert set(match[1]) != {"0"} and set(match[2]) != {"0"} and match[2] != SPAN
    states = headers.get_all("tracestate") or []
    return match[1], match[2], match[3], ",".join(states)


class Want:
    """What the forwarded headers must be: the caller's trace id or another, and the tracestate (None: empty)."""

    def __init__(self, keeps, state=None):
        self.keeps, self.state = keeps, state


NEW, KEPT = Want(False), Want(True)
ZERO_FLAGS = GOOD[:-2] + "00"


def parents(want, *values):
    return [([("traceparent", value)], want) for value in values]


def states(*cases):
    """(lines of tracestate, members that arrive or None), all with a good traceparent."""
    return [([("traceparent", ZERO_FLAGS)] + [("tracestate", line) for line in lines], Want(True, state)) for lines, state in cases]


def lost(*values):
    return states(*(([value], None) for value in values))


def characters(*ranges):
    return "".join(chr(code) for first, last in ranges for code in range(first, last + 1))


def members(count):
    """In lines of ten, as the suite sends them."""
    text = [f"bar{i:02}={i:02}" for i in range(1, count + 1)]
    return [",".join(text[i:i + 10]) for i in range(0, count, 10)]


KEY = characters((0x61, 0x7A)) + "0123456789_-*/"
VALUE = characters((0x20, 0x2B), (0x2D, 0x3C), (0x3E, 0x7E))

# The working group's cases by their names: (headers, what must come out) each.
TRACE_CONTEXT = {
    "both_traceparent_and_tracestate_missing": [([], NEW)],
    "traceparent_included_tracestate_missing": parents(KEPT, GOOD),
    "traceparent_duplicated": [([("traceparent", GOOD.replace("9012-", "9011-")), ("traceparent", GOOD)], NEW)],
    "traceparent_header_name": [([(name, GOOD)], NEW) for name in ("trace-parent", "trace.parent", "traceparent2")],
    "traceparent_header_name_valid_casing": [([(name, GOOD)], KEPT) for name in ("TraceParent", "TrAcEpArEnT", "TRACEPARENT")],
    "traceparent_version_0x00": parents(NEW, GOOD + ".", GOOD + "-", GOOD + "-what-the-future-will-be-like"),
    "traceparent_version_0xcc": parents(KEPT, "cc" + GOOD[2:], "cc" + GOOD[2:] + "-what-the-future-will-be-like") +
                                parents(NEW, "cc" + GOOD[2:] + ".what-the-future-will-be-not-like"),
    "traceparent_version_0xff": parents(NEW, "ff" + GOOD[2:]),
    "traceparent_version_illegal_characters": parents(NEW, ".0" + GOOD[2:], "0." + GOOD[2:], "CC" + GOOD[2:]),
    "traceparent_version_too_long": parents(NEW, "0" + GOOD, "00" + GOOD),
    "traceparent_version_too_short": parents(NEW, GOOD[1:]),
    "traceparent_trace_id_all_zero": parents(NEW, f"00-{'0' * 32}-{SPAN}-01"),
    "traceparent_trace_id_illegal_characters": parents(NEW, f"00-.{TRACE[1:]}-{SPAN}-01", f"00-{TRACE[:-1]}.-{SPAN}-01", f"00-{TRACE[:-1]}A-{SPAN}-01"),
    "traceparent_trace_id_too_long": parents(NEW, f"00-{TRACE}3-{SPAN}-01"),
    "traceparent_trace_id_too_short": parents(NEW, f"00-{TRACE[:-1]}-{SPAN}-01"),
    "traceparent_parent_id_all_zero": parents(NEW, f"00-{TRACE}-{'0' * 16}-01"),
    "traceparent_parent_id_illegal_characters": parents(NEW, f"00-{TRACE}-.{SPAN[1:]}-01", f"00-{TRACE}-{SPAN[:-1]}.-01", f"00-{TRACE}-{SPAN[:-1]}A-01"),
    "traceparent_parent_id_too_long": parents(NEW, f"00-{TRACE}-{SPAN}7-01"),
    "traceparent_parent_id_too_short": parents(NEW, f"00-{TRACE}-{SPAN[:-1]}-01"),
    "traceparent_trace_flags_illegal_characters": parents(NEW, GOOD[:-2] + ".0", GOOD[:-2] + "0.", GOOD[:-2] + "0A"),
    "traceparent_trace_flags_too_long": parents(NEW, GOOD[:-2] + "001"),
    "traceparent_trace_flags_too_short": parents(NEW, GOOD[:-2] + "1"),
    "traceparent_ows_handling": parents(KEPT, f" {GOOD}", f"\t{GOOD}", f"{GOOD} ", f"{GOOD}\t", f"\t {GOOD} \t"),
    "tracestate_included_traceparent_missing": [([("tracestate", "foo=1")], NEW), ([("tracestate", "foo=1,bar=2")], NEW),
                                                ([("traceparent", GOOD + "."), ("tracestate", "foo=1")], NEW)],
    "tracestate_included_traceparent_included": states((["foo=1,bar=2"], "foo=1,bar=2")),
    "tracestate_header_name": [([("traceparent", ZERO_FLAGS), (name, "foo=1")], KEPT) for name in ("trace-state", "trace.state")],
    "tracestate_header_name_valid_casing": [([("traceparent", ZERO_FLAGS), (name, "foo=1")], Want(True, "foo=1"))
                                            for name in ("TraceState", "TrAcEsTaTe", "TRACESTATE")],
    "tracestate_empty_header": states(([""], None), (["foo=1", ""], "foo=1"), (["", "foo=1"], "foo=1")),
    "tracestate_multiple_headers_different_keys": states((["foo=1,bar=2", "rojo=1,congo=2", "baz=3"], "foo=1,bar=2,rojo=1,congo=2,baz=3")),
    # The level in force tolerates duplicates: they arrive as they were.
    "tracestate_duplicated_keys": states((["foo=1,foo=1"], "foo=1,foo=1"), (["foo=1,foo=2"], "foo=1,foo=2"), (["foo=1", "foo=1"], "foo=1,foo=1"),
                                         (["foo=1", "foo=2"], "foo=1,foo=2")),
    "tracestate_all_allowed_characters": states(([f"{KEY}={VALUE}"], f"{KEY}={VALUE}"), ([f"{KEY}@a-z0-9_-*/={VALUE}"], f"{KEY}@a-z0-9_-*/={VALUE}")),
    "tracestate_ows_handling": states((["foo=1 \t , \t bar=2, \t baz=3"], "foo=1,bar=2,baz=3"), (["foo=1\t \t,\t \tbar=2,\t \tbaz=3"], "foo=1,bar=2,baz=3"),
                                      ([" foo=1"], "foo=1"), (["\tfoo=1"], "foo=1"), (["foo=1 "], "foo=1"), (["foo=1\t"], "foo=1"),
                                      (["\t foo=1 \t"], "foo=1")),
    "tracestate_key_illegal_characters": lost("foo =1", "FOO=1", "foo.bar=1"),
    "tracestate_key_illegal_vendor_format": lost("foo@=1,bar=2", "@foo=1,bar=2", "foo@@bar=1,bar=2", "foo@bar@baz=1,bar=2"),
    "tracestate_member_count_limit": states((members(32), ",".join(members(32))), (members(33), None)),
    "tracestate_key_length_limit": states(*((["foo=1", key + "=1"], state and f"foo=1,{key}=1") for key, state in
                                            (("z" * 256, True), ("z" * 257, None), ("t" * 241 + "@" + "v" * 14, True), ("t" * 242 + "@v", None),
                                             ("t@" + "v" * 15, None)))),
    "tracestate_value_illegal_characters": lost("foo=bar=baz", "foo=,bar=3", "foo", "foo=", "a=" + "v" * 257),
}


def check_several(port, target):
    """The three cases with several calls out of one request."""
    def calls(headers):
        got = [parse(one) for one in send(port, target, headers, 3)]
        assert len({span for _, span, _, _ in got}) == 3, got
        return {trace for trace, _, _, _ in got}

    assert calls([("traceparent", GOOD)]) == {TRACE}  # multiple_requests_with_valid_traceparent
    calls([])  # multiple_requests_without_traceparent
    assert "0" * 32 not in calls([("traceparent", f"00-{'0' * 32}-{SPAN}-01")])  # multiple_requests_with_illegal_traceparent


def check_level_2(port, target):
    """The random flag of a new trace is set; that of the caller and its sampled flag are kept."""
    assert parse(send(port, target, [])[0])[2] == "03"
    for flags in ("00", "01", "02", "03"):
        assert parse(send(port, target, [("traceparent", GOOD[:-2] + flags)])[0])[2] == flags


def check_all(port, target):
    requests = 0
    for name, cases in TRACE_CONTEXT.items():
        for headers, want in cases:
            trace, _, _, state = parse(send(port, target, headers)[0])
            assert (trace == TRACE) == want.keeps, (name, headers, trace)
            assert state == (want.state or ""), (name, headers, state)
            requests += 1
    check_several(port, target)
    check_level_2(port, target)
    assert len(TRACE_CONTEXT) == 37
    return f"37 + 3 + 1 cases passed, {requests + 8} requests"


def main():
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Callback)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    with socket.socket() as s:
        s.bind(("127.0.0.1", 0))
        port = s.getsockname()[1]
    quiet = {"OTEL_TRACES_EXPORTER": "none", "OTEL_LOGS_EXPORTER": "none", "OTEL_METRICS_EXPORTER": "none"}
    service = subprocess.Popen([sys.argv[1], str(port)], env={**os.environ, **quiet})
    try:
        for _ in range(100):
            try:
                socket.create_connection(("127.0.0.1", port), 1).close()
                break
            except OSError:
                time.sleep(0.05)
        print(check_all(port, f"http://127.0.0.1:{server.server_port}/callback"))
    finally:
        service.terminate()
        service.wait()


main()
