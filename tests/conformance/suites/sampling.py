"""Consistent probability sampling, from the Go tests of the OpenTelemetry Collector: each row is one or more spans through a
probabilistic_sampler of its own.

The tables hold Go expressions here and there; those that stand for a value are worked out, rows that hold none are skipped.
What a row says about parsing a trace state is seen in `equalizing` at 100 %, which lets through what it understands, as it is, and
with fail_closed nothing else.
"""
import json
import re

from conformance import row_pipelines
from conformance.outcome import judge, skipped
from e2e import otlp

FOLDER = "sampling"
ALL_ONES = "ff" * 16
DEFAULT_TID = "fefefefefefefefefe80000000000000"
HASH_SEED = 4321
LIMITS = {"hardMaxTenantLength": 241, "hardMaxSystemLength": 14, "hardMaxW3CLength": 1024, "hardMaxKeyLength": 256}


def value_of(expression):
    """A literal, or {"$src": Go's arithmetic or strings.Repeat}."""
    if not isinstance(expression, dict) or "$src" not in expression:
        return expression
    text = expression["$src"]
    if "strings.Repeat" in text:
        parts = []
        for piece in re.split(r"\s*\+\s*(?=strings|\")|(?<=\))\s*\+\s*", text):
            repeat = re.fullmatch(r'strings\.Repeat\("(.*)", (\w+)([+-]\d+)?\)', piece)
            parts.append(repeat[1] * (LIMITS[repeat[2]] + int(repeat[3] or 0)) if repeat else json.loads(piece))
        return "".join(parts)
    text = re.sub(r"0x([0-9a-f]+)p-(\d+)", lambda found: f"({int(found[1], 16)} / 2**{found[2]})", text)
    return eval(text, {"__builtins__": {}}) if re.fullmatch(r"[\d\s.()/*+-]+", text) else None  # only digits and operators


def attribute_of(key, value):
    kind, argument = value["$call"].rsplit(".NewValue", 1)[1], value["args"][0]
    name = {"Int": "intValue", "Double": "doubleValue", "Str": "stringValue", "Bool": "boolValue"}[kind]
    return {"key": key, "value": {name: str(argument) if kind == "Int" else argument}}


def span_of(trace_id, trace_state="", attributes=()):
    span = {"traceId": trace_id, "spanId": "00000000fefefefe", "name": "row", "traceState": trace_state, "attributes": list(attributes)}
    return {"resourceSpans": [{"scopeSpans": [{"spans": [span]}]}]}


class Case:
    """One run: a span through settings, and what must come of it."""

    def __init__(self, settings, document, sampled, state=None, threshold=None):
        self.row = row_pipelines.Row("", "traces", "probabilistic_sampler", settings, document)
        self.sampled, self.state, self.threshold = sampled, state, threshold

    def problem(self):
        if self.row.refused:
            return f"refused: {self.row.refused}"
        spans = otlp.records_of("traces", [{"resourceSpans": self.row.groups}])
        if bool(spans) != self.sampled:
            return f"must {'be kept' if self.sampled else 'be dropped'}: {self.row.settings}"
        if not spans:
            return ""
        found = self.row.groups[0]["scopeSpans"][0]["spans"][0].get("traceState", "")
        if self.state is not None and found != self.state:
            return f"trace state must be {self.state!r}, is {found!r}"
        if self.threshold is not None and (re.search(r"th:([0-9a-f]+)", found) or ["", ""])[1] != self.threshold:
            return f"threshold must be {self.threshold}, trace state is {found!r}"
        return ""


def equalizing(percentage=100, precision=14, **more):
    return {"sampling_percentage": percentage, "mode": "equalizing", "sampling_precision": precision, **more}


def parsing(text, row):
    if row["expectErr"] is not None:
        return [Case(equalizing(), span_of(ALL_ONES, text), False)]
    extra = row.get("extra")
    fields = [f"rv:{row['rval']}"] if row.get("rval") else []
    fields += [f"th:{row['tval'].rstrip('0') or '0'}"]  # a sampler writes it anew, without the zeros at its end
    fields += extra if isinstance(extra, list) else []
    members = [f"{key}={value}" for key, value in extra.items()] if isinstance(extra, dict) else []
    case = Case(equalizing(), span_of(ALL_ONES, text), True, "ot=" + ";".join(fields))
    if members:  # their order in the table is that of a Go map
        found = {",".join([case.state, *members]), ",".join([case.state, *reversed(members)])}
        case.state = next((one for one in found if one.split(",")[1:] == [m for m in text.replace(" ", "").split(",") if m in members]), None)
    return [case]


def rounding(row):
    cases = []
    for digits in row["rounded"]:
        plain = digits.lstrip("0") or "0"
        cases.append(Case(equalizing(row["prob"] * 100, len(plain)), span_of(ALL_ONES), True, threshold=digits))
    return cases


def of_mode(function, mode):
    """What a Go function of the mode returns: a tuple's text."""
    special = re.search(r"if mode == (\w+) \{\s*return (.*?)\n", function)
    plain = re.search(r"return ([^\n]*?)\s*\}?$", re.sub(r"if mode == \w+ \{.*?\}", "", function, flags=re.S).strip().rstrip("}").strip())
    chosen = special[2] if special and special[1].lower() == mode else plain[1]
    sampled, _, state = re.fullmatch(r'(true|false), (.*), "(.*)"', chosen.strip()).groups()
    return sampled == "true", state


def trace_state(row):
    cases = []
    config = row["cfg"]
    for mode in ("equalizing", "proportional"):
        sampled, state = of_mode(row["sf"]["$func"], mode) if "sf" in row else (False, None)
        attributes = [attribute_of(row["key"], row["value"])] if row.get("key") else []
        tid = row["tid"]["args"][0] if "tid" in row else DEFAULT_TID
        settings = equalizing(config["SamplingPercentage"], config.get("SamplingPrecision") or 14, mode=mode, hash_seed=HASH_SEED, fail_closed=False)
        cases.append(Case(settings, span_of(tid, row.get("ts", ""), attributes), sampled, state))
    return cases


def priority(span, want):
    attributes = [attribute_of(*span["args"])] if span["args"] else []
    wanted = {"mustSampleSpan": (True, True), "doNotSampleSpan": (False, False), "deferDecision": (False, True)}[want["$ident"]]
    return [Case({"sampling_percentage": percentage}, span_of(ALL_ONES, "", attributes), sampled) for percentage, sampled in zip((0, 100), wanted)]


def hashed(row):
    settings = {"sampling_percentage": 50, "mode": "hash_seed", "hash_seed": row["seed"]}
    return [Case(settings, span_of(row["traceID"]), row.get("sampled", False))]


def hash_threshold(row):
    settings = {"sampling_percentage": value_of(row["pct"]), "mode": "hash_seed", "hash_seed": HASH_SEED, "fail_closed": False}
    must = {"attributes": [{"key": "other", "value": {"intValue": "1"}}]}["attributes"]
    cases = [Case(settings, span_of(f"{number:032x}", "", must), None, threshold=row["tvout"]) for number in range(1, 41)]
    return cases


def cases_of(name, row):
    if name == "TestHashingFunction":
        return hashed(row)
    if name == "TestParseOpenTelemetryTraceState":
        return parsing(f"ot={row['in']}", row)
    if name == "TestParseW3CTraceState":
        return parsing(value_of(row["in"]), row)
    if name == "TestRValueSyntax":
        return parsing(f"ot=rv:{row['in']}", {**row, "rval": row["in"], "tval": ""})
    if name == "TestTValueSyntax":
        return parsing(f"ot=th:{row['in']}", {**row, "tval": row["in"]})
    if name == "TestUpdateTValueWithSampling":
        return [Case(equalizing(row["prob"] * 100), span_of(ALL_ONES, f"ot={row['in']}" if row["in"] else ""), True, f"ot={row['out']}")]
    if name == "TestProbabilityToThresholdWithPrecision":
        return rounding(row)
    if name == "Test_tracessamplerprocessor_MissingRandomness":
        settings = {"sampling_percentage": row.get("pct", 0), "hash_seed": HASH_SEED, "fail_closed": row["failClosed"]}
        return [Case(settings, span_of(""), row.get("sampled", False))]
    if name == "Test_tracesamplerprocessor_SpanSamplingPriority":
        key, value = row["td"]["args"]
        settings = {"sampling_percentage": row["cfg"].get("SamplingPercentage", 0)}
        return [Case(settings, span_of(ALL_ONES, "", [attribute_of(key, value)]), row.get("sampled", False))]
    if name == "Test_parseSpanSamplingPriority":
        return priority(row["span"], row["want"])
    if name == "Test_tracesamplerprocessor_TraceState" and "cfg" in row:
        return trace_state(row)
    if name == "Test_tracesamplerprocessor_TraceStateErrors" and "cfg" in row:
        return [Case(equalizing(row["cfg"]["SamplingPercentage"], mode=mode), span_of(row["tid"]["args"][0], row["ts"]), False)
                for mode in ("equalizing", "proportional")]
    if name == "Test_tracesamplerprocessor_HashSeedTraceState":
        return hash_threshold(row)
    return None


def judge_row(row_id, name, cases):
    if name == "Test_tracesamplerprocessor_HashSeedTraceState":
        kept = [case for case in cases if case.row.groups]
        if len(kept) < 2:
            return judge(row_id, f"only {len(kept)} of {len(cases)} spans were kept")
        for case in kept:
            case.sampled = True
        cases = kept
    return judge(row_id, next(filter(None, (case.problem() for case in cases)), ""))


def run(folder, binary):
    rows = {}
    for path in sorted(folder.glob("*.jsonl")):
        for line in path.read_text().splitlines():
            row = json.loads(line)
            row_id = f"{row['func']}/{row.get('i', len(rows))}"
            while row_id in rows:
                row_id += "'"
            rows[row_id] = (row["func"], cases_of(row["func"], row["v"]) if isinstance(row["v"], dict) else None)
    row_pipelines.run(binary, [case.row for _, cases in rows.values() for case in cases or []])
    return [judge_row(row_id, name, cases) if cases else skipped(row_id, "an expression of the test, which says nothing of what is right")
            for row_id, (name, cases) in rows.items()]
