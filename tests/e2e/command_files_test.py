"""weir queue, cat and trace on what a real weir leaves behind: while it runs, after it was killed, with torn ends."""
import json
import re
import signal
import subprocess

import pytest

from e2e import harness, otlp

TRACE = "4bf92f3577b34da6a3ce929d0e0e4736"
SECOND = 1700000000000000000


def weir(*arguments, **options):
    done = subprocess.run([harness.BINARY, *map(str, arguments)], capture_output=True, text=True, timeout=60, **options)
    assert not harness.SANITIZER.search(done.stderr), done.stderr
    return done


def resource(service):
    return {"attributes": [{"key": "service.name", "value": {"stringValue": service}}]}


def span(service, number, parent, name, start_ms, end_ms, **fields):
    record = {"traceId": TRACE, "spanId": f"{number:016x}", "name": name, "startTimeUnixNano": str(SECOND + start_ms * 1000000),
              "endTimeUnixNano": str(SECOND + end_ms * 1000000), **fields}
    if parent:
        record["parentSpanId"] = f"{parent:016x}"
    return {"resourceSpans": [{"resource": resource(service), "scopeSpans": [{"spans": [record]}]}]}


def log(service, number, text, at_ms):
    record = {"traceId": TRACE, "spanId": f"{number:016x}", "timeUnixNano": str(SECOND + at_ms * 1000000), "severityNumber": 9, "body": {"stringValue": text}}
    return {"resourceLogs": [{"resource": resource(service), "scopeLogs": [{"logRecords": [record]}]}]}


# ---- files ----

FORMS = {"json": {}, "proto": {"format": "proto"}, "zstd": {"format": "proto", "compression": "zstd"}, "json-zstd": {"compression": "zstd"}}


def write_file(start_weir, path, form, documents, name="weir"):
    port = harness.free_port()
    running = start_weir({
        "receivers": {"otlp": harness.otlp_receiver(port)},
        "exporters": {"file": {"path": str(path), **FORMS[form]}},
        "service": {"pipelines": harness.pipelines()},
    }, name)
    for document in documents:
        assert harness.post_json(port, otlp.signal_of(document), document)[0] == 200
    running.stop()


@pytest.mark.parametrize("form", FORMS)
def test_cat_prints_what_went_in(form, start_weir, tmp_path):
    documents = [harness.span_document("one", 3), harness.log_document("line", 2), harness.gauge_document("gauge", 2), harness.span_document("two")]
    path = tmp_path / "out"
    write_file(start_weir, path, form, documents)
    done = weir("cat", "--json", path)
    assert done.returncode == 0, done.stderr
    printed = [json.loads(line) for line in done.stdout.splitlines()]
    for signal_name in ("traces", "logs", "metrics"):
        sent = otlp.records_of(signal_name, [document for document in documents if otlp.signal_of(document) == signal_name])
        assert harness.as_multiset(otlp.records_of(signal_name, [one for one in printed if otlp.signal_of(one) == signal_name])) == harness.as_multiset(sent)
    assert "Traces {" in weir("cat", "--verbosity", "basic", path).stdout
    assert "Body: Str(line)" in weir("cat", "--verbosity", "detailed", path).stdout
    # a torn end costs the last message and nothing else
    path.write_bytes(path.read_bytes()[:-7])
    done = weir("cat", "--json", path)
    assert done.returncode == 1
    assert len(done.stdout.splitlines()) == len(printed) - 1
    assert "incomplete" in done.stderr


def test_cat_reads_a_pipe(start_weir, tmp_path):
    path = tmp_path / "out"
    write_file(start_weir, path, "zstd", [harness.span_document("piped")])
    with open(path, "rb") as file:
        done = weir("cat", "-", stdin=file)
    assert done.returncode == 0
    assert "piped" in done.stdout


def test_trace_out_of_several_files(start_weir, tmp_path):
    """Two nodes, each with a file of its own form; the tree has both, and the clocks' difference."""
    write_file(start_weir, tmp_path / "a.out", "json", [
        span("shop", 1, 0, "GET /buy", 0, 100, kind=2),
        span("shop", 2, 1, "reserve", 10, 60, kind=3),
        log("shop", 1, "request received", 1),
    ], "a")
    write_file(start_weir, tmp_path / "b.out", "zstd", [
        span("stock", 3, 2, "reserve", 5, 50, kind=2),
        log("stock", 3, "reserved", 20),
        span("audit", 4, 0xdead, "record", 70, 80, flags=0x300),
        harness.span_document("of another trace"),
    ], "b")
    done = weir("trace", tmp_path / "a.out", tmp_path / "b.out", TRACE)
    assert done.returncode == 0, done.stderr
    assert "of another trace" not in done.stdout
    lines = [re.sub(r"\s+", " ", line).strip() for line in done.stdout.splitlines()]
    assert lines[lines.index("") + 1:] == [
        "+0 ns 100.0 ms shop: GET /buy [server]",
        "+1.00 ms │ · INFO request received",
        "+10.00 ms 50.00 ms └─ shop: reserve [client]",
        "+5.00 ms 45.00 ms └─ stock: reserve [server] ! clock skew: starts 5.00 ms before its parent",
        "+20.00 ms · INFO reserved",
        "! missing: span 000000000000dead of another service is not here",
        "+70.00 ms 10.00 ms └─ audit: record",
    ]
    listed = weir("trace", tmp_path / "a.out", tmp_path / "b.out").stdout
    assert re.search(rf"^{TRACE}  2023-11-14T22:13:20Z +100.0 ms +4 +2 +0  shop: GET /buy  \[shop,stock,audit\]$", listed, re.M)
    assert f"{1:032x}" in listed
    done = weir("trace", tmp_path / "a.out", "0" * 31 + "5")
    assert done.returncode == 1


# ---- the disk queue ----


def start_queueing(start_weir, tmp_path, endpoint, name="queueing"):
    port = harness.free_port()
    running = start_weir({
        "extensions": {"file_storage": {"directory": str(tmp_path / "storage"), "create_directory": True}},
        "receivers": {"otlp": harness.otlp_receiver(port)},
        "exporters": {"otlp_http": {"endpoint": endpoint, "compression": "none", "sending_queue": {"storage": "file_storage", "batch": None},
                                    "retry_on_failure": {"initial_interval": "100ms", "max_interval": "200ms"}}},
        "service": {"extensions": ["file_storage"], "pipelines": harness.pipelines(exporters=("otlp_http",))},
    }, name)
    return running, port


def test_queue_of_a_killed_weir_is_replayed(start_weir, tmp_path):
    storage = tmp_path / "storage"
    running, port = start_queueing(start_weir, tmp_path, f"http://127.0.0.1:{harness.free_port()}")
    for number in range(5):
        assert harness.post_json(port, "traces", harness.span_document(f"span {number}", 2))[0] == 200
    assert harness.post_json(port, "logs", harness.log_document("line"))[0] == 200

    # while it runs: looking is fine, the rest says who is in the way
    done = weir("queue", "stat", storage)
    assert done.returncode == 0, done.stdout + done.stderr
    assert re.search(r"exporter_otlp_http_traces\n(.*\n)*?  waiting     5 requests, 10 spans", done.stdout)
    assert f"by process {running.process.pid} (" in done.stdout
    listed = weir("queue", "ls", storage / "exporter_otlp_http_traces").stdout
    assert re.search(r"^exporter_otlp_http_traces/[0-9a-f]{16}\.seg +\d+ +5 +0 +20\d\d-\S+Z +20\d\d-\S+Z$", listed, re.M)
    printed = [json.loads(line) for line in weir("queue", "cat", storage / "exporter_otlp_http_traces").stdout.splitlines()]
    assert {record["record"]["name"] for record in otlp.records_of("traces", printed)} == {f"span {number}" for number in range(5)}
    for command in (["replay", "--endpoint", "http://127.0.0.1:1"], ["drop", "--all", "--yes"]):
        done = weir("queue", *command, storage)
        assert done.returncode == 1
        assert f"in use by process {running.process.pid} (weir); stop it first" in done.stderr

    running.process.send_signal(signal.SIGKILL)
    running.process.wait()
    running.kill()
    assert "in use      by nobody" in weir("queue", "stat", storage).stdout

    target = tmp_path / "out.jsonl"
    target_port = harness.free_port()
    start_weir(harness.otlp_to_file(target, target_port), "target")
    done = weir("queue", "replay", "--endpoint", f"http://127.0.0.1:{target_port}", "--compression", "gzip", storage)
    assert done.returncode == 0, done.stderr
    assert "exporter_otlp_http_traces: 5 requests with 10 records sent, 0 requests left" in done.stdout
    assert "exporter_otlp_http_logs: 1 request with 1 record sent, 0 requests left" in done.stdout
    harness.wait_until(lambda: len(harness.read_records(target, "traces")) == 10 and len(harness.read_records(target, "logs")) == 1, "all records")
    assert weir("queue", "cat", storage).stdout == ""

    # the queue goes on working, and has nothing left to send
    running, port = start_queueing(start_weir, tmp_path, f"http://127.0.0.1:{target_port}", "again")
    assert harness.post_json(port, "traces", harness.span_document("fresh"))[0] == 200
    harness.wait_until(lambda: len(harness.read_records(target, "traces")) == 11, "the fresh record")


def test_queue_is_dropped_only_when_asked(start_weir, tmp_path):
    storage = tmp_path / "storage"
    running, port = start_queueing(start_weir, tmp_path, f"http://127.0.0.1:{harness.free_port()}")
    assert harness.post_json(port, "traces", harness.span_document("span"))[0] == 200
    running.process.send_signal(signal.SIGKILL)
    running.process.wait()
    running.kill()
    done = weir("queue", "drop", "--all", storage, stdin=subprocess.DEVNULL)
    assert done.returncode == 1
    assert "--yes" in done.stderr
    assert len(weir("queue", "cat", storage).stdout.splitlines()) == 1
    done = weir("queue", "drop", "--all", "--yes", storage)
    assert done.returncode == 0, done.stderr
    assert "1 waiting request (1 record)" in done.stdout
    assert weir("queue", "cat", storage).stdout == ""


# ---- command lines ----


def test_command_lines():
    usage = weir("--help").stdout
    for command in ("queue", "cat", "trace"):
        assert f"weir {command} " in usage
        assert weir(command).returncode == 2
        assert weir(command, "--help").returncode == 0
    assert weir("queue", "ls", "/no/such/folder").returncode == 1
    assert weir("cat", "/no/such/file").returncode == 1


def test_the_pages_name_every_command_and_option():
    text = (harness.ROOT / "docs" / "commands.md").read_text()
    for command in ("queue", "cat", "trace"):
        for option in re.findall(r"--[a-z-]+", weir(command, "--help").stdout):
            assert option in text, f"docs/commands.md does not tell of weir {command} {option}"
