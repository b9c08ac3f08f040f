"""The file exporter's formats, rotation, compression, grouping and appending."""
import struct

import cramjam

from e2e import harness, messages, otlp


def run(start_weir, settings, documents, name="weir"):
    """Sends the documents through a weir with such a file exporter, and stops it."""
    port = harness.free_port()
    weir = start_weir({
        "receivers": {"otlp": harness.otlp_receiver(port)},
        "exporters": {"file": settings},
        "service": {"pipelines": harness.pipelines()},
    }, name)
    for signal_name, document in documents:
        assert harness.post_json(port, signal_name, document)[0] == 200
    weir.stop()


def read_framed(data):
    """Messages with their length in four bytes in front."""
    out = []
    while data:
        size = struct.unpack(">I", data[:4])[0]
        assert len(data) >= 4 + size
        out.append(data[4 : 4 + size])
        data = data[4 + size :]
    return out


def same(data, document):
    """Is that the request message of the document?"""
    got = messages.document_of(messages.request_type("traces").FromString(bytes(data)))
    return otlp.groups_of("traces", got) == otlp.groups_of("traces", document)


def test_proto(start_weir, tmp_path):
    document = harness.span_document("proto", 3)
    run(start_weir, {"path": str(tmp_path / "out.bin"), "format": "proto"}, [("traces", document)])
    (one,) = read_framed((tmp_path / "out.bin").read_bytes())
    assert same(one, document)


def test_zstd(start_weir, tmp_path):
    document = harness.span_document("zstd", 3)
    run(start_weir, {"path": str(tmp_path / "out.bin"), "format": "proto", "compression": "zstd"}, [("traces", document)])
    (one,) = read_framed((tmp_path / "out.bin").read_bytes())
    assert same(cramjam.zstd.decompress(one), document)


def test_rotation(start_weir, tmp_path):
    document = harness.span_document("x" * 1000, 500)
    run(start_weir, {"path": str(tmp_path / "out.jsonl"), "rotation": {"max_megabytes": 1, "max_backups": 3}}, [("traces", document)] * 8)
    files = sorted(tmp_path.glob("out*.jsonl"))
    assert 2 <= len(files) <= 4
    assert all(path.stat().st_size <= 1 << 20 for path in files)
    assert sum(len(harness.read_records(path, "traces")) for path in files) % 500 == 0


def test_append(start_weir, tmp_path):
    for number in range(2):
        run(start_weir, {"path": str(tmp_path / "out.jsonl"), "append": True}, [("logs", harness.log_document(str(number)))], f"weir{number}")
    assert len(harness.read_records(tmp_path / "out.jsonl", "logs")) == 2
    run(start_weir, {"path": str(tmp_path / "out.jsonl")}, [("logs", harness.log_document("only"))], "weir2")
    assert len(harness.read_records(tmp_path / "out.jsonl", "logs")) == 1


def test_group_by(start_weir, tmp_path):
    def with_service(name):
        document = harness.span_document(name)
        document["resourceSpans"][0]["resource"]["attributes"][0] = {"key": "service.name", "value": {"stringValue": name}}
        return document

    settings = {"path": str(tmp_path / "by" / "*.jsonl"), "create_directory": True, "group_by": {"enabled": True, "resource_attribute": "service.name"}}
    run(start_weir, settings, [("traces", with_service(name)) for name in ("a", "b", "a", "../evil", "")])
    assert len(harness.read_records(tmp_path / "by" / "a.jsonl", "traces")) == 2
    assert len(harness.read_records(tmp_path / "by" / "b.jsonl", "traces")) == 1
    outside = [path for path in tmp_path.rglob("*evil*") if tmp_path / "by" not in path.parents]
    assert not outside


def test_folder_that_does_not_exist_is_an_error_that_says_so(start_weir, tmp_path):
    config = harness.otlp_to_file(tmp_path / "no" / "such" / "out", harness.free_port())
    weir = start_weir(config, wait=False)
    assert weir.process.wait(20) == 1
    assert "create_directory" in weir.log() or "no/such" in weir.log()
    weir.kill()
