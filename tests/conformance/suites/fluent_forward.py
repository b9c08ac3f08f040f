"""The OpenTelemetry Collector's events of the forward protocol: what must become records, what must end the connection, and cut messages."""
import json

from conformance import log_streams
from conformance.outcome import judge

FOLDER = "fluent-forward"
SETTINGS = {"endpoint": "127.0.0.1:PORT"}


def record_of(got):
    return {"timestamp_unix_nano": int(got.get("timeUnixNano", 0)), "body": log_streams.plain(got.get("body")),
            "attributes": log_streams.attributes(got.get("attributes", []))}


def accepted(row, binary):
    with log_streams.running("fluent_forward", SETTINGS, binary) as streams:
        streams.send(bytes.fromhex(row["hex"]))
        got = [record_of(record) for record in streams.wait_records(len(row["expected_logs"]))]
    return "" if got == row["expected_logs"] else f"expected {row['expected_logs']}, got {got}"


def truncated(row, binary):
    """Every proper prefix, each on a connection of its own."""
    data = bytes.fromhex(row["hex"])
    with log_streams.running("fluent_forward", SETTINGS, binary) as streams:
        for size in range(1, len(data) - 1):
            streams.send(data[:size])
        got = log_streams.seen_after(streams)
    return f"{len(got)} records of cut messages" if got else ""


def refused(row, binary):
    with log_streams.running("fluent_forward", SETTINGS, binary) as streams:
        if not streams.is_closed_after(bytes.fromhex(row["hex"])):
            return "the connection was not ended"
        return "records came" if log_streams.seen_after(streams) else ""


def run(folder, binary):
    out = []
    for line in (folder / "events.jsonl").read_text().splitlines():
        row = json.loads(line)
        check = accepted if row["accept"] else truncated if "truncations" in row["name"] else refused
        out.append(judge(row["name"], check(row, binary)))
    return out
