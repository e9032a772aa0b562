"""Envelopes: the messages that carry batches of items through the channel layer.

    {"type": "hub", "from": <sender>, "number": 7, "at": <Unix time>, "reads_named": true,
     "items": [], "batch": <bytes>}

`batch` has the items (realtime.hub.items). A process of the previous release reads only `items`, so this message is
empty for it. While such a process runs, `items` has the items in the previous form, and there is no `batch`.
"""

import logging
import time
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from . import items_previous
from .items import Item, decode_items, encode_items
from .items_previous import PreviousRelease

logger = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Envelope:
    """A message that was read. `complete` is False if an item could not be read."""

    items: list[Item]
    published_at: float
    complete: bool


class Envelopes:
    """Encodes and decodes envelopes for the process with the id `sender`."""

    def __init__(self, sender: str, previous: PreviousRelease) -> None:
        self._sender = sender
        self._previous = previous
        self._unknown_kinds: set[str] = set()

    def encode(self, number: int, items: Sequence[Item]) -> dict[str, Any]:
        message = {
            "type": "hub", "from": self._sender, "number": number, "at": time.time(), "reads_named": True,
        }  # fmt: skip
        if self._previous.is_present():
            return message | {"items": items_previous.encode_items(items)}
        return message | {"items": [], "batch": encode_items(items)}

    def decode(self, message: dict[str, Any]) -> Envelope:
        """Raises KeyError, TypeError, ValueError or msgspec.DecodeError if the message is not an envelope."""
        if "batch" in message:
            decoded = decode_items(message["batch"])
        else:
            decoded = items_previous.decode_items(message["items"])
        for kind in decoded.unknown_kinds - self._unknown_kinds:
            self._unknown_kinds.add(kind)
            logger.warning(
                "another process sends items of the kind %r, which this release does not know", kind
            )
        if decoded.unreadable:
            logger.error("%d items of another process could not be read", decoded.unreadable)
        return Envelope(decoded.items, message["at"], complete=not decoded.unreadable)
