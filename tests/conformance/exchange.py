"""Sends documents through one running daemon, OTLP/HTTP in and JSON lines out, and tells what came of each.

Rows go through one daemon, one after the other. Behind each row goes a marker of the same signal; what the file holds
between two markers came from the row between them, so that no row has to be waited for. A daemon that ends is
started again, and the row that it ended at has failed.
"""
import dataclasses
import http.client
import pathlib
import tempfile

from e2e import harness, otlp

MARK = "conformance.mark"


@dataclasses.dataclass
class Sent:
    """One row: what to send, and then what came of it."""
    id: str
    signal: str
    body: bytes
    content_type: str = "application/json"
    status: int = 0  # 0: no answer
    answer: str = ""
    groups: list = dataclasses.field(default_factory=list)  # resource groups as the file has them


def marker(signal_name, number):
    attributes = [{"key": MARK, "value": {"intValue": str(number)}}]
    records = {"traces": [{"name": "mark", "traceId": "01" * 16, "spanId": "02" * 8}], "logs": [{"body": {"stringValue": "mark"}}],
               "metrics": [{"name": "mark", "gauge": {"dataPoints": [{"asInt": "1"}]}}]}[signal_name]
    return {otlp.GROUPS[signal_name]: [{"resource": {"attributes": attributes},
                                        otlp.SCOPE_GROUPS[signal_name]: [{otlp.RECORDS[signal_name]: records}]}]}


def mark_of(group):
    for attribute in group.get("resource", {}).get("attributes", []):
        if attribute.get("key") == MARK:
            return int(attribute["value"]["intValue"])
    return None


class Exchange:
    def __init__(self, binary, folder):
        self.binary, self.folder = binary, pathlib.Path(folder)
        self.starts = 0
        self.weir = None

    def start(self):
        self.starts += 1
        self.port = harness.free_port()
        folder = self.folder / str(self.starts)
        self.output = folder / "out.jsonl"
        config = harness.otlp_to_file(self.output, self.port)
        config["exporters"]["file/profiles"] = {"path": str(folder / "profiles.bin"), "format": "proto"}
        config["service"]["pipelines"]["profiles"] = {"receivers": ["otlp"], "exporters": ["file/profiles"]}
        self.weir = harness.Weir(config, folder, binary=self.binary)

    def post(self, sent):
        try:
            status, _, answer = harness.request(self.port, harness.PATHS[sent.signal], sent.body, {"Content-Type": sent.content_type})
            sent.status, sent.answer = status, answer.decode(errors="replace")
        except (OSError, http.client.HTTPException) as error:
            sent.answer = f"no answer: {error!r}"

    def send(self, rows):
        """Sends one batch of rows as far as the daemon lives. Returns how many."""
        self.start()
        for number, sent in enumerate(rows):
            self.post(sent)
            if sent.signal in otlp.SCOPE_GROUPS and self.weir.alive():
                try:
                    status, _, answer = harness.post_json(self.port, sent.signal, marker(sent.signal, number))
                    assert status == 200, f"a marker was refused: {status} {answer!r}"
                except (OSError, http.client.HTTPException):
                    pass
            if not self.weir.alive():
                sent.status, sent.answer = 0, f"weir ended: {self.weir.log()[-500:]}"
                return number + 1
        return len(rows)

    def read(self, rows):
        """Hands what the file holds to the rows that it came from."""
        open_groups = {name: [] for name in otlp.GROUPS}
        for line in harness.read_lines(self.output):
            signal_name = otlp.signal_of(line)
            for group in line.get(otlp.GROUPS.get(signal_name, ""), []):
                number = mark_of(group)
                if number is None:
                    open_groups[signal_name].append(group)
                else:
                    rows[number].groups = open_groups[signal_name]
                    open_groups[signal_name] = []

    def run(self, rows):
        left = list(rows)
        while left:
            done = self.send(left)
            try:
                self.weir.stop()
            except AssertionError as error:
                self.weir.kill()
                if left[done - 1].status:
                    left[done - 1].answer += f"\n{error}"
            self.read(left[:done])
            left = left[done:]
        return rows


def run(binary, rows):
    with tempfile.TemporaryDirectory() as folder:
        return Exchange(binary, folder).run(rows)


def refusal_problem(sent):
    """A row that must be refused: 400, and nothing written."""
    if sent.status != 400:
        return f"must be refused with 400, got {sent.status or 'no answer'}: {sent.answer[:200]}"
    return "refused, and yet written" if sent.groups else ""


def acceptance_problem(sent):
    if not 200 <= sent.status < 300:
        return f"must be accepted, got {sent.status or 'no answer'}: {sent.answer[:200]}"
    return ""


def first_difference(wanted, got, path=""):
    """Where two plain JSON values part, as a sentence; "" when they are equal."""
    if isinstance(wanted, dict) and isinstance(got, dict):
        for key in sorted(set(wanted) | set(got)):
            if key not in got or key not in wanted:
                return f"{path}.{key}: {'missing' if key not in got else 'too much'}"
            found = first_difference(wanted[key], got[key], f"{path}.{key}")
            if found:
                return found
        return ""
    if isinstance(wanted, list) and isinstance(got, list):
        if len(wanted) != len(got):
            return f"{path}: {len(wanted)} wanted, {len(got)} came"
        return next(filter(None, (first_difference(a, b, f"{path}[{i}]") for i, (a, b) in enumerate(zip(wanted, got)))), "")
    return "" if wanted == got and isinstance(wanted, bool) == isinstance(got, bool) else f"{path}: {wanted!r} wanted, {got!r} came"


def holds_records(signal_name, document):
    return bool(otlp.records_of(signal_name, [document]))


def roundtrip_problem(sent, document):
    """What was written must say what the document said. A document without records may be dropped."""
    problem = acceptance_problem(sent)
    if problem:
        return problem
    if not sent.groups and not holds_records(sent.signal, document):
        return ""
    wanted = otlp.groups_of(sent.signal, document)
    got = otlp.groups_of(sent.signal, {otlp.GROUPS[sent.signal]: sent.groups})
    return first_difference(wanted, got)
