"""The public suites as one test each; skipped where their cases are not."""
import pytest

from conformance import run
from e2e import harness


@pytest.mark.parametrize("suite", sorted(run.all_suites()))
def test_suite(suite):
    outcomes = run.run_suite(suite, harness.BINARY)
    if outcomes is None:
        pytest.skip(f"no cases in {run.cases_folder()} (WEIR_CASES)")
    numbers = run.summary(suite, outcomes)
    print(f"{suite}: passed {numbers['passed']} of {numbers['total']}, skipped {numbers['skipped']}")
    assert not numbers["failed"], "\n".join(f"{one.id}: {one.why}" for one in outcomes if one.verdict == "failed")
