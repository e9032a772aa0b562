"""The codes that a socket is closed with. docs/protocol.md says what a client does after each."""

from enum import IntEnum


class CloseCode(IntEnum):
    NORMAL = 1000
    BAD_PROTOCOL = 1002
    BAD_TEXT = 1007
    TOO_SLOW = 1008
    TOO_BIG = 1009
    SILENT = 1011
    RESTART = 1012
    UNAUTHENTICATED = 4401
    DEACTIVATED = 4403
    SLOW_READER = 4408
    LIMITED = 4429


class CloseSocket(Exception):
    """Raised by a consumer to close its connection with this code."""

    def __init__(self, code: CloseCode, reason: str = "") -> None:
        self.code = code
        self.reason = reason
        super().__init__(f"{code.value} {reason}")
