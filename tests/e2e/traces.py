"""Traces of mixed services, made from a seed, for the tests of sampling."""
import random

from opentelemetry.proto.collector.trace.v1 import trace_service_pb2

SERVICES = ["shop", "cart", "payment", "search", "mail"]
START = 1_800_000_000_000_000_000
MILLI = 1_000_000


def add_attributes(chance, span):
    span.attributes.add(key="http.route").value.string_value = chance.choice(["/cart", "/pay", "/search", "/health", ""])
    if chance.random() < 0.5:
        span.attributes.add(key="http.status_code").value.int_value = chance.choice([200, 201, 404, 500, 503])
    if chance.random() < 0.03:
        span.attributes.add(key="debug").value.bool_value = chance.random() < 0.5
    if chance.random() < 0.02:
        span.attributes.add(key="customer").value.string_value = chance.choice(["gold", "silver", "golden goose", "iron"])
    if chance.random() < 0.02:
        event = span.events.add(name=chance.choice(["exception", "retry"]))
        event.attributes.add(key="exception.type").value.string_value = chance.choice(["Timeout", "NullPointer"])


def add_span(chance, span, trace, number):
    span.trace_id = trace
    span.span_id = (number + 1).to_bytes(8, "big")
    span.parent_span_id = b"" if number == 0 else chance.randrange(1, number + 1).to_bytes(8, "big")
    span.name = f"operation {chance.randrange(20)}"
    span.start_time_unix_nano = START + chance.randrange(500) * MILLI
    span.end_time_unix_nano = span.start_time_unix_nano + chance.choice([1, 5, 20, 100, 400, 1500]) * MILLI
    span.flags = 0x101 if chance.random() < 0.01 else 0x100
    span.status.code = chance.choice([0] * 60 + [1] * 30 + [2])
    if chance.random() < 0.02:
        span.trace_state = chance.choice(["vendor=a", "vendor=b,other=1", "vendor=c", "=broken"])
    add_attributes(chance, span)


def trace_ids(count, seed=1):
    chance = random.Random(seed)
    return [chance.randbytes(16) for _ in range(count)]


def spans_of(trace, seed):
    """A trace's spans, each with the service that sends it."""
    chance = random.Random(trace + seed.to_bytes(4, "big"))
    out = []
    for number in range(chance.choice([1, 2, 3, 4, 5, 6, 8, 11])):
        span = trace_service_pb2.ExportTraceServiceRequest().resource_spans.add().scope_spans.add().spans.add()
        add_span(chance, span, trace, number)
        out.append((chance.choice(SERVICES), span))
    return out


def requests_of(spans, in_one):
    """Requests of `in_one` spans, one resource group for each service in it."""
    for first in range(0, len(spans), in_one):
        request, scopes = trace_service_pb2.ExportTraceServiceRequest(), {}
        for service, span in spans[first:first + in_one]:
            if service not in scopes:
                group = request.resource_spans.add()
                group.resource.attributes.add(key="service.name").value.string_value = service
                group.resource.attributes.add(key="tier").value.int_value = SERVICES.index(service)
                scopes[service] = group.scope_spans.add()
                scopes[service].scope.name = "test"
            scopes[service].spans.add().CopyFrom(span)
        yield request


def mixed(count, seed=1):
    """About so many spans, those of a trace spread over neighbours."""
    chance = random.Random(seed)
    spans, trace = [], 0
    for trace in trace_ids(count // 4, seed):
        if len(spans) >= count:
            break
        spans += [(len(spans) + chance.random() * 3000, service, span) for service, span in spans_of(trace, seed)]
    spans.sort(key=lambda one: one[0])
    return [(service, span) for _, service, span in spans[:count]]
