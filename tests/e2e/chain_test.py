"""weir to weir, and weir to the OpenTelemetry Collector to weir: no record lost, none doubled, all equal."""
import os
import signal
import subprocess
import time

import pytest

from e2e import harness, messages, otlp

PEER = harness.ROOT / "build" / "peer" / "otelcol"
TELEMETRYGEN = harness.ROOT / "build" / "peer" / "telemetrygen"


def forward_to(port_in, protocol, port_out, insecure=True):
    """OTLP in over both ports of `port_in`, out over one protocol."""
    exporter = "otlp_http" if protocol == "http" else "otlp_grpc"
    endpoint = f"http://127.0.0.1:{port_out['http']}" if protocol == "http" else f"127.0.0.1:{port_out['grpc']}"
    return {
        "receivers": {"otlp": harness.otlp_receiver(port_in["http"], port_in["grpc"])},
        "processors": {"batch": {"timeout": "100ms"}},
        "exporters": {exporter: {"endpoint": endpoint, "tls": {"insecure": insecure}}},
        "service": {"pipelines": harness.pipelines(processors=["batch"], exporters=[exporter])},
    }


def ports():
    return {"http": harness.free_port(), "grpc": harness.free_port()}


def many_documents(signal_name, records, in_one):
    """Documents of records that all differ."""
    for first in range(0, records, in_one):
        document = harness.DOCUMENTS[signal_name](count=in_one)
        number_them(signal_name, document, first)
        yield document


def number_them(signal_name, document, first):
    group = document[otlp.GROUPS[signal_name]][0]
    held = group[otlp.SCOPE_GROUPS[signal_name]][0][otlp.RECORDS[signal_name]]
    records = otlp.points_of(held[0]) if signal_name == "metrics" else held
    for place, record in enumerate(records):
        record.setdefault("attributes", []).append({"key": "number", "value": {"intValue": str(first + place)}})


def send_all(port, signal_name, documents):
    with messages.channel_to(port) as channel:
        call = channel.unary_unary(messages.method_of(signal_name))
        for document in documents:
            call(messages.message_of(document).SerializeToString(), timeout=60)


WORDS = {"traces": "spans", "metrics": "metric_points", "logs": "log_records"}


def check_chain(first, last_weir, path, records, in_one):
    for signal_name in harness.DOCUMENTS:
        documents = list(many_documents(signal_name, records, in_one))
        send_all(first["grpc"], signal_name, documents)
        written = f"otelcol_exporter_sent_{WORDS[signal_name]}"
        harness.wait_until(lambda name=written: (last_weir.metric(name, exporter="file") or 0) >= records, f"{records} records of {signal_name}", 120, 0.2)
        time.sleep(0.5)  # the file is flushed each 100 ms
        got = harness.as_multiset(harness.read_records(path, signal_name))
        assert len(got) == records
        assert got == harness.as_multiset(otlp.records_of(signal_name, documents))


@pytest.mark.parametrize("protocol", ["http", "grpc"])
def test_weir_to_weir(protocol, start_weir, tmp_path):
    first, second = ports(), ports()
    path = tmp_path / "out.jsonl"
    last_weir = start_weir(harness.otlp_to_file(path, second["http"], second["grpc"]), "second")
    start_weir(forward_to(first, protocol, second), "first")
    check_chain(first, last_weir, path, 2000, 100)


class Peer:
    """The OpenTelemetry Collector between two weirs."""

    def __init__(self, config, folder):
        import yaml
        folder.mkdir()
        (folder / "otelcol.yaml").write_text(yaml.safe_dump({**config, "service": {**config["service"], "telemetry": {"metrics": {"level": "none"}}}}))
        self.log = open(folder / "otelcol.log", "wb")
        self.process = subprocess.Popen([PEER, "--config", folder / "otelcol.yaml"], stdout=self.log, stderr=self.log, env=dict(os.environ))

    def stop(self):
        self.process.send_signal(signal.SIGTERM)
        self.process.wait(30)
        self.log.close()


@pytest.mark.full
@pytest.mark.skipif(not PEER.exists(), reason="no OpenTelemetry Collector in build/peer (./dev bench --peer-build)")
@pytest.mark.parametrize("protocol", ["http", "grpc"])
def test_weir_to_collector_to_weir(protocol, start_weir, tmp_path):
    """100,000 records of each signal."""
    first, middle, last = ports(), ports(), ports()
    path = tmp_path / "out.jsonl"
    last_weir = start_weir(harness.otlp_to_file(path, last["http"], last["grpc"]), "last")
    peer = Peer(forward_to(middle, protocol, last), tmp_path / "peer")
    try:
        start_weir(forward_to(first, protocol, middle), "first")
        check_chain(first, last_weir, path, 100000, 500)
    finally:
        peer.stop()


@pytest.mark.full
@pytest.mark.skipif(not TELEMETRYGEN.exists(), reason="no telemetrygen in build/peer (./dev bench --peer-build)")
@pytest.mark.parametrize("signal_name", ["traces", "metrics", "logs"])
@pytest.mark.parametrize("protocol", ["http", "grpc"])
def test_telemetrygen(protocol, signal_name, weir_to_file):
    port = weir_to_file.http_port if protocol == "http" else weir_to_file.grpc_port
    subprocess.run([TELEMETRYGEN, signal_name, f"--{signal_name}", "100", "--rate", "0", "--otlp-insecure", "--otlp-endpoint", f"127.0.0.1:{port}",
                    *(["--otlp-http"] if protocol == "http" else [])], check=True, capture_output=True, timeout=60)
    assert len(weir_to_file.records(signal_name, 100)) >= 100
