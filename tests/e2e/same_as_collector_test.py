"""The same configuration and the same 100,000 spans of mixed services through weir and through the OpenTelemetry Collector: what comes out
must be equal, span by span. The collector is build/peer/otelcol, or what WEIR_PEER names; it needs the processors below.
"""
import collections
import json
import os
import pathlib
import random
import subprocess
import time

import pytest
import yaml

from e2e import harness

PEER = pathlib.Path(os.environ.get("WEIR_PEER", harness.ROOT / "build" / "peer")) / "otelcol"
SPANS, IN_ONE = int(os.environ.get("WEIR_SAME_SPANS", "100000")), 1000
TIME = 1700000000000000000


def has_processors():
    if not PEER.exists():
        return False
    listed = subprocess.run([PEER, "components"], capture_output=True, text=True, check=False).stdout
    return all(name in listed for name in ("attributes", "probabilistic_sampler", "transform"))


pytestmark = [pytest.mark.full, pytest.mark.skipif(not has_processors(), reason="no OpenTelemetry Collector with these processors (./dev bench --peer-build)")]


# ---- spans of mixed services ----

def attribute(key, value):
    if isinstance(value, bool):
        return {"key": key, "value": {"boolValue": value}}
    if isinstance(value, int):
        return {"key": key, "value": {"intValue": str(value)}}
    if isinstance(value, float):
        return {"key": key, "value": {"doubleValue": value}}
    if isinstance(value, list):
        return {"key": key, "value": {"arrayValue": {"values": [attribute("", item)["value"] for item in value]}}}
    if isinstance(value, dict):
        return {"key": key, "value": {"kvlistValue": {"values": [attribute(name, item) for name, item in value.items()]}}}
    return {"key": key, "value": {"stringValue": value}}


def http_attributes(chance):
    return {"http.request.method": chance.choice(["GET", "POST", "PUT", "DELETE"]), "url.path": f"/api/v{chance.randrange(3)}/orders/{chance.randrange(10**6)}",
            "http.response.status_code": chance.choice([200, 200, 201, 204, 301, 400, 404, 500, 503]), "server.address": chance.choice(["a.internal", "b.internal"]),
            "user_agent.original": chance.choice(["curl/8.1", "Mozilla/5.0 (X11; Linux x86_64)", "Googlebot/2.1"]), "url.full": f"https://shop.example/p?id={chance.randrange(99)}&q=ü"}


def database_attributes(chance):
    return {"db.system": chance.choice(["postgresql", "mysql", "redis"]), "db.statement": f"SELECT * FROM t WHERE id = {chance.randrange(10**9)}",
            "db.rows": chance.randrange(5000), "db.cost": chance.choice([0.5, 1.25, 1e21, -3.0, 17.0]), "db.cached": chance.random() < 0.5}


def messaging_attributes(chance):
    return {"messaging.system": "kafka", "messaging.destination.name": f"topic-{chance.randrange(20)}", "messaging.batch": chance.randrange(1, 500),
            "messaging.tags": [chance.choice("abc"), chance.randrange(9), chance.random() < 0.5], "messaging.headers": {"x-id": f"{chance.randrange(10**6):x}", "retry": chance.randrange(4)}}


def trace_state(chance, trace_id):
    kind = chance.randrange(12)
    if kind == 0:
        return f"ot=rv:{chance.randrange(2**56):014x}"
    if kind == 1:
        return f"vendor=x,ot=th:{chance.choice(['8', 'c', '0', '4'])}"
    if kind == 2:
        return "ot=th:0;rv:" + trace_id[18:]
    if kind == 3:
        return chance.choice(["=", "ot=th:", "a=b,,c=d", " a=b , c=d ", "UPPER=1", "ot=x:y"])
    return "vendor=abc" if kind == 4 else ""


def span(chance, number):
    trace_id = f"{chance.getrandbits(128):032x}" if chance.random() > 0.01 else ""
    attributes = {"n": number, **chance.choice([http_attributes, database_attributes, messaging_attributes])(chance)}
    if chance.random() < 0.03:
        attributes["sampling.priority"] = chance.choice([0, 1, -1, "0", "1", "high", 0.5, True])
    if chance.random() < 0.2:
        attributes["enduser"] = chance.choice(["alice@example.org", "bob", ""])
    one = {"traceId": trace_id, "spanId": f"{number + 1:016x}", "name": chance.choice(["GET /orders/{id}", "select", "send topic", "Checkout", ""]), "kind": chance.randrange(6),
           "startTimeUnixNano": str(TIME + number * 1000), "endTimeUnixNano": str(TIME + number * 1000 + chance.randrange(10**9)), "traceState": trace_state(chance, trace_id),
           "attributes": [attribute(key, value) for key, value in attributes.items()], "status": {"code": chance.randrange(3)}}
    if chance.random() < 0.3:
        one["parentSpanId"] = f"{chance.getrandbits(64):016x}"
    if chance.random() < 0.1:
        one["events"] = [{"timeUnixNano": str(TIME), "name": "exception", "attributes": [attribute("exception.type", "E")]}]
    return one


def documents():
    chance = random.Random(7)
    for first in range(0, SPANS, IN_ONE):
        groups = []
        for service in range(5):
            resource = [attribute("service.name", f"service-{chance.randrange(20)}"), attribute("host.name", f"host-{service}"), attribute("k8s-cluster", "eu")]
            numbers = range(first + service * IN_ONE // 5, first + (service + 1) * IN_ONE // 5)
            groups.append({"resource": {"attributes": resource}, "scopeSpans": [{"scope": {"name": chance.choice(["lib.a", "lib.b"]), "version": "1.2"},
                                                                              "spans": [span(chance, number) for number in numbers]}]})
        yield json.dumps({"resourceSpans": groups}).encode()


@pytest.fixture(scope="module")
def bodies():
    return list(documents())


# ---- what came out ----

def plain(value):
    """A value in one spelling: order of maps, and how numbers are written, do not count."""
    (kind, item), = value.items() if value else [("empty", None)]
    if kind == "kvlistValue":
        return kind, sorted((entry["key"], plain(entry.get("value") or {})) for entry in (item or {}).get("values", []))
    if kind == "arrayValue":
        return kind, [plain(entry) for entry in (item or {}).get("values", [])]
    return kind, float(item) if kind == "doubleValue" else str(item)


def attributes_of(message):
    return sorted((entry["key"], plain(entry.get("value") or {})) for entry in message.get("attributes", []))


def spans_of(path):
    found = {}
    with open(path, encoding="utf-8") as file:
        for line in file:
            for group in json.loads(line).get("resourceSpans", []):
                around = (attributes_of(group.get("resource", {})), group.get("schemaUrl", ""))
                for scope_group in group.get("scopeSpans", []):
                    scope = scope_group.get("scope", {})
                    for one in scope_group.get("spans", []):
                        own = {key: value for key, value in one.items() if value not in ("", 0, [], {}, None) and key not in ("attributes", "events", "links", "status")}
                        events = [(event.get("name"), attributes_of(event)) for event in one.get("events", [])]
                        status = (one.get("status") or {}).get("code", 0), (one.get("status") or {}).get("message", "")
                        assert one["spanId"] not in found, "a span twice"
                        found[one["spanId"]] = (around, scope.get("name"), scope.get("version"), own, attributes_of(one), events, status)
    return found


def configuration(port, path, processors):
    return {"receivers": {"otlp": {"protocols": {"http": {"endpoint": f"127.0.0.1:{port}"}}}}, "processors": processors,
            "exporters": {"file": {"path": str(path), "flush_interval": "100ms"}},
            "service": {"pipelines": {"traces": {"receivers": ["otlp"], "processors": list(processors), "exporters": ["file"]}},
                        "telemetry": {"metrics": {"level": "none"}}}}


def run(binary, folder, processors, bodies):
    folder.mkdir()
    port, path = harness.free_port(), folder / "out.jsonl"
    (folder / "config.yaml").write_text(yaml.safe_dump(configuration(port, path, processors)))
    with open(folder / "log", "wb") as log:
        process = subprocess.Popen([binary, "--config", folder / "config.yaml"], stdout=log, stderr=log)
    try:
        harness.wait_until(lambda: answers(port), f"{binary} listens: {(folder / 'log').read_text()[-2000:]}", 30)
        for body in bodies:
            status, answer = harness.request(port, "/v1/traces", body, {"Content-Type": "application/json"}, timeout=60)[:2]
            assert status == 200, answer
        time.sleep(0.5)
    finally:
        process.terminate()
        process.wait(60)
    return spans_of(path)


def answers(port):
    try:
        return harness.request(port, "/v1/traces", b"{}", {"Content-Type": "application/json"})[0] == 200
    except OSError:
        return False


def compare(tmp_path, processors, bodies):
    ours, theirs = (run(binary, tmp_path / name, processors, bodies) for name, binary in (("weir", os.environ.get("WEIR_BINARY", harness.BINARY)), ("peer", PEER)))
    assert theirs, "nothing came out of the collector"
    only = collections.Counter("weir" if one in ours else "collector" for one in ours.keys() ^ theirs.keys())
    assert not only, f"kept by one alone: {dict(only)}, such as {sorted(ours.keys() ^ theirs.keys())[:3]}"
    unequal = [one for one in ours if ours[one] != theirs[one]]
    assert not unequal, f"{len(unequal)} of {len(ours)} differ, such as\n{ours[unequal[0]]}\n{theirs[unequal[0]]}"
    return len(ours)


# ---- the processors ----

ACTIONS = [
    {"key": "env", "value": "prod", "action": "insert"}, {"key": "n", "value": 7, "action": "update"}, {"key": "region", "value": 1.5, "action": "upsert"},
    {"key": "copy", "from_attribute": "url.path", "action": "insert"}, {"key": "enduser", "action": "hash"}, {"key": "db.rows", "action": "hash"}, {"key": "db.cached", "action": "hash"},
    {"pattern": "^user_agent", "action": "delete"}, {"key": "url.full", "pattern": "^(?P<scheme>[a-z]+)://(?P<host>[^/]+)(?P<rest>/.*)?$$", "action": "extract"},
    {"key": "http.response.status_code", "action": "convert", "converted_type": "string"}, {"key": "db.cost", "action": "convert", "converted_type": "int"},
    {"key": "messaging.tags", "action": "convert", "converted_type": "string"}, {"key": "messaging.headers", "action": "convert", "converted_type": "string"},
    {"key": "messaging.batch", "action": "convert", "converted_type": "double"}, {"key": "fallback", "from_attribute": "none", "default_value": [1, "a"], "action": "insert"},
]

CASES = {
    "attributes": {"attributes": {"actions": ACTIONS}},
    "attributes-include": {"attributes": {"include": {"match_type": "regexp", "services": ["service-1.?$$"], "span_names": ["^GET", "ect$$"]},
                                          "exclude": {"match_type": "strict", "attributes": [{"key": "http.request.method", "value": "GET"}]}, "actions": ACTIONS[:4]}},
    "attributes-kinds": {"attributes": {"include": {"match_type": "strict", "span_kinds": ["SPAN_KIND_SERVER"], "libraries": [{"name": "lib.a", "version": "1.2"}],
                                                    "resources": [{"key": "host.name", "value": "host-1"}]}, "actions": ACTIONS[:4]}},
    "resource": {"resource": {"attributes": [{"key": "zone", "value": "z1", "action": "upsert"}, {"key": "k8s.cluster.name", "from_attribute": "k8s-cluster", "action": "insert"},
                                             {"key": "k8s-cluster", "action": "delete"}, {"key": "host.name", "action": "hash"}]}},
    "filter": {"filter": {"error_mode": "ignore", "trace_conditions": [
        'span.attributes["http.response.status_code"] < 400', 'IsMatch(span.name, "^s.*") and span.kind == SPAN_KIND_CLIENT', 'resource.attributes["service.name"] == "service-3"',
        'span.attributes["db.cost"] > 1.0 and span.attributes["db.cached"] != true']}},
    "hash_seed": {"probabilistic_sampler": {"sampling_percentage": 20, "hash_seed": 22}},
    "hash_seed-open": {"probabilistic_sampler": {"sampling_percentage": 33.3, "mode": "hash_seed", "fail_closed": False}},
    "proportional": {"probabilistic_sampler": {"sampling_percentage": 20, "mode": "proportional", "sampling_precision": 6}},
    "proportional-open": {"probabilistic_sampler": {"sampling_percentage": 7.5, "mode": "proportional", "fail_closed": False}},
    "default-mode": {"probabilistic_sampler": {"sampling_percentage": 7.5}},
    "equalizing": {"probabilistic_sampler": {"sampling_percentage": 40, "mode": "equalizing"}},
}

STATEMENTS = """
set(span.attributes["env"], "prod")
set(span.attributes["kind"], span.kind.string)
set(span.attributes["length"], Len(span.name))
set(span.name, "unnamed") where span.name == ""
set(span.name, ConvertCase(span.name, "lower")) where span.kind == SPAN_KIND_CLIENT
set(span.status.code, STATUS_CODE_ERROR) where span.attributes["http.response.status_code"] >= 500
set(span.status.message, "server error") where span.attributes["http.response.status_code"] == 503
delete_key(span.attributes, "user_agent.original")
delete_matching_keys(span.attributes, "^url\\\\.f")
replace_pattern(span.attributes["url.path"], "/[0-9]+$", "/{id}")
replace_pattern(span.attributes["db.statement"], "= [0-9]+", "= ?")
set(span.attributes["table"], ExtractPatterns(span.attributes["db.statement"], "FROM (?P<table>\\\\w+)")) where span.attributes["db.statement"] != nil
set(span.attributes["topic.parts"], Split(span.attributes["messaging.destination.name"], "-")) where span.attributes["messaging.destination.name"] != nil
set(span.attributes["first"], Substring(span.name, 0, 3)) where Len(span.name) >= 3
set(span.attributes["hash"], SHA256(span.attributes["enduser"])) where span.attributes["enduser"] != nil
set(span.attributes["fnv"], FNV(span.name))
set(span.attributes["md5"], MD5(span.name))
set(span.attributes["rows"], Double(span.attributes["db.rows"])) where span.attributes["db.rows"] != nil
set(span.attributes["status.text"], String(span.attributes["http.response.status_code"])) where span.attributes["http.response.status_code"] != nil
set(span.attributes["status.class"], span.attributes["http.response.status_code"] / 100) where span.attributes["http.response.status_code"] != nil
set(span.attributes["sum"], span.attributes["n"] * 2 + 1)
set(span.attributes["service"], resource.attributes["service.name"])
set(span.attributes["full"], Concat([resource.attributes["service.name"], span.name], ": "))
set(span.attributes["is.bot"], IsMatch(span.attributes["user_agent.original"], "(?i)bot"))
set(span.attributes["is.root"], IsRootSpan())
set(span.attributes["is.string"], IsString(span.attributes["messaging.system"]))
set(span.attributes["retry"], span.attributes["messaging.headers"]["retry"]) where span.attributes["messaging.headers"] != nil
set(span.attributes["tag"], span.attributes["messaging.tags"][0]) where span.attributes["messaging.tags"] != nil
set(span.attributes["micros"], (span.end_time_unix_nano - span.start_time_unix_nano) / 1000)
set(span.attributes["slow"], true) where span.end_time_unix_nano - span.start_time_unix_nano > 500000000
set(span.attributes["json"], ParseJSON("{\\"a\\": [1, true, \\"x\\"]}"))
merge_maps(span.attributes, ParseJSON("{\\"merged\\": \\"yes\\", \\"env\\": \\"no\\"}"), "insert")
set(span.attributes["trace.id"], span.trace_id.string)
set(span.attributes["hex"], Hex(span.attributes["db.rows"])) where span.attributes["db.rows"] != nil
set(span.attributes["base64"], Base64Decode("aGVsbG8="))
set(span.attributes["trimmed"], Trim("  x  "))
set(span.attributes["has.prefix"], HasPrefix(span.name, "get"))
flatten(span.attributes["messaging.headers"], "h") where span.attributes["messaging.headers"] != nil
truncate_all(span.attributes, 60)
limit(span.attributes, 100, ["env"])
""".strip().splitlines()


def test_forty_statements(tmp_path, bodies):
    assert len(STATEMENTS) == 40
    statements = [statement.replace("$", "$$") for statement in STATEMENTS]
    compare(tmp_path, {"transform": {"error_mode": "ignore", "trace_statements": statements}}, bodies)


@pytest.mark.parametrize("name", CASES)
def test_same(name, tmp_path, bodies):
    compare(tmp_path, CASES[name], bodies)
