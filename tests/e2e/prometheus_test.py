"""The prometheus receiver against targets that are as they should be, and against those that are not; and beside a real Prometheus."""
import gzip
import json
import math
import shutil
import subprocess
import time
import urllib.parse

import pytest
import yaml

from e2e import harness, scraping
from e2e.scraping import OPENMETRICS, STALE, TEXT, Pages

PAGE = """# HELP requests_total All of them.
# TYPE requests_total counter
requests_total{code="200",path="/a b"} 1027
requests_total{code="500",path="\\\\ \\"q\\""} 3
# TYPE temperature gauge
temperature -3.25
big 1.7976931348623157e308
tiny 5e-324
nothing NaN
# TYPE latency histogram
latency_bucket{le="0.1"} 4
latency_bucket{le="2.5"} 9
latency_bucket{le="+Inf"} 11
latency_sum 13.5
latency_count 11
# TYPE lag summary
lag{quantile="0.5"} 0.25
lag{quantile="0.99"} 7
lag_sum 100
lag_count 40
"""
REPORT = {"up", "scrape_duration_seconds", "scrape_samples_scraped", "scrape_samples_post_metric_relabeling", "scrape_series_added"}


@pytest.fixture
def pages():
    server = Pages()
    yield server
    server.stop()


def job(pages, name="job", **more):
    return {"job_name": name, "scrape_interval": "200ms", "static_configs": [{"targets": [pages.address]}], **more}


class Scraping:
    def __init__(self, start_weir, tmp_path, scrape_configs, **config):
        self.output = tmp_path / "out.jsonl"
        self.weir = start_weir(scraping.scraping(scrape_configs, self.output, **config))

    def scrape(self, condition=lambda samples: True, seconds=15, **which):
        """The first scrape that fits."""
        def found():
            return next((samples for samples in scraping.scrapes(self.output, **which) if condition(samples)), None)

        return harness.wait_until(found, f"such a scrape; the log is:\n{self.weir.log()[-2000:]}", seconds)


@pytest.fixture
def start_scraping(start_weir, tmp_path):
    return lambda *configs, **config: Scraping(start_weir, tmp_path, list(configs), **config)


def is_up(samples):
    return scraping.value(samples, "up") == 1


def is_down(samples):
    return scraping.value(samples, "up") == 0


def own(samples):
    return [sample for sample in samples if sample.name not in REPORT]


def test_a_page_and_what_is_said_about_it(pages, start_scraping):
    pages.pages["/metrics"] = (TEXT, PAGE)
    samples = start_scraping(job(pages)).scrape(is_up)
    assert scraping.value(samples, "requests_total", code="200") == 1027
    assert scraping.value(samples, "latency_bucket", le="2.5") == 9
    assert scraping.value(samples, "lag", quantile="0.99") == 7
    assert math.isnan(scraping.value(samples, "nothing"))
    assert scraping.value(samples, "scrape_samples_scraped") == 15
    assert scraping.value(samples, "scrape_series_added") == 15
    assert {sample.labels["instance"] for sample in samples} == {pages.address}
    path, headers = pages.seen["/metrics"][0]
    assert path == "/metrics" and "openmetrics" in headers["Accept"] and headers["X-Prometheus-Scrape-Timeout-Seconds"] == "0.2"


def test_series_that_vanish_and_targets_that_die_end(pages, start_scraping):
    pages.pages["/metrics"] = (TEXT, PAGE)
    scrape = start_scraping(job(pages))
    scrape.scrape(is_up)
    pages.pages["/metrics"] = (TEXT, PAGE.replace("temperature -3.25\n", ""))
    samples = scrape.scrape(lambda samples: scraping.value(samples, "temperature") == STALE)
    assert scraping.value(samples, "requests_total", code="200") == 1027
    pages.stop()
    samples = scrape.scrape(is_down)
    assert {sample.value for sample in own(samples)} == {STALE}
    assert len(own(samples)) == 14


class OwnTarget(harness.Weir):
    """A weir whose only target is its own page of metrics."""

    def write_config(self, config):
        scrape_config = config["receivers"]["prometheus"]["config"]["scrape_configs"][0]
        scrape_config["static_configs"] = [{"targets": [f"127.0.0.1:{self.metrics_port}"]}]
        super().write_config(config)


def test_weir_scrapes_itself(tmp_path):
    output = tmp_path / "out.jsonl"
    weir = OwnTarget(scraping.scraping([{"job_name": "weir", "scrape_interval": "200ms"}], output), tmp_path / "own")
    try:
        samples = harness.wait_until(lambda: next((samples for samples in reversed(scraping.scrapes(output)) if len(scraping.scrapes(output)) > 3), None), "scrapes")
        assert is_up(samples)
        received = [sample for sample in samples if sample.name.startswith("otelcol_receiver_accepted_metric_points")]
        assert received and received[0].value > 0 and received[0].start > 0
        weir.stop()
    finally:
        weir.kill()


# ---- how it asks ----


def test_credentials_parameters_and_headers(pages, start_scraping, tmp_path):
    (tmp_path / "token").write_text("from-a-file\n")
    pages.pages.update({f"/{name}": (TEXT, "a 1\n") for name in ("basic", "bearer", "header")})
    start = start_scraping(
        job(pages, "basic", metrics_path="/basic", basic_auth={"username": "u", "password": "p"}, params={"module": ["x y", "z"], "b": ["&"]}),
        job(pages, "bearer", metrics_path="/bearer", authorization={"credentials_file": str(tmp_path / "token")}),
        job(pages, "header", metrics_path="/header", http_headers={"X-Tenant": {"values": ["one"]}}, enable_compression=False))
    for name in ("basic", "bearer", "header"):
        start.scrape(is_up, job=name)
    path, headers = pages.seen["/basic"][0]
    assert headers["Authorization"] == "Basic dTpw" and headers["Accept-Encoding"] == "gzip"
    assert urllib.parse.parse_qs(path.partition("?")[2]) == {"module": ["x y", "z"], "b": ["&"]}
    assert pages.seen["/bearer"][0][1]["Authorization"] == "Bearer from-a-file"
    assert pages.seen["/header"][0][1]["X-Tenant"] == "one"
    assert "p" not in start.weir.log().split("password")[1:]


def test_oauth2(pages, start_scraping):
    asked = []

    def token(handler):
        asked.append((handler.headers["Authorization"], handler.rfile.read(int(handler.headers["Content-Length"])).decode()))
        Pages.answer(handler, json.dumps({"access_token": "t0k/en", "token_type": "bearer", "expires_in": 3600}), "application/json")

    pages.pages.update({"/token": token, "/metrics": (TEXT, "a 1\n")})
    start = start_scraping(job(pages, oauth2={"client_id": "id", "client_secret": "s", "token_url": f"http://{pages.address}/token", "scopes": ["a", "b"]}))
    start.scrape(is_up)
    harness.wait_until(lambda: len(pages.seen["/metrics"]) > 3, "more scrapes")
    assert {headers["Authorization"] for _, headers in pages.seen["/metrics"]} == {"Bearer t0k/en"}
    assert asked == [("Basic aWQ6cw==", "grant_type=client_credentials&scope=a+b")]


def test_gzip_and_redirects(pages, start_scraping):
    other = Pages({"/moved": (TEXT, "moved 1\n")})
    pages.pages.update({
        "/gzip": lambda handler: Pages.answer(handler, gzip.compress(PAGE.encode()), TEXT, Content_Encoding="gzip"),
        "/bad": lambda handler: Pages.answer(handler, b"no gzip", TEXT, Content_Encoding="gzip"),
        "/away": lambda handler: Pages.answer(handler, b"", TEXT, 302, Location=f"http://{other.address}/moved"),
        "/near": lambda handler: Pages.answer(handler, b"", TEXT, 307, Location="gzip"),
        "/circle": lambda handler: Pages.answer(handler, b"", TEXT, 301, Location="/circle"),
    })
    secret = {"basic_auth": {"username": "u", "password": "p"}}
    start = start_scraping(*(job(pages, name, metrics_path=f"/{name}", **secret) for name in ("gzip", "bad", "away", "near", "circle")),
                           job(pages, "stay", metrics_path="/away", follow_redirects=False))
    assert len(own(start.scrape(is_up, job="gzip"))) == 15
    assert len(own(start.scrape(is_up, job="near"))) == 15
    assert scraping.value(start.scrape(is_up, job="away"), "moved") == 1
    for name in ("bad", "circle", "stay"):
        start.scrape(is_down, job=name)
    start.weir.wait_log("the page is not gzip")
    start.weir.wait_log("stopped after 10 redirects")
    start.weir.wait_log("HTTP status 302")
    assert "Authorization" not in other.seen["/moved"][0][1]
    other.stop()


# ---- where targets come from ----


def test_files_and_web_services_name_targets(pages, start_scraping, tmp_path):
    first, second = tmp_path / "one.json", tmp_path / "two.yml"
    first.write_text(json.dumps([{"targets": [pages.address], "labels": {"__metrics_path__": "/a", "zone": "x"}}]))
    second.write_text(yaml.safe_dump([{"targets": [pages.address], "labels": {"__metrics_path__": "/b"}}]))
    groups = [{"targets": [pages.address], "labels": {"__metrics_path__": "/c", "__meta_shelf": "7"}}]
    pages.pages.update({f"/{name}": (TEXT, f"{name} 1\n") for name in "abc"})
    pages.pages["/sd"] = lambda handler: Pages.answer(handler, json.dumps(groups), "application/json")
    path = [{"source_labels": ["__metrics_path__"], "target_label": "instance"}]
    start = start_scraping(
        {"job_name": "files", "scrape_interval": "200ms", "file_sd_configs": [{"files": [f"{tmp_path}/*.json", f"{tmp_path}/two.y*"], "refresh_interval": "1s"}],
         "relabel_configs": path},
        {"job_name": "web", "scrape_interval": "200ms", "http_sd_configs": [{"url": f"http://{pages.address}/sd", "refresh_interval": "1s"}],
         "relabel_configs": [*path, {"action": "labelmap", "regex": "__meta_(shelf)"}]})
    assert scraping.value(start.scrape(is_up, instance="/a"), "a", zone="x") == 1
    assert scraping.value(start.scrape(is_up, instance="/b"), "b") == 1
    assert scraping.value(start.scrape(is_up, instance="/c"), "c", shelf="7") == 1
    second.unlink()
    samples = start.scrape(lambda samples: scraping.value(samples, "up") == STALE, instance="/b")
    assert scraping.value(samples, "b") == STALE
    first.write_text("[{")
    start.weir.wait_log(r"one.json:\d+")
    count = len(pages.seen["/a"])
    harness.wait_until(lambda: len(pages.seen["/a"]) > count + 3, "a broken file changes nothing")


# ---- bad input ----


def endless(handler):
    handler.send_response(200)
    handler.send_header("Content-Type", TEXT)
    handler.end_headers()
    try:
        while True:
            handler.wfile.write(b"a 1\n" * 1000)
    except OSError:
        handler.close_connection = True


def slow(handler):
    handler.send_response(200)
    handler.send_header("Content-Type", TEXT)
    handler.send_header("Content-Length", "1000")
    handler.end_headers()
    try:
        for _ in range(50):
            handler.wfile.write(b"a")
            time.sleep(0.2)
    except OSError:
        pass
    handler.close_connection = True


LONG_PAGE = "# TYPE m gauge\n" + "".join(f'm{{i="{number}"}} {number}\n' for number in range(50000))
BAD = {
    "malformed": ((TEXT, LONG_PAGE.replace('m{i="39998"} 39998', 'm{i="39998" 39998')), r"line 40000: "),
    "endless": (endless, "timed out|body_size_limit"),
    "slow": (slow, "timed out"),
    "html": (("text/html", "<html>no metrics</html>"), "line 1: "),
    "labels": ((TEXT, "a{" + ",".join(f'l{number}="v"' for number in range(5000)) + "} 1\n"), "label_limit exceeded: 5003 labels"),
    "many": ((TEXT, LONG_PAGE), "sample_limit exceeded"),
    "long": ((TEXT, "# " + "x" * 3000000 + "\na 1\n"), "body_size_limit exceeded"),
    "eof": ((OPENMETRICS, "a 1\n"), "does not end with # EOF"),
    "status": (None, "HTTP status 404"),
    "protobuf": (("application/vnd.google.protobuf;proto=io.prometheus.client.MetricFamily;encoding=delimited", b"\x10abc"), "cut off"),
}


@pytest.mark.parametrize("name", BAD)
def test_bad_pages_are_refused_whole(name, pages, start_scraping):
    page, reason = BAD[name]
    limits = {"labels": {"label_limit": 100}, "many": {"sample_limit": 49999}, "long": {"body_size_limit": "1MB"}, "endless": {"body_size_limit": "20MB"}}.get(name, {})
    pages.pages["/metrics"] = (TEXT, "good 1\n")
    start = start_scraping(job(pages, scrape_interval="1s", scrape_timeout="1s", **limits))
    start.scrape(is_up)
    if page is None:
        del pages.pages["/metrics"]
    else:
        pages.pages["/metrics"] = page
    samples = start.scrape(is_down)
    assert [(sample.name, sample.value) for sample in own(samples)] == [("good", STALE)]
    start.weir.wait_log(f"scraping http://{pages.address}/metrics failed: .*(?:{reason})")
    pages.pages["/metrics"] = (TEXT, "good 2\n")
    start.scrape(lambda samples: scraping.value(samples, "good") == 2)
    assert start.weir.memory_kib() < 150_000 * harness.MEMORY_FACTOR


def test_samples_that_make_no_sense_are_counted(pages, start_scraping):
    pages.pages["/metrics"] = (TEXT, f"a 1\na 2\nb 1 {int(time.time() * 1000) + 3600_000}\nc NaN\n# TYPE h histogram\nh_bucket 1\nh_count NaN\n")
    start = start_scraping(job(pages))
    samples = start.scrape(is_up)
    assert scraping.value(samples, "a") == 1
    assert {sample.name for sample in own(samples)} == {"a", "c"}
    for reason in ("duplicate", "timestamp", "malformed_point"):
        assert reason in start.weir.metrics_text()


# ---- beside a real Prometheus ----


class Prometheus:
    def __init__(self, folder, scrape_configs):
        self.port = harness.free_port()
        config = folder / "prometheus.yml"
        config.write_text(yaml.safe_dump({"scrape_configs": scrape_configs}))
        self.log = open(folder / "prometheus.log", "wb")
        self.process = subprocess.Popen(["prometheus", f"--config.file={config}", f"--storage.tsdb.path={folder / 'tsdb'}",
                                         f"--web.listen-address=127.0.0.1:{self.port}"], stdout=self.log, stderr=subprocess.STDOUT)

    def query(self, text):
        try:
            answer = harness.request(self.port, "/api/v1/query?query=" + urllib.parse.quote(text), method="GET")[2]
            return json.loads(answer)["data"]["result"]
        except (OSError, ValueError, KeyError):
            return []

    def series(self, selector):
        """What an instant query says, in the spelling of came()."""
        return {spelled(one["metric"].pop("__name__"), one["metric"], float(one["value"][1])) for one in self.query(selector)}

    def stop(self):
        self.process.kill()
        self.process.wait()
        self.log.close()


def spelled(name, labels, value):
    labels = {key: scraping.bound(text) if key in ("le", "quantile") else text for key, text in labels.items() if text != ""}
    return name, tuple(sorted(labels.items())), "NaN" if isinstance(value, float) and math.isnan(value) else value


def came(samples):
    return {spelled(sample.name, sample.labels, sample.value) for sample in samples if sample.value != STALE and sample.name not in REPORT}


@pytest.fixture
def start_prometheus(tmp_path):
    if shutil.which("prometheus") is None:
        pytest.skip("no Prometheus is installed")
    running = []

    def start(scrape_configs):
        running.append(Prometheus(tmp_path, scrape_configs))
        return running[-1]

    yield start
    for prometheus in running:
        prometheus.stop()


OPENMETRICS_PAGE = """# TYPE build info
build_info{version="1.2"} 1
# TYPE jobs counter
# HELP jobs Jobs done.
jobs_total{kind="a"} 17 # {trace_id="0102030405060708090a0b0c0d0e0f10"} 1
# TYPE state stateset
state{state="on"} 1
state{state="off"} 0
# TYPE queue_seconds gauge
# UNIT queue_seconds seconds
queue_seconds{job="theirs",instance="theirs"} 0.125
# TYPE size histogram
size_bucket{le="1"} 1
size_bucket{le="+Inf"} 3
size_sum 9
size_count 3
# EOF
"""

RELABELLED = {
    "relabel_configs": [{"source_labels": ["__address__"], "regex": "([^:]+):.*", "target_label": "host"},
                        {"source_labels": ["host"], "target_label": "shard", "modulus": 8, "action": "hashmod"},
                        {"target_label": "Fixed", "replacement": "Yes"}, {"source_labels": ["Fixed"], "target_label": "fixed", "action": "lowercase"}],
    "metric_relabel_configs": [{"source_labels": ["__name__"], "regex": "(requests|tiny).*", "action": "drop"},
                               {"source_labels": ["__name__"], "regex": "temp(.*)", "target_label": "__name__", "replacement": "warmth$1"},
                               {"regex": "Fixed", "action": "labeldrop"}],
}


def doubled(value):
    """A dollar sign is written twice in weir's configuration."""
    return json.loads(json.dumps(value).replace("$", "$$"))


def test_a_real_prometheus_sees_the_same(pages, start_scraping, start_prometheus):
    pages.pages.update({"/text": (TEXT, PAGE), "/open": (OPENMETRICS, OPENMETRICS_PAGE)})
    configs = [job(pages, "plain", metrics_path="/text"), job(pages, "open", metrics_path="/open"),
               job(pages, "honors", metrics_path="/open", honor_labels=True), job(pages, "changed", metrics_path="/text", **RELABELLED),
               job(pages, "gone", metrics_path="/none")]
    prometheus = start_prometheus(configs)
    start = start_scraping(*doubled(configs))
    for name, series in (("plain", 15), ("open", 9), ("honors", 9), ("changed", 12)):
        samples = start.scrape(is_up, job=name)
        own_series = harness.wait_until(lambda name=name: {one for one in prometheus.series(f'{{host=~".*",job="{name}"}}') if one[0] not in REPORT} or None,
                                        f"Prometheus has scraped {name}", 30)
        theirs = own_series | ({one for one in prometheus.series('{job="theirs"}')} if name == "honors" else set())
        assert came(samples) == theirs
        assert len(theirs) == series
        for report in ("up", "scrape_samples_scraped", "scrape_samples_post_metric_relabeling"):
            assert {spelled(report, sample.labels, sample.value) for sample in samples if sample.name == report} == prometheus.series(f'{report}{{job="{name}"}}')
    assert prometheus.series('up{job="gone"}') == {spelled("up", sample.labels, sample.value) for sample in start.scrape(is_down, job="gone") if sample.name == "up"}
    pages.pages["/text"] = (TEXT, PAGE.replace("temperature -3.25\n", ""))
    start.scrape(lambda samples: scraping.value(samples, "temperature") == STALE, job="plain")
    harness.wait_until(lambda: not prometheus.query('temperature{job="plain"}'), "the series has ended in Prometheus too")
    assert prometheus.query('tiny{job="plain"}')


def test_node_exporter_gives_both_the_same_series(start_scraping, start_prometheus, tmp_path):
    if shutil.which("prometheus-node-exporter") is None:
        pytest.skip("no node_exporter is installed")
    port = harness.free_port()
    node = subprocess.Popen(["prometheus-node-exporter", f"--web.listen-address=127.0.0.1:{port}"], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    config = {"job_name": "node", "scrape_interval": "1s", "static_configs": [{"targets": [f"127.0.0.1:{port}"]}]}
    try:
        harness.wait_until(lambda: harness.request(port, "/metrics", method="GET")[0] == 200 if reachable(port) else False, "node_exporter is there")
        prometheus = start_prometheus([config])
        start = start_scraping(config)
        ours = came(start.scrape(lambda samples: is_up(samples) and scraping.value(samples, "promhttp_metric_handler_requests_total", code="200")))
        harness.wait_until(lambda: prometheus.query('up{job="node"} == 1'), "Prometheus has scraped", 30)
        theirs = {one for one in prometheus.series('{job="node"}') if one[0] not in REPORT}
        names = {one[:2] for one in ours}
        assert names == {one[:2] for one in theirs} and len(names) > 300
        steady = {one for one in theirs if one[0].endswith("_info") or one[0] in ("node_memory_MemTotal_bytes", "node_boot_time_seconds", "node_filesystem_size_bytes")}
        assert len(steady) > 5 and steady <= ours
        node.kill()
        node.wait()
        samples = start.scrape(is_down)
        assert {spelled(*sample[:3])[:2] for sample in own(samples)} == names
        harness.wait_until(lambda: not [one for one in prometheus.query('{job="node"}') if one["metric"]["__name__"] not in REPORT], "ended in Prometheus too")
    finally:
        node.kill()
        node.wait()


def reachable(port):
    try:
        harness.request(port, "/metrics", method="GET")
        return True
    except OSError:
        return False


def test_check_scrape_says_what_a_target_gives(pages):
    pages.pages.update({"/metrics": (TEXT, PAGE + "a 1\na 2\n# TYPE hits counter\nhits 1\n"), "/bad": (TEXT, "a 1\nb c\n")})
    run = lambda path: subprocess.run([str(harness.BINARY), "check", "scrape", f"http://{pages.address}{path}"], capture_output=True, text=True)  # noqa: E731
    good, bad = run("/metrics"), run("/bad")
    assert good.returncode == 0
    assert "18 samples" in good.stdout and "1 samples of series that the page has already" in good.stdout
    assert "warning: hits: a counter whose name does not end with _total" in good.stdout and "warning: a: no TYPE" in good.stdout
    assert bad.returncode == 1 and "line 2: expected a value after the metric" in bad.stderr
