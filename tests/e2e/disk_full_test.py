"""A disk queue on a real file system that is full: senders are told to come again, and when; nothing acknowledged is lost; it recovers by itself."""
import json

import grpc
import pytest

from e2e import harness, messages
from torture.disk_faults import SmallDisk
from torture.ledger import Ledger, document
from torture.otlp_faults import Destination
from torture.rig import configuration

TRAILER = "grpc-status-details-bin"


class Full:
    """weir with its queue on 4 MiB, in front of a destination that refuses for now."""

    def __init__(self, folder, fsync):
        self.disk = SmallDisk(folder / "small", 4)
        if self.disk.refusal:
            pytest.skip(self.disk.refusal)
        self.ledger, self.next = Ledger(), 0
        self.destination = Destination(self.ledger, None)
        self.destination.refuse()
        self.http_port, self.grpc_port = harness.free_ports(2)
        self.folder, self.config = folder, configuration(self.http_port, self.destination.exporter(), self.disk.mount / "queue", fsync)
        self.config["receivers"]["otlp"] = harness.otlp_receiver(self.http_port, self.grpc_port)
        self.start()

    def start(self):
        self.weir = harness.Weir(self.config, self.folder, binary=self.disk.wrapper)

    def numbers(self):
        self.next += 20
        return range(self.next - 20, self.next)

    def post(self):
        """One request over HTTP: status and headers."""
        numbers = self.numbers()
        status, headers, _ = harness.request(self.http_port, "/v1/logs", document(numbers, 3000), {"Content-Type": "application/json"})
        if status == 200:
            self.ledger.acknowledge(numbers)
        return status, headers

    def export(self, channel):
        """One request over gRPC: None or the error."""
        numbers = self.numbers()
        body = messages.message_of(json.loads(document(numbers, 3000))).SerializeToString()
        code, error = messages.export_status(channel, "logs", body)
        if code == grpc.StatusCode.OK:
            self.ledger.acknowledge(numbers)
        return error

    def refusal(self):
        """The headers of a refusal; None when it was taken."""
        status, headers = self.post()
        assert status in (200, 429, 503)
        return headers if status != 200 else None

    def overflow(self):
        return harness.wait_until(self.refusal, "the disk is full", 30)

    def close(self):
        try:
            self.weir.stop()
        finally:
            self.weir.kill()
        self.disk.close()
        self.destination.close()


@pytest.fixture(params=[False, True], ids=["written", "synced"])
def full(request, tmp_path):
    one = Full(tmp_path, request.param)
    yield one
    one.close()


def test_refused_with_a_delay_and_recovers(full):
    headers = full.overflow()
    assert int(headers["retry-after"]) >= 1
    assert full.ledger.acknowledged > 0
    with messages.channel_to(full.grpc_port) as channel:
        error = full.export(channel)
        assert error.code() in (grpc.StatusCode.UNAVAILABLE, grpc.StatusCode.RESOURCE_EXHAUSTED)
        assert b"RetryInfo" in dict(error.trailing_metadata())[TRAILER]
        assert full.weir.metric("weir_dropped_records", reason="disk_full") > 0
        full.destination.heal()
        harness.wait_until(lambda: not full.ledger.missing(), "all that was acknowledged arrives", 30)
        harness.wait_until(lambda: full.post()[0] == 200 and full.export(channel) is None, "it takes data again, on both", 30)
    harness.wait_until(lambda: not full.ledger.missing(), "what came afterwards arrives too", 30)
    assert full.ledger.wrong == 0
    assert "takes data again" in full.weir.log()


def test_room_that_others_took(full):
    """Full although the destination is well: another program's file. Recovers when that goes."""
    full.destination.heal()
    assert full.post()[0] == 200
    full.disk.fill()
    full.overflow()
    full.disk.clear()
    harness.wait_until(lambda: full.post()[0] == 200, "it takes data again", 30)
    harness.wait_until(lambda: not full.ledger.missing(), "all that was acknowledged arrives", 30)


def test_a_start_on_a_full_disk(full):
    """Killed and started again while there is no room: it starts, delivers what it had, and takes data when it can."""
    full.overflow()
    full.disk.fill()
    full.weir.process.kill()
    full.weir.process.wait()
    full.weir.log_file.close()
    full.start()
    full.destination.heal()
    harness.wait_until(lambda: not full.ledger.missing(), "all that was acknowledged arrives", 30)
    full.disk.clear()
    harness.wait_until(lambda: full.post()[0] == 200, "it takes data again", 30)
