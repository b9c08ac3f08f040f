"""go-syslog's and the OpenTelemetry Collector's syslog messages, each sent by octet counting; and both framings of RFC 6587.

rsyslog's own parser tests are a second opinion on what RFC 3164 leaves open, in rsyslog's output templates; they are not run.
"""
import base64
import datetime
import json

from conformance import log_streams
from conformance.outcome import judge

FOLDER = "syslog"


def text_of(value):
    return base64.b64decode(value["$b64"]) if isinstance(value, dict) and "$b64" in value else value.encode()


def replaced(value):
    """What is not UTF-8 is replaced in records."""
    return text_of(value).decode(errors="replace") if isinstance(value, str) or (isinstance(value, dict) and "$b64" in value) else value


def moment_of(text):
    """A time without a year is in 2000, a leap year."""
    return datetime.datetime.fromisoformat(text.replace("Z", "+00:00").replace("0000-", "2000-"))


def problem_of(record, expected, yearless=False):
    """Where the record is not what go-syslog says; "" when it is."""
    attributes = log_streams.attributes(record.get("attributes", []))
    wanted = {key: replaced(value) for key, value in expected.items() if key not in ("severity", "timestamp")}
    if attributes != wanted:
        return f"expected {str(wanted)[:300]}, got {str(attributes)[:300]}"
    nanos = int(record.get("timeUnixNano", 0))
    if "timestamp" not in expected:
        return "" if nanos == 0 else "a time where none is"
    got = datetime.datetime.fromtimestamp(nanos // 1000 / 10**6, datetime.timezone.utc)
    moment = moment_of(expected["timestamp"])
    got = got.replace(year=2000) if yearless else got
    return "" if got == moment.astimezone(datetime.timezone.utc) else f"expected {moment}, got {got}"


def counted(data):
    return b"%d " % len(data) + data


def settings(protocol, **more):
    tcp = {"listen_address": "127.0.0.1:PORT", "preserve_leading_whitespaces": True, "preserve_trailing_whitespaces": True}
    return {"protocol": protocol, "on_error": "drop_quiet", "tcp": tcp, **more}


def run_messages(folder, binary, protocol):
    """Rows of one message each; the body says which record is whose."""
    out = []
    rows = [json.loads(line) for line in (folder / f"{protocol}.jsonl").read_text().splitlines()]
    with log_streams.running("syslog", settings(protocol, enable_octet_counting=True, max_octets=1 << 20), binary) as streams:
        for row in rows:
            streams.send(counted(text_of(row["input"])))
        bodies = {log_streams.plain(record["body"]): record
                  for record in streams.wait_records(sum(1 for row in rows if row["valid"] or row.get("compliant_msg_option")))}
    for number, row in enumerate(rows):
        record = bodies.get(counted(text_of(row["input"])).decode(errors="replace"))
        name = f"{protocol}/{number}"
        if row.get("compliant_msg_option") and not row["valid"]:  # strict only where the reference is asked to be
            out.append(judge(name, "" if record else "refused, though it is not by default"))
        elif not row["valid"]:
            out.append(judge(name, "taken, though it is not valid" if record else ""))
        else:
            out.append(judge(name, problem_of(record, row["expected"], protocol == "rfc3164") if record else f"no record of {row['input']!r}"))
    return out


def run_stream(row, binary, name, **more):
    """What the records of one connection are."""
    wanted = [one["message"] for one in row["expected"] if "message" in one]
    with log_streams.running("syslog", settings("rfc5424", **more), binary) as streams:
        streams.send(text_of(row["stream"]))
        records = streams.wait_records(len(wanted)) if wanted else log_streams.seen_after(streams)
    if len(records) != len(wanted):
        return judge(name, f"{len(wanted)} messages expected, {len(records)} came")
    return judge(name, next(filter(None, map(problem_of, records, wanted)), ""))


def run_framings(folder, binary):
    out = []
    for line in (folder / "rfc6587_octet_counting.jsonl").read_text().splitlines():
        row = json.loads(line)
        out.append(run_stream(row, binary, f"octet_counting/{len(out)} {row['descr']}", enable_octet_counting=True, max_octets=row["max_message_length"] or 1 << 20))
    for line in (folder / "rfc6587_non_transparent.jsonl").read_text().splitlines():
        row = json.loads(line)
        out.append(run_stream(row, binary, f"non_transparent/{len(out)} {row['descr']}", non_transparent_framing_trailer=row["trailer"]))
    return out


def stanza_problem(row, record):
    expected = row["expected"]
    attributes = log_streams.attributes(record.get("attributes", []))
    if attributes != expected["attributes"]:
        return f"expected {expected['attributes']}, got {attributes}"
    if log_streams.plain(record["body"]) != expected["body"]:
        return f"expected the body {expected['body']!r}, got {record['body']}"
    severity = (int(record.get("severityNumber", 0)), record.get("severityText", ""))
    if severity != (expected["severity_number"], expected["severity_text"]):
        return f"expected the severity {expected['severity_number']}, got {severity}"
    got = datetime.datetime.fromtimestamp(int(record.get("timeUnixNano", 0)) // 1000 / 10**6, datetime.timezone.utc)
    return "" if got == moment_of(expected["timestamp"]) else f"expected {expected['timestamp']}, got {got}"


def run_stanza(folder, binary):
    out = []
    for line in (folder / "stanza_syslog_operator.jsonl").read_text().splitlines():
        row = json.loads(line)
        if not row.get("valid_for_tcp", True):
            continue
        with log_streams.running("syslog", {**settings("rfc5424"), **row["config"]}, binary) as streams:
            streams.send(text_of(row["input"]) + b"\n")
            records = streams.wait_records(1)
        out.append(judge(f"stanza/{row['name']}", stanza_problem(row, records[0]) if records else "no record"))
    return out


def run(folder, binary):
    return run_messages(folder, binary, "rfc5424") + run_messages(folder, binary, "rfc3164") + run_framings(folder, binary) + run_stanza(folder, binary)
