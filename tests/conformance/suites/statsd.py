"""StatsD lines of the OpenTelemetry Collector's and of Prometheus' statsd_exporter's tests: each row through a receiver of its own.

The collector's rows are compared with the data point that is written; its aggregation rows with all of them. The exporter's rows
name events, which weir has added up by the time anybody can see them: compared are, for each name and set of labels, a counter's
sum, a gauge's last value, and the count and sum of observed values. Label names are compared as the exporter mangles them.
"""
import base64
import collections
import json
import pathlib
import re
import socket
import tempfile

from conformance.outcome import judge, skipped
from conformance.row_pipelines import empty_config
from e2e import harness

FOLDER = "statsd"
ROWS_A_DAEMON = 40
OBSERVED = [{"statsd_type": one, "observer_type": "summary", "summary": {"percentiles": [0, 100]}} for one in ("timing", "histogram", "distribution")]
ALL = ["dogstatsd", "influxdb", "librato", "signalfx"]
DISABLED = {"TestLineToEvents": [], "TestDisableParsingLineToEvents": ALL, "TestDisableParsingDogstatsdLineToEvents": ["dogstatsd"],
            "TestDisableParsingInfluxdbLineToEvents": ["influxdb"], "TestDisableParsingSignalfxLineToEvents": ["signalfx"],
            "TestDisableParsingLibratoLineToEvents": ["librato"]}


class Row:
    def __init__(self, name, lines, receiver, check):
        self.id, self.lines, self.receiver, self.check = name, lines, receiver, check
        self.points, self.reasons = [], ""


def text_of(value):
    return base64.b64decode(value["$b64"]) if isinstance(value, dict) else value.encode()


# ---- what came ----

def points_of(path):
    out = []
    for line in harness.read_lines(path):
        for group in line.get("resourceMetrics", []):
            for metric in (metric for scope in group["scopeMetrics"] for metric in scope["metrics"]):
                kind = next(key for key in ("gauge", "sum", "histogram", "exponentialHistogram", "summary") if key in metric)
                for point in metric[kind]["dataPoints"]:
                    labels = {one["key"]: one["value"].get("stringValue", "") for one in point.get("attributes", [])}
                    out.append((metric["name"], kind, labels, point, metric[kind]))
    return out


def number(point):
    return float(point["asInt"]) if "asInt" in point else float(point.get("asDouble", 0))


# ---- the collector's lines ----

def check_line(wanted):
    def check(row):
        if wanted is None:
            return "taken, and must be refused" if row.points else ""
        if len(row.points) != 1:
            return f"one point wanted, {len(row.points)} came"
        name, kind, labels, point, _ = row.points[0]
        value = wanted["value"]
        if wanted["type"] == "c" and 0 < wanted["sample_rate"] < 1:
            value /= wanted["sample_rate"]
        if kind != ("sum" if wanted["type"] == "c" else "gauge") or name != wanted["name"] or labels != wanted["attributes"]:
            return f"{kind} {name} {labels} came"
        if abs(number(point) - value) > 1e-9:
            return f"{value} wanted, {number(point)} came"
        if wanted["timestamp"] and int(point["timeUnixNano"]) != wanted["timestamp"]:
            return f"at {wanted['timestamp']} wanted, {point['timeUnixNano']} came"
        return ""
    return check


def collector_lines(folder):
    for text in (folder / "otelcol_lines.jsonl").read_text().splitlines():
        row = json.loads(text)
        yield Row(row["id"], [text_of(row["input"])], dict(row["config"]), check_line(row["expected"] if row["accept"] else None))


# ---- the collector's aggregation ----

def test_metric(call):
    """[name, value, addition, type, rate, keys, values, timestamp] of a call in the raw tables."""
    return call["args"][0]["args"]


def key_of(name, labels):
    return name, tuple(sorted(labels.items()))


def wanted_numbers(row, part):
    out = collections.Counter()
    values = row.get(part) or {}
    for call in values.values() if isinstance(values, dict) else values:
        name, value, _, _, _, keys, texts, _ = test_metric(call)
        out[key_of(name, dict(zip(keys, texts))) + (float(value),)] += 1
    return out


def got_numbers(row, kind):
    return collections.Counter(key_of(name, labels) + (number(point),) for name, one, labels, point, _ in row.points if one == kind)


def check_numbers(wanted):
    def check(row):
        counters, gauges = wanted_numbers(wanted, "expectedCounters"), wanted_numbers(wanted, "expectedGauges") + wanted_numbers(wanted, "expectedTimer")
        if got_numbers(row, "sum") != counters:
            return f"sums: {dict(counters)} wanted, {dict(got_numbers(row, 'sum'))} came"
        return "" if got_numbers(row, "gauge") == gauges else f"gauges: {dict(gauges)} wanted, {dict(got_numbers(row, 'gauge'))} came"
    return check


def check_refused(row):
    return "taken, and must be refused" if row.points else ""


def empirical(points, weights, share):
    total, so_far = sum(weights), 0
    for point, weight in sorted(zip(points, weights)):
        so_far += weight
        if so_far >= share * total:
            return point
    return max(points)


def check_summaries(wanted):
    def check(row):
        got = {name: point for name, kind, _, point, _ in row.points if kind == "summary"}
        for text, summary in wanted["expectedSummaries"].items():
            name = json.loads(text)["args"][0]
            points, weights = summary["points"], summary["weights"]
            if name not in got:
                return f"no summary {name}"
            if int(got[name]["count"]) != int(sum(weights)) or abs(got[name]["sum"] - sum(a * b for a, b in zip(points, weights))) > 1e-6:
                return f"{name}: count {got[name]['count']}, sum {got[name]['sum']} came"
            for one in got[name]["quantileValues"]:
                if one.get("value", 0) != empirical(points, weights, one.get("quantile", 0)):
                    return f"{name}: quantile {one} came"
        return ""
    return check


GO_NUMBER = r"Set%s\((-?[\w.]+)\)"


def go_number(text, setter, default=None):
    found = re.search(GO_NUMBER % setter, text)
    if not found:
        return default
    return 20 if found.group(1) == "logarithm.MaxScale" else float(found.group(1))


def go_buckets(text, side):
    found = re.search(rf"dp\.{side}\(\)\.BucketCounts\(\)\.FromRaw\(\[\]uint64\{{([^}}]*)\}}", text)
    offset = re.search(rf"dp\.{side}\(\)\.SetOffset\((-?\d+)\)", text)
    return (int(offset.group(1)) if offset else 0, [int(one) for one in re.findall(r"\d+", found.group(1))]) if found else None


def check_histogram(text):
    def check(row):
        found = [point for _, kind, _, point, _ in row.points if kind == "exponentialHistogram"]
        if len(found) != 1:
            return f"one exponential histogram wanted, {len(found)} came"
        point = found[0]
        for setter, key in (("Count", "count"), ("Sum", "sum"), ("Min", "min"), ("Max", "max"), ("ZeroCount", "zeroCount"), ("Scale", "scale")):
            wanted = go_number(text, setter)
            if wanted is not None and float(point.get(key, 0)) != wanted:
                return f"{key}: {wanted} wanted, {point.get(key, 0)} came"
        for side, key in (("Positive", "positive"), ("Negative", "negative")):
            got = point.get(key) or {}
            counts = (int(got.get("offset", 0)), [int(one) for one in got.get("bucketCounts", [])])
            wanted = go_buckets(text, side)
            if wanted is not None and wanted != counts:
                return f"{key}: {wanted} wanted, {counts} came"
        return ""
    return check


def mapping_of(row):
    out = []
    for one in row.get("mapping") or []:
        kind = {"statsd_type": one["StatsdType"], "observer_type": one["ObserverType"]}
        histogram = one.get("Histogram") or {}
        if histogram.get("MaxSize"):
            kind["histogram"] = {"max_size": histogram["MaxSize"]}
        if (one.get("Summary") or {}).get("Percentiles"):
            kind["summary"] = {"percentiles": one["Summary"]["Percentiles"]}
        out.append(kind)
    return out


def aggregation_row(name, function, row):
    receiver = {"enable_metric_type": "MetricType" in function, "is_monotonic_counter": "Monotonic" in function}
    lines = [text_of(one) for one in row["input"]]
    if row.get("err"):
        return Row(name, lines, receiver, check_refused)
    if "expectedSummaries" in row:
        percentiles = next(iter(row["expectedSummaries"].values())).get("percentiles")
        receiver["timer_histogram_mapping"] = [{"statsd_type": one, "observer_type": "summary", "summary": {"percentiles": percentiles}}
                                               for one in ("timing", "histogram", "distribution")]
        return Row(name, lines, receiver, check_summaries(row))
    if "mapping" in row and "$call" in (row.get("expected") or {}):
        return Row(name, lines, {**receiver, "timer_histogram_mapping": mapping_of(row)}, check_histogram(row["expected"]["$call"]))
    if "expectedCounters" in row:
        return Row(name, lines, receiver, check_numbers(row))
    return None


# ---- the exporter's lines ----

def mangled(label):
    label = re.sub(r"\W", "_", label, flags=re.A)
    return "_" + label if label[:1].isdigit() else label


def check_events(wanted):
    def check(row):
        expected, got = {}, {}
        for event in wanted:
            key = key_of(event["name"], event["labels"])
            count, total = expected.get(key, (0, 0))
            expected[key] = (1, event["value"]) if event["kind"] == "gauge" else (count + 1, total + event["value"])
        for name, kind, labels, point, _ in row.points:
            key = key_of(name, {mangled(one): value for one, value in labels.items()})
            got[key] = (int(point["count"]), point.get("sum", 0)) if kind == "summary" else (1, number(point))
        if set(got) != set(expected):
            return f"{sorted(expected)} wanted, {sorted(got)} came"
        for key, (count, total) in expected.items():
            scale = 1000 if row.milliseconds else 1
            counter = any(one["kind"] == "counter" for one in wanted)
            if (not counter and got[key][0] != count) or abs(got[key][1] - total * scale) > 1e-6 * max(1, abs(total * scale)):
                return f"{key}: {(count, total * scale)} wanted, {got[key]} came"
        return ""
    return check


def exporter_lines(folder):
    seen = collections.Counter()
    for text in (folder / "prometheus_statsd_exporter_lines.jsonl").read_text().splitlines():
        row = json.loads(text)
        seen[row["id"]] += 1
        formats = [one for one in ALL if one not in DISABLED.get(row["id"].split("/")[0], [])]
        line = text_of(row["input"])
        receiver = {"timer_histogram_mapping": OBSERVED, "tag_formats": formats, "counter_type": "float"}
        name = row["id"] if seen[row["id"]] == 1 else f"{row['id']}#{seen[row['id']]}"
        out = Row(name, [line], receiver, check_events(row["expected_events"]))
        out.milliseconds = b"|ms" in line
        yield out


# ---- running ----

def waiting_in_sockets(ports):
    """Bytes that the kernel holds for these ports and nobody has read yet."""
    rows = [line.split() for line in pathlib.Path("/proc/net/udp").read_text().splitlines()[1:]]
    return sum(int(row[4].split(":")[1], 16) for row in rows if int(row[1].split(":")[1], 16) in ports)


def run_daemon(binary, rows, folder):
    config = empty_config()
    ports = harness.free_ports(len(rows))
    for index, (row, port) in enumerate(zip(rows, ports)):
        config["receivers"][f"statsd/{index}"] = {"endpoint": f"127.0.0.1:{port}", "aggregation_interval": "1h", "ignore_host": True, **row.receiver}
        config["exporters"][f"file/{index}"] = {"path": str(folder / f"{index}.jsonl")}
        config["service"]["pipelines"][f"metrics/{index}"] = {"receivers": [f"statsd/{index}"], "exporters": [f"file/{index}"]}
    weir = harness.Weir(config, folder, binary=binary)
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as client:
        for row, port in zip(rows, ports):
            for line in row.lines:
                client.sendto(line, ("127.0.0.1", port))
            client.sendto(b"conformance.end:1|c", ("127.0.0.1", port))
    harness.wait_until(lambda: not waiting_in_sockets(set(ports)), "all datagrams are read")
    weir.stop()
    for index, row in enumerate(rows):
        path = folder / f"{index}.jsonl"
        every = points_of(path) if path.exists() else []
        row.points = [one for one in every if one[0] != "conformance.end"]
        row.reasons = "" if len(every) > len(row.points) else "the line behind the row did not arrive"


def run(folder, binary):
    rows, outcomes = list(collector_lines(folder)) + list(exporter_lines(folder)), []
    for text in (folder / "otelcol_aggregation_raw.jsonl").read_text().splitlines():
        raw = json.loads(text)
        name = f"{raw['func']}/{raw['v'].get('name', raw['i'])}"
        row = aggregation_row(name, raw["func"], raw["v"])
        if row is None:
            outcomes.append(skipped(name, "not a table of lines and what becomes of them"))
        else:
            rows.append(row)
    with tempfile.TemporaryDirectory() as place:
        for start in range(0, len(rows), ROWS_A_DAEMON):
            part = pathlib.Path(place) / str(start)
            part.mkdir()
            run_daemon(binary, rows[start:start + ROWS_A_DAEMON], part)
    return outcomes + [judge(row.id, row.reasons or row.check(row)) for row in rows]
