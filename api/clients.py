"""The address of the client behind a request.

foundation/proxies.py has replaced the address of a trusted proxy in REMOTE_ADDR with that of the client.
"""

from collections.abc import Mapping
from typing import Any

from foundation import proxies


def client_address(meta: Mapping[str, Any]) -> str:
    """The address in the META of a request, or `unknown` on a Unix socket."""
    return str(meta.get("REMOTE_ADDR") or proxies.UNKNOWN)


def client_network(meta: Mapping[str, Any]) -> str:
    """The network that counts as one client: an IPv4 address, or the /64 network of an IPv6 client."""
    return proxies.network_of(client_address(meta))
