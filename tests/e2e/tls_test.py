"""TLS and mutual TLS on both sides and both protocols, and certificates that are renewed while weir runs."""
import http.client
import json
import ssl
import subprocess
import time

import grpc
import pytest

from e2e import harness, messages

JSON = {"Content-Type": "application/json"}


def make_certificate(folder, name, ca=None, subject="localhost"):
    """NAME.crt and NAME.key, signed by `ca`, or by itself."""
    key, certificate, request = folder / f"{name}.key", folder / f"{name}.crt", folder / f"{name}.csr"
    extension = folder / f"{name}.ext"
    extension.write_text("subjectAltName=DNS:localhost,IP:127.0.0.1\n" if ca else "basicConstraints=critical,CA:TRUE\nkeyUsage=critical,keyCertSign\n")
    run = lambda *command: subprocess.run(["openssl", *map(str, command)], check=True, capture_output=True)  # noqa: E731
    run("req", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes", "-keyout", key, "-out", request, "-subj", f"/CN={subject}")
    signer = ["-CA", folder / f"{ca}.crt", "-CAkey", folder / f"{ca}.key", "-CAcreateserial"] if ca else ["-signkey", key]
    run("x509", "-req", "-in", request, "-out", certificate, "-days", 2, "-extfile", extension, *signer)
    return str(certificate), str(key)


@pytest.fixture
def certificates(tmp_path):
    folder = tmp_path / "certificates"
    folder.mkdir()
    make_certificate(folder, "ca", subject="test ca")
    make_certificate(folder, "other-ca", subject="other ca")
    for name, ca in (("server", "ca"), ("client", "ca"), ("stranger", "other-ca")):
        make_certificate(folder, name, ca)
    return folder


def server_tls(folder, **more):
    return {"cert_file": str(folder / "server.crt"), "key_file": str(folder / "server.key"), **more}


def post_https(port, folder, client=None, document=None, version=None):
    context = ssl.create_default_context(cafile=str(folder / "ca.crt"))
    if client:
        context.load_cert_chain(folder / f"{client}.crt", folder / f"{client}.key")
    if version:
        context.maximum_version = version
    connection = http.client.HTTPSConnection("localhost", port, timeout=20, context=context)
    try:
        connection.request("POST", "/v1/traces", json.dumps(document or harness.span_document()), JSON)
        return connection.getresponse().status
    finally:
        connection.close()


def grpc_channel(port, folder, client=None):
    chain = [(folder / f"{client}.{end}").read_bytes() for end in ("key", "crt")] if client else [None, None]
    return grpc.secure_channel(f"localhost:{port}", grpc.ssl_channel_credentials((folder / "ca.crt").read_bytes(), *chain))


def test_https_and_grpc_over_tls(start_weir, certificates, tmp_path):
    ports = harness.free_port(), harness.free_port()
    tls = server_tls(certificates)
    start_weir(harness.otlp_to_file(tmp_path / "out.jsonl", *ports, http={"tls": tls}, grpc={"tls": tls}))
    assert post_https(ports[0], certificates) == 200
    with grpc_channel(ports[1], certificates) as channel:
        body = messages.message_of(harness.span_document()).SerializeToString()
        assert messages.export_status(channel, "traces", body)[0] == grpc.StatusCode.OK
    harness.wait_until(lambda: len(harness.read_records(tmp_path / "out.jsonl", "traces")) == 2, "both spans")
    try:
        assert harness.post_json(ports[0], "traces", harness.span_document())[0] == 400  # no TLS
    except (OSError, http.client.HTTPException):
        pass
    with pytest.raises(ssl.SSLError):
        post_https(ports[0], certificates, version=ssl.TLSVersion.TLSv1_1)
    assert post_https(ports[0], certificates, version=ssl.TLSVersion.TLSv1_2) == 200


def test_client_certificates(start_weir, certificates, tmp_path):
    ports = harness.free_port(), harness.free_port()
    tls = server_tls(certificates, client_ca_file=str(certificates / "ca.crt"))
    start_weir(harness.otlp_to_file(tmp_path / "out.jsonl", *ports, http={"tls": tls}, grpc={"tls": tls}))
    assert post_https(ports[0], certificates, "client") == 200
    for wrong in (None, "stranger"):
        with pytest.raises((OSError, http.client.HTTPException)):
            post_https(ports[0], certificates, wrong)
    body = messages.message_of(harness.span_document()).SerializeToString()
    with grpc_channel(ports[1], certificates, "client") as channel:
        assert messages.export_status(channel, "traces", body)[0] == grpc.StatusCode.OK
    with grpc_channel(ports[1], certificates) as channel:
        assert messages.export_status(channel, "traces", body, timeout=5)[0] != grpc.StatusCode.OK


@pytest.mark.parametrize("protocol", ["otlp_http", "otlp_grpc"])
def test_weir_to_weir_with_mutual_tls(protocol, start_weir, certificates, tmp_path):
    first, ports = harness.free_port(), (harness.free_port(), harness.free_port())
    tls = server_tls(certificates, client_ca_file=str(certificates / "ca.crt"))
    path = tmp_path / "out.jsonl"
    start_weir(harness.otlp_to_file(path, *ports, http={"tls": tls}, grpc={"tls": tls}), "second")
    endpoint = f"https://localhost:{ports[0]}" if protocol == "otlp_http" else f"localhost:{ports[1]}"
    start_weir({
        "receivers": {"otlp": harness.otlp_receiver(first)},
        "exporters": {protocol: {"endpoint": endpoint, "tls": {"ca_file": str(certificates / "ca.crt"), "cert_file": str(certificates / "client.crt"),
                                                                "key_file": str(certificates / "client.key")}}},
        "service": {"pipelines": harness.pipelines(exporters=[protocol])},
    }, "first")
    assert harness.post_json(first, "traces", harness.span_document("over mutual TLS", 10))[0] == 200
    harness.wait_until(lambda: len(harness.read_records(path, "traces")) == 10, "the spans")


@pytest.mark.parametrize("protocol", ["otlp_http", "otlp_grpc"])
def test_a_server_that_nobody_vouches_for_gets_nothing(protocol, start_weir, certificates, tmp_path):
    first, ports = harness.free_port(), (harness.free_port(), harness.free_port())
    tls = server_tls(certificates)
    start_weir(harness.otlp_to_file(tmp_path / "out.jsonl", *ports, http={"tls": tls}, grpc={"tls": tls}), "second")
    endpoint = f"https://localhost:{ports[0]}" if protocol == "otlp_http" else f"localhost:{ports[1]}"
    weir = start_weir({
        "receivers": {"otlp": harness.otlp_receiver(first)},
        "exporters": {protocol: {"endpoint": endpoint, "tls": {"ca_file": str(certificates / "other-ca.crt")},
                                 "retry_on_failure": {"initial_interval": "100ms", "max_interval": "200ms"}}},
        "service": {"pipelines": harness.pipelines(exporters=[protocol])},
    }, "first", arguments=["--drain-timeout", "1s"])
    assert harness.post_json(first, "traces", harness.span_document())[0] == 200
    weir.wait_log("certificate")
    assert not harness.read_records(tmp_path / "out.jsonl", "traces")


def serial_of(port, folder):
    context = ssl.create_default_context(cafile=str(folder / "ca.crt"))
    connection = http.client.HTTPSConnection("localhost", port, timeout=20, context=context)
    connection.connect()
    serial = connection.sock.getpeercert()["serialNumber"]
    connection.close()
    return serial


def test_renewed_certificate_is_taken_up(start_weir, certificates, tmp_path):
    port = harness.free_port()
    start_weir(harness.otlp_to_file(tmp_path / "out.jsonl", port, http={"tls": server_tls(certificates, reload_interval="500ms")}))
    old = serial_of(port, certificates)
    time.sleep(1.1)
    make_certificate(certificates, "server", "ca")
    harness.wait_until(lambda: serial_of(port, certificates) != old, "the new certificate", 15, 0.3)
    (certificates / "server.crt").write_text("not a certificate")
    time.sleep(1.5)
    assert post_https(port, certificates) == 200  # the old one stays


def test_missing_certificate_is_an_error_at_start(start_weir, tmp_path):
    config = harness.otlp_to_file(tmp_path / "out.jsonl", harness.free_port(), http={"tls": {"cert_file": "/no/such.crt", "key_file": "/no/such.key"}})
    weir = start_weir(config, wait=False)
    assert weir.process.wait(20) == 1
    assert "/no/such.crt" in weir.log() or "/no/such.key" in weir.log()
    weir.kill()
