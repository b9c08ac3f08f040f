#!/usr/bin/env python3
"""Public test suites against weir from outside, through its ports and files: ./dev conformance [SUITE...] [--json].

A suite is a module in suites/ that names its FOLDER of cases and has run(folder, binary) -> outcomes. The folder of all cases
is WEIR_CASES (default: ../shared/cases beside the checkout). Rows that weir deliberately does otherwise
stand in exceptions.yaml with a reason; they count as skipped when they are not met.
"""
import argparse
import fnmatch
import importlib
import json
import os
import pathlib
import sys

HERE = pathlib.Path(__file__).resolve().parent
ROOT = HERE.parents[1]
sys.path.insert(0, str(HERE.parent))

import yaml  # noqa: E402 (the path comes first)

from conformance.outcome import Outcome  # noqa: E402


def cases_folder():
    return pathlib.Path(os.environ.get("WEIR_CASES", ROOT.parent / "shared" / "cases"))


def all_suites():
    modules = [importlib.import_module(f"conformance.suites.{path.stem}") for path in sorted((HERE / "suites").glob("[a-z]*.py"))]
    return {module.FOLDER: module for module in modules}


def excepted(suite, outcomes):
    """A failed row that stands in the list is skipped, with the reason that stands there."""
    exceptions = yaml.safe_load((HERE / "exceptions.yaml").read_text()) or {}
    out = []
    for outcome in outcomes:
        reason = next((rule["reason"] for rule in exceptions.get(suite) or [] if fnmatch.fnmatchcase(outcome.id, rule["id"])), None)
        out.append(Outcome(outcome.id, "skipped", reason) if outcome.verdict == "failed" and reason else outcome)
    return out


def run_suite(name, binary, folder=None):
    """The outcomes of one suite, or None when its cases are not here."""
    folder = (folder or cases_folder()) / name
    return excepted(name, all_suites()[name].run(folder, binary)) if folder.is_dir() else None


def summary(name, outcomes):
    def count(verdict):
        return sum(1 for outcome in outcomes if outcome.verdict == verdict)

    return {"suite": name, "passed": count("passed"), "total": len(outcomes), "skipped": count("skipped"),
            "failed": [outcome.id for outcome in outcomes if outcome.verdict == "failed"]}


def print_suite(name, outcomes, verbose):
    numbers = summary(name, outcomes)
    print(f"{name}: passed {numbers['passed']} of {numbers['total']}, skipped {numbers['skipped']}")
    for outcome in outcomes:
        if outcome.verdict == "failed" or (verbose and outcome.verdict == "skipped"):
            print(f"  {outcome.verdict} {outcome.id}: {' '.join(outcome.why.split())[:300]}")


def main():
    parser = argparse.ArgumentParser(prog="./dev conformance", description=__doc__.splitlines()[0])
    suites = all_suites()
    parser.add_argument("suites", nargs="*", metavar="SUITE", help=", ".join(suites))
    parser.add_argument("--json", action="store_true", help="print a list of objects instead of lines")
    parser.add_argument("--verbose", action="store_true", help="say why rows were skipped, too")
    parser.add_argument("--binary", type=pathlib.Path, default=pathlib.Path(os.environ.get("WEIR_BINARY", ROOT / "build/release/weir")))
    arguments = parser.parse_args()
    unknown = set(arguments.suites) - set(suites)
    if unknown:
        parser.error(f"no suite {', '.join(sorted(unknown))}")
    summaries = []
    for name in arguments.suites or suites:
        outcomes = run_suite(name, arguments.binary.resolve())
        if outcomes is None:
            print(f"{name}: no cases in {cases_folder()}; skipped", file=sys.stderr)
            continue
        summaries.append(summary(name, outcomes))
        if not arguments.json:
            print_suite(name, outcomes, arguments.verbose)
    if arguments.json:
        print(json.dumps(summaries, indent=1))
    sys.exit(1 if any(one["failed"] for one in summaries) else 0)


if __name__ == "__main__":
    main()
