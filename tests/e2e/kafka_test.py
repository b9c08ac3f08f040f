"""The kafka exporter and receiver with a real broker: what arrives, who is let in, and what is lost when something dies (nothing)."""
import json
import subprocess
import time

import kafka
import pytest
import yaml

from e2e import harness, kafka_server, messages, otlp

FAST_RETRY = {"initial_interval": "100ms", "max_interval": "500ms", "max_elapsed_time": "120s"}
FAST_GROUP = {"session_timeout": "3s", "heartbeat_interval": "300ms", "initial_offset": "earliest", "autocommit": {"interval": "100ms"}}
TOPICS = {"traces": "otlp_spans", "metrics": "otlp_metrics", "logs": "otlp_logs"}

# librdkafka's threads are C11's, which gcc 12's ThreadSanitizer does not know: the tsan build has no Kafka.
HAS_KAFKA = "kafka" in subprocess.run([str(harness.BINARY), "components"], capture_output=True, text=True, check=False).stdout
REASON = kafka_server.skip_reason(kafka_server.NEWEST) if HAS_KAFKA else "this weir was built without Kafka"
pytestmark = [pytest.mark.skipif(REASON is not None, reason=str(REASON)), pytest.mark.filterwarnings("ignore::DeprecationWarning")]


@pytest.fixture(scope="module")
def broker(tmp_path_factory):
    running = kafka_server.Broker(tmp_path_factory.mktemp("kafka") / "broker")
    yield running
    running.stop()


@pytest.fixture(scope="module")
def hurt_broker(tmp_path_factory):
    """One that tests may hurt, if they heal it."""
    running = kafka_server.Broker(tmp_path_factory.mktemp("hurt") / "broker")
    yield running
    running.stop()


@pytest.fixture(scope="module")
def secure_broker(tmp_path_factory):
    reason = kafka_server.skip_reason(kafka_server.FOR_SCRAM)
    if reason:
        pytest.skip(reason)
    running = kafka_server.Broker(tmp_path_factory.mktemp("secure") / "broker", version=kafka_server.FOR_SCRAM, secure=True)
    yield running
    running.stop()


def unique(name, tmp_path):
    """Names of a test's own topics and groups: the broker is everybody's."""
    return f"{tmp_path.name.replace('[', '_').replace(']', '_')}_{name}"


def topics_of(tmp_path, key):
    """The signals' blocks: {"traces": {"topic": ...}, ...}, with "topics" as a list."""
    names = {name: unique(name, tmp_path) for name in TOPICS}
    return {name: {key: [topic] if key == "topics" else topic} for name, topic in names.items()}


def exporting(port, address, signals=("traces", "metrics", "logs"), processors=(), http=None, **settings):
    return {
        "receivers": {"otlp": harness.otlp_receiver(port, http=http)},
        "processors": {"batch": {"timeout": "50ms"}},
        "exporters": {"kafka": {"brokers": [address], "retry_on_failure": FAST_RETRY, **settings}},
        "service": {"pipelines": harness.pipelines(processors=processors, exporters=["kafka"], signals=signals)},
    }


def receiving(path, address, signals=("traces", "metrics", "logs"), **settings):
    return {
        "receivers": {"kafka": {"brokers": [address], **FAST_GROUP, **settings}},
        "exporters": {"file": {"path": str(path), "flush_interval": "50ms"}},
        "service": {"pipelines": harness.pipelines(receivers=["kafka"], exporters=["file"], signals=signals)},
    }


def to_sink(address, sink, **settings):
    return {
        "receivers": {"kafka": {"brokers": [address], **FAST_GROUP, **settings}},
        "exporters": {"otlp_http": {"endpoint": f"http://127.0.0.1:{sink.port}", "compression": "none", "retry_on_failure": FAST_RETRY}},
        "service": {"pipelines": harness.pipelines(receivers=["kafka"], exporters=["otlp_http"], signals=["traces"])},
    }


def records_in(signal_name, values):
    """The records of protobuf messages, read by protobuf's own library."""
    documents = []
    for value in values:
        message = messages.request_type(signal_name)()
        message.ParseFromString(value)
        documents.append(messages.document_of(message))
    return harness.as_multiset(otlp.records_of(signal_name, documents))


def numbered(signal_name, count):
    document = harness.DOCUMENTS[signal_name](count=count)
    group = document[otlp.GROUPS[signal_name]][0][otlp.SCOPE_GROUPS[signal_name]][0][otlp.RECORDS[signal_name]]
    for place, record in enumerate(otlp.points_of(group[0]) if signal_name == "metrics" else group):
        record.setdefault("attributes", []).append({"key": "number", "value": {"intValue": str(place)}})
    return document


def records_of(signal_name, document):
    return harness.as_multiset(otlp.records_of(signal_name, [document]))


# ---- what is in the topics ----


def test_another_program_reads_the_same_records(broker, start_weir, tmp_path):
    port, topics = harness.free_port(), topics_of(tmp_path, "topic")
    weir = start_weir(exporting(port, broker.address, **topics, record_headers={"origin": "weir"}))
    for signal_name in TOPICS:
        document = numbered(signal_name, 50)
        assert harness.post_json(port, signal_name, document)[0] == 200
        got = broker.wait_read(topics[signal_name]["topic"], 1)
        assert records_in(signal_name, [one["value"] for one in got]) == records_of(signal_name, document)
        assert all(one["key"] is None and one["headers"] == {"origin": "weir"} for one in got)
    harness.wait_until(lambda: weir.metric("otelcol_exporter_sent_spans") == 50, "they are counted")


def test_a_consumer_in_another_language(broker, start_weir, tmp_path):
    port, topics = harness.free_port(), topics_of(tmp_path, "topic")
    start_weir(exporting(port, broker.address, signals=["logs"], **topics, producer={"compression": "gzip"}))
    document = numbered("logs", 500)
    assert harness.post_json(port, "logs", document)[0] == 200
    consumer = kafka.KafkaConsumer(topics["logs"]["topic"], bootstrap_servers=broker.address, auto_offset_reset="earliest", group_id=None,
                                   consumer_timeout_ms=10000)
    got = next(iter(consumer))
    consumer.close()
    assert records_in("logs", [got.value]) == records_of("logs", document)


def test_keyed_by_trace_id(broker, start_weir, tmp_path):
    port, topics = harness.free_port(), topics_of(tmp_path, "topic")
    start_weir(exporting(port, broker.address, signals=["traces"], partition_traces_by_id=True, **topics))
    document = harness.span_document(count=30)
    for place, span in enumerate(document["resourceSpans"][0]["scopeSpans"][0]["spans"]):
        span["traceId"] = f"{place % 10 + 1:032x}"
    for _ in range(3):
        assert harness.post_json(port, "traces", document)[0] == 200
    got = broker.wait_read(topics["traces"]["topic"], 30)
    partitions = {}
    for one in got:
        spans = [json.loads(record) for record in records_in("traces", [one["value"]])]
        assert {json.dumps(span).count(one["key"].decode()) for span in spans} == {1}
        partitions.setdefault(one["key"], set()).add(one["partition"])
    assert len(partitions) == 10
    assert all(len(where) == 1 for where in partitions.values())
    assert len(set.union(*partitions.values())) > 1
    assert records_in("traces", [one["value"] for one in got]) == sorted(records_of("traces", document) * 3)


@pytest.mark.parametrize("encoding", ["otlp_proto", "otlp_json"])
def test_weir_to_kafka_to_weir(encoding, broker, start_weir, tmp_path):
    port, path = harness.free_port(), tmp_path / "out.jsonl"
    there, here = topics_of(tmp_path, "topic"), topics_of(tmp_path, "topics")
    for blocks in (there, here):
        for block in blocks.values():
            block["encoding"] = encoding
    for name, block in here.items():
        if encoding == "otlp_proto" or name != "traces":  # one is not there when the group comes
            broker.create(block["topics"][0])
    start_weir(exporting(port, broker.address, processors=["batch"], producer={"compression": "zstd"}, **there), "out")
    start_weir(receiving(path, broker.address, group_id=unique("group", tmp_path), **here), "in")
    for signal_name in TOPICS:
        document = numbered(signal_name, 2000)
        assert harness.post_json(port, signal_name, document)[0] == 200
        harness.wait_until(lambda name=signal_name: len(harness.read_records(path, name)) >= 2000, f"2000 records of {signal_name}", 40)
        assert harness.as_multiset(harness.read_records(path, signal_name)) == records_of(signal_name, document)


@pytest.mark.parametrize("encoding", ["zipkin_json", "zipkin_proto"])
def test_zipkin_encodings(encoding, broker, start_weir, tmp_path):
    port, topic, path = harness.free_port(), unique("zipkin", tmp_path), tmp_path / "out.jsonl"
    start_weir(exporting(port, broker.address, signals=["traces"], traces={"topic": topic, "encoding": encoding}), "out")
    document = harness.span_document(count=3)
    assert harness.post_json(port, "traces", document)[0] == 200
    value = broker.wait_read(topic, 1)[0]["value"]
    names = sorted(span["name"] for span in document["resourceSpans"][0]["scopeSpans"][0]["spans"])
    if encoding == "zipkin_json":
        assert sorted(span["name"] for span in json.loads(value)) == names
    start_weir(receiving(path, broker.address, signals=["traces"], group_id=unique("group", tmp_path), traces={"topics": [topic], "encoding": encoding}), "in")
    harness.wait_until(lambda: len(harness.read_records(path, "traces")) >= 3, "three spans", 40)
    assert sorted(one["record"]["name"] for one in harness.read_records(path, "traces")) == names


def test_topics_and_keys_from_metadata_and_attributes(broker, start_weir, tmp_path):
    port, topics = harness.free_port(), topics_of(tmp_path, "topic")
    topics["traces"].update(topic_from_metadata_key="x-topic", message_key_from_metadata_key="x-tenant")
    start_weir(exporting(port, broker.address, signals=["traces", "logs"], http={"include_metadata": True}, topic_from_attribute="service.name",
                         include_metadata_keys=["x-tenant"], partition_logs_by_resource_attributes=True, **topics))
    named, attributed = unique("named", tmp_path), unique("attributed", tmp_path)
    document = harness.span_document()
    assert harness.post_json(port, "traces", document, **{"X-Topic": named, "X-Tenant": "blue"})[0] == 200
    got = broker.wait_read(named, 1)
    assert (got[0]["key"], got[0]["headers"]) == (b"blue", {"x-tenant": "blue"})
    logs = harness.log_document()
    logs["resourceLogs"][0]["resource"] = {"attributes": [{"key": "service.name", "value": {"stringValue": attributed}}]}
    logs["resourceLogs"].append(harness.log_document("elsewhere")["resourceLogs"][0])
    assert harness.post_json(port, "logs", logs)[0] == 200
    assert len(broker.wait_read(attributed, 1)[0]["key"]) == 32
    assert b"elsewhere" in broker.wait_read(topics["logs"]["topic"], 1)[0]["value"]


def test_raw_text_and_json_logs(broker, start_weir, tmp_path):
    port, raw = harness.free_port(), unique("raw", tmp_path)
    start_weir(exporting(port, broker.address, signals=["logs"], logs={"topic": raw, "encoding": "raw"}), "out")
    assert harness.post_json(port, "logs", harness.log_document('said "hello"', 3))[0] == 200
    assert [one["value"] for one in broker.wait_read(raw, 3)] == [b'said "hello"'] * 3
    config = receiving(tmp_path / "text.jsonl", broker.address, signals=["logs"], group_id=unique("g", tmp_path), logs={"topics": [raw], "encoding": "text"},
                       header_extraction={"extract_headers": True, "headers": ["tenant"]})
    documents, expression = unique("json", tmp_path), f"^{unique('js', tmp_path)}.*"
    config["receivers"]["kafka/json"] = {**config["receivers"]["kafka"], "group_id": unique("h", tmp_path), "logs": {"topics": [expression], "encoding": "json"}}
    config["service"]["pipelines"]["logs"]["receivers"].append("kafka/json")
    broker.write(documents, b'{"level":"info","n":1}', headers=["tenant=blue"])
    start_weir(config, "in")
    path = tmp_path / "text.jsonl"
    harness.wait_until(lambda: len(harness.read_records(path, "logs")) >= 4, "all four", 30)
    lines = harness.read_lines(path)
    text = json.dumps(lines)
    assert text.count('said \\\\\\"hello\\\\\\"') == 0 and text.count('said \\"hello\\"') == 3
    found = [group for line in lines for group in line["resourceLogs"] if group.get("resource", {}).get("attributes")]
    assert found[0]["resource"]["attributes"] == [{"key": "kafka.header.tenant", "value": {"stringValue": "blue"}}]
    body = found[0]["scopeLogs"][0]["logRecords"][0]["body"]["kvlistValue"]["values"]
    assert body == [{"key": "level", "value": {"stringValue": "info"}}, {"key": "n", "value": {"intValue": "1"}}]


# ---- who is let in ----


def security(broker, listener, mechanism=None, password=kafka_server.PASSWORD):
    settings = {}
    if "SSL" in listener:
        settings["tls"] = {"ca_file": str(broker.folder / "ca.pem")}
    if mechanism:
        settings["auth"] = {"sasl": {"username": kafka_server.USER, "password": password, "mechanism": mechanism}}
    return f"127.0.0.1:{broker.ports[listener]}", settings


@pytest.mark.parametrize("listener,mechanism", [("SSL", None), ("SASL_SSL", "SCRAM-SHA-512"), ("SASL_PLAINTEXT", "PLAIN"),
                                                pytest.param("SASL_PLAINTEXT", "SCRAM-SHA-256", marks=pytest.mark.full),
                                                pytest.param("SASL_SSL", "PLAIN", marks=pytest.mark.full)])
def test_tls_and_sasl(listener, mechanism, secure_broker, start_weir, tmp_path):
    address, settings = security(secure_broker, listener, mechanism)
    port, path = harness.free_port(), tmp_path / "out.jsonl"
    start_weir(exporting(port, address, signals=["logs"], **settings, **topics_of(tmp_path, "topic")), "out")
    start_weir(receiving(path, address, signals=["logs"], group_id=unique("g", tmp_path), **settings, **topics_of(tmp_path, "topics")), "in")
    assert harness.post_json(port, "logs", harness.log_document(count=7))[0] == 200
    harness.wait_until(lambda: len(harness.read_records(path, "logs")) == 7, "all seven", 30)


def test_wrong_password_is_told_and_waited_out(secure_broker, start_weir, tmp_path):
    address, settings = security(secure_broker, "SASL_PLAINTEXT", "PLAIN", password="open-sesame")
    port = harness.free_port()
    weir = start_weir(exporting(port, address, signals=["logs"], **settings, **topics_of(tmp_path, "topic")), arguments=["--drain-timeout", "1s"])
    assert harness.post_json(port, "logs", harness.log_document())[0] == 200
    weir.wait_log("(?i)authentication failed")
    assert "open-sesame" not in weir.log()


# ---- what does not fit, and what is not understood ----


def test_a_batch_that_is_too_large_is_cut_and_a_record_goes_to_the_dead_letters(broker, start_weir, tmp_path):
    port, topics, dead = harness.free_port(), topics_of(tmp_path, "topic"), tmp_path / "dead.jsonl"
    weir = start_weir(exporting(port, broker.address, signals=["logs"], producer={"max_message_bytes": 10000}, dead_letter={"path": str(dead)}, **topics))
    document = numbered("logs", 1000)
    large = harness.log_document("x" * 20000)
    document["resourceLogs"].append(large["resourceLogs"][0])
    assert harness.post_json(port, "logs", document)[0] == 200
    harness.wait_until(lambda: weir.metric("otelcol_exporter_sent_log_records") == 1001, "all are dealt with")
    got = broker.read(topics["logs"]["topic"])
    assert len(got) > 2 and max(len(one["value"]) for one in got) <= 10000
    assert records_in("logs", [one["value"] for one in got]) == records_of("logs", numbered("logs", 1000))
    letters = [json.loads(line) for line in dead.read_text().splitlines()]
    assert [(one["reason"], one["records"], one["signal"], one["topic"]) for one in letters] == [("too_large", 1, "logs", topics["logs"]["topic"])]
    assert otlp.records_of("logs", [letters[0]["request"]]) == otlp.records_of("logs", [large])
    assert weir.metric("weir_dropped_records", reason="too_large") == 1


def test_a_broker_that_takes_less_than_weir_sends(broker, start_weir, tmp_path):
    """The topic's max.message.bytes is smaller than producer.max_message_bytes: batches are cut until they fit."""
    port, topics = harness.free_port(), topics_of(tmp_path, "topic")
    broker.create(topics["logs"]["topic"], max_message_bytes=20000)
    weir = start_weir(exporting(port, broker.address, signals=["logs"], **topics))
    document = numbered("logs", 2000)
    document["resourceLogs"].append(harness.log_document("x" * 50000)["resourceLogs"][0])
    assert harness.post_json(port, "logs", document)[0] == 200
    harness.wait_until(lambda: weir.metric("otelcol_exporter_sent_log_records") == 2001, "all are dealt with", 40)
    got = broker.read(topics["logs"]["topic"])
    assert records_in("logs", [one["value"] for one in got]) == records_of("logs", numbered("logs", 2000))
    weir.wait_log("1 log_records .* lost.*too_large")


def test_a_malformed_message_is_passed_over(broker, start_weir, tmp_path):
    topic, group, path = unique("logs", tmp_path), unique("g", tmp_path), tmp_path / "out.jsonl"
    good = messages.message_of(harness.log_document("good")).SerializeToString()
    broker.write(topic, good, b"\x0a\xffbad", good, key="one-partition")
    weir = start_weir(receiving(path, broker.address, signals=["logs"], group_id=group, logs={"topics": [topic]}))
    harness.wait_until(lambda: len(harness.read_records(path, "logs")) == 2, "the good ones")
    weir.wait_log(rf"malformed logs message 1 of {topic}")
    weir.stop()
    assert sum(broker.committed(group, topic).values()) == 3


# ---- offsets ----


def test_offsets_move_when_records_are_durable_downstream(broker, start_weir, start_sink, tmp_path):
    sink, topic, group = start_sink(), unique("spans", tmp_path), unique("g", tmp_path)
    sink.mode("unavailable")
    body = messages.message_of(harness.span_document(count=5)).SerializeToString()
    broker.write(topic, body, body, body)
    config = to_sink(broker.address, sink, group_id=group, traces={"topics": [topic]})
    weir = start_weir(config, arguments=["--drain-timeout", "1s"])
    harness.wait_until(lambda: sink.stats()["refused"] > 2, "attempts that are refused")
    time.sleep(0.5)
    weir.stop()
    assert broker.committed(group, topic) == {}
    sink.mode("ok")
    weir = start_weir(config, "again")
    harness.wait_until(lambda: sink.stats()["records"] == 15, "all of them")
    time.sleep(0.5)
    weir.stop()
    assert sum(broker.committed(group, topic).values()) == 3


def test_a_full_pipeline_pauses_reading(broker, start_weir, start_sink, tmp_path):
    """The destination hangs: memory is bounded, and everything arrives once it is back."""
    sink, port, topic = start_sink(), harness.free_port(), unique("spans", tmp_path)
    start_weir(exporting(port, broker.address, signals=["traces"], traces={"topic": topic}), "out")
    answer = harness.run_load(port, "--count", 150000, "--records", 500, "--stamp", "--retry")
    sink.mode("unavailable")
    config = to_sink(broker.address, sink, group_id=unique("g", tmp_path), max_under_way_mib=4, traces={"topics": [topic]})
    config["exporters"]["otlp_http"]["sending_queue"] = {"queue_size": 10}
    weir = start_weir(config, "in", arguments=["--drain-timeout", "1s"])
    weir.wait_log("the pipeline can't take messages now")
    time.sleep(2)
    assert weir.memory_kib() < 400 * 1024  # a sanitizer's shadow is in it
    sink.mode("ok")
    harness.wait_until(lambda: sink.stats()["distinct"] == answer["accepted"], "all spans", 60)
    weir.wait_log("takes messages again")


def test_latest_begins_where_it_first_came(broker, start_weir, tmp_path):
    """With initial_offset latest, what comes while nobody is there is not skipped once a member has been there."""
    topic, path = unique("logs", tmp_path), tmp_path / "out.jsonl"
    broker.write(topic, messages.message_of(harness.log_document("before")).SerializeToString())
    config = receiving(path, broker.address, signals=["logs"], group_id=unique("g", tmp_path), initial_offset="latest", logs={"topics": [topic]})
    weir = start_weir(config)
    weir.wait_log("4 partitions came")
    weir.kill()
    broker.write(topic, *(messages.message_of(harness.log_document("between")).SerializeToString() for _ in range(4)))
    start_weir(config, "again")
    harness.wait_until(lambda: len(harness.read_records(path, "logs")) == 4, "what came in between", 30)
    assert "before" not in path.read_text()


# ---- when something dies ----


def test_a_tier_of_three_loses_nothing_when_one_is_killed(broker, start_weir, start_sink, tmp_path):
    sink, port, topic = start_sink(), harness.free_port(), unique("spans", tmp_path)
    broker.create(topic)
    node = start_weir(exporting(port, broker.address, signals=["traces"], partition_traces_by_id=True, traces={"topic": topic}), "node")
    config = to_sink(broker.address, sink, group_id=unique("g", tmp_path), traces={"topics": [topic]})
    tier = [start_weir(config, f"tier{number}") for number in range(3)]
    for weir in tier:
        weir.wait_log(r"partitions came, [12] are held now", 30)
    load = harness.start_load(port, "--duration", 6, "--records", 50, "--rate", 3000, "--stamp", "--retry")
    time.sleep(2)
    tier[1].process.kill()
    answer = harness.finish_load(load)
    node.stop()
    harness.wait_until(lambda: sink.stats()["distinct"] >= answer["accepted"], f"all of {answer['accepted']}; there are {sink.stats()}", 40)
    stats = sink.stats()
    print(f"three consumers, one killed: {answer['accepted']} accepted, {stats['distinct']} arrived, {stats['doubled']} twice")
    assert stats["distinct"] == answer["accepted"] and stats["broken"] == 0
    assert stats["doubled"] <= answer["accepted"] / 2
    held = [weir for weir in tier if weir is not tier[1]]
    assert sum(int(harness.re.findall(r"(\d+) are held now", weir.log())[-1]) for weir in held) == 4
    tier[1].kill()


def test_partitions_that_went_while_they_were_paused_are_read_when_they_come_again(broker, start_weir, start_sink, tmp_path):
    sink, topic = start_sink(), unique("spans", tmp_path)
    broker.create(topic)
    sink.mode("unavailable")
    body = messages.message_of(harness.span_document(count=5)).SerializeToString()
    config = to_sink(broker.address, sink, group_id=unique("g", tmp_path), traces={"topics": [topic]})
    config["exporters"]["otlp_http"]["sending_queue"] = {"queue_size": 1}
    config["exporters"]["otlp_http"]["retry_on_failure"] = {"enabled": False}
    first = start_weir(config, "first")
    first.wait_log("4 partitions came")
    broker.write(topic, *[body] * 12)
    first.wait_log("the pipeline can't take messages now")
    second = start_weir(config, "second")
    second.wait_log("2 partitions came, 2 are held now")
    second.kill()
    first.wait_log("2 partitions came, 4 are held now", 30)
    broker.write(topic, *[body] * 12)
    sink.mode("ok")
    harness.wait_until(lambda: first.metric("otelcol_receiver_accepted_spans") == 120, f"all spans; there are {sink.stats()}", 30)
    first.stop()
    assert sum(broker.committed(config["receivers"]["kafka"]["group_id"], topic).values()) == 24


def ready_configuration(name, **ports):
    """One of config/, with ports of the test's own."""
    config = yaml.safe_load((harness.ROOT / "config" / f"{name}.yaml").read_text())
    config["service"]["extensions"].remove("health_check")
    for block, port in ports.items():
        config["receivers"]["otlp"]["protocols"][block]["endpoint"] = f"127.0.0.1:{port}"
    return config


def test_the_two_ready_configurations(broker, start_weir, start_sink, tmp_path):
    sink, port = start_sink(), harness.free_port()
    environment = {"KAFKA_BROKERS": broker.address, "WEIR_DATA": str(tmp_path / "data"), "OTLP_URL": f"http://127.0.0.1:{sink.port}"}
    for topic in TOPICS.values():
        broker.create(topic)
    start_weir(ready_configuration("kafka-tier"), "tier", environment=environment)
    node = start_weir(ready_configuration("kafka-node", http=port, grpc=harness.free_port()), "node", environment=environment)
    answer = harness.run_load(port, "--count", 20000, "--records", 100, "--stamp", "--retry")
    harness.wait_until(lambda: sink.stats()["distinct"] == answer["accepted"] == 20000, f"all of them; there are {sink.stats()}", 40)
    node.stop()
    assert sink.stats()["doubled"] == 0
    assert all(one["key"] for one in broker.read("otlp_spans"))


FAULTS = [("kill", False, 1), ("freeze", True, 1)] + [
    pytest.param(fault, disk, rounds, marks=pytest.mark.full) for fault in ("kill", "freeze") for disk in (False, True) for rounds in (2, 5)]


def on_disk(config, folder):
    """The same configuration, with the kafka exporter's queue on disk."""
    config["extensions"] = {"file_storage": {"directory": str(folder), "create_directory": True}}
    config["service"]["extensions"] = ["file_storage"]
    config["exporters"]["kafka"].setdefault("sending_queue", {})["storage"] = "file_storage"
    return config


@pytest.mark.parametrize("fault,disk,rounds", FAULTS)
def test_a_broker_that_dies_or_freezes_costs_nothing(fault, disk, rounds, hurt_broker, start_weir, start_sink, tmp_path):
    sink, port, topic = start_sink(), harness.free_port(), unique("spans", tmp_path)
    hurt_broker.create(topic)
    config = exporting(port, hurt_broker.address, signals=["traces"], processors=["batch"], timeout="2s", traces={"topic": topic}, sending_queue={"queue_size": 200})
    config = on_disk(config, tmp_path / "queue") if disk else config
    node = start_weir(config, "node", arguments=["--drain-timeout", "60s"])
    start_weir(to_sink(hurt_broker.address, sink, group_id=unique("g", tmp_path), traces={"topics": [topic]}), "tier")
    load = harness.start_load(port, "--duration", 2 + 5 * rounds, "--records", 50, "--rate", 5000, "--stamp", "--retry")
    for _ in range(rounds):
        time.sleep(2)
        if fault == "kill":
            hurt_broker.kill()
            time.sleep(1)
            hurt_broker.start()
        else:
            hurt_broker.freeze()
            time.sleep(3)
            hurt_broker.thaw()
    answer = harness.finish_load(load)
    node.stop(90)
    if disk:
        start_weir(config, "again")  # a stop leaves on disk what Kafka has not taken yet
    harness.wait_until(lambda: sink.stats()["distinct"] >= answer["accepted"], f"all of {answer['accepted']}; there are {sink.stats()}", 60)
    stats = sink.stats()
    print(f"broker, {fault} {rounds} times: {answer['accepted']} accepted, {stats['distinct']} arrived, {stats['doubled']} twice")
    assert stats["broken"] == 0


def test_what_is_on_disk_outlives_the_broker_and_weir(start_weir, start_sink, tmp_path):
    """Acknowledged while there was no broker, then SIGKILL: all of it arrives when both are back."""
    broker, sink, port = kafka_server.Broker(tmp_path / "broker", started=False), start_sink(), harness.free_port()
    config = on_disk(exporting(port, broker.address, signals=["traces"], traces={"topic": "spans"}), tmp_path / "queue")
    config["exporters"]["kafka"]["sending_queue"].update(sizer="bytes", queue_size=100000000)
    node = start_weir(config, "node")
    answer = harness.run_load(port, "--count", 20000, "--records", 100, "--stamp", "--retry")
    assert answer["accepted"] == 20000
    node.kill()
    try:
        broker.start()
        broker.create("spans")
        start_weir(config, "again")
        start_weir(to_sink(broker.address, sink, traces={"topics": ["spans"]}), "tier")
        harness.wait_until(lambda: sink.stats()["distinct"] == 20000, f"all of them; there are {sink.stats()}", 40)
    finally:
        broker.stop()


@pytest.mark.parametrize("name, state", [("otlp_http", "hangs"), ("elasticsearch", "hangs"), ("elasticsearch", "is away")])
def test_another_destination_does_not_slow_kafka(name, state, broker, start_weir, start_sink, tmp_path):
    sink, port, topic = start_sink(), harness.free_port(), unique("spans", tmp_path)
    broker.create(topic)
    sink.mode("hang")
    endpoint = f"http://127.0.0.1:{sink.port if state == 'hangs' else harness.free_port()}"
    config = exporting(port, broker.address, signals=["traces"], traces={"topic": topic})
    config["exporters"][name] = {"endpoint": endpoint, "timeout": "1s", "sending_queue": {"queue_size": 100000, "sizer": "requests", "batch": None},
                                 "retry_on_failure": FAST_RETRY}
    config["service"]["pipelines"]["traces"]["exporters"].append(name)
    weir = start_weir(config, arguments=["--drain-timeout", "1s"])
    assert harness.run_load(port, "--count", 20000, "--records", 100, "--stamp")["accepted"] == 20000
    harness.wait_until(lambda: weir.metric("otelcol_exporter_sent_spans", exporter="kafka") == 20000, "Kafka has everything", 10)
    assert not weir.metric("otelcol_exporter_sent_spans", exporter=name)
    spans = messages.request_type("traces")
    read = [spans.FromString(one["value"]) for one in broker.read(topic)]
    assert sum(len(scope.spans) for one in read for group in one.resource_spans for scope in group.scope_spans) == 20000


def test_kafka_that_is_not_there_is_waited_for(start_weir, tmp_path):
    """Not an error at the start; what was accepted arrives when it is there."""
    broker = kafka_server.Broker(tmp_path / "broker", started=False)
    try:
        port = harness.free_port()
        weir = start_weir(exporting(port, broker.address, signals=["logs"], logs={"topic": "logs"}), arguments=["--drain-timeout", "30s"])
        assert harness.post_json(port, "logs", harness.log_document(count=3))[0] == 200
        weir.wait_log("trouble with Kafka")
        broker.start()
        harness.wait_until(lambda: weir.metric("otelcol_exporter_sent_log_records") == 3, "they are sent")
        assert len(records_in("logs", [one["value"] for one in broker.read("logs")])) == 3
        weir.wait_log("Kafka works again")
        assert weir.log().count("trouble with Kafka") == 1
    finally:
        broker.stop()


@pytest.mark.full
@pytest.mark.parametrize("after", [0, 0.004, 0.02, 0.1])
def test_a_broker_that_dies_while_weir_leaves_does_not_hold_it(after, start_weir, start_sink, tmp_path):
    broker, sink, port = kafka_server.Broker(tmp_path / "broker"), start_sink(), harness.free_port()
    try:
        broker.create("spans")
        start_weir(exporting(port, broker.address, signals=["traces"], traces={"topic": "spans"}), "node", arguments=["--drain-timeout", "1s"])
        tier = start_weir(to_sink(broker.address, sink, traces={"topics": ["spans"]}), "tier", arguments=["--drain-timeout", "1s"])
        load = harness.start_load(port, "--duration", 4, "--records", 50, "--rate", 5000, "--stamp", "--retry")
        time.sleep(3)
        tier.process.terminate()
        time.sleep(after)
    finally:
        broker.stop()
    assert tier.process.wait(20) == 0  # a second SIGTERM would end it at once
    harness.finish_load(load)


def test_stopping_with_a_dead_broker_ends_in_time(start_weir, tmp_path):
    port = harness.free_port()
    config = exporting(port, "127.0.0.1:1", signals=["logs"])
    config["receivers"]["kafka"] = {"brokers": ["127.0.0.1:1"]}
    config["service"]["pipelines"]["logs"]["receivers"].append("kafka")
    weir = start_weir(config, arguments=["--drain-timeout", "1s"])
    assert harness.post_json(port, "logs", harness.log_document())[0] == 200
    started = time.monotonic()
    weir.stop()
    assert time.monotonic() - started < 8
