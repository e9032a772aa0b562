"""The hub's items as the previous release has them: lists such as `["notice", "rooms:standing", {..}]`.

This release reads it, and writes it while a process of the previous release is there
(docs/decisions/0015-typed-hub-items.md, which says when this module goes).
"""

import time
from collections.abc import Callable, Sequence
from typing import Any

from .items import KINDS, Decoded, Item

# The fields of each kind, in their places behind its name. Fixed: processes of that release take this number only.
FIELDS: dict[str, tuple[str, ...]] = {
    "topic": ("topic", "payload", "seq", "droppable", "exclude_address", "trace"),
    "address": ("addresses", "payload", "droppable"),
    "control": ("addresses", "control", "data"),
    "notice": ("notice", "data"),
    "beat": (),
}
# Processes send a beat each second, so that ten are missed before one is taken to have ended.
PRESENT_SECONDS = 10.0


def encode_items(items: Sequence[Item]) -> list[list[Any]]:
    return [_encode(item) for item in items]


def decode_items(batch: list[list[Any]]) -> Decoded:
    items: list[Item] = []
    unknown_kinds: set[str] = set()
    unreadable = 0
    for kind, *values in batch:
        if kind not in FIELDS:
            unknown_kinds.add(kind)
        elif len(values) < len(FIELDS[kind]):
            unreadable += 1
        else:
            items.append(KINDS[kind](**dict(zip(FIELDS[kind], values, strict=False))))
    return Decoded(items, unknown_kinds, unreadable)


def _encode(item: Item) -> list[Any]:
    kind = type(item).__struct_config__.tag
    values = [getattr(item, field) for field in FIELDS[str(kind)]]
    return [kind, *values] if values else [kind, ""]


class PreviousRelease:
    """Whether a process of the previous release may be there. At its start a process assumes that one is."""

    def __init__(self, *, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._until = clock() + PRESENT_SECONDS

    def is_present(self) -> bool:
        return self._clock() < self._until

    def note(self) -> bool:
        """Take down that one was heard. True when it was not expected: it could not read what was sent so far."""
        unexpected = not self.is_present()
        self._until = self._clock() + PRESENT_SECONDS
        return unexpected
