"""Graphite's lines of the OpenTelemetry Collector's and of Prometheus' graphite_exporter's tests: each row through a receiver of its own.

Rows of paths alone are sent with a value and a time. The exporter's names and labels are compared as it mangles them; rows about
its mapping language, which weir does not have, are not applicable.
"""
import json
import pathlib
import re
import socket
import subprocess
import tempfile

import yaml

from conformance.outcome import judge, skipped
from conformance.row_pipelines import doubled, empty_config
from conformance.suites.statsd import number, points_of
from e2e import harness

FOLDER = "carbon"
RULES = [{"regexp": r"(?P<key_svc>[^.]+)\.(?P<key_host>[^.]+)\.cpu\.seconds", "name_prefix": "cpu_seconds", "labels": {"k": "v"}},
         {"regexp": r"(?P<key_svc>[^.]+)\.(?P<key_host>[^.]+)\.rpc\.count", "name_prefix": "rpc", "type": "cumulative"},
         {"regexp": r"^(?P<key_svc>[^.]+)\.(?P<key_host>[^.]+)\.(?P<name_0>[^.]+).(?P<name_1>[^.]+)$", "type": "gauge"}]


class Row:
    def __init__(self, name, line, check, receiver=None):
        self.id, self.line, self.check, self.receiver, self.points = name, line, check, receiver or {}, []


def refused(row):
    return "taken, and must be refused" if row.points else ""


def wanted(name, attributes, value=None, time=None, is_int=None, kind="gauge", mangle=None):
    def check(row):
        if len(row.points) != 1:
            return f"one point wanted, {len(row.points)} came"
        got_name, got_kind, labels, point, _ = row.points[0]
        got_name = mangle(got_name) if mangle else got_name
        if (got_name, got_kind, labels) != (name, kind, attributes):
            return f"{kind} {name} {attributes} wanted, {got_kind} {got_name} {labels} came"
        if value is not None and number(point) != value:
            return f"{value} wanted, {number(point)} came"
        if is_int is not None and ("asInt" in point) != is_int:
            return f"an integer: {is_int} wanted"
        if time is not None and abs(int(point["timeUnixNano"]) - time) > 1000:
            return f"{time} wanted, {point['timeUnixNano']} came"
        return ""
    return check


def collector_rows(folder):
    for text in (folder / "otelcol_plaintext.jsonl").read_text().splitlines():
        row = json.loads(text)
        if "path" in row:
            check = wanted(row["expected_name"], row["expected_attributes"]) if row["accept"] else refused
            yield Row(row["id"], f"{row['path']} 1 1582230020", check)
        elif row["accept"]:
            one = row["expected"]
            is_int = "int_value" in one
            yield Row(row["id"], row["input"], wanted(one["name"], one["attributes"], one["int_value" if is_int else "double_value"],
                                                      one["time_unix"][0] * 10**9 + one["time_unix"][1], is_int,
                                                      "gauge" if one["kind"] == "gauge" else "sum"))
        else:
            yield Row(row["id"], row["input"], refused)


def go_attributes(text):
    return dict(re.findall(r'PutStr\("([^"]*)", "([^"]*)"\)', text))


def path_row(name, row):
    attributes = go_attributes(row["wantAttributes"]["$call"])
    kind = "sum" if (row.get("wantMetricType") or {}).get("$ident") == "CumulativeMetricType" else "gauge"
    return Row(name, f"{row['path']} 1 1582230020", wanted(row["wantName"], attributes, kind=kind), {"parser": {"type": "regex", "config": {"rules": RULES}}})


def build_problem(binary, row, folder):
    """A row about rules: `weir validate` says whether they are in order."""
    rules = [{key: value for key, value in (("regexp", one.get("Regexp")), ("type", one.get("MetricType")), ("name_prefix", one.get("NamePrefix"))) if value}
             for one in row["config"].get("Rules") or []]
    config = empty_config()
    config["receivers"]["carbon"] = doubled({"endpoint": "127.0.0.1:1", "parser": {"type": "regex", "config": {"rules": rules}}})
    config["exporters"]["nop"] = {}
    config["service"]["pipelines"]["metrics"] = {"receivers": ["carbon"], "exporters": ["nop"]}
    path = folder / "rules.yaml"
    path.write_text(yaml.safe_dump(config))
    done = subprocess.run([binary, "validate", "--config", path], capture_output=True, text=True, timeout=60, check=False)
    if bool(done.returncode) == bool(row.get("wantErr")):
        return ""
    return f"refused: {done.stderr[-200:]}" if done.returncode else "taken, and must be refused"


def regex_rows(folder, binary, place):
    """(rows to send, outcomes of the others)"""
    rows, outcomes = [], []
    for text in (folder / "otelcol_regex_raw.jsonl").read_text().splitlines():
        raw = json.loads(text)
        name = f"{raw['id']}/{raw['v']['name']}"
        if "path" in raw["v"]:
            rows.append(path_row(name, raw["v"]))
        elif "Rules" in raw["v"]["config"] or raw["v"]["name"] == "no_rules":
            outcomes.append(judge(name, build_problem(binary, raw["v"], place)))
        else:
            outcomes.append(skipped(name, "about a pointer of its own language"))
    return rows, outcomes


def exporter_rows(folder):
    """(rows to send, outcomes of the others)"""
    rows, outcomes = [], []
    for text in (folder / "graphite_exporter_lines.jsonl").read_text().splitlines():
        row = json.loads(text)
        mangle = lambda name: re.sub(r"\W", "_", name, flags=re.A)  # noqa: E731
        if "parsedName" in row:
            check = refused if row.get("willError") else wanted(row["parsedName"], row["labels"])
            rows.append(Row(row["id"], f"{row['line']} 1 1582230020", check))
        elif row.get("mappingPresent") or row.get("strict") or row.get("action"):
            outcomes.append(skipped(row["id"], "about the exporter's mapping language"))
        elif row.get("willFail"):
            rows.append(Row(row["id"], row["line"], refused))
        else:
            rows.append(Row(row["id"], row["line"], wanted(row["name"], row["sampleLabels"], row["value"], mangle=mangle)))
    return rows, outcomes


def run_rows(binary, rows, folder):
    config = empty_config()
    ports = harness.free_ports(len(rows))
    for index, (row, port) in enumerate(zip(rows, ports)):
        config["receivers"][f"carbon/{index}"] = doubled({"endpoint": f"127.0.0.1:{port}", **row.receiver})
        config["exporters"][f"file/{index}"] = {"path": str(folder / f"{index}.jsonl")}
        config["service"]["pipelines"][f"metrics/{index}"] = {"receivers": [f"carbon/{index}"], "exporters": [f"file/{index}"]}
    weir = harness.Weir(config, folder, binary=binary)
    for row, port in zip(rows, ports):
        with socket.create_connection(("127.0.0.1", port)) as client:
            client.sendall(row.line.encode() + b"\n")
            client.shutdown(socket.SHUT_WR)
            client.recv(1)  # the end: all was read
    weir.stop()
    for index, row in enumerate(rows):
        path = folder / f"{index}.jsonl"
        row.points = points_of(path) if path.exists() else []


def run(folder, binary):
    with tempfile.TemporaryDirectory() as place:
        rows, outcomes = list(collector_rows(folder)), []
        for more, done in (regex_rows(folder, binary, pathlib.Path(place)), exporter_rows(folder)):
            rows += more
            outcomes += done
        run_rows(binary, rows, pathlib.Path(place))
    return outcomes + [judge(row.id, row.check(row)) for row in rows]
