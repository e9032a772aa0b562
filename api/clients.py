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
    try:
        address = ipaddress.ip_address(client_address(meta))
    except ValueError:
        return UNKNOWN
    if isinstance(address, ipaddress.IPv4Address):
        return str(address)
    return str(ipaddress.ip_network((address, IPV6_CLIENT_BITS), strict=False))
