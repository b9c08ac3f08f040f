"""The shop of sdk/examples, as ./dev demo runs it: one transaction through four services, and what weir says when something of it is missing."""
import json
import os
import pathlib
import re
import subprocess
import sys

import pytest

from e2e import harness

kafka_server = pytest.importorskip("e2e.kafka_server")
search_server = pytest.importorskip("e2e.search_server")

DEMO = harness.ROOT / "sdk/examples/shop/demo.py"
SERVICES = ["frontend", "stock", "billing", "notice"]
# What hangs below what; a log record begins with its severity.
EDGES = {
    (None, "frontend: POST /orders/{sku} [server]"),
    ("frontend: POST /orders/{sku} [server]", "INFO an order for A-1"),
    ("frontend: POST /orders/{sku} [server]", "frontend: POST [client]"),
    ("frontend: POST [client]", "stock: POST /stock/{sku} [server]"),
    ("stock: POST /stock/{sku} [server]", "stock: SELECT [client]"),
    ("stock: POST /stock/{sku} [server]", "stock: UPDATE [client]"),
    ("stock: POST /stock/{sku} [server]", "INFO took one A-1, 998 are left"),
    ("stock: POST /stock/{sku} [server]", "stock: send shop.orders [producer]"),
    ("stock: send shop.orders [producer]", "INFO Kafka has the order at offset 2"),
    ("stock: send shop.orders [producer]", "billing: process shop.orders [consumer]"),
    ("billing: process shop.orders [consumer]", "billing: price"),
    ("billing: process shop.orders [consumer]", "INFO charged 12.50 for A-1"),
    ("billing: process shop.orders [consumer]", "billing: POST [client]"),
    ("billing: POST [client]", "notice: POST /notices [server]"),
    ("notice: POST /notices [server]", "notice: write"),
    ("notice: write", "INFO wrote to the customer: A-1 is paid with 1250 cents"),
}


class Demo:
    """One run of it, and what stayed of it."""

    def __init__(self, folder, *arguments):
        self.folder = folder
        environment = {**os.environ, "WEIR_BUILD": str(harness.BUILD), "WEIR_BINARY": str(harness.BINARY)}
        done = subprocess.run([sys.executable, str(DEMO), "--folder", str(folder), *arguments], env=environment, capture_output=True, text=True, check=False,
                              timeout=300)
        assert done.returncode == 0, done.stdout[-3000:] + done.stderr[-3000:] + self.logs()
        self.text = done.stdout
        self.file = folder / "telemetry.jsonl"
        self.trace = re.search(r"^trace ([0-9a-f]{32})$", self.text, re.M).group(1)

    def logs(self):
        return "".join(f"\n{path.name}:\n{path.read_text(errors='replace')[-3000:]}" for path in self.folder.glob("*.log"))

    def records(self, signal_name):
        """(service, record) of the transaction."""
        found = [record for record in harness.read_records(self.file, signal_name) if record["record"].get("traceId") == self.trace]
        return [(service_of(record["resource"]), record["record"]) for record in found]

    def show(self, change):
        """`weir trace` of a copy, each of whose groups went through change(service, group); None leaves it out."""
        copy = self.folder / "copy.jsonl"
        with open(copy, "w") as out:
            for line in harness.read_lines(self.file):
                (key, groups), = line.items()
                groups = [change(service_of(group["resource"]), group) for group in groups]
                out.write(json.dumps({key: [group for group in groups if group is not None]}) + "\n")
        done = subprocess.run([str(harness.BINARY), "trace", str(copy), self.trace], capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stderr
        return done.stdout


def service_of(resource):
    return next(one["value"]["stringValue"] for one in resource["attributes"] if one["key"] == "service.name")


def edges_of(text):
    """Pairs of parent and child out of a printed tree, by how far the lines are indented."""
    edges, above = set(), []
    for line in text[text.index("\n\n", text.index("\ntrace ")):].strip("\n").splitlines():
        found = re.match(r".{24}[│├└─ ]*(· )?", line)
        if found is None:
            break  # behind the tree
        column = found.end() - len(found.group(1) or "")
        above = [one for one in above if one[0] < column]
        what = re.split(r" \{", line[found.end():])[0]
        edges.add((above[-1][1] if above else None, what))
        if found.group(1) is None:
            above.append((column, what))
    return edges


def processes_in(folder):
    """What still runs in that folder."""
    found = []
    for process in pathlib.Path("/proc").glob("[0-9]*"):
        try:
            if pathlib.Path(os.readlink(process / "cwd")).is_relative_to(folder):
                found.append((process / "cmdline").read_bytes())
        except OSError:
            continue
    return found


def skip_without(*reasons):
    built = (harness.BUILD / "sdk/examples/shop/shop_stock").exists()
    for reason in (None if built else "the shop was not built", kafka_server.skip_reason(kafka_server.NEWEST), *reasons):
        if reason is not None:
            pytest.skip(reason)


@pytest.fixture(scope="module")
def demo(tmp_path_factory):
    skip_without()
    return Demo(tmp_path_factory.mktemp("demo") / "shop")


def test_one_transaction_through_four_services(demo):
    head = re.search(r"^trace [0-9a-f]{32}\n(.*)\n\n", demo.text, re.M).group(1)
    assert head.endswith("11 spans, 5 log records, 4 services: frontend, stock, billing, notice")
    assert edges_of(demo.text) == EDGES
    assert "!" not in demo.text[demo.text.index("\ntrace "):]


def test_records_are_linked_across_protocols(demo):
    spans = {span["spanId"]: (service, span) for service, span in demo.records("traces")}
    assert len(spans) == len(demo.records("traces")) == 11
    crossings = set()
    for service, span in spans.values():
        if not span.get("parentSpanId"):
            assert (service, span["name"]) == ("frontend", "POST /orders/{sku}")
            continue
        parent_service, parent = spans[span["parentSpanId"]]
        assert int(parent["startTimeUnixNano"]) <= int(span["startTimeUnixNano"])
        if service != parent_service:
            crossings.add((parent_service, parent["kind"], service, span["kind"]))
    assert crossings == {("frontend", 3, "stock", 2), ("stock", 4, "billing", 5), ("billing", 3, "notice", 2)}
    logs = demo.records("logs")
    assert {service for service, _ in logs} == set(SERVICES)
    for service, log in logs:
        assert spans[log["spanId"]][0] == service


def test_all_orders_are_traces_of_their_own(demo):
    traces = {record["record"]["traceId"] for record in harness.read_records(demo.file, "traces")}
    assert len(traces) == 5
    assert len(re.findall(r"^[0-9a-f]{32}  .* frontend: POST /orders/\{sku\}  \[", demo.text, re.M)) == 5
    errors = [span for span in harness.read_records(demo.file, "traces") if span["record"].get("status", {}).get("code") == 2]
    assert sorted(span["record"]["name"] for span in errors) == ["POST", "POST"]  # the client's side of 404 and of 409


def test_everything_is_stopped_and_no_sanitizer_speaks(demo):
    assert processes_in(demo.folder) == []
    finding = harness.SANITIZER.search(demo.logs())
    assert finding is None, finding


def test_a_missing_service_is_said(demo):
    text = demo.show(lambda service, group: None if service == "stock" else group)
    assert "3 services: frontend, billing, notice" in text
    assert "! 1 span has a parent that is not here" in text
    assert re.search(r'frontend: POST \[client\].*! no span of the service "stock" is here', text)
    assert re.search(r"! missing: span [0-9a-f]{16} of another service is not here\n.* billing: process shop.orders \[consumer\]", text)


def test_another_machines_clock_is_said(demo):
    def change(service, group):
        if service != "notice":
            return group
        text = json.dumps(group).replace("host.id", "other.id").replace("host.name", "other.name")
        text = re.sub(r'UnixNano": "(\d+)"', lambda found: f'UnixNano": "{int(found.group(1)) - 10**9}"', text)
        return json.loads(text)

    text = demo.show(change)
    assert "! 1 span whose times show clock skew" in text
    assert re.search(r"notice: POST /notices \[server\].*! clock skew: starts 99\d\.\d ms before its parent", text)


def test_the_same_trace_is_in_elasticsearch(tmp_path):
    components = subprocess.run([str(harness.BINARY), "components"], capture_output=True, text=True, check=True).stdout
    skip_without(None if "elasticsearch" in components else "this weir can't write to Elasticsearch", search_server.skip_reason(search_server.ELASTICSEARCH))
    demo = Demo(tmp_path / "shop", "--elasticsearch")
    assert edges_of(demo.text) == EDGES
    for kind, count in (("traces", 11), ("logs", 5)):
        assert re.search(rf"^Elasticsearch, {kind}-\*, trace_id {demo.trace}: {count} documents in .*\n  of billing, frontend, notice, stock$", demo.text, re.M)
