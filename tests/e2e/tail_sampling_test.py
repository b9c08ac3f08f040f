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
    def __init__(self, binary, config, folder, *arguments):
        folder.mkdir()
        self.metrics_port, self.folder = harness.free_port(), folder
        readers = [{"pull": {"exporter": {"prometheus": {"host": "127.0.0.1", "port": self.metrics_port}}}}]
        telemetry = {"metrics": {"level": "detailed", "readers": readers}}
        (folder / "otelcol.yaml").write_text(yaml.safe_dump({**config, "service": {**config["service"], "telemetry": telemetry}}))
        self.log = open(folder / "otelcol.log", "wb")
        self.process = subprocess.Popen([binary, "--config", folder / "otelcol.yaml", *arguments], stdout=self.log, stderr=self.log, env=dict(os.environ))

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
    settings = {"decision_wait": "15s", "num_traces": 100_000}
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


@pytest.mark.skipif(peer_with_tail_sampling() is None, reason="no OpenTelemetry Collector with tail_sampling in build/peer (./dev bench --peer-build)")
def test_says_what_the_collector_says_of_policies(start_weir, tmp_path):
    """record_policy is a feature gate there: the same attributes on the same scopes."""
    policies = [one for one in POLICIES if one["name"] in ("share", "parts", "errors")]
    requests = list(traces.requests_of(traces.mixed(2000, seed=3), 500))
    port = harness.free_port()
    weir = start_weir(sampling(port, tmp_path / "weir.jsonl", policies, record_policy=True))
    send(port, requests)
    weir.stop()
    port = harness.free_port()
    peer = Peer(peer_with_tail_sampling(), sampling(port, tmp_path / "peer.jsonl", policies), tmp_path / "peer", "--feature-gates=processor.tailsamplingprocessor.recordpolicy")
    try:
        harness.wait_until(lambda: _reaches(port), "the peer listens", 30, 0.1)
        send(port, requests)
    finally:
        peer.stop()
    got, wanted = (harness.as_multiset(sorted_scopes(harness.read_records(tmp_path / name, "traces"))) for name in ("weir.jsonl", "peer.jsonl"))
    assert got == wanted and "tailsampling.composite_policy" in str(got)


def sorted_scopes(records):
    for one in records:
        one["scope"].get("attributes", []).sort(key=lambda attribute: attribute["key"])
    return records


# ---- reloads ----


@pytest.mark.parametrize("change", ["nothing", "policies", "memory", "exporter"])
def test_a_reload_in_the_middle_of_traces_loses_and_parts_none(change, start_weir, tmp_path):
    """Half of each trace comes before the reload; the policy wants whole traces."""
    port, path = harness.free_port(), tmp_path / "out.jsonl"
    whole = [named("whole", "span_count", {"min_spans": 6, "max_spans": 6})]
    config = sampling(port, path, whole, decision_wait="60s")
    weir = start_weir(config)
    spans = [one for trace in traces.trace_ids(500) for one in six_spans(trace)]
    send(port, traces.requests_of(spans[0::2], 100))
    if change == "policies":
        config["processors"]["tail_sampling"]["policies"] = [named("other", "status_code", {"status_codes": ["ERROR"]}), *whole]
    elif change == "memory":
        config["processors"]["tail_sampling"]["max_memory_mib"] = 16
    elif change == "exporter":
        config["exporters"]["file"]["flush_interval"] = "50ms"
    weir.write_config(config)
    weir.reload()
    weir.wait_log("configuration reloaded")
    assert weir.metric("weir_tail_sampling_held_spans") == len(spans) // 2
    send(port, traces.requests_of(spans[1::2], 100))
    config["processors"]["tail_sampling"]["decision_wait"] = "1s"  # holds for those that are held, too
    weir.write_config(config)
    weir.reload()
    harness.wait_until(lambda: weir.metric("weir_tail_sampling_held_spans") == 0, "all decided")
    weir.stop()
    assert ids_of(path) == ids_sent(spans)


def six_spans(trace):
    out = []
    while len(out) < 6:
        out += traces.spans_of(trace, len(out) + 1)
    for number, (_, span) in enumerate(out[:6]):
        span.span_id = (number + 1).to_bytes(8, "big")
    return out[:6]


def test_reloads_under_load(start_weir, tmp_path):
    port, path = harness.free_port(), tmp_path / "out.jsonl"
    config = sampling(port, path, ALWAYS, decision_wait="300ms")
    weir = start_weir(config)
    load = harness.start_load(port, "--duration", 4, "--records", 50, "--rate", 5000, "--trace-spans", 4, "--retry")
    for number in range(6):
        time.sleep(0.5)
        config["processors"]["tail_sampling"]["decision_wait"] = f"{200 + number}ms"
        weir.write_config(config)
        weir.reload()
        harness.wait_until(lambda n=number: weir.log().count("configuration reloaded") > n, f"reload {number}")
    answer = harness.finish_load(load)
    assert (answer["resets"], answer["lost"], answer["rejected"]) == (0, 0, 0)
    weir.stop()
    assert len(harness.read_records(path, "traces")) == answer["accepted"]


# ---- time, bounds, a destination that is away ----


def test_a_root_brings_the_decision_forward(start_weir, tmp_path):
    port, path = harness.free_port(), tmp_path / "out.jsonl"
    weir = start_weir(sampling(port, path, ALWAYS, decision_wait="60s", decision_wait_after_root_received="300ms"))
    with_root, without = traces.trace_ids(2)
    spans = [(service, span) for trace in (with_root, without) for service, span in six_spans(trace)]
    for _, span in spans:
        span.parent_span_id = b"" if span.trace_id == with_root and span.span_id == b"\0" * 7 + b"\1" else b"12345678"
    send(port, traces.requests_of(spans, 100))
    harness.wait_until(lambda: len(harness.read_records(path, "traces")) == 6, "the trace with a root")
    assert {trace for trace, _ in ids_of(path)} == {with_root.hex()}
    assert weir.metric("weir_tail_sampling_held_spans") == 6


def test_a_destination_that_is_away_costs_no_sampled_span(start_weir, start_sink, tmp_path):
    port, sink = harness.free_port(), start_sink()
    config = sampling(port, tmp_path / "unused", ALWAYS, decision_wait="200ms")
    config["exporters"] = {"otlp_http": {"endpoint": f"http://127.0.0.1:{sink.port}", "compression": "none", "tls": {"insecure": True},
                                         "sending_queue": {"queue_size": 1, "num_consumers": 1},
                                         "retry_on_failure": {"initial_interval": "100ms", "max_interval": "200ms"}}}
    config["service"]["pipelines"]["traces"]["exporters"] = ["otlp_http"]
    sink.mode("unavailable")
    weir = start_weir(config)
    answer = harness.run_load(port, "--count", 20000, "--records", 100, "--rate", 10000, "--stamp", "--retry")
    time.sleep(1)
    sink.mode("ok")
    harness.wait_until(lambda: sink.stats()["distinct"] >= answer["accepted"], "all that was acknowledged", 60, 0.2)
    weir.stop()
    assert sink.stop()["distinct"] == answer["accepted"] == 20000


def test_a_full_store_refuses_when_that_is_wanted(start_weir, tmp_path):
    port = harness.free_port()
    weir = start_weir(sampling(port, tmp_path / "out.jsonl", ALWAYS, num_traces=50, block_on_overflow=True, decision_wait="60s"))
    body = next(traces.requests_of([one for trace in traces.trace_ids(100) for one in six_spans(trace)], 600)).SerializeToString()
    assert harness.post_protobuf(port, "traces", body)[0] == 200  # what comes in together comes in whole
    status, headers, _ = harness.post_protobuf(port, "traces", body)
    assert status in (429, 503) and int(headers["retry-after"]) >= 1
    assert weir.metric("weir_dropped_records", processor="tail_sampling", reason="num_traces") == 600


@pytest.mark.parametrize("signal_name", ["logs", "metrics"])
def test_other_signals_are_a_clear_error(signal_name, tmp_path):
    config = sampling(harness.free_port(), tmp_path / "out", ALWAYS)
    config["service"]["pipelines"][signal_name] = config["service"]["pipelines"].pop("traces")
    assert re.search(rf"tail_sampling.*{signal_name}|{signal_name}.*tail_sampling", refused(config, tmp_path))


@pytest.mark.parametrize("policy, text", [
    ({"name": "p", "type": "latency", "latency": {"treshold_ms": 1}}, 'did you mean "threshold_ms"'),
    ({"name": "p", "type": "sometimes"}, "sometimes"),
    ({"name": "p", "type": "ottl_condition", "ottl_condition": {"span": ["nope == "]}}, 'policy "p"'),
    ({"name": "p", "type": "string_attribute", "string_attribute": {"key": "k", "values": ["("], "enabled_regex_matching": True}}, "regular expression"),
])
def test_errors_of_policies_say_where(policy, text, tmp_path):
    said = refused(sampling(harness.free_port(), tmp_path / "out", [policy]), tmp_path)
    assert text in said and re.search(r"weir.yaml:\d+:\d+: processors.tail_sampling", said), said


def refused(config, folder):
    (folder / "weir.yaml").write_text(yaml.safe_dump(config))
    done = subprocess.run([harness.BINARY, "validate", "--config", folder / "weir.yaml"], capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode != 0
    return done.stderr + done.stdout
