"""A message is one trace from the socket or REST to its delivery, as an OTLP receiver sees it."""

import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest

from tests.kit.paths import ROOT
from tests.kit.redis_servers import RedisServer
from tests.kit.servers import ChatServer

SECRET_TEXT = "a text that only the room may read"


class Receiver(ThreadingHTTPServer):
    """Receives spans over OTLP/HTTP on loopback and stores them."""

    daemon_threads = True

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.spans: list[tuple[str, Any]] = []
        self.bodies = b""
        self.paths: set[str] = set()

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server_port}"

    def traces(self) -> list[dict[str, list[tuple[str, Any]]]]:
        """For each trace its spans by name, each with the process it comes from."""
        found: dict[bytes, dict[str, list[tuple[str, Any]]]] = {}
        for process, span in list(self.spans):
            found.setdefault(span.trace_id, {}).setdefault(span.name, []).append((process, span))
        return list(found.values())


class _Handler(BaseHTTPRequestHandler):
    server: Receiver

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers["Content-Length"]))
        request = ExportTraceServiceRequest.FromString(body)
        self.server.bodies += body
        self.server.paths.add(self.path)
        for resource in request.resource_spans:
            process = attributes_of(resource.resource)["service.instance.id"].string_value
            for scope in resource.scope_spans:
                self.server.spans += [(process, span) for span in scope.spans]
        self.send_response(200)
        self.send_header("Content-Type", "application/x-protobuf")
        self.send_header("Content-Length", "0")
        self.end_headers()

    def log_message(self, *args: Any) -> None:
        """Log nothing."""


def attributes_of(span: Any) -> dict[str, Any]:
    return {attribute.key: attribute.value for attribute in span.attributes}


@pytest.fixture
def receiver() -> Iterator[Receiver]:
    server = Receiver()
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    yield server
    server.shutdown()
    thread.join()
    server.server_close()


async def test_message_when_sent_then_one_trace_leads_to_each_delivery(
    start_server: Callable[..., ChatServer], redis_server: RedisServer, receiver: Receiver
) -> None:
    env = {
        "REDIS_URL": redis_server.url,
        "OTEL_EXPORTER_OTLP_ENDPOINT": receiver.url,
        "OTEL_BSP_SCHEDULE_DELAY": "100",
        "OTEL_EXPORTER_OTLP_COMPRESSION": "none",
    }
    here = start_server(**env)
    there = start_server(**env, DATA_DIR=here.env["DATA_DIR"])
    alice = here.sign_up()
    room = alice.make_room()
    async with alice.connect() as near, alice.on(there).connect() as far:
        await near.reply("message:send", {"roomId": room, "content": SECRET_TEXT})
        alice.send(room, SECRET_TEXT)
        for _ in range(2):
            await near.expect("message:receive")
            await far.expect("message:receive")

    def entries() -> dict[str, dict[str, list[tuple[str, Any]]]]:
        """The complete traces, by the name of their first span."""
        delivered_twice = [trace for trace in receiver.traces() if len(trace.get("message.deliver", ())) == 2]
        wanted = {"message.store", "message.deliver"}
        return {name: trace for trace in delivered_twice for name in trace.keys() - wanted}

    here.wait_until(lambda: {"message:send", "HTTP POST"} <= entries().keys(), "the export of spans")
    assert receiver.paths == {"/v1/traces"}
    for name in ("message:send", "HTTP POST"):
        trace = entries()[name]
        ((sender, entry),), ((storer, store),) = trace[name], trace["message.store"]
        deliveries = trace["message.deliver"]
        assert storer == sender in {process for process, _ in deliveries}
        assert len({process for process, _ in deliveries}) == 2
        assert store.parent_span_id == entry.span_id
        attributes = attributes_of(store)
        assert attributes["chat.place"].string_value.startswith(room)
        assert attributes["chat.status"].string_value == "stored"
        assert attributes["chat.requestId"].string_value
        for _, deliver in deliveries:
            assert deliver.parent_span_id == store.span_id
            assert attributes_of(deliver)["chat.sockets"].int_value == 1
    assert SECRET_TEXT.encode() not in receiver.bodies
    assert alice.access_token.encode() not in receiver.bodies


@pytest.mark.once  # imports
def test_server_when_no_endpoint_is_set_then_imports_no_exporter(tmp_path: Path) -> None:
    """The API alone is imported in any case: redis-py does so wherever it is installed."""
    heavy = ("opentelemetry.exporter", "opentelemetry.sdk.trace")
    code = f"import chatproject.asgi, sys; print([name for name in sys.modules if name.startswith({heavy})])"
    env = {**ChatServer(DATA_DIR=str(tmp_path)).env, "DJANGO_SETTINGS_MODULE": "chatproject.settings"}
    env.pop("OTEL_EXPORTER_OTLP_ENDPOINT", None)
    done = subprocess.run(
        [sys.executable, "-c", code], env=env, cwd=ROOT, capture_output=True, text=True, timeout=60
    )
    assert done.stdout.strip() == "[]", done.stderr
