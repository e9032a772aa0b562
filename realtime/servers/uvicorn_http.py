"""uvicorn's HTTP protocol with limits: on a request's head in bytes, headers and time, and on a body in time.

uvicorn alone waits without limit for a request that never ends, and stores what the client sends meanwhile. It also
answers a pipelined request inside the WebSocket that was opened behind it.
"""

import asyncio

import httptools
from django.conf import settings
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

from foundation.errors import ChatError, Invalid, Unavailable
from realtime.wire.handshake import is_handshake

from .head import HEAD_TOO_LARGE, MAX_HEAD_BYTES, Refused, refused_head
from .refusal import refusal

HEAD_SECONDS = 10.0
# For a client to read the answer to a request that it is still sending.
LINGER_SECONDS = 2.0
# A key of a request's `scope["state"]`. Its value is called if the server shuts down while the request is open.
ON_SHUTDOWN = "chat.on_shutdown"


class _Refused(Exception):
    """Raised in a callback of the parser, to stop it."""


class ChatHttpProtocol(HttpToolsProtocol):
    """Given to uvicorn as `http="realtime.servers.uvicorn_http:ChatHttpProtocol"`.

    The head is the request line and the headers. Between requests uvicorn's keep-alive timeout applies. The
    application limits the size of a body.
    """

    _deadline: asyncio.TimerHandle | None = None
    # From the first byte of a request to its last one, and from the end of its head to its last byte.
    _in_request = False
    _in_body = False
    _is_handshake = False
    # Whether the data being read has ended a head or a request, or has content of a body; and the bytes since then.
    _has_progress = False
    _bytes_without_progress = 0
    # What follows is not read, because the connection ends with the answers that are still to come.
    _is_ending = False
    _refused: Refused | None = None

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        super().connection_made(transport)
        self._set_deadline()

    def connection_lost(self, exc: Exception | None) -> None:
        self._end_deadline()
        super().connection_lost(exc)

    def data_received(self, data: bytes) -> None:
        """Replaces uvicorn's method, which loses what follows a request with an `Upgrade` header."""
        self._unset_keepalive_if_required()
        while data and not self._is_ending:
            data = self._feed(data)
        if self._deadline is None and not self._is_ending and (self._in_request or self._is_idle()):
            self._set_deadline()

    def on_message_begin(self) -> None:
        super().on_message_begin()
        self._in_request = True

    def on_headers_complete(self) -> None:
        self._has_progress = True
        self._end_deadline()
        self._is_handshake = self.parser.should_upgrade() and is_handshake(
            self.parser.get_method(), self.parser.get_http_version(), self.headers
        )
        self._refused = refused_head(self.url, self.headers, is_handshake=self._is_handshake)
        if self._refused is not None:
            raise _Refused
        super().on_headers_complete()
        self._in_body = True
        # uvicorn would add the trailers of a body to the headers of the request.
        self.headers = []

    def on_body(self, body: bytes) -> None:
        self._has_progress = True
        super().on_body(body)

    def on_message_complete(self) -> None:
        self._has_progress = True
        self._in_request = self._in_body = False
        self._end_deadline()
        super().on_message_complete()

    def shutdown(self) -> None:
        """Call the request's ON_SHUTDOWN: uvicorn waits for open requests, and a long poll waits for packets."""
        super().shutdown()
        if self.cycle is not None and not self.cycle.response_complete:
            on_shutdown = self.cycle.scope["state"].get(ON_SHUTDOWN)
            if on_shutdown is not None:
                on_shutdown()

    def _should_upgrade(self) -> bool:
        """Whether the request is a handshake. The application answers other requests, even with `Upgrade`."""
        return self._is_handshake

    def _feed(self, data: bytes) -> bytes:
        """Parse the data, and return the part that another parser has to read."""
        self._has_progress = False
        try:
            self.parser.feed_data(data)
        except httptools.HttpParserUpgrade as upgrade:
            return self._upgrade(data[upgrade.args[0] :])
        except httptools.HttpParserError:
            self._refuse(*(self._refused or (Invalid("This is not valid HTTP."), 400)))
            return b""
        if self._has_progress:
            self._bytes_without_progress = 0
        else:
            # A head, or trailers and extensions of chunks, which are not content.
            self._bytes_without_progress += len(data)
            if self._bytes_without_progress > MAX_HEAD_BYTES:
                self._refuse(*HEAD_TOO_LARGE)
        return b""

    def _upgrade(self, rest: bytes) -> bytes:
        """Open the WebSocket and hand it what came behind the handshake, or return that as the next request."""
        if not self._is_handshake:
            # The old parser reads no further. This server stays with HTTP/1.1, as it may.
            self.parser = httptools.HttpRequestParser(self)
            self.parser.set_dangerous_leniencies(lenient_data_after_close=True)
            return rest
        if self._is_answering():
            # The answer would come inside the WebSocket.
            self._end_after_answers()
            return b""
        self._is_ending = True
        self.handle_websocket_upgrade()
        if rest:
            self.transport.get_protocol().data_received(rest)  # type: ignore[attr-defined]
        return b""

    def _is_answering(self) -> bool:
        return self.cycle is not None and not self.cycle.response_complete

    def _is_idle(self) -> bool:
        """Whether nothing ends the connection: bytes that begin no request have ended the keep-alive timeout."""
        return not self._is_answering() and self.timeout_keep_alive_task is None

    def _set_deadline(self) -> None:
        seconds = settings.BODY_SECONDS if self._in_body else HEAD_SECONDS
        self._deadline = self.loop.call_later(seconds, self._time_out)

    def _end_deadline(self) -> None:
        if self._deadline is not None:
            self._deadline.cancel()
            self._deadline = None

    def _time_out(self) -> None:
        if self.pipeline or (self._is_answering() and not self._in_body):
            # The request waits behind another one that is still being answered.
            self._set_deadline()
            return
        self._refuse(Unavailable("The request did not arrive in time. Send it again."), 408)

    def _refuse(self, error: ChatError, status: int) -> None:
        """Answer and close. The answers to requests before this one come first."""
        self._end_deadline()
        if self.transport.is_closing():
            return
        if self._is_answering() and not self._in_body:
            self._end_after_answers()
            return
        self._is_ending = True
        if self._in_body and (self.pipeline or self.cycle.response_started):
            # Its answer has begun, or a request before it has none yet.
            self.transport.close()
            return
        if self._in_body:
            self.cycle.disconnected = True
            self.cycle.message_event.set()
        self.transport.write(refusal(error, status))
        self._linger()

    def _linger(self) -> None:
        """Close a little later: a client that is still sending would lose the answer with the connection."""
        if self.transport.can_write_eof():
            self.transport.write_eof()
        self._deadline = self.loop.call_later(LINGER_SECONDS, self.transport.close)

    def _end_after_answers(self) -> None:
        self._end_deadline()
        self._is_ending = True
        self.cycle.keep_alive = False
