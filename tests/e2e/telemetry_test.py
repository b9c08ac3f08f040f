"""What weir says about itself: metrics under the OpenTelemetry Collector's names, logs, health."""
import json
import re

from e2e import harness

BATCHED = {"processors": {"memory_limiter": {"check_interval": "1s", "limit_mib": 100}, "batch": {"timeout": "50ms"}}}


def test_metric_names_that_dashboards_use(start_weir, start_sink):
    sink, port = start_sink(), harness.free_port()
    config = {
        "receivers": {"otlp": harness.otlp_receiver(port)},
        **BATCHED,
        "exporters": {"otlp_http": {"endpoint": f"http://127.0.0.1:{sink.port}"}},
        "service": {"pipelines": harness.pipelines(processors=["memory_limiter", "batch"], exporters=["otlp_http"])},
    }
    weir = start_weir(config)
    for signal_name, make in harness.DOCUMENTS.items():
        assert harness.post_json(port, signal_name, make(count=5))[0] == 200
    assert harness.post_json(port, "traces", "broken")[0] == 400
    harness.wait_until(lambda: sink.stats()["records"] == 15, "all arrive")
    for word in ("spans", "metric_points", "log_records"):
        assert weir.metric(f"otelcol_receiver_accepted_{word}", receiver="otlp", transport="http") == 5
        harness.wait_until(lambda w=word: weir.metric(f"otelcol_exporter_sent_{w}", exporter="otlp_http") == 5, f"sent {word}")
    assert weir.metric("otelcol_processor_incoming_items", processor="batch") == 15
    assert weir.metric("otelcol_processor_outgoing_items", processor="batch") == 15
    assert weir.metric("otelcol_exporter_queue_size", exporter="otlp_http") == 0
    assert weir.metric("otelcol_exporter_queue_capacity", exporter="otlp_http") >= 1000
    for name in ("otelcol_process_cpu_seconds", "otelcol_process_memory_rss", "otelcol_process_uptime"):
        assert weir.metric(name) > 0, name
    assert weir.metric("weir_dropped_records", receiver="otlp") == 1


def test_prometheus_text_is_well_formed(weir_to_file):
    harness.post_json(weir_to_file.http_port, "traces", harness.span_document())
    text = weir_to_file.weir.metrics_text()
    types = {}
    for line in text.splitlines():
        if line.startswith("# TYPE "):
            _, _, name, kind = line.split(" ")
            assert name not in types, f"{name} twice"
            types[name] = kind
        elif not line.startswith("#"):
            assert re.fullmatch(r'[a-zA-Z_:][\w:]*(\{(\w+="([^"\\\n]|\\.)*",?)*\})? [-+\w.]+', line), line
            assert line.split("{")[0].split(" ")[0] in types, line
    assert text.endswith("\n")


def test_health_check(start_weir, tmp_path):
    config = harness.otlp_to_file(tmp_path / "out.jsonl", harness.free_port())
    weir = start_weir(config)
    status, headers, body = harness.request(weir.health_port, "/", method="GET")
    assert status == 200
    assert headers["content-type"].startswith("application/json")
    assert json.loads(body)["status"]


def test_json_log(start_weir, tmp_path):
    config = harness.otlp_to_file(tmp_path / "out.jsonl", harness.free_port())
    config["service"]["telemetry"] = {"logs": {"encoding": "json", "level": "debug"}}
    weir = start_weir(config)
    weir.stop()
    lines = [json.loads(line) for line in weir.log().splitlines() if line]
    assert any("ready" in json.dumps(line) for line in lines)
    assert all({"level", "msg"} <= set(line) for line in lines)


def test_log_level(start_weir, tmp_path):
    config = harness.otlp_to_file(tmp_path / "out.jsonl", harness.free_port())
    config["service"]["telemetry"] = {"logs": {"level": "error"}}
    weir = start_weir(config)
    weir.stop()
    assert "ready" not in weir.log()


def test_repeated_lines_are_thinned(start_weir, tmp_path):
    """A destination that is away must not fill the disk with the same line."""
    port, dead = harness.free_port(), harness.free_port()
    config = {
        "receivers": {"otlp": harness.otlp_receiver(port)},
        "exporters": {"otlp_http": {"endpoint": f"http://127.0.0.1:{dead}", "retry_on_failure": {"enabled": False}}},
        "service": {"pipelines": harness.pipelines(exporters=["otlp_http"])},
    }
    weir = start_weir(config)
    for _ in range(300):
        harness.post_json(port, "logs", harness.log_document())
    harness.wait_until(lambda: weir.metric("otelcol_exporter_send_failed_log_records") == 300, "all failed")
    assert 1 <= len(re.findall("otlp_http", weir.log())) < 100


def test_debug_exporter(start_weir, tmp_path):
    for verbosity, patterns in {"basic": ["spans"], "normal": ["my span"], "detailed": ["my span", "Trace ID", "service.name: Str\\(test\\)"]}.items():
        port = harness.free_port()
        weir = start_weir({
            "receivers": {"otlp": harness.otlp_receiver(port)},
            "exporters": {"debug": {"verbosity": verbosity}},
            "service": {"pipelines": harness.pipelines(exporters=["debug"])},
        }, verbosity)
        assert harness.post_json(port, "traces", harness.span_document("my span"))[0] == 200
        for pattern in patterns:
            weir.wait_log(pattern)
        weir.stop()
