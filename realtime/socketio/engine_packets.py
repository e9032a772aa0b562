"""The packets of Engine.IO as text, before python-engineio reads them."""

from urllib.parse import parse_qs

from engineio.packet import MESSAGE

# The types of Engine.IO packets that a client may send.
ENGINE_TYPES = frozenset("123456")
MAX_CONTROL_CHARS = 16
SEPARATOR = "\x1e"


def is_engine_text(text: str) -> bool:
    """Whether python-engineio can read a packet; others raise where none of its handlers catches it."""
    if text[:1] == str(MESSAGE):
        return text[1:2].isdigit()
    return text[:1] in ENGINE_TYPES and len(text) <= MAX_CONTROL_CHARS


def packets_of(body: bytes) -> list[str]:
    """The packets of a POST. A packet that cannot be read is returned as ""."""
    try:
        text = body.decode()
        if text.startswith("d="):
            # From a client that uses JSON-P.
            text = parse_qs(text, errors="strict")["d"][0]
    except (UnicodeError, LookupError):
        return [""]
    return text.split(SEPARATOR) if text else []
