"""The refs of frames. They are answered byte for byte: a number in another form may not compare equal."""

import json
import re

import msgspec

from foundation.errors import Invalid

MAX_REF_CHARS = 64
NO_REF = msgspec.Raw(b"null")
# Of one frame, all keys of nested objects included. A text made of them would take ten times as long.
MAX_REF_KEYS = 1_000

_COLON = re.compile(r"\s*+:\s*+\Z")
_NUMBER = re.compile(r"\s*+:\s*+(-?(?:0|[1-9]\d*+)(?:\.\d++)?(?:[eE][+-]?\d++)?)\s*+[,}]", re.ASCII)


class _Ref(msgspec.Struct):
    ref: msgspec.Raw = NO_REF


_ref_decoder = msgspec.json.Decoder(_Ref)


def check_ref(ref: msgspec.Raw) -> msgspec.Raw:
    """The ref, or NO_REF if it is null. Raises Invalid if it is neither a number nor a text, or too long."""
    text = bytes(ref)
    if text == b"null":
        return NO_REF
    if text[:1] not in b'"-0123456789':
        raise Invalid("ref is a number or a text.", fields={"ref": ["Expected a number or a text."]})
    if len(text) > MAX_REF_CHARS and (text[:1] != b'"' or len(json.loads(text)) > MAX_REF_CHARS):
        raise Invalid(f"ref is longer than {MAX_REF_CHARS} characters.", fields={"ref": ["Too long."]})
    return ref


def find_ref(frame: str) -> msgspec.Raw:
    """The ref of a frame that was refused before or while it was decoded. NO_REF if it has no valid ref."""
    try:
        return check_ref(_ref_decoder.decode(frame).ref)
    except (msgspec.DecodeError, UnicodeError, RecursionError):
        return _search(frame)
    except Invalid:
        return NO_REF


def _search(frame: str) -> msgspec.Raw:
    """The ref at the top of an object that no parser takes: it may have half of a surrogate pair, or be nested too
    deeply. Of several the first one, since another object may follow. Takes linear time for any text."""
    if '"ref"' not in frame or not frame.lstrip().startswith("{"):
        return NO_REF
    # Without escaped quotes, every second piece is the content of a string.
    pieces = frame.replace("\\\\", "..").replace('\\"', "..").split('"')
    outside, strings = pieces[::2], pieces[1::2]
    depth = start = 0
    for _ in range(min(MAX_REF_KEYS, strings.count("ref"))):
        found = strings.index("ref", start)
        passed = "".join(outside[start : found + 1])
        depth += sum(map(passed.count, "{[")) - sum(map(passed.count, "}]"))
        start = found + 1
        if depth == 1 and start < len(outside) and ":" in outside[start]:
            return _value(frame, pieces, 2 * start)
    return NO_REF


def _value(frame: str, pieces: list[str], place: int) -> msgspec.Raw:
    """The ref behind its key, if it is valid. `place` is the piece that follows the key."""
    if number := _NUMBER.match(pieces[place]):
        text = number[1]
    elif _COLON.match(pieces[place]) and place + 2 < len(pieces):
        begin = len('"'.join(pieces[: place + 1]))
        text = frame[begin : begin + len(pieces[place + 1]) + 2]
    else:
        return NO_REF
    try:
        json.loads(text)
        return check_ref(msgspec.Raw(text.encode()))
    except (ValueError, Invalid):
        return NO_REF
