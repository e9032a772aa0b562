"""The codes a socket is closed with, and what each asks of the client (protocol.md)."""

from enum import IntEnum


class CloseCode(IntEnum):
    NORMAL = 1000
    TOO_BIG = 1009
    RESTART = 1012
    UNAUTHENTICATED = 4401
    DEACTIVATED = 4403
    SLOW_READER = 4408
    LIMITED = 4429


class CloseSocket(Exception):
    """Raised by a consumer to end the connection it serves with a code of the contract."""

    def __init__(self, code: CloseCode, reason: str = "") -> None:
        self.code = code
        self.reason = reason
        super().__init__(f"{code.value} {reason}")
