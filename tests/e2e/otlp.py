"""OTLP/JSON in one spelling, so that two documents can be compared: what means the same becomes equal.

Names in lowerCamelCase, integers as int, enums as numbers, ids in lower case, defaults and unknown keys left out, while a value
of zero that is present on purpose (oneof, optional) stays.
"""
import base64
import math

ANY_VALUE = {
    "stringValue": "string!", "boolValue": "bool!", "intValue": "int!", "doubleValue": "double!", "arrayValue": "ArrayValue!",
    "kvlistValue": "KeyValueList!", "bytesValue": "bytes!",
}
KINDS = ["UNSPECIFIED", "INTERNAL", "SERVER", "CLIENT", "PRODUCER", "CONSUMER"]
LEVELS = ["TRACE", "DEBUG", "INFO", "WARN", "ERROR", "FATAL"]
ENUMS = {f"SPAN_KIND_{name}": number for number, name in enumerate(KINDS)}
ENUMS.update({"STATUS_CODE_UNSET": 0, "STATUS_CODE_OK": 1, "STATUS_CODE_ERROR": 2, "SEVERITY_NUMBER_UNSPECIFIED": 0})
ENUMS.update({"AGGREGATION_TEMPORALITY_UNSPECIFIED": 0, "AGGREGATION_TEMPORALITY_DELTA": 1, "AGGREGATION_TEMPORALITY_CUMULATIVE": 2})
ENUMS.update({f"SEVERITY_NUMBER_{level}{step if step > 1 else ''}": 1 + 4 * place + step - 1
              for place, level in enumerate(LEVELS) for step in range(1, 5)})

ATTRIBUTES = {"attributes": ["KeyValue"], "droppedAttributesCount": "int"}
POINT = {"attributes": ["KeyValue"], "startTimeUnixNano": "int", "timeUnixNano": "int", "flags": "int"}
EXEMPLARS = {"exemplars": ["Exemplar"]}

# A type with "!" has presence: its default is kept. [type]: repeated.
MESSAGES = {
    "traces": {"resourceSpans": ["ResourceSpans"]},
    "metrics": {"resourceMetrics": ["ResourceMetrics"]},
    "logs": {"resourceLogs": ["ResourceLogs"]},
    "ResourceSpans": {"resource": "Resource", "scopeSpans": ["ScopeSpans"], "schemaUrl": "string"},
    "ResourceMetrics": {"resource": "Resource", "scopeMetrics": ["ScopeMetrics"], "schemaUrl": "string"},
    "ResourceLogs": {"resource": "Resource", "scopeLogs": ["ScopeLogs"], "schemaUrl": "string"},
    "ScopeSpans": {"scope": "Scope", "spans": ["Span"], "schemaUrl": "string"},
    "ScopeMetrics": {"scope": "Scope", "metrics": ["Metric"], "schemaUrl": "string"},
    "ScopeLogs": {"scope": "Scope", "logRecords": ["LogRecord"], "schemaUrl": "string"},
    "Resource": {**ATTRIBUTES, "entityRefs": ["EntityRef"]},
    "EntityRef": {"schemaUrl": "string", "type": "string", "idKeys": ["string"], "descriptionKeys": ["string"]},
    "Scope": {"name": "string", "version": "string", **ATTRIBUTES},
    "KeyValue": {"key": "string", "value": "AnyValue"},
    "AnyValue": ANY_VALUE,
    "ArrayValue": {"values": ["AnyValue"]},
    "KeyValueList": {"values": ["KeyValue"]},
    "Span": {
        "traceId": "hex", "spanId": "hex", "traceState": "string", "parentSpanId": "hex", "flags": "int", "name": "string", "kind": "enum",
        "startTimeUnixNano": "int", "endTimeUnixNano": "int", **ATTRIBUTES, "events": ["Event"], "droppedEventsCount": "int", "links": ["Link"],
        "droppedLinksCount": "int", "status": "Status",
    },
    "Event": {"timeUnixNano": "int", "name": "string", **ATTRIBUTES},
    "Link": {"traceId": "hex", "spanId": "hex", "traceState": "string", **ATTRIBUTES, "flags": "int"},
    "Status": {"message": "string", "code": "enum"},
    "LogRecord": {
        "timeUnixNano": "int", "observedTimeUnixNano": "int", "severityNumber": "enum", "severityText": "string", "body": "AnyValue", **ATTRIBUTES,
        "flags": "int", "traceId": "hex", "spanId": "hex", "eventName": "string",
    },
    "Metric": {
        "name": "string", "description": "string", "unit": "string", "metadata": ["KeyValue"], "gauge": "Gauge!", "sum": "Sum!",
        "histogram": "Histogram!", "exponentialHistogram": "ExponentialHistogram!", "summary": "Summary!",
    },
    "Gauge": {"dataPoints": ["NumberPoint"]},
    "Sum": {"dataPoints": ["NumberPoint"], "aggregationTemporality": "enum", "isMonotonic": "bool"},
    "Histogram": {"dataPoints": ["HistogramPoint"], "aggregationTemporality": "enum"},
    "ExponentialHistogram": {"dataPoints": ["ExponentialPoint"], "aggregationTemporality": "enum"},
    "Summary": {"dataPoints": ["SummaryPoint"]},
    "NumberPoint": {**POINT, **EXEMPLARS, "asDouble": "double!", "asInt": "int!"},
    "HistogramPoint": {
        **POINT, **EXEMPLARS, "count": "int", "sum": "double!", "bucketCounts": ["int"], "explicitBounds": ["double"], "min": "double!",
        "max": "double!",
    },
    "ExponentialPoint": {
        **POINT, **EXEMPLARS, "count": "int", "sum": "double!", "scale": "int", "zeroCount": "int", "positive": "Buckets", "negative": "Buckets",
        "min": "double!", "max": "double!", "zeroThreshold": "double",
    },
    "SummaryPoint": {**POINT, "count": "int", "sum": "double", "quantileValues": ["Quantile"]},
    "Quantile": {"quantile": "double", "value": "double"},
    "Buckets": {"offset": "int", "bucketCounts": ["int"]},
    "Exemplar": {
        "filteredAttributes": ["KeyValue"], "timeUnixNano": "int", "asDouble": "double!", "asInt": "int!", "spanId": "hex", "traceId": "hex",
    },
}

GROUPS = {"traces": "resourceSpans", "metrics": "resourceMetrics", "logs": "resourceLogs", "profiles": "resourceProfiles"}
SCOPE_GROUPS = {"traces": "scopeSpans", "metrics": "scopeMetrics", "logs": "scopeLogs"}
RECORDS = {"traces": "spans", "metrics": "metrics", "logs": "logRecords"}


def camel(name):
    head, *rest = name.split("_")
    return head + "".join(word[:1].upper() + word[1:] for word in rest)


def scalar(kind, value):
    if kind == "int":
        return int(value) if not isinstance(value, float) else int(value)
    if kind == "enum":
        return ENUMS[value] if isinstance(value, str) and value in ENUMS else int(value)
    if kind == "double":
        number = float(value)
        return "NaN" if math.isnan(number) else number
    if kind == "hex":
        return value.lower()
    if kind == "bytes":
        text = value.replace("-", "+").replace("_", "/")
        return base64.b64decode(text + "=" * (-len(text) % 4)).hex()
    return value


DEFAULTS = {"int": 0, "enum": 0, "double": 0.0, "hex": "", "bytes": "", "string": "", "bool": False}


def one_spelling(kind, value):
    """The document, or any message of it, in its one spelling."""
    if kind not in MESSAGES:
        return scalar(kind, value)
    fields, out = MESSAGES[kind], {}
    for name, item in value.items():
        name = camel(name)
        field = fields.get(name)
        if field is None or item is None:
            continue
        if isinstance(field, list):
            items = [one_spelling(field[0], entry if entry is not None else {}) for entry in item]
            if items:
                out[name] = items
            continue
        plain = one_spelling(field.rstrip("!"), item)
        if field.endswith("!") or plain != DEFAULTS.get(field, {}):
            out[name] = plain
    return out


def signal_of(document):
    """Which signal a request document is of; None when it says nothing."""
    for signal_name, key in GROUPS.items():
        if any(camel(name) == key for name in document):
            return signal_name
    return None


def groups_of(signal_name, document):
    return one_spelling(signal_name, document).get(GROUPS[signal_name], [])


def points_of(metric):
    for kind in ("gauge", "sum", "histogram", "exponentialHistogram", "summary"):
        if kind in metric:
            return metric[kind].get("dataPoints", [])
    return []


def records_of(signal_name, documents):
    """Every record with its resource and scope beside it; a metric's data points count one by one."""
    out = []
    for document in documents:
        for group in groups_of(signal_name, document):
            for scope_group in group.get(SCOPE_GROUPS[signal_name], []):
                around = {"resource": group.get("resource", {}), "resourceSchema": group.get("schemaUrl", ""),
                          "scope": scope_group.get("scope", {}), "scopeSchema": scope_group.get("schemaUrl", "")}
                for record in scope_group.get(RECORDS[signal_name], []):
                    if signal_name != "metrics":
                        out.append({**around, "record": record})
                        continue
                    about = {key: value for key, value in record.items() if key in ("name", "description", "unit", "metadata")}
                    kind = next((key for key in record if key not in about), None)
                    about["kind"] = kind
                    if kind:
                        about.update({key: value for key, value in record[kind].items() if key != "dataPoints"})
                    out += [{**around, "metric": about, "record": point} for point in points_of(record)]
    return out
