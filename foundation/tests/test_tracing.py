"""Spans: that they cost nothing until tracing is started, and how they are tied together by text."""

import time
from collections.abc import Iterator

import pytest
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter

from foundation import context, tracing

pytestmark = pytest.mark.once  # spans in memory


@pytest.fixture
def spans(monkeypatch: pytest.MonkeyPatch) -> Iterator[InMemorySpanExporter]:
    exporter, provider = InMemorySpanExporter(), TracerProvider()
    provider.add_span_processor(SimpleSpanProcessor(exporter))
    monkeypatch.setattr(tracing, "_tracer", provider.get_tracer("tests"))
    yield exporter
    provider.shutdown()


def test_functions_when_tracing_is_not_started_then_do_nothing() -> None:
    assert not tracing.enabled()
    with tracing.span("event", size=1):
        tracing.note(status="ok")
        assert tracing.current() is None
    parent = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"
    assert tracing.record("store", parent=parent, started_at=time.time()) is None
    tracing.flush()


async def test_span_when_started_then_has_the_ids_of_the_log_but_no_address(
    spans: InMemorySpanExporter,
) -> None:
    context.request_id.set("r1")
    context.client_ip.set("192.0.2.1")
    with tracing.span("event", size=1, missing=None):
        tracing.note(status="ok")
    (span,) = spans.get_finished_spans()
    assert span.name == "event"
    assert dict(span.attributes or {}) == {"chat.requestId": "r1", "chat.size": 1, "chat.status": "ok"}


def test_record_when_given_a_traceparent_then_continues_its_trace(spans: InMemorySpanExporter) -> None:
    with tracing.span("request"):
        parent = tracing.current()
    started_at = time.time() - 1
    assert parent is not None
    recorded = tracing.record("store", parent=parent, started_at=started_at, size=2)
    assert recorded is not None
    assert recorded.split("-")[1] == parent.split("-")[1]
    request, store = spans.get_finished_spans()
    assert store.parent is not None
    assert request.context is not None
    assert store.parent.span_id == request.context.span_id
    assert store.start_time == int(started_at * 1e9)


def test_record_when_there_is_no_parent_then_records_nothing(spans: InMemorySpanExporter) -> None:
    assert tracing.record("store", parent=None, started_at=time.time()) is None
    assert spans.get_finished_spans() == ()
