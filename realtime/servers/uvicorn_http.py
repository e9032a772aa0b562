"""uvicorn's HTTP protocol: bounds on the time and size of a head, and a word to open requests at the end.

Knows uvicorn and sockets; must not know paths or who asks. uvicorn alone would keep a peer that never ends its
handshake for ever, and would keep all that it sends meanwhile.
"""

import asyncio
from http import HTTPStatus

from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

HEAD_SECONDS = 10.0
MAX_HEAD_BYTES = 64 * 1024
# In a request's `scope["state"]`: called when the server ends while the request is open.
ON_SHUTDOWN = "chat.on_shutdown"


class ChatHttpProtocol(HttpToolsProtocol):
    """Given to uvicorn as `http="realtime.servers.uvicorn_http:ChatHttpProtocol"`.

    Between requests uvicorn's own timeout applies. The reader of a body bounds its size.
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
        """As uvicorn's, which waits for open requests: one that waits for news itself has to hear of it."""
        super().shutdown()
        if self.cycle is not None and not self.cycle.response_complete:
            tell = self.cycle.scope["state"].get(ON_SHUTDOWN)
            if tell is not None:
                tell()

    def _begin_head(self) -> None:
        self._head_bytes = 0
        self._deadline = self.loop.call_later(HEAD_SECONDS, self._too_late)

    def _end_head(self) -> None:
        if self._deadline is not None:
            self._deadline.cancel()
            self._deadline = None

    def _too_late(self) -> None:
        if self.cycle is not None and not self.cycle.response_complete:
            self._begin_head()  # it waits behind a request that is still being answered
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
