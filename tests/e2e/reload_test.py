"""SIGHUP: unchanged components keep their sockets, queues and counters; a configuration with an error changes nothing."""
import http.client
import json
import time

import pytest
import yaml

from e2e import harness
from e2e.delivery_test import forwarding


@pytest.mark.parametrize("reloads, rate", [(10, 10000), pytest.param(20, 50000, marks=pytest.mark.full)])
@pytest.mark.parametrize("changed", ["nothing", "processor", "exporter"])
def test_reload_under_load_loses_nothing_and_resets_no_connection(changed, reloads, rate, start_weir, start_sink):
    sink, port = start_sink(), harness.free_port()
    config = forwarding(port, sink)
    config["service"]["telemetry"] = {"logs": {"sampling": {"enabled": False}}}  # every reload says so
    weir = start_weir(config)
    load = harness.start_load(port, "--duration", 2 + reloads * 0.4, "--records", 50, "--rate", rate, "--stamp", "--retry")
    for number in range(reloads):
        time.sleep(0.4)
        if changed == "processor":
            config["processors"]["batch"]["timeout"] = f"{40 + number}ms"
        elif changed == "exporter":
            config["exporters"]["otlp_http"]["timeout"] = f"{20 + number}s"
        weir.write_config(config)
        weir.reload()
        harness.wait_until(lambda n=number: weir.log().count("configuration reloaded") > n, f"reload {number}")
    answer = harness.finish_load(load)
    assert (answer["resets"], answer["lost"], answer["rejected"]) == (0, 0, 0)
    harness.wait_until(lambda: sink.stats()["distinct"] >= answer["accepted"], "all that was acknowledged")
    weir.stop()
    stats = sink.stop()
    assert (stats["distinct"], stats["doubled"]) == (answer["accepted"], 0)


def test_counters_and_connections_survive(weir_to_file):
    receiving = weir_to_file
    connection = http.client.HTTPConnection("127.0.0.1", receiving.http_port, timeout=20)

    def send():
        connection.request("POST", "/v1/traces", json.dumps(harness.span_document()), {"Content-Type": "application/json"})
        answer = connection.getresponse()
        answer.read()
        assert answer.status == 200

    send()
    receiving.weir.reload()
    receiving.weir.wait_log("configuration reloaded")
    send()
    assert receiving.weir.metric("otelcol_receiver_accepted_spans") == 2
    receiving.records("traces", 2)
    connection.close()


def test_new_components_come_and_old_ones_go(start_weir, tmp_path):
    old, new = harness.free_port(), harness.free_port()
    config = harness.otlp_to_file(tmp_path / "old.jsonl", old)
    weir = start_weir(config)
    assert harness.post_json(old, "logs", harness.log_document())[0] == 200
    config = harness.otlp_to_file(tmp_path / "new.jsonl", new)
    weir.write_config(config)
    weir.reload()
    weir.wait_log("configuration reloaded")
    assert harness.post_json(new, "logs", harness.log_document("after"))[0] == 200
    harness.wait_until(lambda: harness.read_records(tmp_path / "new.jsonl", "logs"), "the record in the new file")
    assert len(harness.read_records(tmp_path / "old.jsonl", "logs")) == 1
    harness.wait_until(lambda: refuses(old), "the old port is closed")


def refuses(port):
    try:
        harness.post_json(port, "logs", harness.log_document())
        return False
    except OSError:
        return True


def test_an_error_changes_nothing_and_says_why(weir_to_file):
    weir = weir_to_file.weir
    config = yaml.safe_load(weir.config_path.read_text())
    config["exporters"]["file"]["pth"] = "x"
    weir.config_path.write_text(yaml.safe_dump(config))
    weir.reload()
    weir.wait_log(r"weir\.yaml:\d+:\d+: exporters\.file\.pth: unknown key")
    weir.wait_log("configuration not changed")
    assert harness.post_json(weir_to_file.http_port, "logs", harness.log_document())[0] == 200
    weir_to_file.records("logs", 1)


def test_a_port_that_is_taken_changes_nothing(start_weir, tmp_path):
    import socket
    port = harness.free_port()
    config = harness.otlp_to_file(tmp_path / "out.jsonl", port)
    weir = start_weir(config)
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        config["receivers"]["otlp"]["protocols"]["http"]["endpoint"] = f"127.0.0.1:{taken.getsockname()[1]}"
        weir.write_config(config)
        weir.reload()
        weir.wait_log("configuration not changed|could not|in use")
    harness.wait_until(lambda: not refuses(port), "the old receiver is still there")


def test_watch_config(start_weir, tmp_path):
    config = harness.otlp_to_file(tmp_path / "out.jsonl", harness.free_port())
    weir = start_weir(config, arguments=["--watch-config"])
    time.sleep(1.1)
    config["exporters"]["file"]["flush_interval"] = "200ms"
    weir.write_config(config)
    weir.wait_log("configuration reloaded")
