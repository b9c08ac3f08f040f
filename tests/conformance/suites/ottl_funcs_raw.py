"""The OpenTelemetry Collector's tables of OTTL functions: each row that can be said as one expression is evaluated on a log record.

The rows are Go literals. What holds Go code beyond a literal, a date or a duration cannot be said from outside and is skipped.
"""
import json
import re

from conformance import row_pipelines
from conformance.outcome import judge, skipped
from e2e import otlp

FOLDER = "ottl-funcs-raw"
DOCUMENT = {"resourceLogs": [{"scopeLogs": [{"logRecords": [{"body": {"stringValue": "b"}}]}]}]}

# Function of the table: the expression. Arguments are keys of the row; "?" marks those that may be missing.
ONE_ARGUMENT = {"Test_Base64Decode": "Base64Decode", "Test_Base64DecodeError": "Base64Decode", "Test_Double": "Double", "Test_FNV": "FNV",
                "Test_FNVError": "FNV", "Test_Int": "Int", "Test_IsBool": "IsBool", "Test_IsDouble": "IsDouble", "Test_IsInt": "IsInt",
                "Test_IsList": "IsList", "Test_IsMap": "IsMap", "Test_IsString": "IsString", "Test_Len": "Len", "Test_Log": "Log",
                "Test_Luhn": "IsValidLuhn", "Test_MD5": "MD5", "Test_MD5Error": "MD5", "Test_Murmur3Hash": "Murmur3Hash",
                "Test_Murmur3Hash128": "Murmur3Hash128", "Test_SHA256": "SHA256", "Test_SHA256Error": "SHA256", "Test_SHA512Error": "SHA512",
                "Test_String": "String"}
TARGET = {"Test_toLowerCase": "ToLowerCase", "Test_toLowerCaseRuntimeError": "ToLowerCase", "Test_toUpperCase": "ToUpperCase",
          "Test_toUpperCaseRuntimeError": "ToUpperCase", "Test_toSnakeCase": "ToSnakeCase", "Test_toSnakeCaseRuntimeError": "ToSnakeCase",
          "Test_toCamelCase": "ToCamelCase"}
TIMES = ("Hour", "Minute", "Second", "Weekday", "Year")
DURATIONS = ("Hours", "Minutes", "Seconds", "Milliseconds", "Microseconds", "Nanoseconds")
CALLS = {
    "Test_convertCase": ("ConvertCase", "target", "toCase"), "Test_convertCaseRuntimeError": ("ConvertCase", "target", "toCase"),
    "Test_isMatch": ("IsMatch", "target", "pattern"), "Test_split": ("Split", "target", "delimiter"),
    "Test_substring": ("Substring", "target", "start", "length"), "Test_substring_error": ("Substring", "target", "start", "length"),
    "Test_trim": ("Trim", "target", "?replacement"), "TestDecode": ("Decode", "value", "encoding"), "Test_Duration": ("Duration", "duration"),
    "Test_DurationError": ("Duration", "duration"), "Test_concat": ("Concat", "vals", "delimiter"), "Test_Sort": ("Sort", "getter", "order"),
    "Test_GetXML": ("GetXML", "document", "xPath"), "Test_RemoveXML": ("RemoveXML", "document", "xPath"),
    "Test_InsertXML": ("InsertXML", "document", "xPath", "subdoc"),
    "Test_ConvertTextToElementsXML": ("ConvertTextToElementsXML", "document", "?xPath", "?elementName"),
    "Test_ConvertAttributesToElementsXML": ("ConvertAttributesToElementsXML", "document", "?xPath"),
    "Test_ParseSimplifiedXML": ("ParseSimplifiedXML", "document"), "TestURLParser": ("URL", "?url"), "TestUserAgentParser": ("UserAgent", "UAString"),
    "Test_TimeError": ("Time", "time", "format"), "Test_TimeFormatError": ("Time", "time", "format", "?location", "?locale"),
    **{name: (function, "value") for name, function in ONE_ARGUMENT.items()}, **{name: (function, "target") for name, function in TARGET.items()},
    **{f"Test_{name}": (name, "time") for name in TIMES}, **{f"Test_{name}": (name, "duration") for name in DURATIONS},
}
PARAMETERS = {"xPath": "xpath"}
WORDS = {"sortAsc": "asc", "sortDesc": "desc"}
MONTHS = ["January", "February", "March", "April", "May", "June", "July", "August", "September", "October", "November", "December"]


class Untold(Exception):
    """What cannot be said in OTTL."""


def of_go(text):
    """A Go expression as OTTL."""
    text = text.strip()
    if re.fullmatch(r'"(\\.|[^"\\])*"|-?\d+|-?\d+\.\d+|true|false|nil', text):
        return text
    if re.fullmatch(r"`[^`]*`", text):
        return json.dumps(text[1:-1])
    if found := re.fullmatch(r"(?:u?int(?:8|16|32|64)?|float64|string)\((.*)\)", text):
        return of_go(found[1])
    if found := re.fullmatch(r"time\.Date\((\d+), (?:time\.)?(\w+), (\d+), (\d+), (\d+), (\d+), 0, time\.UTC\)", text):
        month = found[2] if found[2].isdigit() else MONTHS.index(found[2]) + 1
        stamp = f"{int(found[1]):04}-{int(month):02}-{int(found[3]):02} {int(found[4]):02}:{int(found[5]):02}:{int(found[6]):02}"
        return f'Time("{stamp}", "%Y-%m-%d %H:%M:%S")'
    raise Untold(text)


def of_function(text):
    if found := re.search(r"s\.FromRaw\(\[\]any\{(.*)\}\)\s+return s, nil", text):
        return "[" + ", ".join(of_go(item) for item in found[1].split(",")) + "]"
    if found := re.fullmatch(r"func\([^{]*\{\s*return time\.ParseDuration\((.*)\)\s*\}", text, re.S):
        return f"Duration({found[1]})"
    if found := re.fullmatch(r"func\([^{]*\{\s*return (.*), nil\s*\}", text, re.S):
        return of_go(found[1])
    raise Untold(text)


def literal(value):
    if value is None:
        return "nil"
    if isinstance(value, list):
        return "[" + ", ".join(literal(item) for item in value) + "]"
    if not isinstance(value, dict):
        return json.dumps(value, ensure_ascii=False)
    if "Getter" in value:
        return of_function(value["Getter"].get("$func", ""))
    if "$ident" in value and value["$ident"] in WORDS:
        return json.dumps(WORDS[value["$ident"]])
    if "$call" in value and len(value.get("args", [])) == 1 and re.match(r"pcommon\.NewValue(Str|Int|Bool|Double)$|ottl\.NewTestingOptional", value["$call"]):
        return literal(value["args"][0])
    raise Untold(json.dumps(value)[:80])


def expression(raw):
    function, *names = CALLS[raw["func"]]
    row, arguments, positional = raw["v"], [], True
    for name in names:
        optional, name = name[0] == "?", name.lstrip("?")
        if optional and name not in row:
            positional = False  # what follows is named
            continue
        arguments.append(literal(row[name]) if positional else f"{PARAMETERS.get(name, name)}={literal(row[name])}")
    return f"{function}({', '.join(arguments)})"


def wanted_of(raw):
    """(value, may fail); raises Untold when the row says neither."""
    row = raw["v"]
    fails = any(row.get(key) for key in ("err", "expectedError", "wantErr", "expectErr", "errorStr", "shouldError")) or "rror" in raw["func"]
    for key in ("expected", "want"):
        if key in row and not fails:
            value = row[key]
            if isinstance(value, dict):
                raise Untold(json.dumps(value)[:80])
            return value, False
    if fails:
        return row.get("expectedError") or "", True
    raise Untold("no expectation")


def plain(value):
    """An AnyValue as Python has it."""
    if "arrayValue" in value:
        return [plain(item) for item in value["arrayValue"].get("values", [])]
    if "kvlistValue" in value:
        return {item["key"]: plain(item["value"]) for item in value["kvlistValue"].get("values", [])}
    return next(iter(value.values()), None)


def result_of(row):
    for group in otlp.groups_of("logs", {"resourceLogs": row.groups}):
        for attribute in group["scopeLogs"][0]["logRecords"][0].get("attributes", []):
            return plain(attribute["value"])
    return None


def problem(row, raw):
    wanted, fails = wanted_of(raw)
    if fails:
        failed = row.refused or row.status == 400 or result_of(row) is None
        return "" if failed else f"must fail, and gave {result_of(row)!r}"
    if row.refused or row.status != 200:
        return f"refused: {row.refused or row.log[-300:]}"
    got = result_of(row)
    return "" if got == wanted and isinstance(got, bool) == isinstance(wanted, bool) else f"{wanted!r} wanted, {got!r} came"


def run(folder, binary):
    raws = [json.loads(line) for line in (folder / "tables.jsonl").read_text().splitlines()]
    rows, out = [], []
    for raw in raws:
        name = raw["v"].get("name", raw["v"].get("Name", "")) if isinstance(raw["v"], dict) else ""
        identity = f"{raw['func']}/{raw['i']} {name}"
        try:
            if raw["func"] not in CALLS:
                raise Untold("a table of Go values")
            wanted_of(raw)
            statement = f'set(attributes["result"], {expression(raw)})'
        except Untold as reason:
            out.append(skipped(identity, f"cannot be said from outside: {reason}"))
            continue
        settings = {"error_mode": "propagate", "log_statements": [{"context": "log", "statements": [statement]}]}
        rows.append((row_pipelines.Row(identity, "logs", "transform", settings, DOCUMENT), raw))
    row_pipelines.run(binary, [row for row, _ in rows])
    return out + [judge(row.id, problem(row, raw)) for row, raw in rows]
