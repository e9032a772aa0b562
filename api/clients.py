"""The address of the client behind a request.

The ASGI application has put it into REMOTE_ADDR, past the proxies it trusts (foundation/proxies.py).
"""

import ipaddress
from collections.abc import Mapping
from typing import Any

UNKNOWN = "unknown"
IPV6_CLIENT_BITS = 64


def client_address(meta: Mapping[str, Any]) -> str:
    return str(meta.get("REMOTE_ADDR") or UNKNOWN)


def client_network(meta: Mapping[str, Any]) -> str:
    """What is counted as one client: an IPv4 address, or the /64 of which an IPv6 client has every address."""
    try:
        address = ipaddress.ip_address(client_address(meta))
    except ValueError:
        return UNKNOWN
    if isinstance(address, ipaddress.IPv4Address):
        return str(address)
    return str(ipaddress.ip_network((address, IPV6_CLIENT_BITS), strict=False))
