"""A real Elasticsearch or OpenSearch of one node, from Maven's packages, cached in build/search.

Needs java with its compiler, and mvn for the first time. skip_reason() says what is missing. The packages hold the servers without what is built
around them: a small program starts the node. Elasticsearch comes without X-Pack, so without users, TLS and index templates; OpenSearch, when
asked, comes with its security plug-in: HTTPS, user "admin", password "admin".
"""
import base64
import fcntl
import json
import pathlib
import shutil
import signal
import socket
import ssl
import subprocess
import urllib.error
import urllib.request
import zipfile

from e2e import harness

CACHE = harness.ROOT / "build" / "search"
ELASTICSEARCH, OPENSEARCH = "elasticsearch-8.19.21", "opensearch-2.19.4"
SECURITY = "org.opensearch.plugin:opensearch-security:2.19.4.0:zip"
PACKAGES = {
    ELASTICSEARCH: ["org.elasticsearch:elasticsearch:8.19.21", "org.elasticsearch.plugin:transport-netty4:8.19.21"],
    OPENSEARCH: ["org.opensearch:opensearch:2.19.4", *(f"org.opensearch.plugin:{name}:2.19.4" for name in (
        "transport-netty4-client", "lang-painless", "ingest-common", "mapper-extras-client", "reindex-client")), "org.apache.logging.log4j:log4j-core:2.21.0"],
}
JAVA = ["java", "-Xms512m", "-Xmx512m", "-XX:+UseSerialGC", "-XX:TieredStopAtLevel=1"]
LOGGING = """status = error
appender.console.type = Console
appender.console.name = console
appender.console.layout.type = PatternLayout
appender.console.layout.pattern = %d %p %c %m%n
rootLogger.level = warn
rootLogger.appenderRef.console.ref = console
"""
ELASTICSEARCH_MAIN = """
import java.nio.file.Path;
import java.util.Map;
import java.util.Set;
import org.elasticsearch.common.logging.LogConfigurator;
import org.elasticsearch.common.settings.Settings;
import org.elasticsearch.node.InternalSettingsPreparer;
import org.elasticsearch.node.Node;
import org.elasticsearch.plugins.PluginsLoader;

public class SearchNode {
    public static void main(String[] arguments) throws Exception {
        LogConfigurator.configureESLogging();
        var environment = InternalSettingsPreparer.prepareEnvironment(
            Settings.EMPTY, Map.of("path.home", arguments[0]), Path.of(arguments[1]), () -> "node");
        LogConfigurator.configure(environment, true);
        var modules = PluginsLoader.loadModulesBundles(environment.modulesDir());
        var node = new Node(environment, PluginsLoader.createPluginsLoader(modules, Set.of(), Map.of()));
        node.start();
        Runtime.getRuntime().addShutdownHook(new Thread(() -> { try { node.close(); } catch (Exception e) { } }));
        Thread.currentThread().join();
    }
}
"""
OPENSEARCH_MAIN = """
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import org.opensearch.common.logging.LogConfigurator;
import org.opensearch.common.settings.Settings;
import org.opensearch.env.Environment;
import org.opensearch.node.InternalSettingsPreparer;
import org.opensearch.node.Node;
import org.opensearch.plugins.Plugin;

public class SearchNode extends Node {
    SearchNode(Environment environment, List<Class<? extends Plugin>> plugins) {
        super(environment, plugins, false);
    }

    public static void main(String[] arguments) throws Exception {
        var environment = InternalSettingsPreparer.prepareEnvironment(
            Settings.EMPTY, Map.of("path.home", arguments[0]), Path.of(arguments[1]), () -> "node");
        LogConfigurator.configure(environment);
        var plugins = new ArrayList<Class<? extends Plugin>>();
        for (int i = 2; i < arguments.length; i++)
            plugins.add(Class.forName(arguments[i]).asSubclass(Plugin.class));
        var node = new SearchNode(environment, plugins);
        node.start();
        Runtime.getRuntime().addShutdownHook(new Thread(() -> { try { node.close(); } catch (Exception e) { } }));
        Thread.currentThread().join();
    }
}
"""
OPENSEARCH_PLUGINS = ["org.opensearch.transport.Netty4Plugin", "org.opensearch.painless.PainlessPlugin", "org.opensearch.ingest.common.IngestCommonPlugin",
                      "org.opensearch.index.mapper.MapperExtrasPlugin", "org.opensearch.index.reindex.ReindexPlugin"]
SECURITY_PLUGIN = "org.opensearch.security.OpenSearchSecurityPlugin"


# ---- from packages ----


def pom(name):
    dependencies = "".join("<dependency><groupId>{}</groupId><artifactId>{}</artifactId><version>{}</version></dependency>\n".format(*one.split(":"))
                           for one in PACKAGES[name])
    return ('<project xmlns="http://maven.apache.org/POM/4.0.0"><modelVersion>4.0.0</modelVersion>\n'
            f"<groupId>weir</groupId><artifactId>search</artifactId><version>1</version>\n<dependencies>\n{dependencies}</dependencies></project>\n")


def run_logged(folder, *command):
    """False: it failed, or took longer than a registry that answers does."""
    with open(folder / "fetch.log", "ab") as log:
        try:
            return subprocess.run(command, cwd=folder, stdout=log, stderr=log, check=False, timeout=300).returncode == 0
        except subprocess.TimeoutExpired:
            return False


def arrange_elasticsearch(folder):
    """The layout of the distribution: the network module stands by itself."""
    module = folder / "home" / "modules" / "transport-netty4"
    module.mkdir(parents=True, exist_ok=True)
    for jar in [*(folder / "libs").glob("netty-*.jar"), *(folder / "libs").glob("transport-netty4-*.jar")]:
        shutil.move(jar, module / jar.name)
    inner = "META-INF/es-plugins/transport-netty4/"
    with zipfile.ZipFile(next(module.glob("transport-netty4-*.jar"))) as jar:
        for name in jar.namelist():
            if name.startswith(inner) and name != inner:
                (module / name.removeprefix(inner)).write_bytes(jar.read(name))


def compile_main(folder, name):
    (folder / "SearchNode.java").write_text(ELASTICSEARCH_MAIN if name == ELASTICSEARCH else OPENSEARCH_MAIN)
    return run_logged(folder, "javac", "-d", "classes", "-cp", ":".join(map(str, (folder / "libs").glob("*.jar"))), "SearchNode.java")


def fetch_security(folder):
    if not run_logged(folder, "mvn", "-B", "-q", "dependency:copy", f"-Dartifact={SECURITY}", "-DoutputDirectory=."):
        return False
    with zipfile.ZipFile(next(folder.glob("opensearch-security-*.zip"))) as archive:
        archive.extractall(folder / "security")
    return True


def fetch(name, security=False):
    """The folder with the server; None when it can't be had."""
    folder = CACHE / name
    folder.mkdir(parents=True, exist_ok=True)
    with open(folder / "lock", "w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not (folder / "complete").exists():
            shutil.rmtree(folder / "libs", ignore_errors=True)
            (folder / "pom.xml").write_text(pom(name))
            if not shutil.which("mvn") or not run_logged(folder, "mvn", "-B", "-q", "dependency:copy-dependencies", "-DoutputDirectory=libs",
                                                         "-DincludeScope=runtime"):
                return None
            if not compile_main(folder, name):
                return None
            if name == ELASTICSEARCH:
                arrange_elasticsearch(folder)
            (folder / "complete").touch()
        if security and not (folder / "security-complete").exists():
            if not shutil.which("mvn") or not fetch_security(folder):
                return None
            (folder / "security-complete").touch()
    return folder


def skip_reason(name, security=False):
    """Why tests with this server can't run here; None when they can."""
    for program in ("java", "javac"):
        if not shutil.which(program):
            return f"no {program}: apt-get install openjdk-17-jdk-headless maven"
    if fetch(name, security) is None:
        return f"{name} can't be had from Maven (build/search/{name}/fetch.log says why)"
    return None


# ---- certificates ----


def make_certificates(folder):
    """ca.pem, and node.pem with node-key.pem (PKCS#8): the node's own, good for 127.0.0.1."""
    def openssl(*arguments):
        subprocess.run(["openssl", *arguments], cwd=folder, check=True, capture_output=True)

    openssl("req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2", "-subj", "/CN=test ca", "-keyout", "ca-key.pem", "-out", "ca.pem")
    openssl("req", "-newkey", "rsa:2048", "-nodes", "-subj", "/CN=node", "-keyout", "node-key.pem", "-out", "node.csr")
    (folder / "extensions").write_text("subjectAltName=IP:127.0.0.1\nextendedKeyUsage=serverAuth,clientAuth\n")
    openssl("x509", "-req", "-days", "2", "-in", "node.csr", "-CA", "ca.pem", "-CAkey", "ca-key.pem", "-CAcreateserial", "-extfile", "extensions", "-out", "node.pem")


# ---- a running node ----


class Node:
    """A running server on loopback, with its data in `folder`."""

    def __init__(self, folder, name, security=False, **settings):
        self.folder, self.name, self.security = pathlib.Path(folder), name, security
        self.config = self.folder / "config"
        self.config.mkdir(parents=True)
        self.port, self.transport_port = harness.free_port(), harness.free_port()
        self.url = f"{'https' if security else 'http'}://127.0.0.1:{self.port}"
        self.process = None
        if security:
            make_certificates(self.config)
            shutil.copytree(CACHE / name / "security" / "config", self.config / "opensearch-security")
        self.write_settings(settings)
        self.start()

    def write_settings(self, more):
        settings = {
            "discovery.type": "single-node", "network.host": "127.0.0.1", "http.port": self.port, "transport.port": self.transport_port,
            "path.data": str(self.folder / "data"), "path.logs": str(self.folder / "logs"), "cluster.routing.allocation.disk.threshold_enabled": False,
        }
        if self.security:
            for layer in ("transport", "http"):
                settings.update({f"plugins.security.ssl.{layer}.pemcert_filepath": "node.pem", f"plugins.security.ssl.{layer}.pemkey_filepath": "node-key.pem",
                                 f"plugins.security.ssl.{layer}.pemtrustedcas_filepath": "ca.pem"})
            settings.update({"plugins.security.ssl.http.enabled": True, "plugins.security.ssl.transport.enforce_hostname_verification": False,
                             "plugins.security.allow_default_init_securityindex": True, "plugins.security.authcz.admin_dn": ["CN=admin"],
                             "plugins.security.nodes_dn": ["CN=node"]})
        settings.update({key.replace("__", "."): value for key, value in more.items()})
        file = "elasticsearch.yml" if self.name == ELASTICSEARCH else "opensearch.yml"
        (self.config / file).write_text("".join(f"{key}: {json.dumps(value)}\n" for key, value in settings.items()))
        (self.config / "log4j2.properties").write_text(LOGGING)

    def command(self):
        home = CACHE / self.name
        if self.name == ELASTICSEARCH:
            return [*JAVA, "--module-path", str(home / "libs"), "--add-modules", "jdk.net,jdk.management.agent,ALL-MODULE-PATH", "-cp", str(home / "classes"),
                    "SearchNode", str(home / "home"), str(self.config)]
        # The security plug-in's jars come last: it brings other versions of what the server has.
        path = [str(home / "classes"), str(home / "libs" / "*")] + ([str(home / "security" / "*")] if self.security else [])
        return [*JAVA, "-cp", ":".join(path), "SearchNode", str(self.folder), str(self.config), *OPENSEARCH_PLUGINS,
                *([SECURITY_PLUGIN] if self.security else [])]

    def start(self):
        with socket.socket() as probe:
            assert probe.connect_ex(("127.0.0.1", self.port)) != 0, f"somebody else answers on port {self.port}"
        with open(self.folder / "node.log", "ab") as log:
            self.process = subprocess.Popen(self.command(), cwd=self.folder, stdout=log, stderr=log)
        harness.wait_until(lambda: self.healthy() or self.process.poll() is not None, "the node answers", 90, 0.1)
        assert self.process.poll() is None, f"the node ended at its start:\n{(self.folder / 'node.log').read_text()[-3000:]}"

    def healthy(self):
        try:
            return self.request("GET", "/_cluster/health?wait_for_status=yellow&timeout=1s")[0] == 200
        except OSError:
            return False

    def request(self, method, path, body=None):
        """(status, what was answered as JSON)"""
        data = None if body is None else body if isinstance(body, bytes) else json.dumps(body).encode()
        request = urllib.request.Request(self.url + path, data, {"Content-Type": "application/json"}, method=method)
        context = None
        if self.security:
            request.add_header("Authorization", "Basic " + base64.b64encode(b"admin:admin").decode())
            context = ssl.create_default_context(cafile=self.config / "ca.pem")
        try:
            with urllib.request.urlopen(request, timeout=30, context=context) as answer:
                return answer.status, json.loads(answer.read() or b"null")
        except urllib.error.HTTPError as error:
            text = error.read().decode(errors="replace")
            return error.code, json.loads(text) if text.startswith("{") else text

    def search(self, index, query=None, size=10000):
        """The documents, each with _index."""
        self.request("POST", f"/{index}/_refresh")
        status, found = self.request("POST", f"/{index}/_search?ignore_unavailable=true", {"query": query or {"match_all": {}}, "size": size})
        if status == 503:
            return []  # a shard that was just made
        assert status == 200, found
        return [dict(hit["_source"], _index=hit["_index"], _id=hit["_id"]) for hit in found["hits"]["hits"]]

    def wait_search(self, index, count, query=None, seconds=30):
        return harness.wait_until(lambda: (lambda got: got if len(got) >= count else None)(self.search(index, query)), f"{count} documents in {index}", seconds, 0.1)

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
