"""Statements that fail while weir runs: what error_mode makes of them, and that each is counted by itself."""
import pytest

from e2e import harness

FAILS = 'set(log.attributes["n"], Int(log.attributes["n"]) / 0)'
WORKS = 'set(log.attributes["seen"], true)'
LOGS = {"resourceLogs": [{"scopeLogs": [{"logRecords": [{"attributes": [{"key": "n", "value": {"stringValue": "7"}}]}] * 3}]}]}


def transforming(port, mode):
    return {
        "receivers": {"otlp": harness.otlp_receiver(port)},
        "processors": {"transform": {"error_mode": mode, "log_statements": [FAILS, WORKS]}},
        "exporters": {"file": {"path": "out.jsonl"}},
        "service": {"pipelines": {"logs": {"receivers": ["otlp"], "processors": ["transform"], "exporters": ["file"]}}},
    }


@pytest.mark.parametrize("mode", ["ignore", "silent", "propagate"])
def test_a_statement_that_fails(mode, start_weir):
    port = harness.free_port()
    weir = start_weir(transforming(port, mode))
    status, _, body = harness.post_json(port, "logs", LOGS)
    failures = {text: weir.metric("weir_ottl_statement_failures", processor="transform", statement=text) for text in (FAILS, WORKS)}
    said = "divide by 0" in weir.log()
    weir.stop()
    written = (weir.folder / "out.jsonl").read_text()
    if mode == "propagate":
        assert status == 400 and b"ottl_error" in body and said and written == ""
        assert failures == {FAILS: 1, WORKS: 0}
    else:
        assert status == 200 and written.count('"seen"') == 3
        assert failures == {FAILS: 3, WORKS: 0}
        assert said == (mode == "ignore")
