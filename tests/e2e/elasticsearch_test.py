"""The elasticsearch exporter: every fault by a server that plays it, then a real Elasticsearch and a real OpenSearch with HTTPS and users."""
import collections
import itertools
import json
import subprocess
import threading
import time

import pytest

from e2e import harness, search_server, search_stub
from torture import ledger
from torture.rig import Rig

PORTS = itertools.count()


# ---- weir in front of a search server ----


def configure(url, port, **exporter):
    """OTLP in, documents out; what comes waits only shortly for company."""
    queue = {"batch": {"flush_timeout": "20ms", "min_size": 1}, **exporter.pop("sending_queue", {})}
    return {
        "receivers": {"otlp": harness.otlp_receiver(http_port=port)},
        "exporters": {"elasticsearch": {"endpoints": url if isinstance(url, list) else [url], "retry": {"initial_interval": "20ms", "max_interval": "200ms"},
                                        "retry_on_failure": {"initial_interval": "50ms", "max_interval": "500ms"}, "sending_queue": queue, **exporter}},
        "service": {"pipelines": harness.pipelines(exporters=["elasticsearch"])},
    }


@pytest.fixture
def start_stub():
    running = []

    def start(answer=None, **options):
        running.append(search_stub.Stub(answer, **options))
        return running[-1]

    yield start
    for stub in running:
        stub.close()


@pytest.fixture
def start_exporter(start_weir):
    def start(url, **exporter):
        port = harness.free_port()
        weir = start_weir(configure(url, port, **exporter), name=f"weir{next(PORTS)}", arguments=["--drain-timeout", "2s"])
        weir.otlp_port = port
        return weir

    return start


def send(weir, signal_name, document):
    status, _, answer = harness.post_json(weir.otlp_port, signal_name, document)
    assert status == 200, (status, answer)


def logs(*bodies, attributes=None):
    records = [{"timeUnixNano": "1700000000000000000", "body": {"stringValue": body},
                "attributes": [{"key": key, "value": value} for key, value in (attributes or {}).items()]} for body in bodies]
    return {"resourceLogs": [{"resource": {"attributes": [{"key": "service.name", "value": {"stringValue": "shop"}}]}, "scopeLogs": [{"logRecords": records}]}]}


def with_id(body, identity):
    return logs(body, attributes={"elasticsearch.document_id": {"stringValue": identity}})


def texts(items):
    return sorted(item.document["body"]["text"] for item in items)


def wait_items(stub, count, seconds=20):
    return harness.wait_until(lambda: [item for bulk in list(stub.bulks) for item in bulk.items] if sum(len(bulk.items) for bulk in list(stub.bulks)) >= count else None,
                              f"{count} documents; {[len(bulk.items) for bulk in stub.bulks]} came", seconds)


def wait_metric(weir, outcome, count):
    harness.wait_until(lambda: weir.metric("weir_elasticsearch_documents", outcome=outcome) == count,
                       f"{count} documents {outcome}; there are {weir.metric('weir_elasticsearch_documents', outcome=outcome)}\n{weir.log()[-1500:]}")


class Script:
    """Answers one after the other; then everything is taken."""

    def __init__(self, *answers):
        self.answers = list(answers)

    def __call__(self, bulk):
        answer = self.answers.pop(0) if self.answers else search_stub.take_all
        return answer(bulk) if callable(answer) else answer


# ---- requests ----


def test_a_request_is_gzip_ndjson_with_credentials(start_stub, start_exporter):
    stub = start_stub()
    weir = start_exporter(f"http://127.0.0.1:{stub.port}/base/?x=y", user="elastic", password="secret", pipeline="clean", headers={"X-Own": "1"})
    send(weir, "logs", logs("one"))
    wait_items(stub, 1)
    bulk = stub.bulks[0]
    assert bulk.path == "/base/_bulk" and bulk.gzip
    assert bulk.query["x"] == ["y"] and bulk.query["pipeline"] == ["clean"] and bulk.query["require_data_stream"] == ["true"]
    assert bulk.headers["authorization"] == "Basic ZWxhc3RpYzpzZWNyZXQ=" and bulk.headers["x-own"] == "1"
    assert bulk.headers["content-type"] == "application/x-ndjson"
    assert bulk.items[0].action == {"create": {"_index": "logs-generic.otel-default"}}


def test_an_api_key_goes_before_a_password(start_stub, start_exporter):
    stub = start_stub()
    weir = start_exporter(stub.url, user="elastic", password="secret", api_key="a2V5", compression="none")
    send(weir, "logs", logs("one"))
    wait_items(stub, 1)
    assert stub.bulks[0].headers["authorization"] == "ApiKey a2V5" and not stub.bulks[0].gzip


def test_large_batches_become_several_requests(start_stub, start_exporter):
    stub = start_stub()
    weir = start_exporter(stub.url, sending_queue={"batch": {"flush_timeout": "20ms", "min_size": 1, "max_size": 20000}})
    send(weir, "logs", logs(*(f"{number:05} " + "x" * 100 for number in range(1000))))
    items = wait_items(stub, 1000)
    assert len(items) == 1000 and len(set(texts(items))) == 1000
    assert max(bulk.size for bulk in stub.bulks) < 25000


def test_the_mode_may_be_asked_for_by_scope_and_header(start_stub, start_exporter, start_weir):
    stub, port = start_stub(), harness.free_port()
    config = configure(stub.url, port, mapping={"allowed_modes": ["otel", "ecs", "bodymap"]}, metadata_keys=["x-elastic-mapping-mode"])
    config["receivers"]["otlp"]["protocols"]["http"]["include_metadata"] = True
    weir = start_weir(config)
    weir.otlp_port = port
    document = logs("by header")
    assert harness.post_json(port, "logs", document, **{"X-Elastic-Mapping-Mode": "ecs"})[0] == 200
    assert wait_items(stub, 1)[0].document["message"] == "by header"
    document["resourceLogs"][0]["scopeLogs"][0]["scope"] = {"attributes": [{"key": "elastic.mapping.mode", "value": {"stringValue": "ecs"}}]}
    send(weir, "logs", document)
    assert wait_items(stub, 2)[1].document["service"] == {"name": "shop"}
    document["resourceLogs"][0]["scopeLogs"][0]["scope"]["attributes"][0]["value"]["stringValue"] = "raw"  # not allowed
    send(weir, "logs", document)
    assert wait_items(stub, 3)[2].document["body"] == {"text": "by header"}


# ---- results of documents ----


def test_only_failed_documents_are_sent_again(start_stub, start_exporter):
    stub = start_stub(Script(search_stub.results([201, 429, 201]), search_stub.results([503])))
    weir = start_exporter(stub.url)
    send(weir, "logs", logs("a", "b", "c"))
    wait_metric(weir, "delivered", 3)
    assert [[item.document["body"]["text"] for item in bulk.items] for bulk in stub.bulks] == [["a", "b", "c"], ["b"], ["b"]]


def test_a_part_that_keeps_failing_is_tried_beyond_max_retries_and_nothing_is_doubled(start_stub, start_exporter):
    stub = start_stub(Script(search_stub.results([201, 429]), *[search_stub.results([429])] * 8))
    weir = start_exporter(stub.url, retry={"max_retries": 1, "initial_interval": "5ms", "max_interval": "10ms"})
    send(weir, "logs", logs("a", "b"))
    wait_metric(weir, "delivered", 2)
    assert [len(bulk.items) for bulk in stub.bulks] == [2] + [1] * 9


def test_a_poisoned_document_goes_to_the_dead_letters_and_the_rest_lands(start_stub, start_exporter, tmp_path):
    error = {"type": "document_parsing_exception", "reason": "failed to parse field [attributes.n] of type [long]", "caused_by": {"type": "x"}}
    stub = start_stub(Script(search_stub.results([201, 400, 201], {1: error})))
    letters = tmp_path / "dead.jsonl"
    weir = start_exporter(stub.url, dead_letter={"path": str(letters)})
    send(weir, "logs", logs("a", "poison", "c"))
    wait_metric(weir, "dead_letter", 1)
    wait_metric(weir, "delivered", 2)
    (letter,) = [json.loads(line) for line in letters.read_text().splitlines()]
    assert letter["status"] == 400 and letter["error"] == error and letter["index"] == "logs-generic.otel-default" and letter["exporter"] == "elasticsearch"
    assert letter["document"]["body"]["text"] == "poison" and letter["action"] == {"create": {"_index": "logs-generic.otel-default"}}
    assert len(stub.bulks) == 1
    weir.wait_log("1 documents were refused and are in the dead-letter file.*failed to parse field")


def test_without_a_dead_letter_file_refused_documents_are_counted(start_stub, start_exporter):
    stub = start_stub(Script(search_stub.results([400, 201])))
    weir = start_exporter(stub.url)
    send(weir, "logs", logs("poison", "b"))
    wait_metric(weir, "refused", 1)
    wait_metric(weir, "delivered", 1)
    weir.wait_log("1 documents were refused and are lost, set dead_letter.path")


def test_a_dead_letter_file_that_cannot_be_written_loses_nothing(start_stub, start_exporter, tmp_path):
    """/dev/full stands for a full disk."""
    stub = start_stub(lambda bulk: search_stub.results([400] * len(bulk.items)))
    weir = start_exporter(stub.url, dead_letter={"path": "/dev/full"})
    send(weir, "logs", logs("poison"))
    weir.wait_log("can't deliver .dead_letter_failed.*No space left")
    stub.answer = search_stub.take_all
    wait_metric(weir, "delivered", 1)


def test_a_conflict_of_ids_is_a_delivery(start_stub, start_exporter):
    stub = start_stub(Script(search_stub.results([409])))
    weir = start_exporter(stub.url, logs_dynamic_id={"enabled": True})
    send(weir, "logs", with_id("a", "id-1"))
    wait_metric(weir, "duplicate", 1)
    assert stub.bulks[0].items[0].action["create"]["_id"] == "id-1"


def test_an_internal_error_of_one_document_is_given_up_in_the_end(start_stub, start_exporter, tmp_path):
    stub = start_stub(lambda bulk: search_stub.results([500 if item.document["body"]["text"] == "bad" else 201 for item in bulk.items]))
    weir = start_exporter(stub.url, dead_letter={"path": str(tmp_path / "dead")})
    send(weir, "logs", logs("a", "bad"))
    wait_metric(weir, "dead_letter", 1)
    assert [len(bulk.items) for bulk in stub.bulks] == [2, 1, 1]


# ---- requests that fail as a whole ----


@pytest.mark.parametrize("fault", [search_stub.refuse(429), search_stub.refuse(503), search_stub.refuse(500), search_stub.refuse(502, body=b"<html>"), search_stub.refuse(401),
                                   search_stub.RESET, search_stub.HALF, (200, {}, b'{"items":[{"create":{"sta'), (200, {}, b"")],
                         ids=["429", "503", "500", "502", "401", "reset", "half a reply", "cut json", "no reply"])
def test_what_fails_as_a_whole_is_sent_again(start_stub, start_exporter, fault):
    stub = start_stub(Script(*[fault] * 4))
    weir = start_exporter(stub.url)
    send(weir, "logs", logs("a", "b"))
    wait_metric(weir, "delivered", 2)
    assert [texts(bulk.items) for bulk in stub.bulks] == [["a", "b"]] * 5
    weir.wait_log("delivers again, after")


def test_a_request_that_hangs_is_ended_by_the_timeout(start_stub, start_exporter):
    stub = start_stub(Script(search_stub.HANG))
    weir = start_exporter(stub.url, timeout="300ms")
    send(weir, "logs", logs("a"))
    wait_metric(weir, "delivered", 1)


def test_retry_after_is_honoured(start_stub, start_exporter):
    stub = start_stub(Script(search_stub.refuse(429, {"Retry-After": "1"})))
    weir = start_exporter(stub.url)
    send(weir, "logs", logs("a"))
    wait_metric(weir, "delivered", 1)
    assert stub.bulks[1].time - stub.bulks[0].time >= 1.0


def test_a_bad_request_is_not_repeated(start_stub, start_exporter, tmp_path):
    stub = start_stub(Script(search_stub.refuse(400)))
    weir = start_exporter(stub.url, dead_letter={"path": str(tmp_path / "dead")})
    send(weir, "logs", logs("a"))
    wait_metric(weir, "dead_letter", 1)
    assert len(stub.bulks) == 1


def test_one_attempt_when_retry_is_off(start_stub, start_exporter):
    stub = start_stub(lambda bulk: search_stub.refuse(503))
    weir = start_exporter(stub.url, retry={"enabled": False})
    send(weir, "logs", logs("a"))
    weir.wait_log("gave up 1 log_records that had been accepted")
    assert len(stub.bulks) == 1


def test_too_large_a_request_is_cut_in_halves(start_stub, start_exporter, tmp_path):
    def answer(bulk):
        return search_stub.refuse(413) if bulk.size > 2000 else search_stub.take_all(bulk)

    stub = start_stub(answer)
    weir = start_exporter(stub.url, dead_letter={"path": str(tmp_path / "dead")})
    send(weir, "logs", logs(*(f"{number:03}" for number in range(40)), "x" * 3000))
    wait_metric(weir, "delivered", 40)
    wait_metric(weir, "dead_letter", 1)
    letter = json.loads((tmp_path / "dead").read_text())
    assert letter["status"] == 413 and letter["document"]["body"]["text"] == "x" * 3000
    taken = [item for bulk in stub.bulks if bulk.size <= 2000 for item in bulk.items]
    assert texts(taken) == [f"{number:03}" for number in range(40)]


def test_what_was_too_large_is_remembered(start_stub, start_exporter):
    stub = start_stub(lambda bulk: search_stub.refuse(413) if bulk.size > 3000 else search_stub.take_all(bulk))
    weir = start_exporter(stub.url)
    for number in range(1, 4):
        send(weir, "logs", logs(*(f"{number} {place:03}" for place in range(100))))
        wait_metric(weir, "delivered", 100 * number)
    refused = [bulk for bulk in stub.bulks if bulk.size > 3000]
    assert 2 <= len(refused) <= 4, [bulk.size for bulk in stub.bulks]
    assert refused[0] is stub.bulks[0] and max(bulk.size for bulk in stub.bulks[8:]) < 4000


def test_a_request_refused_for_one_document_is_narrowed_down_to_it(start_stub, start_exporter, tmp_path):
    def answer(bulk):
        return search_stub.refuse(400) if any("poison" in item.document["body"]["text"] for item in bulk.items) else search_stub.take_all(bulk)

    stub = start_stub(answer)
    weir = start_exporter(stub.url, dead_letter={"path": str(tmp_path / "dead")})
    send(weir, "logs", logs(*(f"{number:03}" for number in range(20)), "poison", *(f"{number:03}" for number in range(20, 40))))
    wait_metric(weir, "delivered", 40)
    wait_metric(weir, "dead_letter", 1)


def test_a_server_that_does_not_know_templates_and_data_streams(start_stub, start_exporter):
    """OpenSearch in its own words."""
    def answer(bulk):
        if "require_data_stream" in bulk.query:
            return search_stub.refuse(400, body=b'{"error":{"type":"illegal_argument_exception","reason":"request [/_bulk] contains unrecognized parameter: [require_data_stream]"}}')
        if "dynamic_templates" in bulk.items[0].action["create"]:
            return search_stub.refuse(400, body=b'{"error":{"reason":"Malformed action/metadata line [1], expected a simple value for field [dynamic_templates] but found"}}')
        return search_stub.take_all(bulk)

    stub = start_stub(answer)
    weir = start_exporter(stub.url)
    for number in range(2):
        send(weir, "metrics", harness.gauge_document(count=1))
        wait_metric(weir, "delivered", number + 1)
    assert stub.bulks[-1].items[0].action == {"create": {"_index": "metrics-generic.otel-default"}}
    assert sum("require_data_stream" in bulk.query for bulk in stub.bulks) == 1


# ---- several servers ----


def test_endpoints_take_turns_and_a_dead_one_is_passed_over(start_stub, start_exporter):
    stubs, nobody = [start_stub(), start_stub()], harness.free_port()
    weir = start_exporter([stubs[0].url, f"http://127.0.0.1:{nobody}", stubs[1].url])
    for number in range(8):
        send(weir, "logs", logs(str(number)))
        wait_metric(weir, "delivered", number + 1)
    counts = [sum(len(bulk.items) for bulk in stub.bulks) for stub in stubs]
    assert sum(counts) == 8 and min(counts) >= 2, counts
    assert "can't deliver" not in weir.log()


def test_nodes_are_discovered(start_stub, start_exporter):
    first, second = start_stub(), start_stub()
    first.nodes = [f"host/127.0.0.1:{second.port}"]
    weir = start_exporter(first.url, discover={"on_start": True})
    send(weir, "logs", logs("a"))
    wait_items(second, 1)
    assert not first.bulks


def test_a_server_that_comes_back_gets_everything_once(start_stub, start_exporter):
    port = harness.free_port()
    weir = start_exporter(f"http://127.0.0.1:{port}")
    for number in range(5):
        send(weir, "logs", logs(f"early {number}"))
    weir.wait_log("can't deliver .unreachable.*check that Elasticsearch runs")
    stub = start_stub(port=port)
    wait_metric(weir, "delivered", 5)
    assert texts(stub.take()) == [f"early {number}" for number in range(5)]


def test_stopping_does_not_wait_for_a_dead_server(start_stub, start_exporter):
    stub = start_stub(lambda bulk: search_stub.HANG)
    weir = start_exporter(stub.url)
    send(weir, "logs", logs("a"))
    wait_items(stub, 1)
    started = time.monotonic()
    weir.stop()
    assert time.monotonic() - started < 10


def test_wrong_settings_are_told_before_anything_starts(tmp_path):
    def validate(**exporter):
        config = {"receivers": {"otlp": {"protocols": {"http": {}}}}, "exporters": {"elasticsearch": exporter},
                  "service": {"pipelines": {"logs": {"receivers": ["otlp"], "exporters": ["elasticsearch"]}}}}
        (tmp_path / "weir.yaml").write_text(json.dumps(config))
        done = subprocess.run([harness.BINARY, "validate", "--config", tmp_path / "weir.yaml"], capture_output=True, text=True, check=False)
        return done.returncode, done.stderr

    url = "http://127.0.0.1:9200"
    assert validate(endpoint=url)[0] == 0
    assert validate(cloudid="foo:YmFyLmNsb3VkLmVzLmlvJGFiYzEyMyRkZWY0NTY=")[0] == 0
    for words, settings in {
        "exactly one of endpoint, endpoints and cloudid": {},
        "exactly one of endpoint": {"endpoint": url, "endpoints": [url]},
        "endpoint \\\"ftp": {"endpoint": "ftp://there"},
        "cloudid": {"cloudid": "nonsense"},
        "mapping.mode \"flat\"": {"endpoint": url, "mapping": {"mode": "flat"}},
        "not among mapping.allowed_modes": {"endpoint": url, "mapping": {"mode": "raw", "allowed_modes": ["ecs"]}},
        "compression": {"endpoint": url, "compression": "zstd"},
        "retry_on_status": {"endpoint": url, "retry": {"retry_on_status": ["often"]}},
        "max_requests": {"endpoint": url, "retry": {"max_requests": 3, "max_retries": 2}},
    }.items():
        status, text = validate(**settings)
        assert status == 1 and words.replace("\\\"", "\"") in text, (settings, text)


# ---- faults by chance ----


@pytest.mark.parametrize("seed, rounds", [(1, 10), pytest.param(2, 100, marks=pytest.mark.full)])
def test_nothing_acknowledged_is_lost(seed, rounds, tmp_path):
    """weir killed and frozen, the server away and answering all that one can answer; poisoned documents are in the dead-letter file."""
    with Rig(tmp_path, seed, destination="elasticsearch") as torture:
        for _ in range(rounds):
            torture.round()
        report = torture.settle()
    print(report)
    assert report["acknowledged"] > 0
    assert (report["missing"], report["wrong"]) == (0, 0)


# ---- real servers ----


@pytest.fixture(scope="module")
def elasticsearch(tmp_path_factory):
    reason = search_server.skip_reason(search_server.ELASTICSEARCH)
    if reason:
        pytest.skip(reason)
    node = search_server.Node(tmp_path_factory.mktemp("elasticsearch") / "node", search_server.ELASTICSEARCH)
    yield node
    node.stop()


@pytest.fixture(scope="module")
def opensearch(tmp_path_factory):
    reason = search_server.skip_reason(search_server.OPENSEARCH, security=True)
    if reason:
        pytest.skip(reason)
    node = search_server.Node(tmp_path_factory.mktemp("opensearch") / "node", search_server.OPENSEARCH, security=True)
    yield node
    node.stop()


def credentials_of(node):
    return {"user": "admin", "password": "admin", "tls": {"ca_file": str(node.config / "ca.pem")}} if node.security else {}


def set_up(node, folder):
    config = configure(node.url, 4318, **credentials_of(node))
    folder.mkdir(exist_ok=True)
    (folder / "setup.yaml").write_text(json.dumps(config))
    done = subprocess.run([harness.BINARY, "elasticsearch", "setup", "--config", folder / "setup.yaml"], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return done.stdout


def resource(name_space):
    return {"attributes": [{"key": "service.name", "value": {"stringValue": "shop"}}, {"key": "data_stream.namespace", "value": {"stringValue": name_space}}]}


def logs_in(name_space, document):
    """Each test has data streams of its own: those of Elasticsearch without X-Pack can't be deleted."""
    document["resourceLogs"][0]["resource"] = resource(name_space)
    return document


def transaction(trace_id, name_space):
    """Two spans, one with an event, and two logs of one trace."""
    spans = [{"traceId": trace_id, "spanId": f"{number:016x}", "name": f"step {number}", "kind": 2, "startTimeUnixNano": "1700000000000000001",
              "endTimeUnixNano": "1700000001000000000", "attributes": [{"key": "http.route", "value": {"stringValue": "/cart"}}],
              "events": [{"name": "cache miss", "timeUnixNano": "1700000000500000000"}] if number == 1 else []} for number in (1, 2)]
    records = [{"traceId": trace_id, "spanId": f"{number:016x}", "timeUnixNano": "1700000000250000000", "severityText": "INFO", "severityNumber": 9,
                "body": {"stringValue": f"did step {number}"}, "attributes": [{"key": "a", "value": {"stringValue": "x"}}, {"key": "a.b", "value": {"intValue": "5"}}]}
               for number in (1, 2)]
    return {"resourceSpans": [{"resource": resource(name_space), "scopeSpans": [{"scope": {"name": "e2e"}, "spans": spans}]}]}, \
           {"resourceLogs": [{"resource": resource(name_space), "scopeLogs": [{"scope": {"name": "e2e"}, "logRecords": records}]}]}


def all_metrics():
    def metric(name, kind, point, **more):
        return {"name": name, "unit": "1", kind: {"dataPoints": [{"timeUnixNano": "1700000000000000000", "startTimeUnixNano": "1690000000000000000",
                                                                   "attributes": [{"key": "host.name", "value": {"stringValue": "h1"}}], **point}], **more}}

    metrics = [
        metric("app.gauge", "gauge", {"asDouble": 1.5}), metric("app.count", "sum", {"asInt": "7"}, isMonotonic=True, aggregationTemporality=2),
        metric("app.latency", "histogram", {"count": "3", "sum": 6, "bucketCounts": ["1", "2"], "explicitBounds": [2]}, aggregationTemporality=1),
        metric("app.sizes", "summary", {"count": "2", "sum": 3.5}),
    ]
    return {"resourceMetrics": [{"resource": resource("all"), "scopeMetrics": [{"metrics": metrics}]}]}


def check_all_signals(node, weir):
    trace_id = "0af7651916cd43dd8448eb211c80319c"
    spans, records = transaction(trace_id, "all")
    send(weir, "traces", spans)
    send(weir, "logs", records)
    send(weir, "metrics", all_metrics())
    found = node.wait_search("traces-*-all,logs-*-all", 5, {"term": {"trace_id": trace_id}})
    assert sorted(document.get("name") or document.get("event_name") or document["body"]["text"] for document in found) == [
        "cache miss", "did step 1", "did step 2", "step 1", "step 2"]
    assert len(node.search("traces-*-all", {"term": {"resource.attributes.service.name": "shop"}})) == 2
    assert len(node.search("logs-*-all", {"term": {"attributes.a": "x"}})) == 2
    (point,) = node.wait_search("metrics-*-all", 1)
    assert point["metrics"] == {"app.gauge": 1.5, "app.count": 7, "app.latency": {"counts": [1, 2], "values": [1.0, 2.0]}, "app.sizes": {"sum": 3.5, "value_count": 2}}
    assert len(node.search("metrics-*-all", {"range": {"metrics.app.count": {"gte": 7}}})) == 1
    assert len(node.search("logs-*-all", {"range": {"@timestamp": {"gte": "2023-11-14T22:13:20Z", "lt": "2023-11-14T22:13:21Z"}}})) == 3
    assert not weir.metric("weir_elasticsearch_documents", outcome="refused")


def test_elasticsearch_finds_every_signal_by_trace_and_service(elasticsearch, start_exporter, tmp_path):
    report = set_up(elasticsearch, tmp_path)
    assert report.count(": installed\n") == 6
    assert set_up(elasticsearch, tmp_path) == report
    check_all_signals(elasticsearch, start_exporter(elasticsearch.url))
    assert all(document["_index"].startswith(".ds-") for document in elasticsearch.search("logs-*-all,traces-*-all,metrics-*-all"))
    status, stats = elasticsearch.request("GET", "/logs-generic.otel-all/_mapping")
    mapping = next(iter(stats.values()))["mappings"]["properties"]
    assert status == 200 and mapping["trace_id"]["type"] == "keyword" and mapping["@timestamp"]["type"] == "date_nanos"


def test_without_a_template_nothing_becomes_an_index_by_mistake(elasticsearch, start_exporter, tmp_path):
    weir = start_exporter(elasticsearch.url, dead_letter={"path": str(tmp_path / "dead")}, logs_index="mistake")
    send(weir, "logs", logs("one"))
    wait_metric(weir, "dead_letter", 1)
    assert json.loads((tmp_path / "dead").read_text())["error"]["type"] == "index_not_found_exception"
    assert elasticsearch.request("GET", "/mistake")[0] == 404


def test_a_mapping_conflict_takes_one_document_to_the_dead_letters(elasticsearch, start_exporter, tmp_path):
    set_up(elasticsearch, tmp_path)
    weir = start_exporter(elasticsearch.url, dead_letter={"path": str(tmp_path / "dead")})
    send(weir, "logs", logs_in("conflict", logs("number", attributes={"n": {"intValue": "5"}})))
    elasticsearch.wait_search("logs-*-conflict", 1)
    document = logs_in("conflict", logs("good 1", "good 2", attributes={"n": {"intValue": "6"}}))
    document["resourceLogs"][0]["scopeLogs"][0]["logRecords"][0]["attributes"] = [{"key": "n", "value": {"stringValue": "not a number"}}]
    send(weir, "logs", document)
    wait_metric(weir, "dead_letter", 1)
    assert sorted(found["body"]["text"] for found in elasticsearch.search("logs-*-conflict")) == ["good 2", "number"]
    letter = json.loads((tmp_path / "dead").read_text())
    assert letter["error"]["type"] == "document_parsing_exception" and letter["document"]["attributes"]["n"] == "not a number"


def test_documents_with_ids_are_there_once(elasticsearch, start_exporter, tmp_path):
    set_up(elasticsearch, tmp_path)
    weir = start_exporter(elasticsearch.url, logs_dynamic_id={"enabled": True})
    for _ in range(2):
        send(weir, "logs", logs_in("ids", with_id("same", "one-and-only")))
    wait_metric(weir, "duplicate", 1)
    (document,) = elasticsearch.search("logs-*-ids")
    assert document["_id"] == "one-and-only"


def test_a_blocked_index_holds_documents_back(elasticsearch, start_exporter):
    weir = start_exporter(elasticsearch.url, logs_index="plain", mapping={"mode": "ecs"})
    send(weir, "logs", logs("first"))
    elasticsearch.wait_search("plain", 1)
    assert elasticsearch.request("PUT", "/plain/_settings", {"index.blocks.read_only_allow_delete": True})[0] == 200
    send(weir, "logs", logs("second"))
    weir.wait_log("can't deliver")
    assert elasticsearch.request("PUT", "/plain/_settings", {"index.blocks.read_only_allow_delete": None})[0] == 200
    assert sorted(document["message"] for document in elasticsearch.wait_search("plain", 2)) == ["first", "second"]


def numbered(name_space, numbers):
    document = logs_in(name_space, logs(*(f"{number:06} {ledger.check_word(number)}" for number in numbers)))
    for number, record in zip(numbers, document["resourceLogs"][0]["scopeLogs"][0]["logRecords"]):
        record["attributes"] = [{"key": "number", "value": {"intValue": str(number)}}]
    return document


def found_numbers(node, name_space):
    """How often each number is there, all pages of the search; each text is checked."""
    counts, after, size = collections.Counter(), {}, 5000
    while True:
        query = {"size": size, "sort": [{"attributes.number": "asc"}], "_source": ["body.text"], **after}
        status, found = node.request("POST", f"/logs-*-{name_space}/_search", query)
        assert status == 200, found
        hits = found["hits"]["hits"]
        for hit in hits:
            number, word = hit["_source"]["body"]["text"].split()
            assert word == ledger.check_word(int(number)) and hit["sort"] == [int(number)]
            counts[int(number)] += 1
        if len(hits) < size:
            return counts
        after = {"search_after": hits[-1]["sort"]}


def wait_count(node, name_space, count, seconds=60):
    """A cheap question, because it is asked again and again."""
    def enough():
        node.request("POST", f"/logs-*-{name_space}/_refresh")
        status, answer = node.request("GET", f"/logs-*-{name_space}/_count")
        return status == 200 and answer["count"] >= count

    harness.wait_until(enough, f"{count} documents in logs-*-{name_space}", seconds, 0.5)


def test_search_finds_every_document(elasticsearch, start_exporter, tmp_path):
    set_up(elasticsearch, tmp_path)
    weir = start_exporter(elasticsearch.url, sending_queue={"batch": {"flush_timeout": "100ms", "max_size": 200000, "min_size": 100000}})
    for first in range(0, 9000, 300):
        send(weir, "logs", numbered("every", range(first, first + 300)))
    wait_count(elasticsearch, "every", 9000)
    assert found_numbers(elasticsearch, "every") == {number: 1 for number in range(9000)}


@pytest.mark.full
def test_a_server_killed_again_and_again_under_load(elasticsearch, start_weir, tmp_path):
    """The queue is on disk. Documents have no ids, so that some may be there twice; none may be missing."""
    set_up(elasticsearch, tmp_path)
    port = harness.free_port()
    config = configure(elasticsearch.url, port, sending_queue={"storage": "file_storage", "queue_size": 100000, "batch": {"flush_timeout": "100ms"}})
    config["extensions"] = {"file_storage": {"directory": str(tmp_path / "storage"), "create_directory": True, "fsync": True}}
    config["service"]["extensions"] = ["file_storage"]
    weir = start_weir(config)
    acknowledged, stopped = set(), threading.Event()

    def load():
        for first in itertools.count(0, 100):
            if stopped.is_set():
                return
            if harness.post_json(port, "logs", numbered("again", range(first, first + 100)))[0] == 200:
                acknowledged.update(range(first, first + 100))
            time.sleep(0.1)

    sender = threading.Thread(target=load)
    sender.start()
    for pause in (2, 1, 3, 0.5):
        time.sleep(pause)
        elasticsearch.kill()
        time.sleep(pause / 2)
        elasticsearch.start()
    time.sleep(2)
    stopped.set()
    sender.join()
    wait_count(elasticsearch, "again", len(acknowledged), 120)
    harness.wait_until(lambda: weir.metric("otelcol_exporter_queue_size") == 0, "the queue is empty", 60)
    elasticsearch.request("POST", "/logs-*-again/_refresh")
    found = found_numbers(elasticsearch, "again")
    print(f"{len(acknowledged)} acknowledged, {len(found)} found, {sum(found.values()) - len(found)} twice")
    assert len(acknowledged) > 3000 and not acknowledged.difference(found)


def test_a_server_killed_and_started_again_has_everything(elasticsearch, start_exporter, tmp_path):
    set_up(elasticsearch, tmp_path)
    weir = start_exporter(elasticsearch.url, logs_dynamic_id={"enabled": True}, retry_on_failure={"initial_interval": "100ms", "max_interval": "1s"},
                          sending_queue={"queue_size": 1000})
    for number in range(60):
        send(weir, "logs", logs_in("killed", with_id(f"{number:03}", f"id-{number}")))
        if number == 30:
            elasticsearch.kill()
    elasticsearch.start()
    found = elasticsearch.wait_search("logs-*-killed", 60)
    assert sorted(document["body"]["text"] for document in found) == [f"{number:03}" for number in range(60)]


def test_opensearch_over_https_finds_every_signal(opensearch, start_exporter, tmp_path):
    """Templates are installed when the first document comes."""
    weir = start_exporter(opensearch.url, setup_on_start=True, **credentials_of(opensearch))
    check_all_signals(opensearch, weir)
    for first in range(0, 3000, 300):
        send(weir, "logs", numbered("every", range(first, first + 300)))
    wait_count(opensearch, "every", 3000)
    assert opensearch.request("GET", "/logs-*-every/_count")[1]["count"] == 3000
    assert {stream["name"] for stream in opensearch.request("GET", "/_data_stream")[1]["data_streams"]} == {
        "logs-generic.otel-all", "logs-generic.otel-every", "traces-generic.otel-all", "metrics-generic.otel-all"}
    weir.wait_log("index template weir-logs-otel: installed")
    assert set_up(opensearch, tmp_path).count(": installed\n") == 6


def test_a_wrong_password_holds_documents_back(opensearch, start_exporter):
    weir = start_exporter(opensearch.url, **{**credentials_of(opensearch), "password": "wrong"})
    send(weir, "logs", logs("one"))
    weir.wait_log("can't deliver .unauthenticated.*check user and password")
