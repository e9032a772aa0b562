"""The translation of the AsyncAPI document's schemas into TypeScript."""

from typing import Annotated, Any, Literal

import msgspec
import pytest

from realtime.asyncapi import build_document
from realtime.session.handlers import EventConsumer, EventRegistry, on
from realtime.typescript import build_types
from realtime.wire.events import Allowed, Audience, ServerEvent
from realtime.wire.protocol import Empty, Wire


class Part(Wire):
    size: float


class Thing(Wire):
    """A thing. Its text may hold */ too."""

    kind: Literal["old", "new"]
    parts: list[Part]
    named: dict[str, Part | None]
    anything: Any
    is_big: Annotated[bool, msgspec.Meta(description="Larger than others.")] = False


MADE = ServerEvent("thing:made", Thing, audience=Audience.USER, summary="A thing was made.")


class Things(EventConsumer):
    sends = (MADE,)

    @on("thing:list", Empty, reply=dict[str, Thing], allowed=Allowed.ANYONE)
    async def list_things(self, data: Empty) -> dict[str, Thing]:
        """All things by name."""
        return {}


def types_of(*consumers: type[EventConsumer]) -> str:
    return build_types(build_document(EventRegistry(consumers), version="1"))


def test_struct_when_translated_then_has_its_fields_and_comments() -> None:
    assert """
/** A thing. Its text may hold * / too. */
export interface Thing {
  kind: "new" | "old";
  parts: Array<Part>;
  named: Record<string, Part | null>;
  anything: unknown;
  /** Larger than others. */
  isBig?: boolean;
}
""" in types_of(Things)


def test_events_when_translated_then_are_mapped_by_name() -> None:
    types = types_of(Things)
    assert '  "thing:list": { data: Empty; reply: Record<string, Thing> };\n' in types
    assert '  "thing:made": Thing;\n' in types
    assert "/** A thing was made. Received by every connection of the user concerned. */" in types


def test_schema_when_it_has_no_translation_then_raises() -> None:
    class Pair(Wire):
        both: tuple[int, int]

    class Pairs(EventConsumer):
        sends = (ServerEvent("pair", Pair, audience=Audience.USER, summary="A pair."),)

    with pytest.raises(NotImplementedError, match="no TypeScript type for the schema"):
        types_of(Pairs)
