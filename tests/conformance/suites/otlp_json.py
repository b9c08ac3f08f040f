"""OTLP/JSON documents: which are accepted, which refused, and that what is written says the same."""
import json

from conformance import exchange
from conformance.outcome import judge, skipped

FOLDER = "otlp-json"

# Rows of a bare type become a document that holds one.
AROUND = {
    "KeyValueList": '{"resourceLogs":[{"scopeLogs":[{"logRecords":[{"body":{"kvlistValue":%s}}]}]}]}',
    "ArrayValue": '{"resourceLogs":[{"scopeLogs":[{"logRecords":[{"body":{"arrayValue":%s}}]}]}]}',
    "AnyValue": '{"resourceLogs":[{"scopeLogs":[{"logRecords":[{"body":%s}]}]}]}',
    "KeyValue": '{"resourceLogs":[{"scopeLogs":[{"logRecords":[{"attributes":[%s]}]}]}]}',
    "Attribute": '{"resourceLogs":[{"scopeLogs":[{"logRecords":[{"attributes":[%s]}]}]}]}',
    "Resource": '{"resourceLogs":[{"resource":%s,"scopeLogs":[{"logRecords":[{"severityText":"x"}]}]}]}',
    "InstrumentationScope": '{"resourceLogs":[{"scopeLogs":[{"scope":%s,"logRecords":[{"severityText":"x"}]}]}]}',
}
# The enum of the Go test is nobody's; its three names become the first three of a span's kind.
ENUM_TYPE = "enum{undefined:0,foo:1,bar:2}"
ENUM_NAMES = {"undefined": "SPAN_KIND_UNSPECIFIED", "foo": "SPAN_KIND_INTERNAL", "bar": "SPAN_KIND_SERVER"}


def document_of_scalar(row):
    if row.get("document"):
        return row["document"]
    if row["type"] == ENUM_TYPE:
        text = row["json"]
        for name, ours in ENUM_NAMES.items():
            text = text.replace(f'"{name}"', f'"{ours}"')
        return '{"resourceSpans":[{"scopeSpans":[{"spans":[{"name":"s","kind":%s}]}]}]}' % text
    return AROUND[row["type"]] % row["json"] if row["type"] in AROUND else None


def signal_of_text(text):
    for signal_name, word in (("traces", "resourceSpans"), ("metrics", "resourceMetrics"), ("logs", "resourceLogs"), ("profiles", "resourceProfiles")):
        if word in text:
            return signal_name
    return "traces"


def rows_of(folder):
    """(id, signal, text, is it refused)"""
    for path in sorted(folder.rglob("*.json")):
        text = path.read_text()
        yield f"{path.relative_to(folder)}", signal_of_text(text), text, False
    for path in sorted(folder.glob("*.jsonl")):
        for line in path.read_text().splitlines():
            row = json.loads(line)
            if "type" in row:
                text = document_of_scalar(row)
                yield row["id"], text and signal_of_text(text), text, row["reject"]
            else:
                text = row.get("document", row.get("input"))
                yield row["id"], row.get("signal") or signal_of_text(text), text, row.get("kind") == "reject"


def verdict(sent, refused):
    if refused:
        return judge(sent.id, exchange.refusal_problem(sent))
    if sent.signal == "profiles":
        return judge(sent.id, exchange.acceptance_problem(sent))
    return judge(sent.id, exchange.roundtrip_problem(sent, json.loads(sent.body)))


def run(folder, binary):
    rows = list(rows_of(folder))
    sent = [exchange.Sent(name, signal_name, text.encode()) for name, signal_name, text, _ in rows if text]
    refused = {name: is_refused for name, _, _, is_refused in rows}
    out = [skipped(name, "a type that no OTLP request holds") for name, _, text, _ in rows if not text]
    return out + [verdict(one, refused[one.id]) for one in exchange.run(binary, sent)]
