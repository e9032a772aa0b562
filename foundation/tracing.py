"""Spans of OpenTelemetry. They follow a message from the socket or request through the writer to its delivery.

Until `start` is called, OpenTelemetry is not imported and each function only looks at a variable. A trace passes
from one process to the next as a W3C `traceparent` text. Attributes never contain the text of messages.
"""

import os
import socket
import time
from contextlib import AbstractContextManager, nullcontext
from typing import Any

from . import context

# Short, because a server has ten seconds to stop, even if the collector is away.
EXPORT_TIMEOUT_SECONDS = 2.0

_tracer: Any = None
_provider: Any = None


def start(*, service_name: str) -> None:
    """Export spans from now on, with OTLP over HTTP, as OTEL_EXPORTER_OTLP_* say. Called once in a process."""
    global _tracer, _provider
    from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
    from opentelemetry.sdk.resources import Resource
    from opentelemetry.sdk.trace import TracerProvider
    from opentelemetry.sdk.trace.export import BatchSpanProcessor

    instance = f"{socket.gethostname()}-{os.getpid()}"
    resource = Resource.create({"service.name": service_name, "service.instance.id": instance})
    _provider = TracerProvider(resource=resource)
    _provider.add_span_processor(BatchSpanProcessor(OTLPSpanExporter(timeout=EXPORT_TIMEOUT_SECONDS)))
    _tracer = _provider.get_tracer("chat")


def enabled() -> bool:
    return _tracer is not None


def flush() -> None:
    """Export the remaining spans. Blocks for EXPORT_TIMEOUT_SECONDS at most."""
    if _provider is not None:
        _provider.force_flush(int(EXPORT_TIMEOUT_SECONDS * 1000))


def span(name: str, **attributes: Any) -> AbstractContextManager[Any]:
    """A span around a `with` block. Spans inside it become its children. Use few different names."""
    if _tracer is None:
        return nullcontext()
    found: AbstractContextManager[Any] = _tracer.start_as_current_span(
        name, attributes=_attributes(attributes), record_exception=False
    )
    return found


def note(**attributes: Any) -> None:
    """Add attributes to the current span, for example its outcome."""
    if _tracer is not None:
        from opentelemetry.trace import get_current_span

        get_current_span().set_attributes(_attributes(attributes))


def current() -> str | None:
    """The traceparent of the current span, or None if nothing is traced."""
    if _tracer is None:
        return None
    from opentelemetry.trace import get_current_span

    return _traceparent(get_current_span().get_span_context())


def record(name: str, *, parent: str | None, started_at: float, **attributes: Any) -> str | None:
    """Record a span from `started_at` (time.time()) to now. Returns its traceparent, for spans that follow it."""
    if _tracer is None or parent is None:
        return None
    from opentelemetry.trace.propagation.tracecontext import TraceContextTextMapPropagator

    recorded = _tracer.start_span(
        name,
        context=TraceContextTextMapPropagator().extract({"traceparent": parent}),
        start_time=int(started_at * 1e9),
        attributes=_attributes(attributes),
    )
    recorded.end(time.time_ns())
    return _traceparent(recorded.get_span_context())


def _traceparent(spanned: Any) -> str | None:
    if not spanned.is_valid:
        return None
    return f"00-{spanned.trace_id:032x}-{spanned.span_id:016x}-{spanned.trace_flags:02x}"


def _attributes(attributes: dict[str, Any]) -> dict[str, Any]:
    """The attributes, with the ids of the current log records, so that a span leads to its records."""
    fields = {f"chat.{name}": value for name, value in context.log_fields().items() if name != "ip"}
    return fields | {f"chat.{name}": value for name, value in attributes.items() if value is not None}
