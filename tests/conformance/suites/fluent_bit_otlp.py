"""Fluent Bit's OTLP/JSON cases: what is refused there, and that what is accepted comes out as it went in.

Its own record model (`expected`) is not compared. Where it is stricter than the OpenTelemetry Collector, weir does as
the latter; those rows stand in exceptions.yaml.
"""
import json

from conformance import exchange
from conformance.outcome import judge
from e2e import otlp

FOLDER = "fluent-bit-otlp"


def rows_of(folder):
    """(id, signal, document, is it refused)"""
    for path in sorted(folder.glob("*.json")):
        for name, row in json.loads(path.read_text()).items():
            yield f"{path.stem}/{name}", path.stem, row["input"], "expected_error" in row
    for path in sorted(folder.glob("*/*.in.json")):
        document = json.loads(path.read_text())
        yield f"{path.relative_to(folder)}", otlp.signal_of(document), document, False


def run(folder, binary):
    rows = {name: (signal_name, document, refused) for name, signal_name, document, refused in rows_of(folder)}
    sent = [exchange.Sent(name, signal_name, json.dumps(document).encode()) for name, (signal_name, document, _) in rows.items()]
    out = []
    for one in exchange.run(binary, sent):
        _, document, refused = rows[one.id]
        out.append(judge(one.id, exchange.refusal_problem(one) if refused else exchange.roundtrip_problem(one, document)))
    return out
