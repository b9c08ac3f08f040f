"""OTLP over gRPC: answers, compression, limits and status codes."""
import grpc
import pytest

from e2e import harness, messages


@pytest.mark.parametrize("signal_name", ["traces", "metrics", "logs"])
def test_unary_export(signal_name, weir_to_file):
    body = messages.message_of(harness.DOCUMENTS[signal_name](count=10)).SerializeToString()
    with messages.channel_to(weir_to_file.grpc_port) as channel:
        messages.response_type(signal_name).FromString(messages.export(channel, signal_name, body))
    assert len(weir_to_file.records(signal_name, 10)) == 10


@pytest.mark.parametrize("compression", [grpc.Compression.Gzip, grpc.Compression.Deflate, grpc.Compression.NoCompression])
def test_compression(compression, weir_to_file):
    body = messages.message_of(harness.span_document("compressed", 500)).SerializeToString()
    with messages.channel_to(weir_to_file.grpc_port) as channel:
        code, error = messages.export_status(channel, "traces", body, compression=compression)
    if compression == grpc.Compression.Deflate:
        assert code in (grpc.StatusCode.OK, grpc.StatusCode.UNIMPLEMENTED), error
    else:
        assert code == grpc.StatusCode.OK, error
        weir_to_file.records("traces", 500)


def test_malformed_message(weir_to_file):
    with messages.channel_to(weir_to_file.grpc_port) as channel:
        code, error = messages.export_status(channel, "traces", b"\x0a\x7f\x01")
        assert code == grpc.StatusCode.INVALID_ARGUMENT
        assert error.details()
        assert messages.export_status(channel, "traces", b"")[0] == grpc.StatusCode.OK


def test_unknown_method(weir_to_file):
    with messages.channel_to(weir_to_file.grpc_port) as channel:
        with pytest.raises(grpc.RpcError) as caught:
            channel.unary_unary("/no.Such/Method")(b"", timeout=10)
    assert caught.value.code() == grpc.StatusCode.UNIMPLEMENTED


def test_message_limit(start_weir, tmp_path):
    port = harness.free_port()
    weir = start_weir(harness.otlp_to_file(tmp_path / "out.jsonl", grpc_port=port, grpc={"max_recv_msg_size_mib": 1}))
    body = messages.message_of(harness.span_document("x" * 1000, 2000)).SerializeToString()
    with messages.channel_to(port) as channel:
        assert messages.export_status(channel, "traces", body)[0] == grpc.StatusCode.RESOURCE_EXHAUSTED
        small = messages.message_of(harness.span_document()).SerializeToString()
        assert messages.export_status(channel, "traces", small)[0] == grpc.StatusCode.OK
        bomb = messages.message_of(harness.span_document("x" * 100000, 100)).SerializeToString()
        assert messages.export_status(channel, "traces", bomb, compression=grpc.Compression.Gzip)[0] == grpc.StatusCode.RESOURCE_EXHAUSTED
    assert weir.metric("weir_dropped_records", receiver="otlp") >= 2


def test_many_calls_on_one_connection(weir_to_file):
    body = messages.message_of(harness.span_document("many", 10)).SerializeToString()
    with messages.channel_to(weir_to_file.grpc_port) as channel:
        call = channel.unary_unary(messages.method_of("traces"))
        for future in [call.future(body, timeout=30) for _ in range(200)]:
            future.result()
    assert len(weir_to_file.records("traces", 2000)) == 2000


def test_large_message(weir_to_file):
    body = messages.message_of(harness.span_document("y" * 1000, 3000)).SerializeToString()
    with messages.channel_to(weir_to_file.grpc_port) as channel:
        assert messages.export_status(channel, "traces", body)[0] == grpc.StatusCode.OK
    assert len(weir_to_file.records("traces", 3000)) == 3000


def test_unix_socket(start_weir, tmp_path):
    path = tmp_path / "grpc.sock"
    config = harness.otlp_to_file(tmp_path / "out.jsonl", 1)
    config["receivers"]["otlp"]["protocols"] = {"grpc": {"transport": "unix", "endpoint": str(path)}}
    start_weir(config)
    with grpc.insecure_channel(f"unix:{path}", options=[("grpc.default_authority", "localhost")]) as channel:
        body = messages.message_of(harness.span_document()).SerializeToString()
        assert messages.export_status(channel, "traces", body)[0] == grpc.StatusCode.OK
    harness.wait_until(lambda: harness.read_records(tmp_path / "out.jsonl", "traces"), "the span")


def test_refusal_carries_retry_info(start_weir, start_sink, tmp_path):
    """A full queue behind a dead destination is RESOURCE_EXHAUSTED or UNAVAILABLE with RetryInfo."""
    port, dead = harness.free_port(), harness.free_port()
    config = {
        "receivers": {"otlp": harness.otlp_receiver(grpc_port=port)},
        "exporters": {"otlp_http": {"endpoint": f"http://127.0.0.1:{dead}", "sending_queue": {"queue_size": 1, "num_consumers": 1},
                                    "retry_on_failure": {"initial_interval": "10s"}}},
        "service": {"pipelines": harness.pipelines(exporters=["otlp_http"])},
    }
    weir = start_weir(config, arguments=["--drain-timeout", "1s"])
    body = messages.message_of(harness.span_document()).SerializeToString()
    with messages.channel_to(port) as channel:
        results = [messages.export_status(channel, "traces", body) for _ in range(10)]
    refused = [error for code, error in results if code in (grpc.StatusCode.RESOURCE_EXHAUSTED, grpc.StatusCode.UNAVAILABLE)]
    assert refused
    assert any(key == "grpc-status-details-bin" for key, _ in refused[-1].trailing_metadata())
    assert weir.metric("otelcol_receiver_refused_spans", transport="grpc") == len(refused)
