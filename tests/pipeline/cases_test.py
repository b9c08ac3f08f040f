"""Pipelines as data: tests/pipeline/cases/NAME/ holds pipeline.yaml, input.jsonl and expected.jsonl.

pipeline.yaml is a configuration whose otlp receiver listens on ${env:WEIR_IN} and whose file exporters write to
${env:WEIR_OUT}/NAME.jsonl. Every line of input.jsonl is one OTLP/JSON request, sent in order; a line
{"status": 400, "request": {...}} says which answer is right. expected.jsonl, or expected/NAME.jsonl where several files are written, holds
the records that must have come out, in any grouping and order, when weir has stopped.
"""
import json
import pathlib

import pytest
import yaml

from e2e import harness, otlp

CASES = pathlib.Path(__file__).parent / "cases"


def lines_of(path):
    return [json.loads(line) for line in path.read_text().splitlines() if line.strip()]


def expected_files(case):
    if (case / "expected.jsonl").exists():
        return {"out.jsonl": case / "expected.jsonl"}
    return {path.name: path for path in sorted((case / "expected").glob("*.jsonl"))}


def records(signal_name, documents):
    return harness.as_multiset(otlp.records_of(signal_name, [one for one in documents if otlp.signal_of(one) == signal_name]))


@pytest.fixture
def run_case(tmp_path):
    started = []

    def run(case):
        port, out = harness.free_port(), tmp_path / "out"
        out.mkdir()
        environment = {"WEIR_IN": str(port), "WEIR_OUT": str(out)}
        weir = harness.Weir(yaml.safe_load((case / "pipeline.yaml").read_text()), tmp_path / "weir", environment=environment)
        started.append(weir)
        for line in lines_of(case / "input.jsonl"):
            request, status = (line["request"], line["status"]) if "status" in line else (line, 200)
            answer = harness.post_json(port, otlp.signal_of(request), request)
            assert answer[0] == status, answer
        weir.stop()
        return out

    yield run
    for weir in started:
        weir.kill()


@pytest.mark.parametrize("case", sorted(path.parent for path in CASES.glob("*/pipeline.yaml")), ids=lambda case: case.name)
def test_case(case, run_case):
    out = run_case(case)
    wanted_files = expected_files(case)
    assert wanted_files
    for name, wanted in wanted_files.items():
        for signal_name in ("traces", "metrics", "logs"):
            assert records(signal_name, harness.read_lines(out / name)) == records(signal_name, lines_of(wanted)), f"{name}, {signal_name}"
