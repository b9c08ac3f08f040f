#!/usr/bin/env python3
"""The SDK's pages name what there is: tests that exist in docs/sdk/compliance.md, and every variable, tested, in docs/sdk/configuration.md.

usage: docs_test.py SOURCE_FOLDER
"""
import pathlib
import re
import sys

ROOT = pathlib.Path(sys.argv[1])
TESTS = ROOT / "tests/unit/sdk"
SIGNALS = ("TRACES", "LOGS", "METRICS")
failures = []


def check(condition, message):
    if not condition:
        failures.append(message)


def rows(page):
    """Cells of every table row of a page, without heads and rules."""
    for line in (ROOT / "docs/sdk" / page).read_text().splitlines():
        if line.startswith("|") and not re.match(r"\|[ -]*-[-|: ]*$", line):
            yield [cell.strip() for cell in line.strip("|").split("|")]


def file_of(name):
    for path in (TESTS / f"{name}.c", TESTS / name, ROOT / "tests/fuzz" / f"{name}.c", ROOT / "tests/unit/sdk" / f"{name}.py"):
        if path.is_file():
            return path
    return None


def check_case(path, case):
    text = path.read_text()
    if path.suffix == ".c":
        registered = re.search(rf"cmocka_unit_test\w*\({case}[,)]", text)
        check(registered, f"{path.name} has no case {case}")
    else:
        check(case in text, f"{path.name} does not have {case}")


def check_compliance():
    """'x_test: a, b; y_test' means the cases a and b of x_test, and all of y_test."""
    counted = 0
    for row, sign, proof in (cells[:3] for cells in rows("compliance.md") if cells[1] in ("+", "-")):
        if sign == "-":
            check(proof != "", f"compliance.md, \"{row}\": say why not, or what stands in")
            continue
        named = 0
        for part in re.sub(r"\([^()]*\)", "", proof).split(";"):
            name, _, cases = part.strip().partition(":")
            path = file_of(name.strip())
            check(path, f"compliance.md, \"{row}\": there is no test {name.strip()}")
            for case in cases.split(",") if path and cases else []:
                check_case(path, case.strip())
            named += path is not None
        check(named > 0, f"compliance.md, \"{row}\": no test is named")
        counted += 1
    check(counted > 30, f"only {counted} rows of compliance.md were understood")


def expand(name):
    braces = re.match(r"(.*)\{([A-Z,]+)\}(.*)", name)
    return [braces[1] + word + braces[3] for word in braces[2].split(",")] if braces else [name]


def documented():
    """Variables of configuration.md's table, and those that it says are not supported."""
    text = (ROOT / "docs/sdk/configuration.md").read_text()
    names = set()
    for line in text.splitlines():
        last = ""
        for name in re.findall(r"`((?:OTEL|WEIR_SDK)_[A-Z0-9_{},]+|_[A-Z_]+)`", line):
            if name.startswith("_"):  # `OTEL_EXPORTER_OTLP_CERTIFICATE`, `_CLIENT_KEY`
                name = re.sub(r"_CERTIFICATE$", "", last) + name
            else:
                last = name
            names.update(expand(name))
            if line.startswith("|") and " * |" in line:
                names.update(name.replace("OTLP_", f"OTLP_{signal}_") for signal in SIGNALS)
    return names - {"WEIR_SDK_ZLIB", "WEIR_SDK_TLS"}


def check_variables():
    """Every variable that the library reads is documented, and every documented one is tested."""
    sources = "\n".join(path.read_text() for path in (ROOT / "sdk/src").glob("*.c"))
    names = documented()
    for name in set(re.findall(r'"((?:OTEL|WEIR)_[A-Z0-9_]+[A-Z])"', sources)):
        check(name in names, f"configuration.md does not have {name}")
    tests = "\n".join(path.read_text() for path in TESTS.glob("*_test.c"))
    per_signal = set(re.findall(r'\{ "([A-Z_]+)", "', re.search(r"exporter_variables\[\] = \{(.*?)\};", tests, re.S)[1]))
    for name in sorted(names):
        what = re.sub(r"^OTEL_EXPORTER_OTLP_(?:(?:TRACES|LOGS|METRICS)_)?", "", name)
        check(f'"{name}"' in tests or what in per_signal, f"no test sets {name}")
    check(len(names) > 60, f"only {len(names)} variables of configuration.md were understood")


def check_functions():
    """Every exported function is in a header, with a comment before it or its group, and in the man page."""
    headers = "\n".join(path.read_text() for path in (ROOT / "sdk/include/weir").glob("*.h"))
    page = (ROOT / "docs/sdk/weir.h.3").read_text()
    for name in (ROOT / "sdk/exported-symbols.txt").read_text().split():
        check(re.search(rf"\b{name}\b", headers), f"no header has {name}")
        check(name.endswith("_") or re.search(rf"\b{name}\b", page), f"weir.h.3 does not have {name}")


check_compliance()
check_variables()
check_functions()
for failure in failures:
    print(failure)
print(f"{len(failures)} failed")
sys.exit(bool(failures))
