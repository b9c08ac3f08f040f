"""Fixtures: every weir that a test starts must stop cleanly at its end, with no sanitizer's finding."""
import pytest

from e2e import harness


@pytest.fixture
def start_weir(tmp_path):
    running = []

    def start(config, name="weir", **options):
        weir = harness.Weir(config, tmp_path / name, **options)
        running.append(weir)
        return weir

    yield start
    failures = []
    for weir in running:
        try:
            if not weir.log_file.closed:
                weir.stop()
        except AssertionError as failure:
            failures.append(str(failure))
        finally:
            weir.kill()
    assert not failures, "\n".join(failures)


@pytest.fixture
def start_sink():
    running = []

    def start(**options):
        sink = harness.Sink(**options)
        running.append(sink)
        return sink

    yield start
    for sink in running:
        if sink.process.poll() is None:
            sink.process.kill()
            sink.process.wait()


@pytest.fixture
def weir_to_file(start_weir, tmp_path):
    """The commonest set-up: OTLP on both ports, JSON lines out. Has ports, and records() that waits for a number of records."""
    path = tmp_path / "out.jsonl"
    ports = {"http": harness.free_port(), "grpc": harness.free_port()}
    weir = start_weir(harness.otlp_to_file(path, ports["http"], ports["grpc"]))
    return Receiving(weir, ports["http"], ports["grpc"], path)


class Receiving:
    def __init__(self, weir, http_port, grpc_port, path):
        self.weir, self.http_port, self.grpc_port, self.path = weir, http_port, grpc_port, path

    def records(self, signal_name, count):
        """All records of the signal, when there are at least so many."""
        def found():
            records = harness.read_records(self.path, signal_name)
            return records if len(records) >= count else None

        return harness.wait_until(found, f"{count} records of {signal_name} in {self.path}: {len(harness.read_records(self.path, signal_name))} are there")
