"""Rows that each bring their own processor: a pipeline of its own for each, many in one daemon.

A row's settings are first given to `weir validate`; only those that pass are run. What the row's file holds after the daemon has
ended is what came of it.
"""
import dataclasses
import http.client
import pathlib
import subprocess
import tempfile

import yaml

from e2e import harness, otlp

ROWS_A_DAEMON = 60


@dataclasses.dataclass
class Row:
    id: str
    signal: str
    processor: str  # "transform"
    settings: dict
    document: dict = None
    refused: str = ""  # why the settings were refused
    status: int = 0
    log: str = ""
    groups: list = dataclasses.field(default_factory=list)


def pipeline_of(config, number, row, folder, port):
    config["receivers"][f"otlp/{number}"] = {"protocols": {"http": {"endpoint": f"127.0.0.1:{port}"}}}
    config["processors"][f"{row.processor}/{number}"] = row.settings
    config["exporters"][f"file/{number}"] = {"path": str(folder / f"{number}.jsonl"), "flush_interval": "100ms"}
    config["service"]["pipelines"][f"{row.signal}/{number}"] = {
        "receivers": [f"otlp/{number}"], "processors": [f"{row.processor}/{number}"], "exporters": [f"file/{number}"]}


def empty_config():
    return {"receivers": {}, "processors": {}, "exporters": {}, "service": {"pipelines": {}}}


def doubled(settings):
    """As a user writes it: a "$" of the text is "$$" in the configuration."""
    if isinstance(settings, str):
        return settings.replace("$", "$$")
    if isinstance(settings, dict):
        return {key: doubled(value) for key, value in settings.items()}
    return [doubled(item) for item in settings] if isinstance(settings, list) else settings


def validate(binary, row, folder):
    config = empty_config()
    pipeline_of(config, 0, row, folder, 1)
    path = folder / "row.yaml"
    path.write_text(yaml.safe_dump(config))
    done = subprocess.run([binary, "validate", "--config", path], capture_output=True, text=True, timeout=60)
    if done.returncode:
        row.refused = (done.stderr + done.stdout).strip() or "refused without a word"


def post(port, row):
    try:
        row.status = harness.post_json(port, row.signal, row.document)[0]
    except (OSError, http.client.HTTPException) as error:
        row.log = repr(error)


def run_daemon(binary, rows, folder):
    config = empty_config()
    ports = harness.free_ports(len(rows))
    for number, (row, port) in enumerate(zip(rows, ports)):
        pipeline_of(config, number, row, folder, port)
    weir = harness.Weir(config, folder, binary=binary)
    for row, port in zip(rows, ports):
        before = len(weir.log())
        post(port, row)
        row.log += weir.log()[before:]
    weir.stop()
    for number, row in enumerate(rows):
        path = folder / f"{number}.jsonl"
        lines = harness.read_lines(path) if path.exists() else []
        row.groups = [group for line in lines for group in line.get(otlp.GROUPS[row.signal], [])]


def run(binary, rows):
    with tempfile.TemporaryDirectory() as name:
        folder = pathlib.Path(name)
        for row in rows:
            row.settings = doubled(row.settings)
            validate(binary, row, folder)
        good = [row for row in rows if not row.refused and row.document is not None]
        for start in range(0, len(good), ROWS_A_DAEMON):
            part = folder / str(start)
            part.mkdir()
            run_daemon(binary, good[start:start + ROWS_A_DAEMON], part)
    return rows


def unordered(value):
    """The order of attributes, and of the entries of a map, says nothing."""
    if isinstance(value, dict):
        return {key: unordered(item) for key, item in value.items()}
    if isinstance(value, list):
        items = [unordered(item) for item in value]
        is_map = bool(items) and all(isinstance(item, dict) and "key" in item for item in items)
        return sorted(items, key=lambda item: item["key"]) if is_map else items
    return value


def comparable(signal_name, document):
    return unordered(otlp.groups_of(signal_name, document))
