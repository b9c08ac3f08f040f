"""Prometheus' text formats: pages served to a scraping weir. `up` says whether a page was taken, and the points what was read.

What OTLP can't say is not asked for: quantiles without a count, and a difference between a count or sum that is absent and one that is 0 or can be
had from the buckets.
"""
import base64
import json
import math
import pathlib
import tempfile

from conformance.outcome import judge
from e2e import harness, scraping

FOLDER = "prometheus-text"
OWN = {"__name__", "__type__", "__unit__", "job", "instance"}
REPORT = {"up", "scrape_duration_seconds", "scrape_samples_scraped", "scrape_samples_post_metric_relabeling", "scrape_series_added"}


def text_of(value):
    return base64.b64decode(value["$b64"]) if isinstance(value, dict) else value.encode()


def type_of(row):
    return scraping.OPENMETRICS if "openmetrics" in (row.get("format") or "") else scraping.TEXT


def normal(name, labels, value):
    """A series in one spelling: bounds as numbers, no empty labels, no labels of the target."""
    labels = {key.removeprefix("exported_"): text for key, text in labels.items()
              if text != "" and key.removeprefix("exported_") not in OWN}
    for key in ("le", "quantile"):
        if key in labels:
            try:
                labels[key] = repr(float(labels[key]))
            except ValueError:
                pass
    return name, tuple(sorted(labels.items())), "NaN" if isinstance(value, float) and math.isnan(value) else value


def number_of(value):
    """{"$float": "NaN"} and the like, too."""
    return float(next(iter(value.values())) if isinstance(value, dict) else value)


def wanted_of_entries(row):
    return {normal(entry["labels"]["__name__"], entry["labels"], number_of(entry["value"])) for entry in row["expected_entries"] if entry["kind"] == "series"}


def wanted_of_families(row):
    out = set()
    for family in row["expected_families"]:
        for sample in family["samples"]:
            if "native_histogram" in sample and sample["native_histogram"]:
                return None
            name = sample["name"]
            if name not in row["input"]:  # that parser gives every counter this suffix
                name = name.removesuffix("_total")
            out.add(normal(name, sample["labels"], number_of(sample["value"])))
    return out


def rows_of(folder):
    """(id, content type, page, is it taken, series or None)"""
    for path in sorted(folder.glob("*.jsonl")):
        for number, line in enumerate(path.read_text().splitlines()):
            row = json.loads(line)
            name = f"{path.stem}/{row.get('id') or row.get('test')}" + ("" if "id" in row else f"#{number}")
            if "expected_text" in row:
                continue
            taken, wanted = row.get("should_parse", row.get("valid", True)), None
            if taken and "expected_entries" in row:
                wanted = wanted_of_entries(row)
            elif taken and path.stem.startswith("client_python"):
                wanted = wanted_of_families(row)
            yield name, type_of(row), text_of(row["input"]), taken, wanted
    for path in sorted((folder / "files").iterdir()):
        yield f"files/{path.name}", scraping.OPENMETRICS if ".om." in path.name else scraping.TEXT, path.read_bytes(), True, None


def came(samples):
    return {normal(sample.name, sample.labels, sample.value) for sample in samples if sample.name not in REPORT}


def without(labels, key):
    return tuple(pair for pair in labels if pair[0] != key)


def without_count(series, wanted):
    """A quantile or sum of a summary without a count, or a _created, which is a start time and no series."""
    name, labels, _ = series
    counts = {(other, own) for other, own, _ in wanted}
    if any(key == "quantile" for key, _ in labels) or name.endswith("_sum"):
        return (f"{name.removesuffix('_sum')}_count", without(labels, "quantile")) not in counts
    return name.endswith("_created")


def derived(series, series_there):
    """A count or sum of a histogram or summary, which OTLP always has."""
    name, labels, value = series
    stem, _, part = name.rpartition("_")
    merged = any(other in (stem, f"{stem}_bucket", f"{stem}_count") and without(without(own, "le"), "quantile") == labels for other, own, _ in series_there)
    return merged and (part == "count" or (part == "sum" and value == 0))


def problem(samples, taken, wanted):
    if samples is None:
        return "was never scraped"
    up = scraping.value(samples, "up")
    if up != (1.0 if taken else 0.0):
        return "must be taken, and was refused" if taken else "must be refused, and was taken"
    if not taken:
        return "refused, and yet sent" if came(samples) else ""
    if wanted is None:
        return ""
    missing = {one for one in wanted - came(samples) if not without_count(one, wanted)}
    more = {one for one in came(samples) - wanted if not derived(one, came(samples))}
    return f"missing: {sorted(map(str, missing))[:3]}; too much: {sorted(map(str, more))[:3]}" if missing or more else ""


def scrape_all(rows, binary, folder):
    pages = scraping.Pages({f"/{number}": (row[1], row[2]) for number, row in enumerate(rows)})
    targets = [{"targets": [pages.address], "labels": {"__metrics_path__": f"/{number}", "instance": str(number)}} for number in range(len(rows))]
    output = folder / "out.jsonl"
    weir = harness.Weir(scraping.scraping([{"job_name": "suite", "scrape_interval": "3s", "static_configs": targets}], output), folder, binary=binary)
    try:
        harness.wait_until(lambda: len(pages.seen) == len(rows), "all pages are scraped", 60)
        harness.wait_until(lambda: len(harness.read_lines(output)) >= len(rows), "all scrapes are written", 30)
        weir.stop()
    finally:
        weir.kill()
        pages.stop()
    found = {}
    for samples in scraping.scrapes(output):
        found.setdefault(int(next(sample.labels["instance"] for sample in samples if sample.name == "up")), samples)
    return found


def run(folder, binary):
    rows = list(rows_of(folder))
    with tempfile.TemporaryDirectory() as temporary:
        found = scrape_all(rows, binary, pathlib.Path(temporary))
    return [judge(name, problem(found.get(number), taken, wanted)) for number, (name, _, _, taken, wanted) in enumerate(rows)]
