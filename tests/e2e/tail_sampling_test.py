"""Tail sampling from outside: what the OpenTelemetry Collector keeps, reloads, bounds, and a tier behind Kafka."""
import json
import os
import re
import signal
import subprocess
import time

import pytest
import yaml

from e2e import harness, messages, otlp, traces

PEERS = [harness.ROOT / "build" / name / "otelcol" for name in ("peer-tail", "peer")]


def named(name, kind, settings=None):
    return {"name": name, "type": kind, **({kind: settings} if settings else {})}


# Every policy there is. Those that count over time have rates that never bind, or bursts that no trace of a size passes.
POLICIES = [
    named("slow", "latency", {"threshold_ms": 1900}),
    named("middling", "latency", {"threshold_ms": 100, "upper_threshold_ms": 110}),
    named("failing", "numeric_attribute", {"key": "http.status_code", "min_value": 503, "max_value": 599}),
    named("share", "probabilistic", {"sampling_percentage": 7.5}),
    named("salted", "probabilistic", {"sampling_percentage": 3, "hash_salt": "salt"}),
    named("errors", "status_code", {"status_codes": ["ERROR"]}),
    named("metal", "string_attribute", {"key": "customer", "values": ["gold", "iron"]}),
    named("metals", "string_attribute", {"key": "customer", "values": ["^gol.*n", "silver$"], "enabled_regex_matching": True, "cache_max_size": 10}),
    named("state", "trace_state", {"key": "vendor", "values": ["a", "c"]}),
    named("flags", "trace_flags"),
    named("long", "span_count", {"min_spans": 11}),
    named("debug", "boolean_attribute", {"key": "debug", "value": True}),
    named("ottl", "ottl_condition", {"error_mode": "ignore", "span": ['attributes["http.route"] == "/pay" and status.code == STATUS_CODE_OK and kind == SPAN_KIND_SERVER'],
                                     "spanevent": ['name == "exception" and attributes["exception.type"] == "Timeout"']}),
    named("both", "and", {"and_sub_policy": [
        named("a", "string_attribute", {"key": "service.name", "values": ["mail"]}),
        named("b", "not", {"not_sub_policy": named("c", "span_count", {"min_spans": 2})}),
    ]}),
    named("none of them", "and", {"and_sub_policy": [
        named("a", "numeric_attribute", {"key": "tier", "min_value": 1, "max_value": 9, "invert_match": True}),
        named("b", "string_attribute", {"key": "http.route", "values": ["/cart", "/health"], "invert_match": True}),
        named("c", "boolean_attribute", {"key": "debug", "value": False, "invert_match": True}),
    ]}),
    named("spans a second", "and", {"and_sub_policy": [
        named("a", "string_attribute", {"key": "http.route", "values": ["/search"]}),
        named("b", "probabilistic", {"sampling_percentage": 5, "hash_salt": "rate"}),
        named("c", "rate_limiting", {"spans_per_second": 2000000000, "burst_capacity": 6}),
    ]}),
    named("bytes a second", "and", {"and_sub_policy": [
        named("a", "probabilistic", {"sampling_percentage": 4, "hash_salt": "bytes"}),
        named("b", "bytes_limiting", {"bytes_per_second": 2000000000000, "burst_capacity": 1000000}),
        named("c", "always_sample"),
    ]}),
    named("parts", "composite", {"max_total_spans_per_second": 100000000, "policy_order": ["one", "two", "three"], "composite_sub_policy": [
        named("one", "and", {"and_sub_policy": [named("x", "latency", {"threshold_ms": 1500}), named("y", "probabilistic", {"sampling_percentage": 5, "hash_salt": "x"})]}),
        named("two", "probabilistic", {"sampling_percentage": 1, "hash_salt": "two"}),
        named("three", "span_count", {"min_spans": 8}),
    ], "rate_allocation": [{"policy": "one", "percent": 50}, {"policy": "two", "percent": 0}]}),
    named("health", "drop", {"drop_sub_policy": [
        named("a", "string_attribute", {"key": "http.route", "values": ["/health"]}),
        named("b", "not", {"not_sub_policy": named("c", "status_code", {"status_codes": ["ERROR", "OK"]})}),
    ]}),
]


def sampling(port, path, policies, **settings):
    return {
        "receivers": {"otlp": harness.otlp_receiver(port)},
        "processors": {"tail_sampling": {"policies": policies, **settings}},
        "exporters": {"file": {"path": str(path), "flush_interval": "100ms"}},
        "service": {"pipelines": harness.pipelines(processors=["tail_sampling"], signals=["traces"])},
    }


ALWAYS = [named("all", "always_sample")]


def ids_of(path):
    return sorted((one["record"]["traceId"], one["record"]["spanId"]) for one in harness.read_records(path, "traces"))


def send(port, requests):
    for request in requests:
        status, _, answer = harness.post_protobuf(port, "traces", request.SerializeToString())
        assert status == 200, answer


def ids_sent(spans):
    return sorted((span.trace_id.hex(), span.span_id.hex()) for _, span in spans)


# ---- beside the OpenTelemetry Collector ----


def peer_with_tail_sampling():
    for peer in PEERS:
        if peer.exists() and "tail_sampling" in subprocess.run([peer, "components"], capture_output=True, text=True, check=True).stdout:
            return peer
    return None


class Peer:
    def __init__(self, binary, config, folder):
        folder.mkdir()
        self.metrics_port, self.folder = harness.free_port(), folder
        readers = [{"pull": {"exporter": {"prometheus": {"host": "127.0.0.1", "port": self.metrics_port}}}}]
        telemetry = {"metrics": {"level": "detailed", "readers": readers}}
        (folder / "otelcol.yaml").write_text(yaml.safe_dump({**config, "service": {**config["service"], "telemetry": telemetry}}))
        self.log = open(folder / "otelcol.log", "wb")
        self.process = subprocess.Popen([binary, "--config", folder / "otelcol.yaml"], stdout=self.log, stderr=self.log, env=dict(os.environ))

    def stop(self):
        if self.process.poll() is None:
            self.process.send_signal(signal.SIGTERM)
            self.process.wait(60)
        self.log.close()


def counts_of(port):
    """{(policy, sampled): traces} of those that are not 0."""
    text = harness.request(port, "/metrics", method="GET")[2].decode()
    return {(labels["policy"], labels["decision"]): value for (name, labels), value in harness.parse_metrics(text)
            if name.removesuffix("_total") == "otelcol_processor_tail_sampling_count_traces_sampled" and value > 0}


def decided(port):
    text = harness.request(port, "/metrics", method="GET")[2].decode()
    return sum(value for (name, _), value in harness.parse_metrics(text)
               if name.removesuffix("_total") == "otelcol_processor_tail_sampling_global_count_traces_sampled")


def run_spans(port, metrics_port, requests, count):
    """Sends all within the wait, and waits until all traces are decided."""
    send(port, requests)
    harness.wait_until(lambda: decided(metrics_port) >= count, f"{count} decisions", 120, 0.2)


@pytest.mark.skipif(peer_with_tail_sampling() is None, reason="no OpenTelemetry Collector with tail_sampling in build/peer (./dev bench --peer-build)")
def test_keeps_what_the_collector_keeps(start_weir, tmp_path):
    """100,000 spans of mixed services, all policies: the same spans, and the same said by each policy."""
    spans = traces.mixed(100_000)
    requests = list(traces.requests_of(spans, 1000))
    count = len({span.trace_id for _, span in spans})
    port = harness.free_port()
    settings = {"decision_wait": "20s", "num_traces": 100_000}
    weir = start_weir(sampling(port, tmp_path / "weir.jsonl", POLICIES, **settings))
    run_spans(port, weir.metrics_port, requests, count)
    ours = counts_of(weir.metrics_port)
    weir.stop()
    port = harness.free_port()
    peer = Peer(peer_with_tail_sampling(), sampling(port, tmp_path / "peer.jsonl", POLICIES, **settings), tmp_path / "peer")
    try:
        harness.wait_until(lambda: _reaches(port), "the peer listens", 30, 0.1)
        run_spans(port, peer.metrics_port, requests, count)
        theirs = counts_of(peer.metrics_port)
    finally:
        peer.stop()
    assert {policy for policy, said in ours if said != "not_sampled"} == {policy["name"] for policy in POLICIES}, "each policy has a say"
    assert ours == theirs
    kept = ids_of(tmp_path / "weir.jsonl")
    assert len(kept) == len(set(kept)) and 10_000 < len(kept) < 90_000
    assert kept == ids_of(tmp_path / "peer.jsonl")
    whole, wanted = (harness.as_multiset(harness.read_records(tmp_path / name, "traces")) for name in ("weir.jsonl", "peer.jsonl"))
    assert whole == wanted, "with all that stands in and around them"


def _reaches(port):
    try:
        harness.request(port, "/", method="GET", timeout=2)
        return True
    except OSError:
        return False
