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


def bad_traceparents():
    yield from ("", GOOD + ".", GOOD + "-", GOOD + "-what-the-future-will-be-like", GOOD.upper().replace("00-", "00-A", 1))
    yield f"ff-{TRACE}-{SPAN}-01"
    yield from (f"cc-{TRACE}-{SPAN}-01.what-the-future-will-be-not-like",)
    yield from (f".0-{TRACE}-{SPAN}-01", f"0.-{TRACE}-{SPAN}-01", f"000-{TRACE}-{SPAN}-01", f"0-{TRACE}-{SPAN}-01")
    yield from (f"00-{'0' * 32}-{SPAN}-01", f"00-.{TRACE[1:]}-{SPAN}-01", f"00-{TRACE}3-{SPAN}-01", f"00-{TRACE[1:]}-{SPAN}-01")
    yield from (f"00-{TRACE}-{'0' * 16}-01", f"00-{TRACE}-.{SPAN[1:]}-01", f"00-{TRACE}-{SPAN}7-01", f"00-{TRACE}-{SPAN[1:]}-01")
    yield from (f"00-{TRACE}-{SPAN}-.0", f"00-{TRACE}-{SPAN}-0.", f"00-{TRACE}-{SPAN}-001", f"00-{TRACE}-{SPAN}-1")


def cases():
    """(headers, trace id kept?, expected tracestate: None when it must be empty, or a set of members in order)"""
    state = [("tracestate", "foo=1")]
    yield [], False, None
    yield state, False, None  # tracestate_included_traceparent_missing
    for bad in bad_traceparents():
        yield [("traceparent", bad)] + state, False, None
    for good in (GOOD, f"cc-{TRACE}-{SPAN}-01", f"cc-{TRACE}-{SPAN}-01-what-the-future-will-be-like", f" {GOOD}", f"\t{GOOD}\t ", f"{GOOD} "):
        yield [("traceparent", good)] + state, True, "foo=1"
    for name in ("TraceParent", "TRACEPARENT", "TrAcEpArEnT"):
        yield [(name, GOOD)], True, None
    for name in ("trace-parent", "trace.parent", "traceparent2"):
        yield [(name, GOOD)], False, None
    yield [("traceparent", GOOD), ("traceparent", GOOD.replace("2345", "5432"))], False, None
    for name in ("TraceState", "TRACESTATE"):
        yield [("traceparent", GOOD), (name, "foo=1")], True, "foo=1"
    kept = [["foo=1", ""], ["", "foo=1"], ["foo=1,bar=2"], ["foo=1", "bar=2"], ["foo=1 \t , \t bar=2, \t baz=3"], ["foo=1,foo=1"],
            ["0123456789abcdefghijklmnopqrstuvwxyz_-*/=" + "".join(map(chr, range(0x21, 0x7f))).replace(",", "").replace("=", "")],
            [",".join(f"bar{i:02}={i:02}" for i in range(32))], ["z" * 256 + "=1"], ["t" * 241 + "@" + "v" * 14 + "=1"], ["a=" + "v" * 256]]
    for lines in kept:
        members = [m.strip(" \t") for line in lines for m in line.split(",") if m.strip(" \t")]
        yield [("traceparent", GOOD)] + [("tracestate", line) for line in lines], True, ",".join(members)
    for lost in ("foo =1", "FOO=1", "foo.bar=1", "foo@=1,bar=2", "@foo=1,bar=2", "foo@@bar=1,bar=2", "foo@bar@baz=1,bar=2", "foo", "foo=", "foo=bar=baz",
                 "foo=,bar=3", "z" * 257 + "=1", "t" * 242 + "@v=1", "t@" + "v" * 15 + "=1", "a=" + "v" * 257,
                 ",".join(f"bar{i:02}={i:02}" for i in range(33))):
        yield [("traceparent", GOOD), ("tracestate", lost)], True, None


def check_all(port, target):
    count = 0
    for headers, keeps, state in cases():
        trace, _, _, got = parse(send(port, target, headers)[0])
        assert (trace == TRACE) == keeps, (headers, trace)
        assert got == (state or ""), (headers, got)
        count += 1
    # advanced: several calls have the same trace and parents of their own
    several = [parse(h) for h in send(port, target, [("traceparent", GOOD), ("tracestate", "foo=1")], 3)]
    assert {s[0] for s in several} == {TRACE} and len({s[1] for s in several}) == 3 and {s[3] for s in several} == {"foo=1"}
    # level 2: the random flag of a new trace is set, that of the caller is kept
    assert parse(send(port, target, [])[0])[2] == "03"
    for flags in ("00", "01", "02", "03"):
        assert parse(send(port, target, [("traceparent", GOOD[:-2] + flags)])[0])[2] == flags
    return count + 6


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
        print(check_all(port, f"http://127.0.0.1:{server.server_port}/callback"), "cases passed")
    finally:
        service.terminate()
        service.wait()


main()
