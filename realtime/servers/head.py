"""The limits on the head of a request, which is its request line and its headers."""

from foundation.errors import ChatError, TooLarge

MAX_HEAD_BYTES = 64 * 1024
# Fewer than websockets reads (128). It does not answer a handshake with more, or with a longer line.
MAX_HEADERS = 100
# Of the target of a request, and of each header of a handshake: websockets and nginx read lines of 8 KiB.
MAX_LINE_BYTES = 8000

Headers = list[tuple[bytes, bytes]]
Refused = tuple[ChatError, int]

HEAD_TOO_LARGE: Refused = (TooLarge(f"The head of a request has at most {MAX_HEAD_BYTES} bytes."), 431)


def refused_head(target: bytes, headers: Headers, *, is_handshake: bool) -> Refused | None:
    """The error and the HTTP status of a head that is over a limit."""
    if len(target) > MAX_LINE_BYTES:
        return TooLarge(f"The target of a request has at most {MAX_LINE_BYTES} bytes."), 414
    if len(headers) > MAX_HEADERS:
        return TooLarge(f"A request has at most {MAX_HEADERS} headers."), 431
    lines = [len(name) + len(value) for name, value in headers]
    if sum(lines) > MAX_HEAD_BYTES:
        return HEAD_TOO_LARGE
    if is_handshake and max(lines) > MAX_LINE_BYTES:
        return TooLarge(f"Each header of a handshake has at most {MAX_LINE_BYTES} bytes."), 431
    return None
