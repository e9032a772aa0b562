"""The frames of the socket as JSON: envelopes are decoded in two typed steps; replies, errors and events encoded.

from a client   {"event": "message:send", "data": {..}, "ref": 1}
to a client     {"event": "reply", "data": {..}, "ref": 1}, {"event": "message:receive", "data": {..}}
"""

import re
from inspect import cleandoc
from typing import Any, TypeVar

import msgspec

from foundation.errors import ChatError, Invalid

from .ids import decode_id, id_schema
from .refs import NO_REF, check_ref

S = TypeVar("S", bound=msgspec.Struct)

# An escape of half a character, as JSON.stringify writes it for a text that was cut through an emoji.
_HALF = re.compile(
    r"\\u[dD][89abAB][0-9a-fA-F]{2}(?!\\u[dD][c-fC-F])|(?<!\\u[dD][89abAB][0-9a-fA-F]{2})\\u[dD][c-fC-F][0-9a-fA-F]{2}"
)


class Wire(msgspec.Struct, rename="camel", forbid_unknown_fields=True, omit_defaults=False):
    """The base of every struct on the wire: snake_case in Python, camelCase in JSON."""


class Empty(Wire):
    """Data of an event that needs none."""


class Envelope(Wire):
    """A client's frame. `ref` is a number, a short text or NO_REF. The one answer to the frame has the same."""

    event: str
    data: msgspec.Raw = msgspec.Raw(b"{}")
    ref: msgspec.Raw = NO_REF


_encoder = msgspec.json.Encoder()
_envelope_decoder = msgspec.json.Decoder(Envelope)
_decoders: dict[type, msgspec.json.Decoder[Any]] = {}


def decode_envelope(frame: str | bytes) -> Envelope:
    """The first step: read the event's name. Raises Invalid if the frame is not an envelope."""
    envelope: Envelope = _decode(_envelope_decoder, frame, "frame")
    if envelope.ref is not NO_REF:
        envelope.ref = check_ref(envelope.ref)
    return envelope


def decode_data(data: msgspec.Raw, shape: type[S]) -> S:
    """The second step: read the event's own data. Raises Invalid, which names the wrong field."""
    decoder = _decoders.get(shape)
    if decoder is None:
        decoder = _decoders[shape] = msgspec.json.Decoder(shape, dec_hook=decode_id)
    return _decode(decoder, data, "data")


def _decode(decoder: msgspec.json.Decoder[Any], text: Any, what: str) -> Any:
    try:
        return decoder.decode(text)
    except msgspec.ValidationError as error:
        problem, field = split_path(str(error))
        raise Invalid(f"{what}: {problem}", fields={field: [problem]} if field else None) from error
    except msgspec.DecodeError as error:
        half = _HALF.search(text) if isinstance(text, str) else None
        problem = f"{half[0]} is half of a character." if half else str(error)
        raise Invalid(f"{what} is not valid JSON: {problem}") from error
    except (UnicodeError, RecursionError) as error:
        raise Invalid(f"{what} is not valid JSON: bad text or nested too deeply.") from error


def split_path(problem: str) -> tuple[str, str]:
    """Split msgspec's message "Expected `str`, got `int` - at `$.roomId`" into the problem and "roomId"."""
    problem, _, path = problem.partition(" - at `$")
    field = path.rstrip("`").lstrip(".")
    if not field and "`" in problem and "field" in problem:
        field = problem.rpartition(" field `")[2].rstrip("`")
    return problem, field


def encode_reply(ref: msgspec.Raw, data: Any) -> bytes:
    return _encoder.encode({"event": "reply", "ref": ref, "data": data})


def encode_error(error: ChatError, *, ref: msgspec.Raw, request_id: str | None) -> bytes:
    frame: dict[str, Any] = {"event": f"error:{error.code}", "data": error.as_data(request_id=request_id)}
    if ref is not NO_REF:
        frame["ref"] = ref
    return _encoder.encode(frame)


def json_schema(shape: Any, *, ref_template: str) -> tuple[dict[str, Any], dict[str, Any]]:
    """The JSON Schema of a struct or type, and the schemas it refers to by name. Docstrings become descriptions."""
    (schema,), components = msgspec.json.schema_components(
        [shape], schema_hook=id_schema, ref_template=ref_template
    )
    for component in components.values():
        if "description" in component:
            component["description"] = cleandoc(component["description"])
    return schema, components


def to_builtins(data: Any) -> Any:
    """`data` as a client decodes it: plain dicts, lists, strings and numbers."""
    return msgspec.to_builtins(data)
