"""./dev demo: starts a Kafka broker, a weir, the shop's four services, makes some requests, and shows one transaction as weir saw it.

Everything listens on loopback and is stopped at the end. What weir wrote stays in the folder, for further `weir trace`.
"""
import argparse
import contextlib
import os
import pathlib
import re
import shutil
import signal
import socket
import subprocess
import sys

import yaml

HERE = pathlib.Path(__file__).resolve().parent
ROOT = HERE.parents[2]
sys.path.insert(0, str(ROOT / "tests"))

from e2e import harness, kafka_server, otlp, search_server  # noqa: E402 behind the path

TOPIC = "shop.orders"
C_SERVICES = ("frontend", "stock", "billing")
ORDERS = ("A-1", "B-2", "C-3", "X-9", "A-1")  # C-3 is sold out, nobody knows X-9
STATUSES = {"A-1": 202, "B-2": 202, "C-3": 409, "X-9": 404}
EVERYWHERE = {"OTEL_METRICS_EXPORTER": "none", "OTEL_BSP_SCHEDULE_DELAY": "200", "OTEL_BLRP_SCHEDULE_DELAY": "200",
              "OTEL_EXPERIMENTAL_RESOURCE_DETECTORS": "host"}  # the last one for Python, which else does not say where it is


def say(text):
    print(text, flush=True)


class Service:
    """One of the shop's processes."""

    def __init__(self, folder, name, command, environment):
        self.name, self.log = name, folder / f"{name}.log"
        environment = {**os.environ, **EVERYWHERE, "OTEL_SERVICE_NAME": name, **environment}
        with open(self.log, "wb") as log:
            self.process = subprocess.Popen(command, cwd=folder, env=environment, stdout=log, stderr=log)
        self.port = environment.get("PORT")
        harness.wait_until(lambda: self.listens() or self.process.poll() is not None, f"{name} listens", 20)
        assert self.process.poll() is None, f"{name} ended at its start:\n{self.log.read_text()[-2000:]}"

    def listens(self):
        if self.port is None:
            return True
        with socket.socket() as probe:
            return probe.connect_ex(("127.0.0.1", int(self.port))) == 0

    def stop(self):
        """SIGTERM: what it has not exported yet, it exports now."""
        self.process.terminate()
        try:
            code = self.process.wait(30)
        except subprocess.TimeoutExpired:
            self.process.kill()
            code = self.process.wait()
        assert code == 0, f"{self.name} ended with {code}:\n{self.log.read_text()[-4000:]}"


class Shop:
    """All of it; an ExitStack stops what was started, the last first."""

    def __init__(self, folder, stack, elasticsearch):
        self.folder, self.stack, self.file = folder, stack, folder / "telemetry.jsonl"
        self.node = self.start_elasticsearch() if elasticsearch else None
        self.broker = self.start_kafka()
        self.weir = self.start_weir()
        self.frontend_port = self.start_services()

    def start_kafka(self):
        say("Kafka: starting a broker")
        broker = kafka_server.Broker(self.folder / "kafka", partitions=1)
        self.stack.callback(broker.stop)
        broker.create(TOPIC)
        return broker

    def start_elasticsearch(self):
        say("Elasticsearch: starting a node")
        node = search_server.Node(self.folder / "elasticsearch", search_server.ELASTICSEARCH)
        self.stack.callback(node.stop)
        return node

    def start_weir(self):
        self.otlp_port = harness.free_port()
        environment = {"SHOP_OTLP_PORT": str(self.otlp_port), "SHOP_FILE": str(self.file)}
        arguments = []
        if self.node is not None:
            environment["SHOP_ELASTICSEARCH"] = self.node.url
            arguments = ["--config", str(HERE / "weir-elasticsearch.yaml")]
        say(f"weir: OTLP on port {self.otlp_port}, into {self.file}" + (f" and {self.node.url}" if self.node is not None else ""))
        config = yaml.safe_load((HERE / "weir.yaml").read_text())
        weir = harness.Weir(config, self.folder / "weir", arguments=arguments, environment=environment)
        self.stack.callback(weir.kill)
        return weir

    def start_services(self):
        ports = dict(zip(("frontend", "stock", "notice"), harness.free_ports(3)))
        variables = {
            "frontend": {"PORT": ports["frontend"], "STOCK_URL": f"http://127.0.0.1:{ports['stock']}"},
            "stock": {"PORT": ports["stock"], "KAFKA": self.broker.address},
            "billing": {"KAFKA": self.broker.address, "NOTICE_URL": f"http://127.0.0.1:{ports['notice']}"},
            "notice": {"PORT": ports["notice"]},
        }
        self.services = []
        for name in ("notice", "billing", "stock", "frontend"):
            program = [harness.BUILD / "sdk/examples/shop" / f"shop_{name}"] if name in C_SERVICES else [sys.executable, HERE / f"{name}.py"]
            environment = {"OTEL_EXPORTER_OTLP_ENDPOINT": f"http://127.0.0.1:{self.otlp_port}", **{key: str(value) for key, value in variables[name].items()}}
            service = Service(self.folder, name, [str(word) for word in program], environment)
            self.stack.callback(service.process.kill)
            self.services.append(service)
        say("services: frontend (C) -HTTP-> stock (C) -Kafka-> billing (C) -HTTP-> notice (Python)")
        return ports["frontend"]

    def order(self, sku):
        """The trace id of an order."""
        status, headers, _ = harness.request(self.frontend_port, f"/orders/{sku}")
        assert status == STATUSES[sku], f"{sku}: {status}"
        return re.fullmatch(r"00-([0-9a-f]{32})-[0-9a-f]{16}-[0-9a-f]{2}", headers["traceresponse"]).group(1)

    def wait_noticed(self, traces):
        """Until what was ordered went all the way."""
        def noticed():
            spans = harness.read_records(self.file, "traces")
            return traces <= {span["record"]["traceId"] for span in spans if span["record"]["name"] == "POST /notices"}

        harness.wait_until(noticed, "every order is noticed", 60, 0.1)

    def stop(self):
        """The services say what they still hold, then weir writes it."""
        for service in reversed(self.services):
            service.stop()
        if self.node is not None:
            self.wait_elasticsearch()
        self.weir.stop()

    def wait_elasticsearch(self):
        count = len(harness.read_records(self.file, "traces"))
        harness.wait_until(lambda: len(self.node.search("traces-*")) >= count, f"{count} spans in Elasticsearch", 60, 0.2)


def weir_trace(file, *arguments):
    done = subprocess.run([str(harness.BINARY), "trace", str(file), *arguments], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return done.stdout.rstrip()


def show_elasticsearch(node, trace):
    """The same transaction, asked for by its id."""
    for kind in ("traces", "logs"):
        found = node.search(f"{kind}-*", {"term": {"trace_id": trace}})
        services = sorted({document["resource"]["attributes"]["service.name"] for document in found})
        say(f"Elasticsearch, {kind}-*, trace_id {trace}: {len(found)} documents in {', '.join(sorted({document['_index'] for document in found}))}")
        say(f"  of {', '.join(services)}")


def run(folder, elasticsearch, stack):
    shop = Shop(folder, stack, elasticsearch)
    say(f"orders: {', '.join(ORDERS)}\n")
    traces = [(ORDERS[0], shop.order(ORDERS[0]))]
    shop.wait_noticed({traces[0][1]})  # Kafka's consumer group takes a second to form
    traces += [(sku, shop.order(sku)) for sku in ORDERS[1:]]
    shop.wait_noticed({trace for sku, trace in traces if STATUSES[sku] == 202})
    shop.stop()
    chosen = traces[-1][1]
    say(weir_trace(shop.file) + "\n")
    say(f"$ weir trace {shop.file} {chosen}")
    say(weir_trace(shop.file, chosen))
    if shop.node is not None:
        say("")
        show_elasticsearch(shop.node, chosen)


def main():
    parser = argparse.ArgumentParser(prog="./dev demo", description="One transaction through four services, as weir shows it.")
    parser.add_argument("--elasticsearch", action="store_true", help="also into a real Elasticsearch, and found there by its id")
    parser.add_argument("--folder", type=pathlib.Path, help="empty, or not there yet: for logs, configurations and what weir wrote (default: build/demo, made anew)")
    options = parser.parse_args()
    reason = kafka_server.skip_reason(kafka_server.NEWEST)
    if reason is None and options.elasticsearch:
        reason = search_server.skip_reason(search_server.ELASTICSEARCH)
    if reason is not None:
        sys.exit(f"demo: {reason}")
    signal.signal(signal.SIGTERM, lambda *_: sys.exit("demo: ended by SIGTERM"))  # not without stopping what was started
    folder = options.folder or ROOT / "build" / "demo"
    if options.folder is None:
        shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True, exist_ok=True)
    if any(folder.iterdir()):
        sys.exit(f"demo: {folder} is not empty")
    with contextlib.ExitStack() as stack:
        run(folder.resolve(), options.elasticsearch, stack)


if __name__ == "__main__":
    main()
