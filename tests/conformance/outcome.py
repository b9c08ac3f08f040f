"""What became of one row of a suite."""
import dataclasses


@dataclasses.dataclass
class Outcome:
    id: str
    verdict: str  # "passed", "failed" or "skipped"
    why: str = ""


def passed(row):
    return Outcome(row, "passed")


def failed(row, why):
    return Outcome(row, "failed", why)


def skipped(row, why):
    return Outcome(row, "skipped", why)


def judge(row, problem):
    """Passed when there is no problem."""
    return failed(row, problem) if problem else passed(row)
