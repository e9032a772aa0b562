"""The address of the client behind a request."""

from collections.abc import Mapping
from typing import Any


def client_address(meta: Mapping[str, Any]) -> str:
    return str(meta.get("REMOTE_ADDR") or "unknown")
