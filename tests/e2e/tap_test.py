"""weir tap: what goes in, what comes out, what is dropped and by which rule."""
import re
import subprocess
import threading
import time

import pytest

from e2e import harness

RULE = 'attributes["http.route"] == "/health"'


class Tapped:
    def __init__(self, start_weir, **settings):
        self.port, self.tap_port = harness.free_ports(2)
        self.config = config = {
            "extensions": {"tap": {"endpoint": f"127.0.0.1:{self.tap_port}", **settings}},
            "receivers": {"otlp": harness.otlp_receiver(self.port)},
            "processors": {"filter/health": {"traces": {"span": [RULE]}}, "transform": {"trace_statements": ['set(span.attributes["seen"], true)']},
                           "filter/never": {"traces": {"span": ['name == "never"']}}},
            "exporters": {"nop": None},
            "service": {"extensions": ["tap"], "pipelines": {"traces/front": {
                "receivers": ["otlp"], "processors": ["filter/health", "transform", "filter/never"], "exporters": ["nop"]}}},
        }
        self.weir = start_weir(config)

    def post(self, name="span", count=1, route="/buy"):
        document = harness.span_document(name, count, attributes=[{"key": "http.route", "value": {"stringValue": route}}])
        assert harness.post_json(self.port, "traces", document)[0] == 200

    def command(self, *arguments):
        return [str(harness.BINARY), "tap", "--endpoint", f"http://127.0.0.1:{self.tap_port}", *arguments]

    def look(self, *arguments, meanwhile):
        """What the command prints while `meanwhile` runs, again and again."""
        process = subprocess.Popen(self.command("--seconds", "2", *arguments), stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
        done = threading.Event()

        def work():
            while not done.wait(0.3):
                meanwhile()

        thread = threading.Thread(target=work)
        thread.start()
        try:
            out, errors = process.communicate(timeout=30)
        finally:
            done.set()
            thread.join()
        assert harness.SANITIZER.search(errors) is None, errors
        return process.returncode, out, errors

    def ask(self, query="", target="traces/front", method="GET"):
        status, _, body = harness.request(self.tap_port, f"/tap/{target}{query}", method=method)
        return status, body.decode()


@pytest.fixture
def tapped(start_weir):
    return Tapped(start_weir)


def test_a_processor(tapped):
    def meanwhile():
        tapped.post("check", route="/health")
        tapped.post("buy", count=2)

    code, out, errors = tapped.look("traces/front/filter/health", meanwhile=meanwhile)
    assert (code, errors) == (0, "")
    assert re.search(r"^in   traces/front/filter/health: 2 spans\n.*buy", out, re.M | re.S)
    assert re.search(r"^out  traces/front/filter/health: 2 spans\n", out, re.M)
    assert f"drop traces/front/filter/health: 1 span: {RULE}\n" in out
    assert re.search(r"^drop traces/front/filter/health: 1 span: filtered$", out, re.M)
    assert out[out.index(f": {RULE}\n"):].splitlines()[3].startswith("check ")
    assert "transform" not in out


def test_a_pipeline_is_its_two_ends_and_all_drops(tapped):
    def meanwhile():
        tapped.post("check", route="/health")
        tapped.post("never")
        tapped.post("buy")

    _, out, _ = tapped.look("--verbosity", "detailed", "traces/front", meanwhile=meanwhile)
    heads = set(re.findall(r"^(in  |out |drop) (traces/\S+):", out, re.M))
    assert heads == {("in  ", "traces/front/filter/health"), ("out ", "traces/front/filter/never"), ("drop", "traces/front/filter/health"),
                     ("drop", "traces/front/filter/never")}
    assert 'name == "never"' in out and "seen: Bool(true)" in out


def test_json(tapped):
    _, out, _ = tapped.look("--json", "traces/front", meanwhile=tapped.post)
    assert '{"resourceSpans":[{' in out


def test_a_flood_is_sampled(tapped):
    before = tapped.weir.memory_kib()
    assert tapped.ask("?rate=10&client=1")[0] == 200
    for _ in range(20):
        tapped.post(count=1000)
    status, out = tapped.ask("?rate=10&client=1")
    assert status == 200 and len(out) < 20000
    shown = len(re.findall(r"^span ", out, re.M))
    more = int(re.search(r"\(and ([\d,]+) records more\)", out).group(1).replace(",", ""))
    assert shown <= 40 and more >= 39000
    assert tapped.weir.memory_kib() - before < 60 * 1024 * harness.MEMORY_FACTOR


def test_one_looks_at_a_time_and_who_leaves_is_forgotten(tapped):
    assert tapped.ask("?client=1")[0] == 200
    assert tapped.ask("?client=2") == (409, "somebody else is looking\n")
    tapped.post()
    assert "in  " in tapped.ask("?client=1")[1]
    time.sleep(5.5)
    tapped.post()  # nobody has asked for long: the tap turns itself off
    assert tapped.ask("?client=1") == (200, "")
    time.sleep(5.5)
    assert tapped.ask("?client=2")[0] == 200


def test_a_place_that_is_not_there(tapped):
    status, text = tapped.ask(target="traces/frint")
    assert status == 404
    assert text == ("no such pipeline or processor; there are:\n  traces/front\n  traces/front/filter/health\n  traces/front/transform\n"
                    "  traces/front/filter/never\n")
    assert tapped.ask("?rate=0")[0] == tapped.ask("?rate=99999")[0] == tapped.ask("?display=9")[0] == 400
    done = subprocess.run(tapped.command("traces/nix"), capture_output=True, text=True, timeout=30, check=False)
    assert done.returncode == 1 and "no such pipeline or processor" in done.stderr


def test_a_reload_keeps_the_tap(tapped):
    assert tapped.ask("?client=1")[0] == 200
    pipelines = tapped.config["service"]["pipelines"]
    pipelines["traces/front"]["processors"] = ["transform"]
    pipelines["traces/new"] = {"receivers": ["otlp"], "processors": ["filter/never"], "exporters": ["nop"]}
    tapped.weir.write_config(tapped.config)
    tapped.weir.reload()
    tapped.weir.wait_log("configuration reloaded")
    assert tapped.ask("?client=1")[0] == 200
    tapped.post()
    assert "in   traces/front/transform: 1 span\n" in tapped.ask("?client=1")[1]
    assert tapped.ask("?client=1", target="traces/front/filter/health")[0] == 404
    assert tapped.ask("?client=1", target="traces/new")[0] == 200
    tapped.post("never")
    assert 'drop traces/new/filter/never: 1 span: name == "never"' in tapped.ask("?client=1", target="traces/new")[1]


def test_a_unix_socket(start_weir, tmp_path):
    path = tmp_path / "tap.sock"
    tapped = Tapped(start_weir, transport="unix", endpoint=str(path))
    done = subprocess.run([harness.BINARY, "tap", "--unix", path, "--seconds", "1", "traces/front"], capture_output=True, text=True, timeout=30, check=False)
    assert (done.returncode, done.stderr) == (0, "")
    assert tapped.weir.alive()


def test_the_command_line():
    def run(*arguments):
        return subprocess.run([harness.BINARY, "tap", *arguments], capture_output=True, text=True, timeout=30, check=False)

    assert run().returncode == run("--rate", "x", "traces").returncode == run("a", "b").returncode == 2
    assert run("--help").returncode == 0
    done = run("--endpoint", f"http://127.0.0.1:{harness.free_port()}", "traces")
    assert done.returncode == 1 and "does that weir run" in done.stderr
