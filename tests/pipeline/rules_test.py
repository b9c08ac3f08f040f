"""weir test: our own goldens, the example of docs/testing-rules.md, and what it says when something is wrong."""
import pathlib
import re
import subprocess

import pytest

from e2e import harness

RULES = pathlib.Path(__file__).parent / "rules"
EXAMPLE = re.search(r"```yaml\n(.*?)```", (harness.ROOT / "docs/testing-rules.md").read_text(), re.S).group(1)


def weir_test(*arguments, cwd=None):
    done = subprocess.run([harness.BINARY, "test", *arguments], cwd=cwd, capture_output=True, text=True, timeout=60, check=False)
    assert harness.SANITIZER.search(done.stderr) is None, done.stderr
    return done


@pytest.mark.parametrize("file", sorted(path.name for path in RULES.glob("*.yaml")))
def test_goldens(file):
    done = weir_test(file, cwd=RULES)
    assert done.returncode == 0, done.stdout + done.stderr
    assert re.search(r"^[1-9]\d* tests, 0 failed$", done.stdout, re.M)


def test_the_example_of_the_page(tmp_path):
    (tmp_path / "rules.yaml").write_text(EXAMPLE)
    done = weir_test("rules.yaml", cwd=tmp_path)
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout == "ok   rules.yaml: health checks are dropped, the rest is kept\n1 test, 0 failed\n"


def test_a_failure_is_a_difference_in_lines(tmp_path):
    (tmp_path / "rules.yaml").write_text(EXAMPLE.replace("{name: buy, attributes: [{key: http.route, value: {stringValue: /buy}}]}\n    expected",
                                                         "{name: sell}\n    expected"))
    done = weir_test("rules.yaml", cwd=tmp_path)
    assert done.returncode == 1
    span = "resourceSpans[0].scopeSpans[0].spans[0]"
    assert done.stdout == ("FAIL rules.yaml: health checks are dropped, the rest is kept\n"
                           f"     - {span}.name: \"buy\"\n     + {span}.name: \"sell\"\n"
                           f"     - {span}.attributes[\"http.route\"].stringValue: \"/buy\"\n1 test, 1 failed\n")


def test_a_verdict_that_was_not_expected_fails(tmp_path):
    (tmp_path / "rules.yaml").write_text(EXAMPLE + "    verdict: rejected\n")
    done = weir_test("rules.yaml", cwd=tmp_path)
    assert done.returncode == 1 and "- verdict: rejected\n     + verdict: accepted" in done.stdout


def test_rules_of_a_pipeline_of_another_file(tmp_path):
    (tmp_path / "weir.yaml").write_text("""
receivers: {otlp: {protocols: {http: {endpoint: 127.0.0.1:0}}}}
processors:
  batch: {timeout: 1h}
  transform: {log_statements: ['set(log.severity_text, "X")']}
exporters: {nop: }
service: {pipelines: {logs/app: {receivers: [otlp], processors: [transform, batch], exporters: [nop]}}}
""")
    (tmp_path / "in.jsonl").write_text('{"resourceLogs":[{"scopeLogs":[{"logRecords":[{"body":{"stringValue":"a"}}]}]}]}\n' * 2)
    group = "{scopeLogs: [{logRecords: [{severityText: X, body: {stringValue: a}}]}]}"
    (tmp_path / "tests.yaml").write_text(f"tests:\n  - {{name: all of it, pipeline: logs/app, input: in.jsonl, expected: {{resourceLogs: [{group}, {group}]}}}}\n")
    done = weir_test("--config", "weir.yaml", "tests.yaml", cwd=tmp_path)
    assert (done.returncode, done.stderr) == (0, ""), done.stdout


@pytest.mark.parametrize(("text", "message"), [
    ("tests: [{name: a, processors: [filter/nix], input: {}}]", 'rules.yaml:1:32: there is no processor "filter/nix"'),
    ("tests: [{name: a, pipeline: logs/nix, input: {}}]", 'rules.yaml:1:29: there is no pipeline "logs/nix"'),
    ("tests: [{name: a, input: {}}]", 'expected one of "pipeline" and "processors"'),
    ("tests: [{name: a, processors: []}]", 'the key "input" is missing'),
    ("tests: [{name: a, processors: [], input: {resourceSpans: []}}]", "input: there is no record in it"),
    ("tests: [{name: a, processors: [], input: {spans: []}}]", 'input: expected resourceSpans, resourceMetrics, resourceLogs or resourceProfiles, not "spans"'),
    ("tests: [{name: a, processors: [], input: {resourceSpans: 1}}]", "input: resourceSpans: "),
    ("tests: [{name: a, processors: [], input: nowhere.jsonl}]", 'could not open "nowhere.jsonl"'),
    ("tests: [{name: a, processors: [], inputs: {}}]", 'unknown key "inputs"'),
    ("tests: [{processors: []}]", 'the key "name" is missing'),
    ("tests: [a]", "expected a test"),
    ("processors: {}", 'there is no list "tests" in it'),
    ("procesors: {}", 'procesors: unknown key, did you mean "processors"?'),
])
def test_errors_say_where(tmp_path, text, message):
    (tmp_path / "rules.yaml").write_text(text)
    done = weir_test("rules.yaml", cwd=tmp_path)
    assert done.returncode == 1
    assert message in done.stderr


def test_the_command_line(tmp_path):
    assert weir_test().returncode == 2
    assert weir_test("--nix", "a").returncode == 2
    assert weir_test("--help").returncode == 0
    assert weir_test("nowhere.yaml", cwd=tmp_path).returncode == 1
