"""The hub's items in the form of the previous release: lists such as `["notice", "rooms:standing", {..}]`.

This release reads that form, and writes it while a process of the previous release runs.
docs/decisions/0015-typed-hub-items.md says when this module can be deleted.
"""

import time
from collections.abc import Callable, Sequence
from typing import Any

from .items import KINDS, Decoded, Item

# The fields of each kind, in their order behind its name. Processes of that release accept no more and no fewer.
FIELDS: dict[str, tuple[str, ...]] = {
    "topic": ("topic", "payload", "seq", "droppable", "exclude_address", "trace"),
    "address": ("addresses", "payload", "droppable"),
    "control": ("addresses", "control", "data"),
    "notice": ("notice", "data"),
    "beat": (),
}
# Processes send a beat each second. After ten missed beats a process counts as ended.
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
    """Whether a process of the previous release may be running. At its start a process assumes that one is."""

    def __init__(self, *, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._until = clock() + PRESENT_SECONDS

    def is_present(self) -> bool:
        return self._clock() < self._until

    def note(self) -> bool:
        """Note a message of such a process. True if none was present, so that it could not read what was sent."""
        unexpected = not self.is_present()
        self._until = self._clock() + PRESENT_SECONDS
        return unexpected
