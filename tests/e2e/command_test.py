"""The commands beside running: validate, components, print-config, schema; and what configurations may say."""
import json
import pathlib
import subprocess

import pytest
import yaml

from e2e import harness

GOOD = {
    "receivers": {"otlp": {"protocols": {"http": {"endpoint": "localhost:0"}}}},
    "exporters": {"debug": None},
    "service": {"pipelines": {"traces": {"receivers": ["otlp"], "exporters": ["debug"]}}},
}


def weir(*arguments, env=None):
    import os
    return subprocess.run([harness.BINARY, *map(str, arguments)], capture_output=True, text=True, timeout=60, env=dict(os.environ, **(env or {})))


def said(done):
    assert not harness.SANITIZER.search(done.stderr), done.stderr
    return done.stdout + done.stderr


def validate(tmp_path, text, *more, **options):
    path = tmp_path / "weir.yaml"
    path.write_text(text if isinstance(text, str) else yaml.safe_dump(text, sort_keys=False))
    return weir("validate", "--config", path, *more, **options)


def test_a_good_configuration(tmp_path):
    done = validate(tmp_path, GOOD)
    assert done.returncode == 0, said(done)


def test_all_errors_at_once_with_their_places(tmp_path):
    text = """\
receivers:
  otlp:
    protocols:
      http:
        endpont: localhost:1
exporters:
  otlp_http:
    endpoint: http://localhost:1
    timeout: soon
service:
  pipelines:
    traces:
      receivers: [otlp]
      exporters: [otlp_http, nothing]
"""
    done = validate(tmp_path, text)
    assert done.returncode == 1
    output = said(done)
    assert 'weir.yaml:5:9: receivers.otlp.protocols.http.endpont: unknown key, did you mean "endpoint"?' in output
    assert "weir.yaml:9:" in output and "exporters.otlp_http.timeout" in output
    assert "nothing" in output


@pytest.mark.parametrize("change, pattern", [
    ({"exporters": {"logging": None}}, "debug"),
    ({"exporters": {"nosuch": None}}, "nosuch"),
    ({"processors": {"batch": {"timeout": "-1s"}}}, "timeout"),
    ({"service": {"pipelines": {}}}, "pipeline"),
    ({"service": {"telemetry": {"metrics": {"address": ":1"}}}}, "readers"),
    ({"extensions": {"memory_ballast": {"size_mib": 1}}}, "memory_ballast"),
    ({"exporters": {"otlp_http": {"endpoint": "http://x", "sending_queue": {"blocking": True}}}}, "block_on_overflow"),
])
def test_hints(change, pattern, tmp_path):
    config = json.loads(json.dumps(GOOD))
    for section, value in change.items():
        if section == "service" and "telemetry" in value:
            config["service"].update(value)
        else:
            config[section] = value
    for name in change.get("exporters", {}):
        config["service"]["pipelines"]["traces"]["exporters"] = [name]
    if "processors" in change:
        config["service"]["pipelines"]["traces"]["processors"] = ["batch"]
    if "extensions" in change:
        config["service"]["extensions"] = list(change["extensions"])
    done = validate(tmp_path, config)
    assert pattern in said(done)


@pytest.mark.parametrize("text", ["", "a: [", "- 1\n- 2\n", "receivers: 7\n", "\x00\x01", "a: &x [*x]\n", "receivers:\n  otlp:\n\totlp: 1\n", "key: !!binary aGk=\n"])
def test_files_that_are_no_configuration(text, tmp_path):
    done = validate(tmp_path, text)
    assert done.returncode == 1
    assert said(done).strip()


def test_environment_files_and_set(tmp_path):
    (tmp_path / "level").write_text("detailed\n")
    config = json.loads(json.dumps(GOOD))
    config["exporters"] = {"debug": {"verbosity": f"${{file:{tmp_path}/level}}"}, "otlp_http": {"endpoint": "http://${env:HOST_NAME:-fallback}:1", "headers": {"price": "$$5"}}}
    config["service"]["pipelines"]["traces"]["exporters"] = ["debug", "otlp_http"]
    path = tmp_path / "weir.yaml"
    path.write_text(yaml.safe_dump(config))
    more = tmp_path / "more.yaml"
    more.write_text("exporters:\n  otlp_http:\n    timeout: 7s\n")
    done = weir("print-config", "--config", path, "--config", more, "--set", "processors.batch.timeout=3s", env={"HOST_NAME": "example"})
    assert done.returncode == 0, said(done)
    printed = yaml.safe_load(done.stdout)
    assert printed["exporters"]["otlp_http"]["endpoint"] == "http://example:1"
    assert printed["exporters"]["otlp_http"]["timeout"] in ("7s", "7.0s")
    assert printed["exporters"]["otlp_http"]["headers"]["price"] == "$5" or "REDACTED" in str(printed["exporters"]["otlp_http"]["headers"])
    assert printed["exporters"]["debug"]["verbosity"] == "detailed"
    assert printed["processors"]["batch"]["timeout"] == "3s"
    done = weir("print-config", "--config", path)
    assert "http://fallback:1" in done.stdout


def test_secrets_are_not_printed(tmp_path):
    config = json.loads(json.dumps(GOOD))
    config["extensions"] = {"bearertokenauth": {"token": "verysecret"}}
    config["service"]["extensions"] = ["bearertokenauth"]
    path = tmp_path / "weir.yaml"
    path.write_text(yaml.safe_dump(config))
    done = weir("print-config", "--config", path)
    assert done.returncode == 0, said(done)
    assert "verysecret" not in said(done)
    assert "REDACTED" in done.stdout


@pytest.mark.parametrize("tokens", ["[first-secret, second-secret]", "first-secret"])
def test_lists_of_secrets_are_not_printed(tokens, tmp_path):
    path = tmp_path / "tokens.yaml"
    path.write_text("receivers: {otlp: {protocols: {http: {}}}}\nexporters: {nop: {}}\nextensions: {bearertokenauth: {tokens: %s}}\n"
                    "service: {extensions: [bearertokenauth], pipelines: {traces: {receivers: [otlp], exporters: [nop]}}}\n" % tokens)
    done = weir("print-config", "--config", path)
    assert done.returncode == 0, said(done)
    assert "-secret" not in done.stdout
    assert "REDACTED" in done.stdout


def test_old_names_work_with_a_warning(tmp_path):
    config = json.loads(json.dumps(GOOD))
    config["exporters"] = {"otlphttp": {"endpoint": "http://localhost:1"}, "otlp": {"endpoint": "localhost:1"}}
    config["service"]["pipelines"]["traces"]["exporters"] = ["otlphttp", "otlp"]
    done = validate(tmp_path, config)
    assert done.returncode == 0, said(done)


def test_components_and_schema():
    done = weir("components")
    for name in ("otlp", "otlp_grpc", "otlp_http", "file", "debug", "nop", "batch", "memory_limiter", "forward", "health_check", "basicauth", "bearertokenauth"):
        assert name in done.stdout
    listed = json.loads(weir("components", "--json").stdout)
    assert "sending_queue" in json.dumps(listed)
    schema = json.loads(weir("schema").stdout)
    assert schema["$schema"].startswith("http")
    assert "receivers" in schema["properties"]


def test_generated_pages_are_fresh(tmp_path):
    """docs/components is what this binary writes."""
    done = weir("docs", tmp_path)
    assert done.returncode == 0, said(done)
    folder = harness.ROOT / "docs" / "components"
    written = {path.name: path.read_text() for path in pathlib.Path(tmp_path).rglob("*.md")}
    there = {path.name: path.read_text() for path in folder.rglob("*.md")}
    assert written
    assert there == written, "stale: run build/release/weir docs docs/components"


def test_command_lines_that_are_wrong():
    for arguments in (["--nonsense"], ["validate", "--nonsense"], ["nonsense"], ["--config"]):
        done = weir(*arguments)
        assert done.returncode == 2, arguments
        assert said(done)
    assert weir("--version").stdout.startswith("weir ")
    assert "usage" in weir("--help").stdout


def test_missing_file():
    done = weir("--config", "/no/such/file.yaml")
    assert done.returncode == 1
    assert "/no/such/file.yaml" in said(done)


@pytest.mark.parametrize("path", sorted((harness.ROOT / "config").glob("*.yaml")), ids=lambda path: path.name)
def test_configurations_that_are_shipped(path):
    done = weir("validate", "--config", path)
    assert done.returncode == 0, said(done)


def test_default_configuration_runs(start_weir, tmp_path):
    """What ./dev run starts, on other ports."""
    config = yaml.safe_load((harness.ROOT / "config" / "default.yaml").read_text())
    ports = harness.free_port(), harness.free_port()
    config["receivers"]["otlp"]["protocols"] = {"http": {"endpoint": f"localhost:{ports[0]}"}, "grpc": {"endpoint": f"localhost:{ports[1]}"}}
    config["service"]["extensions"] = []
    start_weir(config)
    assert harness.post_json(ports[0], "traces", harness.span_document("default"))[0] == 200
    written = tmp_path / "weir" / "data" / "telemetry.jsonl"
    harness.wait_until(lambda: harness.read_records(written, "traces"), "the span in ./data/telemetry.jsonl")
