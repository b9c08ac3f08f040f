"""A real Zipkin server, and Java programs with Brave, from Maven's packages, cached in build/zipkin.

Needs java, javac and, for the first time, mvn. skip_reason() says what is missing.
"""
import fcntl
import json
import shutil
import signal
import subprocess

from e2e import harness

CACHE = harness.ROOT / "build" / "zipkin"
SERVER = "zipkin-server-3.6.1-exec.jar"
JAVA = harness.ROOT / "tests" / "e2e" / "java"

POM = """<project xmlns="http://maven.apache.org/POM/4.0.0"><modelVersion>4.0.0</modelVersion>
<groupId>weir</groupId><artifactId>zipkin</artifactId><version>1</version>
<dependencies>
<dependency><groupId>io.zipkin.brave</groupId><artifactId>brave</artifactId><version>6.3.0</version></dependency>
<dependency><groupId>io.zipkin.zipkin2</groupId><artifactId>zipkin</artifactId><version>2.27.1</version></dependency>
<dependency><groupId>io.zipkin.reporter2</groupId><artifactId>zipkin-reporter-brave</artifactId><version>3.5.1</version></dependency>
<dependency><groupId>io.zipkin.reporter2</groupId><artifactId>zipkin-sender-urlconnection</artifactId><version>3.5.1</version></dependency>
</dependencies></project>
"""
FETCHES = (["dependency:copy", "-Dartifact=io.zipkin:zipkin-server:3.6.1:jar:exec", "-DoutputDirectory=."],
           ["dependency:copy-dependencies", "-DoutputDirectory=libs", "-DincludeScope=runtime"])


def fetch():
    """Whether everything is there, fetched if need be."""
    CACHE.mkdir(parents=True, exist_ok=True)
    with open(CACHE / "lock", "w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if (CACHE / "complete").exists():
            return True
        if not shutil.which("mvn"):
            return False
        (CACHE / "pom.xml").write_text(POM)
        with open(CACHE / "fetch.log", "wb") as log:
            for goal in FETCHES:
                if subprocess.run(["mvn", "-B", "-q", *goal], cwd=CACHE, stdout=log, stderr=log, check=False, timeout=600).returncode != 0:
                    return False
        (CACHE / "complete").touch()
        return True


def skip_reason():
    """Why the tests with a real server can't run here; None when they can."""
    if not shutil.which("java") or not shutil.which("javac"):
        return "no java: apt-get install openjdk-17-jdk-headless maven"
    return None if fetch() else "Zipkin can't be had from Maven (build/zipkin/fetch.log says why)"


def run_java(program, *arguments):
    """What the program of tests/e2e/java prints."""
    done = subprocess.run(["java", "-Xmx128m", "-cp", str(CACHE / "libs" / "*"), str(JAVA / program), *arguments], capture_output=True, text=True, timeout=120,
                          check=False)
    assert done.returncode == 0, done.stderr
    return done.stdout.strip()


class Zipkin:
    """A running server that keeps spans in memory."""

    def __init__(self, folder):
        self.port = harness.free_port()
        self.log_path = folder / "zipkin.log"
        address = {"ip": "127.0.0.1", "port": self.port, "protocols[0]": "http"}
        with open(self.log_path, "wb") as log:
            self.process = subprocess.Popen(
                ["java", "-Xmx256m", "-XX:+UseSerialGC", *(f"-Darmeria.ports[0].{key}={value}" for key, value in address.items()), "-jar", str(CACHE / SERVER)],
                cwd=folder, stdout=log, stderr=log)
        harness.wait_until(self.healthy, "Zipkin is ready", 90, 0.2)

    @property
    def spans_url(self):
        return f"http://127.0.0.1:{self.port}/api/v2/spans"

    def get(self, path):
        status, _, body = harness.request(self.port, path, method="GET")
        return json.loads(body) if status == 200 else None

    def healthy(self):
        assert self.process.poll() is None, f"Zipkin ended at its start:\n{self.log_path.read_text(errors='replace')[-3000:]}"
        try:
            return harness.request(self.port, "/health", method="GET", timeout=2)[0] == 200
        except OSError:
            return False

    def trace(self, trace_id, spans):
        """The spans of a trace, when there are at least so many."""
        def found():
            trace = self.get(f"/api/v2/trace/{trace_id}") or []
            return trace if len(trace) >= spans else None

        return harness.wait_until(found, f"{spans} spans of trace {trace_id} in Zipkin: {self.get('/api/v2/trace/' + trace_id)}")

    def stop(self):
        self.process.send_signal(signal.SIGTERM)
        try:
            self.process.wait(20)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()
