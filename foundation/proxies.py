"""The client's address, scheme and request id, as trusted proxies report them.

The middleware here is the outermost. All code behind it finds the client in `scope["client"]`, and no code reads
a forwarding header.
"""

import ipaddress
from dataclasses import dataclass
from typing import Any

from . import context

IPAddress = ipaddress.IPv4Address | ipaddress.IPv6Address
IPNetwork = ipaddress.IPv4Network | ipaddress.IPv6Network

# Of a client on a Unix socket.
UNKNOWN = "unknown"
IPV6_CLIENT_BITS = 64
FORWARDED_FOR, FORWARDED_PROTO, REQUEST_ID = b"x-forwarded-for", b"x-forwarded-proto", b"x-request-id"
# Removed from every request: Django, a library or an app that reads one would believe any client.
FORWARDING = {
    FORWARDED_FOR,
    FORWARDED_PROTO,
    b"x-forwarded-host",
    b"x-forwarded-port",
    b"x-real-ip",
    b"forwarded",
}
SECURE = {"http": "https", "ws": "wss", "https": "https", "wss": "wss"}
PLAIN = {"http": "http", "ws": "ws", "https": "http", "wss": "ws"}


@dataclass(frozen=True, slots=True)
class TrustedProxies:
    """The number of proxies that every request passes, or the networks of the proxies. By default none."""

    hops: int = 0
    networks: tuple[IPNetwork, ...] = ()

    @classmethod
    def parse(cls, text: str) -> "TrustedProxies":
        """`2`, or `10.0.0.0/8, 192.0.2.7`. Raises ValueError."""
        text = text.strip()
        if text.isdecimal():
            return cls(hops=int(text))
        return cls(
            networks=tuple(ipaddress.ip_network(part.strip()) for part in text.split(",") if part.strip())
        )

    def __bool__(self) -> bool:
        return bool(self.hops or self.networks)

    def client_of(self, peer: str | None, forwarded_for: list[str]) -> tuple[str | None, int]:
        """The client's address, and the number of trusted proxies that the request passed (0: it came directly).

        `forwarded_for` has the entries of X-Forwarded-For. Each proxy appends the address that it got the request
        from, so the list is read from the right. Entries left of those by trusted proxies come from the client
        and may be false.
        """
        if self.hops:
            if len(forwarded_for) < self.hops:
                return peer, 0
            address = parse_address(forwarded_for[-self.hops])
            return (str(address), self.hops) if address else (peer, 0)
        client, passed = peer, 0
        for entry in (*reversed(forwarded_for), None):
            if not self._trusts(client):
                break
            passed += 1
            address = parse_address(entry) if entry is not None else None
            if address is None:
                break
            client = str(address)
        return client, passed

    def _trusts(self, host: str | None) -> bool:
        address = parse_address(host or "")
        return address is not None and any(address in network for network in self.networks)


class ClientBehindProxies:
    """ASGI middleware. Changes the scope in place, because servers log the scope that they created."""

    def __init__(self, app: Any, proxies: TrustedProxies) -> None:
        self.app = app
        self.proxies = proxies

    async def __call__(self, scope: Any, receive: Any, send: Any) -> Any:
        if scope["type"] in ("http", "websocket"):
            self._rewrite(scope)
        return await self.app(scope, receive, send)

    def _rewrite(self, scope: Any) -> None:
        headers: list[tuple[bytes, bytes]] = scope["headers"]
        peer, port = scope.get("client") or (None, 0)
        client, passed = self.proxies.client_of(peer, _values(headers, FORWARDED_FOR))
        if client != peer:
            scope["client"] = (client, 0)
        elif peer is not None and (address := parse_address(peer)):
            scope["client"] = (str(address), port)
        hidden = FORWARDING
        if passed:
            protos = _values(headers, FORWARDED_PROTO)
            if protos:
                proto = protos[-min(passed, len(protos))].lower()
                scope["scheme"] = (SECURE if proto in ("https", "wss") else PLAIN)[
                    scope.get("scheme", "http")
                ]
        else:
            hidden = FORWARDING | {REQUEST_ID}
        scope["headers"] = [(name, value) for name, value in headers if name not in hidden]
        context.client_ip.set(client)


def parse_address(text: str) -> IPAddress | None:
    """Read an address: plain, with a port, or in brackets. An IPv4-mapped IPv6 address becomes IPv4."""
    text = text.strip().removeprefix("[")
    if "]" in text:
        text = text.partition("]")[0]
    elif text.count(":") == 1:
        text = text.partition(":")[0]
    try:
        address = ipaddress.ip_address(text)
    except ValueError:
        return None
    return getattr(address, "ipv4_mapped", None) or address


def network_of(host: str | None) -> str:
    """The network that counts as one client: an IPv4 address, or the /64 network of an IPv6 client."""
    address = parse_address(host or "")
    if address is None:
        return UNKNOWN
    if isinstance(address, ipaddress.IPv4Address):
        return str(address)
    return str(ipaddress.ip_network((address, IPV6_CLIENT_BITS), strict=False))


def _values(headers: list[tuple[bytes, bytes]], name: bytes) -> list[str]:
    """All values of a header that may be repeated or hold a list, in the order in which they were appended."""
    joined = ",".join(value.decode("latin-1") for header, value in headers if header == name)
    return [value.strip() for value in joined.split(",")] if joined.strip() else []
