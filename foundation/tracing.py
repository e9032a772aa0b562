"""Spans by OpenTelemetry: a message's way from the socket or request over the writer to its delivery.

Imports nothing, and costs a look at a variable, until `start` is called. A trace goes from one
process to the next as the W3C's `traceparent` text. Must not know messages; attributes never hold what they say.
"""

import os
import socket
import time
from contextlib import AbstractContextManager, nullcontext
from typing import Any

from . import context

EXPORT_TIMEOUT_SECONDS = 2.0  # the server has to end within ten, also when nobody takes its spans

_tracer: Any = None
_provider: Any = None


def start(*, service_name: str) -> None:
    """Export spans from now on, by OTLP over HTTP, to where OTEL_EXPORTER_OTLP_* say; once in a process."""
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
    """Export what is left; blocks, at most for a few seconds."""
    if _provider is not None:
        _provider.force_flush(int(EXPORT_TIMEOUT_SECONDS * 1000))


def span(name: str, **attributes: Any) -> AbstractContextManager[Any]:
    """A span around what is done inside; what it does becomes its children. Names have few values."""
    if _tracer is None:
        return nullcontext()
    found: AbstractContextManager[Any] = _tracer.start_as_current_span(
        name, attributes=_attributes(attributes), record_exception=False
    )
    return found


def note(**attributes: Any) -> None:
    """Say more of the span one is in, such as how it ended."""
    if _tracer is not None:
        from opentelemetry.trace import get_current_span

        get_current_span().set_attributes(_attributes(attributes))


def current() -> str | None:
    """The traceparent of the span one is in; None where nothing is traced."""
    if _tracer is None:
        return None
    from opentelemetry.trace import get_current_span

    return _traceparent(get_current_span().get_span_context())


def record(name: str, *, parent: str | None, started_at: float, **attributes: Any) -> str | None:
    """A span that began at `started_at` (time.time()) and ends now; returns its traceparent, for what follows."""
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
    """With the ids that the log has too, so that one leads to the other."""
    fields = {f"chat.{name}": value for name, value in context.log_fields().items() if name != "ip"}
    return fields | {f"chat.{name}": value for name, value in attributes.items() if value is not None}
