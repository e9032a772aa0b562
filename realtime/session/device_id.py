"""The device id that a client names in its handshake, as `?deviceId=phone`."""

from typing import Any
from urllib.parse import parse_qs

from foundation.text import shows_nothing

MAX_DEVICE_ID_CHARS = 64


def device_id_of(scope: Any) -> str | None:
    """The device id, cut to MAX_DEVICE_ID_CHARS characters.

    None if it is missing, not printable or blank, or has a colon: it becomes a part of Redis keys.
    """
    values = parse_qs(scope.get("query_string", b"").decode("latin-1")).get("deviceId", [""])
    device_id = values[0][:MAX_DEVICE_ID_CHARS]
    is_valid = device_id.isprintable() and ":" not in device_id and not shows_nothing(device_id)
    return device_id if is_valid else None
