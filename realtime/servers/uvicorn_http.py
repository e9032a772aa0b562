"""uvicorn's HTTP protocol, with limits on the time and size of a request's head, and a callback at shutdown.

uvicorn alone waits without limit for a head that never ends, and stores what the client sends meanwhile.
"""

import asyncio
from http import HTTPStatus

from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

HEAD_SECONDS = 10.0
MAX_HEAD_BYTES = 64 * 1024
# A key of a request's `scope["state"]`. Its value is called if the server shuts down while the request is open.
ON_SHUTDOWN = "chat.on_shutdown"


class ChatHttpProtocol(HttpToolsProtocol):
    """Given to uvicorn as `http="realtime.servers.uvicorn_http:ChatHttpProtocol"`.

    The head is the request line and the headers. Between requests uvicorn's keep-alive timeout applies. The
    application limits the size of a body.
    """

    _deadline: asyncio.TimerHandle | None = None
    _head_bytes = 0

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        super().connection_made(transport)
        self._begin_head()

    def connection_lost(self, exc: Exception | None) -> None:
        self._end_head()
        super().connection_lost(exc)

    def data_received(self, data: bytes) -> None:
        super().data_received(data)
        if self._deadline is not None:
            self._head_bytes += len(data)
            if self._head_bytes > MAX_HEAD_BYTES:
                self._refuse(HTTPStatus.REQUEST_HEADER_FIELDS_TOO_LARGE)

    def on_message_begin(self) -> None:
        super().on_message_begin()
        if self._deadline is None:
            self._begin_head()

    def on_headers_complete(self) -> None:
        self._end_head()
        super().on_headers_complete()

    def shutdown(self) -> None:
        """Call the request's ON_SHUTDOWN: uvicorn waits for open requests, and a long poll waits for packets."""
        super().shutdown()
        if self.cycle is not None and not self.cycle.response_complete:
            on_shutdown = self.cycle.scope["state"].get(ON_SHUTDOWN)
            if on_shutdown is not None:
                on_shutdown()

    def _begin_head(self) -> None:
        self._head_bytes = 0
        self._deadline = self.loop.call_later(HEAD_SECONDS, self._time_out)

    def _end_head(self) -> None:
        if self._deadline is not None:
            self._deadline.cancel()
            self._deadline = None

    def _time_out(self) -> None:
        if self.cycle is not None and not self.cycle.response_complete:
            # The head waits behind a request that is still being answered.
            self._begin_head()
            return
        self._refuse(HTTPStatus.REQUEST_TIMEOUT)

    def _refuse(self, status: HTTPStatus) -> None:
        self._end_head()
        if not self.transport.is_closing():
            line = (
                f"HTTP/1.1 {status.value} {status.phrase}\r\nconnection: close\r\ncontent-length: 0\r\n\r\n"
            )
            self.transport.write(line.encode())
            self.transport.close()
