"""Whole documents that cover every pair of features: each must come out as it went in."""
import json

from conformance import exchange
from conformance.outcome import judge

FOLDER = "golden-dataset"


def run(folder, binary):
    rows = [json.loads(line) for path in sorted(folder.glob("*.jsonl")) for line in path.read_text().splitlines()]
    sent = [exchange.Sent(row["id"], row["signal"], json.dumps(row["input"]).encode()) for row in rows]
    documents = {row["id"]: row["input"] for row in rows}
    return [judge(one.id, exchange.roundtrip_problem(one, documents[one.id])) for one in exchange.run(binary, sent)]
