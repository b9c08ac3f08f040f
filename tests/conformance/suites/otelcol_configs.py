"""The OpenTelemetry Collector's own configuration files: `weir validate` must say of each what its name says.

A file is a whole configuration, a map of entries of one component, one component's bare settings, or a block that several
share; what is not whole is put into the smallest configuration around it. Names with "invalid", "bad" and the like must be
refused, all others accepted. What weir has no component for is skipped.
"""
import concurrent.futures
import copy
import json
import os
import pathlib
import re
import subprocess
import tempfile

import yaml

from conformance.outcome import failed, passed, skipped

FOLDER = "otelcol-configs"
KINDS = ("receiver", "processor", "exporter", "connector", "extension")
WRONG = re.compile(r"invalid|bad|error|negative|typo|wrong|unknown|nonexistent|malformed", re.I)
# Whatever authenticator an entry names is replaced by this one, which is there.
AUTHENTICATOR = "bearertokenauth/conformance"
BASE = {
    "receivers": {"otlp": {"protocols": {"http": {}}}},
    "exporters": {"debug": None},
    "extensions": {AUTHENTICATOR: {"token": "conformance"}},
    "service": {"extensions": [AUTHENTICATOR], "pipelines": {"traces": {"receivers": ["otlp"], "exporters": ["debug"]}}},
}


class Components:
    """What this weir is made of, by kind and by any of its names."""

    def __init__(self, binary):
        listed = json.loads(subprocess.run([binary, "components", "--json"], capture_output=True, check=True, text=True).stdout)
        self.by_name = {}
        for one in walk(listed):
            for name in [one["name"], *(one.get("aliases") or [])]:
                self.by_name[one["kind"], name] = one

    def find(self, kind, name):
        return self.by_name.get((kind, name))

    def of_folder(self, kind, folder):
        """The component whose Go package has that name: "otlphttpexporter" is otlp_http."""
        plain = folder.removesuffix(kind)
        return next((name for one, name in self.by_name if one == kind and plain in (name.replace("_", ""), name)), None)


def walk(value):
    """Every object within that describes a component."""
    if isinstance(value, dict):
        if "name" in value and "kind" in value and "options" in value:
            yield value
            return
        value = list(value.values())
    for item in value if isinstance(value, list) else []:
        yield from walk(item)


def with_authenticator(settings):
    if isinstance(settings, dict):
        return {key: AUTHENTICATOR if key == "authenticator" else with_authenticator(value) for key, value in settings.items()}
    return [with_authenticator(item) for item in settings] if isinstance(settings, list) else settings


def around(kind, component_id, settings, component):
    """The smallest configuration that uses the component."""
    config = copy.deepcopy(BASE)
    config.setdefault(f"{kind}s", {})[component_id] = with_authenticator(settings)
    signals = component.get("signals") or ["traces"]
    signal_name = "traces" if "traces" in signals else signals[0]
    pipeline = {"receivers": ["otlp"], "exporters": ["debug"]}
    config["service"]["pipelines"] = {signal_name: pipeline}
    if kind == "extension":
        config["service"]["extensions"].append(component_id)
    elif kind == "connector":
        pipeline["exporters"] = [component_id]
        config["service"]["pipelines"][f"{signal_name}/behind"] = {"receivers": [component_id], "exporters": ["debug"]}
    else:
        pipeline[f"{kind}s"] = [component_id]
    return config


def around_block(path, block):
    """Files of blocks that several components share: the block's name, and a configuration that holds it."""
    config = copy.deepcopy(BASE)
    text = str(path)
    if "exporterhelper" in text and "queuebatch" in text:
        config["exporters"] = {"otlp_grpc": {"endpoint": "localhost:1", "sending_queue": block}}
        config["service"]["pipelines"]["traces"]["exporters"] = ["otlp_grpc"]
        return [("", config)]
    if "service/telemetry" in text:
        part = re.search(r"_(traces|metrics|logs)", path.name) if "migration" in text else None
        config["service"]["telemetry"] = {part.group(1): block} if part else block
        return [("", config)]
    if "config/confighttp" in text:
        out = []
        for side, holder in (("client", ("exporters", "otlp_http")), ("server", ("receivers", "otlp"))):
            one = copy.deepcopy(config)
            settings = with_authenticator(block.get(side))
            one[holder[0]] = {holder[1]: settings if side == "client" else {"protocols": {"http": settings}}}
            one["service"]["pipelines"]["traces"][holder[0]] = [holder[1]]
            out.append((side, one))
        return out
    return []


def missing_components(config, components):
    """What a whole configuration names and weir does not have."""
    missing = []
    for kind in KINDS:
        for component_id in config.get(f"{kind}s") or {}:
            if not components.find(kind, component_id.split("/")[0]):
                missing.append(f"{kind} {component_id}")
    return missing


def place_of(path):
    """(kind, folders among which is the component's) when the file belongs to one."""
    folders = [part for part in path.parent.parts if part != "testdata"]
    for kind in KINDS:
        if kind in folders[:2] and len(folders) > folders.index(kind) + 1:
            return kind, folders[folders.index(kind) + 1 :]
    return None, []


def entries(path, document, components):
    """(name in the file, configuration or None, why it is skipped)"""
    if isinstance(document, dict) and isinstance(document.get("service"), dict):
        missing = missing_components(document, components)
        yield "", None if missing else document, f"weir has no {', '.join(missing)}"
        return
    blocks = around_block(path, document) if isinstance(document, dict) or document is None else []
    if blocks:
        for name, config in blocks:
            yield name, config, ""
        return
    kind, folders = place_of(path)
    if kind is None or not isinstance(document, (dict, type(None))):
        yield "", None, "not a configuration of a collector or of a component"
        return
    yield from component_entries(kind, folders, document or {}, components)


def component_entries(kind, folders, document, components):
    folder = next((one for one in folders if components.of_folder(kind, one)), folders[-1])
    name = components.of_folder(kind, folder)
    component = components.find(kind, name) if name else None
    plain = folder.removesuffix(kind)
    is_map = document and all(key.split("/")[0].replace("_", "") == plain or components.find(kind, key.split("/")[0]) for key in document)
    if component is None:
        yield "", None, f"weir has no {kind} {plain}"
    elif is_map:
        for component_id, settings in document.items():
            yield component_id, around(kind, component_id, settings, component), ""
    else:
        yield "", around(kind, name, document, component), ""


def validate(binary, config, folder):
    path = pathlib.Path(folder) / f"{os.urandom(8).hex()}.yaml"
    path.write_text(yaml.safe_dump(config, sort_keys=False))
    done = subprocess.run([binary, "validate", "--config", path], capture_output=True, text=True, timeout=60, cwd=folder)
    return done.returncode, (done.stdout + done.stderr).replace(str(path), "config")


def check(binary, name, config, folder):
    code, text = validate(binary, config, folder)
    must_fail = WRONG.search(name.rsplit("testdata/", 1)[-1])
    if code not in (0, 1):
        return failed(name, f"weir ended with {code}: {text}")
    if must_fail:
        return passed(name) if code else failed(name, "must be refused, and is accepted")
    return failed(name, f"must be accepted: {text}") if code else passed(name)


def load(path):
    class Loader(yaml.SafeLoader):
        pass

    Loader.add_multi_constructor("!", lambda loader, suffix, node: str(node.value))
    return yaml.load(path.read_text(), Loader)


def rows_of(folder, components):
    for path in sorted(folder.rglob("*.y*ml")):
        relative = path.relative_to(folder)
        try:
            document = load(path)
        except yaml.YAMLError as error:
            yield f"{relative}", None, f"not YAML: {error}"
            continue
        for name, config, why in entries(relative, document, components):
            yield f"{relative}#{name}" if name else f"{relative}", config, why


def run(folder, binary):
    components = Components(binary)
    rows = list(rows_of(folder, components))
    out = [skipped(name, why) for name, config, why in rows if config is None]
    with tempfile.TemporaryDirectory() as scratch, concurrent.futures.ThreadPoolExecutor(os.cpu_count()) as pool:
        checks = [pool.submit(check, binary, name, config, scratch) for name, config, _ in rows if config is not None]
        return out + [one.result() for one in checks]
