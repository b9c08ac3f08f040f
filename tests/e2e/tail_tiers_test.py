"""Two tiers: nodes bring spans to Kafka, keyed by trace id; a consumer group of tail samplers sees whole traces."""
import itertools
import subprocess

import pytest

from e2e import harness, tail_sampling_test, traces

HAS_KAFKA = "kafka" in subprocess.run([str(harness.BINARY), "components"], capture_output=True, text=True, check=False).stdout
FAST_GROUP = {"session_timeout": "6s", "heartbeat_interval": "500ms"}
WHOLE = [tail_sampling_test.named("whole", "span_count", {"min_spans": 6, "max_spans": 6})]


def skip_reason():
    if not HAS_KAFKA:
        return "this weir has no Kafka"
    from e2e import kafka_server
    return kafka_server.skip_reason(kafka_server.NEWEST)


REASON = skip_reason()
pytestmark = [pytest.mark.skipif(REASON is not None, reason=str(REASON)), pytest.mark.filterwarnings("ignore::DeprecationWarning")]


@pytest.fixture(scope="module")
def broker(tmp_path_factory):
    from e2e import kafka_server
    running = kafka_server.Broker(tmp_path_factory.mktemp("kafka") / "broker")
    yield running
    running.stop()


def node(port, address, topic):
    return {
        "receivers": {"otlp": harness.otlp_receiver(port)},
        "exporters": {"kafka": {"brokers": [address], "partition_traces_by_id": True, "traces": {"topic": topic}}},
        "service": {"pipelines": harness.pipelines(exporters=["kafka"], signals=["traces"])},
    }


def sampler(path, address, topic, wait):
    return {
        "receivers": {"kafka": {"brokers": [address], "group_id": f"{topic}-tier", "initial_offset": "earliest", "traces": {"topics": [topic]}, **FAST_GROUP}},
        "processors": {"tail_sampling": {"policies": WHOLE, "decision_wait": wait}},
        "exporters": {"file": {"path": str(path), "flush_interval": "50ms"}},
        "service": {"pipelines": harness.pipelines(receivers=["kafka"], processors=["tail_sampling"], signals=["traces"])},
    }


class Tiers:
    """Two nodes and two samplers; a trace's spans go to both nodes in turn."""

    def __init__(self, broker, start_weir, folder, wait):
        self.topic, self.ports = folder.name, harness.free_ports(2)
        self.paths = [folder / f"tier{number}.jsonl" for number in range(2)]
        broker.create(self.topic)
        for number, port in enumerate(self.ports):
            start_weir(node(port, broker.address, self.topic), f"node{number}")
        self.configs = [sampler(path, broker.address, self.topic, wait) for path in self.paths]
        self.tier = [start_weir(config, f"tier{number}") for number, config in enumerate(self.configs)]
        for weir in self.tier:
            weir.wait_log(r"partitions came, 2 are held now", 40)

    def send(self, spans):
        for number, port in enumerate(self.ports):
            tail_sampling_test.send(port, traces.requests_of(spans[number::2], 50))

    def held(self):
        return sum(weir.metric("weir_tail_sampling_held_spans") or 0 for weir in self.tier if weir.alive())

    def ids(self):
        return sorted(itertools.chain.from_iterable(tail_sampling_test.ids_of(path) for path in self.paths))

    def reload(self, number, **settings):
        self.configs[number]["processors"]["tail_sampling"].update(settings)
        self.tier[number].write_config(self.configs[number])
        self.tier[number].reload()


def spans_of(count, seed):
    return [one for trace in traces.trace_ids(count, seed) for one in tail_sampling_test.six_spans(trace)]


def halves(spans):
    """Of each trace three spans, and the other three."""
    return ([one for number, one in enumerate(spans) if number % 6 in part] for part in ((0, 3, 4), (1, 2, 5)))


def test_traces_are_whole_though_their_spans_came_to_different_nodes(broker, start_weir, tmp_path):
    """A reload of one tier in the middle, with other policies, loses and parts none."""
    tiers = Tiers(broker, start_weir, tmp_path, "60s")
    spans = spans_of(400, 5)
    first, second = halves(spans)
    tiers.send(first)
    harness.wait_until(lambda: tiers.held() == len(first), "the first half is held", 30, 0.1)
    tiers.reload(0, policies=[tail_sampling_test.named("errors", "status_code", {"status_codes": ["ERROR"]}), *WHOLE])
    tiers.tier[0].wait_log("configuration reloaded")
    tiers.send(second)
    harness.wait_until(lambda: tiers.held() == len(spans), "all is held", 30, 0.1)
    assert sum(broker.committed(f"{tiers.topic}-tier", tiers.topic).values()) == 0, "nothing is committed before it is decided"
    for number in range(2):
        tiers.reload(number, decision_wait="500ms")
    harness.wait_until(lambda: tiers.ids() == tail_sampling_test.ids_sent(spans), "all traces, whole, once", 30, 0.2)
    assert all(tail_sampling_test.ids_of(path) for path in tiers.paths), "both tiers have a share"
    harness.wait_until(lambda: sum(broker.committed(f"{tiers.topic}-tier", tiers.topic).values()) > 0, "what is delivered is committed", 30, 0.2)


def test_a_tier_that_is_killed_with_spans_in_its_store_loses_none(broker, start_weir, tmp_path):
    tiers = Tiers(broker, start_weir, tmp_path, "60s")
    spans = spans_of(200, 6)
    tiers.send(spans)
    harness.wait_until(lambda: tiers.held() == len(spans), "all is held", 30, 0.1)
    tiers.tier[1].kill()
    harness.wait_until(lambda: tiers.held() == len(spans), "the other one has read again what the first one held", 60, 0.2)
    tiers.reload(0, decision_wait="500ms")
    harness.wait_until(lambda: tiers.ids() == tail_sampling_test.ids_sent(spans), "all traces, whole, once", 30, 0.2)
