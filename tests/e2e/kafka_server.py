"""A real Kafka broker of one node, from Maven's packages, cached in build/kafka; and what reads and writes its topics from outside.

Needs java, mvn (for the first time) and kcat. skip_reason() says what is missing.
"""
import base64
import fcntl
import os
import pathlib
import re
import secrets
import shutil
import signal
import socket
import subprocess
import time

import kafka

from e2e import harness

CACHE = harness.ROOT / "build" / "kafka"
# SCRAM of librdkafka before 2.6.1 (Debian 12 has 2.0.2) fails with brokers 4.x, so there are two.
NEWEST, FOR_SCRAM = "4.3.1", "3.9.1"
USER, PASSWORD = "weir", "weir-secret"
LISTENERS = {"PLAINTEXT": "PLAINTEXT", "SSL": "SSL", "SASL_SSL": "SASL_SSL", "SASL_PLAINTEXT": "SASL_PLAINTEXT"}
MECHANISMS = {"plain": "plain.PlainLoginModule", "scram-sha-256": "scram.ScramLoginModule", "scram-sha-512": "scram.ScramLoginModule"}

POM = """<project xmlns="http://maven.apache.org/POM/4.0.0"><modelVersion>4.0.0</modelVersion>
<groupId>weir</groupId><artifactId>kafka</artifactId><version>1</version>
<dependencies>
<dependency><groupId>org.apache.kafka</groupId><artifactId>kafka_2.13</artifactId><version>{version}</version></dependency>
<dependency><groupId>org.slf4j</groupId><artifactId>slf4j-simple</artifactId><version>1.7.36</version></dependency>
</dependencies></project>
"""


def copy_from_maven(folder):
    command = ["mvn", "-B", "-q", "dependency:copy-dependencies", "-DoutputDirectory=libs", "-DincludeScope=runtime"]
    with open(folder / "fetch.log", "wb") as log:
        try:
            return subprocess.run(command, cwd=folder, stdout=log, stderr=log, check=False, timeout=300).returncode == 0
        except (OSError, subprocess.TimeoutExpired) as error:
            log.write(f"{error}\n".encode())
            return False


def fetch(version):
    """The folder of the version's jars; None when they can't be had."""
    folder = CACHE / version
    folder.mkdir(parents=True, exist_ok=True)
    with open(folder / "lock", "w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if (folder / "complete").exists():
            return folder / "libs"
        (folder / "pom.xml").write_text(POM.format(version=version))
        done = copy_from_maven(folder)
        if not done:
            return None
        (folder / "complete").touch()
        return folder / "libs"


def skip_reason(*versions):
    """Why the tests of these versions can't run here; None when they can."""
    for program in ("java", "kcat"):
        if not shutil.which(program):
            return f"no {program}: apt-get install openjdk-17-jdk-headless maven kcat"
    for version in versions:
        if fetch(version) is None:
            return f"Kafka {version} can't be had from Maven (build/kafka/{version}/fetch.log says why)"
    return None


def make_certificates(folder):
    """ca.pem, and broker-store.pem: the broker's key, certificate and CA in one file."""
    def openssl(*arguments):
        subprocess.run(["openssl", *arguments], cwd=folder, check=True, capture_output=True)

    openssl("req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2", "-subj", "/CN=test ca", "-keyout", "ca-key.pem", "-out", "ca.pem")
    openssl("req", "-newkey", "rsa:2048", "-nodes", "-subj", "/CN=127.0.0.1", "-keyout", "broker-key.pem", "-out", "broker.csr")
    (folder / "san").write_text("subjectAltName=IP:127.0.0.1\n")
    openssl("x509", "-req", "-days", "2", "-in", "broker.csr", "-CA", "ca.pem", "-CAkey", "ca-key.pem", "-CAcreateserial", "-extfile", "san", "-out", "broker.pem")
    openssl("pkcs8", "-topk8", "-nocrypt", "-in", "broker-key.pem", "-out", "broker-key8.pem")
    (folder / "broker-store.pem").write_text("".join((folder / name).read_text() for name in ("broker-key8.pem", "broker.pem", "ca.pem")))


class Broker:
    """A running broker. Topics are made when they are first used, with `partitions` partitions."""

    def __init__(self, folder, version=NEWEST, secure=False, partitions=4, started=True, **properties):
        self.folder, self.version, self.secure = pathlib.Path(folder), version, secure
        self.folder.mkdir(parents=True)
        self.ports = {name: harness.free_port() for name in ("CONTROLLER", *(LISTENERS if secure else ["PLAINTEXT"]))}
        self.address = f"127.0.0.1:{self.ports['PLAINTEXT']}"
        self.process = None
        if secure:
            make_certificates(self.folder)
        self.write_properties(partitions, properties)
        self.format()
        if started:
            self.start()

    def write_properties(self, partitions, more):
        listeners = ",".join(f"{name}://127.0.0.1:{port}" for name, port in self.ports.items())
        lines = {
            "process.roles": "broker,controller", "node.id": 1, "controller.quorum.voters": f"1@127.0.0.1:{self.ports['CONTROLLER']}",
            "controller.listener.names": "CONTROLLER", "listeners": listeners, "inter.broker.listener.name": "PLAINTEXT",
            "listener.security.protocol.map": "CONTROLLER:PLAINTEXT," + ",".join(f"{name}:{protocol}" for name, protocol in LISTENERS.items()),
            "log.dirs": self.folder / "data", "offsets.topic.replication.factor": 1, "offsets.topic.num.partitions": 3,
            "group.initial.rebalance.delay.ms": 0, "group.min.session.timeout.ms": 1000, "broker.session.timeout.ms": 3000,
            "broker.heartbeat.interval.ms": 400, "num.partitions": partitions, "auto.create.topics.enable": "true", "num.network.threads": 2, "num.io.threads": 2,
            "log.cleaner.enable": "false",
        }
        if self.secure:
            lines.update({
                "ssl.keystore.type": "PEM", "ssl.keystore.location": self.folder / "broker-store.pem", "ssl.truststore.type": "PEM",
                "ssl.truststore.location": self.folder / "ca.pem", "ssl.client.auth": "requested",
                "sasl.enabled.mechanisms": ",".join(name.upper() for name in MECHANISMS),
            })
            for listener in ("sasl_ssl", "sasl_plaintext"):
                for mechanism, module in MECHANISMS.items():
                    users = f' user_{USER}="{PASSWORD}"' if mechanism == "plain" else ""
                    lines[f"listener.name.{listener}.{mechanism}.sasl.jaas.config"] = f"org.apache.kafka.common.security.{module} required{users};"
        lines.update({name.replace("_", "."): value for name, value in more.items()})
        (self.folder / "server.properties").write_text("".join(f"{name}={value}\n" for name, value in lines.items()))

    def java(self, *arguments):
        return ["java", "-Dorg.slf4j.simpleLogger.defaultLogLevel=warn", "-XX:+UseSerialGC", "-XX:TieredStopAtLevel=1",
                "-cp", f"{CACHE / self.version / 'libs'}/*", *arguments]

    def format(self):
        """The folder of a broker that never ran is made once for each version, with the user for SCRAM in it."""
        fresh = CACHE / self.version / "formatted"
        with open(CACHE / self.version / "lock", "w") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            if not fresh.exists():
                self.format_data()
                shutil.copytree(self.folder / "data", fresh)
            else:
                shutil.copytree(fresh, self.folder / "data")

    def format_data(self):
        identity = base64.urlsafe_b64encode(b"w" + secrets.token_bytes(15)).decode().rstrip("=")
        command = ["kafka.tools.StorageTool", "format", "-t", identity, "-c", "server.properties"]
        for mechanism in ("SCRAM-SHA-256", "SCRAM-SHA-512"):
            command += ["--add-scram", f'{mechanism}=[name="{USER}",password="{PASSWORD}"]']
        subprocess.run(self.java(*command), cwd=self.folder, check=True, capture_output=True, timeout=120)

    def start(self):
        for port in self.ports.values():
            with socket.socket() as probe:
                assert probe.connect_ex(("127.0.0.1", port)) != 0, f"somebody else answers on port {port}"
        with open(self.folder / "broker.log", "ab") as log:
            self.process = subprocess.Popen(self.java("-Xmx512m", "kafka.Kafka", "server.properties"), cwd=self.folder, stdout=log, stderr=log)
        harness.wait_until(lambda: self.answers() or self.process.poll() is not None, "the broker answers", 60, 0.1)
        assert self.process.poll() is None, f"the broker ended at its start:\n{(self.folder / 'broker.log').read_text()[-3000:]}"

    def answers(self):
        with socket.socket() as probe:
            if probe.connect_ex(("127.0.0.1", self.ports["PLAINTEXT"])) != 0:
                return False
        return subprocess.run(["kcat", "-b", self.address, "-L", "-m", "2"], capture_output=True, check=False).returncode == 0

    def kill(self):
        self.process.kill()
        self.process.wait()

    def freeze(self):
        self.process.send_signal(signal.SIGSTOP)

    def thaw(self):
        self.process.send_signal(signal.SIGCONT)

    def stop(self):
        if self.process is not None and self.process.poll() is None:
            self.thaw()
            self.kill()

    # ---- topics, from outside ----

    def kcat(self, *arguments, stdin=b"", seconds=60):
        return subprocess.run(["kcat", "-b", self.address, *arguments], input=stdin, capture_output=True, check=True, timeout=seconds).stdout

    def write(self, topic, *values, key=None, headers=()):
        """One message each."""
        arguments = [part for header in headers for part in ("-H", header)] + (["-k", key] if key else [])
        for value in values:
            path = self.folder / f"message-{secrets.token_hex(6)}"
            path.write_bytes(value)
            self.kcat("-P", "-t", topic, *arguments, str(path))

    def create(self, topic, **settings):
        """Asks for it until it is there; settings are the topic's own."""
        if settings:
            configs = {name.replace("_", "."): str(value) for name, value in settings.items()}
            admin = kafka.KafkaAdminClient(bootstrap_servers=self.address)
            admin.create_topics({topic: {"num_partitions": 4, "replication_factor": 1, "configs": configs}})
            admin.close()
        harness.wait_until(lambda: self.partitions(topic), f"topic {topic}", 20, 0.1)

    def partitions(self, topic):
        text = self.kcat("-L", "-t", topic).decode()
        return re.findall(r"partition (\d+), leader 1", text)

    def committed(self, group, topic):
        """The group's offset in each partition that has one."""
        admin = kafka.KafkaAdminClient(bootstrap_servers=self.address)
        try:
            offsets = admin.list_group_offsets({group: None})[group]
            return {where.partition: found.offset for where, found in offsets.items() if where.topic == topic}
        finally:
            admin.close()

    def read(self, topic):
        """All messages that are there: dictionaries of partition, offset, key, headers, value."""
        if topic not in re.findall(r'topic "([^"]+)" with', self.kcat("-L").decode()):
            return []
        return parse_messages(self.kcat("-C", "-t", topic, "-o", "beginning", "-e", "-q", "-f", "%p %o %K %S\n%k\n%h\n%s\n"))

    def wait_read(self, topic, count, seconds=30):
        return harness.wait_until(lambda: (lambda got: got if len(got) >= count else None)(self.read(topic)), f"{count} messages in {topic}", seconds, 0.2)


def parse_messages(data):
    """What kcat wrote in the format of read(): lengths first, so that any byte may stand in key and value."""
    messages, at = [], 0
    while at < len(data):
        end = data.index(b"\n", at)
        partition, offset, key_size, value_size = (int(word) for word in data[at:end].split())
        at = end + 1
        key = data[at:at + max(key_size, 0)]
        at += max(key_size, 0) + 1
        end = data.index(b"\n", at)
        headers = data[at:end].decode()
        at = end + 1
        messages.append({"partition": partition, "offset": offset, "key": key if key_size >= 0 else None,
                         "headers": dict(pair.split("=", 1) for pair in headers.split(",") if pair), "value": data[at:at + max(value_size, 0)]})
        at += max(value_size, 0) + 1
    return messages
