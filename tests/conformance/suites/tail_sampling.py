"""The OpenTelemetry Collector's own cases of tail sampling: one trace and one policy each, and whether the trace is kept."""
import copy
import json

from conformance import row_pipelines
from conformance.outcome import judge
from e2e import otlp

FOLDER = "tail-sampling"


def named(policy, number=0):
    """Names, which the cases leave out, and which a policy has to have."""
    out = copy.deepcopy(policy)
    out.setdefault("name", f"policy-{number}")
    for settings, key in (("and", "and_sub_policy"), ("drop", "drop_sub_policy"), ("composite", "composite_sub_policy")):
        if key in out.get(settings, {}):
            out[settings][key] = [named(one, i) for i, one in enumerate(out[settings][key])]
    return out


def problem(row, raw):
    if row.refused:
        return f"refused: {row.refused}"
    if row.status != 200:
        return f"got {row.status}: {row.log[-300:]}"
    sent = len(otlp.records_of("traces", [raw["input"]]))
    kept = len(otlp.records_of("traces", [{"resourceSpans": row.groups}]))
    wanted = sent if raw["trace_kept_if_only_policy"] else 0
    return "" if kept == wanted else f"{kept} of {sent} spans were kept, {wanted} should have been"


def run(folder, binary):
    raws = [json.loads(line) for line in (folder / "policy_cases.jsonl").read_text().splitlines()]
    rows = [row_pipelines.Row(f"{number}/{raw['test']}", "traces", "tail_sampling",
                              {"decision_wait": "100ms", "policies": [named(raw["policy"])]}, raw["input"])
            for number, raw in enumerate(raws)]
    row_pipelines.run(binary, rows)
    return [judge(row.id, problem(row, raw)) for row, raw in zip(rows, raws)]
