"""Messages whose wire form is broken, each put where a request holds such a message: all must be refused."""
import json

from conformance import exchange
from conformance.outcome import judge, skipped

FOLDER = "otlp-proto-malformed"

RESOURCE = {"traces": [1, 1], "metrics": [1, 1], "logs": [1, 1], "profiles": [1, 1]}
METRIC = [1, 2, 2]
PROFILE = [1, 2, 2]

# message: the signal, and the field numbers that lead from the request to it.
PLACES = {
    "ExportTraceServiceRequest": ("traces", []), "TracesData": ("traces", []), "ResourceSpans": ("traces", [1]), "ScopeSpans": ("traces", [1, 2]),
    "Span": ("traces", [1, 2, 2]), "SpanEvent": ("traces", [1, 2, 2, 11]), "SpanLink": ("traces", [1, 2, 2, 13]), "Status": ("traces", [1, 2, 2, 15]),
    "Resource": ("traces", [1, 1]), "EntityRef": ("traces", [1, 1, 3]), "InstrumentationScope": ("traces", [1, 2, 1]),
    "KeyValue": ("traces", [1, 1, 1]), "AnyValue": ("traces", [1, 1, 1, 2]), "ArrayValue": ("traces", [1, 1, 1, 2, 5]),
    "KeyValueList": ("traces", [1, 1, 1, 2, 6]),
    "ExportLogsServiceRequest": ("logs", []), "LogsData": ("logs", []), "ResourceLogs": ("logs", [1]), "ScopeLogs": ("logs", [1, 2]),
    "LogRecord": ("logs", [1, 2, 2]),
    "ExportMetricsServiceRequest": ("metrics", []), "MetricsData": ("metrics", []), "ResourceMetrics": ("metrics", [1]),
    "ScopeMetrics": ("metrics", [1, 2]), "Metric": ("metrics", METRIC), "Gauge": ("metrics", METRIC + [5]), "Sum": ("metrics", METRIC + [7]),
    "Histogram": ("metrics", METRIC + [9]), "ExponentialHistogram": ("metrics", METRIC + [10]), "Summary": ("metrics", METRIC + [11]),
    "NumberDataPoint": ("metrics", METRIC + [5, 1]), "HistogramDataPoint": ("metrics", METRIC + [9, 1]),
    "ExponentialHistogramDataPoint": ("metrics", METRIC + [10, 1]), "ExponentialHistogramDataPointBuckets": ("metrics", METRIC + [10, 1, 8]),
    "SummaryDataPoint": ("metrics", METRIC + [11, 1]), "SummaryDataPointValueAtQuantile": ("metrics", METRIC + [11, 1, 6]),
    "Exemplar": ("metrics", METRIC + [5, 1, 5]),
    "ExportProfilesServiceRequest": ("profiles", []), "ProfilesData": ("profiles", []), "ResourceProfiles": ("profiles", [1]),
    "ScopeProfiles": ("profiles", [1, 2]), "Profile": ("profiles", PROFILE), "ValueType": ("profiles", PROFILE + [1]),
    "Sample": ("profiles", PROFILE + [2]), "ProfilesDictionary": ("profiles", [2]), "Mapping": ("profiles", [2, 1]), "Location": ("profiles", [2, 2]),
    "Line": ("profiles", [2, 2, 3]), "Function": ("profiles", [2, 3]), "Link": ("profiles", [2, 4]), "KeyValueAndUnit": ("profiles", [2, 6]),
    "Stack": ("profiles", [2, 7]),
}


def varint(value):
    out = bytearray()
    while value >= 0x80:
        out.append(value & 0x7F | 0x80)
        value >>= 7
    return bytes(out + bytes([value]))


def wrapped(content, fields):
    for field in reversed(fields):
        content = varint(field << 3 | 2) + varint(len(content)) + content
    return content


def run(folder, binary):
    sent, out = [], []
    for path in sorted(folder.glob("*.jsonl")):
        for line in path.read_text().splitlines():
            row = json.loads(line)
            name = f"{row['message']}/{row['case']}"
            if row["message"] not in PLACES:
                out.append(skipped(name, "no OTLP request holds such a message"))
                continue
            signal_name, fields = PLACES[row["message"]]
            body = wrapped(bytes.fromhex(row["hex"]), fields)
            sent.append(exchange.Sent(name, signal_name, body, "application/x-protobuf"))
    return out + [judge(one.id, exchange.refusal_problem(one)) for one in exchange.run(binary, sent)]
