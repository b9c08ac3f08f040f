"""The OpenTelemetry Collector's own cases of OTTL: statements, and the transform and filter processors, document in, document out."""
import json

from conformance import exchange, row_pipelines
from conformance.outcome import judge
from e2e import otlp

FOLDER = "ottl-e2e"
STATEMENTS = {"logs": "log_statements", "traces": "trace_statements", "metrics": "metric_statements"}
RESULT = "value_expression_result"


def read(folder, name):
    return [json.loads(line) for line in (folder / f"{name}.jsonl").read_text().splitlines()]


def statements_row(name, raw):
    group = {"context": raw["context"], "statements": raw["statements"]}
    settings = {"error_mode": "ignore", STATEMENTS[raw["signal"]]: [group]}
    return row_pipelines.Row(name, raw["signal"], "transform", settings, raw["input"])


def expression_row(name, raw):
    statement = f'set(attributes["{RESULT}"], {raw["value_expression"]})'
    settings = {"error_mode": "propagate", STATEMENTS[raw["signal"]]: [{"context": raw["context"], "statements": [statement]}]}
    return row_pipelines.Row(name, raw["signal"], "transform", settings, raw["input"])


def processor_row(name, raw, processor, spare):
    """Rows without a document say what must go wrong on any."""
    return row_pipelines.Row(name, raw["signal"], processor, raw["config"], raw.get("input") or spare[raw["signal"]])


def any_value(wanted):
    """The attribute that an expression's value becomes."""
    (kind, value), = wanted.items()
    if kind == "trace_id":
        import base64
        return {"bytesValue": base64.b64encode(bytes.fromhex(value)).decode()}
    if kind == "map":
        return {"kvlistValue": {"values": [{"key": key, "value": any_value({"map" if isinstance(item, dict) else "string": item})}
                                           for key, item in value.items()]}}
    return {"string": {"stringValue": value}, "int64": {"intValue": str(value)}}[kind]


def expression_problem(row, raw):
    if row.refused:
        return f"refused: {row.refused}"
    attribute = {"key": RESULT, "value": any_value(raw["expected_value"])}
    holder = {"resourceLogs": [{"scopeLogs": [{"logRecords": [{"attributes": [attribute]}]}]}]}
    wanted = otlp.groups_of("logs", holder)[0]["scopeLogs"][0]["logRecords"][0]["attributes"]
    got = [one for group in otlp.groups_of("logs", {"resourceLogs": row.groups}) for scope in group["scopeLogs"]
           for record in scope["logRecords"] for one in record.get("attributes", []) if one["key"] == RESULT]
    return exchange.first_difference(wanted, got)


def error_problem(row, raw):
    """A configuration that must not load, or a request that must be refused; with the text, where one is given."""
    text = raw.get("expected_error_contains", "")
    if "Test_NewProcessor" in row.id:
        return "" if text in row.refused and row.refused else f"must not load, saying {text!r}: {row.refused or 'it loaded'}"
    if row.refused:
        return f"refused at start: {row.refused}"
    if row.status != 400:
        return f"must be refused with 400, got {row.status}"
    if row.groups:
        return "refused, and yet written"
    return "" if text in row.log else f"{text!r} is not in the log: {row.log[-300:]}"


def document_problem(row, raw):
    if row.refused:
        return f"refused: {row.refused}"
    if row.status != 200:
        return f"got {row.status}: {row.log[-300:]}"
    if raw.get("expected_dropped_entirely"):
        return "must be dropped whole" if row.groups else ""
    wanted = row_pipelines.comparable(row.signal, raw["expected"])
    got = row_pipelines.comparable(row.signal, {otlp.GROUPS[row.signal]: row.groups})
    return exchange.first_difference(wanted, got)


def problem(row, raw):
    if "value_expression" in raw:
        return expression_problem(row, raw)
    if "expected" not in raw and not raw.get("expected_dropped_entirely"):
        return error_problem(row, raw)
    return document_problem(row, raw)


def rows_of(folder):
    out = [(statements_row(f"statements/{number}", raw), raw) for number, raw in enumerate(read(folder, "statements"))]
    out += [(expression_row(f"value_expressions/{raw['name']}", raw), raw) for raw in read(folder, "value_expressions")]
    for name, processor in (("transformprocessor", "transform"), ("filterprocessor_ottl", "filter")):
        raws = read(folder, name)
        spare = {raw["signal"]: raw["input"] for raw in reversed(raws) if "input" in raw}
        out += [(processor_row(f"{name}/{raw['test']}", raw, processor, spare), raw) for raw in raws]
    return out


def run(folder, binary):
    rows = rows_of(folder)
    row_pipelines.run(binary, [row for row, _ in rows])
    return [judge(row.id, problem(row, raw)) for row, raw in rows]
