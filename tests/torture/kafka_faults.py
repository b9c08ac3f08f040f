"""The rig behind Kafka: weir → a real broker → a second weir that reads as a consumer group of one → the plain destination.

Faults hit the broker (killed, frozen and thawed), the reader (killed, frozen) and what the reader delivers to, so that both halves have
to keep their promise: what was acknowledged is confirmed by the broker before it leaves the disk queue, and an offset is
committed when its records have arrived.
"""
import signal
import time

from e2e import harness, kafka_server
from torture import otlp_faults

TOPIC = "torture"


def create(ledger, folder, random):
    reason = kafka_server.skip_reason(kafka_server.NEWEST)
    if reason:
        raise SystemExit(f"torture: no Kafka: {reason}")
    return Destination(ledger, folder, random)


class Destination:
    FAULTS = {"kill_broker": 3, "freeze_broker": 3, "kill_reader": 4, "freeze_reader": 2, "misbehave": 3, "take_away": 1}

    def __init__(self, ledger, folder, random):
        self.random = random
        self.last = otlp_faults.create(ledger, folder, random)
        self.broker = kafka_server.Broker(folder / "broker")
        self.folder = folder / "reader"
        self.reader = None
        self.broker.create(TOPIC)
        self.start_reader()

    def exporter(self):
        return "kafka", {"brokers": [self.broker.address], "timeout": "1s", "logs": {"topic": TOPIC}, "producer": {"linger": "5ms", "delivery_timeout": "10s"},
                         "retry_on_failure": {"initial_interval": "20ms", "max_interval": "200ms"}}

    def reader_configuration(self):
        """A static member: when it is back within session_timeout it goes on at once."""
        name, settings = self.last.exporter()
        receiver = {"brokers": [self.broker.address], "group_id": "torture", "group_instance_id": "reader", "initial_offset": "earliest",
                    "session_timeout": "6s", "heartbeat_interval": "500ms", "autocommit": {"interval": "100ms"}, "logs": {"topics": [TOPIC]},
                    "error_backoff": {"enabled": True, "initial_interval": "20ms", "max_interval": "500ms"}}
        return {
            "receivers": {"kafka": receiver},
            "exporters": {name: settings},
            "service": {"pipelines": {"logs": {"receivers": ["kafka"], "exporters": [name]}}},
        }

    def start_reader(self):
        self.reader = harness.Weir(self.reader_configuration(), self.folder, arguments=["--drain-timeout", "1s"])

    # ---- faults ----

    def kill_broker(self):
        self.broker.kill()
        time.sleep(self.random.uniform(0, 2))
        self.broker.start()

    def freeze_broker(self):
        """Now and then longer than the clients wait for an answer."""
        self.broker.freeze()
        time.sleep(self.random.choice([0.1, 0.5, 2, 5]))
        self.broker.thaw()

    def kill_reader(self):
        self.reader.process.send_signal(signal.SIGKILL)
        self.reader.process.wait()
        self.reader.log_file.close()
        self.reader.check_log()
        self.start_reader()

    def freeze_reader(self):
        """Now and then longer than session_timeout."""
        self.reader.process.send_signal(signal.SIGSTOP)
        time.sleep(self.random.choice([0.1, 1, 8]))
        self.reader.process.send_signal(signal.SIGCONT)

    def misbehave(self):
        self.last.misbehave()

    def take_away(self):
        self.last.take_away()

    def refuse(self):
        """Until heal: the broker is there and says nothing."""
        self.broker.freeze()

    def heal(self):
        self.broker.thaw()
        self.last.heal()

    def close(self):
        self.reader.stop()
        self.broker.stop()
        self.last.close()
