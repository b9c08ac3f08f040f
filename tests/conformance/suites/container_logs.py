"""Lines as Docker, CRI-O and containerd write them: a file -> file_log receiver with the operator `container` -> file exporter.

Each row is a file of its own, followed by a receiver of its own. The pod's facts come from the path, which stands below a folder of ours; the rows of Windows
paths have it as an attribute. Rows of Vector say what a line means, and whether it is one at all.
"""
import base64
import datetime
import json
import pathlib
import tempfile
import time

from conformance.outcome import failed, judge
from e2e import harness

FOLDER = "container-logs"
PATH = "log.file.path"


def bytes_of(text):
    return base64.b64decode(text["$b64"]) if isinstance(text, dict) else text.encode()


def nanos(text):
    """Of RFC 3339, to the last digit."""
    head, _, rest = text.partition(".")
    digits = rest[:len(rest) - len(rest.lstrip("0123456789"))] if rest else ""
    zone = text[len(head) + 1 + len(digits):] if digits else text[19:]
    whole = datetime.datetime.fromisoformat(head[:19] + zone.replace("Z", "+00:00"))
    return int(whole.timestamp()) * 10**9 + int(digits.ljust(9, "0") or 0)


class Row:
    def __init__(self, name, lines, path, operator):
        self.id, self.lines, self.path, self.operator = name, lines, path, operator
        self.records = []
        self.attribute = None


def of_contrib(row):
    """(Row, what must come out)"""
    path = row["input_entries"][0].get("Attributes", {}).get(PATH)
    made = Row(f"contrib/{row['name']}", [bytes_of(entry["Body"]) for entry in row["input_entries"]], path or "/plain.log", dict(row["operator_config"]))
    if path and "\\" in path:
        made.attribute, made.path = path, "/windows.log"
    expected = [{
        "body": entry["Body"], "attributes": {key: value for key, value in entry.get("Attributes", {}).items() if key != PATH}, "resource": entry.get("Resource", {}),
        "time": nanos(entry["Timestamp"]),
    } for entry in row["expected_entries"]]
    return made, expected


def of_vector(number, row):
    made = Row(f"vector/{row['format']}-{number}", [bytes_of(row["input"])], "/plain.log",
               {"add_metadata_from_filepath": False, "on_error": "drop_quiet", "format": "docker" if row["format"] == "docker" else ""})
    expected = [{"body": row["message"], "attributes": {"log.iostream": row["stream"]}, "resource": {}, "time": nanos(row["timestamp"])}] if row["accept"] else []
    return made, expected


def rows_of(folder):
    rows = []
    for line in (folder / "container_parser.jsonl").read_text().splitlines():
        rows.append(of_contrib(json.loads(line)))
    for number, line in enumerate((folder / "vector_docker_cri.jsonl").read_text().splitlines()):
        rows.append(of_vector(number, json.loads(line)))
    return rows


def config_of(rows, work):
    config = {"receivers": {}, "exporters": {}, "service": {"pipelines": {}}}
    for number, (row, _) in enumerate(rows):
        path = work / str(number) / row.path.lstrip("/")
        path.parent.mkdir(parents=True)
        path.write_bytes(b"".join(line + b"\n" for line in row.lines))
        operators = [{"type": "container", **row.operator}]
        if row.attribute:
            operators.insert(0, {"type": "add", "field": f"attributes[\"{PATH}\"]", "value": row.attribute})
        if not operators[-1].get("format"):
            operators[-1].pop("format", None)
        config["receivers"][f"file_log/{number}"] = {
            "include": [str(path)], "start_at": "beginning", "include_file_name": False, "include_file_path": True, "preserve_leading_whitespaces": True,
            "preserve_trailing_whitespaces": True, "encoding": "utf-8", "operators": operators}
        config["exporters"][f"file/{number}"] = {"path": str(work / f"{number}.jsonl"), "flush_interval": "50ms"}
        config["service"]["pipelines"][f"logs/{number}"] = {"receivers": [f"file_log/{number}"], "exporters": [f"file/{number}"]}
    return config


def value_of(value):
    kind, content = next(iter(value.items()))
    return base64.b64decode(content) if kind == "bytesValue" else content


def records_in(path):
    for line in harness.read_lines(path) if path.exists() else []:
        for group in line["resourceLogs"]:
            resource = {pair["key"]: value_of(pair["value"]) for pair in group["resource"].get("attributes", [])}
            for record in group["scopeLogs"][0]["logRecords"]:
                attributes = {pair["key"]: value_of(pair["value"]) for pair in record.get("attributes", []) if pair["key"] != PATH}
                yield {"body": value_of(record["body"]), "attributes": attributes, "resource": resource, "time": int(record.get("timeUnixNano", 0))}


def compare(row, expected, got):
    if row.id.startswith("vector/"):
        for record in got:
            record["attributes"].pop("logtag", None)
        if expected and isinstance(expected[0]["body"], dict):
            expected[0]["body"] = bytes_of(expected[0]["body"]).decode(errors="replace")
    return judge(row.id, "" if got == expected else f"expected {str(expected)[:600]}, got {str(got)[:600]}")


def run(folder, binary):
    rows = rows_of(folder)
    with tempfile.TemporaryDirectory() as name:
        work = pathlib.Path(name)
        weir = harness.Weir(config_of(rows, work), work, binary=binary)
        try:
            time.sleep(1)
            weir.stop()  # sends on what waits for more
            return [compare(row, expected, list(records_in(work / f"{number}.jsonl"))) for number, (row, expected) in enumerate(rows)]
        except (AssertionError, OSError) as error:
            return [failed(row.id, repr(error)) for row, _ in rows]
        finally:
            weir.kill()
