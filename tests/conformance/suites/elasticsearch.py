"""The collector's elasticsearch exporter: exact documents and action lines, taken by a server that notes every _bulk request.

One weir for each configuration; without a queue a request is answered when its documents have been taken, so that what came
between two requests belongs to the first.
"""
import collections
import json
import re
import tempfile

from conformance.exchange import first_difference
from conformance.outcome import failed, judge, skipped
from e2e import harness, search_stub

FOLDER = "elasticsearch"
SIGNALS = {"resourceLogs": "logs", "resourceMetrics": "metrics", "resourceSpans": "traces"}


# ---- rows ----

Row = collections.namedtuple("Row", "id config signal inputs expect")


def signal_of(document):
    return next((name for key, name in SIGNALS.items() if key in document), None)


def bulk_rows(path):
    for number, line in enumerate(path.read_text().splitlines(), 1):
        row = json.loads(line)
        yield Row(f"bulk/{row['test']}:{number}", row["config"], row["signal"], row["inputs"], lambda items, row=row: check_bulk(items, row["expect"]))


def unit_rows(path):
    """One record to one document; those rows know no index, so every signal has one that is no data stream."""
    for number, line in enumerate(path.read_text().splitlines(), 1):
        row = json.loads(line)
        config = {**row["config"], "logs_index": "unit", "metrics_index": "unit", "traces_index": "unit"}
        yield Row(f"unit/{row['test']}:{number}", config, signal_of(row["input"]), [row["input"]],
                  lambda items, row=row: check_documents(items, [row["expected_document"]]))


def metrics_rows(folder):
    expected = folder / "metrics-cpu.expected.ndjson"
    if not (folder / "metrics-cpu.json").exists():
        return
    wanted = [json.loads(line) for line in expected.read_text().splitlines()] if expected.exists() else None
    yield Row("unit/metrics-cpu", {"mapping": {"mode": "ecs"}, "metrics_index": "unit"}, "metrics", [json.loads((folder / "metrics-cpu.json").read_text())],
              None if wanted is None else lambda items: check_documents(items, wanted))


# ---- checks: each returns what is wrong, or "" ----


def match_all(wanted, got, ordered=False):
    """Two lists of JSON values, in any order."""
    if len(wanted) != len(got):
        return f"{len(wanted)} wanted, {len(got)} came: {json.dumps(got)[:300]}"
    left = list(got)
    for one in wanted:
        found = next((other for other in (left[:1] if ordered else left) if not first_difference(one, other)), None)
        if found is None:
            return f"not among what came ({first_difference(one, left[0])}): {json.dumps(one)[:200]}"
        left.remove(found)
    return ""


def check_documents(items, wanted):
    return match_all(wanted, [item.document for item in items])


def pick(items, path):
    """"@item0.document|scope.attributes": the text of a part of an item, or the value at a path in it; None: it is not there."""
    name, rest = re.fullmatch(r"@(\w+)\.(.*)", path).groups()
    part, _, inner = rest.partition("|")
    if name == "the_item_whose_document_has_event_name":
        item = next((one for one in items if "event_name" in one.document), None)
    else:
        index = int(name.removeprefix("item"))
        item = items[index] if index < len(items) else None
    if item is None:
        return None
    if not inner:
        return getattr(item, f"{part}_text")
    value = getattr(item, part)
    for key in inner.split("."):
        value = value.get(key) if isinstance(value, dict) else None
    return value


def check_part(items, check):
    value = pick(items, check["path"])
    text = value if isinstance(value, str) else json.dumps(value)
    if "equals" in check:
        return "" if value == check["equals"] else f"{check['path']}: {check['equals']!r} wanted, {value!r} came"
    if "json_equals" in check:
        return first_difference(check["json_equals"], json.loads(value) if isinstance(value, str) else value, check["path"])
    if "contains" in check:
        return "" if check["contains"] in text else f"{check['path']}: no {check['contains']!r} in {text}"
    return "" if check["not_contains"] not in text else f"{check['path']}: {check['not_contains']!r} in {text}"


def check_bulk(items, checks):
    for check in checks:
        if "bulk_items_exactly" in check:
            problem = match_all(check["bulk_items_exactly"], [{"action": item.action, "document": item.document} for item in items], check.get("ordered"))
        elif "items_at_least" in check:
            problem = "" if len(items) >= check["items_at_least"] else f"{check['items_at_least']} items wanted, {len(items)} came"
        elif "no_request" in check:
            problem = f"{len(items)} documents were sent" if items else ""
        else:
            problem = check_part(items, check)
        if problem:
            return problem
    return ""


# ---- running ----


def whole_config(config, stub, port):
    exporter = {"sending_queue": {"enabled": False}, **config, "endpoint": stub.url}
    return {
        "receivers": {"otlp": harness.otlp_receiver(http_port=port)},
        "exporters": {"elasticsearch": exporter},
        "service": {"pipelines": harness.pipelines(exporters=["elasticsearch"])},
    }


def run_rows(rows, binary, folder):
    """Rows of one configuration through one weir."""
    stub, port = search_stub.Stub(), harness.free_port()
    outcomes = []
    try:
        weir = harness.Weir(whole_config(rows[0].config, stub, port), folder, binary=binary)
    except AssertionError as error:
        stub.close()
        return [failed(row.id, str(error)) for row in rows]
    try:
        for row in rows:
            answers = [harness.post_json(port, row.signal, document) for document in row.inputs]
            items = stub.take()
            if row.expect is None:
                outcomes.append(skipped(row.id, "the documents that are expected are not here"))
                continue
            problem = row.expect(items)
            outcomes.append(judge(row.id, problem and f"{problem}; weir answered {[status for status, _, _ in answers]}"))
        weir.stop()
    finally:
        weir.kill()
        stub.close()
    return outcomes


def run(folder, binary):
    rows = [*bulk_rows(folder / "bulk_blackbox.jsonl"), *unit_rows(folder / "documents_unit.jsonl"), *metrics_rows(folder)]
    groups = collections.defaultdict(list)
    for row in rows:
        groups[json.dumps(row.config, sort_keys=True)].append(row)
    outcomes = []
    with tempfile.TemporaryDirectory() as temporary:
        for number, group in enumerate(groups.values()):
            outcomes += run_rows(group, binary, f"{temporary}/{number}")
    order = {row.id: number for number, row in enumerate(rows)}
    return sorted(outcomes, key=lambda outcome: order[outcome.id])
