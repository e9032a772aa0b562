"""Address: where `serve` listens, as a setting."""

import socket
from typing import NamedTuple

BACKLOG = 2048


class Address(NamedTuple):
    """A host (an address or a name) and a port."""

    host: str
    port: int

    @classmethod
    def parse(cls, text: str) -> "Address | None":
        """`127.0.0.1:9100`, `[::1]:9100`, `:9100` (all addresses), or None for an empty text. Raises ValueError."""
        if not text:
            return None
        host, colon, port = text.rpartition(":")
        if not (colon and port.isdecimal() and 1 <= int(port) <= 65535):
            raise ValueError(f"{text!r} is not host:port, for example 127.0.0.1:9100")
        return cls(host.strip("[]") or "0.0.0.0", int(port))  # noqa: S104  # what `:9100` asks for

    @property
    def shown(self) -> str:
        """As it is written into a URL: an address that means all is shown as that of this machine."""
        host = {"0.0.0.0": "127.0.0.1", "::": "::1"}.get(self.host, self.host)  # noqa: S104  # see above
        return f"[{host}]:{self.port}" if ":" in host else f"{host}:{self.port}"

    def listen(self) -> socket.socket:
        """A listening socket, which workers inherit. Raises OSError."""
        family = socket.AF_INET6 if ":" in self.host else socket.AF_INET
        bound = socket.socket(family)
        try:
            bound.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            bound.bind(self)
            # At once: with SO_REUSEADDR two processes may bind an address before either listens.
            bound.listen(BACKLOG)
        except BaseException:
            bound.close()
            raise
        bound.set_inheritable(True)
        return bound
