"""The address of the client behind a request.

foundation/proxies.py has replaced the address of a trusted proxy in REMOTE_ADDR with that of the client.
"""

import ipaddress
from collections.abc import Mapping
from typing import Any

UNKNOWN = "unknown"
IPV6_CLIENT_BITS = 64


def client_address(meta: Mapping[str, Any]) -> str:
    """The address in the META of a request, or `unknown` on a Unix socket."""
    return str(meta.get("REMOTE_ADDR") or UNKNOWN)


def client_network(meta: Mapping[str, Any]) -> str:
    """The network that counts as one client: an IPv4 address, or the /64 network of an IPv6 client."""
    return network_of(client_address(meta))


def network_of(address: str) -> str:
    """What `client_network` is for a client with this address; `unknown` for a text that is none."""
    try:
        parsed = ipaddress.ip_address(address)
    except ValueError:
        return UNKNOWN
    if isinstance(parsed, ipaddress.IPv4Address):
        return str(parsed)
    return str(ipaddress.ip_network((parsed, IPV6_CLIENT_BITS), strict=False))
