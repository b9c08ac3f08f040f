"""Between acknowledgement and delivery: queues, retries, partial success, a destination that is away, draining."""
import time

import pytest

from e2e import harness, messages, otlp

FAST_RETRY = {"initial_interval": "50ms", "max_interval": "200ms", "max_elapsed_time": "60s"}


def forwarding(port, sink, protocol="http", processors=("batch",), **exporter):
    """OTLP in on `port`, out to the sink."""
    name = "otlp_http" if protocol == "http" else "otlp_grpc"
    endpoint = f"http://127.0.0.1:{sink.port}" if protocol == "http" else f"127.0.0.1:{sink.grpc_port}"
    settings = {"endpoint": endpoint, "retry_on_failure": FAST_RETRY, "tls": {"insecure": True}, **exporter}
    return {
        "receivers": {"otlp": harness.otlp_receiver(port)},
        "processors": {"batch": {"timeout": "50ms"}},
        "exporters": {name: settings},
        "service": {"pipelines": harness.pipelines(processors=processors, exporters=[name])},
    }


@pytest.mark.parametrize("protocol", ["http", "grpc"])
@pytest.mark.parametrize("compression", ["none", "gzip", "zstd"])
@pytest.mark.parametrize("signal_name", ["traces", "metrics", "logs"])
def test_every_record_once(protocol, compression, signal_name, start_weir, start_sink):
    sink, port = start_sink(), harness.free_port()
    weir = start_weir(forwarding(port, sink, protocol, compression=compression))
    answer = harness.run_load(port, "--count", 20000, "--records", 50, "--stamp", "--signal", signal_name, "--connections", 64)
    assert answer["accepted"] == 20000
    weir.stop()
    stats = sink.stop()
    assert (stats[signal_name], stats["distinct"], stats["doubled"], stats["broken"]) == (20000, 20000, 0, 0)


@pytest.mark.parametrize("protocol", ["http", "grpc"])
@pytest.mark.parametrize("mode", ["unavailable", "exhausted", "close"])
def test_retries_until_the_destination_is_back(protocol, mode, start_weir, start_sink):
    sink, port = start_sink(), harness.free_port()
    sink.mode(mode)
    weir = start_weir(forwarding(port, sink, protocol))
    answer = harness.run_load(port, "--count", 5000, "--records", 50, "--stamp")
    assert answer["accepted"] == 5000
    harness.wait_until(lambda: sink.stats()["refused"] > 2, "attempts that are refused")
    sink.mode("ok")
    harness.wait_until(lambda: sink.stats()["distinct"] == 5000, "all records")
    harness.wait_until(lambda: weir.metric("otelcol_exporter_sent_spans") == 5000, "all are counted as sent")
    weir.stop()
    assert sink.stop()["doubled"] == 0


@pytest.mark.parametrize("protocol", ["http", "grpc"])
def test_what_is_rejected_is_not_sent_again(protocol, start_weir, start_sink):
    sink, port = start_sink(), harness.free_port()
    sink.mode("reject")
    weir = start_weir(forwarding(port, sink, protocol, processors=()))
    assert harness.run_load(port, "--count", 100, "--records", 100, "--connections", 1)["accepted"] == 100
    harness.wait_until(lambda: weir.metric("otelcol_exporter_send_failed_spans") == 100, "they are counted as failed")
    time.sleep(0.5)
    assert sink.stats()["requests"] == 1
    weir.wait_log("the sink re|400|INVALID_ARGUMENT")


@pytest.mark.parametrize("protocol", ["http", "grpc"])
def test_partial_success_is_logged_and_counted_and_not_retried(protocol, start_weir, start_sink):
    sink, port = start_sink(), harness.free_port()
    sink.mode("partial")
    weir = start_weir(forwarding(port, sink, protocol, processors=()))
    assert harness.run_load(port, "--count", 100, "--records", 100, "--connections", 1)["accepted"] == 100
    weir.wait_log("the sink")
    time.sleep(0.5)
    assert sink.stats()["requests"] == 1


def test_full_queue_refuses_with_retry_after(start_weir, start_sink):
    sink, port = start_sink(), harness.free_port()
    sink.mode("unavailable")
    settings = {"sending_queue": {"queue_size": 3, "num_consumers": 1}}
    weir = start_weir(forwarding(port, sink, processors=(), **settings))
    refused = 0
    for _ in range(10):
        status, headers, _ = harness.post_json(port, "traces", harness.span_document())
        if status != 200:
            assert status in (429, 503)
            assert int(headers["retry-after"]) >= 1
            refused += 1
    assert refused >= 5
    assert weir.metric("otelcol_receiver_refused_spans", transport="http") == refused
    assert weir.metric("otelcol_exporter_enqueue_failed_spans") == refused
    assert weir.metric("otelcol_exporter_queue_capacity", data_type="traces") == 3
    sink.mode("ok")
    harness.wait_until(lambda: sink.stats()["records"] == 10 - refused, "what was accepted arrives")


def test_one_dead_destination_does_not_stall_another(start_weir, start_sink):
    alive, dead, port = start_sink(), start_sink(), harness.free_port()
    dead.mode("hang")
    config = forwarding(port, alive)
    config["exporters"]["otlp_http/dead"] = {"endpoint": f"http://127.0.0.1:{dead.port}", "timeout": "1s",
                                             "sending_queue": {"queue_size": 1000000}, "retry_on_failure": FAST_RETRY}
    for pipeline in config["service"]["pipelines"].values():
        pipeline["exporters"].append("otlp_http/dead")
    start_weir(config, arguments=["--drain-timeout", "1s"])
    assert harness.run_load(port, "--count", 20000, "--records", 100, "--stamp")["accepted"] == 20000
    harness.wait_until(lambda: alive.stats()["distinct"] == 20000, "the other one has everything", 10)
    assert alive.stats()["doubled"] == 0


@pytest.mark.parametrize("away", [3, pytest.param(30, marks=pytest.mark.full)])
def test_destination_away_under_load(away, start_weir, start_sink):
    """The destination ends and comes back; nothing that was acknowledged is lost, what does not fit is refused, memory stays flat."""
    sink, port = start_sink(), harness.free_port()
    weir = start_weir(forwarding(port, sink, sending_queue={"queue_size": 20}), arguments=["--drain-timeout", "30s"])
    load = harness.start_load(port, "--duration", away + 5, "--records", 50, "--rate", 10000, "--stamp", "--retry")
    time.sleep(2)
    first = sink.stop()
    time.sleep(away / 2)
    half = weir.memory_kib()
    time.sleep(away / 2)
    assert weir.memory_kib() < half + 64 * 1024 * harness.MEMORY_FACTOR
    assert weir.metric("otelcol_exporter_enqueue_failed_spans") > 0
    back = harness.Sink(sink.port, sink.grpc_port)
    answer = harness.finish_load(load)
    harness.wait_until(lambda: first["records"] + back.stats()["records"] >= answer["accepted"], "all that was acknowledged", 30)
    weir.stop()
    last = back.stop()
    assert answer["rejected"] == 0
    # A request that was under way when the destination ended may come twice; none may be missing.
    assert first["distinct"] + last["distinct"] >= answer["accepted"]


def test_sigterm_sends_what_is_held(start_weir, start_sink):
    sink, port = start_sink(), harness.free_port()
    config = forwarding(port, sink)
    config["processors"]["batch"] = {"timeout": "60s", "send_batch_size": 1000000}
    weir = start_weir(config)
    load = harness.start_load(port, "--count", 5000, "--records", 50, "--stamp")
    harness.wait_until(lambda: (weir.metric("otelcol_processor_incoming_items", processor="batch") or 0) >= 400, "records in the batch")
    started = time.monotonic()
    weir.stop()
    assert time.monotonic() - started < 15
    load.terminate()
    answer = harness.finish_load(load)
    assert sink.stop()["distinct"] >= answer["accepted"]


def test_sigterm_with_a_dead_destination_ends_in_time(start_weir, start_sink):
    sink, port = start_sink(), harness.free_port()
    sink.mode("hang")
    weir = start_weir(forwarding(port, sink), arguments=["--drain-timeout", "2s"])
    harness.run_load(port, "--count", 1000, "--records", 100)
    started = time.monotonic()
    weir.stop()
    assert time.monotonic() - started < 10


@pytest.mark.parametrize("processors", [(), ("batch",)])
def test_json_encoding_out(processors, start_weir, tmp_path):
    """weir to weir in JSON: equal records."""
    ports = harness.free_port(), harness.free_port()
    path = tmp_path / "out.jsonl"
    start_weir(harness.otlp_to_file(path, ports[1]), "second")
    config = {
        "receivers": {"otlp": harness.otlp_receiver(ports[0])},
        "processors": {"batch": {"timeout": "50ms"}},
        "exporters": {"otlp_http": {"endpoint": f"http://127.0.0.1:{ports[1]}", "encoding": "json"}},
        "service": {"pipelines": harness.pipelines(processors=processors, exporters=["otlp_http"])},
    }
    start_weir(config, "first")
    for signal_name, make in harness.DOCUMENTS.items():
        document = make(count=20)
        assert harness.post_json(ports[0], signal_name, document)[0] == 200
        harness.wait_until(lambda name=signal_name: len(harness.read_records(path, name)) >= 20, signal_name)
        assert harness.as_multiset(harness.read_records(path, signal_name)) == harness.as_multiset(otlp.records_of(signal_name, [document]))


def test_batch_sizes(start_weir, start_sink):
    sink, port = start_sink(), harness.free_port()
    config = forwarding(port, sink)
    config["processors"]["batch"] = {"timeout": "10s", "send_batch_size": 1000, "send_batch_max_size": 1000}
    weir = start_weir(config)
    assert harness.run_load(port, "--count", 10000, "--records", 40, "--stamp", "--connections", 250)["accepted"] == 10000
    harness.wait_until(lambda: sink.stats()["records"] == 10000, "all without waiting for the time-out", 8)
    assert sink.stats()["requests"] == 10
    weir.stop()
    assert sink.stop()["distinct"] == 10000


def test_exporter_headers_and_compression_reach_the_destination(start_weir):
    """A plain HTTP server looks at what weir sends."""
    import http.server
    import threading
    seen = []

    class Handler(http.server.BaseHTTPRequestHandler):
        def do_POST(self):
            seen.append((self.path, dict(self.headers), self.rfile.read(int(self.headers["Content-Length"]))))
            self.send_response(200)
            self.send_header("Content-Length", "0")
            self.end_headers()

        def log_message(self, *_):
            pass

    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    port = harness.free_port()
    start_weir({
        "receivers": {"otlp": harness.otlp_receiver(port)},
        "exporters": {"otlp_http": {"endpoint": f"http://127.0.0.1:{server.server_port}/base", "compression": "none", "headers": {"X-Tenant": "one"}}},
        "service": {"pipelines": harness.pipelines(exporters=["otlp_http"])},
    })
    body = messages.message_of(harness.span_document("seen")).SerializeToString()
    assert harness.post_protobuf(port, "traces", body)[0] == 200
    harness.wait_until(lambda: seen, "a request")
    path, headers, got = seen[0]
    assert path == "/base/v1/traces"
    assert headers["X-Tenant"] == "one"
    assert headers["Content-Type"] == "application/x-protobuf"
    assert headers["User-Agent"]
    assert got == body
    server.shutdown()
