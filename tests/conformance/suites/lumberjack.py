"""What go-lumber's own clients write, and frames that its readers refuse: events must be there before the last acknowledgement."""
import datetime
import json

from conformance import log_streams
from conformance.outcome import judge

FOLDER = "lumberjack"
SETTINGS = {"endpoint": "127.0.0.1:PORT"}


def event_of(record):
    event = log_streams.attributes(record.get("attributes", []))
    if "body" in record:
        event["message"] = log_streams.plain(record["body"])
    if int(record.get("timeUnixNano", 0)):
        moment = datetime.datetime.fromtimestamp(int(record["timeUnixNano"]) // 10**6 / 1000, datetime.timezone.utc)
        event["@timestamp"] = moment.isoformat(timespec="milliseconds").replace("+00:00", "Z")
    return event


def until_acknowledged(streams, data, wanted):
    """Reads acknowledgements until the wanted one; what came instead, or "" when it came."""
    last = b""
    with streams.connect() as connection:
        connection.sendall(data)
        while last != wanted:
            last = connection.recv(6, 0x100)  # MSG_WAITALL
            if len(last) < 6:
                return f"the connection ended before {wanted.hex()}"
    return ""


def accepted(row, streams):
    before = len(streams.records())
    expected = row.get("expected_events", [])
    data = bytes.fromhex(row["hex"])
    if row.get("expected_final_ack_hex"):
        problem = until_acknowledged(streams, data, bytes.fromhex(row["expected_final_ack_hex"]))
        if problem:
            return problem
    else:
        streams.send(data)
    got = [event_of(record) for record in streams.records()[before:]]
    return "" if got == expected else f"expected {str(expected)[:200]}, got {str(got)[:200]}"


def refused(row, streams):
    before = len(streams.records())
    if not streams.is_closed_after(bytes.fromhex(row["hex"])):
        return "the connection was not ended"
    return "records came" if len(log_streams.seen_after(streams)) > before else ""


def run(folder, binary):
    out = []
    with log_streams.running("lumberjack", SETTINGS, binary) as streams:
        for number, line in enumerate((folder / "frames.jsonl").read_text().splitlines()):
            row = json.loads(line)
            out.append(judge(f"{number}/{row['name']}", accepted(row, streams) if row["accept"] else refused(row, streams)))
    return out
